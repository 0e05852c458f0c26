//! Whose gain is it? Shapley's value of each of several factors.
//!
//! What a factor adds depends on what is there already: retries add little to a breaker that has
//! removed the failures, and much to none. "With and without it, all else on" and "it alone" are
//! two answers, and neither adds up to the whole. L. S. Shapley ("A value for n-person games",
//! 1953) averages what a factor adds over all orders of adding factors. It is the only division
//! that adds up to the total, treats alike what acts alike, gives nothing to what does nothing, and
//! is linear; the last makes its mean over replications the same as the value of the means, so that
//! an ordinary t interval over replications belongs to it.

/// The value of each factor. `values` has one number for each set of factors: at position `mask`
/// the outcome with those factors on whose bits are set. Empty unless there are 2^k numbers.
///
/// The values add up to `values[all] - values[none]`; in floating point, to within rounding.
#[must_use]
pub fn shapley(values: &[f64]) -> Vec<f64> {
    if !values.len().is_power_of_two() {
        return vec![];
    }
    let factors = values.len().ilog2() as usize;
    (0..factors)
        .map(|factor| value(values, factors, factor))
        .collect()
}

/// Of the k! orders, |S|! (k - |S| - 1)! have exactly the factors of S before this one.
fn value(values: &[f64], factors: usize, factor: usize) -> f64 {
    let bit = 1 << factor;
    let without = (0..values.len()).filter(|set| set & bit == 0);
    let added: f64 = without
        .map(|set| {
            let before = set.count_ones() as usize;
            let orders = factorial(before) * factorial(factors - before - 1);
            orders * (values[set | bit] - values[set])
        })
        .sum();
    added / factorial(factors)
}

fn factorial(n: usize) -> f64 {
    (1..=n).map(|i| i as f64).product()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_factors_by_hand() {
        // Nothing 10, A 20, B 14, both 30. A adds 10 first and 16 last, B 4 first and 10 last.
        assert_eq!(shapley(&[10.0, 20.0, 14.0, 30.0]), [13.0, 7.0]);
    }

    #[test]
    fn the_glove_game() {
        // Two players hold a left glove, the third a right one; a pair is worth 1. Published:
        // 1/6, 1/6, 2/3.
        let worth = |set: usize| {
            if set & 4 != 0 && set & 3 != 0 {
                1.0
            } else {
                0.0
            }
        };
        let values: Vec<f64> = (0..8).map(worth).collect();
        let shares = shapley(&values);
        for (share, expected) in shares.iter().zip([1.0 / 6.0, 1.0 / 6.0, 2.0 / 3.0]) {
            assert!((share - expected).abs() < 1e-15, "{shares:?}");
        }
    }

    #[test]
    fn extremes() {
        for nothing in [&[][..], &[1.0, 2.0, 3.0], &[7.0]] {
            assert!(shapley(nothing).is_empty());
        }
        assert_eq!(shapley(&[7.0, 9.0]), [2.0]);
        assert!(shapley(&[f64::NAN, 9.0])[0].is_nan());
    }

    /// Outcomes as multiples of 4! = 24: then every sum below is of whole numbers, and exact.
    fn outcomes() -> impl Strategy<Value = Vec<f64>> {
        (1..=4usize).prop_flat_map(|k| {
            let whole = (-100_000..100_000i32).prop_map(|n| f64::from(n) * 24.0);
            proptest::collection::vec(whole, 1 << k)
        })
    }

    proptest! {
        #[test]
        fn the_values_add_up_to_the_total(values in outcomes()) {
            let total = values[values.len() - 1] - values[0];
            prop_assert_eq!(shapley(&values).iter().sum::<f64>(), total);
        }

        #[test]
        fn what_acts_alike_gets_alike(values in outcomes()) {
            // Factors 0 and 1 are made interchangeable.
            let swapped = |set: usize| (set & !3) | (set & 1) << 1 | (set & 2) >> 1;
            prop_assume!(values.len() >= 4);
            let alike = (0..values.len()).map(|set| values[set] + values[swapped(set)]);
            let alike: Vec<f64> = alike.collect();
            let shares = shapley(&alike);
            prop_assert_eq!(shares[0], shares[1]);
        }

        #[test]
        fn what_does_nothing_gets_nothing(values in outcomes()) {
            // A last factor that changes nothing: the others keep their values.
            let doubled: Vec<f64> = values.iter().chain(&values).copied().collect();
            let (with, without) = (shapley(&doubled), shapley(&values));
            prop_assert_eq!(with[without.len()], 0.0);
            for (with, without) in with.iter().zip(&without) {
                prop_assert!((with - without).abs() <= 1e-9 * without.abs().max(1.0));
            }
        }

        #[test]
        fn order_by_order_it_is_the_same(values in outcomes()) {
            let k = values.len().ilog2() as usize;
            let (mut sums, mut orders) = (vec![0.0; k], 0.0);
            let mut stack = vec![(0usize, vec![])];
            while let Some((set, steps)) = stack.pop() {
                for factor in (0..k).filter(|factor| set & 1 << factor == 0) {
                    let next = set | 1 << factor;
                    let mut steps: Vec<(usize, f64)> = steps.clone();
                    steps.push((factor, values[next] - values[set]));
                    stack.push((next, steps));
                }
                if set + 1 == values.len() {
                    orders += 1.0;
                    steps.iter().for_each(|(factor, added)| sums[*factor] += added);
                }
            }
            for (sum, share) in sums.iter().zip(shapley(&values)) {
                prop_assert!((sum / orders - share).abs() <= 1e-9 * share.abs().max(1.0));
            }
        }
    }
}
