//! The figures: the table in the terminal, `throughput.csv`, JSON.

use super::page;
use crate::experiment::throughput::{QUANTILES, RateCell, Round, Throughput, Way};
use crate::report::csv::{Row, file as csv_file, header};
use crate::report::directory::File;
use crate::report::number::{derived, derived_or_empty, six_digits};
use crate::report::table::aligned;
use crate::stats::order::Median;
use serde_json::{Value, json as value};

/// Names of [`QUANTILES`].
pub(super) const NAMES: [&str; 4] = ["P50", "P90", "P99", "P99.9"];

/// Milliseconds with two or three digits after the point.
pub(super) fn millis(seconds: f64) -> String {
    let millis = seconds * 1e3;
    match millis.abs() {
        large if large >= 10.0 => format!("{millis:.1}"),
        _ => format!("{millis:.2}"),
    }
}

/// A median with its interval, in milliseconds.
fn with_interval(median: Option<Median>) -> String {
    median.map_or_else(
        || "-".to_owned(),
        |median| {
            let interval = median.interval.map_or_else(String::new, |interval| {
                format!(" [{}, {}]", millis(interval.low), millis(interval.high))
            });
            format!("{}{interval}", millis(median.median))
        },
    )
}

pub(super) fn heading() -> Vec<String> {
    let direct = NAMES.map(|name| format!("direct {name}"));
    let added = NAMES.map(|name| format!("added {name}"));
    let first = ["rate, 1/s", "clean", "CPU, µs"].map(str::to_owned);
    [first.to_vec(), direct.to_vec(), added.to_vec()].concat()
}

/// A line per rate, for people.
pub(super) fn lines(results: &Throughput) -> impl Iterator<Item = Vec<String>> {
    results.cells.iter().map(|cell| {
        let clean = |way| {
            let clean = cell.clean(way, results.objective);
            format!("{clean}/{}", cell.rounds(way).len())
        };
        let cpu = cell.cpu_per_request();
        let mut line = vec![
            derived(cell.rps),
            format!("{} ({})", clean(Way::Gateway), clean(Way::Direct)),
            cpu.map_or_else(|| "-".to_owned(), |cpu| format!("{:.0}", cpu.median * 1e6)),
        ];
        let direct = |nth: usize| cell.latency(Way::Direct, nth);
        line.extend(
            (0..QUANTILES.len()).map(|nth| {
                direct(nth).map_or_else(|| "-".to_owned(), |median| millis(median.median))
            }),
        );
        line.extend((0..QUANTILES.len()).map(|nth| with_interval(cell.added(nth))));
        line
    })
}

/// The measurement as text, each line ended by a newline.
#[must_use]
pub fn render(results: &Throughput) -> String {
    let mut text = aligned(&heading(), lines(results).collect(), 2);
    for sentence in page::sentences(results) {
        text += &format!("\n{sentence}\n");
    }
    text
}

/// `throughput.csv`.
pub(super) fn csv(results: &Throughput) -> File {
    let names = header(&[
        "rate_rps",
        "way",
        "round",
        "scheduled",
        "succeeded",
        "dropped",
        "late",
        "clean",
        "sent_rps",
        "latency_p50_s",
        "latency_p90_s",
        "latency_p99_s",
        "latency_p999_s",
        "gateway_cpu_s",
    ]);
    let rows = results.cells.iter().flat_map(|cell| {
        Way::ALL.iter().flat_map(move |way| {
            let rounds = (1..).zip(cell.rounds(*way));
            rounds.map(move |(nth, round)| row(results, cell, *way, (nth, round)))
        })
    });
    csv_file("throughput.csv", names, rows)
}

fn row(results: &Throughput, cell: &RateCell, way: Way, (nth, round): (usize, &Round)) -> Row {
    let mut row = vec![
        derived(cell.rps),
        way.name().to_owned(),
        nth.to_string(),
        round.scheduled.to_string(),
        round.succeeded.to_string(),
        round.dropped.to_string(),
        round.late.to_string(),
        round.is_clean(results.objective).to_string(),
        derived(round.sent_rps),
    ];
    row.extend(round.latency_s.map(derived));
    row.push(derived_or_empty(round.cpu_s));
    row
}

/// The measurement as one object.
#[must_use]
pub fn json(results: &Throughput) -> Value {
    let median = |median: Option<Median>| median.and_then(|median| six_digits(median.median));
    let all = |of: &dyn Fn(usize) -> Option<Median>| -> Vec<Option<f64>> {
        (0..QUANTILES.len()).map(|nth| median(of(nth))).collect()
    };
    let rates = results.cells.iter().map(|cell| {
        value!({
            "rate_rps": cell.rps,
            "clean_rounds": cell.clean(Way::Gateway, results.objective),
            "direct_clean_rounds": cell.clean(Way::Direct, results.objective),
            "rounds": cell.gateway.len(),
            "direct_s": all(&|nth| cell.latency(Way::Direct, nth)),
            "gateway_s": all(&|nth| cell.latency(Way::Gateway, nth)),
            "added_s": all(&|nth| cell.added(nth)),
            "cpu_per_request_s": median(cell.cpu_per_request()),
        })
    });
    let highest = results.highest.iter().map(|(way, clean, above)| {
        value!({ "way": way.name(), "clean_rps": clean, "not_clean_rps": above })
    });
    value!({
        "scenario": results.scenario,
        "strategy": results.strategy,
        "claimed_rps": results.config.claimed_rps,
        "verdict": results.verdict().name(),
        "late_share": six_digits(results.late()),
        "quantiles": QUANTILES,
        "rates": rates.collect::<Vec<_>>(),
        "highest": highest.collect::<Vec<_>>(),
    })
}
