//! Real time, as the core counts it.
//!
//! The core takes `now` as nanoseconds since its start. Live, these are read from the monotonic
//! clock, here and nowhere else, times the pace: at a pace of 10 a scenario of an hour takes six
//! minutes, and whatever waits for a model's instant waits a tenth of its time. Why not the wall
//! clock: it is set back and forth by others, and the core relies on a `now` that never goes back.

use crate::time::{Duration, Timestamp};
use std::time::Instant;

/// Counts model time from its making.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    pace: f64,
}

impl Clock {
    /// A clock that starts now. `pace` is model seconds per real second, above 0.
    #[must_use]
    pub fn new(pace: f64) -> Self {
        Self {
            start: real_now(),
            pace,
        }
    }

    /// A clock that stands at zero for so much real time, and then starts: whoever shares it can be
    /// set up before anything falls due.
    #[must_use]
    pub fn starting_in(pace: f64, lead: std::time::Duration) -> Self {
        Self {
            start: real_now() + lead,
            pace,
        }
    }

    /// The present, in model time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let real = real_now().saturating_duration_since(self.start);
        let nanos = u64::try_from(real.as_nanos()).unwrap_or(u64::MAX);
        if self.pace == 1.0 {
            return Timestamp::from_nanos(nanos);
        }
        Timestamp::ZERO + Duration::from_nanos(nanos).scale(self.pace)
    }

    /// When `at` comes; `None` for what never comes, or lies beyond what the machine can count.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> Option<Instant> {
        if at == Timestamp::NEVER {
            return None;
        }
        self.start.checked_add(self.real(at.since(Timestamp::ZERO)))
    }

    /// Real time left until `at`; zero if it has come.
    #[must_use]
    pub fn until(&self, at: Timestamp) -> std::time::Duration {
        let left = |at: Instant| at.saturating_duration_since(real_now());
        self.instant(at).map_or(std::time::Duration::MAX, left)
    }

    /// How long a length of model time takes.
    #[must_use]
    pub fn real(&self, length: Duration) -> std::time::Duration {
        if self.pace == 1.0 {
            return std::time::Duration::from_nanos(length.as_nanos());
        }
        std::time::Duration::from_nanos(length.scale(1.0 / self.pace).as_nanos())
    }

    /// Model seconds per real second.
    #[must_use]
    pub const fn pace(&self) -> f64 {
        self.pace
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "live, the present is what the machine's clock says"
)]
fn real_now() -> Instant {
    Instant::now()
}

/// The date, in seconds since 1970: for what people and clients read, never for a length of time.
#[must_use]
pub fn unix_seconds() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a date on an answer or in a log is the wall clock's"
    )]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_comes_when_the_clock_says_so() {
        for pace in [1.0, 0.5, 20.0] {
            let clock = Clock::new(pace);
            let at = clock.now() + Duration::from_secs(3);
            let instant = clock.instant(at).expect("in reach");
            let ahead = instant.saturating_duration_since(real_now()).as_secs_f64();
            assert!(ahead <= 3.0 / pace, "{ahead} at {pace}");
            assert_eq!(clock.real(Duration::from_secs(3)).as_secs_f64(), 3.0 / pace);
        }
        assert_eq!(Clock::new(1.0).instant(Timestamp::NEVER), None);
    }

    #[test]
    fn it_stands_still_until_it_starts() {
        let clock = Clock::starting_in(5.0, std::time::Duration::from_secs(3_600));
        assert_eq!(clock.now(), Timestamp::ZERO);
        let at = Timestamp::ZERO + Duration::from_secs(5);
        assert!(clock.until(at) > std::time::Duration::from_secs(1));
        assert_eq!(clock.until(Timestamp::NEVER), std::time::Duration::MAX);
        assert!(Clock::new(1.0).until(Timestamp::ZERO).is_zero());
    }

    #[test]
    fn it_never_goes_back() {
        let clock = Clock::new(3.0);
        let mut last = clock.now();
        for _ in 0..1000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
