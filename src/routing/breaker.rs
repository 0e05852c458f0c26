//! Circuit breaker of one target.
//!
//! Closed, then Open after a number of consecutive failures, then HalfOpen after a fixed time, then
//! Closed again after a number of successful probes (Nygard, "Release It!"). Transitions are lazy:
//! they happen when somebody looks, at the time they were due. A half-open breaker admits a limited
//! number of probes at a time, because one that lets a crowd in on a struggling upstream never
//! closes.
//!
//! Options, all off by default ([`BreakerConfig`]): it opens by the share of failures too (Envoy's
//! outlier detection; linkerd's breaker has it instead of the consecutive count), its open time
//! grows on repetition up to a cap, and once closed its target's traffic rises slowly.
//!
//! An attempt carries a [`Ticket`] of the state that admitted it. A result that comes back after a
//! transition says nothing about the new state and is not counted (a slow failure from before an
//! outage must not end the recovery from it).

mod past;

use crate::request::words;
use crate::routing::config::BreakerConfig;
use crate::time::Timestamp;
use past::Past;

words! {
    /// The breaker's state. Open means refusing.
    BreakerState {
        /// Admits everything.
        Closed = "closed",
        /// Refuses everything.
        Open = "open",
        /// Admits a limited number of probes at a time.
        HalfOpen = "half_open",
    }
}

/// A change of state, and when it took effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// The new state.
    pub to: BreakerState,
}

/// Proof of admission: which state admitted the attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ticket {
    generation: u32,
    probe: bool,
}

impl Ticket {
    /// Whether the attempt is a half-open probe.
    #[must_use]
    pub const fn is_probe(self) -> bool {
        self.probe
    }
}

/// What an attempt says about its target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// It works.
    Success,
    /// It does not.
    Failure,
    /// Nothing: the client's own fault, a rate limit, a cancellation.
    None,
}

/// Circuit breaker of one target.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    /// Number of transitions so far.
    generation: u32,
    /// None while all options are off.
    past: Option<Box<Past>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Timestamp },
    HalfOpen { successes: u32, in_flight: u32 },
}

impl Breaker {
    /// A closed breaker, to be used with these settings.
    #[must_use]
    pub fn new(config: &BreakerConfig) -> Self {
        Self {
            state: State::Closed { failures: 0 },
            generation: 0,
            past: config.has_options().then(Box::default),
        }
    }

    /// The state as last seen; call [`Self::poll`] first to have it as of now.
    #[must_use]
    pub const fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// When an open breaker will admit probes; `None` if it is not open.
    #[must_use]
    pub const fn open_until(&self) -> Option<Timestamp> {
        match self.state {
            State::Open { until } => Some(until),
            _ => None,
        }
    }

    /// Whether it admits everything.
    #[must_use]
    #[inline]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// When the slow start is over that follows the last closing; `None` if there is none.
    #[must_use]
    pub fn warm_at(&self, config: &BreakerConfig) -> Option<Timestamp> {
        let (past, start) = (self.past.as_ref()?, config.slow_start?);
        let closed_at = past.closed_at().filter(|_| self.is_closed())?;
        Some(closed_at + start.window)
    }

    /// Probability at `now` that its target is a candidate, by the slow start; 1 outside of it.
    #[must_use]
    pub fn warmth(&self, now: Timestamp, config: &BreakerConfig) -> f64 {
        let closed_at = self.past.as_ref().and_then(|past| past.closed_at());
        match (&config.slow_start, closed_at) {
            (Some(start), Some(closed_at)) if self.is_closed() => start.share(now.since(closed_at)),
            _ => 1.0,
        }
    }

    /// Carries out the transition from Open to HalfOpen if it is due.
    pub fn poll(&mut self, now: Timestamp) -> Option<Transition> {
        match self.state {
            State::Open { until } if until <= now => Some(self.enter(
                State::HalfOpen {
                    successes: 0,
                    in_flight: 0,
                },
                until,
            )),
            _ => None,
        }
    }

    /// Whether an attempt may be dispatched now.
    #[must_use]
    pub const fn admits(&self, config: &BreakerConfig) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { .. } => false,
            State::HalfOpen { in_flight, .. } => in_flight < config.half_open_max_in_flight,
        }
    }

    /// Notes a dispatch, which [`Self::admits`] must have allowed.
    #[inline]
    pub const fn dispatched(&mut self) -> Ticket {
        let probe = if let State::HalfOpen { in_flight, .. } = &mut self.state {
            *in_flight += 1;
            true
        } else {
            false
        };
        Ticket {
            generation: self.generation,
            probe,
        }
    }

    /// Ticket of an attempt that is sent although it is not admitted: no state counts its result.
    #[must_use]
    pub const fn bypassed(&self) -> Ticket {
        Ticket {
            generation: self.generation.wrapping_sub(1),
            probe: false,
        }
    }

    /// Notes the end of an attempt.
    #[inline]
    pub fn ended(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        judgement: Judgement,
        config: &BreakerConfig,
    ) -> Option<Transition> {
        if ticket.generation != self.generation {
            return None;
        }
        match &mut self.state {
            State::Open { .. } => None,
            State::Closed { failures } => {
                match judgement {
                    Judgement::Success => *failures = 0,
                    Judgement::Failure => *failures += 1,
                    Judgement::None => {}
                }
                let mut opens = *failures >= config.failures_to_open;
                if let (Some(past), Some(rate)) = (&mut self.past, &config.failure_rate) {
                    opens |= past.judged(now, judgement, rate);
                }
                opens.then(|| self.open(now, config))
            }
            State::HalfOpen {
                successes,
                in_flight,
            } => {
                *in_flight -= 1;
                match judgement {
                    Judgement::Success => {
                        *successes += 1;
                        let closes = *successes >= config.successes_to_close;
                        closes.then(|| self.close(now))
                    }
                    Judgement::Failure => Some(self.open(now, config)),
                    Judgement::None => None,
                }
            }
        }
    }

    fn open(&mut self, now: Timestamp, config: &BreakerConfig) -> Transition {
        let was_closed = self.is_closed();
        let length = match &mut self.past {
            Some(past) => past.opens(now, was_closed, config),
            None => config.open_time,
        };
        let until = now + length;
        self.enter(State::Open { until }, now)
    }

    fn close(&mut self, now: Timestamp) -> Transition {
        if let Some(past) = &mut self.past {
            past.closes(now);
        }
        self.enter(State::Closed { failures: 0 }, now)
    }

    const fn enter(&mut self, state: State, at: Timestamp) -> Transition {
        self.state = state;
        self.generation = self.generation.wrapping_add(1);
        Transition {
            at,
            to: self.state(),
        }
    }
}

#[cfg(test)]
mod tests;
