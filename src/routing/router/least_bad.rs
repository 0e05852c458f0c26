//! The least bad target, where nobody is available.
//!
//! Left out is who cannot take the request (model, and the hard filters of `smart`), is switched
//! off by its owner, disabled by an account fault, or full: these are facts, and an attempt there
//! would be one that fails. What is overridden are guesses about the future: a breaker's open time,
//! the one probe of a half-open one, a cool-down, the gateway's own count of a quota.
//!
//! The order is: whom a breaker keeps out before whom a rate limit does (the first may be back, the
//! second has said that it is not); then the lowest share of the in-flight limit; then who comes
//! back soonest; then the healthiest; then by lot. Load comes before time because the soonest to
//! come back would else get everything, be it dead or the first of many to recover: a dead one
//! fails fast and stays empty, a hanging or a recovering one fills up, and passes the rest on.
//! (Envoy's panic threshold spreads over all for the same reason.)

use super::{Doubts, Relaxed, RoutingDecision, SmartRouter, confidence, cost_at};
use crate::record::Strategy;
use crate::request::RequestFeatures;
use crate::routing::balancer::IntelligentLoadBalancer;
use crate::routing::router::estimated_latency;
use crate::routing::target::{TargetIndex, TargetSet};
use crate::time::Timestamp;
use std::cmp::Ordering;

/// What a target is worse by, most important first.
#[derive(Clone, Copy, Debug)]
struct Badness {
    limited: bool,
    in_flight: u32,
    max_in_flight: u32,
    back: Option<Timestamp>,
    health: f64,
}

impl Badness {
    fn compare(&self, other: &Self) -> Ordering {
        let share = |a: &Self, b: &Self| u64::from(a.in_flight) * u64::from(b.max_in_flight);
        self.limited
            .cmp(&other.limited)
            .then(share(self, other).cmp(&share(other, self)))
            .then(self.back.cmp(&other.back))
            .then(other.health.total_cmp(&self.health))
    }
}

impl SmartRouter {
    /// The least bad target for a request that nobody can take; `None` if there is nothing to
    /// choose from. `tried` are the targets where it has failed, with how many of them (the first
    /// ones) must not see it again; of the others it goes to none that is still cooling down.
    #[cold]
    pub(in crate::routing) fn least_bad(
        &self,
        balancer: &mut IntelligentLoadBalancer,
        now: Timestamp,
        features: &RequestFeatures,
        tried: (&[TargetIndex], usize),
    ) -> Option<RoutingDecision> {
        let (best, ties) = self.least(balancer, now, features, tried)?;
        let lot = if ties > 1 {
            balancer.rng().below(ties)
        } else {
            0
        };
        let choices = self.choices(balancer, now, features, tried);
        let equals = |(_, badness): &(TargetIndex, Badness)| badness.compare(&best).is_eq();
        let (target, _) = choices.filter(equals).nth(lot as usize)?;
        Some(self.decision(balancer, features, target, !tried.0.is_empty()))
    }

    /// How bad the least bad is, and how many are as bad.
    fn least(
        &self,
        balancer: &IntelligentLoadBalancer,
        now: Timestamp,
        features: &RequestFeatures,
        tried: (&[TargetIndex], usize),
    ) -> Option<(Badness, u32)> {
        let mut best: Option<(Badness, u32)> = None;
        for (_, badness) in self.choices(balancer, now, features, tried) {
            match &mut best {
                Some((least, ties)) => match badness.compare(least) {
                    Ordering::Less => best = Some((badness, 1)),
                    Ordering::Equal => *ties += 1,
                    Ordering::Greater => {}
                },
                None => best = Some((badness, 1)),
            }
        }
        best
    }

    /// Who could be sent the request, and how bad that would be.
    fn choices<'a>(
        &self,
        balancer: &'a IntelligentLoadBalancer,
        now: Timestamp,
        features: &'a RequestFeatures,
        (tried, barred): (&'a [TargetIndex], usize),
    ) -> impl Iterator<Item = (TargetIndex, Badness)> + use<'a> {
        let pool = balancer.pool();
        let minds_quotas = self.quota_aware && pool.declares_quotas();
        let need = pool.expected_need(features);
        let serving = pool.sets().serving(features.model);
        let serving = serving.into_iter().flat_map(TargetSet::iter);
        serving.filter_map(move |target| {
            let (_, cool_down) = pool.holds(target);
            let cooling = cool_down.until() > now;
            let out = cool_down.is_disabled(now)
                || pool.is_full(target)
                || !balancer.could_serve(target, features)
                || tried[..barred].contains(&target)
                || cooling && tried.contains(&target);
            let (in_flight, max_in_flight) = pool.load(target);
            let badness = Badness {
                limited: cooling || minds_quotas && !pool.has_quota(now, target, &need),
                in_flight,
                max_in_flight,
                back: pool.available_from(now, target),
                health: pool.health(target),
            };
            (!out).then_some((target, badness))
        })
    }

    fn decision(
        &self,
        balancer: &IntelligentLoadBalancer,
        features: &RequestFeatures,
        target: TargetIndex,
        is_retry: bool,
    ) -> RoutingDecision {
        let (pool, wanted) = (balancer.pool(), &features.preferences);
        // Nobody was asked what it would cost or how long it would take.
        let relaxed = Relaxed {
            latency: self.is_smart() && wanted.latency_tolerance.is_some(),
            cost: self.is_smart() && wanted.cost_sensitivity.is_some(),
            provider: self.is_smart() && wanted.provider.is_some() && !wanted.provider_required,
        };
        let doubts = Doubts {
            relaxed: relaxed.count(),
            is_retry,
            least_bad: true,
        };
        let confidence = self.is_smart().then(|| {
            let with_health = (target, pool.health(target));
            let config = &self.config.confidence;
            confidence::confidence(config, pool, with_health, features, None, doubts)
        });
        let strategy = match self.strategy {
            Strategy::Smart => self.config.by_priority[features.priority.at()],
            plain => plain,
        };
        let estimated_cost = self.is_smart().then(|| cost_at(pool, target, features));
        RoutingDecision {
            target,
            account: pool.account_of(target),
            strategy,
            confidence,
            estimated_latency: estimated_cost.and_then(|_| estimated_latency(pool, target)),
            estimated_cost,
            relaxed,
            least_bad: true,
        }
    }
}
