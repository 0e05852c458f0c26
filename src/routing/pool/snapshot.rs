//! What was learned, at one moment, for people and dashboards.
//!
//! Of an account with several targets (one for each model) its owner wants one line first, and the
//! models below it. The line adds up what can be added up, and takes a side where it cannot: the
//! account's breaker counts as open only if all its breakers refuse (with one model of three out,
//! the account is not), while its error streak is the longest, because that is what to look into.

use super::{Pool, Target};
use crate::request::{AccountIndex, ModelIndex};
use crate::routing::breaker::BreakerState;
use crate::routing::config::HealthWeights;
use crate::routing::estimate::DecayingMean;
use crate::routing::score::{self, Components};
use crate::routing::target::TargetIndex;
use crate::time::{Duration, Timestamp};

/// What was learned about an account, or about one of its targets, at one moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Snapshot {
    /// Attempts in flight at the account.
    pub in_flight: u32,
    /// Most attempts in flight allowed at the account.
    pub max_in_flight: u32,
    /// Success rate over the window, in (0, 1].
    pub success_rate: f64,
    /// Estimated response time; `None` while unmeasured. Of several targets the mean, weighted by
    /// their attempts in the success window.
    pub response_time: Option<Duration>,
    /// Estimated time to first token; `None` while unmeasured. Of several targets the mean.
    pub first_token_time: Option<Duration>,
    /// Failures in a row. Of several targets the most.
    pub error_streak: u32,
    /// When an attempt last failed in a way that counts.
    pub last_failure: Option<Timestamp>,
    /// State of the breaker. Of several targets the most willing: closed, half-open, open.
    pub breaker: BreakerState,
    /// Breakers that are not closed.
    pub breakers_not_closed: u32,
    /// Breakers: 1, or with `health_scope = "account_model"` one for each model of the account.
    pub breakers: u32,
    /// Until when the account is left alone after a rate limit or an account fault; `None` if it is
    /// not.
    pub cooling_until: Option<Timestamp>,
    /// Parts of the health score.
    pub parts: Components,
    /// Their weights.
    pub health_weights: HealthWeights,
}

impl Pool {
    /// Everything learned about an account, as of `now`.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp, account: AccountIndex) -> Snapshot {
        let served = |model: &ModelIndex| {
            let mut models = self.account(account).models.iter();
            models.any(|served| served.model == *model)
        };
        // What was learned of a model that is no longer served is no longer the account's.
        let current = |target: &TargetIndex| self.model_of(*target).as_ref().is_none_or(served);
        let targets = self.targets_of(account).filter(current);
        let targets: Vec<&Target> = targets.map(|target| &self.targets[target.at()]).collect();
        self.taken(now, account, &targets)
    }

    /// Everything learned about one target, as of `now`.
    #[must_use]
    pub fn target_snapshot(&self, now: Timestamp, target: TargetIndex) -> Snapshot {
        let state = &self.targets[target.at()];
        self.taken(now, state.account, &[state])
    }

    fn taken(&self, now: Timestamp, account: AccountIndex, targets: &[&Target]) -> Snapshot {
        let (account, config) = (&self.accounts[account.at()], &self.config);
        let success_rate = success_rate(targets);
        let response = mean_seconds(targets, |target| &target.response);
        let first_token = mean_seconds(targets, |target| &target.first_token);
        let error_streak = targets.iter().map(|target| target.error_streak).max();
        let error_streak = error_streak.unwrap_or(0);
        let reference = config.metrics.response_reference.as_secs_f64();
        let cooling_until = account.cool_down.until();
        let not_closed = targets.iter().filter(|target| !target.breaker.is_closed());
        Snapshot {
            in_flight: account.in_flight,
            max_in_flight: account.max_in_flight,
            success_rate,
            response_time: response.map(Duration::from_secs_f64),
            first_token_time: first_token.map(Duration::from_secs_f64),
            error_streak,
            last_failure: targets.iter().filter_map(|t| t.last_failure).max(),
            breaker: most_willing(targets),
            breakers_not_closed: not_closed.count() as u32,
            breakers: targets.len() as u32,
            cooling_until: (cooling_until > now).then_some(cooling_until),
            parts: Components {
                success: success_rate,
                response: score::response(response, reference),
                connections: score::connections(account.in_flight, account.max_in_flight),
                stability: score::stability(error_streak, config.metrics.streak_limit),
            },
            health_weights: config.health,
        }
    }
}

/// Success rate of all their attempts in the window, with one prior success.
fn success_rate(targets: &[&Target]) -> f64 {
    let counts = targets.iter().map(|target| target.window.counts());
    let (successes, ended) = counts.fold((1, 1), |sum, (good, all)| (sum.0 + good, sum.1 + all));
    f64::from(successes) / f64::from(ended)
}

/// Mean of an estimate over those that have it, weighted by the attempts in the window (and one, so
/// that an estimate older than the window counts at all).
fn mean_seconds(targets: &[&Target], of: impl Fn(&Target) -> &DecayingMean) -> Option<f64> {
    if let [only] = targets {
        return of(only).seconds();
    }
    let (mut sum, mut weights) = (0.0, 0.0);
    for target in targets {
        if let Some(seconds) = of(target).seconds() {
            let weight = f64::from(target.window.counts().1) + 1.0;
            sum += weight * seconds;
            weights += weight;
        }
    }
    (weights > 0.0).then(|| sum / weights)
}

fn most_willing(targets: &[&Target]) -> BreakerState {
    let any = |state| targets.iter().any(|target| target.breaker.state() == state);
    if any(BreakerState::Closed) || targets.is_empty() {
        BreakerState::Closed
    } else if any(BreakerState::HalfOpen) {
        BreakerState::HalfOpen
    } else {
        BreakerState::Open
    }
}
