//! Statistics: pure functions on numbers.
//!
//! The unit of evidence is the replication: one number per replication and strategy. Requests
//! within one replication are correlated (they queue behind each other), so an interval computed
//! over them would be far too narrow; replications are independent by construction. Every function
//! that states an uncertainty returns `None` where it has none to state: one replication has no
//! interval, and a made-up one would be worse.
//!
//! A metric that does not apply in one replication (NaN) is left out as a whole: averaging over
//! those replications in which there was something to measure would favour the strategy that
//! answered only when it was easy.

pub mod alpha;
pub mod best;
pub mod equivalence;
pub mod mean;
pub mod needed;
pub mod order;
pub mod queueing;
pub mod ratio;
pub mod shapley;
pub mod sign;
pub mod warmup;
pub mod welch;

/// A confidence interval: of 95 %, unless its maker was given another alpha.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Both ends through a rising function, such as a change of unit.
    #[must_use]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            low: f(self.low),
            high: f(self.high),
        }
    }

    /// Whether `value` lies in it, ends included.
    #[must_use]
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Where a quantity can lie at all.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bounds {
    /// The least value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
}

impl Bounds {
    /// A part of a whole.
    pub const SHARE: Self = Self {
        low: 0.0,
        high: 1.0,
    };

    /// A time, a number, money.
    pub const NOT_NEGATIVE: Self = Self {
        low: 0.0,
        high: f64::INFINITY,
    };

    /// Where the difference of two such quantities can lie.
    #[must_use]
    pub const fn of_difference(self) -> Self {
        let width = self.high - self.low;
        Self {
            low: -width,
            high: width,
        }
    }
}

impl Interval {
    /// The part of it that is possible. That costs no coverage: the true value is possible, so the
    /// part holds it whenever the whole does.
    #[must_use]
    pub const fn within(self, bounds: Bounds) -> Self {
        Self {
            low: self.low.clamp(bounds.low, bounds.high),
            high: self.high.clamp(bounds.low, bounds.high),
        }
    }
}

/// Confidence level of every interval, unless another alpha is given.
pub const LEVEL: f64 = 0.95;

/// Whether every number is one: no NaN, no infinity.
fn all_finite(sample: &[f64]) -> bool {
    sample.iter().all(|x| x.is_finite())
}
