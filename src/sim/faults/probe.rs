//! One fault under observation.
//!
//! Requests are counted by the second of their arrival and dispatches by their own; a second is
//! *certain* when every request that came in it has ended. Windows are judged as soon as their
//! seconds are certain, and seconds are forgotten as soon as no window needs them any more.

use super::{FaultObservation, FaultWatch, Observable, Observed};
use crate::record::RequestRecord;
use crate::request::{AccountIndex, ModelIndex};
use crate::routing::account::Account;
use crate::time::{Duration, Timestamp};
use std::collections::VecDeque;

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
/// Fewest dispatches of a window that the accounts concerned get in the mean, if their share is to
/// tell anything: half of 40 is three standard deviations away by chance (Poisson).
const LEAST_FOR_SHARE: u64 = 40;
const DETECTED_BELOW: f64 = 0.5;
const RESTORED_ABOVE: f64 = 0.9;

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

/// One fault under observation.
#[derive(Clone, Debug)]
pub(super) struct Probe<'a> {
    watch: &'a FaultWatch,
    concerned: Vec<bool>,
    /// Whether nobody else could take the requests.
    concerns_all: bool,
    /// Time of the first slice.
    origin: Timestamp,
    /// Slices before `watch.start`.
    before: usize,
    /// Slices that are watched in all.
    watched: usize,
    /// Those not forgotten, as far as anything has come.
    slices: VecDeque<Slice>,
    forgotten: usize,
    /// Windows from the start of the fault on that have been judged.
    judged: usize,
    former: Option<Former>,
    first_low: Option<usize>,
    last_degraded: Option<usize>,
    first_back: Option<usize>,
    detected: Option<Timestamp>,
    requests_during: u64,
    successes_during: u64,
}

/// How things were before the fault.
#[derive(Clone, Debug)]
struct Former {
    /// `None` if nobody asked.
    level: Option<Level>,
    /// `None` if the accounts concerned had no traffic, or too little.
    share: Option<f64>,
}

/// When the observation of a fault begins.
pub(super) fn origin(watch: &FaultWatch) -> Timestamp {
    watch.start - Duration::from_secs(before(watch) as u64)
}

/// Slices of the time before a fault.
fn before(watch: &FaultWatch) -> usize {
    (watch.start.as_nanos() / SLICE.as_nanos()).min(BEFORE as u64) as usize
}

impl<'a> Probe<'a> {
    /// For a run whose arrivals stop at `duration`.
    pub(super) fn new(watch: &'a FaultWatch, accounts: &[Account], duration: Duration) -> Self {
        let origin = origin(watch);
        let last = (Timestamp::ZERO + duration).min(watch.end + Duration::from_secs(AFTER as u64));
        let mut concerned = vec![false; accounts.len()];
        for account in &watch.accounts {
            concerned[account.at()] = true;
        }
        let serves = |account: &Account| {
            let mut models = account.models.iter().map(|served| served.model);
            watch.model.is_none_or(|model| models.any(|m| m == model))
        };
        let mut all = accounts.iter().zip(&concerned);
        let concerns_all = all.all(|(account, concerned)| *concerned || !serves(account));
        Self {
            watch,
            concerned,
            concerns_all,
            origin,
            before: before(watch),
            watched: slices_in(last.since(origin)),
            slices: VecDeque::new(),
            forgotten: 0,
            judged: 0,
            former: None,
            first_low: None,
            last_degraded: None,
            first_back: None,
            detected: None,
            requests_during: 0,
            successes_during: 0,
        }
    }

    /// Whether the fault concerns requests for `model`.
    pub(super) fn is_about(&self, model: ModelIndex) -> bool {
        self.watch.model.is_none_or(|own| own == model)
    }

    /// Notes an attempt at a model.
    #[inline]
    pub(super) fn dispatched(&mut self, now: Timestamp, account: AccountIndex, model: ModelIndex) {
        if !self.is_about(model) {
            return;
        }
        let concerned = self.concerned[account.at()];
        if let Some(slice) = self.slice(now) {
            slice.dispatches += 1;
            slice.concerned += u64::from(concerned);
        }
    }

    /// Notes that routing took notice of an account.
    pub(super) fn noticed(&mut self, at: Timestamp, account: AccountIndex) {
        let during = self.watch.start <= at && at < self.watch.end;
        if during && self.concerned[account.at()] {
            self.detected.get_or_insert(at);
        }
    }

    /// Notes the end of a request.
    pub(super) fn request_ended(&mut self, record: &RequestRecord, latency: Duration) {
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

    #[inline]
    fn slice(&mut self, at: Timestamp) -> Option<&mut Slice> {
        if at < self.origin {
            return None;
        }
        let number = (at.since(self.origin).as_nanos() / SLICE.as_nanos()) as usize;
        if number >= self.watched {
            return None;
        }
        let place = number.checked_sub(self.forgotten)?;
        if place >= self.slices.len() {
            self.slices.resize_with(place + 1, Slice::default);
        }
        self.slices.get_mut(place)
    }

    /// Judges what is certain now that all requests have ended that arrived before `certain`.
    pub(super) fn settle(&mut self, certain: Timestamp) {
        let passed = certain.since(self.origin).as_nanos() / SLICE.as_nanos();
        let certain = self.watched.min(passed as usize);
        if self.former.is_none() && (certain >= self.before || certain == self.watched) {
            let slices = self.stretch(0, self.before);
            self.former = Some(Former {
                level: Level::of(&slices),
                share: share(&slices).filter(|_| is_telling(&slices, self.before)),
            });
        }
        let whole = certain == self.watched;
        while self.former.is_some()
            && self.judged < self.windows()
            && (whole || self.before + self.judged + WINDOW <= certain)
        {
            self.judge(self.judged);
            self.judged += 1;
            self.forget();
        }
    }

    /// Whether nothing more can be learned.
    pub(super) fn is_over(&self) -> bool {
        self.judged >= self.windows()
    }

    /// What was observed, with the start of the fault.
    pub(super) fn observe(&self) -> (Timestamp, FaultObservation) {
        let during = self.successes_during as f64 / self.requests_during as f64;
        let observed = self.watch.observed;
        let times = observed != Observable::SuccessRate;
        let observation = FaultObservation {
            fault: self.watch.fault,
            detect: (observed == Observable::All).then(|| self.detect()),
            mitigate: self.mitigate().filter(|_| times),
            restore: self.restore().filter(|_| times),
            success_rate_during: during,
        };
        (self.watch.start, observation)
    }

    /// Slices of the fault itself, rounded up.
    fn length(&self) -> usize {
        slices_in(self.watch.end.since(self.watch.start))
    }

    /// The last window that tells of the fault itself.
    fn last_during(&self) -> usize {
        self.length().saturating_sub(WINDOW)
    }

    /// Windows after the fault that lie whole within the time watched.
    fn windows_after(&self) -> usize {
        self.watched
            .saturating_sub(self.before + self.length() + WINDOW - 1)
    }

    /// Windows to judge, counted from the start of the fault.
    fn windows(&self) -> usize {
        let during = self.last_during() + 1;
        match self.windows_after() {
            0 => during,
            after => during.max(self.length() + after),
        }
    }

    /// So many slices from one on, as far as they are watched.
    fn stretch(&self, from: usize, count: usize) -> Vec<&Slice> {
        let to = (from + count).min(self.watched);
        (from.max(self.forgotten)..to)
            .filter_map(|number| self.slices.get(number - self.forgotten))
            .collect()
    }

    fn judge(&mut self, offset: usize) {
        let Some(Former {
            level: before,
            share: former,
        }) = self.former.clone()
        else {
            return;
        };
        let slices = self.stretch(self.before + offset, WINDOW);
        let now = share(&slices).zip(former);
        let during = offset <= self.last_during();
        let low = during && now.is_some_and(|(now, former)| now < DETECTED_BELOW * former);
        let is_degraded =
            |before: Level| Level::of(&slices).is_some_and(|level| level.is_degraded(&before));
        let degraded = during && before.is_some_and(is_degraded);
        let back = now.is_some_and(|(now, former)| now >= RESTORED_ABOVE * former);
        if low {
            self.first_low.get_or_insert(offset);
        }
        if degraded {
            self.last_degraded = Some(offset);
        }
        if let Some(after) = offset.checked_sub(self.length())
            && after < self.windows_after()
            && back
        {
            self.first_back.get_or_insert(after);
        }
    }

    /// Forgets the slices that no window to come needs.
    fn forget(&mut self) {
        let needed = self.before + self.judged;
        let count = needed.saturating_sub(self.forgotten).min(self.slices.len());
        self.slices.drain(..count);
        self.forgotten += count;
        if self.slices.is_empty() {
            self.forgotten = self.forgotten.max(needed);
        }
    }

    fn detect(&self) -> Observed {
        let shifted = self.first_low.map(|offset| seconds(offset + WINDOW));
        let noticed = self.detected.map(|at| at.since(self.watch.start));
        let watched = self.watch.end.since(self.watch.start);
        match noticed.into_iter().chain(shifted).min() {
            Some(time) if time <= watched => Observed::After(time),
            _ => Observed::NotWithin(watched),
        }
    }

    fn mitigate(&self) -> Option<Observed> {
        self.former.as_ref()?.level.as_ref()?;
        let watched = Observed::NotWithin(self.watch.end.since(self.watch.start));
        Some(match self.last_degraded {
            None => Observed::After(Duration::ZERO),
            Some(offset) if offset == self.last_during() => watched,
            Some(offset) => Observed::After(seconds(offset + 1)),
        })
    }

    fn restore(&self) -> Option<Observed> {
        self.former.as_ref()?.share?;
        if self.concerns_all {
            return None;
        }
        let not_within = Observed::NotWithin(seconds(self.windows_after()));
        let after = |offset| Observed::After(seconds(offset));
        Some(self.first_back.map_or(not_within, after))
    }
}

/// Slices in a length of time, rounded up.
fn slices_in(length: Duration) -> usize {
    length.as_nanos().div_ceil(SLICE.as_nanos()) as usize
}

fn seconds(slices: usize) -> Duration {
    Duration::from_secs(slices as u64)
}

/// Share of the dispatches that went to the accounts concerned; `None` without dispatches.
fn share(slices: &[&Slice]) -> Option<f64> {
    let all: u64 = slices.iter().map(|slice| slice.dispatches).sum();
    let concerned: u64 = slices.iter().map(|slice| slice.concerned).sum();
    (all > 0).then(|| concerned as f64 / all as f64)
}

/// Whether the accounts concerned get enough in these seconds, which are `count`, for their share
/// of a window to tell something.
fn is_telling(slices: &[&Slice], count: usize) -> bool {
    let concerned: u64 = slices.iter().map(|slice| slice.concerned).sum();
    concerned > 0 && (concerned * WINDOW as u64) >= LEAST_FOR_SHARE * count as u64
}

/// How well a stretch of time went.
#[derive(Clone, Debug)]
struct Level {
    success_rate: f64,
    requests: u64,
    p99_us: u32,
}

impl Level {
    fn of(slices: &[&Slice]) -> Option<Self> {
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
