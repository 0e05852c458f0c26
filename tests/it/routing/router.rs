//! The smart router: strategy by priority, filters, preferences, refusals and their reasons.

mod explanation;
mod preferences;
mod quotas;

use crate::stage::{PLAIN, Stage, accounts, at, features, retrying, secs, served};
use routelab::record::{Outcome, Rejection, Strategy};
use routelab::request::{
    AccountIndex, FailureKind, ModelIndex, Provider, RequestFeatures, RequestPriority,
    UserPreferences,
};
use routelab::routing::account::{Account, Availability, RateLimits};
use routelab::routing::config::RoutingConfig;
use routelab::routing::router::{RoutingDecision, SmartRouter};
use routelab::routing::target::TargetIndex;
use routelab::time::{Duration, Timestamp};
use routelab::units::NanoUsd;

fn smart() -> RoutingConfig {
    retrying(Strategy::Smart)
}

/// What would be decided now; nothing is changed by asking.
pub(super) fn decide(
    config: &RoutingConfig,
    stage: &Stage,
    now: Timestamp,
    features: &RequestFeatures,
) -> Result<RoutingDecision, Rejection> {
    decide_without(config, stage, now, features, &[])
}

fn decide_without(
    config: &RoutingConfig,
    stage: &Stage,
    now: Timestamp,
    features: &RequestFeatures,
    tried: &[TargetIndex],
) -> Result<RoutingDecision, Rejection> {
    let mut balancer = stage.gateway.balancer().clone();
    SmartRouter::new(config).route(&mut balancer, now, features, tried, false)
}

pub(super) fn wishing(preferences: UserPreferences) -> RequestFeatures {
    RequestFeatures {
        preferences,
        ..features()
    }
}

/// Accounts measured at these response times, by requests that only they could take.
pub(super) fn measured(config: &RoutingConfig, pool: &[Account], took: &[Duration]) -> Stage {
    let mut stage = Stage::new(config, pool);
    let switch = |stage: &mut Stage, only: Option<usize>| {
        for (n, account) in pool.iter().enumerate() {
            let mut account = account.clone();
            if only.is_some_and(|only| only != n) {
                account.availability = Availability::Disabled;
            }
            stage.gateway.upsert(at(0), account);
        }
    };
    let mut sent = vec![];
    for n in 0..took.len() {
        switch(&mut stage, Some(n));
        sent.push(stage.send(at(0), &features()));
    }
    sent.sort_by_key(|sent| took[sent.account]);
    for sent in sent {
        stage.succeed(at(0) + took[sent.account], sent);
    }
    switch(&mut stage, None);
    stage
}

#[test]
fn the_strategy_follows_the_priority() {
    let chosen = |stage: &Stage, now| {
        let by = |priority: &RequestPriority| {
            let features = RequestFeatures {
                priority: *priority,
                ..features()
            };
            decide(&smart(), stage, now, &features).unwrap().strategy
        };
        RequestPriority::ALL.iter().map(by).collect::<Vec<_>>()
    };
    use Strategy::{Adaptive, FastestResponse, HealthBased, RoundRobin, WeightedRoundRobin};
    let cold = [FastestResponse, HealthBased, WeightedRoundRobin, RoundRobin];
    let warm = [FastestResponse, HealthBased, Adaptive, RoundRobin];
    let one = measured(&smart(), &accounts(3), &[secs(1)]);
    let two = measured(&smart(), &accounts(3), &[secs(1), secs(1)]);
    assert_eq!(chosen(&Stage::new(&smart(), &accounts(3)), at(0)), cold);
    assert_eq!(chosen(&one, at(2_000)), cold, "one is measured");
    assert_eq!(chosen(&two, at(2_000)), warm, "two are");
    assert_eq!(chosen(&two, at(60_999)), warm);
    assert_eq!(
        chosen(&two, at(61_000)),
        cold,
        "forgotten after 60 s without a sample"
    );
}

/// Measured accounts that are no candidates do not help `adaptive`.
#[test]
fn only_candidates_count_as_measured() {
    let mut pool = accounts(4);
    pool[0].provider = Provider::Google;
    let stage = measured(&smart(), &pool, &[secs(1), secs(1)]);
    let google = wishing(UserPreferences {
        provider: Some(Provider::Google),
        provider_required: true,
        ..UserPreferences::default()
    });
    let decision = decide(&smart(), &stage, at(2_000), &google).unwrap();
    assert_eq!(decision.strategy, Strategy::WeightedRoundRobin);
    assert_eq!(decision.account, AccountIndex(0));
}

/// One account of each kind that a hard filter leaves out, and one that passes all.
fn filtered_pool() -> Vec<Account> {
    let mut pool = accounts(5);
    pool[0].provider = Provider::Google;
    pool[1].models[0].quality = 2;
    pool[2].models[0].context_window = 1_999;
    pool[3].limits = RateLimits {
        input_tokens_per_minute: Some(900),
        ..RateLimits::default()
    };
    pool
}

fn demanding() -> RequestFeatures {
    RequestFeatures {
        max_output_tokens: Some(1_000),
        ..wishing(UserPreferences {
            provider: Some(Provider::Anthropic),
            provider_required: true,
            minimum_quality: Some(3),
            ..UserPreferences::default()
        })
    }
}

#[test]
fn hard_filters_are_never_relaxed() {
    let mut pool = filtered_pool();
    let mut stage = Stage::new(&smart(), &pool);
    // Takes the quota's only minute away: 1,000 tokens of 900.
    let small = RequestFeatures {
        model: ModelIndex(1),
        ..features()
    };
    pool[3].models.push(served(1, 1.0));
    stage.gateway.upsert(at(0), pool[3].clone());
    assert_eq!(stage.send(at(0), &small).account, 3);
    for _ in 0..50 {
        assert_eq!(stage.send(at(1), &demanding()).account, 4);
    }
    pool[4].availability = Availability::Draining;
    stage.gateway.upsert(at(1), pool[4].clone());
    let refused = stage.request(at(1), &demanding()).ended().unwrap();
    assert_eq!(refused.outcome, Outcome::Rejected(Rejection::NoneAvailable));
}

/// A required provider, a quality, a length or a model that nobody has: `not_served`, by the smart
/// router. A plain strategy looks at the model alone.
#[test]
fn what_nobody_serves_is_said_to_be_so() {
    let impossible = [
        wishing(UserPreferences {
            provider: Some(Provider::OpenAi),
            provider_required: true,
            ..UserPreferences::default()
        }),
        wishing(UserPreferences {
            minimum_quality: Some(4),
            ..UserPreferences::default()
        }),
        RequestFeatures {
            estimated_tokens: 200_001,
            ..features()
        },
    ];
    let no_model = RequestFeatures {
        model: ModelIndex(2),
        ..features()
    };
    let outcome = |config: &RoutingConfig, features: &RequestFeatures| {
        let mut stage = Stage::new(config, &accounts(2));
        stage.request(at(0), features).ended().map(|r| r.outcome)
    };
    let not_served = Some(Outcome::Rejected(Rejection::NotServed));
    for features in &impossible {
        assert_eq!(outcome(&smart(), features), not_served, "{features:?}");
        assert_eq!(outcome(&retrying(Strategy::Random), features), None);
    }
    for strategy in Strategy::ALL {
        assert_eq!(outcome(&retrying(*strategy), &no_model), not_served);
    }
}

/// Who is refused because nobody is available is told when that ends; others are told nothing.
#[test]
fn a_refusal_says_when_to_come_back() {
    let mut stage = Stage::new(&retrying(Strategy::RoundRobin), &accounts(1));
    let sent = stage.send(at(0), &features());
    let failed = stage.fail(at(0), sent, FailureKind::BadRequest).ended();
    assert_eq!(failed.unwrap().retry_at, None);
    let other = RequestFeatures {
        model: ModelIndex(7),
        ..features()
    };
    let sent = stage.send(at(0), &features());
    stage.limit(at(0), sent, Some(secs(8)));
    let retry_at = |stage: &mut Stage, features: &RequestFeatures| {
        let refused = stage.request(at(1), features).ended().unwrap();
        assert_eq!(refused.attempts, 0);
        refused.retry_at
    };
    assert_eq!(retry_at(&mut stage, &features()), Some(at(8_000)));
    assert_eq!(retry_at(&mut stage, &other), None, "nobody will ever");
    let mut full = accounts(1);
    full[0].max_in_flight = 1;
    let mut stage = Stage::new(&retrying(Strategy::RoundRobin), &full);
    stage.send(at(0), &features());
    assert_eq!(retry_at(&mut stage, &features()), None, "nobody knows");
}

/// The smart router says what it expects: the time by the account's estimate, the cost by the
/// model's mean output (256 tokens before the first answer) at $1 and $2 per million.
#[test]
fn a_decision_states_latency_and_cost() {
    let estimates = |config: &RoutingConfig, stage: &Stage, features: &RequestFeatures| {
        let decision = decide(config, stage, at(5_000), features).unwrap();
        (decision.estimated_latency, decision.estimated_cost)
    };
    let mut stage = Stage::new(&smart(), &accounts(1));
    let cost = |tokens: u64| Some(NanoUsd(1_000 * (1_000 + 2 * tokens)));
    assert_eq!(estimates(&smart(), &stage, &features()), (None, cost(256)));
    stage.serve(at(0), secs(4));
    let expected = (Some(secs(4)), cost(100));
    assert_eq!(estimates(&smart(), &stage, &features()), expected);
    let short = RequestFeatures {
        max_output_tokens: Some(50),
        ..features()
    };
    assert_eq!(estimates(&smart(), &stage, &short).1, cost(50));
    for strategy in PLAIN {
        let stated = estimates(&retrying(strategy), &stage, &features());
        assert_eq!(stated, (None, None), "{strategy}");
    }
}
