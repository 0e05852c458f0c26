//! What a fault does: how long until it is detected, mitigated, and the old state restored.
//!
//! Definitions, for a fault from `start` to `end` on some accounts. Windows are 10 s long, stepped
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
//! What did not happen while it was watched (the fault itself, and half an hour after it) is
//! censored, not dropped. What cannot be observed is left out: a level before where nobody asked, a
//! share where all accounts are concerned.

use crate::record::{AttemptRecord, RequestRecord};
use crate::request::AccountIndex;
use crate::routing::breaker::{BreakerState, Transition};
use crate::routing::failure::{AccountEffect, consequence};
use crate::time::{Duration, Timestamp};

const SLICE: Duration = Duration::from_secs(1);
/// Slices of a window.
const WINDOW: usize = 10;
/// Slices of the time before the fault that it is compared with.
const BEFORE: usize = 60;
/// Slices after the fault in which the old share is waited for.
const AFTER: usize = 1800;
const DEGRADED_BELOW: f64 = 0.99;
const DEGRADED_ABOVE: f64 = 1.2;
const LEAST_FOR_P99: u64 = 200;
const DETECTED_BELOW: f64 = 0.5;
const RESTORED_ABOVE: f64 = 0.9;

/// A fault to watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FaultWatch {
    /// Accounts concerned.
    pub accounts: Vec<AccountIndex>,
    /// From.
    pub start: Timestamp,
    /// To, exclusive.
    pub end: Timestamp,
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
    /// Time to detect.
    pub detect: Observed,
    /// Time to mitigate; `None` if nobody asked before the fault.
    pub mitigate: Option<Observed>,
    /// Time to restore; `None` if the accounts concerned had no traffic before the fault, or all.
    pub restore: Option<Observed>,
    /// Success rate of requests that arrived during the fault; NaN if there were none.
    pub success_rate_during: f64,
}

/// One second: by arrival for requests, by dispatch for shares.
#[derive(Clone, Debug, Default)]
struct Slice {
    requests: u64,
    successes: u64,
    dispatches: u64,
    concerned: u64,
    /// Of each request, in microseconds: a few numbers, in a scenario of weeks less than a
    /// histogram of each second.
    latency_us: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Probe<'a> {
    watch: &'a FaultWatch,
    concerned: Vec<bool>,
    /// Time of the first slice.
    origin: Timestamp,
    /// Slices before `watch.start`.
    before: usize,
    slices: Vec<Slice>,
    detected: Option<Timestamp>,
    requests_during: u64,
    successes_during: u64,
}

/// Watches every fault of a run.
#[derive(Clone, Debug)]
pub(super) struct FaultProbes<'a> {
    probes: Vec<Probe<'a>>,
}

impl<'a> FaultProbes<'a> {
    /// Probes for `faults`, in a run whose arrivals stop at `duration`.
    pub fn new(faults: &'a [FaultWatch], accounts: usize, duration: Duration) -> Self {
        let probe = |watch| Probe::new(watch, accounts, duration);
        Self {
            probes: faults.iter().map(probe).collect(),
        }
    }

    /// Notes an attempt.
    #[inline]
    pub fn dispatched(&mut self, now: Timestamp, account: AccountIndex) {
        for probe in &mut self.probes {
            let concerned = probe.concerned[account.at()];
            if let Some(slice) = probe.slice(now) {
                slice.dispatches += 1;
                slice.concerned += u64::from(concerned);
            }
        }
    }

    /// Notes a breaker that changed state.
    pub fn transition(&mut self, account: AccountIndex, Transition { at, to }: Transition) {
        if to == BreakerState::Open {
            self.probes
                .iter_mut()
                .for_each(|probe| probe.noticed(at, account));
        }
    }

    /// Notes the end of an attempt.
    #[inline]
    pub fn attempt_ended(&mut self, record: &AttemptRecord) {
        let cools_down = |kind| consequence(kind).account == AccountEffect::CoolDown;
        if record.failure.is_some_and(cools_down) {
            self.probes
                .iter_mut()
                .for_each(|probe| probe.noticed(record.ended, record.account));
        }
    }

    /// Notes the end of a request, and the latency that it counts with.
    #[inline]
    pub fn request_ended(&mut self, record: &RequestRecord, latency: Duration) {
        for probe in &mut self.probes {
            probe.request_ended(record, latency);
        }
    }

    /// What was observed of each fault.
    pub fn finish(self) -> Vec<FaultObservation> {
        self.probes.iter().map(Probe::observe).collect()
    }
}

impl<'a> Probe<'a> {
    fn new(watch: &'a FaultWatch, accounts: usize, duration: Duration) -> Self {
        let before = (watch.start.as_nanos() / SLICE.as_nanos()).min(BEFORE as u64) as usize;
        let origin = watch.start - Duration::from_secs(before as u64);
        let last = (Timestamp::ZERO + duration).min(watch.end + Duration::from_secs(AFTER as u64));
        let slices = last.since(origin).as_nanos().div_ceil(SLICE.as_nanos()) as usize;
        let mut concerned = vec![false; accounts];
        watch
            .accounts
            .iter()
            .for_each(|account| concerned[account.at()] = true);
        Self {
            watch,
            concerned,
            origin,
            before,
            slices: vec![Slice::default(); slices],
            detected: None,
            requests_during: 0,
            successes_during: 0,
        }
    }

    #[inline]
    fn slice(&mut self, at: Timestamp) -> Option<&mut Slice> {
        if at < self.origin {
            return None;
        }
        self.slices
            .get_mut((at.since(self.origin).as_nanos() / SLICE.as_nanos()) as usize)
    }

    fn noticed(&mut self, at: Timestamp, account: AccountIndex) {
        let during = self.watch.start <= at && at < self.watch.end;
        if during && self.concerned[account.at()] {
            self.detected.get_or_insert(at);
        }
    }

    fn request_ended(&mut self, record: &RequestRecord, latency: Duration) {
        let success = record.succeeded();
        if self.watch.start <= record.arrived && record.arrived < self.watch.end {
            self.requests_during += 1;
            self.successes_during += u64::from(success);
        }
        if record.arrived >= self.watch.end + Duration::from_secs(WINDOW as u64) {
            return;
        }
        if let Some(slice) = self.slice(record.arrived) {
            slice.requests += 1;
            slice.successes += u64::from(success);
            slice
                .latency_us
                .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        }
    }

    fn observe(&self) -> FaultObservation {
        let during = self.successes_during as f64 / self.requests_during as f64;
        FaultObservation {
            detect: self.detect(),
            mitigate: self.mitigate(),
            restore: self.restore(),
            success_rate_during: during,
        }
    }

    /// Slices of the fault itself, rounded up.
    fn length(&self) -> usize {
        self.watch
            .end
            .since(self.watch.start)
            .as_nanos()
            .div_ceil(SLICE.as_nanos()) as usize
    }

    /// The window that starts `offset` slices after the fault's start, as far as it was watched.
    fn window(&self, offset: usize) -> &[Slice] {
        let from = (self.before + offset).min(self.slices.len());
        &self.slices[from..(from + WINDOW).min(self.slices.len())]
    }

    fn former_share(&self) -> Option<f64> {
        share(&self.slices[..self.before]).filter(|share| *share > 0.0)
    }

    fn detect(&self) -> Observed {
        let length = self.length();
        let shifted = self.former_share().and_then(|former| {
            let last = length.saturating_sub(WINDOW);
            let low = |offset: &usize| {
                share(self.window(*offset)).is_some_and(|share| share < DETECTED_BELOW * former)
            };
            (0..=last).find(low).map(|offset| seconds(offset + WINDOW))
        });
        let noticed = self.detected.map(|at| at.since(self.watch.start));
        let watched = self.watch.end.since(self.watch.start);
        match noticed.into_iter().chain(shifted).min() {
            Some(time) if time <= watched => Observed::After(time),
            _ => Observed::NotWithin(watched),
        }
    }

    fn mitigate(&self) -> Option<Observed> {
        let before = Level::of(&self.slices[..self.before])?;
        let watched = Observed::NotWithin(self.watch.end.since(self.watch.start));
        let last = self.length().saturating_sub(WINDOW);
        let degraded = |offset: &usize| {
            Level::of(self.window(*offset)).is_some_and(|level| level.is_degraded(&before))
        };
        Some(match (0..=last).rev().find(degraded) {
            None => Observed::After(Duration::ZERO),
            Some(offset) if offset == last => watched,
            Some(offset) => Observed::After(seconds(offset + 1)),
        })
    }

    fn restore(&self) -> Option<Observed> {
        let former = self.former_share()?;
        if self.concerned.iter().all(|concerned| *concerned) {
            return None;
        }
        let length = self.length();
        let windows = self
            .slices
            .len()
            .saturating_sub(self.before + length + WINDOW - 1);
        let back = (0..windows).find(|offset| {
            let share = share(self.window(length + offset));
            share.is_some_and(|share| share >= RESTORED_ABOVE * former)
        });
        let not_within = Observed::NotWithin(seconds(windows));
        Some(back.map_or(not_within, |offset| Observed::After(seconds(offset))))
    }
}

fn seconds(slices: usize) -> Duration {
    Duration::from_secs(slices as u64)
}

/// Share of the dispatches that went to the accounts concerned; `None` without dispatches.
fn share(slices: &[Slice]) -> Option<f64> {
    let all: u64 = slices.iter().map(|slice| slice.dispatches).sum();
    let concerned: u64 = slices.iter().map(|slice| slice.concerned).sum();
    (all > 0).then(|| concerned as f64 / all as f64)
}

/// How well a stretch of time went.
struct Level {
    success_rate: f64,
    requests: u64,
    p99_us: u32,
}

impl Level {
    fn of(slices: &[Slice]) -> Option<Self> {
        let requests: u64 = slices.iter().map(|slice| slice.requests).sum();
        let successes: u64 = slices.iter().map(|slice| slice.successes).sum();
        let mut latency_us = slices
            .iter()
            .map(|slice| &slice.latency_us[..])
            .collect::<Vec<_>>()
            .concat();
        let rank = (latency_us.len() * 99).div_ceil(100).checked_sub(1)?;
        let (_, p99_us, _) = latency_us.select_nth_unstable(rank);
        let p99_us = *p99_us;
        Some(Self {
            success_rate: successes as f64 / requests as f64,
            requests,
            p99_us,
        })
    }

    fn is_degraded(&self, before: &Self) -> bool {
        let slow = f64::from(self.p99_us) > DEGRADED_ABOVE * f64::from(before.p99_us);
        self.success_rate < DEGRADED_BELOW * before.success_rate
            || (slow && self.requests >= LEAST_FOR_P99 && before.requests >= LEAST_FOR_P99)
    }
}
