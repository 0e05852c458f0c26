//! `strategies` and `baseline`: the arms of the comparison.

use super::decode::{self, Decoded, Problem, Title};
use super::diagnostics::Findings;
use super::document::{Node, Value};
use super::routing;
use super::section::{Section, all_named_apart};
use crate::experiment::scenario::Arm;
use crate::record::Strategy;
use crate::routing::config::RoutingConfig;

/// Most arms of a scenario.
const MOST_ARMS: usize = 100;

/// Reads `strategies`: every one if absent. `None` if one is bad.
pub(super) fn read(
    top: &mut Section,
    base: &RoutingConfig,
    findings: &Findings,
) -> Option<Vec<Arm>> {
    if top.node("strategies").is_none() {
        return Some(Strategy::ALL.iter().map(|s| plain(*s, base)).collect());
    }
    let items = top.few("strategies", (MOST_ARMS, "strategies"), "")?;
    let read: Vec<_> = items.iter().map(|item| arm(item, base, findings)).collect();
    let arms: Vec<Arm> = read.into_iter().collect::<Option<_>>()?;
    let all = (items, &arms[..]);
    let same = |one: &Arm, other: &Arm| one.name.eq_ignore_ascii_case(&other.name);
    let good = all_named_apart("strategies", all, same, |arm| &arm.name, findings);
    good.then_some(arms)
}

fn plain(strategy: Strategy, base: &RoutingConfig) -> Arm {
    Arm {
        name: strategy.name().to_owned(),
        routing: RoutingConfig {
            strategy,
            ..base.clone()
        },
        policy_seed: None,
    }
}

fn arm(node: &Node, base: &RoutingConfig, findings: &Findings) -> Option<Arm> {
    let strategy = decode::word("strategy", Strategy::ALL, Strategy::name);
    if let Value::Text(_) = node.value {
        return strategy(node)
            .map(|strategy| plain(strategy, base))
            .map_err(|problem| findings.push(problem.finding("strategies", node)))
            .ok();
    }
    if node.table().is_none() {
        let expected = "the name of a strategy, or a table";
        findings.push(decode::wrong_type(node, expected).finding("strategies", node));
        return None;
    }
    let mut section = Section::of(node, "a strategy", findings)?;
    let name = section.optional("name", arm_name);
    let strategy = section.required("strategy", "\"round_robin\"", strategy);
    let policy_seed = section.optional("policy_seed", decode::count(0..=u64::MAX));
    let routing = routing::read(&mut section, base, findings);
    section.finish();
    let (strategy, routing) = (strategy?, routing?);
    Some(Arm {
        name: name?.unwrap_or_else(|| strategy.name().to_owned()),
        routing: RoutingConfig {
            strategy,
            ..routing
        },
        policy_seed: policy_seed?,
    })
}

/// A name that can be part of a file's name.
fn arm_name(node: &Node) -> Decoded<String> {
    let name = decode::name(node)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.chars().all(allowed) && !name.starts_with('.') && name.len() <= 64 {
        return Ok(name);
    }
    Err(Problem {
        title: Title::OfKey("is not a usable name"),
        label: "it becomes part of a file's name".into(),
        help: Some("allowed: 1 to 64 of A-Z a-z 0-9 _ - and . (not at the start)".into()),
        span: None,
    })
}

/// Reads `baseline`: `round_robin` if there is such an arm, else the first.
pub(super) fn baseline(
    top: &mut Section,
    arms: Option<&[Arm]>,
    findings: &Findings,
) -> Option<usize> {
    let node = top.node("baseline");
    let arms = arms?;
    let Some(node) = node else {
        let round_robin = |arm: &Arm| arm.name == Strategy::RoundRobin.name();
        return Some(arms.iter().position(round_robin).unwrap_or(0));
    };
    let names: Vec<String> = arms.iter().map(|arm| arm.name.clone()).collect();
    decode::reference("baseline", &names)(node)
        .map_err(|mut problem| {
            let strategy = node.text().and_then(Strategy::from_name);
            if strategy.is_some() {
                problem.label = "this is not among `strategies`".into();
            }
            findings.push(problem.finding("baseline", node));
        })
        .ok()
}
