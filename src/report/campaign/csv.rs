//! `claims.csv`, as of a scenario with the scenario in front, and `recovery.csv`.

use super::Claims;
use crate::experiment::campaign::{Answered, Recovery, Times, answered, recoveries};
use crate::report::csv::{Row, claim_columns, claim_row, ends, file, header};
use crate::report::directory::File;
use crate::report::number::derived_or_empty;

pub(super) fn files(all: &Claims) -> Vec<File> {
    let mut names = header(&["scenario", "id", "same_resilience"]);
    names.extend(claim_columns());
    names.extend(header(&BESIDE));
    let rows = all.campaigns.iter().flat_map(|campaign| {
        let judged = all.claims.iter().zip(&campaign.judgements);
        judged.map(|(product, judged)| {
            let scenario = campaign.results.description.name.clone();
            let mut row = vec![scenario, product.id.to_owned()];
            row.push(product.same_resilience.to_string());
            row.extend(claim_row(judged));
            row.extend(beside(answered(&campaign.results, judged)));
            row
        })
    });
    let claims = file("claims.csv", names, rows);
    let mut names = header(&["scenario", "fault", "strategy"]);
    for time in ["detect", "mitigate", "restore"] {
        names.push(format!("time_to_{time}_median_s"));
        names.push(format!("time_to_{time}_ci95_low_s"));
        names.push(format!("time_to_{time}_ci95_high_s"));
        names.push(format!("time_to_{time}_observed"));
        names.push(format!("time_to_{time}_within_60s"));
    }
    let rows = all.campaigns.iter().flat_map(|campaign| {
        let scenario = &campaign.results.description.name;
        let each = recoveries(&campaign.results).into_iter();
        each.map(|recovery| row(scenario, &recovery))
            .collect::<Vec<_>>()
    });
    vec![claims, file("recovery.csv", names, rows)]
}

/// Of claims about latency over all requests: what stands beside them.
const BESIDE: [&str; 6] = [
    "answered_relative_change",
    "answered_relative_change_low",
    "answered_relative_change_high",
    "success_rate_difference",
    "success_rate_difference_low",
    "success_rate_difference_high",
];

fn beside(answered: Option<Answered>) -> Row {
    let latency = answered.and_then(|it| it.latency);
    let success = answered.and_then(|it| it.success_rate);
    let mut row = vec![derived_or_empty(latency.map(|it| it.change))];
    row.extend(ends(latency.and_then(|it| it.range.interval())));
    row.push(derived_or_empty(success.map(|it| it.mean)));
    row.extend(ends(success.and_then(|it| it.interval)));
    row
}

fn row(scenario: &str, recovery: &Recovery) -> Row {
    let mut row = vec![
        scenario.to_owned(),
        recovery.fault.clone(),
        recovery.strategy.clone(),
    ];
    row.extend(
        recovery
            .times
            .iter()
            .flat_map(|times| cells(times.as_ref())),
    );
    row
}

fn cells(times: Option<&Times>) -> [String; 5] {
    let Some(times) = times else {
        return [const { String::new() }; 5];
    };
    let interval = times.median.interval;
    [
        seconds(times.median.median),
        interval.map_or_else(String::new, |i| seconds(i.low)),
        interval.map_or_else(String::new, |i| seconds(i.high)),
        times.observed.to_string(),
        times.within.to_string(),
    ]
}

/// `inf` is "not within the time watched", as in `faults.csv`.
fn seconds(value: f64) -> String {
    if value.is_infinite() {
        return "inf".to_owned();
    }
    crate::report::number::derived(value)
}
