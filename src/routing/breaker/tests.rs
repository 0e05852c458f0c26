//! The breaker against its rules, written a second time.

use super::*;
use crate::routing::config::{FailureRate, OpenTimeGrowth, SlowStart};
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
    /// Attempts in order of their end, and when.
    ended: Vec<(usize, Timestamp)>,
}

impl Naive {
    fn state(&self) -> BreakerState {
        self.transitions
            .last()
            .map_or(BreakerState::Closed, |(_, state)| *state)
    }

    /// The length of every open time so far.
    fn open_times(&self, config: &BreakerConfig) -> Vec<Duration> {
        let mut lengths: Vec<Duration> = vec![];
        for (at, &(now, to)) in self.transitions.iter().enumerate() {
            if to != BreakerState::Open {
                continue;
            }
            // Opened before, and well for less than the reset since.
            let well = match at.checked_sub(1).map(|before| self.transitions[before]) {
                Some((since, BreakerState::Closed)) => Some(now.since(since)),
                Some(_) => Some(Duration::ZERO),
                None => None,
            };
            lengths.push(match (config.open_time_growth, well, lengths.last()) {
                (Some(growth), Some(well), Some(last)) if well < growth.reset_after => {
                    let longer = last.as_secs_f64() * growth.factor;
                    Duration::from_secs_f64(longer).min(growth.cap)
                }
                _ => config.open_time,
            });
        }
        lengths
    }

    fn poll(&mut self, now: Timestamp, config: &BreakerConfig) {
        if let Some(&(since, BreakerState::Open)) = self.transitions.last() {
            let until = since + *self.open_times(config).last().unwrap();
            if until <= now {
                self.transitions.push((until, BreakerState::HalfOpen));
            }
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

    /// Ends that count for the present state.
    fn of_epoch(&self) -> Vec<(Judgement, Timestamp)> {
        let epoch = self.transitions.len();
        let own = self
            .ended
            .iter()
            .filter(|(a, _)| self.attempts[*a].0 == epoch);
        own.filter_map(|(a, at)| Some((self.attempts[*a].1?, *at)))
            .filter(|(end, _)| *end != Judgement::None)
            .collect()
    }

    fn fails_too_often(&self, now: Timestamp, config: &BreakerConfig) -> bool {
        let Some(rate) = config.failure_rate else {
            return false;
        };
        let bucket = |at: Timestamp| at.as_nanos() / (rate.window.as_nanos() / 10);
        let mut recent = self.of_epoch();
        recent.retain(|(_, at)| bucket(*at) + 10 > bucket(now));
        let failed = recent.iter().filter(|(end, _)| *end == Judgement::Failure);
        let share = failed.count() as f64 / recent.len() as f64;
        recent.len() >= rate.least_attempts as usize && share >= rate.share
    }

    fn ended(&mut self, now: Timestamp, attempt: usize, end: Judgement, c: &BreakerConfig) {
        self.attempts[attempt].1 = Some(end);
        self.ended.push((attempt, now));
        let of_epoch = self.of_epoch();
        let counted = self.attempts[attempt].0 == self.transitions.len();
        let run = of_epoch.iter().rev().take_while(|(e, _)| *e == end).count();
        let (to_open, to_close) = (c.failures_to_open as usize, c.successes_to_close as usize);
        let to = match (self.state(), end) {
            (BreakerState::Closed, Judgement::Failure)
                if run >= to_open || self.fails_too_often(now, c) =>
            {
                BreakerState::Open
            }
            (BreakerState::HalfOpen, Judgement::Failure) => BreakerState::Open,
            (BreakerState::HalfOpen, Judgement::Success) if run >= to_close => BreakerState::Closed,
            _ => return,
        };
        if counted {
            self.transitions.push((now, to));
        }
    }

    /// Share by the slow start.
    fn warmth(&self, now: Timestamp, config: &BreakerConfig) -> f64 {
        match (self.transitions.last(), config.slow_start) {
            (Some((since, BreakerState::Closed)), Some(start)) => {
                let part = now.since(*since).as_secs_f64() / start.window.as_secs_f64();
                start.floor + (1.0 - start.floor) * part.min(1.0)
            }
            _ => 1.0,
        }
    }
}

fn configs() -> impl Strategy<Value = BreakerConfig> {
    let rate = (1u32..=8, 2u64..9, 1u32..10).prop_map(|(eighths, window, least)| FailureRate {
        share: f64::from(eighths) / 8.0,
        window: Duration::from_secs(10 * window),
        least_attempts: least,
    });
    let growth = (1u32..6, 30u64..200, 1u64..100).prop_map(|(halves, cap, reset)| OpenTimeGrowth {
        factor: 1.0 + f64::from(halves) / 2.0,
        cap: Duration::from_secs(cap),
        reset_after: Duration::from_secs(reset),
    });
    let start = (1u64..100, 1u32..=8).prop_map(|(window, eighths)| SlowStart {
        window: Duration::from_secs(window),
        floor: f64::from(eighths) / 8.0,
    });
    let options = (
        prop::option::of(rate),
        prop::option::of(growth),
        prop::option::of(start),
    );
    (1u32..8, 1u32..3, 1u32..4, options).prop_map(|(failures, probes, successes, options)| {
        BreakerConfig {
            failures_to_open: failures,
            open_time: Duration::from_secs(30),
            half_open_max_in_flight: probes,
            successes_to_close: successes,
            failure_rate: options.0,
            open_time_growth: options.1,
            slow_start: options.2,
        }
    })
}

proptest! {
    /// Whatever happens, the breaker does what the naive model does.
    #[test]
    fn agrees_with_a_naive_model(
        config in configs(),
        steps in prop::collection::vec(
            (0u64..20, 0u8..8, any::<prop::sample::Index>()),
            1..200,
        ),
    ) {
        let (mut breaker, mut naive) = (Breaker::new(&config), Naive::default());
        let mut running: Vec<(usize, Ticket)> = vec![];
        let mut now = at(0);
        for (wait, step, which) in steps {
            now += Duration::from_secs(wait);
            breaker.poll(now);
            naive.poll(now, &config);
            prop_assert_eq!(breaker.admits(&config), naive.admits(&config));
            let warmth = breaker.warmth(now, &config);
            prop_assert!((warmth - naive.warmth(now, &config)).abs() < 1e-9);
            let warm = breaker.warm_at(&config).is_none_or(|at| at <= now);
            prop_assert_eq!(warm || config.slow_start.is_some_and(|s| s.floor == 1.0),
                warmth == 1.0);
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
    let mut breaker = Breaker::new(&config);
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
    let mut breaker = Breaker::new(&config);
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
    let mut breaker = Breaker::new(&config);
    let mut now = at(0);
    for _ in 0..50 {
        breaker.poll(now);
        let ticket = breaker.dispatched();
        breaker.ended(now, ticket, Judgement::Failure, &config);
        assert_eq!(breaker.open_until(), Some(now + config.open_time));
        now += config.open_time;
    }
}

/// Doubling from 10 s up to 60 s; well for a minute, it starts anew; not well for so long, it
/// goes on.
#[test]
fn the_open_time_grows_to_its_cap_and_shrinks_again() {
    let config = BreakerConfig {
        failures_to_open: 1,
        open_time: Duration::from_secs(10),
        successes_to_close: 1,
        open_time_growth: Some(OpenTimeGrowth {
            factor: 2.0,
            cap: Duration::from_secs(60),
            reset_after: Duration::from_secs(60),
        }),
        ..BreakerConfig::default()
    };
    let mut breaker = Breaker::new(&config);
    let mut now = at(0);
    let attempt = |breaker: &mut Breaker, now, judgement| {
        breaker.poll(now);
        let ticket = breaker.dispatched();
        breaker.ended(now, ticket, judgement, &config);
        breaker.open_until().map(|until| until.since(now))
    };
    for expected in [10, 20, 40, 60, 60, 60].map(Duration::from_secs) {
        let length = attempt(&mut breaker, now, Judgement::Failure);
        assert_eq!(length, Some(expected));
        now += expected;
    }
    for (well, expected) in [(59, 60), (60, 10), (30, 20), (61, 10)] {
        let expected = Duration::from_secs(expected);
        assert_eq!(attempt(&mut breaker, now, Judgement::Success), None);
        now += Duration::from_secs(well);
        let length = attempt(&mut breaker, now, Judgement::Failure);
        assert_eq!(length, Some(expected), "well for {well} s");
        now += expected;
    }
}

/// Every other attempt fails: never two in a row, and it opens when 20 attempts say so.
#[test]
fn it_opens_by_the_share_of_failures() {
    let opens_after = |failure_rate| {
        let config = BreakerConfig {
            failure_rate,
            ..BreakerConfig::default()
        };
        let mut breaker = Breaker::new(&config);
        (0..1_000u64).find(|i| {
            let ticket = breaker.dispatched();
            let judgement = [Judgement::Success, Judgement::Failure][(i % 2) as usize];
            breaker
                .ended(at(i / 10), ticket, judgement, &config)
                .is_some()
        })
    };
    assert_eq!(opens_after(None), None);
    assert_eq!(opens_after(Some(FailureRate::default())), Some(19));
    let stricter = FailureRate {
        share: 0.51,
        ..FailureRate::default()
    };
    assert_eq!(opens_after(Some(stricter)), None);
}
