//! Nothing is lost and nothing is counted twice, in whatever scenario.
//!
//! The engine checks its own books in every run (every arrival and attempt ends, costs add up,
//! Little's law in integers, nothing is sent to an open breaker); a broken one fails the run. Here
//! random scenarios are run, and all numbers of the results are worked out a second time from the
//! plain list of requests.

mod recount;

use crate::random_scenario::{Random, swarm};
use crate::support::{results, scenario};

#[test]
fn random_scenarios_keep_their_books() {
    for Random { text, .. } in swarm(100) {
        let scenario = scenario("swarm", &text);
        let results = results(&scenario, 1);
        assert!(!results.interrupted);
        for (arm, results) in scenario.arms.iter().zip(&results.strategies) {
            recount::check(&scenario, arm, results);
        }
    }
}

/// At 2 s the retry of the first request, at account 2, and the second request, at account 3, time
/// out together. The first is then sent to 3, before its breaker opens for the failure of the
/// second, not after.
#[test]
fn attempts_that_time_out_together() {
    let text = r#"
        question = "Is a retry sent to an open breaker?"
        expectation = "No."
        duration = "10s"
        replications = 1
        strategies = ["round_robin"]
        [models.m]
        service = { total = "100ms" }
        [[accounts]]
        id = "{n}"
        count = 3
        provider = "custom"
        models = ["m"]
        [workload]
        arrivals = "constant"
        rate = "1rps"
        [[workload.classes]]
        name = "all"
        model = "m"
        input_tokens = 1
        output_tokens = 1
        [[faults]]
        kind = "blackhole"
        accounts = "all"
        start = "0s"
        duration = "10s"
        [routing]
        attempt_timeout = "1s"
        breaker = { failures_to_open = 1 }
    "#;
    results(&scenario("together", text), 1);
}
