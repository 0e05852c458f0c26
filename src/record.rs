//! Flat records: what one attempt and one request came to. Every number in the results derives from
//! these.

use crate::request::{
    AccountIndex, ClassIndex, FailureKind, ModelIndex, RegionIndex, RequestId, RequestPriority,
    Usage, words,
};
use crate::time::{Duration, Timestamp};
use crate::units::NanoUsd;

words! {
    /// The routing strategies.
    Strategy {
        /// The next candidate in account order.
        RoundRobin = "round_robin",
        /// Smooth weighted round robin, weights scaled by health.
        WeightedRoundRobin = "weighted_round_robin",
        /// Fewest in flight per weight.
        LeastConnections = "least_connections",
        /// Smallest estimate of the response time.
        FastestResponse = "fastest_response",
        /// Highest health score.
        HealthBased = "health_based",
        /// Highest mix of health, success, response, load and provider diversity.
        Adaptive = "adaptive",
        /// Nearest region with room.
        Geographic = "geographic",
        /// Uniform.
        Random = "random",
        /// The smart router: filters, preferences, and one of the above by priority.
        Smart = "smart",
    }
}

words! {
    /// Why a request was refused without (another) attempt.
    Rejection {
        /// No account serves what is asked for: model, quality, context window or required
        /// provider.
        NotServed = "not_served",
        /// Accounts serve it, but every one is open, cooling down, disabled or full.
        NoneAvailable = "none_available",
        /// The same, and too many wait already.
        TooManyWaiting = "too_many_waiting",
    }
}

words! {
    /// What the response cache was to a request.
    CacheUse {
        /// Nothing: it is off, or the answer must be the request's own.
        None = "none",
        /// It had the answer.
        Hit = "hit",
        /// It did not: the request asked for itself, and for those who followed.
        Miss = "miss",
        /// The request followed another that asked for the same, to its end.
        Coalesced = "coalesced",
    }
}

impl CacheUse {
    /// Whether the request was looked up at all.
    #[must_use]
    #[inline]
    pub const fn looked(self) -> bool {
        !matches!(self, Self::None)
    }
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A complete answer reached the client.
    Success,
    /// The last attempt failed in this way, and no further one was allowed; or this was the end of
    /// a request that waited for somebody to be available, or for another's answer.
    Failed(FailureKind),
    /// Refused before any attempt.
    Rejected(Rejection),
}

/// What the router promised for an attempt, in fixed point so that sums are exact: 10,000 =
/// certain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Confidence(pub u16);

impl Confidence {
    /// From a number in [0, 1]; clamped.
    #[must_use]
    pub fn from_f64(confidence: f64) -> Self {
        Self((confidence.clamp(0.0, 1.0) * 10_000.0 + 0.5) as u16)
    }

    /// As a number in [0, 1].
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) * 1e-4
    }
}

/// One attempt, after its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AttemptRecord {
    /// The request that it was made for.
    pub request: RequestId,
    /// 1 for the first attempt of the request, and so on.
    pub number: u8,
    /// Where it was sent.
    pub account: AccountIndex,
    /// The strategy that chose the account (for `smart`, the one it delegated to).
    pub strategy: Strategy,
    /// When it was sent.
    pub dispatched: Timestamp,
    /// When its first token came; streaming only.
    pub first_token: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
    /// Its end; `None` is success.
    pub failure: Option<FailureKind>,
    /// Tokens charged.
    pub usage: Usage,
    /// Money charged.
    pub cost: NanoUsd,
    /// Confidence stated at dispatch; `None` for strategies that state none.
    pub confidence: Option<Confidence>,
    /// Whether it was a half-open probe.
    pub probe: bool,
    /// Whether it was sent as the least bad choice, although nobody was available.
    pub least_bad: bool,
}

/// One request, after its end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RequestRecord {
    /// Number in order of arrival.
    pub request: RequestId,
    /// Class of the workload.
    pub class: ClassIndex,
    /// Model asked for.
    pub model: ModelIndex,
    /// Urgency.
    pub priority: RequestPriority,
    /// Region of the user.
    pub region: Option<RegionIndex>,
    /// Whether the answer was to be streamed.
    pub streaming: bool,
    /// Intended arrival; latency counts from here.
    pub arrived: Timestamp,
    /// First token of the answer; streaming only. Of an answer from the cache, or shared, it comes
    /// with the rest.
    pub first_token: Option<Timestamp>,
    /// When the client had its answer or its error.
    pub ended: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// When to try again, if it was refused because nobody was available: the earliest end of an
    /// open time or cool-down. `None` if time alone will not help, or it was not refused.
    pub retry_at: Option<Timestamp>,
    /// Attempts dispatched; 0 if it was rejected, if its answer was the cache's or another's, or if
    /// its time passed before anybody was available.
    pub attempts: u8,
    /// What the response cache was to it.
    pub cache: CacheUse,
    /// Whether it has waited because nobody was available.
    pub waited: bool,
    /// Account of the last attempt.
    pub account: Option<AccountIndex>,
    /// The strategy that chose it (for `smart`, the one it delegated to).
    pub strategy: Option<Strategy>,
    /// Whether a retry was wanted but the retry budget was empty.
    pub budget_exhausted: bool,
    /// Input tokens charged for all its attempts.
    pub input_tokens: u64,
    /// Output tokens charged for all its attempts.
    pub output_tokens: u64,
    /// Money charged for all its attempts.
    pub cost: NanoUsd,
    /// The part of `cost` spent on attempts that did not deliver the answer.
    pub wasted: NanoUsd,
}

impl RequestRecord {
    /// Time from intended arrival to the end.
    #[must_use]
    pub fn sojourn(&self) -> Duration {
        self.ended.since(self.arrived)
    }

    /// Whether a complete answer reached the client.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.outcome == Outcome::Success
    }
}
