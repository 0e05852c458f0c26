//! A Poisson process whose rate changes along straight lines: steps, ramps, flash crowds.
//!
//! By inversion (Cinlar, "Introduction to Stochastic Processes", 1975, chapter 4): the integral
//! of the rate up to the successive arrivals is a Poisson process of rate 1, so each arrival is
//! found by adding a unit exponential to the integral and solving a quadratic. Thinning (Lewis and
//! Shedler 1979) would be simpler, but it throws away draws according to the peak rate: a higher
//! peak late in a run would shift the arrivals before it.

use super::unit_exponential;
use crate::rng::Rng;
use crate::time::{Duration, Timestamp};
use crate::workload::config::RateSegment;

/// A Poisson process of piecewise linear rate.
#[derive(Clone, Debug)]
pub struct Piecewise {
    segments: Box<[Segment]>,
    current: usize,
    /// Integral of the rate from the start of the current segment to the last arrival.
    integral: f64,
    last: Timestamp,
    rng: Rng,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    start: Timestamp,
    length: Duration,
    /// Rate at the start, per second.
    from: f64,
    /// Change of the rate, per second squared.
    slope: f64,
    /// Integral of the rate over the whole segment: the expected number of arrivals.
    integral: f64,
}

impl Piecewise {
    /// A process of the given segments, the last of which reaches to `end`.
    pub fn new(segments: &[RateSegment], end: Timestamp, rng: Rng) -> Self {
        let ends = segments.iter().skip(1).map(|next| next.start).chain([end]);
        Self {
            segments: segments
                .iter()
                .zip(ends)
                .map(|(segment, end)| Segment::new(segment, end))
                .collect(),
            current: 0,
            integral: 0.0,
            last: Timestamp::ZERO,
            rng,
        }
    }

    /// The next arrival; `None` after the last segment.
    #[inline]
    pub fn next(&mut self) -> Option<Timestamp> {
        self.integral += unit_exponential(&mut self.rng);
        loop {
            let segment = self.segments.get(self.current)?;
            if self.integral < segment.integral {
                // The order of two arrivals is kept even where rounding would turn it round.
                self.last = self.last.max(segment.invert(self.integral));
                return Some(self.last);
            }
            self.integral -= segment.integral;
            self.current += 1;
        }
    }
}

impl Segment {
    fn new(segment: &RateSegment, end: Timestamp) -> Self {
        let (from, to) = (segment.from.as_per_second(), segment.to.as_per_second());
        let length = end.since(segment.start);
        Self {
            start: segment.start,
            length,
            from,
            slope: (to - from) / length.as_secs_f64(),
            integral: (from + to) / 2.0 * length.as_secs_f64(),
        }
    }

    /// The time at which the integral of the rate reaches `integral`, which is below that of the
    /// whole segment; before the segment's end.
    ///
    /// It solves `from x + slope/2 x^2 = integral` by the form of the quadratic formula that does
    /// not cancel for small or negative slopes.
    fn invert(&self, integral: f64) -> Timestamp {
        let square = self.from * self.from + 2.0 * self.slope * integral;
        let seconds = 2.0 * integral / (self.from + square.max(0.0).sqrt());
        let offset = Duration::from_nanos((seconds * 1e9) as u64);
        self.start + offset.min(self.length.saturating_sub(Duration::from_nanos(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::poisson::Poisson;
    use super::*;
    use crate::units::Rate;

    fn at(secs: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(secs)
    }

    fn arrivals(segments: &[(u64, f64, f64)], end: u64, seed: u64) -> Vec<Timestamp> {
        let rate = |per_second| Rate::per_second(per_second).unwrap();
        let segments: Vec<RateSegment> = segments
            .iter()
            .map(|&(start, from, to)| RateSegment {
                start: at(start),
                from: rate(from),
                to: rate(to),
            })
            .collect();
        let mut process = Piecewise::new(&segments, at(end), Rng::from_state(seed));
        let all: Vec<Timestamp> = std::iter::from_fn(|| process.next()).collect();
        assert!(all.is_sorted(), "seed {seed}");
        all
    }

    /// Arrivals from `from` to `to` seconds are as many as the integral of the rate says.
    fn assert_count(all: &[Timestamp], from: u64, to: u64, expected: f64) {
        let inside = all
            .iter()
            .filter(|t| (at(from)..at(to)).contains(t))
            .count() as f64;
        let off = (inside - expected).abs();
        assert!(
            off <= 4.5 * expected.sqrt(),
            "{from}..{to} s: {inside}, expected {expected}"
        );
    }

    #[test]
    fn steps_and_ramps_have_the_counts_of_theory() {
        let shape = [
            (0, 100.0, 100.0),
            (100, 300.0, 100.0),
            (200, 0.0, 0.0),
            (300, 0.0, 400.0),
            (400, 50.0, 50.0),
        ];
        for seed in 0..20 {
            let all = arrivals(&shape, 1000, seed);
            assert_count(&all, 0, 100, 10_000.0);
            assert_count(&all, 100, 200, 20_000.0);
            assert_count(&all, 100, 150, 12_500.0);
            assert_count(&all, 200, 300, 0.0);
            assert_count(&all, 300, 400, 20_000.0);
            assert_count(&all, 300, 350, 5_000.0);
            assert_count(&all, 300, 310, 200.0);
            assert_count(&all, 400, 1000, 30_000.0);
            assert_count(&all, 1000, 2000, 0.0);
        }
    }

    /// The count over a whole ramp is Poisson: its variance is its mean.
    #[test]
    fn counts_over_a_ramp_have_the_variance_of_theory() {
        const RUNS: u32 = 2_000;
        let n = f64::from(RUNS);
        let expected = 50.0;
        let off = (0..RUNS).map(|seed| {
            let count = arrivals(&[(0, 0.0, 10.0)], 10, u64::from(seed) << 32).len();
            (count as f64 - expected).powi(2)
        });
        let variance = off.sum::<f64>() / n;
        let error = ((expected + 2.0 * expected * expected) / n).sqrt();
        assert!((variance - expected).abs() < 4.5 * error, "{variance}");
    }

    /// The same draws at the same rate must give the same arrivals, however the rate is written.
    #[test]
    fn a_constant_rate_is_a_poisson_process_however_it_is_cut() {
        let whole = arrivals(&[(0, 7.0, 7.0)], 10_000, 5);
        let cut = arrivals(
            &[(0, 7.0, 7.0), (10, 7.0, 7.0), (5000, 7.0, 7.0)],
            10_000,
            5,
        );
        let mut poisson = Poisson::new(Rate::per_second(7.0).unwrap(), Rng::from_state(5));
        let apart = |a: Timestamp, b: Timestamp| a.since(b).as_nanos() + b.since(a).as_nanos();
        assert_eq!(whole.len(), cut.len());
        for (a, b) in whole.iter().zip(&cut) {
            assert!(apart(*a, *b) <= 2, "{a} {b}");
            assert!(apart(*a, poisson.next()) <= 2, "{a}");
        }
    }

    #[test]
    fn nothing_but_zero_rates_has_no_arrivals() {
        assert_eq!(arrivals(&[(0, 0.0, 0.0), (10, 0.0, 0.0)], 100, 1), []);
        assert_eq!(arrivals(&[], 100, 1), []);
        assert_eq!(arrivals(&[(100, 5.0, 5.0)], 100, 1), []);
    }

    /// A ramp down to zero stops on the way, never after it.
    #[test]
    fn a_ramp_down_to_zero_ends_in_time() {
        for seed in 0..200 {
            let all = arrivals(&[(0, 1000.0, 0.0), (1, 0.0, 0.0), (2, 1.0, 1.0)], 3, seed);
            assert!(all.iter().all(|t| *t < at(1) || *t >= at(2)), "seed {seed}");
        }
    }
}
