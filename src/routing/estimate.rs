//! Estimates learned from samples: a decaying mean of times, and a windowed success rate.
//!
//! The mean decays with time, not with the number of samples, so that it means the same at every
//! request rate. The success rate is kept as exact counts over a window: a decaying rate would
//! make the weight of one failure depend on the traffic.

use crate::exp::exp;
use crate::time::{Duration, Timestamp};

/// Exponentially decaying mean of times: `mean += (1 - exp(-max(dt, tau/100) / tau)) (x - mean)`.
///
/// The floor on `dt` lets a burst of simultaneous samples move the mean at all. The first sample is
/// taken whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecayingMean {
    seconds: f64,
    last: Timestamp,
    measured: bool,
}

impl DecayingMean {
    /// Unmeasured.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            seconds: 0.0,
            last: Timestamp::ZERO,
            measured: false,
        }
    }

    /// The estimate in seconds; `None` while unmeasured.
    #[must_use]
    #[inline]
    pub fn seconds(&self) -> Option<f64> {
        self.measured.then_some(self.seconds)
    }

    /// Whether there is an estimate.
    #[must_use]
    #[inline]
    pub const fn is_measured(&self) -> bool {
        self.measured
    }

    /// When the last sample was taken; `None` while unmeasured.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.measured.then_some(self.last)
    }

    /// Takes a sample at `now`.
    #[inline]
    pub fn observe(&mut self, now: Timestamp, sample: Duration, tau: Duration) {
        let x = sample.as_secs_f64();
        if self.measured {
            let tau = tau.as_nanos() as f64;
            let dt = now.since(self.last).as_nanos() as f64;
            let weight = 1.0 - exp(-(dt / tau).max(0.01));
            self.seconds += weight * (x - self.seconds);
        } else {
            self.seconds = x;
            self.measured = true;
        }
        self.last = now;
    }

    /// Takes a sample of something that took at least `waited`: the estimate if that is longer.
    pub fn observe_at_least(&mut self, now: Timestamp, waited: Duration, tau: Duration) {
        let known = Duration::from_secs_f64(self.seconds().unwrap_or(0.0));
        self.observe(now, waited.max(known), tau);
    }

    /// Becomes unmeasured if there was no sample in the last `forget_after`.
    pub fn forget(&mut self, now: Timestamp, forget_after: Duration) {
        if self.measured && now.since(self.last) >= forget_after {
            self.measured = false;
        }
    }
}

/// Buckets of the success window.
pub const BUCKETS: usize = 10;

/// Success rate over the last ten ticks, with one prior success: `(successes + 1) / (ended + 1)`.
///
/// Ticks are counted from time 0, so that the buckets of all targets turn together.
#[derive(Clone, Copy, Debug, Default)]
pub struct SuccessWindow {
    sum_successes: u32,
    sum_ended: u32,
    tick: u64,
    /// Place of `tick` in the ring.
    slot: u32,
    buckets: [Bucket; BUCKETS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    successes: u32,
    ended: u32,
}

impl SuccessWindow {
    /// Empty, at tick 0.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sum_successes: 0,
            sum_ended: 0,
            tick: 0,
            slot: 0,
            buckets: [Bucket {
                successes: 0,
                ended: 0,
            }; BUCKETS],
        }
    }

    /// The rate, in (0, 1].
    #[must_use]
    #[inline]
    pub fn rate(&self) -> f64 {
        f64::from(self.sum_successes + 1) / f64::from(self.sum_ended + 1)
    }

    /// Successes, and attempts ended, in the window.
    #[must_use]
    pub const fn counts(&self) -> (u32, u32) {
        (self.sum_successes, self.sum_ended)
    }

    /// Turns the window to `tick`. Says whether counts fell out of it.
    pub fn turn(&mut self, tick: u64) -> bool {
        let before = self.sum_ended;
        let steps = tick.saturating_sub(self.tick).min(BUCKETS as u64);
        for step in 0..steps {
            let slot = ((tick - step) % BUCKETS as u64) as usize;
            let bucket = std::mem::take(&mut self.buckets[slot]);
            self.sum_successes -= bucket.successes;
            self.sum_ended -= bucket.ended;
        }
        self.tick = self.tick.max(tick);
        self.slot = (self.tick % BUCKETS as u64) as u32;
        self.sum_ended != before
    }

    /// Counts the end of an attempt during `tick`.
    #[inline]
    pub fn record(&mut self, tick: u64, success: bool) {
        if tick > self.tick {
            self.turn(tick);
        }
        let bucket = &mut self.buckets[self.slot as usize];
        bucket.ended += 1;
        self.sum_ended += 1;
        bucket.successes += u32::from(success);
        self.sum_successes += u32::from(success);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAU: Duration = Duration::from_secs(10);

    fn at(secs: f64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs_f64(secs)
    }

    #[test]
    fn the_mean_follows_its_closed_form() {
        let mut mean = DecayingMean::default();
        mean.observe(at(0.0), Duration::from_secs(4), TAU);
        assert_eq!(mean.seconds(), Some(4.0));
        mean.observe(at(5.0), Duration::from_secs(1), TAU);
        let expected = 1.0 + 3.0 * (-0.5f64).exp();
        assert!((mean.seconds().unwrap() - expected).abs() < 1e-12);
        mean.observe(at(5.0), Duration::from_secs(1), TAU);
        let expected = 1.0 + (expected - 1.0) * (-0.01f64).exp();
        assert!((mean.seconds().unwrap() - expected).abs() < 1e-12);
    }

    /// Every sample moves the estimate: the newest one most (a window that keeps its oldest samples
    /// would stay at the old level for ever).
    #[test]
    fn the_mean_does_not_freeze() {
        let mut mean = DecayingMean::default();
        (0..100).for_each(|i| mean.observe(at(f64::from(i)), Duration::from_secs(1), TAU));
        (100..160).for_each(|i| mean.observe(at(f64::from(i)), Duration::from_secs(9), TAU));
        assert!((mean.seconds().unwrap() - 9.0).abs() < 0.03);
    }

    #[test]
    fn it_is_forgotten_after_a_silence() {
        let mut mean = DecayingMean::default();
        mean.observe(at(1.0), Duration::from_secs(4), TAU);
        mean.forget(at(60.9), Duration::from_secs(60));
        assert_eq!(mean.seconds(), Some(4.0));
        mean.forget(at(61.0), Duration::from_secs(60));
        assert_eq!(mean.seconds(), None);
        mean.observe_at_least(at(62.0), Duration::from_secs(1), TAU);
        assert_eq!(mean.seconds(), Some(1.0), "the old estimate is gone");
    }

    proptest! {
        #[test]
        fn the_window_agrees_with_a_list(
            steps in prop::collection::vec((0u64..4, any::<bool>()), 0..300),
        ) {
            let (mut window, mut list, mut tick) = (SuccessWindow::default(), vec![], 0);
            for (wait, success) in steps {
                tick += wait * wait;
                window.record(tick, success);
                list.push((tick, success));
                let recent = list.iter().filter(|(t, _)| t + BUCKETS as u64 > tick);
                let (mut good, mut all) = (1.0, 1.0);
                for (_, success) in recent {
                    good += f64::from(u8::from(*success));
                    all += 1.0;
                }
                prop_assert_eq!(window.rate(), good / all);
            }
        }
    }
}
