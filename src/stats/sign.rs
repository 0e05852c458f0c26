//! The exact sign test: are positive and negative differences equally likely?
//!
//! It looks at nothing but signs, so that no outlier can sway it, and assumes nothing but
//! independence (J. Arbuthnot, "An argument for Divine Providence", 1710; W. J. Conover, *Practical
//! Nonparametric Statistics*, section 3.4). It is too weak to decide claims with. What it is for is
//! to contradict: where a t test finds the mean clearly above zero while clearly most differences
//! lie below it, a few extreme replications made the mean, and no verdict should rest on them.

use super::alpha::Alpha;
use statrs::distribution::{Binomial, DiscreteCDF};

/// Signs of a sample; zeros are left out, as Dixon and Mood (1946) do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signs {
    /// Numbers above zero.
    pub positive: u64,
    /// Numbers below zero.
    pub negative: u64,
}

impl Signs {
    /// Counts the signs of a sample.
    #[must_use]
    pub fn of(sample: &[f64]) -> Self {
        let count = |is: fn(f64) -> bool| sample.iter().filter(|x| is(**x)).count() as u64;
        Self {
            positive: count(|x| x > 0.0),
            negative: count(|x| x < 0.0),
        }
    }

    /// Two-sided p value: twice the probability of so few of the rarer sign, or fewer, if both are
    /// equally likely; at most 1.
    #[must_use]
    pub fn p(self) -> f64 {
        let (fewer, all) = (
            self.positive.min(self.negative),
            self.positive + self.negative,
        );
        let tail = Binomial::new(0.5, all).map_or(1.0, |law| law.cdf(fewer));
        (2.0 * tail).min(1.0)
    }

    /// Whether clearly more numbers are below zero than above: `Some(false)`; the other way round:
    /// `Some(true)`; neither: `None`.
    #[must_use]
    pub fn mostly_positive(self, alpha: Alpha) -> Option<bool> {
        (self.p() <= alpha.value()).then_some(self.positive > self.negative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(positive: u64, negative: u64) -> Signs {
        Signs { positive, negative }
    }

    #[test]
    fn critical_values_are_those_of_the_printed_tables() {
        // Largest number of the rarer sign that is significant at 5 % and at 1 %, two-sided:
        // W. J. Dixon, A. M. Mood, "The statistical sign test", JASA 41, 1946, table 1.
        let table = [
            (6, Some(0), None),
            (8, Some(0), Some(0)),
            (10, Some(1), Some(0)),
            (12, Some(2), Some(1)),
            (15, Some(3), Some(2)),
            (20, Some(5), Some(3)),
            (25, Some(7), Some(5)),
            (30, Some(9), Some(7)),
            (40, Some(13), Some(11)),
            (80, Some(30), Some(28)),
        ];
        for (n, five, one) in table {
            for (alpha, expected) in [(0.05, five), (0.01, one)] {
                let significant = |rarer: &u64| signs(*rarer, n - rarer).p() <= alpha;
                let largest = (0..=n / 2).take_while(significant).last();
                assert_eq!(largest, expected, "{n} at {alpha}");
                assert_eq!(counted(n, alpha), expected, "{n} at {alpha}, counted");
            }
        }
    }

    /// The same in whole numbers: of the 2^n sequences of signs, those with so few of one sign are
    /// counted by Pascal's triangle.
    fn counted(n: u64, alpha: f64) -> Option<u64> {
        let (mut ways, mut tail) = (1_u128, 0_u128);
        let mut largest = None;
        for rarer in 0..=n / 2 {
            tail += ways;
            if 2.0 * tail as f64 > alpha * 2_f64.powi(n as i32) {
                break;
            }
            largest = Some(rarer);
            ways = ways * u128::from(n - rarer) / u128::from(rarer + 1);
        }
        largest
    }

    #[test]
    fn p_values_are_exact() {
        // 2 (1 + 10) / 1024, and 2 (1 + 20 + 190 + 1140) / 2^20.
        assert!((signs(1, 9).p() - 22.0 / 1024.0).abs() < 1e-12);
        assert!((signs(17, 3).p() - 2702.0 / 1_048_576.0).abs() < 1e-12);
        assert!((signs(5, 5).p() - 1.0).abs() < 1e-12);
        assert!((signs(0, 0).p() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn zeros_and_what_is_no_number_take_no_side() {
        let counted = Signs::of(&[1.0, -2.0, 0.0, -0.0, f64::NAN, f64::INFINITY]);
        assert_eq!(counted, signs(2, 1));
        let alpha = Alpha::FIVE_PERCENT;
        assert_eq!(signs(10, 0).mostly_positive(alpha), Some(true));
        assert_eq!(signs(1, 9).mostly_positive(alpha), Some(false));
        assert_eq!(signs(2, 8).mostly_positive(alpha), None);
    }
}
