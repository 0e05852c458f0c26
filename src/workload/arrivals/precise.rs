//! A point in time that loses no fraction of a nanosecond from one gap to the next.
//!
//! Rounding every gap on its own would shorten or lengthen the mean at high rates, and a sum in
//! floating seconds would lose its last digits over a long run. The part below a nanosecond is
//! carried over instead.

use crate::time::{Duration, Timestamp};

/// `at` plus a part of a nanosecond.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PreciseTime {
    at: Timestamp,
    /// How far the exact time lies beyond `at`: below one nanosecond.
    beyond: f64,
}

impl PreciseTime {
    /// The start of the run.
    pub const ZERO: Self = Self {
        at: Timestamp::ZERO,
        beyond: 0.0,
    };

    /// Goes on by `nanos`, 0 or more, and yields the time rounded down. Stays at
    /// [`Timestamp::NEVER`] once it is beyond all time.
    #[inline]
    pub fn advance(&mut self, nanos: f64) -> Timestamp {
        let gap = self.beyond + nanos;
        let whole = gap as u64;
        self.beyond = gap - whole as f64;
        self.at += Duration::from_nanos(whole);
        self.at
    }

    /// Time since `earlier` in nanoseconds, modulo `period`.
    pub fn within(&self, earlier: Timestamp, period: Duration) -> f64 {
        let period = period.as_nanos().max(1);
        let at = u128::from(self.at.as_nanos()) + u128::from(period);
        let phase = (at - u128::from(earlier.as_nanos() % period)) % u128::from(period);
        phase as f64 + self.beyond
    }
}
