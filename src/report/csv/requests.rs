//! `requests.csv`: a row per strategy and request of the first replication, in order of its end.
//! Written where the scenario asks for it: it is the one file that grows with the requests.

use super::{Row, file as csv_file, header};
use crate::experiment::results::{Description, ScenarioResults};
use crate::record::{Outcome, RequestRecord};
use crate::report::directory::File;
use crate::time::Timestamp;

pub(super) fn file(results: &ScenarioResults) -> Option<File> {
    let names = header(&[
        "strategy",
        "request",
        "class",
        "model",
        "priority",
        "region",
        "streaming",
        "arrived_ns",
        "first_token_ns",
        "ended_ns",
        "outcome",
        "reason",
        "retry_at_ns",
        "attempts",
        "cache",
        "waited",
        "account",
        "strategy_used",
        "cost_nano_usd",
        "wasted_nano_usd",
    ]);
    let mut rows = results.strategies.iter().flat_map(|arm| {
        let row = |record| row(&results.description, &arm.name, record);
        arm.requests.iter().map(row)
    });
    let first = rows.next()?;
    Some(csv_file(
        "requests.csv",
        names,
        std::iter::once(first).chain(rows),
    ))
}

fn row(names: &Description, arm: &str, record: &RequestRecord) -> Row {
    let name = |names: &[String], at: usize| names.get(at).cloned().unwrap_or_default();
    let nanos = |at: Timestamp| at.as_nanos().to_string();
    let (outcome, reason) = match record.outcome {
        Outcome::Success => ("success", ""),
        Outcome::Failed(kind) => ("failed", kind.name()),
        Outcome::Rejected(reason) => ("rejected", reason.name()),
    };
    let account = record
        .account
        .and_then(|account| names.accounts.get(account.at()));
    vec![
        arm.to_owned(),
        record.request.0.to_string(),
        name(&names.classes, record.class.at()),
        name(&names.models, record.model.at()),
        record.priority.to_string(),
        record
            .region
            .map(|region| name(&names.regions, region.at()))
            .unwrap_or_default(),
        record.streaming.to_string(),
        nanos(record.arrived),
        record.first_token.map(nanos).unwrap_or_default(),
        nanos(record.ended),
        outcome.to_owned(),
        reason.to_owned(),
        record.retry_at.map(nanos).unwrap_or_default(),
        record.attempts.to_string(),
        record.cache.to_string(),
        record.waited.to_string(),
        account
            .map(|account| account.id.clone())
            .unwrap_or_default(),
        record
            .strategy
            .map(|strategy| strategy.to_string())
            .unwrap_or_default(),
        record.cost.0.to_string(),
        record.wasted.0.to_string(),
    ]
}
