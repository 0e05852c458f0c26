//! What the tests of arrival processes compare counts with.

use crate::time::Timestamp;

/// Mean and variance of `values` are those of theory, within 4.5 standard errors; that of the
/// variance is estimated from the values themselves.
pub(super) fn assert_moments(what: &str, values: &[f64], mean: f64, variance: f64) {
    let n = values.len() as f64;
    let found = values.iter().sum::<f64>() / n;
    let squares: Vec<f64> = values.iter().map(|x| (x - mean).powi(2)).collect();
    let spread = squares.iter().sum::<f64>() / n;
    let error = squares
        .iter()
        .map(|s| (s - spread).powi(2))
        .sum::<f64>()
        .sqrt()
        / n;
    let off = (found - mean).abs() / (spread / n).sqrt();
    assert!(off < 4.5, "{what}: mean {found}, not {mean}: {off} errors");
    let off = (spread - variance).abs() / error;
    assert!(
        off < 4.5,
        "{what}: variance {spread}, not {variance}: {off} errors"
    );
}

/// Counts in the first second of so many runs have the mean and variance of theory.
pub(super) fn assert_counts<I: Iterator<Item = Timestamp>>(
    what: &str,
    runs: u32,
    mean: f64,
    variance: f64,
    process: impl Fn(u64) -> I,
) {
    let second = Timestamp::from_nanos(1_000_000_000);
    let counts: Vec<f64> = (0..u64::from(runs))
        .map(|run| process(run << 20).take_while(|at| *at < second).count() as f64)
        .collect();
    assert_moments(what, &counts, mean, variance);
}
