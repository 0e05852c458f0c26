//! What became of one request.

use crate::request::{ClassIndex, RequestId, Usage};
use crate::time::{Duration, Timestamp};

/// One request of the workload, and its end. All times are model time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadRecord {
    /// Its number in the workload.
    pub id: RequestId,
    /// Its class.
    pub class: ClassIndex,
    /// When the workload meant it to be sent; its latency counts from here.
    pub intended: Timestamp,
    /// When it was handed to its connection; `None` if it never was.
    pub sent: Option<Timestamp>,
    /// When the first piece of a streamed answer's content was there.
    pub first_token: Option<Timestamp>,
    /// When the answer's last byte was there, or the failure.
    pub ended: Timestamp,
    /// Tokens that the answer reports; zero where it reports none.
    pub usage: Usage,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a request ended.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// Status 200 and a whole answer in the dialect asked for.
    Ok,
    /// Another status: it, and the type of error that the body states (empty if none).
    Refused(u16, Box<str>),
    /// Status 200, but the answer is an error event, cut short, or none at all.
    Broken(Box<str>),
    /// No connection, or it was lost before the head of the answer.
    NoAnswer(Box<str>),
    /// The generator gave up waiting.
    TimedOut,
    /// The generator was stopped meanwhile.
    Abandoned,
    /// Not sent: too many were under way.
    Dropped,
}

impl LoadRecord {
    /// Time from the intended start to the end.
    #[must_use]
    pub const fn latency(&self) -> Duration {
        self.ended.since(self.intended)
    }

    /// Time from the intended start to the first token of a streamed answer.
    #[must_use]
    pub fn first_token_latency(&self) -> Option<Duration> {
        self.first_token.map(|at| at.since(self.intended))
    }

    /// How much too late it was sent; `None` if it was not.
    #[must_use]
    pub fn lateness(&self) -> Option<Duration> {
        self.sent.map(|at| at.since(self.intended))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Refused(status, kind) if kind.is_empty() => write!(f, "status {status}"),
            Self::Refused(status, kind) => write!(f, "status {status} {kind}"),
            Self::Broken(why) => write!(f, "broken answer: {why}"),
            Self::NoAnswer(why) => write!(f, "no answer: {why}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Abandoned => f.write_str("abandoned"),
            Self::Dropped => f.write_str("dropped"),
        }
    }
}
