//! Confidence by hand: base 0.5, + 0.15 capability + 0.15 preference + 0.20 health, - 0.1 a doubt.

use super::router::{decide, measured, wishing};
use crate::stage::{Stage, accounts, at, features, retrying, secs, served};
use routelab::record::Strategy;
use routelab::request::{FailureKind, Provider, RegionIndex, RequestFeatures, UserPreferences};
use routelab::routing::account::{Account, Availability};
use routelab::routing::router::SmartRouter;
use routelab::time::Timestamp;

/// The only account, measured at 5 s, which scores 0.5: 0.40 + 0.15 + 0.20 + 0.10.
const HEALTH: f64 = 0.85;

fn one_measured(account: &Account) -> Stage {
    measured(
        &retrying(Strategy::Smart),
        std::slice::from_ref(account),
        &[secs(5)],
    )
}

fn confidence(stage: &Stage, now: Timestamp, features: &RequestFeatures) -> f64 {
    let decision = decide(&retrying(Strategy::Smart), stage, now, features).unwrap();
    decision.confidence.unwrap().as_f64()
}

fn assert_near(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() < 1e-4,
        "{what}: {found}, not {expected}"
    );
}

#[test]
fn with_nothing_stated_and_nothing_in_doubt() {
    let stage = one_measured(&accounts(1)[0]);
    let found = confidence(&stage, at(6_000), &features());
    assert_near(found, 0.5 + 0.15 + 0.15 + 0.2 * HEALTH, "0.97");
    let fresh = Stage::new(&retrying(Strategy::Smart), &accounts(1));
    let found = confidence(&fresh, at(0), &features());
    assert_near(found, 0.5 + 0.15 + 0.15 + 0.2 * HEALTH - 0.1, "unmeasured");
}

#[test]
fn plain_strategies_state_none() {
    let config = retrying(Strategy::RoundRobin);
    let stage = Stage::new(&config, &accounts(1));
    let decision = decide(&config, &stage, at(0), &features()).unwrap();
    assert_eq!(decision.confidence, None);
}

/// Quality above the minimum, a context window of twice the need, the user's own region: a third of
/// 0.15 each.
#[test]
fn capability_is_the_share_of_three() {
    let mut account = accounts(1)[0].clone();
    account.region = Some(RegionIndex(1));
    account.models[0].context_window = 4_000;
    let stage = one_measured(&account);
    let rest = 0.5 + 0.15 + 0.2 * HEALTH;
    for (quality, output, region, met) in [
        (2, 1_000, 1, 3.0), // tier 3; 2 x 2,000 tokens fit exactly
        (3, 1_000, 1, 2.0), // the minimum is met, not exceeded
        (2, 1_001, 1, 2.0),
        (2, 1_000, 0, 2.0),
        (3, 1_001, 0, 0.0),
    ] {
        let features = RequestFeatures {
            max_output_tokens: Some(output),
            user_region: Some(RegionIndex(region)),
            ..wishing(UserPreferences {
                minimum_quality: Some(quality),
                ..UserPreferences::default()
            })
        };
        let expected = rest + 0.15 * met / 3.0;
        let what = format!("{quality} {output} {region}");
        assert_near(confidence(&stage, at(6_000), &features), expected, &what);
    }
}

/// Of the stated wishes those that the account meets; each that had to be given up is a doubt too.
#[test]
fn preference_is_the_share_of_the_stated() {
    let stage = one_measured(&accounts(1)[0]);
    let rest = 0.5 + 0.15 + 0.2 * HEALTH;
    let all = UserPreferences {
        provider: Some(Provider::Anthropic),
        latency_tolerance: Some(secs(5)),
        cost_sensitivity: Some(1.0),
        ..UserPreferences::default()
    };
    let slow = UserPreferences {
        latency_tolerance: Some(secs(4)),
        ..all
    };
    let elsewhere = UserPreferences {
        provider: Some(Provider::Google),
        ..slow
    };
    // Giving up the provider gives up what stands before it in the order: three doubts.
    for (wanted, share, doubts) in [
        (all, 1.0, 0.0),
        (slow, 2.0 / 3.0, 1.0),
        (elsewhere, 1.0 / 3.0, 3.0),
    ] {
        let expected = rest + 0.15 * share - 0.1 * doubts;
        let found = confidence(&stage, at(6_000), &wishing(wanted));
        assert_near(found, expected, &format!("{wanted:?}"));
    }
}

/// "Near the cheapest" means the cheapest that could have had the request: one that is switched off
/// does not make the others dear, neither when choosing nor when saying how sure.
#[test]
fn the_cheapest_is_one_that_could_have_it() {
    let mut pool = accounts(2);
    pool[1].models = vec![served(0, 0.1)];
    pool[1].availability = Availability::Disabled;
    let mut stage = one_measured(&pool[0]);
    stage.gateway.upsert(at(5_000), pool[1].clone());
    let thrifty = wishing(UserPreferences {
        cost_sensitivity: Some(1.0),
        ..UserPreferences::default()
    });
    let decision = decide(&retrying(Strategy::Smart), &stage, at(6_000), &thrifty).unwrap();
    assert!(!decision.relaxed.cost);
    let found = decision.confidence.unwrap().as_f64();
    assert_near(found, 0.5 + 0.15 + 0.15 + 0.2 * HEALTH, "the wish is met");
}

#[test]
fn a_retry_is_a_doubt() {
    let stage = one_measured(&accounts(1)[0]);
    let mut balancer = stage.gateway.balancer().clone();
    let mut router = SmartRouter::new(&retrying(Strategy::Smart));
    let decision = router.route(&mut balancer, at(6_000), &features(), &[], true);
    let found = decision.unwrap().confidence.unwrap().as_f64();
    assert_near(found, 0.8 + 0.2 * HEALTH - 0.1, "a retry");
}

/// More than 80 of 100 in flight; the health falls with the load all the while.
#[test]
fn a_busy_account_is_a_doubt() {
    let mut stage = one_measured(&accounts(1)[0]);
    for in_flight in 0..100 {
        let health = HEALTH - 0.2 * f64::from(in_flight) / 100.0;
        let doubt = if in_flight > 80 { 0.1 } else { 0.0 };
        let found = confidence(&stage, at(6_000), &features());
        assert_near(found, 0.8 + 0.2 * health - doubt, &format!("{in_flight}"));
        stage.send(at(6_000), &features());
    }
}

/// Five failures with nothing measured, then a probe: success 1 of 6, no stability; unmeasured and
/// half-open are a doubt each.
#[test]
fn a_probe_is_a_doubt() {
    let mut config = retrying(Strategy::Smart);
    config.retry.max_attempts = 1;
    let mut stage = Stage::new(&config, &accounts(1));
    for _ in 0..5 {
        let sent = stage.send(at(0), &features());
        stage.fail(at(0), sent, FailureKind::Unavailable);
    }
    config.breaker.as_mut().unwrap().open_time = secs(60);
    // The window has turned by then: its ten ticks of 6 s no longer hold the failures.
    let health = 0.40 + 0.15 + 0.20;
    let found = confidence(&stage, at(60_000), &features());
    assert_near(found, 0.8 + 0.2 * health - 0.2, "a probe");
}

/// Never below 0 or above 1, whatever the weights are.
#[test]
fn it_is_clamped() {
    for (base, expected) in [(-5.0, 0.0), (5.0, 1.0)] {
        let mut config = retrying(Strategy::Smart);
        config.smart.confidence.base = base;
        let stage = Stage::new(&config, &accounts(1));
        let decision = decide(&config, &stage, at(0), &features()).unwrap();
        assert_eq!(decision.confidence.unwrap().as_f64(), expected);
    }
}
