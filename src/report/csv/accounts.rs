//! `accounts.csv`: a row per strategy and account, sums over all replications.

use super::quantile_s;
use super::{FEWEST_FOR_P50, FEWEST_FOR_P99, Row, failure_names, file as csv_file, header};
use crate::experiment::results::{AccountDescription, AccountTotals, ScenarioResults};
use crate::report::directory::File;
use crate::report::number::{derived, derived_or_empty, dollars, seconds, share};

pub(super) fn file(results: &ScenarioResults) -> File {
    let mut names = header(&[
        "strategy",
        "account",
        "provider",
        "region",
        "lane",
        "attempts",
        "share_of_attempts",
        "successes",
    ]);
    names.extend(failure_names());
    names.extend(header(&[
        "input_tokens",
        "output_tokens",
        "cost_usd",
        "latency_p50_s",
        "latency_p99_s",
        "breaker_openings",
        "breaker_open_s",
        "cooling_s",
        "disabled",
    ]));
    csv_file("accounts.csv", names, rows(results))
}

fn rows(results: &ScenarioResults) -> impl Iterator<Item = Row> {
    let about = &results.description;
    results.strategies.iter().flat_map(move |arm| {
        let attempts = arm.accounts.iter().map(|totals| totals.attempts).sum();
        let described = arm.accounts.iter().zip(&about.accounts);
        described.map(move |(totals, account)| {
            let mut row = vec![arm.name.clone()];
            row.extend(account_cells(account, &about.lanes));
            row.extend(total_cells(totals, attempts));
            row
        })
    })
}

fn account_cells(account: &AccountDescription, lanes: &[String]) -> Row {
    vec![
        account.id.clone(),
        account.provider.to_string(),
        account.region.clone(),
        lanes.get(account.lane).cloned().unwrap_or_default(),
    ]
}

fn total_cells(totals: &AccountTotals, attempts: u64) -> Row {
    let mut cells = vec![
        totals.attempts.to_string(),
        derived(share(totals.attempts, attempts)),
        totals.successes.to_string(),
    ];
    cells.extend(totals.failed_attempts.iter().map(u64::to_string));
    cells.extend([
        totals.input_tokens.to_string(),
        totals.output_tokens.to_string(),
        dollars(totals.cost),
        derived_or_empty(quantile_s(&totals.latency, 0.5, FEWEST_FOR_P50)),
        derived_or_empty(quantile_s(&totals.latency, 0.99, FEWEST_FOR_P99)),
        totals.breaker_openings.to_string(),
        seconds(totals.breaker_open),
        seconds(totals.cooling),
        totals.disabled.to_string(),
    ]);
    cells
}
