//! `[throughput]`: which rates `routelab throughput` measures, and which one is claimed. No
//! simulation depends on it.

use super::decode::{self, Decoded, Problem};
use super::diagnostics::Findings;
use super::document::{Node, Value};
use super::section::Section;
use crate::experiment::throughput::ThroughputConfig;
use crate::time::Duration;

/// Most rates: each takes its real time.
const MOST_RATES: usize = 50;

/// Reads `[throughput]`; `Some(None)` without one, `None` if a key is bad.
pub(super) fn read(top: &mut Section, findings: &Findings) -> Option<Option<ThroughputConfig>> {
    let Some(node) = top.node("throughput") else {
        return Some(None);
    };
    let mut section = Section::of(node, "[throughput]", findings)?;
    let claimed = section.required("claimed", "\"1000rps\"", decode::positive_rate);
    let rates = section.required("rates", "[\"200rps\", \"1000rps\"]", rising);
    let rounds = section.or("rounds", 6, decode::count(1..=1_000));
    let round = section.or("round", Duration::from_secs(10), length);
    section.finish();
    Some(Some(ThroughputConfig {
        claimed_rps: claimed?.as_per_second(),
        rates_rps: rates?,
        rounds: rounds? as u32,
        round: round?,
    }))
}

fn rising(node: &Node) -> Decoded<Vec<f64>> {
    let Value::Array(items) = &node.value else {
        return Err(decode::wrong_type(node, "an array of rates"));
    };
    let help = format!("1 to {MOST_RATES} rates, each above the one before");
    if !(1..=MOST_RATES).contains(&items.len()) {
        return Err(decode::out_of_bounds(
            format!("found {}", items.len()),
            help,
        ));
    }
    let mut rates: Vec<f64> = vec![];
    for item in items {
        let placed = |problem| Problem {
            span: Some(item.span),
            ..problem
        };
        let rate = decode::positive_rate(item).map_err(placed)?.as_per_second();
        if rates.last().is_some_and(|last| *last >= rate) {
            return Err(placed(decode::out_of_bounds(
                "not above the one before",
                help,
            )));
        }
        rates.push(rate);
    }
    Ok(rates)
}

fn length(node: &Node) -> Decoded<Duration> {
    let length = decode::positive_duration(node)?;
    let allowed = Duration::from_secs(1)..=Duration::from_secs(600);
    if allowed.contains(&length) {
        return Ok(length);
    }
    Err(decode::out_of_bounds(
        "a round takes its real time",
        "1s to 10min",
    ))
}
