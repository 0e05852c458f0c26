//! What a status page reads from the gateway: counts, metrics of accounts, health, cost per hour.

use routelab::record::Strategy;
use routelab::request::{
    ClassIndex, FailureKind, ModelIndex, Provider, RequestFeatures, RequestId, RequestPriority,
    RequestType, Usage, UserPreferences,
};
use routelab::rng::Rng;
use routelab::routing::account::{Account, Availability, RateLimits, ServedModel};
use routelab::routing::config::RoutingConfig;
use routelab::routing::gateway::{Action, Gateway};
use routelab::routing::geography::Geography;
use routelab::routing::statistics::{Dimension, Statistics, StatisticsConfig};
use routelab::time::{Duration, Timestamp};
use routelab::units::{NanoUsd, Price, Prices};

fn account(id: &str, provider: Provider) -> Account {
    let price = |usd| Price::usd_per_mtok(usd).expect("a valid price");
    Account {
        id: id.into(),
        provider,
        region: None,
        models: vec![ServedModel {
            model: ModelIndex(0),
            prices: Prices {
                input: price(1.0),
                output: price(5.0),
                cached_input: price(0.1),
            },
            quality: 3,
            context_window: 200_000,
        }],
        weight: 1,
        max_in_flight: 10,
        limits: RateLimits::default(),
        organisation: None,
        availability: Availability::Enabled,
    }
}

const FEATURES: RequestFeatures = RequestFeatures {
    model: ModelIndex(0),
    estimated_tokens: 1_000,
    max_output_tokens: None,
    priority: RequestPriority::High,
    request_type: RequestType::Chat,
    streaming: true,
    user_region: None,
    preferences: UserPreferences {
        provider: None,
        provider_required: false,
        latency_tolerance: None,
        cost_sensitivity: None,
        minimum_quality: None,
    },
    cache_key: None,
};

fn at(millis: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_millis(millis)
}

fn gateway() -> Gateway {
    let config = RoutingConfig {
        strategy: Strategy::RoundRobin,
        ..RoutingConfig::default()
    };
    let counting = StatisticsConfig {
        since: Timestamp::ZERO,
        deadline: config.deadline,
        failure_latency: config.deadline,
        latency_objective: Duration::from_secs(10),
    };
    let statistics = Statistics::new(counting, 0, 1);
    let mut gateway = Gateway::new(
        &config,
        Geography::default(),
        statistics,
        Rng::from_state(1),
    );
    gateway.upsert(Timestamp::ZERO, account("claude", Provider::Anthropic));
    gateway.upsert(Timestamp::ZERO, account("gemini", Provider::Google));
    gateway
}

/// The first request fails at `claude` and is answered by `gemini`; the second is under way at
/// `claude` (round robin).
#[test]
fn a_status_page_adds_up() {
    let mut gateway = gateway();
    gateway.on_request(at(0), RequestId(0), ClassIndex(0), &FEATURES, &mut ());
    let Some(Action::Dispatch { attempt, .. }) = gateway.poll_action() else {
        panic!("no dispatch");
    };
    let overloaded = Some(FailureKind::Overloaded.into());
    gateway.on_ended(at(100), attempt, overloaded, Usage::default(), &mut ());
    let Some(Action::Dispatch { attempt, .. }) = gateway.poll_action() else {
        panic!("no retry");
    };
    gateway.on_first_token(at(600), attempt);
    let usage = Usage {
        input: 1_000,
        cached_input: 0,
        output: 100,
    };
    gateway.on_ended(at(2_100), attempt, None, usage, &mut ());
    gateway.on_request(at(2_200), RequestId(1), ClassIndex(0), &FEATURES, &mut ());

    let now = at(10_000);
    let stats = gateway.get_stats(now);
    assert_eq!(
        (
            stats.total_requests,
            stats.successful_requests,
            stats.in_flight
        ),
        (1, 1, 1)
    );
    assert_eq!(stats.success_rate(), Some(1.0));
    assert_eq!(stats.latency.ok.mean_seconds(), Some(2.1));
    // 1,000 x $1 + 100 x $5 per million tokens, in ten seconds.
    assert_eq!(stats.totals.cost, NanoUsd(1_500_000));
    assert!((stats.cost_per_hour.now_usd - 0.0015 * 360.0).abs() < 1e-9);

    let metrics = gateway.get_all_metrics(now);
    let [(claude_id, claude), (gemini_id, gemini)] = &metrics[..] else {
        panic!("two accounts");
    };
    assert_eq!(
        (claude_id.as_str(), gemini_id.as_str()),
        ("claude", "gemini")
    );
    assert_eq!(claude.failed_attempts[FailureKind::Overloaded.at()], 1);
    assert_eq!(
        (claude.learned.error_streak, claude.learned.in_flight),
        (1, 1)
    );
    assert_eq!(gemini.learned.response_time, Some(Duration::from_secs(2)));
    assert_eq!(
        gemini.learned.first_token_time,
        Some(Duration::from_millis(500))
    );
    assert_eq!(gemini.last_success, Some(at(2_100)));
    assert_eq!((gemini.input_tokens, gemini.output_tokens), (1_000, 100));
    // One prior success: 1/2 at claude, 2/2 at gemini; unmeasured counts 0.5; streak 1 of 5.
    let claude_health = 0.40 * 0.5 + 0.30 * 0.5 + 0.20 * 0.9 + 0.10 * 0.8;
    let gemini_health = 0.40 + 0.30 * 5.0 / 7.0 + 0.20 + 0.10;
    assert!((claude.calculate_health_score() - claude_health).abs() < 1e-12);
    assert!((gemini.calculate_health_score() - gemini_health).abs() < 1e-12);

    let by_provider = gateway.statistics().by(Dimension::Provider);
    let [(provider, segment)] = &by_provider[..] else {
        panic!("one provider answered");
    };
    assert_eq!(*provider, Provider::Google.at());
    assert_eq!((segment.input_tokens, segment.output_tokens), (1_000, 100));
    assert_eq!((segment.requests, segment.first_token_all.count()), (1, 1));
}
