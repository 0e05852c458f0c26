//! `IntelligentLoadBalancer`: the pool, the strategies, and the choice of a target by one of them.

use crate::record::Strategy;
use crate::request::{AccountIndex, RequestFeatures};
use crate::rng::Rng;
use crate::routing::account::{Account, Availability};
use crate::routing::breaker::{BreakerState, Ticket};
use crate::routing::config::RoutingConfig;
use crate::routing::geography::Geography;
use crate::routing::pool::{AttemptEnd, Pool};
use crate::routing::quota::Need;
use crate::routing::strategy::{Strategies, View};
use crate::routing::target::{TargetIndex, TargetSet};
use crate::time::{Duration, Timestamp};

/// Chooses targets and learns from what becomes of the attempts. Knows no clock: `now` never goes
/// back from call to call.
#[derive(Clone, Debug)]
pub struct IntelligentLoadBalancer {
    pool: Pool,
    strategies: Strategies,
    /// Candidates of the request at hand.
    candidates: TargetSet,
    /// When they were gathered, if some target is in a slow start.
    warming_at: Option<Timestamp>,
    /// Working memory: the candidates that a slow start has spared.
    spared: TargetSet,
    /// Whether preferences and context windows can rule an account out: only for `smart`.
    smart: bool,
    minds_quotas: bool,
}

/// Why an account cannot take a request now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ineligible {
    /// It does not serve the model.
    Model,
    /// Its owner has disabled it, or is draining it.
    Unavailable,
    /// It cools down after a rate limit until then.
    CoolingDown(Timestamp),
    /// An account fault has taken it out until then.
    AccountFault(Timestamp),
    /// Its breaker is open until then.
    BreakerOpen(Timestamp),
    /// Its half-open breaker has no free probe slot.
    ProbeInFlight,
    /// It has as many attempts in flight as allowed.
    Full,
    /// Another provider is required.
    Provider,
    /// Its model is below the minimum quality.
    Quality,
    /// The request is longer than its context window.
    ContextWindow,
    /// Its declared quota has no room.
    Quota,
}

impl IntelligentLoadBalancer {
    /// A balancer without accounts. `policy` is the stream for its own random choices.
    #[must_use]
    pub fn new(config: &RoutingConfig, geography: Geography, policy: Rng) -> Self {
        Self {
            pool: Pool::new(config),
            strategies: Strategies::new(config, geography, policy),
            candidates: TargetSet::default(),
            warming_at: None,
            spared: TargetSet::default(),
            smart: config.strategy == Strategy::Smart,
            minds_quotas: config.minds_quotas(),
        }
    }

    /// Registers an account, or updates a known one in place: what was learned about it stays.
    pub fn upsert(&mut self, now: Timestamp, account: Account) -> AccountIndex {
        self.pool.advance(now);
        self.pool.upsert(now, account)
    }

    /// Picks a target by `strategy` among those that serve the model and admit an attempt; `None`
    /// if there is none.
    #[inline]
    pub fn pick(
        &mut self,
        now: Timestamp,
        strategy: Strategy,
        features: &RequestFeatures,
    ) -> Option<TargetIndex> {
        self.gather(now, features, &[]);
        self.pick_candidate(strategy, features)
    }

    /// Gathers the candidates for a request, those in `except` left out.
    #[inline]
    pub(super) fn gather(
        &mut self,
        now: Timestamp,
        features: &RequestFeatures,
        except: &[TargetIndex],
    ) {
        self.pool.advance(now);
        let sets = self.pool.sets();
        self.warming_at = sets.warming().map(|_| now);
        match sets.serving(features.model) {
            Some(serving) => self.candidates.assign_and(&sets.admitting, serving),
            None => self.candidates.assign(&TargetSet::default()),
        }
        for target in except {
            if self.candidates.contains(*target) {
                self.candidates.set(*target, false);
            }
        }
    }

    /// Picks one of the candidates gathered.
    #[inline]
    pub(super) fn pick_candidate(
        &mut self,
        strategy: Strategy,
        features: &RequestFeatures,
    ) -> Option<TargetIndex> {
        if self.candidates.is_empty() {
            return None;
        }
        if !matches!(strategy, Strategy::RoundRobin | Strategy::Random) {
            self.pool.settle(strategy, features.streaming);
        }
        if let Some(now) = self.warming_at {
            self.spare_the_warming(now);
        }
        let view = View {
            pool: &self.pool,
            candidates: &self.candidates,
            features,
        };
        self.strategies.pick(strategy, &view)
    }

    /// Leaves out every candidate in a slow start with the probability that it still has, unless
    /// nobody would be left. Filters come first: who alone passes them is no choice of ours.
    #[cold]
    fn spare_the_warming(&mut self, now: Timestamp) {
        let Some(warming) = self.pool.sets().warming() else {
            return;
        };
        self.spared.assign(&self.candidates);
        for target in warming.iter() {
            if !self.candidates.contains(target) {
                continue;
            }
            let draw = self.strategies.rng().uniform();
            if draw >= self.pool.warmth(now, target) {
                self.spared.set(target, false);
            }
        }
        if !self.spared.is_empty() {
            std::mem::swap(&mut self.spared, &mut self.candidates);
        }
    }

    /// The candidates gathered, to be narrowed down.
    pub(super) const fn candidates_mut(&mut self) -> (&mut TargetSet, &Pool) {
        (&mut self.candidates, &self.pool)
    }

    /// The candidates gathered.
    pub(super) const fn candidates(&self) -> &TargetSet {
        &self.candidates
    }

    /// The stream for random choices.
    pub(super) const fn rng(&mut self) -> &mut Rng {
        self.strategies.rng()
    }

    /// What was learned.
    #[must_use]
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Notes that an attempt was sent to `target`, picked at this same `now`.
    #[inline]
    pub fn dispatched(&mut self, now: Timestamp, target: TargetIndex, expected: &Need) -> Ticket {
        self.pool.dispatched(now, target, expected)
    }

    /// The same, to a target that does not admit it: no breaker counts the result.
    pub(super) fn dispatched_anyway(
        &mut self,
        now: Timestamp,
        target: TargetIndex,
        expected: &Need,
    ) -> Ticket {
        self.pool.dispatched_anyway(now, target, expected)
    }

    /// Learns that the first token of an attempt has come.
    #[inline]
    pub fn first_token(&mut self, now: Timestamp, target: TargetIndex, dispatched: Timestamp) {
        self.pool.advance(now);
        self.pool.first_token(now, target, dispatched);
    }

    /// Learns from the end of an attempt.
    #[inline]
    pub fn ended(&mut self, now: Timestamp, end: &AttemptEnd) {
        self.pool.advance(now);
        self.pool.ended(now, end);
    }

    /// Mutable access to the pool for the gateway.
    pub(super) const fn pool_mut(&mut self) -> &mut Pool {
        &mut self.pool
    }

    /// When to try again if nothing is available: the earliest end of an open time or cool-down
    /// among the targets that could take the request. `None` if time alone will not help.
    #[must_use]
    pub fn earliest_retry(&self, now: Timestamp, features: &RequestFeatures) -> Option<Timestamp> {
        let serving = self.pool.sets().serving(features.model)?;
        let suitable = serving
            .iter()
            .filter(|target| self.could_serve(*target, features));
        suitable
            .filter_map(|target| self.pool.available_from(now, target))
            .min()
    }

    /// Whether somebody not in `barred` may take the request before `until`: not held back by an
    /// open time or a cool-down that lasts longer. Who is full, out of quota, or probing, may be
    /// free at any time.
    pub(super) fn may_serve_before(
        &self,
        until: Timestamp,
        now: Timestamp,
        features: &RequestFeatures,
        barred: &[TargetIndex],
    ) -> bool {
        let Some(serving) = self.pool.sets().serving(features.model) else {
            return false;
        };
        let back_in_time = |target: TargetIndex| {
            let from = self.pool.available_from(now, target);
            from.is_none_or(|from| from < until)
        };
        serving.iter().any(|target| {
            back_in_time(target) && !barred.contains(&target) && self.could_serve(target, features)
        })
    }

    /// Shortest expected response time among those who admit a request for this model; of an
    /// unmeasured one the reference of the response score.
    pub(super) fn soonest_answer(&self, features: &RequestFeatures) -> Duration {
        let sets = self.pool.sets();
        let serving = sets.serving(features.model).into_iter();
        let admitting = serving
            .flat_map(TargetSet::iter)
            .filter(|target| sets.admitting.contains(*target));
        let expected = admitting.map(|target| self.pool.expected_response(target));
        expected.min().unwrap_or(Duration::ZERO)
    }

    /// Whether a target is enabled by its owner, and suits the request.
    pub(super) fn could_serve(&self, target: TargetIndex, features: &RequestFeatures) -> bool {
        let account = self.pool.account(self.pool.account_of(target));
        account.availability == Availability::Enabled && self.unsuited(target, features).is_none()
    }

    /// When a declared quota that has no room for the request now will have, at an account that
    /// would admit it; `NEVER` if quotas are not minded.
    pub(super) fn quota_from(&self, now: Timestamp, features: &RequestFeatures) -> Timestamp {
        let serving = self.pool.sets().serving(features.model);
        let Some(serving) = serving.filter(|_| self.minds_quotas && self.pool.declares_quotas())
        else {
            return Timestamp::NEVER;
        };
        let need = self.pool.expected_need(features);
        let admitting = &self.pool.sets().admitting;
        let lacks_room = |target: &TargetIndex| {
            admitting.contains(*target) && !self.pool.has_quota(now, *target, &need)
        };
        let times = serving.iter().filter(lacks_room);
        times
            .filter_map(|target| self.pool.quota_from(now, target, &need))
            .min()
            .unwrap_or(Timestamp::NEVER)
    }

    /// Why a target cannot take the request, `None` if it can: for explaining a decision
    /// afterwards.
    #[must_use]
    pub fn ineligible(
        &self,
        now: Timestamp,
        target: TargetIndex,
        features: &RequestFeatures,
    ) -> Option<Ineligible> {
        let account = self.pool.account(self.pool.account_of(target));
        let unsuited = self.unsuited(target, features);
        if unsuited.is_none() && account.availability != Availability::Enabled {
            return Some(Ineligible::Unavailable);
        }
        let quota = || {
            let need = self.pool.expected_need(features);
            (self.minds_quotas && !self.pool.has_quota(now, target, &need))
                .then_some(Ineligible::Quota)
        };
        unsuited
            .or_else(|| self.held_back(now, target))
            .or_else(quota)
    }

    /// Why a target could never take the request, whatever its state: its model (another of the
    /// account's targets may be the one for that), and for `smart`
    /// whatever else the router filters by.
    pub(super) fn unsuited(
        &self,
        target: TargetIndex,
        features: &RequestFeatures,
    ) -> Option<Ineligible> {
        let account = self.pool.account(self.pool.account_of(target));
        let wanted = &features.preferences;
        let serving = self.pool.sets().serving(features.model);
        let served = serving.filter(|serving| serving.contains(target));
        let Some(served) = served.and_then(|_| self.pool.served(target, features.model)) else {
            return Some(Ineligible::Model);
        };
        if !self.smart {
            return None;
        }
        if wanted.provider_required && wanted.provider != Some(account.provider) {
            Some(Ineligible::Provider)
        } else if wanted
            .minimum_quality
            .is_some_and(|least| served.quality < least)
        {
            Some(Ineligible::Quality)
        } else if served.context_window < context_need(&self.pool, features) {
            Some(Ineligible::ContextWindow)
        } else {
            None
        }
    }

    /// What about its recent past keeps a target from taking an attempt.
    fn held_back(&self, now: Timestamp, target: TargetIndex) -> Option<Ineligible> {
        if self.pool.sets().admitting.contains(target) {
            return None;
        }
        let (breaker, cool_down) = self.pool.holds(target);
        match breaker.state() {
            _ if cool_down.is_disabled(now) => Some(Ineligible::AccountFault(cool_down.until())),
            _ if cool_down.until() > now => Some(Ineligible::CoolingDown(cool_down.until())),
            BreakerState::Open => breaker.open_until().map(Ineligible::BreakerOpen),
            _ if self.pool.is_full(target) => Some(Ineligible::Full),
            _ => Some(Ineligible::ProbeInFlight),
        }
    }
}

/// Tokens that have to fit into the context window.
pub(super) fn context_need(pool: &Pool, features: &RequestFeatures) -> u32 {
    let output = features
        .max_output_tokens
        .unwrap_or_else(|| pool.expected_output(features));
    features.estimated_tokens.saturating_add(output)
}
