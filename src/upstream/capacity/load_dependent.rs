//! Answers that take longer the more attempts are there when one comes.
//!
//! The time is settled at arrival: linear up to a threshold, a multiple above it, a refusal above a
//! limit. That is the server model of the simulation with which Palantir's dialogue client is
//! judged, so results can be laid beside each other. Attempts that come later slow nobody down who
//! is there already, so it is not work-conserving, and cheap; where that matters, attempts share a
//! station (`shared`).

use super::Admission;
use crate::request::FailureKind;

/// How busy an account is, and what follows from it.
pub(in crate::upstream) struct LoadDependent {
    pub(super) threshold: u32,
    pub(super) at_threshold: f64,
    pub(super) above: f64,
    pub(super) limit: u32,
    pub(super) refusal: FailureKind,
    /// Attempts in flight.
    pub(super) busy: u32,
}

impl LoadDependent {
    pub(super) fn refusal(&self) -> Option<FailureKind> {
        (self.busy >= self.limit).then_some(self.refusal)
    }

    pub(super) fn admit(&mut self) -> Admission {
        let factor = self.factor();
        self.busy += 1;
        Admission::RunsSlower(factor)
    }

    pub(super) fn leave(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }

    /// Factor on the time of an answer that is begun now.
    fn factor(&self) -> f64 {
        if self.busy > self.threshold {
            return self.above;
        }
        let way = f64::from(self.busy) / f64::from(self.threshold.max(1));
        1.0 + (self.at_threshold - 1.0) * way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_then_a_multiple_then_a_refusal() {
        let mut station = LoadDependent {
            threshold: 4,
            at_threshold: 2.0,
            above: 5.0,
            limit: 7,
            refusal: FailureKind::Unavailable,
            busy: 0,
        };
        let expected = [1.0, 1.25, 1.5, 1.75, 2.0, 5.0, 5.0];
        for factor in expected {
            assert_eq!(station.refusal(), None);
            assert_eq!(station.admit(), Admission::RunsSlower(factor));
        }
        assert_eq!(station.refusal(), Some(FailureKind::Unavailable));
        station.leave();
        assert_eq!(station.refusal(), None);
        assert_eq!(station.admit(), Admission::RunsSlower(5.0));
    }
}
