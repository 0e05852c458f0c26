//! The same scenario gives the same results, and a change of one thing changes nothing else.
//!
//! That is what makes comparisons fair: strategies see the same arrivals, requests and demands
//! (common random numbers), and differ by their decisions alone.

use crate::random_scenario::{Random, swarm};
use crate::support::{files, results, scenario};
use routelab::experiment::results::{ScenarioResults, StrategyResults};
use routelab::record::RequestRecord;
use routelab::report::{self, Environment};
use routelab::time::Duration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every file of the results but the one about the machine.
fn written(results: &ScenarioResults) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let environment = Environment {
        host: "somewhere".into(),
        os: "some".into(),
        cpus: 1,
        git_commit: None,
        started: "2026-01-01T00:00:00Z".into(),
        finished: "2026-01-01T00:00:01Z".into(),
        elapsed: Duration::from_secs(1),
    };
    let target = folder.path().join("results");
    report::write(results, &environment, &target).expect("written");
    let mut files = files(&target);
    let about_the_machine = files.remove(Path::new("environment.json"));
    assert!(about_the_machine.is_some() && files.len() > 10);
    files
}

#[test]
fn threads_and_repetition_change_no_byte() {
    for Random { seed, text } in swarm(12) {
        let scenario = scenario("swarm", &text);
        let (one, four) = (
            written(&results(&scenario, 1)),
            written(&results(&scenario, 4)),
        );
        assert!(one.keys().eq(four.keys()), "{seed}");
        for (file, bytes) in &one {
            assert!(*bytes == four[file], "{} of seed {seed}", file.display());
        }
    }
}

/// All that is known of an arm. Text, because results compare by bits there: NaN is NaN.
fn everything(arm: &StrategyResults) -> String {
    format!("{arm:?}")
}

#[test]
fn another_seed_is_another_world() {
    for Random { seed, text } in swarm(10) {
        let first = scenario("swarm", &text);
        let mut other = first.clone();
        other.seed += 1;
        let of = |scenario| results(scenario, 2).strategies;
        for (one, other) in of(&first).iter().zip(&of(&other)) {
            let arrivals = |arm: &StrategyResults| {
                let requests = arm.requests.iter();
                requests
                    .map(|r| (r.arrived, r.class, r.streaming))
                    .collect::<Vec<_>>()
            };
            assert_ne!(everything(one), everything(other), "{seed}");
            // Constant arrivals of one kind of request are the same in every world.
            let varied = text.contains("poisson") || text.contains("piecewise");
            assert!(!varied || arrivals(one) != arrivals(other), "{seed}");
        }
    }
}

#[test]
fn an_arm_more_or_less_leaves_the_others_alone() {
    for Random { seed, text } in swarm(10) {
        let all = scenario("swarm", &text);
        let together = results(&all, 2).strategies;
        for (at, arm) in all.arms.iter().enumerate() {
            let mut alone = all.clone();
            (alone.arms, alone.baseline) = (vec![arm.clone()], 0);
            let alone = results(&alone, 1).strategies;
            assert!(
                everything(&alone[0]) == everything(&together[at]),
                "{} of {seed}",
                arm.name
            );
        }
    }
}

/// Accounts without limits, failures or faults, so that an attempt takes what its demand is.
const CALM: &str = r#"
    question = "What do the arms share?"
    expectation = "All but their decisions."
    duration = "100s"
    replications = 2
    strategies = [
        "random",
        { name = "again", strategy = "random" },
        { name = "other-dice", strategy = "random", policy_seed = 2 },
        "round_robin",
        "adaptive",
        "smart",
    ]
    [models.m]
    prices = { input = "$1/Mtok", output = "$10/Mtok" }
    service.first_token = { kind = "lognormal", median = "400ms", sigma = 0.5 }
    service.per_output_token = { kind = "gamma", mean = "10ms", cv = 0.5 }
    [[accounts]]
    id = "a-{n}"
    count = 4
    provider = "custom"
    models = ["m"]
    max_in_flight = 100000
    [workload]
    arrivals = "poisson"
    rate = "20rps"
    [[workload.classes]]
    name = "all"
    model = "m"
    input_tokens = { kind = "exponential", mean = 1000 }
    output_tokens = { kind = "exponential", mean = 100 }
    streaming_share = 0.5
    [routing]
    deadline = "none"
    [output]
    requests = true
"#;

fn by_arrival(arm: &StrategyResults) -> Vec<RequestRecord> {
    let mut requests = arm.requests.clone();
    requests.sort_by_key(|record| record.request);
    requests
}

/// The same request takes the same time at the same account, whoever sent it there; its arrival and
/// its cost, which shows its tokens, do not even depend on the account.
#[test]
fn decisions_are_all_that_differs() {
    let results = results(&scenario("calm", CALM), 2);
    let first = by_arrival(&results.strategies[0]);
    assert!(first.len() > 1_000);
    for arm in &results.strategies[1..] {
        let requests = by_arrival(arm);
        assert_eq!(first.len(), requests.len());
        let mut same_place = 0;
        for (one, other) in first.iter().zip(&requests) {
            let given = |r: &RequestRecord| (r.request, r.arrived, r.streaming, r.cost);
            assert_eq!(given(one), given(other), "{}", arm.name);
            assert!(one.succeeded() && other.succeeded());
            if one.account == other.account {
                same_place += 1;
                assert_eq!(
                    (one.first_token, one.ended),
                    (other.first_token, other.ended)
                );
            } else {
                assert_ne!(
                    one.ended, other.ended,
                    "demands at two accounts are independent"
                );
            }
        }
        assert!(same_place > 100, "{}", arm.name);
        assert_eq!(
            same_place == first.len(),
            arm.name == "again",
            "{}",
            arm.name
        );
    }
}
