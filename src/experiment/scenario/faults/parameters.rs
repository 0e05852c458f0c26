//! The parameters of each kind of fault: how it fails, how much, how often, from where.

use super::Context;
use super::kind::Word;
use crate::distribution::Distribution;
use crate::experiment::scenario::decode::{self, Decoded};
use crate::experiment::scenario::diagnostics::{Finding, Findings};
use crate::experiment::scenario::distribution::{self, Measure};
use crate::experiment::scenario::document::{Node, Value};
use crate::experiment::scenario::section::{Field, Section};
use crate::experiment::scenario::service::REFUSALS;
use crate::request::{FailureKind, RegionIndex};
use crate::time::Duration;
use crate::upstream::config::FaultKind;

/// Shortest period of flapping: a bound on the number of events.
const SHORTEST_PERIOD: Duration = Duration::from_millis(100);

/// Reads the parameters of a kind; `None` if one is bad.
pub(super) fn read(section: &mut Section, word: Word, context: &Context) -> Option<FaultKind> {
    let findings = context.findings;
    match word {
        Word::Outage => {
            let failing = failing(section, FailureKind::Unavailable, 0.1, findings);
            failing.map(|(failure, time_to_fail)| FaultKind::Outage {
                failure,
                time_to_fail,
            })
        }
        Word::Blackhole => Some(FaultKind::Blackhole),
        Word::Brownout => {
            let factor = section.required("factor", "3", decode::factor);
            factor.map(|factor| FaultKind::Brownout { factor })
        }
        Word::Errors => {
            let failing = failing(section, FailureKind::InternalError, 0.1, findings);
            let rate = section.required("rate", "0.3", decode::share);
            let ((failure, time_to_fail), rate) = failing.zip(rate)?;
            Some(FaultKind::Errors {
                rate,
                failure,
                time_to_fail,
            })
        }
        Word::FastErrors => {
            let failing = failing(section, FailureKind::InternalError, 0.005, findings);
            let rate = section.or("rate", 1.0, decode::share);
            let ((failure, time_to_fail), rate) = failing.zip(rate)?;
            Some(FaultKind::FastErrors {
                rate,
                failure,
                time_to_fail,
            })
        }
        Word::RateLimit => {
            let factor = section.required("factor", "0.1", decode::share);
            factor.map(|factor| FaultKind::RateLimit { factor })
        }
        Word::Flapping => flapping(section, findings),
        Word::Partition => {
            let from = Field::of(section.node("from").map(|node| from(node, context)));
            let time_to_fail = time_to_fail(section, 10.0, findings);
            let from = from.optional();
            Some(FaultKind::Partition {
                from: from?,
                time_to_fail: time_to_fail?,
            })
        }
        Word::ColdStart => {
            let factor = section.required("factor", "3", decode::factor);
            factor.map(|factor| FaultKind::ColdStart { factor })
        }
        Word::PriceChange => {
            let factor = section.required("factor", "2", decode::number(0.0..=1_000.0));
            factor.map(|factor| FaultKind::PriceChange { factor })
        }
        Word::AccountRemoved | Word::AccountAdded => Some(FaultKind::Absent),
    }
}

fn flapping(section: &mut Section, findings: &Findings) -> Option<FaultKind> {
    let period = section.required("period", "\"20s\"", |node| {
        let period = decode::duration(node)?;
        if period < SHORTEST_PERIOD {
            let help = format!("a duration of {SHORTEST_PERIOD} or more");
            return Err(decode::out_of_bounds("too short", help));
        }
        Ok(period)
    });
    let duty = section.or("duty", 0.5, |node| {
        let duty = decode::share(node)?;
        if duty > 0.0 && duty < 1.0 {
            return Ok(duty);
        }
        let help = "above 0 and below 1; always down is an \"outage\"";
        Err(decode::out_of_bounds("not flapping", help))
    });
    let failing = failing(section, FailureKind::Unavailable, 0.1, findings);
    let (failure, time_to_fail) = failing?;
    Some(FaultKind::Flapping {
        period: period?,
        duty: duty?,
        failure,
        time_to_fail,
    })
}

/// Reads `failure` and `time_to_fail`, with their defaults.
fn failing(
    section: &mut Section,
    default: FailureKind,
    seconds: f64,
    findings: &Findings,
) -> Option<(FailureKind, Distribution)> {
    let failure = decode::word("failure", REFUSALS, FailureKind::name);
    let failure = section.or("failure", default, failure);
    failure.zip(time_to_fail(section, seconds, findings))
}

fn time_to_fail(section: &mut Section, seconds: f64, findings: &Findings) -> Option<Distribution> {
    match section.node("time_to_fail") {
        Some(node) => distribution::read("time_to_fail", node, Measure::Time, findings),
        None => Distribution::constant(seconds).ok(),
    }
}

/// Reads `from`: a region, several in an array, or `"all"`, which is `None`.
fn from(node: &Node, context: &Context) -> Option<Vec<RegionIndex>> {
    let items = match &node.value {
        Value::Array(items) if !items.is_empty() => items,
        _ => std::slice::from_ref(node),
    };
    let names = context.regions?;
    let region = |item: &Node| -> Decoded<RegionIndex> {
        decode::reference("region", names)(item).map(|at| RegionIndex(at as u16))
    };
    let mut good = true;
    let mut regions = Vec::new();
    for item in items {
        match region(item) {
            Ok(region) => regions.push(region),
            Err(problem) => {
                context.findings.push(problem.finding("from", item));
                good = false;
            }
        }
    }
    if good
        && let Some(gateway) = context.gateway
        && !regions.contains(&gateway)
    {
        let name = &names[gateway.at()];
        let finding = Finding::error("the partition cuts nobody off");
        let help = format!("every attempt is sent from the gateway, in `{name}`");
        context.findings.push(
            finding
                .at(node.span, "nothing is sent from there")
                .help(help),
        );
        return None;
    }
    good.then_some(regions)
}
