//! What is kept of one replication, and the numbers that follow from it.
//!
//! Response times are kept one by one: the histograms of the results round quantiles up by as much
//! as a thousandth, which a large sample can tell from the truth.

use crate::record::RequestRecord;
use crate::sim::Run;
use crate::time::{Duration, Timestamp};

/// A number that is compared with theory.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Measure {
    /// Mean response time, in seconds.
    Mean,
    /// Quantile of the response time, in seconds.
    Quantile(f64),
    /// Share of the requests answered within a time.
    Within(Duration),
    /// Share of the requests that are answered later than this, or not at all.
    Late(Duration),
    /// Share of the requests that are answered.
    Success,
    /// Share of the requests that are not answered.
    Blocked,
    /// Share of the time with so many requests in the system.
    State(usize),
    /// Requests that are answered per second.
    Throughput,
    /// Service done per second.
    Work,
    /// Attempts per request.
    Attempts,
    /// Openings of breakers per attempt.
    Openings,
}

/// One replication.
pub(super) struct Sample {
    from: Timestamp,
    to: Timestamp,
    /// Of answered requests, in the order of their ends, in nanoseconds.
    responses: Vec<u64>,
    /// Requests that arrived in the measured time.
    requests: u64,
    attempts: u64,
    openings: u64,
    /// Arrival and end of all requests, where states are asked for.
    stays: Option<[Vec<u64>; 2]>,
}

impl Sample {
    /// An empty one of the time from `from` to `to`.
    pub(super) fn new(from: Timestamp, to: Timestamp, states: bool) -> Self {
        Self {
            from,
            to,
            responses: vec![],
            requests: 0,
            attempts: 0,
            openings: 0,
            stays: states.then(Default::default),
        }
    }

    /// Takes a request in.
    pub(super) fn add(&mut self, record: &RequestRecord) {
        if let Some([arrivals, ends]) = &mut self.stays {
            arrivals.push(record.arrived.as_nanos());
            ends.push(record.ended.as_nanos());
        }
        if (self.from..self.to).contains(&record.arrived) {
            self.requests += 1;
            self.attempts += u64::from(record.attempts);
            if record.succeeded() {
                self.responses.push(record.sojourn().as_nanos());
            }
        }
    }

    /// Takes in what is known at the end.
    pub(super) fn finish(&mut self, run: &Run) {
        self.openings = run.breakers.iter().map(|breaker| breaker.openings).sum();
    }

    /// The numbers asked for, in their order.
    pub(super) fn numbers(&self, measures: &[Measure]) -> Vec<f64> {
        let states = self.stays.as_ref().map(|stays| self.states(stays));
        let state = |n: usize| {
            let states = states.as_deref().unwrap_or_default();
            states.get(n).copied().unwrap_or(0.0)
        };
        let span = self.to.since(self.from).as_secs_f64();
        let requests = self.requests as f64;
        let answered = self.responses.len() as f64;
        let number = |measure: &Measure| match *measure {
            Measure::Mean => self.total() / answered,
            Measure::Quantile(q) => quantile(&self.responses, q),
            Measure::Within(limit) => self.within(limit) / requests,
            Measure::Late(limit) => 1.0 - self.within(limit) / requests,
            Measure::Success => answered / requests,
            Measure::Blocked => 1.0 - answered / requests,
            Measure::State(n) => state(n),
            Measure::Throughput => answered / span,
            Measure::Work => self.total() / span,
            Measure::Attempts => self.attempts as f64 / requests,
            Measure::Openings => self.openings as f64 / self.attempts as f64,
        };
        measures.iter().map(number).collect()
    }

    /// Sum of all response times, in seconds.
    fn total(&self) -> f64 {
        let nanos: u128 = self.responses.iter().map(|&nanos| u128::from(nanos)).sum();
        nanos as f64 * 1e-9
    }

    fn within(&self, limit: Duration) -> f64 {
        let limit = limit.as_nanos();
        self.responses
            .iter()
            .filter(|&&nanos| nanos <= limit)
            .count() as f64
    }

    /// Share of the measured time with 0, 1, ... in the system.
    fn states(&self, [arrivals, ends]: &[Vec<u64>; 2]) -> Vec<f64> {
        let (from, to) = (self.from.as_nanos(), self.to.as_nanos());
        let sorted = |times: &[u64]| {
            let mut times = times.to_vec();
            times.sort_unstable();
            times
        };
        let (arrivals, ends) = (sorted(arrivals), sorted(ends));
        let mut nanos: Vec<u64> = vec![];
        let (mut arrived, mut ended, mut since) = (0, 0, from);
        while since < to {
            let next = |times: &[u64], at: usize| times.get(at).copied().unwrap_or(u64::MAX);
            let (arrival, end) = (next(&arrivals, arrived), next(&ends, ended));
            let inside = arrived - ended;
            let now = arrival.min(end).clamp(since, to);
            if nanos.len() <= inside {
                nanos.resize(inside + 1, 0);
            }
            nanos[inside] += now - since;
            since = now;
            // Arrivals first: who is refused ends at the moment of arrival.
            if arrival <= end {
                arrived += 1;
            } else {
                ended += 1;
            }
        }
        let all = (to - from) as f64;
        nanos.iter().map(|&nanos| nanos as f64 / all).collect()
    }
}

/// Quantile of a sample without the part of its bias that falls like one over the sample's size:
/// twice that of the whole, less the mean of those of the two halves (the jackknife of M. H.
/// Quenouille, "Notes on bias in estimation", Biometrika 43, 1956). Halves in time keep what
/// neighbours have in common. At a load of 0.9 the bias of a P99 is as large as the standard error
/// of the mean of some tens of replications.
fn quantile(sample: &[u64], q: f64) -> f64 {
    let (first, second) = sample.split_at(sample.len() / 2);
    let halves = f64::midpoint(plain_quantile(first, q), plain_quantile(second, q));
    2.0 * plain_quantile(sample, q) - halves
}

/// The least value that a share `q` of the sample does not exceed, in seconds.
fn plain_quantile(sample: &[u64], q: f64) -> f64 {
    if sample.is_empty() {
        return f64::NAN;
    }
    let mut sample = sample.to_vec();
    let rank = (q * sample.len() as f64).ceil() as usize;
    let rank = rank.clamp(1, sample.len()) - 1;
    let (_, value, _) = sample.select_nth_unstable(rank);
    *value as f64 * 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn a_quantile_is_an_order_statistic() {
        let sample: Vec<u64> = (1..=100).rev().map(|n| n * 1_000_000_000).collect();
        assert_eq!(plain_quantile(&sample, 0.5), 50.0);
        assert_eq!(plain_quantile(&sample, 0.99), 99.0);
        assert_eq!(plain_quantile(&sample, 1.0), 100.0);
        assert!(plain_quantile(&[], 0.5).is_nan());
    }

    /// Means of P99s of small exponential samples, plain and without their bias.
    #[test]
    fn the_bias_is_gone() {
        let mut rng = Rng::from_state(1);
        let (mut plain, mut corrected) = (0.0, 0.0);
        let rounds = 20_000;
        for _ in 0..rounds {
            let draw = |_| (-libm::log1p(-rng.uniform()) * 1e9) as u64;
            let sample: Vec<u64> = (0..400).map(draw).collect();
            plain += plain_quantile(&sample, 0.99) / f64::from(rounds);
            corrected += quantile(&sample, 0.99) / f64::from(rounds);
        }
        let exact = libm::log(100.0);
        assert!((plain - exact).abs() > 0.05, "{plain} {exact}");
        assert!((corrected - exact).abs() < 0.02, "{corrected} {exact}");
    }

    #[test]
    fn states_by_hand() {
        let at = Timestamp::from_nanos;
        let mut sample = Sample::new(at(10), at(20), true);
        // In the system from 0 to 12, 11 to 15, and refused at 16.
        sample.stays = Some([vec![16, 11, 0], vec![12, 15, 16]]);
        let states = sample.numbers(&[0, 1, 2, 3].map(Measure::State));
        assert_eq!(states, [0.5, 0.4, 0.1, 0.0]);
    }
}
