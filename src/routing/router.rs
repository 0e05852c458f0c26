//! `SmartRouter`: request features -> filters -> preferences -> strategy -> target -> confidence.
//!
//! Hard filters (required provider, quality, context window, quota) leave accounts out; soft
//! constraints (latency, cost, preferred provider) are given up one after the other when nobody
//! meets them all, and the decision says which. With a plain strategy configured the router leaves
//! out everything that makes it smart and only asks the balancer, so both go the same way through
//! the same code.

mod confidence;
mod least_bad;

pub use confidence::{Calibration, Doubts};

use crate::record::{Confidence, Rejection, Strategy};
use crate::request::{AccountIndex, RequestFeatures, Usage};
use crate::routing::balancer::{Ineligible, IntelligentLoadBalancer, context_need};
use crate::routing::config::{RoutingConfig, SmartConfig};
use crate::routing::pool::Pool;
use crate::routing::target::{TargetIndex, TargetSet, members};
use crate::time::{Duration, Timestamp};
use crate::units::NanoUsd;

/// Chooses the strategy, narrows the candidates down, and says how sure it is.
#[derive(Clone, Debug)]
pub struct SmartRouter {
    strategy: Strategy,
    quota_aware: bool,
    config: SmartConfig,
    /// Candidates after the hard filters.
    hard: TargetSet,
}

/// Where an attempt goes, and why.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RoutingDecision {
    /// The target.
    pub target: TargetIndex,
    /// Its account.
    pub account: AccountIndex,
    /// The strategy that picked it.
    pub strategy: Strategy,
    /// How likely the attempt is to succeed within the user's tolerance; `None` for plain
    /// strategies.
    pub confidence: Option<Confidence>,
    /// Expected time to the end of the answer; `None` for plain strategies, and while the target is
    /// unmeasured.
    pub estimated_latency: Option<Duration>,
    /// Expected cost; `None` for plain strategies.
    pub estimated_cost: Option<NanoUsd>,
    /// Soft constraints that nobody met and that were given up.
    pub relaxed: Relaxed,
    /// Whether the target is but the least bad: nobody was available.
    pub least_bad: bool,
}

/// Soft constraints given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Relaxed {
    /// Expected latency within the tolerance.
    pub latency: bool,
    /// Cost near the cheapest.
    pub cost: bool,
    /// Preferred provider.
    pub provider: bool,
}

impl Relaxed {
    /// How many.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.latency as u32 + self.cost as u32 + self.provider as u32
    }
}

impl SmartRouter {
    /// A router as configured.
    #[must_use]
    pub fn new(config: &RoutingConfig) -> Self {
        Self {
            strategy: config.strategy,
            quota_aware: config.minds_quotas(),
            config: config.smart,
            hard: TargetSet::default(),
        }
    }

    const fn is_smart(&self) -> bool {
        matches!(self.strategy, Strategy::Smart)
    }

    /// Decides where an attempt goes, `tried` targets left out.
    ///
    /// # Errors
    /// If no account serves the request, or none of those that do is available.
    #[inline(always)]
    pub fn route(
        &mut self,
        balancer: &mut IntelligentLoadBalancer,
        now: Timestamp,
        features: &RequestFeatures,
        tried: &[TargetIndex],
        is_retry: bool,
    ) -> Result<RoutingDecision, Rejection> {
        balancer.gather(now, features, tried);
        let by_quota = self.quota_aware && balancer.pool().declares_quotas();
        if self.is_smart() || by_quota {
            self.filter(balancer, now, features);
        }
        if balancer.candidates().is_empty() {
            return Err(rejection(balancer, features));
        }
        let (relaxed, dearest) = if self.is_smart() {
            self.prefer(balancer, features)
        } else {
            (Relaxed::default(), None)
        };
        let strategy = self.strategy_for(balancer, features);
        let target = balancer
            .pick_candidate(strategy, features)
            .ok_or(Rejection::NoneAvailable)?;
        let doubts = Doubts {
            relaxed: relaxed.count(),
            is_retry,
            least_bad: false,
        };
        let confidence = self.is_smart().then(|| {
            balancer.pool_mut().settle_health();
            let (config, pool) = (&self.config.confidence, balancer.pool());
            let health = pool.keys().health.key(target.at());
            confidence::confidence(config, pool, (target, health), features, dearest, doubts)
        });
        let pool = balancer.pool();
        let estimated_cost = self.is_smart().then(|| cost_at(pool, target, features));
        Ok(RoutingDecision {
            target,
            account: pool.account_of(target),
            strategy,
            confidence,
            estimated_latency: estimated_cost.and_then(|_| estimated_latency(pool, target)),
            estimated_cost,
            relaxed,
            least_bad: false,
        })
    }

    /// The strategy by priority; while fewer than two candidates have been measured, `adaptive` has
    /// nothing to go by.
    fn strategy_for(
        &self,
        balancer: &IntelligentLoadBalancer,
        features: &RequestFeatures,
    ) -> Strategy {
        if !self.is_smart() {
            return self.strategy;
        }
        let strategy = self.config.by_priority[features.priority.at()];
        if strategy == Strategy::Adaptive {
            let measured = balancer.pool().sets().measured.words();
            let candidates = balancer.candidates().words();
            let mut both = measured
                .iter()
                .zip(candidates)
                .flat_map(|(a, b)| members(a & b));
            if both.nth(1).is_none() {
                return self.config.while_unmeasured;
            }
        }
        strategy
    }

    /// Leaves out whom the request must not go to.
    fn filter(
        &self,
        balancer: &mut IntelligentLoadBalancer,
        now: Timestamp,
        features: &RequestFeatures,
    ) {
        let (candidates, pool) = balancer.candidates_mut();
        if self.is_smart() {
            let wanted = &features.preferences;
            if let Some(provider) = wanted.provider.filter(|_| wanted.provider_required) {
                candidates.retain_in(pool.sets().at_provider(provider));
            }
            if let Some(least) = wanted.minimum_quality {
                candidates.retain(|target| {
                    pool.served(target, features.model)
                        .is_some_and(|s| s.quality >= least)
                });
            }
            let tokens = context_need(pool, features);
            if tokens > pool.smallest_context_window(features.model) {
                candidates.retain(|target| {
                    pool.served(target, features.model)
                        .is_some_and(|s| s.context_window >= tokens)
                });
            }
        }
        if self.quota_aware && pool.declares_quotas() {
            let need = pool.expected_need(features);
            candidates.retain(|target| pool.has_quota(now, target, &need));
        }
    }

    /// Keeps the candidates that meet the soft constraints, giving up latency, then cost, then the
    /// preferred provider until somebody is left. Returns what was given up, and the highest cost
    /// that meets the wish where one is stated.
    fn prefer(
        &mut self,
        balancer: &mut IntelligentLoadBalancer,
        features: &RequestFeatures,
    ) -> (Relaxed, Option<NanoUsd>) {
        let wanted = &features.preferences;
        let provider = wanted.provider.filter(|_| !wanted.provider_required);
        let (latency, cost) = (wanted.latency_tolerance, wanted.cost_sensitivity);
        if latency.is_none() && cost.is_none() && provider.is_none() {
            return (Relaxed::default(), None);
        }
        let (candidates, pool) = balancer.candidates_mut();
        self.hard.assign(candidates);
        let dearest = cost.map(|sensitivity| dearest(pool, candidates, features, sensitivity));
        for step in 0..=3 {
            let mut relaxed = Relaxed::default();
            match latency {
                Some(tolerance) if step < 1 => candidates.retain(|t| is_fast(pool, t, tolerance)),
                stated => relaxed.latency = stated.is_some(),
            }
            match dearest {
                Some(most) if step < 2 => candidates.retain(|t| cost_at(pool, t, features) <= most),
                stated => relaxed.cost = stated.is_some(),
            }
            match provider {
                Some(wish) if step < 3 => candidates.retain_in(pool.sets().at_provider(wish)),
                stated => relaxed.provider = stated.is_some(),
            }
            if !candidates.is_empty() {
                return (relaxed, dearest);
            }
            candidates.assign(&self.hard);
        }
        let all = Relaxed {
            latency: latency.is_some(),
            cost: cost.is_some(),
            provider: provider.is_some(),
        };
        (all, dearest)
    }

    /// Why each account that does not get the request could not have; those that could are left
    /// out. For explaining a decision, on demand: it costs nothing when not asked for.
    #[must_use]
    pub fn explain(
        &self,
        balancer: &IntelligentLoadBalancer,
        now: Timestamp,
        features: &RequestFeatures,
    ) -> Vec<(AccountIndex, Ineligible)> {
        let pool = balancer.pool();
        let why = |account| match pool.target_for(account, features.model) {
            Some(target) => balancer.ineligible(now, target, features),
            None => Some(Ineligible::Model),
        };
        pool.account_indices()
            .filter_map(|account| Some((account, why(account)?)))
            .collect()
    }
}

/// Whether nobody could ever take the request, or just nobody now.
pub(super) fn rejection(
    balancer: &IntelligentLoadBalancer,
    features: &RequestFeatures,
) -> Rejection {
    let mut targets = (0..balancer.pool().targets() as u32).map(TargetIndex);
    if targets.all(|target| balancer.unsuited(target, features).is_some()) {
        Rejection::NotServed
    } else {
        Rejection::NoneAvailable
    }
}

/// Expected time to the end of the answer: the estimate of the response time.
#[must_use]
pub fn estimated_latency(pool: &Pool, target: TargetIndex) -> Option<Duration> {
    pool.response_seconds(target).map(Duration::from_secs_f64)
}

/// Expected cost: the estimated input and the expected output at the target's prices.
#[must_use]
pub fn cost_at(pool: &Pool, target: TargetIndex, features: &RequestFeatures) -> NanoUsd {
    let usage = Usage {
        input: features.estimated_tokens,
        cached_input: 0,
        output: pool.expected_output(features),
    };
    pool.served(target, features.model)
        .map_or(NanoUsd(u64::MAX), |s| s.prices.bill(usage))
}

/// Whether the estimated latency is within the tolerance; an unmeasured target passes.
fn is_fast(pool: &Pool, target: TargetIndex, tolerance: Duration) -> bool {
    estimated_latency(pool, target).is_none_or(|latency| latency <= tolerance)
}

/// Highest cost that is accepted: the cheapest candidate's over the sensitivity.
fn dearest(
    pool: &Pool,
    candidates: &TargetSet,
    features: &RequestFeatures,
    sensitivity: f64,
) -> NanoUsd {
    let cheapest = candidates
        .iter()
        .map(|target| cost_at(pool, target, features))
        .min();
    NanoUsd((cheapest.unwrap_or_default().0 as f64 / sensitivity) as u64)
}
