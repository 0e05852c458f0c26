//! Soft constraints: kept while somebody meets them, then given up in a fixed order.

use super::{measured, smart, wishing};
use crate::stage::{account, at, secs, served};
use proptest::prelude::*;
use routelab::request::{Provider, RequestFeatures, RequestPriority, UserPreferences};
use routelab::routing::account::Account;
use routelab::routing::router::{Relaxed, SmartRouter};

/// Latency, price, provider of a candidate.
type Traits = (u64, u64, bool);

/// Soft constraints by the letter: all of them, then without latency, then without cost, then none.
fn naive_preference(pool: &[Traits], wanted: &UserPreferences) -> (Vec<usize>, Relaxed) {
    let cheapest = pool.iter().map(|t| t.1).min().unwrap();
    for step in 0..4 {
        let fits = |(latency, price, google): &Traits| {
            let fast = wanted.latency_tolerance.is_none_or(|t| secs(*latency) <= t);
            let cheap = wanted
                .cost_sensitivity
                .is_none_or(|s| *price as f64 <= cheapest as f64 / s + 1e-9);
            let theirs = wanted.provider.is_none() || *google;
            (fast || step > 0) && (cheap || step > 1) && (theirs || step > 2)
        };
        let left: Vec<usize> = (0..pool.len()).filter(|i| fits(&pool[*i])).collect();
        if !left.is_empty() {
            let relaxed = Relaxed {
                latency: step > 0 && wanted.latency_tolerance.is_some(),
                cost: step > 1 && wanted.cost_sensitivity.is_some(),
                provider: step > 2 && wanted.provider.is_some(),
            };
            return (left, relaxed);
        }
    }
    unreachable!("the last step leaves nobody out")
}

proptest! {
    /// Soft constraints are given up in their order, one at a time, and the decision says which.
    #[test]
    fn soft_constraints_are_relaxed_in_order(
        pool in prop::collection::vec((1u64..6, 1u64..6, any::<bool>()), 1..5),
        tolerance in prop::option::of(0u64..6),
        cost_sensitivity in prop::option::of(prop::sample::select(vec![0.25, 0.5, 1.0])),
        provider in prop::option::of(Just(Provider::Google)),
    ) {
        let traits = pool.iter().enumerate();
        let made: Vec<Account> = traits.map(|(n, (_, price, google))| {
            let provider = if *google { Provider::Google } else { Provider::OpenAi };
            Account { models: vec![served(0, *price as f64)], provider, ..account(n) }
        }).collect();
        let took: Vec<_> = pool.iter().map(|(latency, ..)| secs(*latency)).collect();
        let stage = measured(&smart(), &made, &took);
        let wanted = UserPreferences {
            provider,
            cost_sensitivity,
            latency_tolerance: tolerance.map(secs),
            ..UserPreferences::default()
        };
        let (left, relaxed) = naive_preference(&pool, &wanted);
        let wish = RequestFeatures {
            priority: RequestPriority::Low,
            ..wishing(wanted)
        };
        // Round robin goes through all who are left.
        let mut balancer = stage.gateway.balancer().clone();
        let mut router = SmartRouter::new(&smart());
        let mut seen = vec![];
        for _ in 0..left.len() {
            let decision = router.route(&mut balancer, at(6_000), &wish, &[], false).unwrap();
            prop_assert_eq!(decision.relaxed, relaxed);
            seen.push(decision.account.at());
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, left);
    }
}
