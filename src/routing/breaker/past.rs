//! What a breaker remembers beyond its state, where its options ask for it.
//!
//! It lies apart from the state, in a box that breakers without options do not have: what is not
//! used costs a null pointer.

use super::Judgement;
use crate::routing::config::{BreakerConfig, FailureRate};
use crate::routing::estimate::{BUCKETS, SuccessWindow};
use crate::time::{Duration, Timestamp};

/// The past of one breaker.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// Length of the last open time.
    open_time: Option<Duration>,
    /// When it last closed; none if it has been closed from the start.
    closed_at: Option<Timestamp>,
    /// Ends since then.
    window: SuccessWindow,
}

impl Past {
    /// Notes an end while closed. Says whether it opens the breaker.
    pub fn judged(&mut self, now: Timestamp, judgement: Judgement, rate: &FailureRate) -> bool {
        if judgement == Judgement::None {
            return false;
        }
        let bucket = (rate.window.as_nanos() / BUCKETS as u64).max(1);
        let failed = judgement == Judgement::Failure;
        self.window.record(now.as_nanos() / bucket, !failed);
        let (successes, ended) = self.window.counts();
        failed
            && ended >= rate.least_attempts
            && f64::from(ended - successes) >= rate.share * f64::from(ended)
    }

    /// The length of an open time that begins now.
    pub fn opens(&mut self, now: Timestamp, was_closed: bool, config: &BreakerConfig) -> Duration {
        let Some(growth) = &config.open_time_growth else {
            return config.open_time;
        };
        let recent = |at: Timestamp| now.since(at) < growth.reset_after;
        let again = !was_closed || self.closed_at.is_some_and(recent);
        let before = self.open_time.filter(|_| again);
        let length = before.map_or(config.open_time, |before| growth.after(before));
        self.open_time = Some(length);
        length
    }

    /// Notes that it closes.
    pub fn closes(&mut self, now: Timestamp) {
        self.closed_at = Some(now);
        self.window = SuccessWindow::new();
    }

    /// When it last closed.
    pub const fn closed_at(&self) -> Option<Timestamp> {
        self.closed_at
    }
}
