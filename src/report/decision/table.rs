//! The figures: `decision.csv`, JSON, and the table in the terminal.

use super::page;
use crate::experiment::decision::{DecisionCell, DecisionResults, DecisionVerdict};
use crate::record::Strategy;
use crate::report::csv::{Row, file as csv_file, header};
use crate::report::directory::File;
use crate::report::number::{derived, derived_or_empty, six_digits};
use crate::report::table::{aligned, wrapped};
use crate::stats::order::Median;
use crate::time::Duration;
use serde_json::{Value, json as value};

/// `decision.csv`.
pub(super) fn csv(results: &DecisionResults) -> File {
    let names = header(&[
        "strategy",
        "accounts",
        "threads",
        "rounds",
        "decisions",
        "p50_ns",
        "p99_ns",
        "p99_ci95_low_ns",
        "p99_ci95_high_ns",
        "p999_ns",
        "max_ns",
        "decisions_per_s",
        "waited_share",
        "verdict",
    ]);
    csv_file("decision.csv", names, results.cells.iter().map(row))
}

fn row(cell: &DecisionCell) -> Row {
    let nanos = |seconds: f64| derived(seconds * 1e9);
    let (p50, p99) = (cell.quantile(0.5), cell.quantile(0.99));
    let interval = p99.and_then(|p99| p99.interval);
    let median = |q: Option<Median>| q.map_or(String::new(), |q| nanos(q.median));
    vec![
        cell.strategy.to_string(),
        cell.accounts.to_string(),
        cell.threads.to_string(),
        cell.rounds.len().to_string(),
        cell.decisions().to_string(),
        median(p50),
        median(p99),
        interval.map_or(String::new(), |i| nanos(i.low)),
        interval.map_or(String::new(), |i| nanos(i.high)),
        cell.pooled(0.999)
            .map_or(String::new(), |p| p.as_nanos().to_string()),
        cell.longest().as_nanos().to_string(),
        derived_or_empty(cell.per_second()),
        derived_or_empty(cell.waited()),
        cell.verdict().word().to_owned(),
    ]
}

/// The measurement as JSON; `null` where a number does not apply.
#[must_use]
pub fn json(results: &DecisionResults) -> Value {
    let cells = results.cells.iter().map(|cell| {
        let p99 = cell.quantile(0.99);
        let nanos = |seconds: f64| six_digits(seconds * 1e9);
        value!({
            "strategy": cell.strategy.name(),
            "accounts": cell.accounts,
            "threads": cell.threads,
            "p50_ns": cell.quantile(0.5).and_then(|p50| nanos(p50.median)),
            "p99_ns": p99.and_then(|p99| nanos(p99.median)),
            "p99_ci95_ns": p99.and_then(|p99| p99.interval).map(|i| [nanos(i.low), nanos(i.high)]),
            "p999_ns": cell.pooled(0.999).map(Duration::as_nanos),
            "max_ns": cell.longest().as_nanos(),
            "decisions_per_s": cell.per_second().and_then(six_digits),
            "waited_share": cell.waited().and_then(six_digits),
            "verdict": cell.verdict().word(),
        })
    });
    value!({
        "result_format": crate::report::manifest::RESULT_FORMAT,
        "verdict": results.verdict().word(),
        "timer_p50_ns": results.timer.p50.as_nanos(),
        "cells": cells.collect::<Vec<_>>(),
    })
}

/// The measurement on one screen: P99 by strategy and pool, a block for each number of threads, and
/// the verdict.
#[must_use]
pub fn render(results: &DecisionResults) -> String {
    let mut text = String::from("P99 of a routing decision in µs, by accounts in the pool\n");
    for threads in distinct(results, |cell| cell.threads) {
        text += &aligned(&heading(results, threads), rows(results, threads), 3);
        text += "\n";
    }
    for sentence in page::sentences(results) {
        text += &format!("{}\n", wrapped(&sentence));
    }
    text
}

fn heading(results: &DecisionResults, threads: usize) -> Vec<String> {
    let pools = distinct(results, |cell| cell.accounts).into_iter();
    let names = pools.map(|pool| format!("{} ", short(pool)));
    std::iter::once(page::threads(threads))
        .chain(names)
        .collect()
}

/// `1k` for 1,000.
pub(super) fn short(accounts: usize) -> String {
    if accounts >= 1_000 && accounts.is_multiple_of(1_000) {
        return format!("{}k", accounts / 1_000);
    }
    accounts.to_string()
}

/// The values of a cell's attribute, rising.
pub(super) fn distinct(
    results: &DecisionResults,
    of: impl Fn(&DecisionCell) -> usize,
) -> Vec<usize> {
    let mut values: Vec<usize> = results.cells.iter().map(of).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// A row for each strategy; a mark where the claim is not confirmed.
fn rows(results: &DecisionResults, threads: usize) -> Vec<Vec<String>> {
    let pools = distinct(results, |cell| cell.accounts);
    let mut strategies: Vec<_> = results.cells.iter().map(|cell| cell.strategy).collect();
    strategies.dedup();
    let row = |strategy: Strategy| {
        let of = |pool: &usize| {
            let mut cells = results.cells.iter();
            let cell = cells.find(|cell| {
                (cell.strategy, cell.accounts, cell.threads) == (strategy, *pool, threads)
            });
            cell.map_or(String::new(), field)
        };
        let cells = pools.iter().map(of);
        std::iter::once(strategy.to_string()).chain(cells).collect()
    };
    strategies.into_iter().map(row).collect()
}

fn field(cell: &DecisionCell) -> String {
    let micros = cell.quantile(0.99).map_or(f64::NAN, |p99| p99.median * 1e6);
    let digits = match micros {
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    let mark = match cell.verdict() {
        DecisionVerdict::Confirmed => ' ',
        DecisionVerdict::Refuted => '✗',
        DecisionVerdict::Undecided => '?',
    };
    format!("{micros:.digits$}{mark}")
}
