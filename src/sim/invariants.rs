//! What must hold in every run, checked in every run.
//!
//! The checks are a few integer operations for each request and stay on in release builds: a number
//! that comes out of a broken run is worse than none.

use crate::record::{AttemptRecord, CacheUse, Outcome, RequestRecord};
use crate::request::AccountIndex;
use crate::sim::Broken;
use crate::time::Timestamp;
use crate::units::NanoUsd;

/// Books kept beside the simulation.
#[derive(Clone, Debug, Default)]
pub(super) struct Invariants {
    now: Timestamp,
    arrivals: u64,
    successes: u64,
    failures: u64,
    rejections: u64,
    dispatched: u64,
    attempts_ended: u64,
    cost_of_attempts: NanoUsd,
    cost_of_requests: NanoUsd,
    /// Requests answered without an attempt of their own that have one.
    copies_attempted: u64,
    /// Requests in the system, over time.
    in_system: Area,
    sojourn_nanos: u128,
    /// The same of attempts.
    in_flight: Area,
    attempt_nanos: u128,
}

/// The integral of a number over time. Every one that comes adds the rest of time to it, and every
/// one that goes takes off what is left then: two sums at its two events, instead of a product at
/// every event of the run. Once all have gone, the one less the other is the integral.
#[derive(Clone, Copy, Debug, Default)]
struct Area {
    came_at: u128,
    went_at: u128,
}

impl Area {
    fn comes(&mut self, now: Timestamp) {
        self.came_at += u128::from(now.as_nanos());
    }

    fn goes(&mut self, now: Timestamp) {
        self.went_at += u128::from(now.as_nanos());
    }

    /// In nanoseconds, modulo 2^128: with one more gone than came, it is nonsense.
    const fn nanos(self) -> u128 {
        self.went_at.wrapping_sub(self.came_at)
    }
}

#[cold]
fn broken(what: impl Into<Box<str>>) -> Broken {
    Broken::Invariant(what.into())
}

impl Invariants {
    /// Time goes on to `now`.
    #[inline]
    pub fn time(&mut self, now: Timestamp) -> Result<(), Broken> {
        if now < self.now {
            return Err(broken(format!("time went back from {} to {now}", self.now)));
        }
        self.now = now;
        Ok(())
    }

    /// The time of the last event.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Requests that have arrived.
    pub const fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// A request has arrived.
    #[inline]
    pub fn arrived(&mut self) {
        self.arrivals += 1;
        self.in_system.comes(self.now);
    }

    /// An attempt is sent to a target, of this account, whose breaker is open or not. One that goes
    /// against the breaker's advice says so, and is none of the breaker's doing.
    #[inline]
    pub fn dispatched(&mut self, open: bool, account: AccountIndex) -> Result<(), Broken> {
        self.dispatched += 1;
        self.in_flight.comes(self.now);
        if open {
            let what = format!(
                "account {} got an attempt while the breaker for it was open",
                account.0
            );
            return Err(broken(what));
        }
        Ok(())
    }

    /// An attempt has ended.
    pub fn attempt_ended(&mut self, record: &AttemptRecord) {
        self.attempts_ended += 1;
        self.in_flight.goes(self.now);
        self.cost_of_attempts += record.cost;
        self.attempt_nanos += u128::from(record.ended.since(record.dispatched).as_nanos());
    }

    /// A request has ended. What the cache or another's attempt gave is free, or a cost would be
    /// counted twice.
    #[inline]
    pub fn request_ended(&mut self, record: &RequestRecord) {
        self.in_system.goes(self.now);
        match record.outcome {
            Outcome::Success => self.successes += 1,
            Outcome::Failed(_) => self.failures += 1,
            Outcome::Rejected(_) => self.rejections += 1,
        }
        if matches!(record.cache, CacheUse::Hit | CacheUse::Coalesced) {
            let attempted = record.attempts > 0 || record.cost > NanoUsd(0);
            self.copies_attempted += u64::from(attempted);
        }
        self.cost_of_requests += record.cost;
        self.sojourn_nanos += u128::from(record.sojourn().as_nanos());
    }

    /// After the drain. `left` is what the gateway and the fleet still hold, `in_flight` the sum of
    /// the accounts' counters, `waiting` those who are said to wait for others.
    pub fn at_end(&self, left: (usize, usize), in_flight: u32, waiting: u32) -> Result<(), Broken> {
        let ended = self.successes + self.failures + self.rejections;
        if self.arrivals != ended {
            return Err(broken(format!(
                "{} requests arrived, {ended} ended",
                self.arrivals
            )));
        }
        if self.dispatched != self.attempts_ended {
            let (sent, ended) = (self.dispatched, self.attempts_ended);
            return Err(broken(format!("{sent} attempts were sent, {ended} ended")));
        }
        if left != (0, 0) || in_flight != 0 || waiting != 0 {
            return Err(broken(format!(
                "in flight after the drain: {left:?}, {in_flight}, {waiting} waiting"
            )));
        }
        if self.copies_attempted > 0 {
            let copies = self.copies_attempted;
            return Err(broken(format!("{copies} copied answers were paid for")));
        }
        if self.cost_of_attempts != self.cost_of_requests {
            return Err(broken(
                "the cost of the attempts is not the cost of the requests",
            ));
        }
        little("request", self.in_system.nanos(), self.sojourn_nanos)?;
        little("attempt", self.in_flight.nanos(), self.attempt_nanos)
    }
}

/// Little's law: the integral of their number over time is the sum of their times.
fn little(of: &str, area: u128, times: u128) -> Result<(), Broken> {
    if area == times {
        return Ok(());
    }
    Err(broken(format!(
        "Little's law: {area} {of}-ns, sum of their times {times} ns"
    )))
}
