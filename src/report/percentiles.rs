//! Latency distributions in the percentile text format of `HdrHistogram`, which the usual plotters
//! read; values in milliseconds.
//!
//! Lines stand closer the further out in the tail they are: five per halving of 1 - percentile, as
//! in Gil Tene's `outputPercentileDistribution`. The mean in the footer is that of the buckets, so
//! within their precision; exact means are in `summary.csv`.

use crate::histogram::Histogram;
use std::fmt::Write;

/// Lines per halving of the distance to 100 %.
const TICKS_PER_HALVING: f64 = 5.0;

/// The distribution as text.
#[must_use]
pub fn text(histogram: &Histogram) -> String {
    let header = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
    let mut text = header.to_owned();
    let total = histogram.count();
    let (mut level, mut below, mut sum) = (0.0, 0, 0.0);
    for (value, count) in histogram.buckets() {
        let millis = value.as_secs_f64() * 1e3;
        below += count;
        sum += millis * count as f64;
        while below < total && below as f64 >= level * total as f64 {
            let beyond = 1.0 / (1.0 - level);
            let _ = writeln!(text, "{millis:12.3} {level:14.12} {below:10} {beyond:14.2}");
            level += step(level);
        }
        if below == total {
            let _ = writeln!(
                text,
                "{millis:12.3} {:14.12} {total:10}            inf",
                1.0
            );
        }
    }
    let mean = if total == 0 { 0.0 } else { sum / total as f64 };
    let max = histogram.max().as_secs_f64() * 1e3;
    let _ = writeln!(text, "#[Mean    = {mean:12.3}]");
    let _ = writeln!(text, "#[Max     = {max:12.3}, Total count    = {total:12}]");
    text
}

/// From one level to the next.
fn step(level: f64) -> f64 {
    let halvings = libm::floor(libm::log2(1.0 / (1.0 - level))) + 1.0;
    1.0 / (TICKS_PER_HALVING * libm::exp2(halvings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn a_uniform_distribution() {
        let mut histogram = Histogram::fine();
        (1..=1_000).for_each(|i| histogram.record(Duration::from_millis(i)));
        let text = text(&histogram);
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|cell| cell.parse().unwrap()))
            .map(Iterator::collect)
            .collect();
        for row in &rows {
            let [value, level, below, _] = row[..] else {
                panic!("{row:?}");
            };
            // No line states a percentile that its count does not reach.
            assert!(below >= level * 1_000.0, "{row:?}");
            assert!((value / below - 1.0).abs() < 2e-3, "{row:?}");
        }
        assert!(rows.is_sorted_by(|a, b| a[1] < b[1]));
        let median = rows.iter().find(|row| row[1] >= 0.5).unwrap();
        assert!((median[0] - 500.0).abs() < 1.0 && (median[3] - 2.0).abs() < 1e-9);
        assert_eq!(rows.last().unwrap()[2], 1_000.0);
    }

    #[test]
    fn nothing_counted() {
        assert_eq!(text(&Histogram::fine()).lines().count(), 4);
    }
}
