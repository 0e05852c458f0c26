//! Made-up results for the tests of the report: shaped like those of a real run, computed in a
//! blink. An outage of the first third of the accounts lasts from 40 % to 55 % of the run.

mod arm;

use crate::experiment::results::{
    AccountDescription, Description, FaultDescription, Observable, ScenarioResults,
};
use crate::record::Strategy;
use crate::report::Environment;
use crate::request::Provider;
use crate::time::{Duration, Timestamp};
use arm::Arm;

/// What the made-up results look like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Name and strategy of the arms.
    pub arms: Vec<(&'static str, Strategy)>,
    /// Accounts.
    pub accounts: usize,
    /// Lanes, at most as many.
    pub lanes: usize,
    /// Replications.
    pub replications: u32,
    /// Windows of 5 s.
    pub windows: usize,
    /// Requests per window and replication.
    pub per_window: u64,
    /// Whether any request succeeds.
    pub successes: bool,
    /// Whether answers are streamed.
    pub streaming: bool,
    /// Whether there is an outage.
    pub outage: bool,
}

impl Shape {
    /// Ten arms, ten accounts, 600 s with an outage from 240 to 330 s.
    pub fn realistic() -> Self {
        Self {
            arms: vec![
                ("round_robin", Strategy::RoundRobin),
                ("weighted_round_robin", Strategy::WeightedRoundRobin),
                ("least_connections", Strategy::LeastConnections),
                ("fastest_response", Strategy::FastestResponse),
                ("health_based", Strategy::HealthBased),
                ("adaptive", Strategy::Adaptive),
                ("geographic", Strategy::Geographic),
                ("random", Strategy::Random),
                ("naive", Strategy::RoundRobin),
                ("smart", Strategy::Smart),
            ],
            accounts: 10,
            lanes: 10,
            replications: 10,
            windows: 120,
            per_window: 200,
            successes: true,
            streaming: true,
            outage: true,
        }
    }

    /// Two arms and few requests: small enough to read its files.
    pub fn small() -> Self {
        Self {
            arms: vec![
                ("round_robin", Strategy::RoundRobin),
                ("smart", Strategy::Smart),
            ],
            accounts: 2,
            lanes: 2,
            replications: 6,
            windows: 4,
            per_window: 20,
            ..Self::realistic()
        }
    }

    const WINDOW: Duration = Duration::from_secs(5);

    fn at(&self, share: f64) -> Timestamp {
        let length = Self::WINDOW.as_nanos() * self.windows as u64;
        Timestamp::ZERO + Duration::from_nanos(length).scale(share)
    }

    /// The results.
    pub fn results(&self) -> ScenarioResults {
        let arms = self.arms.iter().enumerate();
        ScenarioResults {
            description: self.description(),
            strategies: arms
                .map(|(at, &(name, strategy))| Arm::new(self, at).results(name, strategy))
                .collect(),
            interrupted: false,
            verdicts: crate::experiment::verdict::Verdicts::default(),
        }
    }

    fn description(&self) -> Description {
        let faults = [FaultDescription {
            name: "outage of provider anthropic".into(),
            kind: "outage",
            by_chance: false,
            windows: vec![(self.at(0.40), self.at(0.55))],
            observed: Observable::All,
        }];
        Description {
            name: "outage".into(),
            question: "What do users notice when a provider is down for 90 s?".into(),
            expectation: "Strategies with a breaker recover within a window.".into(),
            resolved_toml: "duration = \"600s\"\n".into(),
            seed: 42,
            policy_seed: 7,
            replications: self.replications,
            duration: self.at(1.0).since(Timestamp::ZERO),
            warmup: Duration::ZERO,
            deadline: Some(Duration::from_secs(30)),
            latency_objective: Duration::from_secs(10),
            models: vec!["large".into()],
            regions: vec![],
            classes: vec!["chat".into()],
            accounts: (0..self.accounts).map(|at| self.account(at)).collect(),
            lanes: (0..self.lanes).map(|at| self.lane(at)).collect(),
            faults: faults.into_iter().filter(|_| self.outage).collect(),
            baseline: 0,
            inputs: vec![("trace.csv".into(), "00".repeat(32))],
        }
    }

    fn provider(&self, account: usize) -> Provider {
        Provider::ALL[(account * 3 / self.accounts).min(2)]
    }

    fn account(&self, at: usize) -> AccountDescription {
        AccountDescription {
            id: format!("{}-{at}", self.provider(at)),
            provider: self.provider(at),
            region: ["us-east", "eu-west"][at % 2].into(),
            lane: at * self.lanes / self.accounts,
        }
    }

    fn lane(&self, at: usize) -> String {
        let first = (0..self.accounts).find(|account| account * self.lanes / self.accounts == at);
        format!("{}-{at}", self.provider(first.unwrap_or(0)))
    }
}

/// An environment.
pub fn environment() -> Environment {
    Environment {
        host: "bench".into(),
        os: "linux x86_64".into(),
        cpus: 2,
        git_commit: None,
        started: "2026-01-01T00:00:00Z".into(),
        finished: "2026-01-01T00:00:02Z".into(),
        elapsed: Duration::from_millis(2_000),
    }
}
