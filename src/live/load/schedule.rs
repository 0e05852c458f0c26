//! What is due when: the workload, with the rate and the length that were asked for.
//!
//! Another rate is another speed of the workload's own clock, not another arrival process: every
//! process, recorded traces too, keeps its shape, and every request its number and attributes.

use super::{LoadConfig, LoadError};
use crate::request::Request;
use crate::rng::Streams;
use crate::time::{Duration, Timestamp};
use crate::workload::Workload;

/// The requests that are to be sent, in order of their intended start.
pub(super) struct Schedule {
    workload: Workload,
    /// Times are multiplied by this; 1 to leave them alone.
    stretch: f64,
    end: Timestamp,
    left: u64,
    /// When the workload was last told or asked something: it must not see time go back.
    latest: Timestamp,
}

impl Schedule {
    /// The schedule that is asked for.
    ///
    /// # Errors
    /// If the rate cannot be scaled like that.
    pub fn new(config: &LoadConfig) -> Result<Self, LoadError> {
        if !(config.rate_scale > 0.0 && config.rate_scale.is_finite()) {
            return Err(LoadError::Scale);
        }
        let streams = Streams::new(config.seed, config.replication);
        let workload = Workload::new(&config.workload, streams);
        if workload.follows_ends() && config.rate_scale != 1.0 {
            return Err(LoadError::ScaledClosedLoop);
        }
        let duration = config.duration.unwrap_or(Duration::MAX);
        Ok(Self {
            workload,
            stretch: 1.0 / config.rate_scale,
            end: Timestamp::ZERO + duration,
            left: config.requests.unwrap_or(u64::MAX),
            latest: Timestamp::ZERO,
        })
    }

    /// When the next request is due; `None` if there are no more, or none until one ends.
    pub fn next_arrival(&self) -> Option<Timestamp> {
        let at = self.stretched(self.workload.next_arrival()?);
        (self.left > 0 && at < self.end).then_some(at)
    }

    /// Takes the next request, with the time at which it is due.
    pub fn take(&mut self) -> Option<(Timestamp, Request)> {
        self.next_arrival()?;
        let (at, request) = self.workload.take()?;
        let at = self.stretched(at);
        self.left -= 1;
        self.latest = self.latest.max(at);
        Some((at, request))
    }

    /// Whether it has to be told of ends.
    pub fn follows_ends(&self) -> bool {
        self.workload.follows_ends()
    }

    /// A request has ended. Ends are reported by several threads, a few microseconds out of order
    /// at times; the workload is told the latest time that it knows already instead of an earlier
    /// one.
    pub fn request_ended(&mut self, at: Timestamp, request: &Request) {
        self.latest = self.latest.max(at);
        self.workload.request_ended(self.latest, request);
    }

    fn stretched(&self, at: Timestamp) -> Timestamp {
        if self.stretch == 1.0 {
            return at;
        }
        Timestamp::ZERO + at.since(Timestamp::ZERO).scale(self.stretch)
    }
}
