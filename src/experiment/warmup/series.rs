//! Latencies in order of arrival, added up over pilots.

use crate::record::RequestRecord;
use crate::time::{Duration, Timestamp};

/// One pilot, or the sum of several. Integers, so that the sum does not depend on who ends first.
#[derive(Default)]
pub(super) struct Series {
    pilots: u64,
    requests: Vec<Seen>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    latency: Duration,
    /// The latest of all pilots.
    arrived: Timestamp,
}

impl Series {
    /// Takes a request in; requests come in any order. One that fails counts at least `failure`.
    pub(super) fn add(&mut self, record: &RequestRecord, failure: Option<Duration>) {
        let latency = match failure {
            Some(least) if !record.succeeded() => record.sojourn().max(least),
            _ => record.sojourn(),
        };
        self.note(record.request.0 as usize, record.arrived, latency);
    }

    pub(super) fn note(&mut self, at: usize, arrived: Timestamp, latency: Duration) {
        self.pilots = 1;
        if at >= self.requests.len() {
            self.requests.resize(at + 1, Seen::default());
        }
        self.requests[at] = Seen { latency, arrived };
    }

    /// Adds another pilot, request to request. Pilots differ in length by chance: what is left is
    /// as long as the shortest.
    pub(super) fn join(&mut self, other: Self) {
        self.pilots += 1;
        if self.pilots == 1 {
            self.requests = other.requests;
            return;
        }
        self.requests.truncate(other.requests.len());
        for (sum, one) in self.requests.iter_mut().zip(other.requests) {
            sum.latency += one.latency;
            sum.arrived = sum.arrived.max(one.arrived);
        }
    }

    /// Mean latency over pilots of each request, in seconds.
    pub(super) fn means(&self) -> Vec<f64> {
        let mean = |seen: &Seen| seen.latency.as_secs_f64() / self.pilots.max(1) as f64;
        self.requests.iter().map(mean).collect()
    }

    /// When a request had arrived in every pilot.
    pub(super) fn arrived(&self, request: usize) -> Timestamp {
        let seen = self.requests.get(request);
        seen.map_or(Timestamp::NEVER, |seen| seen.arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pilot(seconds: &[u64]) -> Series {
        let mut series = Series::default();
        // The last one ends first.
        for (at, &latency) in seconds.iter().enumerate().rev() {
            let arrived = Timestamp::from_nanos(latency + at as u64);
            series.note(at, arrived, Duration::from_secs(latency));
        }
        series
    }

    #[test]
    fn the_mean_is_by_request_and_as_long_as_the_shortest() {
        let pilots: [&[u64]; 3] = [&[1, 2, 3], &[3, 2], &[2, 5, 9, 7]];
        for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
            let mut sum = Series::default();
            for at in order {
                sum.join(pilot(pilots[at]));
            }
            assert_eq!(sum.means(), [2.0, 3.0]);
            assert_eq!(sum.arrived(1), Timestamp::from_nanos(6));
            assert_eq!(sum.arrived(2), Timestamp::NEVER);
        }
    }

    #[test]
    fn a_pilot_without_requests_leaves_none() {
        let mut sum = Series::default();
        sum.join(Series::default());
        sum.join(pilot(&[1, 2]));
        assert!(sum.means().is_empty());
    }
}
