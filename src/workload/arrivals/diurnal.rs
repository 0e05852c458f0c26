//! The rhythm of days: a Poisson process whose rate follows a cosine.
//!
//! By inversion, as the piecewise rates are and for the same reason: with thinning (Lewis and
//! Shedler 1979) the draws that are thrown away depend on the peak, so that another amplitude would
//! be another world; by inversion it shifts the same arrivals a little. The integral of the rate
//! has a closed form, and its inverse is Kepler's equation, solved by Newton's method between
//! bounds: gaps are short beside a day, so that two steps do.

use super::precise::PreciseTime;
use super::unit_exponential;
use crate::rng::Rng;
use crate::time::{Duration, Timestamp};
use crate::workload::config::Cycle;
use std::f64::consts::PI;

/// Beyond every time that a run can reach, in nanoseconds.
const NEVER_NANOS: f64 = 1e20;

/// A Poisson process with a cosine for its rate.
#[derive(Clone, Debug)]
pub struct Diurnal {
    mean_gap_nanos: f64,
    amplitude: f64,
    period: Duration,
    peak: Timestamp,
    last: PreciseTime,
    rng: Rng,
}

impl Diurnal {
    /// The process at the start of the run.
    pub fn new(cycle: &Cycle, rng: Rng) -> Self {
        Self {
            mean_gap_nanos: (1e9 / cycle.rate.as_per_second()).min(f64::MAX),
            amplitude: cycle.amplitude,
            period: cycle.period,
            peak: cycle.peak,
            last: PreciseTime::ZERO,
            rng,
        }
    }

    /// The next arrival.
    #[inline]
    pub fn next(&mut self) -> Timestamp {
        let period = self.period.as_nanos() as f64;
        let wave = Wave {
            amplitude: self.amplitude,
            period,
            phase: 2.0 * PI * self.last.within(self.peak, self.period) / period,
        };
        let gap = wave.invert(self.mean_gap_nanos * unit_exponential(&mut self.rng));
        self.last.advance(gap)
    }
}

/// A rate of 1 in the mean, seen from a point of its course.
struct Wave {
    amplitude: f64,
    /// In nanoseconds.
    period: f64,
    /// Where the cosine stands at that point, in radians.
    phase: f64,
}

impl Wave {
    /// The integral of the rate over the next `x` nanoseconds; the difference of two sines as a
    /// product, which loses no digits however short `x` is beside the period.
    fn integral(&self, x: f64) -> f64 {
        let half = PI * x / self.period;
        x + self.amplitude * self.period / PI * libm::cos(self.phase + half) * libm::sin(half)
    }

    fn rate(&self, x: f64) -> f64 {
        1.0 + self.amplitude * libm::cos(self.phase + 2.0 * PI * x / self.period)
    }

    /// The time at which the integral reaches `area`.
    fn invert(&self, area: f64) -> f64 {
        let swing = self.amplitude * self.period / PI;
        let (mut low, mut high) = (area / (1.0 + self.amplitude), area + swing);
        low = low.max(area - swing);
        if low > NEVER_NANOS {
            return low;
        }
        let mut x = (area / self.rate(0.0)).clamp(low, high);
        for _ in 0..100 {
            let off = self.integral(x) - area;
            if off > 0.0 {
                high = x;
            } else {
                low = x;
            }
            let newton = x - off / self.rate(x);
            let next = if low <= newton && newton <= high {
                newton
            } else {
                f64::midpoint(low, high)
            };
            let step = (next - x).abs();
            x = next;
            if step <= 1e-3 + 1e-14 * x {
                break;
            }
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::super::oracle::assert_counts;
    use super::super::poisson::Poisson;
    use super::*;
    use crate::units::Rate;

    fn cycle(rate: f64, amplitude: f64, period: Duration, peak: Duration) -> Cycle {
        Cycle {
            rate: Rate::per_second(rate).unwrap(),
            amplitude,
            period,
            peak: Timestamp::ZERO + peak,
        }
    }

    fn arrivals(cycle: &Cycle, seed: u64) -> impl Iterator<Item = Timestamp> + use<> {
        let mut process = Diurnal::new(cycle, Rng::from_state(seed));
        std::iter::from_fn(move || Some(process.next()))
    }

    /// Counts of a Poisson process have the integral of the rate as mean and as variance (index of
    /// dispersion 1), over any stretch: here the quarter up to the peak, a whole period, and two
    /// and a half.
    #[test]
    fn counts_have_the_mean_and_variance_of_theory() {
        for (periods, peak) in [(0.25, 0.25), (0.25, 0.75), (1.0, 0.1), (2.5, 0.25)] {
            for amplitude in [0.0, 0.5, 1.0] {
                let period = Duration::from_secs_f64(1.0 / periods);
                let cycle = cycle(50.0, amplitude, period, period.scale(peak));
                let angle = |x: f64| (2.0 * PI * (x - peak)).sin() / (2.0 * PI);
                let mean = 50.0 * (1.0 + amplitude / periods * (angle(periods) - angle(0.0)));
                let what = format!("{periods} periods, peak {peak}, amplitude {amplitude}");
                assert_counts(&what, 6_000, mean, mean, |seed| arrivals(&cycle, seed));
            }
        }
    }

    /// In the time in which the rate is 1, arrivals are a Poisson process of rate 1: the greatest
    /// distance of its gaps from the exponential law (Kolmogorov, once in a thousand seeds).
    #[test]
    fn the_integral_between_arrivals_is_exponential() {
        let day = Duration::from_secs(86_400);
        let cycle = cycle(2.0, 0.9, day, Duration::from_secs(50_000));
        let of_mean = |at: Timestamp| {
            let turns = (at.as_secs_f64() - 50_000.0) / 86_400.0;
            at.as_secs_f64() + 0.9 * 86_400.0 / (2.0 * PI) * (2.0 * PI * turns).sin()
        };
        let all: Vec<f64> = arrivals(&cycle, 3).take(200_000).map(of_mean).collect();
        let mut gaps: Vec<f64> = all
            .windows(2)
            .map(|pair| 2.0 * (pair[1] - pair[0]))
            .collect();
        gaps.sort_by(f64::total_cmp);
        let n = gaps.len() as f64;
        let distances = gaps.iter().enumerate().map(|(rank, gap)| {
            let theory = 1.0 - (-gap).exp();
            (theory - rank as f64 / n).abs()
        });
        let greatest = distances.fold(0.0, f64::max);
        assert!(greatest < 1.95 / n.sqrt(), "{greatest}");
    }

    #[test]
    fn without_amplitude_it_is_a_poisson_process() {
        let cycle = cycle(7.0, 0.0, Duration::from_secs(60), Duration::ZERO);
        let mut poisson = Poisson::new(Rate::per_second(7.0).unwrap(), Rng::from_state(5));
        for at in arrivals(&cycle, 5).take(100_000) {
            let other = poisson.next();
            assert!(at.since(other).max(other.since(at)).as_nanos() <= 1, "{at}");
        }
    }

    /// The inverse, taken again, gives back the integral, also where the rate is 0 for a moment,
    /// and where a gap is longer than the period.
    #[test]
    fn the_inverse_is_one() {
        let mut rng = Rng::from_state(9);
        for _ in 0..100_000 {
            let wave = Wave {
                amplitude: (rng.uniform() * 2.0).min(1.0),
                period: 8.64e13,
                phase: 2.0 * PI * rng.uniform(),
            };
            let area = 1e6 * (20.0 * rng.uniform()).exp2().powf(1.5);
            let x = wave.invert(area);
            let off = (wave.integral(x) - area).abs();
            assert!(
                off <= 1.0 + 1e-12 * area,
                "{} {} {area}",
                wave.amplitude,
                wave.phase
            );
        }
    }

    #[test]
    fn extremes() {
        let second = Duration::from_secs(1);
        let first = |rate| arrivals(&cycle(rate, 1.0, second, second), 1).next();
        assert_eq!(first(1e-300), Some(Timestamp::NEVER));
        assert!(first(1e6) < Some(Timestamp::from_nanos(1_000_000)));
        let short = cycle(1e6, 1.0, Duration::from_nanos(1), Duration::ZERO);
        let all: Vec<Timestamp> = arrivals(&short, 2).take(10_000).collect();
        assert!(all.is_sorted() && all[9_999] > Timestamp::from_nanos(9_000_000));
    }
}
