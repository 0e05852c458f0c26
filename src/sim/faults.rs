//! What a fault does: how long until it is detected, mitigated, and the old state restored.
//!
//! Definitions, for a fault from `start` to `end` on some accounts; of one that concerns a single
//! model, dispatches and breakers are those of this model. Windows are 10 s long, stepped
//! by 1 s. The level before is that of the 60 s before `start`.
//!
//! - *Degraded* is a window (by intended arrival) whose success rate is below 99 % of the level
//!   before, or whose P99 over all requests, where it holds at least 200 of them, is above 120 %.
//! - *Time to detect*: from `start` to the first breaker opening or cool-down on an account
//!   concerned, or to the end of the first window in which these accounts get less than half their
//!   former share of the dispatches.
//! - *Time to mitigate*: from `start` to the start of the first window from which on no window is
//!   degraded until `end`; 0 only if none is.
//! - *Time to restore*: from `end` to the start of the first window in which the accounts get at
//!   least 90 % of their former share.
//!
//! Shares are looked at only where the accounts concerned get 40 dispatches of a window before the
//! fault, in the mean. Of fewer, less than half is seen by chance, by strategies that notice
//! nothing, and single probes pass for traffic restored.
//!
//! What did not happen while it was watched (the fault itself, and half an hour after it) is
//! censored, not dropped. What cannot be observed is left out: a level before where nobody asked, a
//! share where all accounts are concerned. What a gateway is told (prices, accounts that come and
//! go) is not detected.
//!
//! A probe lives from a minute before its fault until nothing more can be learned of it, and keeps
//! no more seconds than a request may last: a week of incidents costs what those under way cost.

mod probe;

use crate::record::{AttemptRecord, RequestRecord};
use crate::request::{AccountIndex, ModelIndex};
use crate::routing::account::Account;
use crate::routing::breaker::{BreakerState, Transition};
use crate::routing::failure::{AccountEffect, consequence};
use crate::time::{Duration, Timestamp};
use probe::Probe;

/// A fault to watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FaultWatch {
    /// Number of the fault, for whoever reads the observation.
    pub fault: u32,
    /// Accounts concerned.
    pub accounts: Vec<AccountIndex>,
    /// The model concerned; `None` is all of them.
    pub model: Option<ModelIndex>,
    /// From.
    pub start: Timestamp,
    /// To, exclusive.
    pub end: Timestamp,
    /// What is to be observed.
    pub observed: Observable,
}

/// What can be observed of a fault.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Observable {
    /// All times.
    #[default]
    All,
    /// Not the time to detect: the gateway was told.
    Effects,
    /// No times, only how requests fared meanwhile.
    SuccessRate,
}

/// A length of time that may not have ended while it was watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Observed {
    /// It ended after this long.
    After(Duration),
    /// It had not ended after this long (censored).
    NotWithin(Duration),
}

/// What one fault did in one replication.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FaultObservation {
    /// Number of the fault.
    pub fault: u32,
    /// Time to detect; `None` if there is nothing to detect.
    pub detect: Option<Observed>,
    /// Time to mitigate; `None` if nobody asked before the fault.
    pub mitigate: Option<Observed>,
    /// Time to restore; `None` if the accounts concerned had too little traffic before the fault to
    /// tell, or all.
    pub restore: Option<Observed>,
    /// Success rate of requests that arrived during the fault; NaN if there were none.
    pub success_rate_during: f64,
}

/// Watches every fault of a run.
#[derive(Clone, Debug)]
pub(super) struct FaultProbes<'a> {
    /// Faults whose probe has not begun, the next one last.
    ahead: Vec<&'a FaultWatch>,
    live: Vec<Probe<'a>>,
    /// With the time at which the fault started.
    seen: Vec<(Timestamp, FaultObservation)>,
    /// Nothing is to be done before this but to count.
    next_turn: Timestamp,
    accounts: &'a [Account],
    duration: Duration,
    /// Longest that a request can take.
    patience: Option<Duration>,
}

/// How often live probes settle what is certain.
const TURN: Duration = Duration::from_secs(60);

impl<'a> FaultProbes<'a> {
    /// Probes for `faults`, in a run whose arrivals stop at `duration`, and whose requests end
    /// within `patience`, if there is such a bound.
    pub fn new(
        faults: &'a [FaultWatch],
        accounts: &'a [Account],
        duration: Duration,
        patience: Option<Duration>,
    ) -> Self {
        let mut ahead: Vec<&FaultWatch> = faults.iter().collect();
        ahead.sort_by_key(|watch| std::cmp::Reverse((watch.start, watch.fault)));
        let mut probes = Self {
            ahead,
            live: Vec::new(),
            seen: Vec::new(),
            next_turn: Timestamp::NEVER,
            accounts,
            duration,
            patience,
        };
        probes.turn(Timestamp::ZERO);
        probes
    }

    /// Begins the probes that are due, and settles and ends what can be.
    #[cold]
    fn turn(&mut self, now: Timestamp) {
        while let Some(watch) = self.ahead.pop_if(|watch| probe::origin(watch) <= now) {
            self.live
                .push(Probe::new(watch, self.accounts, self.duration));
        }
        if let Some(patience) = self.patience {
            let (seen, certain) = (&mut self.seen, now - patience);
            self.live.retain_mut(|probe| {
                probe.settle(certain);
                if probe.is_over() {
                    seen.push(probe.observe());
                }
                !probe.is_over()
            });
        }
        let begin = self.ahead.last();
        let begin = begin.map_or(Timestamp::NEVER, |watch| probe::origin(watch));
        let settle = if self.live.is_empty() || self.patience.is_none() {
            Timestamp::NEVER
        } else {
            now + TURN
        };
        self.next_turn = begin.min(settle);
    }

    #[inline]
    fn reach(&mut self, now: Timestamp) {
        if now >= self.next_turn {
            self.turn(now);
        }
    }

    /// Notes an attempt at a model.
    #[inline]
    pub fn dispatched(&mut self, now: Timestamp, account: AccountIndex, model: ModelIndex) {
        self.reach(now);
        for probe in &mut self.live {
            probe.dispatched(now, account, model);
        }
    }

    /// Notes a breaker that changed state, that of `model` or of the whole account.
    pub fn transition(
        &mut self,
        account: AccountIndex,
        model: Option<ModelIndex>,
        Transition { at, to }: Transition,
    ) {
        if to != BreakerState::Open {
            return;
        }
        for probe in &mut self.live {
            if model.is_none_or(|model| probe.is_about(model)) {
                probe.noticed(at, account);
            }
        }
    }

    /// Notes the end of an attempt.
    #[inline]
    pub fn attempt_ended(&mut self, record: &AttemptRecord) {
        let cools_down = |kind| consequence(kind).account == AccountEffect::CoolDown;
        if record.failure.is_some_and(cools_down) {
            self.noticed(record.ended, record.account);
        }
    }

    fn noticed(&mut self, at: Timestamp, account: AccountIndex) {
        self.reach(at);
        self.live
            .iter_mut()
            .for_each(|probe| probe.noticed(at, account));
    }

    /// Notes the end of a request, and the latency that it counts with.
    #[inline]
    pub fn request_ended(&mut self, record: &RequestRecord, latency: Duration) {
        self.reach(record.ended);
        for probe in &mut self.live {
            probe.request_ended(record, latency);
        }
    }

    /// What was observed of each fault, in order of their start.
    pub fn finish(mut self) -> Vec<FaultObservation> {
        self.turn(Timestamp::NEVER);
        for mut probe in self.live {
            probe.settle(Timestamp::NEVER);
            self.seen.push(probe.observe());
        }
        self.seen.sort_by_key(|(start, seen)| (*start, seen.fault));
        self.seen.into_iter().map(|(_, seen)| seen).collect()
    }
}
