//! Rows of the reference table that wait for a strategy or a setting which routelab does not have.
//!
//! A row waits under the name of what it waits for. As soon as something of that name exists, the
//! validation fails until the row is run: a strategy that theory can judge must not go unjudged
//! because nobody thought of it.

use super::fixture::{self, Row};
use super::suite::{self, Case, Source};
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

/// What is awaited.
struct Awaited {
    /// Rows whose model begins like this.
    model: &'static str,
    awaits: &'static str,
    /// Parts of names of strategies that would be it.
    strategies: &'static [&'static str],
    /// Keys of `[routing]` that would be it.
    settings: &'static [&'static str],
}

const TWO_CHOICES: &[&str] = &["power_of_two", "p2c", "two_choices", "least_request"];

const AWAITED: [Awaited; 6] = [
    Awaited {
        model: "power of two, with replacement",
        awaits: "strategy power of two choices, drawn with replacement",
        strategies: TWO_CHOICES,
        settings: &["choices"],
    },
    Awaited {
        model: "power of two, distinct",
        awaits: "strategy power of two choices, distinct",
        strategies: TWO_CHOICES,
        settings: &["choices"],
    },
    Awaited {
        model: "join idle queue",
        awaits: "strategy join idle queue",
        strategies: &["jiq", "idle"],
        settings: &[],
    },
    Awaited {
        model: "redundancy-2",
        awaits: "setting redundancy: several attempts at once",
        strategies: &["redundan"],
        settings: &["redundancy", "copies", "hedge", "hedging"],
    },
    Awaited {
        model: "hedge after P95",
        awaits: "setting hedging: a second attempt after the learned P95",
        strategies: &["hedg"],
        settings: &["hedge", "hedging"],
    },
    Awaited {
        model: "Linkerd 2016",
        awaits: "strategies power of two choices and peak EWMA",
        strategies: &["ewma", "p2c", "least_request"],
        settings: &[],
    },
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
    let names: Vec<&str> = Strategy::ALL.iter().map(|s| s.name()).collect();
    gaps.extend(overdue(&names, knows_setting));
    for strategy in Strategy::ALL {
        for model in suite::models_of(*strategy) {
            let judged = |case: &&Case| case.model == *model && case_runs(case, *strategy);
            if !cases.iter().any(|case| judged(&case)) {
                gaps.push(format!("{strategy} is not judged by the rows of {model}"));
            }
        }
    }
    gaps
}

/// What is waited for although it is there.
fn overdue(strategies: &[&str], knows_setting: impl Fn(&str) -> bool) -> Vec<String> {
    let mut overdue = vec![];
    for awaited in &AWAITED {
        let strategy = strategies
            .iter()
            .find(|name| awaited.strategies.iter().any(|part| name.contains(part)));
        let setting = awaited.settings.iter().find(|key| knows_setting(key));
        if let Some(there) = strategy.or(setting) {
            overdue.push(format!(
                "`{there}` exists, but the rows of \"{}\" are still pending for {}",
                awaited.model, awaited.awaits
            ));
        }
    }
    overdue
}

/// The rows that wait.
pub(super) fn rows(cases: &[Case]) -> Vec<Pending> {
    let all = fixture::rows().into_iter().chain(linkerd_rows());
    let waiting = all.filter(|row| !cases.iter().any(|case| runs(case, row)));
    let pending = |row: Row| {
        let awaits = awaited(&row.model)?.awaits;
        Some(Pending { row, awaits })
    };
    waiting.filter_map(pending).collect()
}

fn awaited(model: &str) -> Option<&'static Awaited> {
    AWAITED
        .iter()
        .find(|awaited| model.starts_with(awaited.model))
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

/// Whether `[routing]` has a key, as its parser sees it.
fn knows_setting(key: &str) -> bool {
    let text = format!("[routing]\n{key} = true\n");
    let unknown = format!("unknown key `{key}`");
    match parse("probe.toml", &text, Path::new(""), &Overrides::default()) {
        Ok(_) => true,
        Err(findings) => !findings.to_string().contains(&unknown),
    }
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

    #[test]
    fn what_is_there_is_not_waited_for() {
        assert_eq!(overdue(&["round_robin", "smart"], |_| false), [""; 0]);
        let found = overdue(&["least_request_p2c"], |_| false);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("`least_request_p2c` exists"), "{found:?}");
        assert_eq!(overdue(&["jiq"], |_| false).len(), 1);
        assert_eq!(overdue(&[], |key| key == "hedge").len(), 2);
    }

    #[test]
    fn settings_are_told_from_what_is_none() {
        assert!(knows_setting("max_attempts"));
        assert!(knows_setting("breaker"));
        assert!(!knows_setting("hedge"));
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
