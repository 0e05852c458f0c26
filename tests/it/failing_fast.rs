//! Failing fast must not look fast, however fast an arm gives up.

use crate::support::{results, scenario};
use routelab::experiment::metric::Metric;

/// Nobody ever answers; arms differ only in how long they wait.
fn latencies(deadline: &str) -> Vec<f64> {
    let text = format!(
        r#"
        question = "Is giving up rewarded?"
        expectation = "No."
        duration = "100s"
        replications = 1
        strategies = [
            {{ name = "same", strategy = "round_robin" }},
            {{ name = "hasty", strategy = "round_robin", deadline = "1s" }},
            {{ name = "patient", strategy = "round_robin", deadline = "50s" }},
            {{ name = "refusing", strategy = "round_robin", breaker = {{ failures_to_open = 1 }} }},
        ]
        [models.m]
        service = {{ total = "1s" }}
        [[accounts]]
        id = "a"
        provider = "custom"
        models = ["m"]
        failures = [{{ kind = "hang", rate = 1 }}]
        max_in_flight = 1000
        [workload]
        arrivals = "constant"
        rate = "1rps"
        [[workload.classes]]
        name = "all"
        model = "m"
        input_tokens = 1
        output_tokens = 1
        [routing]
        deadline = "{deadline}"
        attempt_timeout = "20s"
        breaker = false
        max_attempts = 1
        "#
    );
    let results = results(&scenario("fast", &text), 1);
    let arms = results.strategies.iter();
    arms.map(|arm| arm.replications[0].metrics[Metric::LatencyMeanAll])
        .collect()
}

/// A failure counts at least the deadline of `[routing]`: the users' patience, the same for all
/// arms, whatever they do and whichever other arms there are.
#[test]
fn arms_with_other_deadlines_are_measured_alike() {
    for (found, expected) in latencies("30s").into_iter().zip([30.0; 4]) {
        assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
    }
}

/// Without a deadline in `[routing]` an arm's own is all there is.
#[test]
fn without_a_common_deadline_the_own_one_counts() {
    let found = latencies("none");
    let expected = [20.0, 1.0, 50.0];
    for (found, expected) in found.into_iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
    }
}
