//! Equivalence by two one-sided tests (TOST).
//!
//! A t test that finds no difference has not found equality: with few replications it finds nothing
//! at all. To claim that something is *about* so much, both "it is not above the lower margin" and
//! "it is not below the upper margin" must be rejected (D. J. Schuirmann, "A comparison of the two
//! one-sided tests procedure and the power approach", 1987). No allowance is divided over the two:
//! both must reject, and at most one can be wrong.

use super::mean::p_above_zero;

/// What two one-sided tests say.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TwoOneSided {
    /// p value against "not above the lower margin".
    pub above_lower: f64,
    /// p value against "not below the upper margin".
    pub below_upper: f64,
}

impl TwoOneSided {
    /// Tests a quantity by its distances, one number per replication: `above_lower` how far it is
    /// above the lower margin, `below_upper` how far below the upper one. `None` if one is shorter
    /// than two or holds a number that is not finite.
    #[must_use]
    pub fn test(above_lower: &[f64], below_upper: &[f64]) -> Option<Self> {
        Some(Self {
            above_lower: p_above_zero(above_lower)?,
            below_upper: p_above_zero(below_upper)?,
        })
    }

    /// p value of the whole: the larger of the two.
    #[must_use]
    pub const fn p(self) -> f64 {
        self.above_lower.max(self.below_upper)
    }

    /// p value against "within the margins": the smaller of the two opposite tests.
    #[must_use]
    pub const fn p_outside(self) -> f64 {
        (1.0 - self.above_lower).min(1.0 - self.below_upper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::alpha::Alpha;
    use crate::stats::mean::interval;
    use proptest::prelude::*;

    fn tost(sample: &[f64], low: f64, high: f64) -> TwoOneSided {
        let above: Vec<f64> = sample.iter().map(|x| x - low).collect();
        let below: Vec<f64> = sample.iter().map(|x| high - x).collect();
        TwoOneSided::test(&above, &below).unwrap()
    }

    #[test]
    fn an_example_computed_by_hand() {
        // Mean 0.5, standard error 1, 9 degrees of freedom. Distances from +-3.25: 3.75 and 2.75;
        // one-sided p of t = 2.75 lies between 0.025 (t = 2.262) and 0.005 (t = 3.250).
        let sample: Vec<f64> = [-3.0, 3.0].repeat(5).iter().map(|x| x + 0.5).collect();
        let tost = tost(&sample, -3.25, 3.25);
        assert!(tost.above_lower < tost.below_upper);
        assert!((0.005..0.025).contains(&tost.p()), "{tost:?}");
        assert_eq!(TwoOneSided::test(&[1.0], &[1.0]), None);
        assert_eq!(TwoOneSided::test(&[1.0, f64::NAN], &[1.0, 1.0]), None);
    }

    #[test]
    fn no_doubt_where_nothing_varies() {
        assert_eq!(tost(&[0.1; 4], 0.0, 0.2).p(), 0.0);
        assert_eq!(tost(&[0.3; 4], 0.0, 0.2).p_outside(), 0.0);
    }

    #[test]
    fn exactly_at_a_margin_is_neither_inside_nor_outside() {
        // At one margin, and where margins of no width leave nothing but the two ends.
        for (low, high) in [(0.0, 0.25), (-0.25, 0.0), (0.0, 0.0)] {
            let tost = tost(&[0.0; 4], low, high);
            assert_eq!((tost.p(), tost.p_outside()), (0.5, 0.5), "{low} {high}");
        }
        // What varies is never shown to lie within margins of no width, but may lie outside.
        let spread = tost(&[1.0, 1.1, 0.9], 0.0, 0.0);
        assert!(spread.p() > 0.5 && spread.p_outside() < 0.01, "{spread:?}");
    }

    proptest! {
        /// The known duality: TOST rejects at alpha where the interval of 1 - 2 alpha lies within
        /// the margins.
        #[test]
        fn it_is_an_interval_within_the_margins(
            sample in proptest::collection::vec(-1.0..1.0f64, 2..30),
            low in -1.0..0.0f64,
            width in 0.0..2.0f64,
        ) {
            let high = low + width;
            let tost = tost(&sample, low, high);
            let inside = interval(&sample, Alpha::new(0.1).unwrap()).unwrap();
            let within = low < inside.low && inside.high < high;
            // Not where both agree to the last digits.
            if (tost.p() - 0.05).abs() > 1e-9 {
                prop_assert_eq!(tost.p() < 0.05, within);
            }
        }
    }
}
