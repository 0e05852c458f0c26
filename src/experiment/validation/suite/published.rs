//! A published experiment, as the shipped scenario `linkerd-2016` has it.

use super::{Case, Source, Wanted};
use crate::experiment::validation::cell::Rule;
use crate::experiment::validation::sample::Measure;
use crate::stats::queueing::share_of_slow_server;
use crate::time::Duration;

/// What the reference allows: the rules of the experiment were published, its traffic was not.
const TOLERANCE: f64 = 0.1;

/// Later than this is a slow answer: more than five times the ordinary one, half of the slow one.
const SLOW: Duration = Duration::from_secs(1);

pub(super) fn cases() -> Vec<Case> {
    // The backend is slow for half of the time.
    let in_turn = 1.0 / 11.0 / 2.0;
    let least_loaded = 0.00414;
    let cut_off = share_of_slow_server(10, 0.167, 1.0) / 2.0;
    vec![
        case("round_robin", "round robin", in_turn, Some((0.95, 0.97))),
        case(
            "least_connections",
            "least loaded",
            least_loaded,
            Some((0.99, 0.999)),
        ),
        case("random", "random", in_turn, None),
        timed("round_robin-1s", "round robin", in_turn),
        timed("least_connections-1s", "least loaded", cut_off),
    ]
}

fn linkerd(arm: &'static str, parameters: &str, how: &str, wanted: Vec<Wanted>) -> Case {
    Case {
        model: "Linkerd 2016".to_owned(),
        parameters: parameters.to_owned(),
        how: format!("`{arm}`{how}"),
        scenario: Source::Linkerd(arm),
        wanted,
    }
}

/// The share of slow answers, and whether the percentile where they begin is where the published
/// plot has it.
fn case(arm: &'static str, parameters: &str, slow: f64, bracket: Option<(f64, f64)>) -> Case {
    let share = Wanted {
        rule: Rule::Relative(TOLERANCE),
        ..Wanted::formula("share of slow answers", slow, Measure::Late(SLOW))
    };
    let begins = bracket.map(|(low, high)| Wanted {
        rule: Rule::Between(low, high),
        ..Wanted::formula(
            "quantile where slow answers begin",
            1.0 - slow,
            Measure::Within(SLOW),
        )
    });
    let wanted = [Some(share), begins].into_iter().flatten().collect();
    linkerd(arm, parameters, "", wanted)
}

/// With a timeout of 1 s: who is given up is in progress for 1 s, not for 2.
fn timed(arm: &'static str, parameters: &str, failed: f64) -> Case {
    let failed = Wanted {
        rule: Rule::Relative(TOLERANCE),
        ..Wanted::formula("share given up", failed, Measure::Blocked)
    };
    linkerd(arm, parameters, ", given up after 1 s", vec![failed])
}
