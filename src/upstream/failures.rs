//! What goes wrong in calm weather: a share of the attempts fails, or hangs, for no reason that a
//! scenario names.
//!
//! One uniform number per attempt decides, over the cumulated rates, instead of one number per kind
//! of failure: the kinds exclude each other, the rates are exactly those stated, and the number is
//! the same whatever kinds an account has. So raising one rate turns successes into failures and
//! changes nothing else.

use super::config::CalmFailure;

/// The failures of one account, ready to be drawn from.
pub(super) struct CalmFailures {
    /// Each with the sum of the rates up to and including its own.
    kinds: Box<[(f64, CalmFailure)]>,
    /// The sum of all rates.
    total: f64,
}

impl CalmFailures {
    /// In the order stated.
    pub(super) fn new(failures: &[CalmFailure]) -> Self {
        let mut total = 0.0;
        let kinds = failures
            .iter()
            .map(|failure| {
                total += failure.rate;
                (total, failure.clone())
            })
            .collect();
        Self { kinds, total }
    }

    /// What goes wrong with the attempt that drew `u` in [0, 1); `None` if all goes well.
    #[inline]
    pub(super) fn pick(&self, u: f64) -> Option<&CalmFailure> {
        if u >= self.total {
            return None;
        }
        let hit = self.kinds.iter().find(|(cumulated, _)| u < *cumulated);
        hit.map(|(_, failure)| failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Distribution;
    use crate::request::FailureKind;
    use crate::upstream::config::Trouble;

    #[test]
    fn the_unit_interval_is_divided_by_the_rates() {
        let failure = |trouble, rate| CalmFailure {
            trouble,
            rate,
            time_to_fail: Distribution::constant(0.1).unwrap(),
        };
        let overloaded = Trouble::Fails(FailureKind::Overloaded);
        let failures = CalmFailures::new(&[
            failure(overloaded, 0.25),
            failure(Trouble::Fails(FailureKind::InternalError), 0.0),
            failure(Trouble::Hangs, 0.5),
        ]);
        let at = |u| failures.pick(u).map(|failure| failure.trouble);
        assert_eq!(at(0.0), Some(overloaded));
        assert_eq!(at(0.249), Some(overloaded));
        assert_eq!(at(0.25), Some(Trouble::Hangs));
        assert_eq!(at(0.749), Some(Trouble::Hangs));
        assert_eq!(at(0.75), None);
        assert!(CalmFailures::new(&[]).pick(0.0).is_none());
    }
}
