//! `segments.csv`: a row per strategy and segment of the requests, sums over all replications.

use super::{FEWEST_FOR_P50, FEWEST_FOR_P99, Row, file as csv_file, header, quantile_s};
use crate::experiment::results::{ScenarioResults, SegmentTotals};
use crate::report::directory::File;
use crate::report::number::{derived, derived_or_empty, dollars, share};

pub(super) fn file(results: &ScenarioResults) -> File {
    let names = header(&[
        "strategy",
        "dimension",
        "value",
        "requests",
        "successes",
        "success_rate",
        "cache_hits",
        "coalesced",
        "input_tokens",
        "output_tokens",
        "cost_usd",
        "cost_per_1k_successes_usd",
        "latency_all_p50_s",
        "latency_all_p99_s",
        "first_token_all_p50_s",
        "first_token_all_p99_s",
    ]);
    let rows = results
        .strategies
        .iter()
        .flat_map(|arm| arm.segments.iter().map(|segment| row(&arm.name, segment)));
    csv_file("segments.csv", names, rows)
}

fn row(arm: &str, segment: &SegmentTotals) -> Row {
    let latency = &segment.latency_all;
    vec![
        arm.to_owned(),
        segment.dimension.to_owned(),
        segment.value.clone(),
        segment.requests.to_string(),
        segment.successes.to_string(),
        derived(share(segment.successes, segment.requests)),
        segment.cache_hits.to_string(),
        segment.coalesced.to_string(),
        segment.input_tokens.to_string(),
        segment.output_tokens.to_string(),
        dollars(segment.cost),
        derived(segment.cost.as_usd_f64() * 1e3 / segment.successes as f64),
        derived_or_empty(quantile_s(latency, 0.5, FEWEST_FOR_P50)),
        derived_or_empty(quantile_s(latency, 0.99, FEWEST_FOR_P99)),
        derived_or_empty(quantile_s(&segment.first_token_all, 0.5, FEWEST_FOR_P50)),
        derived_or_empty(quantile_s(&segment.first_token_all, 0.99, FEWEST_FOR_P99)),
    ]
}
