//! Thresholds: demands that a strategy's results must meet, for gates in CI.

use super::value::shown;
use crate::experiment::metric::Metric;
use crate::request::words;
use std::fmt;

/// A demand.
#[derive(Clone, PartialEq, Debug)]
pub struct Threshold {
    /// Of whom: name of an arm; `None` is every arm.
    pub strategy: Option<String>,
    /// In what.
    pub metric: Metric,
    /// Which side of the bound is good.
    pub comparison: Comparison,
    /// The bound, in the unit of the metric.
    pub bound: f64,
}

words! {
    /// Which side of a bound is good.
    Comparison {
        /// Below.
        Less = "<",
        /// Not above.
        AtMost = "<=",
        /// Above.
        Greater = ">",
        /// Not below.
        AtLeast = ">=",
    }
}

impl Comparison {
    /// Whether a value is on the good side.
    #[must_use]
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::Greater => value > bound,
            Self::AtLeast => value >= bound,
        }
    }
}

/// As it is written in a scenario.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(strategy) = &self.strategy {
            write!(f, "{strategy}: ")?;
        }
        let bound = shown(self.metric, self.bound);
        write!(f, "{} {} {bound}", self.metric, self.comparison)
    }
}
