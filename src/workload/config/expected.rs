//! How many requests are to be expected, before any is drawn.

use super::{Arrivals, Cycle, RateSegment};
use crate::time::{Duration, Timestamp};
use std::f64::consts::PI;

impl Arrivals {
    /// Mean number of arrivals before `end`. For a closed loop it is the most that there can be in
    /// the mean, with answers that take no time; `None` for a trace, which has the rows it has.
    #[must_use]
    pub fn expected_before(&self, end: Timestamp) -> Option<f64> {
        let seconds = end.as_secs_f64();
        match self {
            Self::Poisson { rate } | Self::Constant { rate } | Self::Gamma { rate, .. } => {
                Some(rate.as_per_second() * seconds)
            }
            Self::Mmpp(bursts) => Some(bursts.rate.as_per_second() * seconds),
            Self::Piecewise(segments) => Some(area(segments, end)),
            Self::Diurnal(cycle) => Some(of_cycle(cycle, seconds)),
            Self::ClosedLoop(users) => {
                Some(f64::from(users.count) * seconds / users.think_time.mean())
            }
            Self::Clients(clients) => {
                let each = clients.iter().map(|client| &client.arrivals);
                each.map(|arrivals| arrivals.expected_before(end)).sum()
            }
            Self::Trace(_) => None,
        }
    }

    /// Whether some requests wait for the end of others.
    #[must_use]
    pub fn has_closed_loop(&self) -> bool {
        match self {
            Self::ClosedLoop(_) => true,
            Self::Clients(clients) => clients.iter().any(|c| c.arrivals.has_closed_loop()),
            _ => false,
        }
    }
}

/// The area under a rate that follows straight lines.
fn area(segments: &[RateSegment], end: Timestamp) -> f64 {
    let ends = segments.iter().skip(1).map(|next| next.start);
    let requests = segments.iter().zip(ends.chain([Timestamp::NEVER]));
    requests
        .map(|(segment, next)| {
            let length: Duration = next.min(end).since(segment.start);
            let mean = f64::midpoint(segment.from.as_per_second(), segment.to.as_per_second());
            mean * length.as_secs_f64()
        })
        .sum()
}

fn of_cycle(cycle: &Cycle, seconds: f64) -> f64 {
    let (period, peak) = (cycle.period.as_secs_f64(), cycle.peak.as_secs_f64());
    let sine = |at: f64| libm::sin(2.0 * PI * (at - peak) / period);
    let swing = cycle.amplitude * period / (2.0 * PI) * (sine(seconds) - sine(0.0));
    cycle.rate.as_per_second() * (seconds + swing)
}

#[cfg(test)]
mod tests {
    use super::super::{Bursts, Client, Users};
    use super::*;
    use crate::distribution::Distribution;
    use crate::units::Rate;

    fn at(secs: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(secs)
    }

    fn rate(per_second: f64) -> Rate {
        Rate::per_second(per_second).unwrap()
    }

    #[test]
    fn a_ramp_counts_as_its_area() {
        let segment = |start, from, to| RateSegment {
            start: at(start),
            from: rate(from),
            to: rate(to),
        };
        // 10 s at 4, a ramp from 4 to 12 over 20 s, 30 s at 1.
        let segments = vec![
            segment(0, 4.0, 4.0),
            segment(10, 4.0, 12.0),
            segment(30, 1.0, 1.0),
        ];
        let expected = Arrivals::Piecewise(segments).expected_before(at(60));
        assert_eq!(expected, Some(40.0 + 160.0 + 30.0));
    }

    #[test]
    fn a_mean_rate_counts_as_rate_times_time() {
        let bursts = Bursts {
            rate: rate(2.5),
            factor: 9.0,
            calm_time: Duration::from_secs(3),
            burst_time: Duration::from_secs(1),
        };
        let cycle = Cycle {
            rate: rate(2.5),
            amplitude: 0.8,
            period: Duration::from_secs(50),
            peak: at(7),
        };
        for arrivals in [
            Arrivals::Poisson { rate: rate(2.5) },
            Arrivals::Mmpp(bursts),
            Arrivals::Diurnal(cycle),
        ] {
            let expected = arrivals.expected_before(at(100)).unwrap();
            assert!((expected - 250.0).abs() < 1e-9, "{expected}");
        }
        // A quarter of a cycle from the peak on: half the swing is above the mean.
        let expected = Arrivals::Diurnal(Cycle {
            peak: at(0),
            ..cycle
        })
        .expected_before(at(25));
        assert!((expected.unwrap() - 62.5).abs() < 1e-9);
        let quarter = Arrivals::Diurnal(Cycle {
            peak: at(0),
            period: Duration::from_secs(100),
            ..cycle
        });
        let expected = quarter.expected_before(at(25)).unwrap();
        assert!((expected - 2.5 * (25.0 + 80.0 / (2.0 * PI))).abs() < 1e-9);
    }

    #[test]
    fn clients_add_up() {
        let users = Users {
            count: 30,
            think_time: Distribution::exponential(3.0).unwrap(),
        };
        let client = |name: &str, arrivals| Client {
            name: name.into(),
            arrivals,
            classes: vec![],
        };
        let open = client("open", Arrivals::Constant { rate: rate(1.0) });
        let mut clients = vec![open.clone()];
        assert!(!Arrivals::Clients(clients.clone()).has_closed_loop());
        clients.push(client("closed", Arrivals::ClosedLoop(users)));
        let both = Arrivals::Clients(clients);
        assert_eq!(both.expected_before(at(100)), Some(1100.0));
        assert!(both.has_closed_loop());
    }
}
