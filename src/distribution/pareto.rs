//! Pareto between two bounds: heavy tails that end somewhere.
//!
//! The unbounded law has no mean for shapes up to 1 and no variance up to 2, which is where
//! measured lengths and times lie; means of simulations would then never settle (Crovella and
//! Lipsky, "Long-lasting transient conditions in simulations with heavy-tailed workloads", 1997).
//! Real answers and prompts have a longest one, so the law is cut there, by inversion.

use super::{InvalidDistribution, mean_exponential, positive, require};
use crate::rng::Rng;

/// A bounded Pareto distribution.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pareto {
    low: f64,
    high: f64,
    shape: f64,
    /// The share of the unbounded law that lies below `high`.
    below_high: f64,
}

impl Pareto {
    pub(super) fn new(low: f64, high: f64, shape: f64) -> Result<Self, InvalidDistribution> {
        require(positive(low), "low must be above 0, and finite")?;
        require(
            positive(high) && low < high,
            "high must be above low, and finite",
        )?;
        require(
            (0.01..=100.0).contains(&shape),
            "the shape must be between 0.01 and 100",
        )?;
        Ok(Self {
            low,
            high,
            shape,
            below_high: -libm::expm1(-shape * libm::log(high / low)),
        })
    }

    pub(super) fn sample(&self, rng: &mut Rng) -> f64 {
        let above = libm::log1p(-rng.uniform() * self.below_high);
        (self.low * crate::exp::exp(-above / self.shape)).clamp(self.low, self.high)
    }

    pub(super) fn mean(&self) -> f64 {
        self.moment(1.0)
    }

    pub(super) fn variance(&self) -> f64 {
        self.moment(2.0) - self.mean().powi(2)
    }

    pub(super) fn upper_bound(&self) -> f64 {
        self.high
    }

    /// `E X^order`. In logarithms it is an integral of an exponential, in a form that does not
    /// divide by 0 where order and shape are the same.
    fn moment(&self, order: f64) -> f64 {
        let width = libm::log(self.high / self.low);
        let of_low = libm::pow(self.low, order);
        self.shape / self.below_high
            * of_low
            * width
            * mean_exponential((order - self.shape) * width)
    }
}

#[cfg(test)]
mod tests {
    use crate::distribution::Distribution;
    use crate::distribution::oracle::{assert_law, assert_share_below};

    #[test]
    fn it_has_the_distribution_of_theory() {
        for (low, high, shape) in [
            (1.0, 1000.0, 1.1),
            (0.5, 2.0, 3.0),
            (2.0, 1e6, 0.4),
            (1.0, 10.0, 1.0),
        ] {
            let law = Distribution::pareto(low, high, shape).unwrap();
            let above = |x: f64| (low / x).powf(shape);
            assert_law(&law, |x| {
                (1.0 - above(x.clamp(low, high))) / (1.0 - above(high))
            });
        }
    }

    /// The textbook's formulas, which need a case of their own where the shape is 1 or 2.
    #[test]
    fn moments_are_those_of_the_textbook() {
        let (low, high) = (2.0f64, 50.0f64);
        for shape in [0.5, 1.0, 1.5, 2.0, 2.5] {
            let law = Distribution::pareto(low, high, shape).unwrap();
            let share = 1.0 - (low / high).powf(shape);
            let moment = |order: f64| {
                let scale = low.powf(shape) / share * shape;
                if order == shape {
                    return scale * (high / low).ln();
                }
                scale * (high.powf(order - shape) - low.powf(order - shape)) / (order - shape)
            };
            let variance = moment(2.0) - moment(1.0).powi(2);
            assert!((law.mean() / moment(1.0) - 1.0).abs() < 1e-12, "{shape}");
            assert!((law.variance() / variance - 1.0).abs() < 1e-10, "{shape}");
            // Nothing happens where the case begins and ends.
            let near = Distribution::pareto(low, high, shape + 1e-9).unwrap();
            assert!((law.mean() / near.mean() - 1.0).abs() < 1e-8, "{shape}");
        }
    }

    /// With shape `log4 5` and bounds far apart, Pareto's rule: four fifths of the values lie below
    /// 4 times the least.
    #[test]
    fn four_fifths_lie_below_four() {
        let law = Distribution::pareto(1.0, 1e15, 5.0f64.ln() / 4.0f64.ln()).unwrap();
        assert_share_below(&law, 4.0, 0.8);
    }

    #[test]
    fn bad_parameters_are_refused() {
        for (low, high, shape) in [
            (0.0, 1.0, 1.0),
            (1.0, 1.0, 1.0),
            (2.0, 1.0, 1.0),
            (1.0, f64::INFINITY, 1.0),
            (1.0, 2.0, 0.0),
            (1.0, 2.0, f64::NAN),
        ] {
            assert!(Distribution::pareto(low, high, shape).is_err());
        }
    }
}
