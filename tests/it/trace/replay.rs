//! Replaying: passes end to end, and rows of one time spread over the clock's step.

use super::{HEADER, read_with, requests_of, requests_of_replication};
use proptest::prelude::*;
use routelab::time::{Duration, Timestamp};
use routelab::workload::trace::{Spread, SpreadOptions, Trace, TraceOptions};
use std::sync::Arc;

/// A trace with rows at these seconds, numbered by their input tokens.
fn at_seconds(seconds: &[u32], options: TraceOptions) -> Arc<Trace> {
    let row = |(number, second): (usize, &u32)| {
        let (minute, second) = (second / 60, second % 60);
        format!("2023-11-16 18:{minute:02}:{second:02},{number},1\n")
    };
    let rows: String = seconds.iter().enumerate().map(row).collect();
    Arc::new(read_with(&format!("{HEADER}{rows}"), options).unwrap())
}

fn repeated(repeat: u32) -> TraceOptions {
    TraceOptions {
        repeat,
        ..TraceOptions::default()
    }
}

fn spread(how: Spread, quantum: Option<u64>) -> TraceOptions {
    let quantum = quantum.map(Duration::from_secs);
    TraceOptions {
        spread: Some(SpreadOptions { how, quantum }),
        ..TraceOptions::default()
    }
}

fn milliseconds(trace: &Arc<Trace>) -> Vec<u64> {
    let requests = requests_of(trace);
    let millisecond = |(at, _): &(Timestamp, _)| at.as_nanos() / 1_000_000;
    requests.iter().map(millisecond).collect()
}

/// A pass ends a mean gap after its last row, so that the rate of n passes is that of one.
#[test]
fn passes_follow_each_other_at_a_mean_gap() {
    let trace = at_seconds(&[0, 1, 4], repeated(3));
    assert_eq!((trace.len(), trace.requests()), (3, 9));
    assert_eq!(trace.pass(), Duration::from_secs(6));
    assert_eq!(trace.end(), Duration::from_secs(18));
    let expected = [0, 1, 4, 6, 7, 10, 12, 13, 16].map(|second| second * 1000);
    assert_eq!(milliseconds(&trace), expected);
    let numbers: Vec<u32> = requests_of(&trace)
        .iter()
        .map(|(_, r)| r.tokens.input)
        .collect();
    assert_eq!(numbers, [0, 1, 2, 0, 1, 2, 0, 1, 2]);

    let single = at_seconds(&[7], repeated(3));
    assert_eq!(milliseconds(&single), [0, 1000, 2000]);
    let one_time = at_seconds(&[7, 7], repeated(2));
    assert_eq!(one_time.end(), Duration::from_nanos(2));
}

#[test]
fn passes_are_those_of_the_slice_and_the_scale() {
    let options = TraceOptions {
        rate_scale: 2.0,
        slice: Some((Duration::from_secs(1), Duration::from_secs(5))),
        limit: Some(2),
        ..repeated(2)
    };
    // Rows at 1 and 4 s of the trace: at 0 and 1.5 s of the replay.
    let trace = at_seconds(&[0, 1, 4, 4, 9], options);
    assert_eq!(milliseconds(&trace), [0, 1500, 3000, 4500]);
}

#[test]
fn more_passes_than_time_are_refused() {
    let text = format!("{HEADER}2023-11-16 18:00:00,1,1\n2024-11-16 18:00:00,1,1\n");
    let error = read_with(&text, repeated(60)).unwrap_err();
    assert_eq!(
        error.message,
        "60 times 17568h is more than 100 years; check `repeat` and the rate scale"
    );
}

#[test]
fn even_spreading_is_by_equal_distances() {
    let seconds = [0, 0, 0, 3, 6, 6, 9];
    let expected = [0, 1000, 2000, 3000, 6000, 7500, 9000];
    for quantum in [None, Some(3), Some(5)] {
        let trace = at_seconds(&seconds, spread(Spread::Even, quantum));
        let spreading = trace.spreading().unwrap();
        assert_eq!(spreading.detected, quantum.is_none());
        assert_eq!(spreading.quantum, Duration::from_secs(quantum.unwrap_or(3)));
        assert_eq!(trace.end(), Duration::from_secs(9) + spreading.quantum);
        // Never past the next time, however long the quantum is said to be.
        assert_eq!(milliseconds(&trace), expected, "{quantum:?}");
    }
    let short = at_seconds(&seconds, spread(Spread::Even, Some(1)));
    assert_eq!(milliseconds(&short), [0, 333, 666, 3000, 6000, 6500, 9000]);
}

#[test]
fn the_quantum_is_scaled_like_the_times_and_repeated_with_them() {
    let options = TraceOptions {
        rate_scale: 0.5,
        repeat: 2,
        ..spread(Spread::Even, None)
    };
    let trace = at_seconds(&[0, 0, 3, 3], options);
    let expected = [0, 3000, 6000, 9000, 12_000, 15_000, 18_000, 21_000];
    assert_eq!(milliseconds(&trace), expected);
    assert_eq!(trace.end(), Duration::from_secs(24));
}

#[test]
fn without_a_clear_clock_the_quantum_must_be_stated() {
    let one_time = format!("{HEADER}2023-11-16 18:00:00,1,1\n2023-11-16 18:00:00,1,1\n");
    let error = read_with(&one_time, spread(Spread::Even, None)).unwrap_err();
    assert_eq!(
        error.message,
        "all rows have one time, which shows no quantum; state `quantum`"
    );
    let stated = read_with(&one_time, spread(Spread::Even, Some(3))).unwrap();
    assert_eq!(milliseconds(&Arc::new(stated)), [0, 1500]);
}

/// Rows of one time, spread at random, are the order statistics of uniform variates: the k-th of n
/// has mean k / (n + 1) and variance k (n - k + 1) / ((n + 1)^2 (n + 2)).
#[test]
fn random_spreading_is_that_of_sorted_uniform_variates() {
    const ROWS: usize = 7;
    const TICKS: usize = 3000;
    let seconds: Vec<u32> = (0..TICKS * ROWS).map(|at| (at / ROWS) as u32).collect();
    let trace = at_seconds(&seconds, spread(Spread::Random, Some(1)));
    let requests = requests_of(&trace);
    assert_eq!(requests.len(), TICKS * ROWS);
    let (n, samples) = (ROWS as f64, TICKS as f64);
    for k in 1..=ROWS {
        let within = |at: Timestamp| (at.as_nanos() % 1_000_000_000) as f64 * 1e-9;
        let kth = requests.iter().skip(k - 1).step_by(ROWS);
        let shares: Vec<f64> = kth.map(|(at, _)| within(*at)).collect();
        let k = k as f64;
        let mean = k / (n + 1.0);
        let variance = k * (n - k + 1.0) / ((n + 1.0).powi(2) * (n + 2.0));
        let found = shares.iter().sum::<f64>() / samples;
        let error = (variance / samples).sqrt();
        assert!(
            (found - mean).abs() < 4.5 * error,
            "{k}: {found} for {mean}"
        );
        let found = shares.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / samples;
        // A variable within [0, 1] of variance v has a squared deviation of variance below v.
        let error = (variance / samples).sqrt();
        assert!(
            (found - variance).abs() < 4.5 * error,
            "{k}: {found} for {variance}"
        );
    }
    let other = requests_of_replication(&trace, 1);
    assert_ne!(requests[0].0, other[0].0);
    assert_eq!(requests[0].1.tokens, other[0].1.tokens);
}

proptest! {
    /// Whatever the trace: rows keep their order and number, each stays in its own quantum and
    /// before the next recorded time, and the end is after all of them.
    #[test]
    fn spread_rows_stay_where_they_belong(
        gaps in prop::collection::vec(0u32..4, 1..60),
        quantum in prop::option::of(1u64..6),
        random: bool, repeat in 1u32..4, scale in 1u32..9, replication in 0u32..9,
    ) {
        let mut second = 0;
        let seconds: Vec<u32> = gaps.iter().map(|gap| { second += gap; second }).collect();
        let how = if random { Spread::Random } else { Spread::Even };
        let rows: String = seconds
            .iter()
            .enumerate()
            .map(|(at, s)| format!("2023-11-16 18:{:02}:{:02},{at},1\n", s / 60, s % 60))
            .collect();
        let options = TraceOptions {
            repeat,
            rate_scale: f64::from(scale) / 4.0,
            ..spread(how, quantum)
        };
        let Ok(trace) = read_with(&format!("{HEADER}{rows}"), options) else {
            prop_assert!(quantum.is_none());
            return Ok(());
        };
        let trace = Arc::new(trace);
        let requests = requests_of_replication(&trace, replication);
        prop_assert_eq!(requests.len() as u64, trace.requests());
        prop_assert!(requests.is_sorted_by_key(|(at, _)| *at));
        let width = trace.spreading().unwrap().quantum;
        for (number, (at, request)) in requests.iter().enumerate() {
            let (pass, row) = (number / trace.len(), number % trace.len());
            prop_assert_eq!(request.tokens.input as usize, row);
            let start = Duration::from_nanos(trace.pass().as_nanos() * pass as u64);
            let recorded = trace.rows()[row].arrival;
            let later = trace.rows()[row..].iter().map(|row| row.arrival);
            let next = later.into_iter().find(|later| *later > recorded);
            prop_assert!(*at >= recorded + start);
            prop_assert!(*at < recorded + start + width);
            prop_assert!(next.is_none_or(|next| *at < next + start));
            prop_assert!(*at < Timestamp::ZERO + trace.end());
        }
    }
}
