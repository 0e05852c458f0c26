//! Bursts: a Poisson process that changes between a calm rate and a high one.
//!
//! The Markov-modulated Poisson process of two states (Heffes and Lucantoni, "A Markov modulated
//! characterization of packetized voice", 1986). Gamma gaps clump a few requests; here a clump has
//! a length in *time*, minutes if need be, so that queues fill and breakers, quotas and estimates
//! see a higher rate for as long as it lasts. The stays in both states are exponential.
//!
//! Stays and gaps come from separate streams, and arrivals are found by inversion: each is where
//! the integral of the rate has grown by a unit exponential. So another rate moves the arrivals
//! within bursts, and never the bursts.

use super::precise::PreciseTime;
use super::unit_exponential;
use crate::rng::Rng;
use crate::time::Timestamp;
use crate::workload::config::Bursts;

/// A Poisson process with bursts.
#[derive(Clone, Debug)]
pub struct Mmpp {
    /// The present state, then the other one.
    states: [State; 2],
    /// Nanoseconds left in the present state.
    left: f64,
    last: PreciseTime,
    end: Timestamp,
    gaps: Rng,
    stays: Rng,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Arrivals per nanosecond.
    rate: f64,
    /// Mean length of a stay in nanoseconds.
    mean_stay: f64,
}

impl Mmpp {
    /// The process in equilibrium: it starts in a burst as often as there is one at any time. It
    /// has no arrival after `end`.
    pub fn new(bursts: &Bursts, end: Timestamp, mut rng: Rng) -> Self {
        let mut stays = rng.split();
        let state = |rate: f64, stay: crate::time::Duration| State {
            rate: rate * 1e-9,
            mean_stay: stay.as_nanos() as f64,
        };
        let calm = state(bursts.calm_rate(), bursts.calm_time);
        let burst = state(bursts.burst_rate(), bursts.burst_time);
        let states = if stays.uniform() < bursts.share_of_time() {
            [burst, calm]
        } else {
            [calm, burst]
        };
        Self {
            left: states[0].mean_stay * unit_exponential(&mut stays),
            states,
            last: PreciseTime::ZERO,
            end,
            gaps: rng,
            stays,
        }
    }

    /// The next arrival; [`Timestamp::NEVER`] when there are no more before the end.
    #[inline]
    pub fn next(&mut self) -> Timestamp {
        let mut missing = unit_exponential(&mut self.gaps);
        let most = self.end.as_nanos() as f64;
        let mut gap = 0.0;
        while gap <= most {
            let rate = self.states[0].rate;
            let until_switch = rate * self.left;
            if missing < until_switch {
                let step = (missing / rate).min(self.left);
                self.left -= step;
                return self.last.advance(gap + step);
            }
            missing -= until_switch;
            gap += self.left;
            self.states.swap(0, 1);
            self.left = self.states[0].mean_stay * unit_exponential(&mut self.stays);
        }
        self.last.advance(f64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::oracle::assert_counts;
    use super::*;
    use crate::time::Duration;
    use crate::units::Rate;

    fn bursts(rate: f64, factor: f64, calm: Duration, burst: Duration) -> Bursts {
        Bursts {
            rate: Rate::per_second(rate).unwrap(),
            factor,
            calm_time: calm,
            burst_time: burst,
        }
    }

    fn arrivals(bursts: &Bursts, end: u64, seed: u64) -> impl Iterator<Item = Timestamp> + use<> {
        let end = Timestamp::ZERO + Duration::from_secs(end);
        let mut process = Mmpp::new(bursts, end, Rng::from_state(seed));
        std::iter::from_fn(move || Some(process.next()).filter(|at| *at < end))
    }

    /// Variance of counts over a time t: with rates a and b and changes at rates p (calm to burst)
    /// and q, `m t + 2 p q (b - a)^2 / (p + q)^3 (t - (1 - e^-(p+q)t) / (p + q))`, where m is the
    /// mean rate (Fischer and Meier-Hellstern, "The Markov-modulated Poisson process cookbook",
    /// 1993). Divided by m t it is the index of dispersion.
    fn variance(bursts: &Bursts, t: f64) -> f64 {
        let (p, q) = (
            1.0 / bursts.calm_time.as_secs_f64(),
            1.0 / bursts.burst_time.as_secs_f64(),
        );
        let gap = bursts.burst_rate() - bursts.calm_rate();
        let (both, weight) = (p + q, 2.0 * p * q * gap * gap);
        let remembered = t - (1.0 - (-both * t).exp()) / both;
        bursts.rate.as_per_second() * t + weight / both.powi(3) * remembered
    }

    #[test]
    fn counts_have_the_mean_and_dispersion_of_theory() {
        let ms = Duration::from_millis;
        // Many changes within the time of a count, few of them, and nearly none.
        for (factor, calm, burst) in [
            (1.0, ms(50), ms(50)),
            (10.0, ms(40), ms(10)),
            (10.0, ms(400), ms(100)),
            (50.0, ms(9_000), ms(1_000)),
        ] {
            let bursts = bursts(40.0, factor, calm, burst);
            let variance = variance(&bursts, 1.0);
            let what = format!("{bursts:?}");
            assert_counts(&what, 20_000, 40.0, variance, |seed| {
                arrivals(&bursts, 2, seed)
            });
        }
    }

    /// The index of dispersion of a long time, for which there is a formula without exponentials.
    #[test]
    fn the_formula_of_the_test_has_its_known_limits() {
        let bursts = bursts(40.0, 10.0, Duration::from_secs(4), Duration::from_secs(1));
        let (a, b) = (bursts.calm_rate(), bursts.burst_rate());
        let limit = 1.0 + 2.0 * 0.25 * (b - a).powi(2) / (1.25f64.powi(2) * (0.25 * b + a));
        let long = variance(&bursts, 1e6) / 40e6;
        assert!((long / limit - 1.0).abs() < 1e-5, "{long} {limit}");
        assert!((variance(&bursts, 1e-6) / 40e-6 - 1.0).abs() < 1e-3);
        assert!((0.8 * a + 0.2 * b - 40.0).abs() < 1e-9);
    }

    /// Rates within bursts and between them are those stated: their times are known, because the
    /// same stays come with any rate.
    #[test]
    fn another_rate_moves_no_burst() {
        let secs = Duration::from_secs;
        let nearly_all = |rate| bursts(rate, 1e9, secs(100), secs(10));
        let of =
            |rate: f64| -> Vec<Timestamp> { arrivals(&nearly_all(rate), 100_000, 7).collect() };
        // A burst is a stretch of arrivals less than 10 s apart.
        let starts = |all: &[Timestamp]| -> Vec<Timestamp> {
            let pause = |pair: &&[Timestamp]| pair[1].since(pair[0]) > secs(10);
            all.windows(2).filter(pause).map(|pair| pair[1]).collect()
        };
        let (slow, fast) = (starts(&of(50.0)), starts(&of(200.0)));
        assert!(
            slow.len() > 500 && slow.len().abs_diff(fast.len()) < 20,
            "{} {}",
            slow.len(),
            fast.len()
        );
        let near = |at: &Timestamp| {
            let apart = fast
                .iter()
                .map(|other| at.since(*other).max(other.since(*at)));
            apart
                .min()
                .is_some_and(|apart| apart < Duration::from_millis(200))
        };
        let kept = slow.iter().filter(|at| near(at)).count();
        assert!(kept > slow.len() * 95 / 100, "{kept} of {}", slow.len());
    }

    #[test]
    fn it_ends() {
        let ms = Duration::from_millis;
        assert_eq!(
            arrivals(&bursts(1e-300, 5.0, ms(1), ms(1)), 1, 1).count(),
            0
        );
        let long = bursts(1.0, 5.0, Duration::from_secs(3_000_000_000), ms(1));
        let all: Vec<Timestamp> = arrivals(&long, 1000, 2).collect();
        assert!(all.is_sorted() && all.len() > 800);
    }
}
