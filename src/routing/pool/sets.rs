//! What decisions read: keys to compare targets by, and sets to filter them with.

use super::{AccountState, Target};
use crate::request::{ModelIndex, Provider, RegionIndex};
use crate::routing::account::Account;
use crate::routing::breaker::BreakerState;
use crate::routing::config::RoutingConfig;
use crate::routing::target::{TargetIndex, TargetSet};
use crate::time::Timestamp;

/// Keys by target, one array each; of the `f64` ones the highest is best.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Health score.
    pub health: Vec<f64>,
    /// `adaptive` score without the provider's share.
    pub adaptive_base: Vec<f64>,
    /// Minus the response time in seconds; unmeasured ones come last.
    pub response: Vec<f64>,
    /// Minus the time to first token in seconds; unmeasured ones come last.
    pub first_token: Vec<f64>,
    /// Minus in flight per weight.
    pub free: Vec<f64>,
    /// Free share of the in-flight limit.
    pub connections: Vec<f64>,
    /// Weight for weighted round robin.
    pub weight: Vec<i64>,
    /// Provider, as a position in [`Provider::ALL`].
    pub provider: Vec<u8>,
}

/// Rank of an unmeasured target: after every measured one.
const UNMEASURED: f64 = f64::MIN;

impl Keys {
    pub(super) fn grow(&mut self, targets: usize) {
        for keys in [
            &mut self.health,
            &mut self.adaptive_base,
            &mut self.response,
            &mut self.first_token,
            &mut self.free,
            &mut self.connections,
        ] {
            keys.resize(targets, 0.0);
        }
        self.weight.resize(targets, 0);
        self.provider.resize(targets, 0);
    }

    /// Takes over what follows from samples.
    pub(super) fn set_estimates(&mut self, target: TargetIndex, state: &Target) {
        let at = target.at();
        self.response[at] = state.response.seconds().map_or(UNMEASURED, |s| -s);
        self.first_token[at] = state.first_token.seconds().map_or(UNMEASURED, |s| -s);
    }

    /// Takes over what follows from the parts of the scores and the number in flight.
    #[inline]
    pub(super) fn set_scores(
        &mut self,
        target: TargetIndex,
        state: &Target,
        account: &AccountState,
        config: &RoutingConfig,
    ) {
        let at = target.at();
        let health = state.parts.health(&config.health);
        let weight = account.account.weight;
        self.health[at] = health;
        self.adaptive_base[at] = state.parts.adaptive_base(health, &config.adaptive);
        self.free[at] = -(f64::from(account.in_flight) / f64::from(weight.max(1)));
        self.connections[at] = state.parts.connections;
        self.provider[at] = account.account.provider as u8;
        self.weight[at] = i64::from(weight)
            * if config.dynamic_weights {
                ((1000.0 * health + 0.5) as i64).max(100)
            } else {
                1
            };
    }
}

/// Sets of targets.
#[derive(Clone, Debug, Default)]
pub struct Sets {
    /// Those that admit an attempt now: enabled, not full, not cooling down, breaker willing.
    pub admitting: TargetSet,
    /// Admitting ones whose breaker is half-open: they get the next request.
    pub half_open: TargetSet,
    /// Admitting, idle, and their response time unmeasured: strategies that look at latency probe
    /// them first.
    pub cold_response: TargetSet,
    /// The same for the time to first token.
    pub cold_first_token: TargetSet,
    /// Those whose response time is measured.
    pub measured: TargetSet,
    by_model: Vec<TargetSet>,
    by_provider: [TargetSet; Provider::ALL.len()],
    by_region: Vec<TargetSet>,
    nowhere: TargetSet,
    /// By target: which of the first five sets it is in, so that they are touched only on a change.
    flags: Vec<u8>,
}

impl Sets {
    /// Targets that serve a model; `None` if nobody does.
    #[must_use]
    #[inline]
    pub fn serving(&self, model: ModelIndex) -> Option<&TargetSet> {
        self.by_model.get(model.at())
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

    /// Takes over what the owner says about the account of `target`.
    pub(super) fn describe(&mut self, target: TargetIndex, targets: usize, account: &Account) {
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
            set.set(
                target,
                account
                    .models
                    .iter()
                    .any(|served| served.model.at() == model),
            );
        }
        for (provider, set) in Provider::ALL.iter().zip(&mut self.by_provider) {
            set.set(target, account.provider == *provider);
        }
        for (region, set) in self.by_region.iter_mut().enumerate() {
            set.set(target, account.region.is_some_and(|r| r.at() == region));
        }
        self.nowhere.set(target, account.region.is_none());
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut TargetSet> {
        [
            &mut self.admitting,
            &mut self.half_open,
            &mut self.cold_response,
            &mut self.cold_first_token,
            &mut self.measured,
            &mut self.nowhere,
        ]
        .into_iter()
        .chain(&mut self.by_model)
        .chain(&mut self.by_provider)
        .chain(&mut self.by_region)
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
        let measured = state.response.seconds().is_some();
        let cold = admits && account.in_flight == 0 && state.wants_probe(now, config);
        let flags = u8::from(admits)
            | u8::from(measured) << 1
            | u8::from(admits && state.breaker.state() == BreakerState::HalfOpen) << 2
            | u8::from(cold && !measured) << 3
            | u8::from(cold && state.first_token.seconds().is_none()) << 4;
        if std::mem::replace(&mut self.flags[target.at()], flags) != flags {
            let flag = |bit: u32| flags >> bit & 1 == 1;
            self.admitting.set(target, flag(0));
            self.measured.set(target, flag(1));
            self.half_open.set(target, flag(2));
            self.cold_response.set(target, flag(3));
            self.cold_first_token.set(target, flag(4));
        }
    }
}
