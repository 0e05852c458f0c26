//! Arrivals like clockwork.
//!
//! Arrival i (from 0) comes at exactly `(i + 1) / rate`, rounded to the nanosecond. The remainder
//! of the division is carried along as an integer, as Bresenham's algorithm carries it along a line
//! ("Algorithm for computer control of a digital plotter", 1965): additions only, and the
//! millionth arrival is as exact as the first.

use crate::time::{Duration, Timestamp};
use crate::units::Rate;
use crate::workload::quotient::Quotient;

/// Equal gaps.
#[derive(Clone, Debug)]
pub struct Constant {
    gap: Quotient,
    last: Timestamp,
    /// How far the exact time plus half a nanosecond lies beyond `last`, in units of `1 / gap.unit`
    /// nanoseconds; always below one nanosecond.
    beyond: u128,
}

impl Constant {
    /// A process of the given rate, above 0.
    pub fn new(rate: Rate) -> Self {
        let gap = Quotient::new(1_000_000_000, rate.as_per_second());
        Self {
            gap,
            last: Timestamp::ZERO,
            beyond: gap.unit / 2,
        }
    }

    /// The next arrival.
    #[inline]
    pub fn next(&mut self) -> Timestamp {
        self.beyond += self.gap.rest;
        let carry = u64::from(self.beyond >= self.gap.unit);
        self.beyond -= self.gap.unit * u128::from(carry);
        self.last += Duration::from_nanos(self.gap.whole.saturating_add(carry));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(i + 1) / rate` in nanoseconds, for a rate of `requests` per `seconds`.
    fn exact(arrival: u64, requests: u64, seconds: u64) -> u64 {
        let numerator = u128::from(arrival + 1) * u128::from(seconds) * 1_000_000_000;
        let requests = u128::from(requests);
        ((2 * numerator + requests) / (2 * requests)) as u64
    }

    #[test]
    fn every_instant_is_exact_up_to_the_millionth_and_beyond() {
        // Rates that a float holds exactly; 3072 has gaps whose sums end in one half.
        for (requests, seconds) in [(40, 1), (3, 1), (7, 1), (3072, 1), (1_000_003, 1), (3, 2)] {
            let rate = Rate::per_second(requests as f64 / seconds as f64).unwrap();
            let mut constant = Constant::new(rate);
            for arrival in 0..1_000_100 {
                let expected = exact(arrival, requests, seconds);
                assert_eq!(
                    constant.next().as_nanos(),
                    expected,
                    "{requests}/{seconds} {arrival}"
                );
            }
        }
    }

    /// 100 a minute is no binary fraction, yet no arrival is off.
    #[test]
    fn a_rate_per_minute_gives_round_instants() {
        let mut constant = Constant::new(Rate::parse("100rpm").unwrap());
        for arrival in 1..=1_000_000 {
            assert_eq!(constant.next().as_nanos(), arrival * 600_000_000);
        }
    }

    #[test]
    fn extreme_rates() {
        let first = |rate| Constant::new(Rate::per_second(rate).unwrap()).next();
        assert_eq!(first(0.0), Timestamp::NEVER);
        assert_eq!(first(1e-300), Timestamp::NEVER);
        assert_eq!(first(2e9), Timestamp::from_nanos(1));
        assert_eq!(first(f64::MAX), Timestamp::ZERO);
    }
}
