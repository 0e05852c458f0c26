//! Choosing by weight.
//!
//! A scan of cumulated probabilities: workloads have a handful of classes and regions, where a scan
//! beats the alias method (Walker 1977) and needs one uniform number all the same.

/// Values with their shares.
#[derive(Clone, Debug)]
pub struct Weighted<T> {
    values: Box<[T]>,
    /// By value but the last, the sum of the shares up to and including its own.
    bounds: Box<[f64]>,
}

impl<T> Weighted<T> {
    /// Values by weight; weights need not add up to 1. A value without weight is left out.
    pub fn new(values: impl IntoIterator<Item = (f64, T)>) -> Self {
        let weighted = values.into_iter().filter(|(weight, _)| *weight > 0.0);
        let (weights, values): (Vec<f64>, Vec<T>) = weighted.unzip();
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let bound = |weight: &f64| {
            sum += weight / total;
            sum
        };
        Self {
            bounds: weights.iter().rev().skip(1).rev().map(bound).collect(),
            values: values.into_boxed_slice(),
        }
    }

    /// Whether there is nothing to choose from.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value at `u`, uniform in [0, 1); `None` only if there is nothing to choose from.
    ///
    /// It counts all bounds passed and does not stop at the first that is not: where the draw falls
    /// cannot be predicted, and a branch mispredicted costs more than a few comparisons.
    #[inline]
    pub fn pick(&self, u: f64) -> Option<&T> {
        let passed: usize = self
            .bounds
            .iter()
            .map(|bound| usize::from(u >= *bound))
            .sum();
        self.values.get(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_intervals_in_the_given_order() {
        let weighted = Weighted::new([(1.0, 'a'), (0.0, 'b'), (3.0, 'c')]);
        assert_eq!(weighted.pick(0.0), Some(&'a'));
        assert_eq!(weighted.pick(0.2499), Some(&'a'));
        assert_eq!(weighted.pick(0.25), Some(&'c'));
        assert_eq!(weighted.pick(1.0 - f64::EPSILON / 2.0), Some(&'c'));
    }

    #[test]
    fn rounding_leaves_no_gap_at_the_end() {
        let weighted = Weighted::new((0..49).map(|i| (1.0 / 49.0, i)));
        assert_eq!(weighted.pick(1.0 - f64::EPSILON / 2.0), Some(&48));
    }

    #[test]
    fn nothing_to_choose_from() {
        assert_eq!(Weighted::<u8>::new([]).pick(0.5), None);
        assert!(Weighted::new([(0.0, 1)]).is_empty());
    }
}
