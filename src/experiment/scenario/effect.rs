//! Settings that have no effect: written, valid, and of no consequence.
//!
//! A number that changes nothing is worse than an error: its author draws conclusions from it.
//! Still these are warnings, as for everything else that runs but hardly as meant. What gives a
//! setting its effect often stands somewhere else (a strategy, a class, an arm), may have been
//! taken out by `--set` for one run, or may come back in another cell of a sweep; a sweep shows
//! only those that hold in all of its cells ([`Diagnostics::absorb`](super::Diagnostics::absorb)).
//!
//! A setting of `[routing]` is fine if any arm makes something of it, that of an arm if this arm
//! does. Facts about the world (weights, prices, priorities) are no settings: nobody expects a
//! strategy that ignores them to change by them.

use super::Arm;
use super::accounts::Pool;
use super::diagnostics::{Finding, Findings};
use super::document::{Node, Table, Value};
use super::workload::Workload;
use crate::record::Strategy;
use crate::routing::config::{RoutingConfig, WhenNoneAvailable};
use crate::time::Duration;

/// What gives settings their effect.
struct World {
    /// Some requests ask for what others have asked for.
    repeats: bool,
    /// Some answers are streamed.
    streams: bool,
    /// Some account declares limits.
    limits: bool,
    /// Some account serves several models.
    several_models: bool,
}

/// A key of `[routing]`, or of a strategy's table, that may be without effect.
struct Rule {
    path: &'static [&'static str],
    /// Whether it switches something on, so that it should have an effect.
    wants: fn(&Node) -> bool,
    /// Whether it has one under these settings.
    acts: fn(&RoutingConfig, &World) -> bool,
    why: &'static str,
    help: &'static str,
}

const RULES: [Rule; 16] = [
    Rule {
        path: &["max_waiting"],
        wants: any,
        acts: |routing, _| routing.when_none_available == WhenNoneAvailable::Wait,
        why: "nobody waits in line",
        help: "set `when_none_available = \"wait\"`, or remove it",
    },
    Rule {
        path: &["cache"],
        wants: is_on,
        acts: |_, world| world.repeats,
        why: "no request asks for what another has asked for, so that nothing can be found",
        help: "give a class `repeats`, or switch the cache off",
    },
    Rule {
        path: &["cache"],
        wants: is_on,
        acts: |routing, _| routing.cache.is_some(),
        why: "every strategy switches it off",
        help: "remove it, or the `cache = false` of a strategy",
    },
    Rule {
        path: &["breaker"],
        wants: is_on,
        acts: |routing, _| routing.breaker.is_some(),
        why: "every strategy switches it off",
        help: "remove it, or the `breaker = false` of a strategy",
    },
    Rule {
        path: &["retry"],
        wants: any,
        acts: |routing, _| routing.retry.max_attempts > 1,
        why: "with `max_attempts = 1` there are no retries",
        help: "allow more attempts, or remove it",
    },
    Rule {
        path: &["attempt_timeout"],
        wants: is_on,
        acts: |routing, _| comes_before(routing.attempt_timeout, [routing.deadline]),
        why: "the deadline comes first",
        help: "make it shorter than `deadline`, or remove it",
    },
    Rule {
        path: &["first_token_timeout"],
        wants: is_on,
        acts: |routing, _| comes_before(routing.first_token_timeout, ends(routing)),
        why: "the deadline or the timeout of the attempt comes first",
        help: "make it shorter than `deadline` and `attempt_timeout`, or remove it",
    },
    Rule {
        path: &["first_token_timeout"],
        wants: is_on,
        acts: |_, world| world.streams,
        why: "no answer is streamed",
        help: "give a class a `streaming_share`, or remove it",
    },
    Rule {
        path: &["idle_timeout"],
        wants: is_on,
        acts: |routing, _| comes_before(routing.idle_timeout, ends(routing)),
        why: "the deadline or the timeout of the attempt comes first",
        help: "make it shorter than `deadline` and `attempt_timeout`, or remove it",
    },
    Rule {
        path: &["idle_timeout"],
        wants: is_on,
        acts: |_, world| world.streams,
        why: "no answer is streamed",
        help: "give a class a `streaming_share`, or remove it",
    },
    Rule {
        path: &["dynamic_weights"],
        wants: any,
        acts: |routing, _| uses(routing, Strategy::WeightedRoundRobin),
        why: "only `weighted_round_robin` has weights",
        help: "remove it, or run `weighted_round_robin`",
    },
    Rule {
        path: &["geographic_spill_above"],
        wants: any,
        acts: |routing, _| uses(routing, Strategy::Geographic),
        why: "only `geographic` spills over",
        help: "remove it, or run `geographic`",
    },
    Rule {
        path: &["adaptive"],
        wants: any,
        acts: |routing, _| uses(routing, Strategy::Adaptive),
        why: "only `adaptive` weighs by these",
        help: "remove it, or run `adaptive`",
    },
    Rule {
        path: &["smart"],
        wants: any,
        acts: |routing, _| routing.strategy == Strategy::Smart,
        why: "only `smart` has these",
        help: "remove it, or run `smart`",
    },
    Rule {
        path: &["quota_aware"],
        wants: is_on,
        acts: |_, world| world.limits,
        why: "no account declares `limits` that could be minded",
        help: "declare the `limits` of accounts, or remove it",
    },
    Rule {
        path: &["health_scope"],
        wants: |node| node.text() == Some("account_model"),
        acts: |_, world| world.several_models,
        why: "every account serves one model, which is all there is to it",
        help: "let an account serve several models, or remove it",
    },
];

fn any(_: &Node) -> bool {
    true
}

fn is_on(node: &Node) -> bool {
    match &node.value {
        Value::Boolean(on) => *on,
        Value::Text(text) => text != "none" && text != "smart_only",
        _ => true,
    }
}

const fn ends(routing: &RoutingConfig) -> [Option<Duration>; 2] {
    [routing.deadline, routing.attempt_timeout]
}

fn comes_before<const N: usize>(limit: Option<Duration>, ends: [Option<Duration>; N]) -> bool {
    let first = ends.into_iter().flatten().min();
    limit.is_some_and(|limit| first.is_none_or(|first| limit < first))
}

/// Whether requests can be routed by `strategy`, also on behalf of `smart`.
fn uses(routing: &RoutingConfig, strategy: Strategy) -> bool {
    let smart = &routing.smart;
    let by_priority = smart.by_priority.contains(&strategy);
    let unmeasured =
        || smart.while_unmeasured == strategy && smart.by_priority.contains(&Strategy::Adaptive);
    routing.strategy == strategy
        || routing.strategy == Strategy::Smart && (by_priority || unmeasured())
}

/// Warns of everything in the document that has no effect. Where strategies were chosen on the
/// command line, what those left out would make use of is not held against the file.
pub(super) fn check(
    document: &Table,
    arms: &[Arm],
    workload: &Workload,
    pool: &Pool,
    findings: &Findings,
) {
    let world = World::new(workload, pool);
    let strategies = document.get("strategies");
    let chosen = strategies.is_some_and(|node| node.span.source > 0);
    let routing = document.get("routing").and_then(Node::table);
    for rule in &RULES {
        if let Some(routing) = routing.filter(|_| !chosen)
            && !arms.iter().any(|arm| (rule.acts)(&arm.routing, &world))
        {
            rule.warn(routing, findings);
        }
        let tables = elements(strategies).iter().map(Node::table);
        for (table, arm) in tables.zip(arms) {
            if let Some(table) = table
                && !(rule.acts)(&arm.routing, &world)
            {
                rule.warn(table, findings);
            }
        }
    }
    if !chosen {
        wishes(document, arms, &world, findings);
    }
    templates(document, findings);
    regions(document, workload, pool, findings);
}

impl World {
    fn new(workload: &Workload, pool: &Pool) -> Self {
        let classes = || workload.classes.iter().flatten();
        let repeats = |share: f64| share > 0.0;
        let declared = |account: &crate::routing::account::Account| {
            let limits = &account.limits;
            limits.requests_per_minute.is_some()
                || limits.input_tokens_per_minute.is_some()
                || limits.output_tokens_per_minute.is_some()
        };
        Self {
            repeats: classes().any(|c| c.repeats.as_ref().is_some_and(|r| repeats(r.share))),
            // The rows of a trace may say so themselves.
            streams: workload.traced || classes().any(|class| class.streaming_share > 0.0),
            limits: pool.accounts.iter().any(declared),
            several_models: pool.accounts.iter().any(|account| account.models.len() > 1),
        }
    }
}

impl Rule {
    /// Warns of the key, if it stands in `table` and wants to have an effect.
    fn warn(&self, table: &Table, findings: &Findings) {
        let Some((last, before)) = self.path.split_last() else {
            return;
        };
        let inner = before
            .iter()
            .try_fold(table, |table, key| table.get(key)?.table());
        if let Some(node) = inner.and_then(|table| table.get(last))
            && (self.wants)(node)
        {
            findings.push(idle(last).at(node.span, self.why).help(self.help));
        }
    }
}

fn idle(key: &str) -> Finding {
    let finding = Finding::warning(format!("`{key}` has no effect"));
    finding.unless_elsewhere().needs_the_rest()
}

fn elements(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.value) {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

/// What classes say that only some strategies look at.
fn wishes(document: &Table, arms: &[Arm], world: &World, findings: &Findings) {
    let workload = document.get("workload").and_then(Node::table);
    let classes = elements(workload.and_then(|workload| workload.get("classes")));
    let smart = |arm: &Arm| arm.routing.strategy == Strategy::Smart;
    let caches = |arm: &Arm| arm.routing.cache.is_some();
    for class in classes.iter().filter_map(Node::table) {
        if let Some(node) = class.get("preferences")
            && !arms.iter().any(smart)
        {
            let finding = idle("preferences").at(node.span, "only `smart` looks at them");
            findings.push(finding.help("run `smart` too, or remove them"));
        }
        if let Some(node) = class.get("repeats")
            && world.repeats
            && !arms.iter().any(caches)
        {
            let finding = idle("repeats").at(node.span, "no strategy has a cache");
            findings.push(finding.help("set `cache = true` in [routing], or remove it"));
        }
    }
}

/// Templates that no account is made from.
fn templates(document: &Table, findings: &Findings) {
    let accounts = elements(document.get("accounts"));
    let tables = accounts.iter().filter_map(Node::table);
    let used: Vec<&str> = tables
        .filter_map(|account| account.get("template")?.text())
        .collect();
    let templates = document.get("templates").and_then(Node::table);
    for template in templates.iter().flat_map(|table| &table.entries) {
        if !used.contains(&template.key.as_str()) {
            let title = format!("the template `{}` has no effect", template.key);
            let finding = Finding::warning(title).unless_elsewhere().needs_the_rest();
            let finding = finding.at(template.span, "no account is made from it");
            findings.push(finding.help("name it as the `template` of an account, or remove it"));
        }
    }
}

/// Regions in which nobody is.
fn regions(document: &Table, workload: &Workload, pool: &Pool, findings: &Findings) {
    let Some(node) = document.get("regions") else {
        return;
    };
    let account = pool.accounts.iter().any(|account| account.region.is_some());
    let user = || {
        let mut classes = workload.classes.iter().flatten();
        workload.traced || classes.any(|class| !class.regions.is_empty())
    };
    let label = match (account, user()) {
        (true, _) => return,
        (false, true) => "no account is in any of them",
        (false, false) => "nobody is in any of them",
    };
    let finding = idle("regions").at(node.span, label);
    findings.push(finding.help("give accounts a `region`, or remove the section"));
}
