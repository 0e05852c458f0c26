//! The pool: all accounts, what was learned about each target, and what follows from it.
//!
//! Facts change at events (dispatch, first token, end of an attempt, a tick of the success window,
//! the end of a cool-down), decisions are many. So whatever decisions read (scores, and the sets of
//! targets that admit attempts) is brought up to date where a fact changes, for the one target
//! concerned, and a decision is a scan over plain arrays. The alternative, to work scores out from
//! the facts for all targets at each decision, costs ten times as much at a thousand targets.
//!
//! Scores are needed by a decision, not by an event, and several events may come between two
//! decisions (or no decision ever ask for scores: `round_robin` does not): an event only marks its
//! target, and `settle` works the scores out before a decision that reads them.
//!
//! What events touch is kept apart from what the owner wrote about an account: with a thousand
//! accounts the first fits in the cache if it is not mixed with names and lists.
//!
//! Changes that come with time alone (an open breaker turns half-open) are worked off lazily by
//! [`Pool::advance`], from a heap with at most one valid entry for each target.

mod anyway;
mod keys;
mod learned;
mod sets;
mod snapshot;
mod state;
mod targets;

pub(super) use keys::{FEW, higher, highest_of};
pub use keys::{Keys, Ranking};
pub use learned::AttemptEnd;
pub use sets::Sets;
pub use snapshot::Snapshot;

use crate::record::Strategy;
use crate::request::{AccountIndex, ModelIndex, Provider, RequestFeatures};
use crate::routing::account::{Account, ServedModel};
use crate::routing::breaker::{Breaker, BreakerState, Ticket, Transition};
use crate::routing::config::RoutingConfig;
use crate::routing::cool_down::CoolDown;
use crate::routing::diversity::ProviderShares;
use crate::routing::estimate::BUCKETS;
use crate::routing::quota::{DeclaredQuota, Need, need};
use crate::routing::target::TargetIndex;
use crate::time::{Duration, Timestamp};
use state::{AccountState, Target};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// All accounts and what was learned about them.
#[derive(Clone, Debug)]
pub struct Pool {
    config: RoutingConfig,
    accounts: Vec<AccountState>,
    /// What the owner says of each account.
    descriptions: Vec<Account>,
    /// The models of all accounts, those of one account side by side.
    offers: Vec<ServedModel>,
    ids: BTreeMap<String, AccountIndex>,
    targets: Vec<Target>,
    keys: Keys,
    sets: Sets,
    shares: ProviderShares,
    /// Whether anybody looks at the shares.
    compares_providers: bool,
    quotas: Vec<DeclaredQuota>,
    quota_owners: BTreeMap<(Provider, String), usize>,
    models: Vec<ModelFacts>,
    wakes: BinaryHeap<Reverse<(Timestamp, u32)>>,
    tick: u64,
    /// Nothing changes by time alone before this.
    next_change: Timestamp,
    transitions: VecDeque<TargetTransition>,
}

/// A breaker that changed state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TargetTransition {
    /// Whose breaker.
    pub target: TargetIndex,
    /// At which account.
    pub account: AccountIndex,
    /// What changed, and when.
    pub transition: Transition,
}

/// What is known of one model at all accounts.
#[derive(Clone, Copy, Debug)]
struct ModelFacts {
    /// Input tokens of all answers.
    input_tokens: u64,
    /// The part of them that came from prompt caches.
    cached_tokens: u64,
    /// Output tokens of all answers.
    output_tokens: u64,
    answers: u64,
    smallest_context_window: u32,
}

impl ModelFacts {
    const UNKNOWN: Self = Self {
        input_tokens: 0,
        cached_tokens: 0,
        output_tokens: 0,
        answers: 0,
        smallest_context_window: u32::MAX,
    };
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(config: &RoutingConfig) -> Self {
        Self {
            accounts: vec![],
            descriptions: vec![],
            offers: vec![],
            ids: BTreeMap::new(),
            targets: vec![],
            keys: Keys::default(),
            sets: Sets::default(),
            shares: ProviderShares::new(config.metrics.diversity_tau),
            compares_providers: matches!(config.strategy, Strategy::Adaptive | Strategy::Smart),
            quotas: vec![],
            quota_owners: BTreeMap::new(),
            models: vec![],
            wakes: BinaryHeap::new(),
            tick: 0,
            next_change: Timestamp::ZERO,
            transitions: VecDeque::new(),
            config: config.clone(),
        }
    }

    /// Registers an account, or updates a known one in place: what was learned about it stays.
    pub fn upsert(&mut self, now: Timestamp, account: Account) -> AccountIndex {
        let quota = self.quota_of(&account);
        let index = if let Some(&index) = self.ids.get(&account.id) {
            index
        } else {
            let index = AccountIndex(self.accounts.len() as u32);
            self.ids.insert(account.id.clone(), index);
            let start = self.offers.len() as u32;
            self.offers.extend_from_slice(&account.models);
            let mut state = AccountState::new(account.provider);
            state.offers = (start, self.offers.len() as u32);
            self.accounts.push(state);
            self.descriptions.push(account.clone());
            index
        };
        self.accounts[index.at()].describe(&account, quota);
        let known = std::mem::replace(&mut self.descriptions[index.at()], account);
        let served = &self.descriptions[index.at()].models;
        if known.models.len() == served.len() {
            // New prices, say: no other account's models move.
            let (from, to) = self.accounts[index.at()].offers;
            self.offers[from as usize..to as usize].copy_from_slice(served);
        } else {
            self.list_offers(index.at());
        }
        self.add_targets(index);
        self.describe_targets(index);
        for served in &self.descriptions[index.at()].models {
            let models = self.models.len().max(served.model.at() + 1);
            self.models.resize(models, ModelFacts::UNKNOWN);
            let smallest = &mut self.models[served.model.at()].smallest_context_window;
            *smallest = served.context_window.min(*smallest);
        }
        if let Some(first) = self.accounts[index.at()].first {
            self.refresh(first, now);
            self.for_others(first, |pool, other| pool.refresh(other, now));
        }
        index
    }

    /// The count that the account's declared limits belong to.
    fn quota_of(&mut self, account: &Account) -> Option<u32> {
        let quota = DeclaredQuota::new(&account.limits)?;
        let owner = account.organisation.as_ref().unwrap_or(&account.id).clone();
        let next = self.quotas.len();
        let index = *self
            .quota_owners
            .entry((account.provider, owner))
            .or_insert(next);
        if index == next {
            self.quotas.push(quota);
        } else {
            self.quotas[index].change_limits(&quota);
        }
        Some(index as u32)
    }

    /// Lists the models of the accounts from `first` on, those before being listed.
    fn list_offers(&mut self, first: usize) {
        let listed = first
            .checked_sub(1)
            .map_or(0, |last| self.accounts[last].offers.1);
        self.offers.truncate(listed as usize);
        let unlisted = self.accounts.iter_mut().zip(&self.descriptions).skip(first);
        for (state, account) in unlisted {
            let start = self.offers.len() as u32;
            self.offers.extend_from_slice(&account.models);
            state.offers = (start, self.offers.len() as u32);
        }
    }

    /// Works off what has changed by time alone. Every other call expects it to have been called
    /// with the same `now`.
    #[inline]
    pub fn advance(&mut self, now: Timestamp) {
        if now >= self.next_change {
            self.work_off(now);
        }
    }

    fn work_off(&mut self, now: Timestamp) {
        let tick_nanos = self.tick_nanos();
        let tick = now.as_nanos() / tick_nanos;
        if tick > self.tick {
            self.tick = tick;
            for index in 0..self.targets.len() {
                if self.targets[index].window.turn(tick) {
                    self.refresh(TargetIndex(index as u32), now);
                }
            }
        }
        self.next_change = Timestamp::from_nanos((tick + 1).saturating_mul(tick_nanos));
        while let Some(&Reverse((at, target))) = self.wakes.peek() {
            if at > now {
                self.next_change = self.next_change.min(at);
                break;
            }
            self.wakes.pop();
            if self.targets[target as usize].wake == at {
                self.targets[target as usize].wake = Timestamp::NEVER;
                self.refresh(TargetIndex(target), now);
            }
        }
    }

    /// No target comes back by time alone before this; [`Timestamp::NEVER`] if none ever does. (The
    /// ticks of the success window change scores, not who admits attempts.)
    pub(super) fn next_wake(&self) -> Timestamp {
        let next = self.wakes.peek();
        next.map_or(Timestamp::NEVER, |Reverse((at, _))| *at)
    }

    fn tick_nanos(&self) -> u64 {
        (self.config.metrics.success_window.as_nanos() / BUCKETS as u64).max(1)
    }

    /// Notes that an attempt was sent to `target`, which must admit it.
    #[inline(always)]
    pub fn dispatched(&mut self, now: Timestamp, target: TargetIndex, expected: &Need) -> Ticket {
        let ticket = self.targets[target.at()].breaker.dispatched();
        self.count(now, target, ticket, expected);
        ticket
    }

    /// Counts a dispatch.
    #[inline(always)]
    fn count(&mut self, now: Timestamp, target: TargetIndex, ticket: Ticket, expected: &Need) {
        let state = &mut self.targets[target.at()];
        let account = &mut self.accounts[state.account.at()];
        let alone = state.sibling == target;
        state.in_flight += 1;
        account.in_flight += 1;
        let (provider, full) = (account.provider, account.is_full());
        let crosses = state.in_flight == 1 || full || ticket.is_probe();
        if let Some(quota) = account.quota {
            self.quotas[quota as usize].take(now, expected);
        }
        if self.compares_providers {
            self.shares.dispatched(now, provider);
        }
        self.keys.mark(target);
        if crosses {
            self.sort(target, now);
        }
        if !alone {
            self.tell_others(now, target, full);
        }
    }

    /// Brings up to date whatever follows from what was learned about `target`.
    fn refresh(&mut self, target: TargetIndex, now: Timestamp) {
        let state = &mut self.targets[target.at()];
        let account = &self.accounts[state.account.at()];
        if let Some(transition) = state.breaker.poll(now) {
            let account = state.account;
            self.transitions.push_back(TargetTransition {
                target,
                account,
                transition,
            });
        }
        state.response.forget(now, self.config.metrics.forget_after);
        state
            .first_token
            .forget(now, self.config.metrics.forget_after);
        let wake = state.next_change(now, account, &self.config);
        if wake < state.wake {
            state.wake = wake;
            self.wakes.push(Reverse((wake, target.0)));
            self.next_change = self.next_change.min(wake);
        }
        self.sort(target, now);
    }

    /// Puts `target` into the sets that it belongs to now.
    fn sort(&mut self, target: TargetIndex, now: Timestamp) {
        let state = &self.targets[target.at()];
        let account = &self.accounts[state.account.at()];
        self.sets.set(target, now, state, account, &self.config);
        self.keys.mark(target);
    }

    /// Works out the scores and estimates of the targets marked since the last time, and ranks by
    /// what `strategy` compares (by the time to first token for a `streaming` request).
    #[inline]
    pub(super) fn settle(&mut self, strategy: Strategy, streaming: bool) {
        self.keys.want(strategy, streaming);
        self.work_off_marked();
        if self.targets.len() > FEW {
            self.rank(strategy, streaming);
        }
    }

    /// Brings the ranking that `strategy` compares up to date.
    fn rank(&mut self, strategy: Strategy, streaming: bool) {
        let ranking = match strategy {
            Strategy::LeastConnections => &mut self.keys.free,
            Strategy::FastestResponse if streaming => &mut self.keys.first_token,
            Strategy::FastestResponse => &mut self.keys.response,
            Strategy::HealthBased => &mut self.keys.health,
            Strategy::Geographic => &mut self.keys.connections,
            Strategy::Adaptive | Strategy::Smart => {
                let sets = &self.sets;
                let at = |group: usize, word: usize| {
                    sets.at_provider(Provider::ALL[group]).words()[word]
                };
                return self.keys.adaptive_base.rank(at);
            }
            Strategy::RoundRobin | Strategy::WeightedRoundRobin | Strategy::Random => return,
        };
        ranking.rank(|_, _| u64::MAX);
    }

    /// Works out the health scores.
    pub(super) fn settle_health(&mut self) {
        self.keys.want_health();
        self.work_off_marked();
    }

    #[inline]
    fn work_off_marked(&mut self) {
        while let Some(target) = self.keys.next_marked() {
            let state = &self.targets[target.at()];
            let account = &self.accounts[state.account.at()];
            let admitting = self.sets.admitting.contains(target);
            self.keys
                .set(target, state, account, admitting, &self.config);
        }
    }

    /// Scores and estimates that strategies compare, as of the last [`Self::settle`].
    #[must_use]
    #[inline]
    pub(super) const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Sets that filters are made of.
    #[must_use]
    #[inline]
    pub const fn sets(&self) -> &Sets {
        &self.sets
    }

    /// Providers' shares of recent dispatches; kept only where the strategy configured is one that
    /// compares them.
    #[must_use]
    #[inline]
    pub const fn shares(&self) -> &ProviderShares {
        &self.shares
    }

    /// Number of targets.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.targets.len()
    }

    /// Number of accounts.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// The account that a target belongs to.
    #[must_use]
    #[inline]
    pub fn account_of(&self, target: TargetIndex) -> AccountIndex {
        self.targets[target.at()].account
    }

    /// An account as its owner describes it.
    #[must_use]
    pub fn account(&self, index: AccountIndex) -> &Account {
        &self.descriptions[index.at()]
    }

    /// Whose an account is.
    #[must_use]
    #[inline]
    pub fn provider_of(&self, index: AccountIndex) -> Provider {
        self.accounts[index.at()].provider
    }

    /// What `target` says about a model it serves.
    #[must_use]
    #[inline]
    pub fn served(&self, target: TargetIndex, model: ModelIndex) -> Option<&ServedModel> {
        let (start, end) = self.accounts[self.account_of(target).at()].offers;
        let offers = &self.offers[start as usize..end as usize];
        match offers {
            [only] => (only.model == model).then_some(only),
            _ => offers
                .binary_search_by_key(&model, |served| served.model)
                .ok()
                .map(|at| &offers[at]),
        }
    }

    /// All accounts.
    pub fn account_indices(&self) -> impl Iterator<Item = AccountIndex> + use<> {
        (0..self.accounts.len() as u32).map(AccountIndex)
    }

    /// Time that an account has spent, or still has to spend, cooling down after rate limits, and
    /// how often an account fault has disabled it.
    #[must_use]
    pub fn cool_downs(&self, index: AccountIndex) -> (Duration, u64) {
        self.accounts[index.at()].cool_down.totals()
    }

    /// Attempts in flight at an account.
    #[must_use]
    pub fn in_flight(&self, index: AccountIndex) -> u32 {
        self.accounts[index.at()].in_flight
    }

    /// Estimated response time in seconds; `None` while unmeasured.
    #[must_use]
    pub fn response_seconds(&self, target: TargetIndex) -> Option<f64> {
        self.targets[target.at()].response.seconds()
    }

    /// Whether the target's breaker is half-open.
    #[must_use]
    pub fn is_half_open(&self, target: TargetIndex) -> bool {
        self.targets[target.at()].breaker.state() == BreakerState::HalfOpen
    }

    /// Probability at `now` that the target is a candidate, by the slow start of its breaker.
    #[must_use]
    pub fn warmth(&self, now: Timestamp, target: TargetIndex) -> f64 {
        let breaker = &self.targets[target.at()].breaker;
        let config = self.config.breaker.as_ref();
        config.map_or(1.0, |config| breaker.warmth(now, config))
    }

    /// Output tokens to expect: the model's mean so far, never above the request's own limit.
    #[must_use]
    pub fn expected_output(&self, features: &RequestFeatures) -> u32 {
        let facts = self
            .models
            .get(features.model.at())
            .unwrap_or(&ModelFacts::UNKNOWN);
        let mean = facts.output_tokens.checked_div(facts.answers);
        let default = self.config.metrics.default_output_tokens;
        let expected = mean
            .and_then(|mean| u32::try_from(mean).ok())
            .unwrap_or(default);
        expected.min(features.max_output_tokens.unwrap_or(u32::MAX))
    }

    /// Input tokens to expect that no prompt cache holds, which are the ones that quotas count: by
    /// the model's share of cached ones so far.
    fn expected_fresh_input(&self, features: &RequestFeatures) -> u32 {
        let facts = self
            .models
            .get(features.model.at())
            .unwrap_or(&ModelFacts::UNKNOWN);
        let tokens = u64::from(features.estimated_tokens);
        let cached = u128::from(tokens) * u128::from(facts.cached_tokens);
        let cached = cached
            .checked_div(u128::from(facts.input_tokens))
            .unwrap_or(0);
        features.estimated_tokens - cached.min(u128::from(tokens)) as u32
    }

    /// A context window that no account serving the model falls short of.
    #[must_use]
    pub fn smallest_context_window(&self, model: ModelIndex) -> u32 {
        self.models
            .get(model.at())
            .map_or(u32::MAX, |facts| facts.smallest_context_window)
    }

    /// What an attempt for this request is expected to take from a quota; nothing if no account
    /// declares one.
    #[must_use]
    #[inline]
    pub fn expected_need(&self, features: &RequestFeatures) -> Need {
        if !self.declares_quotas() {
            return Need::default();
        }
        need(
            self.expected_fresh_input(features),
            self.expected_output(features),
        )
    }

    /// Whether the declared quota of the target's account has room.
    #[must_use]
    pub fn has_quota(&self, now: Timestamp, target: TargetIndex, need: &Need) -> bool {
        let account = &self.accounts[self.account_of(target).at()];
        account
            .quota
            .is_none_or(|quota| self.quotas[quota as usize].has_room(now, need))
    }

    /// When the declared quota of the target's account will have room; `None` if it declares none.
    pub(super) fn quota_from(
        &self,
        now: Timestamp,
        target: TargetIndex,
        need: &Need,
    ) -> Option<Timestamp> {
        let quota = self.accounts[self.account_of(target).at()].quota?;
        Some(self.quotas[quota as usize].room_from(now, need))
    }

    /// Whether any account declares a quota.
    #[must_use]
    #[inline]
    pub fn declares_quotas(&self) -> bool {
        !self.quotas.is_empty()
    }

    /// The target's breaker, and its account's cool-down.
    pub(super) fn holds(&self, target: TargetIndex) -> (&Breaker, &CoolDown) {
        let state = &self.targets[target.at()];
        (&state.breaker, &self.accounts[state.account.at()].cool_down)
    }

    /// Whether the target's account has as many attempts in flight as allowed.
    #[must_use]
    pub fn is_full(&self, target: TargetIndex) -> bool {
        self.accounts[self.account_of(target).at()].is_full()
    }

    /// Whether every breaker transition has been reported.
    #[must_use]
    #[inline]
    pub(super) fn is_quiet(&self) -> bool {
        self.transitions.is_empty()
    }

    /// The next breaker transition that has not been reported yet.
    #[inline]
    pub fn take_transition(&mut self) -> Option<TargetTransition> {
        self.transitions.pop_front()
    }

    /// When a target that is left alone now will be looked at again: the end of its open time or
    /// cool-down. `None` if neither holds it back.
    #[must_use]
    pub fn available_from(&self, now: Timestamp, target: TargetIndex) -> Option<Timestamp> {
        let state = &self.targets[target.at()];
        let cooling = self.accounts[state.account.at()].cool_down.until();
        let open = state.breaker.open_until().unwrap_or(Timestamp::ZERO);
        let from = cooling.max(open);
        (from > now).then_some(from)
    }
}
