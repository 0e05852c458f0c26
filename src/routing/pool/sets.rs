//! Sets of targets, to filter candidates with.

use super::{AccountState, Target};
use crate::request::{ModelIndex, Provider, RegionIndex};
use crate::routing::account::Account;
use crate::routing::breaker::BreakerState;
use crate::routing::config::RoutingConfig;
use crate::routing::target::{TargetIndex, TargetSet};
use crate::time::Timestamp;

/// Sets of targets.
#[derive(Clone, Debug, Default)]
pub struct Sets {
    /// Those that admit an attempt now: enabled, not full, not cooling down, breaker willing.
    pub admitting: TargetSet,
    /// Those whose response time is measured.
    pub measured: TargetSet,
    /// Admitting ones whose breaker is half-open: they get the next request.
    half_open: TargetSet,
    /// Admitting, idle, and their response time unmeasured: strategies that look at latency probe
    /// them first.
    cold_response: TargetSet,
    /// The same for the time to first token.
    cold_first_token: TargetSet,
    /// At their account's in-flight limit.
    full: TargetSet,
    /// Admitting, and in the slow start after their breaker has closed.
    warming: TargetSet,
    by_model: Vec<TargetSet>,
    by_provider: [TargetSet; Provider::ALL.len()],
    by_region: Vec<TargetSet>,
    /// By target: which of the first seven sets it is in, so that they are touched only on a
    /// change.
    flags: Vec<u8>,
    /// Members of the first seven sets, in the order of their flags.
    members: [u32; 7],
}

const ADMITTING: usize = 0;
const MEASURED: usize = 1;
const HALF_OPEN: usize = 2;
const COLD_RESPONSE: usize = 3;
const COLD_FIRST_TOKEN: usize = 4;
const FULL: usize = 5;
const WARMING: usize = 6;

impl Sets {
    /// Targets that serve a model; `None` if nobody does.
    #[must_use]
    #[inline]
    pub fn serving(&self, model: ModelIndex) -> Option<&TargetSet> {
        self.by_model.get(model.at())
    }

    /// Whether anybody admits an attempt now.
    #[must_use]
    pub const fn anybody_admits(&self) -> bool {
        self.members[ADMITTING] > 0
    }

    /// Whether anybody who serves a model admits an attempt now.
    #[must_use]
    pub fn admits(&self, model: ModelIndex) -> bool {
        let serving = self.serving(model);
        serving.is_some_and(|serving| serving.intersects(&self.admitting))
    }

    /// Targets at a provider.
    #[must_use]
    pub const fn at_provider(&self, provider: Provider) -> &TargetSet {
        &self.by_provider[provider as usize]
    }

    /// Targets in a region; `None` if there is none.
    #[must_use]
    pub fn in_region(&self, region: RegionIndex) -> Option<&TargetSet> {
        self.by_region.get(region.at())
    }

    /// Takes over what the owner says about the account of `target`, whose state this is.
    pub(super) fn describe(
        &mut self,
        target: TargetIndex,
        targets: usize,
        state: &Target,
        account: &Account,
    ) {
        let models = account
            .models
            .last()
            .map_or(0, |served| served.model.at() + 1);
        let regions = account.region.map_or(0, |region| region.at() + 1);
        self.by_model
            .resize_with(self.by_model.len().max(models), TargetSet::default);
        self.by_region
            .resize_with(self.by_region.len().max(regions), TargetSet::default);
        self.all_mut().for_each(|set| set.grow(targets));
        self.flags.resize(targets, 0);
        for (model, set) in self.by_model.iter_mut().enumerate() {
            let mut served = account.models.iter().map(|served| served.model);
            let serves = served.any(|served| served.at() == model && state.is_for(served));
            set.set(target, serves);
        }
        for (provider, set) in Provider::ALL.iter().zip(&mut self.by_provider) {
            set.set(target, account.provider == *provider);
        }
        for (region, set) in self.by_region.iter_mut().enumerate() {
            set.set(target, account.region.is_some_and(|r| r.at() == region));
        }
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut TargetSet> {
        [
            &mut self.admitting,
            &mut self.half_open,
            &mut self.cold_response,
            &mut self.cold_first_token,
            &mut self.full,
            &mut self.warming,
            &mut self.measured,
        ]
        .into_iter()
        .chain(&mut self.by_model)
        .chain(&mut self.by_provider)
        .chain(&mut self.by_region)
    }

    /// Half-open targets with a free probe slot; `None` if there is none.
    #[must_use]
    #[inline]
    pub fn half_open(&self) -> Option<&TargetSet> {
        (self.members[HALF_OPEN] > 0).then_some(&self.half_open)
    }

    /// Idle targets that a strategy looking at latency has to probe: at the time to first token, or
    /// the response time. `None` if there is none.
    #[must_use]
    #[inline]
    pub fn cold(&self, first_token: bool) -> Option<&TargetSet> {
        let (flag, set) = if first_token {
            (COLD_FIRST_TOKEN, &self.cold_first_token)
        } else {
            (COLD_RESPONSE, &self.cold_response)
        };
        (self.members[flag] > 0).then_some(set)
    }

    /// Targets at their in-flight limit; `None` if there is none.
    #[must_use]
    #[inline]
    pub fn full(&self) -> Option<&TargetSet> {
        (self.members[FULL] > 0).then_some(&self.full)
    }

    /// Targets in the slow start after their breaker has closed; `None` if there is none.
    #[must_use]
    #[inline]
    pub fn warming(&self) -> Option<&TargetSet> {
        (self.members[WARMING] > 0).then_some(&self.warming)
    }

    /// Takes over which sets the target belongs to now.
    #[inline]
    pub(super) fn set(
        &mut self,
        target: TargetIndex,
        now: Timestamp,
        state: &Target,
        account: &AccountState,
        config: &RoutingConfig,
    ) {
        let admits = state.admits(now, account, config);
        let measured = state.response.is_measured();
        let cold = admits && state.in_flight == 0 && state.wants_probe(now, config);
        let warms = admits && state.warm_at(config).is_some_and(|warm_at| now < warm_at);
        let flags = u8::from(admits) << ADMITTING
            | u8::from(measured) << MEASURED
            | u8::from(admits && state.breaker.state() == BreakerState::HalfOpen) << HALF_OPEN
            | u8::from(cold && !measured) << COLD_RESPONSE
            | u8::from(cold && !state.first_token.is_measured()) << COLD_FIRST_TOKEN
            | u8::from(account.is_full()) << FULL
            | u8::from(warms) << WARMING;
        if self.flags[target.at()] != flags {
            self.change(target, flags);
        }
    }

    fn change(&mut self, target: TargetIndex, flags: u8) {
        let before = std::mem::replace(&mut self.flags[target.at()], flags);
        let mut changed = before ^ flags;
        while changed != 0 {
            let flag = changed.trailing_zeros() as usize;
            changed &= changed - 1;
            let is_member = flags >> flag & 1 == 1;
            let set = match flag {
                ADMITTING => &mut self.admitting,
                MEASURED => &mut self.measured,
                HALF_OPEN => &mut self.half_open,
                COLD_RESPONSE => &mut self.cold_response,
                FULL => &mut self.full,
                WARMING => &mut self.warming,
                _ => &mut self.cold_first_token,
            };
            set.set(target, is_member);
            let members = &mut self.members[flag];
            *members = members.wrapping_add_signed(if is_member { 1 } else { -1 });
        }
    }
}
