//! What events change about an account and a target.

use crate::request::{AccountIndex, ModelIndex, Provider};
use crate::routing::account::{Account, Availability};
use crate::routing::breaker::Breaker;
use crate::routing::config::RoutingConfig;
use crate::routing::cool_down::CoolDown;
use crate::routing::estimate::{DecayingMean, SuccessWindow};
use crate::routing::score::{self, Components};
use crate::routing::target::TargetIndex;
use crate::time::Timestamp;

/// What of an account decides whether and how much it is used.
#[derive(Clone, Debug)]
pub(super) struct AccountState {
    pub(super) in_flight: u32,
    pub(super) max_in_flight: u32,
    pub(super) weight: u32,
    pub(super) provider: Provider,
    pub(super) enabled: bool,
    pub(super) quota: Option<u32>,
    /// The first of its targets; none if it serves no model.
    pub(super) first: Option<TargetIndex>,
    /// Its stretch of [`Pool::offers`].
    pub(super) offers: (u32, u32),
    pub(super) cool_down: CoolDown,
}

#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) account: AccountIndex,
    /// The next target of the same account, the first after the last: a ring, of one where the
    /// account is the target.
    pub(super) sibling: TargetIndex,
    pub(super) in_flight: u32,
    pub(super) error_streak: u32,
    pub(super) response: DecayingMean,
    pub(super) first_token: DecayingMean,
    pub(super) breaker: Breaker,
    /// Time of the valid entry in `wakes`.
    pub(super) wake: Timestamp,
    pub(super) window: SuccessWindow,
    pub(super) last_failure: Option<Timestamp>,
    /// The model that it is for; none if it is for all of the account's.
    pub(super) model: Option<ModelIndex>,
}

impl AccountState {
    pub(super) fn new(provider: Provider) -> Self {
        Self {
            in_flight: 0,
            max_in_flight: 0,
            weight: 1,
            provider,
            enabled: false,
            quota: None,
            first: None,
            offers: (0, 0),
            cool_down: CoolDown::default(),
        }
    }

    pub(super) fn describe(&mut self, account: &Account, quota: Option<u32>) {
        self.max_in_flight = account.max_in_flight;
        self.weight = account.weight;
        self.provider = account.provider;
        self.enabled = account.availability == Availability::Enabled;
        self.quota = quota;
    }

    pub(super) const fn is_full(&self) -> bool {
        self.in_flight >= self.max_in_flight
    }
}

impl Target {
    pub(super) fn new(
        account: AccountIndex,
        model: Option<ModelIndex>,
        sibling: TargetIndex,
        config: &RoutingConfig,
    ) -> Self {
        Self {
            account,
            sibling,
            in_flight: 0,
            error_streak: 0,
            response: DecayingMean::new(),
            first_token: DecayingMean::new(),
            breaker: Breaker::new(&config.breaker.unwrap_or_default()),
            wake: Timestamp::NEVER,
            window: SuccessWindow::new(),
            last_failure: None,
            model,
        }
    }

    /// Whether it is the one for this model, if the account serves that.
    pub(super) fn is_for(&self, model: ModelIndex) -> bool {
        self.model.is_none_or(|own| own == model)
    }

    /// The parts of the scores.
    #[inline]
    pub(super) fn parts(&self, account: &AccountState, config: &RoutingConfig) -> Components {
        let reference = config.metrics.response_reference.as_secs_f64();
        Components {
            success: self.window.rate(),
            response: score::response(self.response.seconds(), reference),
            connections: score::connections(account.in_flight, account.max_in_flight),
            stability: score::stability(self.error_streak, config.metrics.streak_limit),
        }
    }

    pub(super) fn admits(
        &self,
        now: Timestamp,
        account: &AccountState,
        config: &RoutingConfig,
    ) -> bool {
        account.enabled
            && !account.is_full()
            && account.cool_down.until() <= now
            && config
                .breaker
                .as_ref()
                .is_none_or(|breaker| self.breaker.admits(breaker))
    }

    /// When its slow start is over; `None` if there is none.
    pub(super) fn warm_at(&self, config: &RoutingConfig) -> Option<Timestamp> {
        self.breaker.warm_at(config.breaker.as_ref()?)
    }

    /// Whether an unmeasured target should be probed when idle: not again so soon after a failure,
    /// or a target that fails fast, and so is never measured, would draw every request.
    pub(super) fn wants_probe(&self, now: Timestamp, config: &RoutingConfig) -> bool {
        self.error_streak == 0
            || self
                .last_failure
                .is_none_or(|at| at + config.metrics.forget_after <= now)
    }

    /// The next time at which something about the target changes by itself.
    pub(super) fn next_change(
        &self,
        now: Timestamp,
        account: &AccountState,
        config: &RoutingConfig,
    ) -> Timestamp {
        let forget = config.metrics.forget_after;
        let after = |at: Option<Timestamp>| at.map_or(Timestamp::NEVER, |at| at + forget);
        let ahead = |at: Timestamp| if at > now { at } else { Timestamp::NEVER };
        let samples = after(self.response.last()).min(after(self.first_token.last()));
        let mut next = ahead(samples).min(ahead(account.cool_down.until()));
        if let Some(until) = self.breaker.open_until() {
            next = next.min(ahead(until));
        }
        if let Some(until) = self.warm_at(config) {
            next = next.min(ahead(until));
        }
        if self.error_streak > 0 {
            next = next.min(ahead(after(self.last_failure)));
        }
        next
    }
}
