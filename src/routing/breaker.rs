//! Circuit breaker of one target.
//!
//! Closed, then Open after a number of consecutive failures, then HalfOpen after a fixed time, then
//! Closed again after a number of successful probes (Nygard, "Release It!"). Transitions are lazy:
//! they happen when somebody looks, at the time they were due. A half-open breaker admits a limited
//! number of probes at a time, because one that lets a crowd in on a struggling upstream never
//! closes.
//!
//! An attempt carries a [`Ticket`] of the state that admitted it. A result that comes back after a
//! transition says nothing about the new state and is not counted (a slow failure from before an
//! outage must not end the recovery from it).

use crate::routing::config::BreakerConfig;
use crate::time::Timestamp;

/// The breaker's state. Open means refusing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BreakerState {
    /// Admits everything.
    Closed,
    /// Refuses everything.
    Open,
    /// Admits a limited number of probes at a time.
    HalfOpen,
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
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Timestamp },
    HalfOpen { successes: u32, in_flight: u32 },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new()
    }
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Closed { failures: 0 },
            generation: 0,
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
                (*failures >= config.failures_to_open).then(|| self.open(now, config))
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
                        closes.then(|| self.enter(State::Closed { failures: 0 }, now))
                    }
                    Judgement::Failure => Some(self.open(now, config)),
                    Judgement::None => None,
                }
            }
        }
    }

    fn open(&mut self, now: Timestamp, config: &BreakerConfig) -> Transition {
        self.enter(
            State::Open {
                until: now + config.open_time,
            },
            now,
        )
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
mod tests {
    use super::*;
    use crate::time::Duration;
    use proptest::prelude::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(secs)
    }

    /// The same rules, written as a log of everything that happened instead of as a state machine:
    /// the state is worked out anew from the log each time.
    #[derive(Default)]
    struct Naive {
        transitions: Vec<(Timestamp, BreakerState)>,
        /// (transitions when dispatched, how it ended)
        attempts: Vec<(usize, Option<Judgement>)>,
        /// Attempts in order of their end.
        ended: Vec<usize>,
    }

    impl Naive {
        fn state(&self) -> BreakerState {
            self.transitions
                .last()
                .map_or(BreakerState::Closed, |(_, state)| *state)
        }

        fn poll(&mut self, now: Timestamp, config: &BreakerConfig) {
            if let Some((since, BreakerState::Open)) = self.transitions.last()
                && *since + config.open_time <= now
            {
                self.transitions
                    .push((*since + config.open_time, BreakerState::HalfOpen));
            }
        }

        fn running(&self) -> usize {
            let epoch = self.transitions.len();
            self.attempts
                .iter()
                .filter(|(e, end)| *e == epoch && end.is_none())
                .count()
        }

        fn admits(&self, config: &BreakerConfig) -> bool {
            match self.state() {
                BreakerState::Closed => true,
                BreakerState::Open => false,
                BreakerState::HalfOpen => self.running() < config.half_open_max_in_flight as usize,
            }
        }

        fn ended(&mut self, now: Timestamp, attempt: usize, end: Judgement, c: &BreakerConfig) {
            self.attempts[attempt].1 = Some(end);
            self.ended.push(attempt);
            let epoch = self.transitions.len();
            let of_epoch: Vec<Judgement> = self
                .ended
                .iter()
                .filter(|a| self.attempts[**a].0 == epoch)
                .filter_map(|a| self.attempts[*a].1)
                .filter(|end| *end != Judgement::None)
                .collect();
            let counted = self.attempts[attempt].0 == epoch && end != Judgement::None;
            let run = of_epoch.iter().rev().take_while(|e| **e == end).count();
            let (to_open, to_close) = (c.failures_to_open as usize, c.successes_to_close as usize);
            let to = match (self.state(), end) {
                (BreakerState::Closed, Judgement::Failure) if run >= to_open => BreakerState::Open,
                (BreakerState::HalfOpen, Judgement::Failure) => BreakerState::Open,
                (BreakerState::HalfOpen, Judgement::Success) if run >= to_close => {
                    BreakerState::Closed
                }
                _ => return,
            };
            if counted {
                self.transitions.push((now, to));
            }
        }
    }

    proptest! {
        /// Whatever happens, the breaker does what the naive model does.
        #[test]
        fn agrees_with_a_naive_model(
            failures_to_open in 1u32..4,
            half_open_max_in_flight in 1u32..3,
            successes_to_close in 1u32..4,
            steps in prop::collection::vec(
                (0u64..20, 0u8..8, any::<prop::sample::Index>()),
                1..200,
            ),
        ) {
            let config = BreakerConfig {
                failures_to_open,
                open_time: Duration::from_secs(30),
                half_open_max_in_flight,
                successes_to_close,
            };
            let (mut breaker, mut naive) = (Breaker::default(), Naive::default());
            let mut running: Vec<(usize, Ticket)> = vec![];
            let mut now = at(0);
            for (wait, step, which) in steps {
                now += Duration::from_secs(wait);
                breaker.poll(now);
                naive.poll(now, &config);
                prop_assert_eq!(breaker.admits(&config), naive.admits(&config));
                if step < 4 && breaker.admits(&config) {
                    let ticket = breaker.dispatched();
                    prop_assert_eq!(ticket.is_probe(), naive.state() == BreakerState::HalfOpen);
                    running.push((naive.attempts.len(), ticket));
                    naive.attempts.push((naive.transitions.len(), None));
                } else if !running.is_empty() {
                    let (attempt, ticket) = running.swap_remove(which.index(running.len()));
                    let end = match step {
                        4 | 0 => Judgement::Success,
                        5 => Judgement::None,
                        _ => Judgement::Failure,
                    };
                    breaker.ended(now, ticket, end, &config);
                    naive.ended(now, attempt, end, &config);
                }
                prop_assert_eq!(breaker.state(), naive.state());
            }
        }
    }

    #[test]
    fn the_users_constants() {
        let config = BreakerConfig::default();
        let mut breaker = Breaker::default();
        let end = |breaker: &mut Breaker, secs, judgement| {
            breaker.poll(at(secs));
            assert!(breaker.admits(&config));
            let ticket = breaker.dispatched();
            breaker.ended(at(secs), ticket, judgement, &config)
        };
        for _ in 0..4 {
            assert_eq!(end(&mut breaker, 1, Judgement::Failure), None);
        }
        end(&mut breaker, 1, Judgement::Success);
        for _ in 0..4 {
            assert_eq!(end(&mut breaker, 2, Judgement::Failure), None);
        }
        let opened = Transition {
            at: at(2),
            to: BreakerState::Open,
        };
        assert_eq!(end(&mut breaker, 2, Judgement::Failure), Some(opened));
        assert_eq!(breaker.poll(at(61)), None);
        assert!(!breaker.admits(&config));
        let half_open = Transition {
            at: at(62),
            to: BreakerState::HalfOpen,
        };
        assert_eq!(breaker.poll(at(99)), Some(half_open));
        let probe = breaker.dispatched();
        assert!(
            probe.is_probe() && !breaker.admits(&config),
            "one probe at a time"
        );
        assert_eq!(
            breaker.ended(at(100), probe, Judgement::None, &config),
            None
        );
        assert_eq!(end(&mut breaker, 101, Judgement::Success), None);
        assert_eq!(end(&mut breaker, 102, Judgement::Success), None);
        let closed = Transition {
            at: at(103),
            to: BreakerState::Closed,
        };
        assert_eq!(end(&mut breaker, 103, Judgement::Success), Some(closed));
    }

    #[test]
    fn a_result_from_before_a_transition_does_not_count() {
        let config = BreakerConfig::default();
        let mut breaker = Breaker::default();
        let old: Vec<Ticket> = (0..20).map(|_| breaker.dispatched()).collect();
        for ticket in &old[..5] {
            breaker.ended(at(1), *ticket, Judgement::Failure, &config);
        }
        assert_eq!(breaker.state(), BreakerState::Open);
        breaker.poll(at(61));
        for ticket in &old[5..] {
            assert_eq!(
                breaker.ended(at(61), *ticket, Judgement::Failure, &config),
                None
            );
        }
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
    }

    /// The open time is the same on every repetition: it does not grow without a cap.
    #[test]
    fn the_open_time_does_not_grow() {
        let config = BreakerConfig {
            failures_to_open: 1,
            ..BreakerConfig::default()
        };
        let mut breaker = Breaker::default();
        let mut now = at(0);
        for _ in 0..50 {
            breaker.poll(now);
            let ticket = breaker.dispatched();
            breaker.ended(now, ticket, Judgement::Failure, &config);
            assert_eq!(breaker.open_until(), Some(now + config.open_time));
            now += config.open_time;
        }
    }
}
