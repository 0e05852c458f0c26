//! Rows of the reference table that wait for a strategy or a setting which routelab does not have.
//!
//! A strategy that theory can judge must not go unjudged because nobody thought of it. What a new
//! one will be called cannot be known, so nothing here looks for a name: every strategy and every
//! key of `[routing]` must be entered among those that no row waits for, and whatever is not
//! entered fails the validation, with what to do about it. (Keys below those of `[routing]`, such
//! as `retry.budget_per_second`, are not listed: what a row waits for is a way of routing of its
//! own.)

use super::fixture::{self, Row};
use super::suite::{self, Case, Judged, Source};
use crate::experiment::scenario::{Overrides, parse};
use crate::record::Strategy;
use std::path::Path;

/// Rows that cannot be run.
#[derive(Clone, PartialEq, Debug)]
pub struct Pending {
    /// The row.
    pub row: Row,
    /// What it waits for, in words.
    pub awaits: &'static str,
}

/// What is awaited: the rows whose model begins like the first, and for what, in words.
type Awaited = (&'static str, &'static str);

const AWAITED: [Awaited; 6] = [
    (
        "power of two, with replacement",
        "strategy power of two choices, drawn with replacement",
    ),
    (
        "power of two, distinct",
        "strategy power of two choices, distinct",
    ),
    ("join idle queue", "strategy join idle queue"),
    (
        "redundancy-2",
        "setting redundancy: several attempts at once",
    ),
    (
        "hedge after P95",
        "setting hedging: a second attempt after the learned P95",
    ),
    (
        "Linkerd 2016",
        "strategies power of two choices and peak EWMA",
    ),
];

/// Strategies that no pending row waits for.
const STRATEGIES: [&str; 9] = [
    "round_robin",
    "weighted_round_robin",
    "least_connections",
    "fastest_response",
    "health_based",
    "adaptive",
    "geographic",
    "random",
    "smart",
];

/// Keys of `[routing]` that no pending row waits for.
const SETTINGS: [&str; 19] = [
    "deadline",
    "attempt_timeout",
    "first_token_timeout",
    "idle_timeout",
    "max_attempts",
    "health_scope",
    "breaker",
    "retry",
    "cool_down",
    "metrics",
    "health",
    "adaptive",
    "smart",
    "dynamic_weights",
    "geographic_spill_above",
    "quota_aware",
    "cache",
    "when_none_available",
    "max_waiting",
];

/// The published numbers of the Linkerd experiment that wait; those of the other strategies are
/// run.
fn linkerd_rows() -> Vec<Row> {
    let row = |parameters: &str, value: f64| Row {
        model: "Linkerd 2016".to_owned(),
        parameters: parameters.to_owned(),
        metric: "share of slow answers".to_owned(),
        theory: fixture::Theory::exact(value),
    };
    vec![
        row("power of two, least loaded", 0.00501),
        row("power of two, peak EWMA, tau=10s", 0.0007),
    ]
}

/// Rows that are neither run nor waited for, or still waited for although what they wait for is
/// there; and strategies that are not judged by the rows that they should be. Each is a defect of
/// the validation, said in words.
pub(super) fn gaps(cases: &[Case]) -> Vec<String> {
    let mut gaps = vec![];
    for row in fixture::rows() {
        let run = cases.iter().any(|case| runs(case, &row));
        if !run && awaited(&row.model).is_none() {
            gaps.push(format!("no scenario runs the row {}", name(&row)));
        }
    }
    let names = Strategy::ALL.iter().map(|s| s.name().to_owned());
    gaps.extend(names.filter_map(|name| new("strategy", &name, &STRATEGIES)));
    let settings = settings();
    if settings.is_empty() {
        gaps.push("the keys of [routing] cannot be listed".to_owned());
    }
    let keys = settings.iter();
    gaps.extend(keys.filter_map(|key| new("setting", key, &SETTINGS)));
    for strategy in Strategy::ALL {
        let Judged::By(models) = suite::judged(*strategy) else {
            continue;
        };
        for model in models {
            let judged = |case: &&Case| case.model == *model && case_runs(case, *strategy);
            if !cases.iter().any(|case| judged(&case)) {
                gaps.push(format!("{strategy} is not judged by the rows of {model}"));
            }
        }
    }
    gaps
}

/// The complaint about a strategy or a setting that is not among the known ones.
fn new(kind: &str, name: &str, known: &[&str]) -> Option<String> {
    let rows = AWAITED.map(|(model, _)| format!("\"{model}\"")).join(", ");
    (!known.contains(&name)).then(|| {
        format!(
            "the {kind} `{name}` is new. If it is what a pending row waits for ({rows}), run the \
             row in validation/suite and strike it from AWAITED in validation/pending.rs; then, \
             or if it is not, enter `{name}` in the list of what no row waits for there"
        )
    })
}

/// The rows that wait.
pub(super) fn rows(cases: &[Case]) -> Vec<Pending> {
    let all = fixture::rows().into_iter().chain(linkerd_rows());
    let waiting = all.filter(|row| !cases.iter().any(|case| runs(case, row)));
    let pending = |row: Row| {
        let (_, awaits) = awaited(&row.model)?;
        Some(Pending { row, awaits })
    };
    waiting.filter_map(pending).collect()
}

fn awaited(model: &str) -> Option<&'static Awaited> {
    AWAITED.iter().find(|(prefix, _)| model.starts_with(prefix))
}

fn runs(case: &Case, row: &Row) -> bool {
    let same = case.model == row.model && case.parameters == row.parameters;
    // "p50: share within it" is the row "p50".
    let metric = |wanted: &str| wanted.split(':').next() == Some(row.metric.as_str());
    same && case.wanted.iter().any(|wanted| metric(&wanted.metric))
}

fn case_runs(case: &Case, strategy: Strategy) -> bool {
    match &case.scenario {
        Source::System(system, _) => system.strategy.contains(&format!("\"{strategy}\"")),
        Source::Linkerd(_) => false,
    }
}

fn name(row: &Row) -> String {
    format!("{} {} {}", row.model, row.parameters, row.metric)
}

/// The keys of `[routing]`, as its parser lists them to who writes one that does not exist.
fn settings() -> Vec<String> {
    let text = "[routing]\nno_such_key = true\n";
    let loaded = parse("probe.toml", text, Path::new(""), &Overrides::default());
    let Err(findings) = loaded else {
        return vec![];
    };
    let findings = findings.to_string();
    let listed = findings
        .split_once("unknown key `no_such_key`")
        .and_then(|(_, after)| after.split_once("allowed: "))
        .and_then(|(_, after)| after.lines().next());
    let keys = listed.unwrap_or_default().split(", ").map(str::trim);
    let keys = keys.filter(|key| !key.is_empty());
    keys.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_run_or_waits() {
        let cases = suite::cases();
        assert_eq!(gaps(&cases), [""; 0]);
        let pending = rows(&cases);
        assert_eq!(pending.len(), 32);
        let of = |model: &str| {
            pending
                .iter()
                .filter(|p| p.row.model.starts_with(model))
                .count()
        };
        assert_eq!((of("power of two"), of("join idle queue")), (20, 4));
        assert_eq!((of("redundancy-2"), of("hedge"), of("Linkerd")), (3, 3, 2));
    }

    /// Whatever it is called.
    #[test]
    fn what_is_new_must_be_entered() {
        for name in ["least_request_p2c", "jiq", "a_name_nobody_thought_of"] {
            let found = new("strategy", name, &STRATEGIES).expect("a complaint");
            let told = format!("the strategy `{name}` is new");
            assert!(found.starts_with(&told), "{found}");
            assert!(found.contains("\"join idle queue\""), "{found}");
            assert!(found.contains("pending.rs"), "{found}");
        }
        assert!(new("setting", "hedge", &SETTINGS).is_some());
        assert_eq!(new("strategy", "smart", &STRATEGIES), None);
    }

    /// A name that is entered but does not exist would let something new of that name pass.
    #[test]
    fn what_is_entered_exists() {
        let names: Vec<&str> = Strategy::ALL.iter().map(|s| s.name()).collect();
        assert_eq!(names, STRATEGIES);
        assert_eq!(settings(), SETTINGS);
    }

    #[test]
    fn who_is_beyond_theory_says_why() {
        for strategy in Strategy::ALL {
            match suite::judged(*strategy) {
                Judged::By(models) => assert!(!models.is_empty(), "{strategy}"),
                Judged::Beyond(why) => assert!(why.len() > 20, "{strategy}: {why}"),
            }
        }
    }

    #[test]
    fn a_row_that_nobody_runs_is_a_gap() {
        let mut cases = suite::cases();
        cases.retain(|case| case.model != "M/D/1");
        let found = gaps(&cases);
        assert_eq!(found.len(), 13, "{found:#?}");
        assert!(found[0].contains("no scenario runs the row M/D/1"));
        assert!(found[12].contains("round_robin is not judged by the rows of M/D/1"));
    }
}
