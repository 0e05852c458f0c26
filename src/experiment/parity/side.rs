//! One world's outcome, request by request.

use super::ByRequest;
use crate::request::{AccountIndex, RequestId};
use crate::time::Duration;
use crate::units::NanoUsd;

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Served {
    /// From its intended start to its end; of a failure, at least the deadline.
    pub latency: Duration,
    /// Whether a complete answer reached the client.
    pub succeeded: bool,
    /// The account of its last attempt.
    pub account: Option<AccountIndex>,
    /// How many attempts it took.
    pub attempts: u8,
}

/// A world: of the requests that arrived after the warm-up.
#[derive(Clone, Debug)]
pub struct Side {
    /// Every request.
    pub served: ByRequest<Served>,
    /// Attempts by account.
    pub attempts: Vec<u64>,
    /// Times that a breaker opened.
    pub openings: u64,
    /// Money charged.
    pub cost: NanoUsd,
    /// The latencies of all in ascending order.
    ascending: Vec<Duration>,
}

/// The two worlds.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// In virtual time.
    pub simulated: &'a Side,
    /// Over sockets.
    pub measured: &'a Side,
}

/// What being real adds to a latency: sockets, the proxy and its server, the load generator, and
/// the lateness of the emulated providers. Taken from requests that were answered at the first
/// attempt by the same account in both worlds: their difference, in seconds of the scenario.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Overhead {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Requests that it was taken from.
    pub requests: usize,
}

impl Side {
    /// A world of these requests.
    #[must_use]
    pub fn new(
        served: ByRequest<Served>,
        attempts: Vec<u64>,
        openings: u64,
        cost: NanoUsd,
    ) -> Self {
        let mut ascending: Vec<Duration> = served.values().map(|one| one.latency).collect();
        ascending.sort_unstable();
        Self {
            served,
            attempts,
            openings,
            cost,
            ascending,
        }
    }

    /// Share of requests that were answered; NaN if there were none.
    #[must_use]
    pub fn success_rate(&self) -> f64 {
        self.successes() as f64 / self.served.len() as f64
    }

    fn successes(&self) -> usize {
        self.served.values().filter(|one| one.succeeded).count()
    }

    /// Mean latency in seconds; NaN if there were no requests.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let nanos = |one: &Served| u128::from(one.latency.as_nanos());
        let sum: u128 = self.served.values().map(nanos).sum();
        sum as f64 * 1e-9 / self.served.len() as f64
    }

    /// The latency in seconds that a share `q` of the requests does not exceed: the smallest value
    /// with at least `q` of all at or below it. NaN if there were no requests.
    #[must_use]
    pub fn quantile(&self, q: f64) -> f64 {
        let rank = libm::ceil(q * self.ascending.len() as f64) as usize;
        let found = self.ascending.get(rank.saturating_sub(1));
        found.map_or(f64::NAN, |latency| latency.as_secs_f64())
    }

    /// Share of all attempts that went to an account; NaN if there were none.
    #[must_use]
    pub fn share(&self, account: usize) -> f64 {
        let all: u64 = self.attempts.iter().sum();
        self.attempts.get(account).copied().unwrap_or(0) as f64 / all as f64
    }

    /// Dollars for a thousand answered requests; NaN if none was.
    #[must_use]
    pub fn cost_per_1k(&self) -> f64 {
        self.cost.as_usd_f64() * 1e3 / self.successes() as f64
    }
}

impl<'a> Sides<'a> {
    /// The requests that are in both worlds.
    pub fn pairs(self) -> impl Iterator<Item = (RequestId, &'a Served, &'a Served)> {
        let measured = self.measured.served.iter();
        measured.filter_map(move |(id, one)| Some((*id, self.simulated.served.get(id)?, one)))
    }

    /// What being real adds; `None` if no request tells.
    #[must_use]
    pub fn overhead(self) -> Option<Overhead> {
        let alike = |one: &Served, other: &Served| {
            let answered = |it: &Served| it.succeeded && it.attempts == 1;
            answered(one) && answered(other) && one.account == other.account
        };
        let added = |one: &Served, other: &Served| {
            other.latency.as_nanos() as f64 - one.latency.as_nanos() as f64
        };
        let pairs = self.pairs().filter(|(_, one, other)| alike(one, other));
        let mut nanos: Vec<f64> = pairs.map(|(_, one, other)| added(one, other)).collect();
        nanos.sort_unstable_by(f64::total_cmp);
        let at = |q: f64| {
            let rank = libm::ceil(q * nanos.len() as f64) as usize;
            nanos.get(rank.saturating_sub(1)).copied()
        };
        Some(Overhead {
            p50: at(0.5)? * 1e-9,
            p99: at(0.99)? * 1e-9,
            requests: nanos.len(),
        })
    }
}
