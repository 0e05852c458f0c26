//! A balancer that is kept busy: what the cost of a decision is measured on.
//!
//! The balancer and the router are the real ones; there is no world around them. A pool is warmed
//! up so that every account is measured and has three attempts in flight; from then on, each
//! decision can be followed by its dispatch and the end of the oldest attempt, as in a gateway
//! under steady load. Without these a decision would find everything unchanged since the last one
//! and be answered from what is kept up to date anyway, which flatters it. Time passes by a fixed
//! step, not by a clock: measuring is the business of whoever drives this (`cli/decide.rs`,
//! `benches/decision.rs`).

use super::account::{Account, Availability, RateLimits, ServedModel};
use super::balancer::IntelligentLoadBalancer;
use super::breaker::Ticket;
use super::config::RoutingConfig;
use super::geography::Geography;
use super::pool::AttemptEnd;
use super::router::SmartRouter;
use super::target::TargetIndex;
use crate::record::Strategy;
use crate::request::{
    ModelIndex, Provider, RegionIndex, RequestFeatures, RequestPriority, RequestType, Usage,
    UserPreferences,
};
use crate::rng::Rng;
use crate::time::{Duration, Timestamp};
use crate::units::{Price, Prices};
use std::collections::VecDeque;

/// Regions that accounts are spread over.
pub const REGIONS: usize = 3;

/// Attempts in flight at each account.
const IN_FLIGHT: usize = 3;

/// Time between two decisions.
const STEP: Duration = Duration::from_micros(10);

/// A warm pool and its strategy.
pub struct Drill {
    strategy: Strategy,
    balancer: IntelligentLoadBalancer,
    router: SmartRouter,
    features: RequestFeatures,
    in_flight: VecDeque<(TargetIndex, Ticket)>,
    now: Timestamp,
    rng: Rng,
}

impl Drill {
    /// A pool of so many accounts, with the default settings of routing.
    #[must_use]
    pub fn new(strategy: Strategy, accounts: usize) -> Self {
        let config = RoutingConfig {
            strategy,
            ..RoutingConfig::default()
        };
        let trips = [2, 80, 90, 80, 2, 90, 80, 90, 2].map(Duration::from_millis);
        let geography = Geography::new(&trips, REGIONS);
        let mut drill = Self {
            strategy,
            balancer: IntelligentLoadBalancer::new(&config, geography, Rng::from_state(1)),
            router: SmartRouter::new(&config),
            features: features(),
            in_flight: VecDeque::with_capacity(accounts * (IN_FLIGHT + 1)),
            now: Timestamp::ZERO + Duration::from_secs(10),
            rng: Rng::from_state(2),
        };
        for account in self::accounts(accounts) {
            drill.balancer.upsert(Timestamp::ZERO, account);
        }
        for _ in 0..=IN_FLIGHT {
            (0..accounts as u32).for_each(|target| drill.dispatch(TargetIndex(target)));
        }
        (0..accounts).for_each(|_| drill.end_oldest());
        drill
    }

    /// One decision, a step later. `None` if nobody is available: never, as long as every dispatch
    /// is followed by an end.
    #[inline]
    pub fn pick(&mut self) -> Option<TargetIndex> {
        self.now += STEP;
        if self.strategy == Strategy::Smart {
            let (balancer, features) = (&mut self.balancer, &self.features);
            let decision = self.router.route(balancer, self.now, features, &[], false);
            return decision.ok().map(|decision| decision.target);
        }
        self.balancer.pick(self.now, self.strategy, &self.features)
    }

    /// An attempt goes to a target.
    pub fn dispatch(&mut self, target: TargetIndex) {
        let ticket = self.balancer.dispatched(self.now, target, &[1.0, 0.0, 0.0]);
        self.in_flight.push_back((target, ticket));
    }

    /// The attempt that has been in flight for longest ends well, after about a second.
    pub fn end_oldest(&mut self) {
        let Some((target, ticket)) = self.in_flight.pop_front() else {
            return;
        };
        let took = Duration::from_micros(u64::from(800_000 + self.rng.below(400_000)));
        let end = AttemptEnd {
            target,
            ticket,
            model: ModelIndex(0),
            streaming: true,
            dispatched: self.now - took,
            late: false,
            had_first_token: true,
            failure: None,
            usage: Usage::default(),
            expected: [1.0, 0.0, 0.0],
        };
        self.balancer.first_token(self.now, target, self.now - took);
        self.balancer.ended(self.now, &end);
    }
}

fn features() -> RequestFeatures {
    RequestFeatures {
        model: ModelIndex(0),
        estimated_tokens: 1_000,
        max_output_tokens: None,
        priority: RequestPriority::Normal,
        request_type: RequestType::Chat,
        streaming: true,
        user_region: Some(RegionIndex(1)),
        preferences: UserPreferences::default(),
        cache_key: None,
    }
}

/// Accounts of two providers in three regions, as a large pool has them: three weights, room for
/// 100 attempts each, no quotas.
#[must_use]
pub fn accounts(count: usize) -> Vec<Account> {
    let price = |usd| Price::usd_per_mtok(usd).unwrap_or_default();
    let served = ServedModel {
        model: ModelIndex(0),
        prices: Prices {
            input: price(3.0),
            output: price(15.0),
            cached_input: price(0.3),
        },
        quality: 4,
        context_window: 200_000,
    };
    (0..count)
        .map(|index| Account {
            id: format!("account-{index}"),
            provider: if index < count / 2 {
                Provider::Anthropic
            } else {
                Provider::Google
            },
            region: Some(RegionIndex((index % REGIONS) as u16)),
            models: vec![served],
            weight: 1 + (index % 3) as u32,
            max_in_flight: 100,
            limits: RateLimits::default(),
            organisation: None,
            availability: Availability::Enabled,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is timed must be a decision, not the refusal of one.
    #[test]
    fn every_strategy_always_finds_somebody() {
        for &strategy in Strategy::ALL {
            for accounts in [1, 10, 100] {
                let mut drill = Drill::new(strategy, accounts);
                let mut seen = vec![false; accounts];
                for decision in 0..1_000 {
                    let target = drill.pick();
                    let target = target.unwrap_or_else(|| panic!("{strategy} {decision}"));
                    seen[target.at()] = true;
                    drill.dispatch(target);
                    drill.end_oldest();
                    assert_eq!(drill.in_flight.len(), accounts * IN_FLIGHT);
                }
                let used = seen.iter().filter(|seen| **seen).count();
                assert!(
                    accounts == 1 || used > 1,
                    "{strategy}: {used} of {accounts}"
                );
            }
        }
    }
}
