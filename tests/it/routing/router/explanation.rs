//! Why an account did not get a request, and when to come back.

use super::{decide_without, demanding, filtered_pool, smart, wishing};
use crate::stage::{PLAIN, Stage, account, accounts, at, features, once, retrying, secs, served};
use proptest::prelude::*;
use routelab::record::Strategy;
use routelab::request::{AccountIndex, FailureKind, Provider, RequestFeatures, UserPreferences};
use routelab::routing::account::{Account, Availability};
use routelab::routing::balancer::Ineligible;
use routelab::routing::router::SmartRouter;
use routelab::routing::target::TargetIndex;

/// Every reason for leaving an account out, each with its time where it has one.
#[test]
fn every_reason_is_named() {
    let mut pool = filtered_pool();
    pool.extend((5..12).map(account));
    pool[5].availability = Availability::Draining;
    pool[6].models = vec![served(1, 1.0)];
    pool[7].max_in_flight = 1;
    let mut stage = Stage::new(&once(Strategy::Smart), &[]);
    // Whatever happens to one happens while it is alone.
    let fail = |stage: &mut Stage, now: u64, kind: FailureKind| {
        let sent = stage.send(at(now), &features());
        stage.fail(at(now), sent, kind);
    };
    let mut alone = |n: usize, act: &mut dyn FnMut(&mut Stage)| {
        for account in &pool[..=n] {
            let mut account = account.clone();
            if account.id != pool[n].id {
                account.availability = Availability::Disabled;
            }
            stage.gateway.upsert(at(0), account);
        }
        act(&mut stage);
    };
    alone(3, &mut |stage| drop(stage.request(at(0), &features())));
    alone(7, &mut |stage| drop(stage.request(at(0), &features())));
    alone(8, &mut |stage| fail(stage, 0, FailureKind::RateLimited));
    alone(9, &mut |stage| fail(stage, 0, FailureKind::Forbidden));
    alone(10, &mut |stage| {
        (0..5).for_each(|_| fail(stage, 0, FailureKind::BadGateway));
    });
    for account in &pool {
        stage.gateway.upsert(at(1), account.clone());
    }
    let mut explained = |now| {
        let _ = stage.timer(now);
        let mut balancer = stage.gateway.balancer().clone();
        let mut router = SmartRouter::new(&smart());
        let _ = router.route(&mut balancer, now, &demanding(), &[], false);
        router.explain(&balancer, now, &demanding())
    };
    let expected = [
        Ineligible::Provider,
        Ineligible::Quality,
        Ineligible::ContextWindow,
        Ineligible::Quota,
        Ineligible::Unavailable,
        Ineligible::Model,
        Ineligible::Full,
        Ineligible::CoolingDown(at(5_000)),
        Ineligible::AccountFault(at(600_000)),
        Ineligible::BreakerOpen(at(60_000)),
    ];
    let at_places = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10].map(AccountIndex);
    let expected: Vec<_> = at_places.into_iter().zip(expected).collect();
    assert_eq!(explained(at(1)), expected, "4 and 11 could have it");
}

#[test]
fn a_probe_in_flight_is_a_reason() {
    let mut stage = Stage::new(&once(Strategy::Smart), &accounts(1));
    for _ in 0..5 {
        let sent = stage.send(at(0), &features());
        stage.fail(at(0), sent, FailureKind::Connection);
    }
    stage.send(at(60_000), &features());
    let router = SmartRouter::new(&smart());
    let why = router.explain(stage.gateway.balancer(), at(60_000), &features());
    assert_eq!(why, [(AccountIndex(0), Ineligible::ProbeInFlight)]);
}

/// The reasons are those of the router that decides: a plain strategy looks at neither quality nor
/// quota, so neither can be why an account did not get a request.
#[test]
fn a_plain_router_names_only_its_own_reasons() {
    for strategy in PLAIN {
        let config = retrying(strategy);
        let stage = Stage::new(&config, &filtered_pool());
        let large = RequestFeatures {
            estimated_tokens: 100_000,
            ..demanding()
        };
        let why = SmartRouter::new(&config).explain(stage.gateway.balancer(), at(0), &large);
        assert_eq!(why, [], "{strategy}");
    }
}

proptest! {
    /// An account is left out of the explanation exactly if it could have had the request.
    #[test]
    fn the_explanation_agrees_with_the_decision(
        qualities in prop::collection::vec((1u8..6, 0u32..3, any::<bool>()), 1..6),
        minimum_quality in prop::option::of(1u8..6),
        required in any::<bool>(),
        plain in any::<bool>(),
    ) {
        let config = if plain { retrying(Strategy::Random) } else { smart() };
        let pool: Vec<Account> = qualities.iter().enumerate().map(|(n, (quality, full, google))| {
            let mut account = account(n);
            account.models[0].quality = *quality;
            account.max_in_flight = 1 + full;
            account.provider = if *google { Provider::Google } else { Provider::Custom };
            account
        }).collect();
        let mut stage = Stage::new(&config, &pool);
        (0..qualities.len()).for_each(|_| drop(stage.request(at(0), &features())));
        let wanted = wishing(UserPreferences {
            minimum_quality,
            provider: required.then_some(Provider::Google),
            provider_required: required,
            ..UserPreferences::default()
        });
        let router = SmartRouter::new(&config);
        let why = router.explain(stage.gateway.balancer(), at(0), &wanted);
        for n in 0..pool.len() as u32 {
            let others = (0..pool.len() as u32).filter(|other| *other != n).map(TargetIndex);
            let others: Vec<_> = others.collect();
            let alone = decide_without(&config, &stage, at(0), &wanted, &others);
            let left_out = why.iter().any(|(account, _)| account.0 == n);
            prop_assert_eq!(alone.is_err(), left_out, "account {}", n);
        }
    }
}

/// The earliest time at which it makes sense to come back, among the accounts that could take the
/// request at all.
#[test]
fn the_earliest_retry_is_that_of_a_suitable_account() {
    let mut pool = accounts(3);
    pool[0].provider = Provider::Google;
    let mut stage = Stage::new(&once(Strategy::Smart), &pool);
    for _ in 0..3 {
        let sent = stage.send(at(0), &features());
        stage.limit(at(0), sent, Some(secs([60, 5, 9][sent.account])));
    }
    let earliest = |stage: &Stage, features: &RequestFeatures| {
        stage.gateway.balancer().earliest_retry(at(1), features)
    };
    assert_eq!(earliest(&stage, &features()), Some(at(5_000)));
    let google = wishing(UserPreferences {
        provider: Some(Provider::Google),
        provider_required: true,
        ..UserPreferences::default()
    });
    assert_eq!(
        earliest(&stage, &google),
        Some(at(60_000)),
        "the others would refuse it"
    );
    pool[1].availability = Availability::Draining;
    stage.gateway.upsert(at(1), pool[1].clone());
    assert_eq!(
        earliest(&stage, &features()),
        Some(at(9_000)),
        "time does not help the second"
    );
}
