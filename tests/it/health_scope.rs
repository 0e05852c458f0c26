//! `health_scope`: what an account's models have in common, and what not.
//!
//! That the pool learns and chooses right in both scopes is shown against naive models in
//! `routing::strategies` and `routing::request_life`; here is what follows from the scope.

use crate::random_scenario::swarm;
use crate::stage::{Stage, accounts, at, features, once, secs, served};
use crate::support::{results, scenario};
use routelab::experiment::results::{ScenarioResults, StrategyResults};
use routelab::record::Strategy;
use routelab::request::{FailureKind, ModelIndex, RequestFeatures};
use routelab::routing::account::Account;
use routelab::routing::breaker::BreakerState;
use routelab::routing::config::{HealthScope, RoutingConfig};

fn by_model(strategy: Strategy) -> RoutingConfig {
    RoutingConfig {
        health_scope: HealthScope::AccountModel,
        ..once(strategy)
    }
}

/// So many accounts that serve models 0 and 1.
fn pairs(count: usize) -> Vec<Account> {
    let mut pool = accounts(count);
    pool.iter_mut()
        .for_each(|account| account.models.push(served(1, 0.5)));
    pool
}

fn asking(model: u16) -> RequestFeatures {
    RequestFeatures {
        model: ModelIndex(model),
        ..features()
    }
}

/// With one model an account, a target is an account in either scope: every number is the same.
#[test]
fn with_one_model_the_scopes_are_the_same() {
    let mut compared = 0;
    for random in swarm(60).filter(|random| !random.text.contains("[models.m1]")) {
        let wider = "[routing]\nhealth_scope = \"account_model\"\n";
        let text = random.text.replacen("[routing]\n", wider, 1);
        let numbers = |text: &str| {
            let mut all = results(&scenario("one-model", text), 1);
            // Whose a breaker is called differs, nothing else.
            let spans = all
                .strategies
                .iter_mut()
                .flat_map(|arm| &mut arm.breaker_spans);
            spans.for_each(|span| span.model = None);
            format!("{:?}", all.strategies)
        };
        assert!(
            numbers(&random.text) == numbers(&text),
            "seed {}",
            random.seed
        );
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}

/// One of two models fails at one of two accounts from minute 1 to minute 9.
fn model_outage() -> ScenarioResults {
    let text = r#"
        question = "q"
        expectation = "e"
        replications = 1
        duration = "10min"
        strategies = [
            { name = "by_account", strategy = "round_robin" },
            { name = "by_model", strategy = "round_robin", health_scope = "account_model" },
        ]
        output = { timeline_window = "1min" }
        faults = [{ kind = "outage", accounts = "a1", model = "m1", start = "1min",
                    duration = "8min" }]
        [models.m0]
        [models.m1]
        [workload]
        arrivals = "poisson"
        rate = "20rps"
        classes = [
            { name = "c0", model = "m0", input_tokens = 100, output_tokens = 10 },
            { name = "c1", model = "m1", input_tokens = 100, output_tokens = 10 },
        ]
        [[accounts]]
        id = "a{n}"
        count = 2
        provider = "anthropic"
        models = ["m0", "m1"]
        service = { total = "300ms" }
    "#;
    results(&scenario("model-outage", text), 1)
}

/// Share of the dispatches in minutes 2 to 8 that went to the account in trouble.
fn share_of_first(arm: &StrategyResults) -> f64 {
    let rows = arm.timeline.dispatches.chunks(2).skip(2).take(6);
    let (mut first, mut all) = (0, 0);
    for row in rows {
        first += row[0];
        all += row.iter().sum::<u64>();
    }
    first as f64 / all as f64
}

/// By account, the failing model takes the healthy one with it: the account gets almost nothing. By
/// model, it keeps its half of the healthy model's requests, a quarter of all.
#[test]
fn a_failing_model_closes_the_others_only_by_account() {
    let results = model_outage();
    let [by_account, by_model] = [0, 1].map(|at| &results.strategies[at]);
    let (all, some) = (share_of_first(by_account), share_of_first(by_model));
    assert!(all < 0.1, "{all}");
    assert!((some - 0.25).abs() < 0.02, "{some}");
    let whose = |arm: &StrategyResults| {
        let spans = arm.breaker_spans.iter();
        let mut whose: Vec<_> = spans.map(|span| (span.account, span.model)).collect();
        whose.dedup();
        whose
    };
    assert_eq!(whose(by_account), [(0, None)]);
    assert_eq!(whose(by_model), [(0, Some(1))]);
    // One of its two breakers is open for eight minutes: half of the account.
    let open = by_model.accounts[0].breaker_open.as_secs_f64();
    assert!((open - 240.0).abs() < 15.0, "{open}");
    let not_closed: u64 = by_model.timeline.open_nanos.iter().sum();
    let share = not_closed as f64 / (600e9 * f64::from(by_model.timeline.lane_targets[0]));
    assert!((share - 0.4).abs() < 0.03, "{share}");
}

/// The dispatches that a fault of one model is judged by are this model's: a shift of all of them
/// is seen, though half of the account's traffic stays.
#[test]
fn a_fault_of_one_model_is_watched_by_its_dispatches() {
    let results = model_outage();
    for arm in &results.strategies {
        let fault = &arm.faults[0];
        let after = |observed: &_| match observed {
            routelab::experiment::results::Observed::After(time) => time.as_secs_f64(),
            censored => panic!("{}: {censored:?}", arm.name),
        };
        assert!(after(&fault.detect[0]) < 30.0, "{}", arm.name);
        assert!(after(&fault.restore[0]) < 70.0, "{}", arm.name);
    }
}

/// Requests of two models in turn: each model goes round the accounts by itself.
#[test]
fn both_round_robins_are_fair_for_each_model() {
    for strategy in [Strategy::RoundRobin, Strategy::WeightedRoundRobin] {
        let mut config = by_model(strategy);
        config.dynamic_weights = false;
        let mut stage = Stage::new(&config, &pairs(3));
        let mut sent = [[0; 3]; 2];
        for i in 0..600 {
            // Not in a plain alternation: twice as many of model 0.
            let model = usize::from(i % 3 == 2);
            let attempt = stage.send(at(i), &asking(model as u16));
            sent[model][attempt.account] += 1;
            stage.succeed(at(i), attempt);
        }
        for (of_model, even) in sent.iter().zip([133, 66]) {
            let fair = of_model.iter().all(|sent| (even..=even + 1).contains(sent));
            assert!(fair, "{strategy}: {sent:?}");
        }
    }
}

/// Fails model 0 of the only account until its breaker opens.
fn with_one_open(config: &RoutingConfig, pool: &[Account]) -> Stage {
    let mut stage = Stage::new(config, pool);
    for _ in 0..5 {
        let sent = stage.send(at(0), &asking(0));
        stage.fail(at(0), sent, FailureKind::Unavailable);
    }
    stage
}

/// A rate limit is the account's, a breaker the model's.
#[test]
fn a_rate_limit_concerns_all_models_of_an_account() {
    let mut stage = with_one_open(&by_model(Strategy::RoundRobin), &pairs(1));
    assert_eq!(stage.request(at(1), &asking(0)).sent(), None);
    let sent = stage.send(at(1), &asking(1));
    stage.limit(at(1), sent, Some(secs(2)));
    assert_eq!(stage.request(at(2_000), &asking(1)).sent(), None);
    assert!(stage.request(at(2_001), &asking(1)).sent().is_some());
}

/// The limit of attempts in flight is one for all models of an account.
#[test]
fn in_flight_is_counted_by_account() {
    let mut pool = pairs(1);
    pool[0].max_in_flight = 3;
    let mut stage = Stage::new(&by_model(Strategy::LeastConnections), &pool);
    let sent: Vec<_> = [0, 1, 0]
        .map(|model| stage.send(at(0), &asking(model)))
        .into();
    assert_eq!(stage.request(at(0), &asking(0)).sent(), None);
    assert_eq!(stage.request(at(0), &asking(1)).sent(), None);
    stage.succeed(at(1), sent[0]);
    assert!(stage.request(at(1), &asking(1)).sent().is_some());
}

/// Models may come and go: what was learned about one stays, and the new one is known at once.
#[test]
fn a_change_of_models_keeps_what_was_learned() {
    let mut pool = pairs(1);
    let mut stage = with_one_open(&by_model(Strategy::RoundRobin), &pool);
    let both = pool[0].models.clone();
    for models in [vec![both[1], served(2, 1.0)], both.clone()] {
        pool[0].models = models;
        stage.gateway.upsert(at(1_000), pool[0].clone());
        assert_eq!(stage.request(at(1_000), &asking(0)).sent(), None);
        for model in &pool[0].models[pool[0].models.len() - 1..] {
            let sent = stage.send(at(1_000), &asking(model.model.0));
            stage.succeed(at(1_001), sent);
        }
    }
    assert!(
        stage.request(at(60_000), &asking(0)).sent().is_some(),
        "the probe"
    );
}

/// One line for the account, one for each of its models.
#[test]
fn metrics_are_by_account_and_by_target() {
    let mut stage = with_one_open(&by_model(Strategy::RoundRobin), &pairs(1));
    for _ in 0..4 {
        let sent = stage.send(at(1_000), &asking(1));
        stage.succeed(at(1_500), sent);
    }
    let all = stage.gateway.get_all_metrics(at(2_000));
    let [(id, account)] = &all[..] else {
        panic!("{all:?}");
    };
    let learned = &account.learned;
    assert_eq!((id.as_str(), account.total_attempts), ("a0", 9));
    assert_eq!(
        learned.breaker,
        BreakerState::Closed,
        "it still takes model 1"
    );
    assert_eq!((learned.breakers_not_closed, learned.breakers), (1, 2));
    assert_eq!((learned.success_rate, learned.error_streak), (0.5, 5));
    assert_eq!(learned.response_time, Some(at(500).since(at(0))));
    let targets = stage.gateway.get_target_metrics(at(2_000));
    let seen: Vec<_> = targets
        .iter()
        .map(|(id, model, learned)| (id.as_str(), model.map(ModelIndex::at), learned.breaker))
        .collect();
    let expected = [
        ("a0", Some(0), BreakerState::Open),
        ("a0", Some(1), BreakerState::Closed),
    ];
    assert_eq!(seen, expected);
    assert_eq!(
        (targets[0].2.success_rate, targets[1].2.success_rate),
        (1.0 / 6.0, 1.0)
    );
}
