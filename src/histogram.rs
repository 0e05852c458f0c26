//! Histograms of latency.
//!
//! Log-linear buckets, as `HdrHistogram`'s (Gil Tene): every octave is divided into the same number
//! of buckets, so memory is constant for any number of requests, counts add up exactly in any order
//! (results pooled over threads are the same bytes), and quantiles have a stated relative error.
//! Several are written at every simulated request, which is why this is not the crate
//! `hdrhistogram`: it takes 52 instructions to record a value, this takes a dozen, and small ones
//! (a timeline has hundreds) do not have to start at a microsecond. The crate is the oracle in the
//! tests. Means are not taken from here: they come from exact integer sums.

use crate::time::Duration;

/// A histogram of lengths of time. Exact up to 2^32 - 1 counts in one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Grows to the highest bucket in use.
    counts: Vec<u32>,
    count: u64,
    max: Duration,
    precision: Precision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Precision {
    /// Lengths are counted in units of 2^this nanoseconds.
    unit_bits: u32,
    /// An octave has 2^this buckets.
    octave_bits: u32,
}

impl Precision {
    #[inline]
    const fn bucket(self, length: Duration) -> usize {
        let units = length.as_nanos() >> self.unit_bits;
        let shift = (u64::BITS - (units >> self.octave_bits).leading_zeros()).saturating_sub(1);
        ((shift as usize) << self.octave_bits) + (units >> shift) as usize
    }

    /// Highest value that falls into a bucket.
    const fn highest(self, bucket: usize) -> Duration {
        let shift = (bucket >> self.octave_bits).saturating_sub(1);
        let units = (bucket - (shift << self.octave_bits)) as u128;
        let end = ((units + 1) << shift) << self.unit_bits;
        Duration::from_nanos(if end > u64::MAX as u128 {
            u64::MAX
        } else {
            end as u64 - 1
        })
    }
}

impl Histogram {
    /// Quantiles within 0.1 % above a millisecond, within 1 us below: for the results of a whole
    /// run.
    #[must_use]
    pub const fn fine() -> Self {
        Self::new(Precision {
            unit_bits: 10,
            octave_bits: 10,
        })
    }

    /// Quantiles within 1.6 % above 4 ms, within 66 us below, in a fortieth of the memory: for many
    /// segments or windows.
    #[must_use]
    pub const fn coarse() -> Self {
        Self::new(Precision {
            unit_bits: 16,
            octave_bits: 6,
        })
    }

    /// Quantiles exact up to 2 us, within 0.1 % above: for what takes nanoseconds.
    #[must_use]
    pub const fn nanos() -> Self {
        Self::new(Precision {
            unit_bits: 0,
            octave_bits: 10,
        })
    }

    const fn new(precision: Precision) -> Self {
        Self {
            counts: vec![],
            count: 0,
            max: Duration::ZERO,
            precision,
        }
    }

    /// Counts one length of time.
    #[inline]
    pub fn record(&mut self, length: Duration) {
        let bucket = self.precision.bucket(length);
        if bucket >= self.counts.len() {
            self.grow(bucket);
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
        self.count += 1;
        self.max = self.max.max(length);
    }

    #[cold]
    fn grow(&mut self, bucket: usize) {
        let octave = 1 << self.precision.octave_bits;
        self.counts.resize((bucket + 1).next_multiple_of(octave), 0);
    }

    /// Adds the counts of `other`, of the same precision.
    ///
    /// # Panics
    /// If it has another precision: a mistake in the program, not in its input.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.precision, other.precision, "histograms of one kind");
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// How many were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The value below which a share `q` in [0, 1] of the counts lies: the highest value of the
    /// bucket where it is reached, never above the maximum. `None` if nothing was counted.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let rank = ((q * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut before = 0;
        self.buckets().find_map(|(highest, count)| {
            before += count;
            (before >= rank).then_some(highest)
        })
    }

    /// Largest value counted; zero if nothing was counted.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// Occupied buckets in rising order: highest value of the bucket (never above the maximum), and
    /// its count.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let occupied = self
            .counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        occupied.map(|(bucket, count)| {
            (
                self.precision.highest(bucket).min(self.max),
                u64::from(*count),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Against the crate, over the whole range of latencies.
    #[test]
    fn quantiles_agree_with_hdrhistogram() {
        let mut oracle = hdrhistogram::Histogram::<u64>::new(5).unwrap();
        let (mut fine, mut coarse) = (Histogram::fine(), Histogram::coarse());
        let mut rng = Rng::from_state(3);
        for _ in 0..200_000 {
            let micros = libm::exp(rng.uniform() * 18.0) as u64;
            oracle.record(micros).unwrap();
            fine.record(Duration::from_micros(micros));
            coarse.record(Duration::from_micros(micros));
        }
        for q in [0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let exact = oracle.value_at_quantile(q) as f64 * 1e-6;
            for (histogram, unit, error) in [(&fine, 1.1e-6, 1e-3), (&coarse, 66e-6, 0.016)] {
                let got = histogram.quantile(q).unwrap().as_secs_f64();
                assert!(
                    (got - exact).abs() <= unit + error * exact,
                    "{q}: {got}, not {exact}"
                );
            }
        }
    }

    #[test]
    fn every_value_falls_into_the_bucket_that_says_so() {
        let mut rng = Rng::from_state(9);
        let kinds = [Histogram::fine(), Histogram::coarse(), Histogram::nanos()];
        for precision in kinds.map(|kind| kind.precision) {
            for _ in 0..100_000 {
                let length = Duration::from_nanos(rng.next_u64() >> rng.below(64));
                let bucket = precision.bucket(length);
                assert!(length <= precision.highest(bucket));
                assert!(bucket == 0 || precision.highest(bucket - 1) < length);
            }
        }
    }

    #[test]
    fn nanoseconds_are_exact_where_decisions_are() {
        let mut histogram = Histogram::nanos();
        for nanos in [3, 70, 71, 2_047, 1_000_000] {
            histogram.record(Duration::from_nanos(nanos));
        }
        let at = |q| histogram.quantile(q).unwrap().as_nanos();
        assert_eq!([at(0.2), at(0.4), at(0.6), at(0.8)], [3, 70, 71, 2_047]);
        assert!(at(1.0).abs_diff(1_000_000) <= 1_000);
    }

    #[test]
    fn extremes_are_counted() {
        let mut histogram = Histogram::fine();
        assert_eq!(histogram.quantile(0.5), None);
        histogram.record(Duration::ZERO);
        histogram.record(Duration::MAX);
        assert_eq!((histogram.count(), histogram.max()), (2, Duration::MAX));
        assert_eq!(histogram.quantile(1.0), Some(Duration::MAX));
    }

    #[test]
    fn merging_is_counting_together() {
        let (mut a, mut b, mut both) = (
            Histogram::coarse(),
            Histogram::coarse(),
            Histogram::coarse(),
        );
        let mut rng = Rng::from_state(4);
        for i in 0..1000 {
            let length = Duration::from_micros(u64::from(rng.below(5_000_000)));
            if i % 3 == 0 { &mut a } else { &mut b }.record(length);
            both.record(length);
        }
        a.merge(&b);
        assert_eq!(
            a.buckets().collect::<Vec<_>>(),
            both.buckets().collect::<Vec<_>>()
        );
    }
}
