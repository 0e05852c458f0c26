//! Histograms of latency.
//!
//! HDR histograms (Gil Tene) of microseconds: constant memory for any number of requests, counts
//! that add up exactly in any order (so that results pooled over threads are the same bytes), and
//! quantiles within a stated relative error. Means are not taken from here: they come from exact
//! integer sums.

use crate::time::Duration;
use hdrhistogram::Histogram as Hdr;

/// A histogram of lengths of time.
#[derive(Clone, Debug)]
pub struct Histogram(Hdr<u64>);

impl Histogram {
    /// Quantiles within 0.1 %: for the results of a whole run.
    #[must_use]
    pub fn fine() -> Self {
        Self::with_digits(3)
    }

    /// Quantiles within 1 %, in a tenth of the memory: for many segments or windows.
    #[must_use]
    pub fn coarse() -> Self {
        Self::with_digits(2)
    }

    fn with_digits(digits: u8) -> Self {
        // `new` fails only for more than 5 digits.
        Self(Hdr::new(digits).expect("2 and 3 significant digits are valid"))
    }

    /// Counts one length of time.
    #[inline]
    pub fn record(&mut self, length: Duration) {
        // An auto-resizing histogram takes every value; should it ever not, the count must not be
        // lost.
        if self.0.record(length.as_micros()).is_err() {
            self.0.saturating_record(length.as_micros());
        }
    }

    /// Adds the counts of `other`, of the same precision.
    pub fn merge(&mut self, other: &Self) {
        self.0
            .add(&other.0)
            .expect("an auto-resizing histogram takes every value");
    }

    /// Forgets all counts, keeps the memory.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The value below which a share `q` in [0, 1] of the counts lies; `None` if nothing was
    /// counted.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_micros(self.0.value_at_quantile(q)))
    }

    /// Largest value counted, within the precision; zero if nothing was counted.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_micros(self.0.max())
    }

    /// Occupied buckets in rising order: highest value of the bucket, and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.0.iter_recorded().map(|step| {
            (
                Duration::from_micros(step.value_iterated_to()),
                step.count_at_value(),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_the_stated_error() {
        for (mut histogram, error) in [(Histogram::fine(), 1e-3), (Histogram::coarse(), 1e-2)] {
            assert_eq!(histogram.quantile(0.5), None);
            (1..=100_000u64).for_each(|i| histogram.record(Duration::from_micros(i * 100)));
            for q in [0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let exact = q * 10.0;
                let got = histogram.quantile(q).unwrap().as_secs_f64();
                assert!((got / exact - 1.0).abs() <= error, "{q}: {got}");
            }
            assert_eq!(histogram.buckets().map(|(_, n)| n).sum::<u64>(), 100_000);
        }
    }

    #[test]
    fn extremes_are_counted() {
        let mut histogram = Histogram::fine();
        histogram.record(Duration::ZERO);
        histogram.record(Duration::MAX);
        assert_eq!(histogram.count(), 2);
    }
}
