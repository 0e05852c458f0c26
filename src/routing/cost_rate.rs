//! What the traffic costs per hour now, and where that is going.
//!
//! One sum for each of the last sixty minutes, aligned to whole minutes. "Now" is the mean over the
//! last ten of them, long enough that a single long answer does not move it much; the trend is the
//! least-squares line through all complete minutes. Sums are integers, so the rate does not drift
//! as a decaying mean of floats would.

use crate::time::{Duration, Timestamp};
use crate::units::NanoUsd;

const MINUTES: usize = 60;
const RECENT: u64 = 10;
const MINUTE: Duration = Duration::from_secs(60);

/// Cost of the last sixty minutes, minute by minute.
#[derive(Clone, Debug)]
pub struct CostRate {
    minutes: [NanoUsd; MINUTES],
    /// The minute written last, counted from time 0.
    minute: u64,
    /// End of it.
    end: Timestamp,
}

/// Cost per hour in dollars.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CostPerHour {
    /// Mean over the last ten minutes, or since the start.
    pub now_usd: f64,
    /// Change of it in an hour, by the line through the complete minutes of the last hour; `None`
    /// with fewer than three of them.
    pub trend_usd: Option<f64>,
    /// What it will be in an hour if the trend goes on, never below 0; `None` without a trend.
    pub projected_usd: Option<f64>,
}

impl Default for CostRate {
    fn default() -> Self {
        Self {
            minutes: [NanoUsd(0); MINUTES],
            minute: 0,
            end: Timestamp::ZERO + MINUTE,
        }
    }
}

impl CostRate {
    /// Adds what was spent at `now`, which never goes back.
    #[inline]
    pub fn record(&mut self, now: Timestamp, cost: NanoUsd) {
        if now >= self.end {
            self.turn(now);
        }
        self.minutes[(self.minute % MINUTES as u64) as usize] += cost;
    }

    /// Empties the minutes that have begun since the last record.
    #[cold]
    fn turn(&mut self, now: Timestamp) {
        let minute = now.as_nanos() / MINUTE.as_nanos();
        for step in 0..(minute - self.minute).min(MINUTES as u64) {
            self.minutes[((minute - step) % MINUTES as u64) as usize] = NanoUsd(0);
        }
        self.minute = minute;
        self.end = Timestamp::from_nanos((minute + 1).saturating_mul(MINUTE.as_nanos()));
    }

    /// Cost per hour as of `now`.
    #[must_use]
    pub fn per_hour(&self, now: Timestamp) -> CostPerHour {
        let mut to_now = self.clone();
        to_now.record(now, NanoUsd(0));
        to_now.per_hour_at(now)
    }

    fn per_hour_at(&self, now: Timestamp) -> CostPerHour {
        let first = self.minute.saturating_sub(RECENT - 1);
        let recent: NanoUsd = (first..=self.minute).map(|minute| self.of(minute)).sum();
        let from = Timestamp::from_nanos(first * MINUTE.as_nanos());
        let hours = now.since(from).max(Duration::from_secs(1)).as_secs_f64() / 3600.0;
        let now_usd = recent.as_usd_f64() / hours;
        let trend_usd = self.slope_usd_per_minute().map(|slope| slope * 60.0 * 60.0);
        let projected_usd = trend_usd.map(|trend| (now_usd + trend).max(0.0));
        CostPerHour {
            now_usd,
            trend_usd,
            projected_usd,
        }
    }

    /// Cost in one of the last sixty minutes.
    const fn of(&self, minute: u64) -> NanoUsd {
        self.minutes[(minute % MINUTES as u64) as usize]
    }

    /// Least-squares slope of the cost of a minute, in dollars per minute, per minute.
    fn slope_usd_per_minute(&self) -> Option<f64> {
        let first = self.minute.saturating_sub(MINUTES as u64 - 1);
        let count = self.minute - first;
        if count < 3 {
            return None;
        }
        let middle = (count - 1) as f64 / 2.0;
        let (mut covariance, mut variance) = (0.0, 0.0);
        for (at, minute) in (first..self.minute).enumerate() {
            let distance = at as f64 - middle;
            covariance += distance * self.of(minute).as_usd_f64();
            variance += distance * distance;
        }
        Some(covariance / variance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(secs)
    }

    const DOLLAR: u64 = 1_000_000_000;

    #[test]
    fn a_steady_cost_has_no_trend() {
        let mut rate = CostRate::default();
        (0..7_200).for_each(|secs| rate.record(at(secs), NanoUsd(DOLLAR / 60)));
        let per_hour = rate.per_hour(at(7_200));
        assert!(
            (per_hour.now_usd - 60.0).abs() < 60.0 * 0.11,
            "{per_hour:?}"
        );
        assert!(per_hour.trend_usd.unwrap().abs() < 1e-6);
        let full = rate.per_hour(at(7_199));
        assert!((full.now_usd - 60.0).abs() < 0.2, "{full:?}");
    }

    #[test]
    fn a_rising_cost_is_projected_along_its_line() {
        let mut rate = CostRate::default();
        // Minute m costs m cents: 0.6 dollars an hour more with each minute.
        (0..60).for_each(|m| rate.record(at(m * 60 + 30), NanoUsd(m * DOLLAR / 100)));
        let per_hour = rate.per_hour(at(3_599));
        assert!(
            (per_hour.trend_usd.unwrap() - 36.0).abs() < 1e-6,
            "{per_hour:?}"
        );
        assert!((per_hour.projected_usd.unwrap() - per_hour.now_usd - 36.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut rate = CostRate::default();
        rate.record(at(10), NanoUsd(DOLLAR));
        assert!(rate.per_hour(at(60)).now_usd > 0.0);
        assert_eq!(rate.per_hour(at(60)).trend_usd, None);
        let later = rate.per_hour(at(4_000));
        assert_eq!((later.now_usd, later.trend_usd), (0.0, Some(0.0)));
    }
}
