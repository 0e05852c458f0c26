//! Which targets an account has.
//!
//! What an account has in common for all its targets (in flight, quota, cool-down) is stored once,
//! and its targets form a ring: a change of it goes round. In the default scope the ring has one
//! member, and going round costs a comparison.

use super::{Pool, Target};
use crate::request::{AccountIndex, ModelIndex};
use crate::routing::config::HealthScope;
use crate::routing::target::TargetIndex;
use crate::time::Timestamp;

impl Pool {
    /// The model that a target is for; `None` if it is for all models of its account.
    #[must_use]
    pub fn model_of(&self, target: TargetIndex) -> Option<ModelIndex> {
        self.targets[target.at()].model
    }

    /// The targets of an account, in order.
    pub fn targets_of(&self, account: AccountIndex) -> impl Iterator<Item = TargetIndex> + '_ {
        let first = self.accounts[account.at()].first;
        std::iter::successors(first, move |target| {
            let next = self.targets[target.at()].sibling;
            (Some(next) != first).then_some(next)
        })
    }

    /// The target of an account that answers for `model`, whether or not the account serves it;
    /// `None` if there never was one.
    #[must_use]
    pub fn target_for(&self, account: AccountIndex, model: ModelIndex) -> Option<TargetIndex> {
        self.targets_of(account)
            .find(|target| self.targets[target.at()].is_for(model))
    }

    /// Adds the targets that the account has in the scope configured and that do not exist yet. The
    /// target of a model that it no longer serves stays, in case the model comes back.
    pub(super) fn add_targets(&mut self, account: AccountIndex) {
        if self.config.health_scope == HealthScope::Account {
            if self.accounts[account.at()].first.is_none() {
                self.add_target(account, None);
            }
            return;
        }
        for at in 0..self.descriptions[account.at()].models.len() {
            let model = self.descriptions[account.at()].models[at].model;
            if self.target_for(account, model).is_none() {
                self.add_target(account, Some(model));
            }
        }
    }

    /// Adds a target to the end of the account's ring.
    fn add_target(&mut self, account: AccountIndex, model: Option<ModelIndex>) {
        let new = TargetIndex(self.targets.len() as u32);
        let last = self.targets_of(account).last();
        let first = *self.accounts[account.at()].first.get_or_insert(new);
        self.targets
            .push(Target::new(account, model, first, &self.config));
        if let Some(last) = last {
            self.targets[last.at()].sibling = new;
        }
    }

    /// Takes over what the owner says about an account.
    pub(super) fn describe_targets(&mut self, index: AccountIndex) {
        let (account, targets) = (&self.descriptions[index.at()], self.targets.len());
        self.keys.grow(targets);
        let mut next = self.accounts[index.at()].first;
        while let Some(target) = next {
            let state = &self.targets[target.at()];
            self.keys.describe(target, account);
            self.sets.describe(target, targets, state, account);
            next =
                Some(state.sibling).filter(|next| Some(*next) != self.accounts[index.at()].first);
        }
    }

    /// Tells the other targets of `target`'s account that its in-flight count has changed, and
    /// whether that changes who is admitted. Out of line: by account there are no others.
    #[cold]
    #[inline(never)]
    pub(super) fn tell_others(&mut self, now: Timestamp, target: TargetIndex, admission: bool) {
        if admission {
            self.for_others(target, |pool, other| pool.sort(other, now));
        } else {
            self.for_others(target, |pool, other| pool.keys.mark(other));
        }
    }

    /// Does something for the other targets of `target`'s account.
    pub(super) fn for_others(
        &mut self,
        target: TargetIndex,
        each: impl Fn(&mut Self, TargetIndex),
    ) {
        let mut other = self.targets[target.at()].sibling;
        while other != target {
            each(self, other);
            other = self.targets[other.at()].sibling;
        }
    }
}
