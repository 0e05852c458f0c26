//! Nothing is lost and nothing is counted twice, in whatever scenario.
//!
//! The engine checks its own books in every run (every arrival and attempt ends, costs add up,
//! Little's law in integers, nothing is sent to an open breaker); a broken one fails the run. Here
//! random scenarios are run, and all numbers of the results are worked out a second time from the
//! plain list of requests.

mod recount;

use crate::random_scenario::{Random, swarm};
use crate::support::{results, scenario};
use routelab::experiment::results::StrategyResults;
use routelab::record::{Outcome, Rejection};
use routelab::request::FailureKind;
use std::collections::BTreeSet;

#[test]
fn random_scenarios_keep_their_books() {
    let mut reached = Reached::default();
    for Random { text, .. } in swarm(200) {
        let scenario = scenario("swarm", &text);
        let results = results(&scenario, 1);
        assert!(!results.interrupted);
        for (arm, results) in scenario.arms.iter().zip(&results.strategies) {
            recount::check(&scenario, arm, results);
            reached.note(results);
        }
    }
    reached.check();
}

/// What the swarm has come across: a swarm that never meets a timeout says nothing about timeouts.
#[derive(Default)]
struct Reached {
    arms: usize,
    outcomes: BTreeSet<String>,
    strategies: BTreeSet<String>,
    breakers_opened: u64,
    budgets_emptied: u64,
    fourth_attempts: u64,
    wasted: u64,
}

impl Reached {
    fn note(&mut self, arm: &StrategyResults) {
        self.arms += 1;
        for request in &arm.requests {
            self.outcomes.insert(format!("{:?}", request.outcome));
            self.strategies
                .extend(request.strategy.map(|s| s.name().to_owned()));
            self.fourth_attempts += u64::from(request.attempts > 3);
        }
        for account in &arm.accounts {
            self.breakers_opened += account.breaker_openings;
            let failures = FailureKind::ALL.iter().zip(account.failed_attempts);
            let seen = failures.filter(|(_, count)| *count > 0);
            self.outcomes
                .extend(seen.map(|(kind, _)| format!("Failed({kind:?})")));
        }
        for run in &arm.replications {
            self.budgets_emptied += run.counts.budget_exhausted;
            self.wasted += run.counts.wasted.0;
        }
    }

    fn check(self) {
        if self.arms < 100 {
            return;
        }
        let rejections = [Rejection::NotServed, Rejection::NoneAvailable];
        let failures = FailureKind::ALL.iter().map(|kind| Outcome::Failed(*kind));
        // Nobody cancels requests here.
        let failures = failures.filter(|end| *end != Outcome::Failed(FailureKind::Cancelled));
        for outcome in rejections
            .map(Outcome::Rejected)
            .into_iter()
            .chain(failures)
        {
            assert!(
                self.outcomes.contains(&format!("{outcome:?}")),
                "never {outcome:?}"
            );
        }
        assert_eq!(self.strategies.len(), 8, "{:?}", self.strategies);
        let counts = [
            self.breakers_opened,
            self.budgets_emptied,
            self.fourth_attempts,
            self.wasted,
        ];
        assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
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
