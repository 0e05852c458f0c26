//! What became of all requests.
//!
//! Counts and histograms only, so that a run of a hundred million requests takes no more memory
//! than one of ten.

use super::record::{LoadRecord, Outcome};
use crate::histogram::Histogram;
use crate::request::Usage;
use crate::time::{Duration, Timestamp};
use std::collections::BTreeMap;

/// What a run came to. Every measured request (intended after the warm-up) counts once in
/// `scheduled`, and once in one of `succeeded`, `failed` and `dropped`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadReport {
    /// Requests of the warm-up: sent, but in no other figure here.
    pub warming_up: u64,
    /// Requests that were to be sent.
    pub scheduled: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Sent later than the tolerance; they are in all other figures too.
    pub late: u64,
    /// Not sent, because too many were under way.
    pub dropped: u64,
    /// Answered in full.
    pub succeeded: u64,
    /// All that were neither answered in full nor dropped, by how they ended.
    pub failed: BTreeMap<Outcome, u64>,
    /// Intended start to end, of those that succeeded; model time.
    pub latency: Lengths,
    /// Intended start to end, of those that failed; model time.
    pub failed_latency: Lengths,
    /// Intended start to first token, of streamed answers that succeeded; model time.
    pub first_token: Lengths,
    /// Intended to actual send, of all that were sent; real time.
    pub lateness: Lengths,
    /// Tokens that answers report.
    pub input_tokens: u64,
    /// Tokens that answers report.
    pub output_tokens: u64,
    /// First and last intended start, and how many.
    pub intended: Sending,
    /// First and last actual send, and how many.
    pub actual: Sending,
    /// Most requests under way at a time, warm-up included.
    pub most_in_flight: usize,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// Lengths of time: their distribution, and their exact sum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lengths {
    /// The distribution.
    pub histogram: Histogram,
    sum_nanos: u128,
}

/// A sequence of sends.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sending {
    count: u64,
    span: Option<(Timestamp, Timestamp)>,
}

/// Kinds of failure that are told apart; a server that invents one for each request must not fill
/// the memory.
const MOST_KINDS: usize = 100;

impl Lengths {
    fn new(histogram: Histogram) -> Self {
        Self {
            histogram,
            sum_nanos: 0,
        }
    }

    fn add(&mut self, length: Duration) {
        self.histogram.record(length);
        self.sum_nanos += u128::from(length.as_nanos());
    }

    /// Mean in seconds; `None` if there are none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.histogram.count();
        (count > 0).then(|| self.sum_nanos as f64 / count as f64 * 1e-9)
    }

    /// The length below which a share `q` lies; `None` if there are none.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        self.histogram.quantile(q)
    }
}

impl Sending {
    fn add(&mut self, at: Timestamp) {
        self.count += 1;
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
    }

    /// Mean rate per second of model time: gaps over the time that they take. `None` for less than
    /// two sends, or no time between them.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let (first, last) = self.span?;
        let length = last.since(first).as_secs_f64();
        (self.count > 1 && length > 0.0).then(|| (self.count - 1) as f64 / length)
    }
}

impl LoadReport {
    pub(super) fn new() -> Self {
        Self {
            warming_up: 0,
            scheduled: 0,
            sent: 0,
            late: 0,
            dropped: 0,
            succeeded: 0,
            failed: BTreeMap::new(),
            latency: Lengths::new(Histogram::fine()),
            failed_latency: Lengths::new(Histogram::fine()),
            first_token: Lengths::new(Histogram::fine()),
            lateness: Lengths::new(Histogram::nanos()),
            input_tokens: 0,
            output_tokens: 0,
            intended: Sending::default(),
            actual: Sending::default(),
            most_in_flight: 0,
            stopped: false,
        }
    }

    /// Requests that were sent and not answered in full.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Counts a request. `lateness` is how late it was sent, in real time, and whether that is
    /// beyond the tolerance.
    pub(super) fn add(&mut self, record: &LoadRecord, lateness: Option<(Duration, bool)>) {
        self.scheduled += 1;
        self.intended.add(record.intended);
        if let (Some(at), Some((length, late))) = (record.sent, lateness) {
            self.sent += 1;
            self.late += u64::from(late);
            self.lateness.add(length);
            self.actual.add(at);
        }
        let Usage { input, output, .. } = record.usage;
        self.input_tokens += u64::from(input);
        self.output_tokens += u64::from(output);
        match &record.outcome {
            Outcome::Ok => {
                self.succeeded += 1;
                self.latency.add(record.latency());
                if let Some(length) = record.first_token_latency() {
                    self.first_token.add(length);
                }
            }
            Outcome::Dropped => self.dropped += 1,
            failure => {
                self.failed_latency.add(record.latency());
                self.count_failure(failure);
            }
        }
    }

    fn count_failure(&mut self, failure: &Outcome) {
        if let Some(count) = self.failed.get_mut(failure) {
            *count += 1;
            return;
        }
        let many = self.failed.len() >= MOST_KINDS;
        let other = || -> Box<str> { "(of other kinds)".into() };
        let key = match failure {
            Outcome::Refused(status, _) if many => Outcome::Refused(*status, other()),
            Outcome::Broken(_) if many => Outcome::Broken(other()),
            Outcome::NoAnswer(_) if many => Outcome::NoAnswer(other()),
            told => told.clone(),
        };
        *self.failed.entry(key).or_default() += 1;
    }
}
