//! How many requests a gateway takes in a second, and what it adds to each: what was measured, and
//! the verdict on a claim about it.
//!
//! The measurement itself is the command's (`cli/throughput.rs`): it starts programs and reads
//! their processor time. Here is what follows from its numbers, and nothing is read from a machine.
//!
//! A round is *clean* if every request was sent and answered, at the rate of the workload, 99 of
//! 100 within the scenario's `latency_objective`: an open loop faster than what answers it builds
//! up a line that outgrows any bound, long before anything fails. A claimed rate is held if every
//! one of at least [`FEWEST_ROUNDS`] rounds was clean: if it failed in half of all rounds or more,
//! that would come about in at most one of 64 measurements. Why all, and not most: a gateway that
//! fails in every tenth round does not hold the rate.
//!
//! Sends that are late by a millisecond make no round unclean: their lateness is in the latency,
//! which counts from the intended start. They say how quiet the machine was, and are told.

use crate::request::words;
use crate::stats::order::{Median, median};
use crate::time::Duration;

/// Rounds that a verdict needs at least: 2^-6 is less than 5 %.
pub const FEWEST_ROUNDS: usize = 6;

/// Part of the requests that may be sent late before tails are in doubt: what a P99 consists of.
pub const LATE: f64 = 0.01;

/// Part of the intended rate that a clean round reaches at least.
const REACHED: f64 = 0.99;

/// What a scenario says of its throughput, in `[throughput]`.
#[derive(Clone, PartialEq, Debug)]
pub struct ThroughputConfig {
    /// The rate that is claimed, requests per second.
    pub claimed_rps: f64,
    /// Rates at which latency is measured, rising, requests per second.
    pub rates_rps: Vec<f64>,
    /// Rounds at each rate, at least 1.
    pub rounds: u32,
    /// Length of a round.
    pub round: Duration,
}

words! {
    /// Whether requests go to the provider or through the gateway.
    Way {
        /// From the generator to the provider.
        Direct = "direct",
        /// From the generator to the gateway, and from there to a provider.
        Gateway = "gateway",
    }
}

words! {
    /// What came of a claimed rate.
    RateVerdict {
        /// Every round was clean.
        Confirmed = "confirmed",
        /// No round was clean, while the provider alone held the rate.
        Refuted = "refuted",
        /// Anything else, or too few rounds.
        Undecided = "undecided",
    }
}

/// Quantiles that are reported.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// One round at one rate, one way.
#[derive(Clone, PartialEq, Debug)]
pub struct Round {
    /// Requests that were to be sent.
    pub scheduled: u64,
    /// Those that were answered.
    pub succeeded: u64,
    /// Those that were not sent, because too many were under way.
    pub dropped: u64,
    /// Those that were sent late.
    pub late: u64,
    /// Requests per second that the workload intended; NaN for less than two.
    pub intended_rps: f64,
    /// Requests per second that were sent; NaN for less than two.
    pub sent_rps: f64,
    /// Latency of answers in seconds at [`QUANTILES`]; NaN without answers.
    pub latency_s: [f64; 4],
    /// Processor time of the gateway over the round in seconds; `None` for the direct way, and
    /// where the system does not tell.
    pub cpu_s: Option<f64>,
}

impl Round {
    /// Whether it was clean, 99 of 100 answers being due within `objective`.
    #[must_use]
    pub fn is_clean(&self, objective: Duration) -> bool {
        let [_, _, p99, _] = self.latency_s;
        self.succeeded == self.scheduled
            && self.sent_rps >= REACHED * self.intended_rps
            && p99 <= objective.as_secs_f64()
    }

    /// Processor time of the gateway for each request, in seconds.
    #[must_use]
    pub fn cpu_per_request(&self) -> Option<f64> {
        (self.scheduled > 0).then_some(self.cpu_s? / self.scheduled as f64)
    }
}

/// All rounds at one rate. Rounds of the two ways alternate, so that the n-th of each had the same
/// moment of the machine.
#[derive(Clone, PartialEq, Debug)]
pub struct RateCell {
    /// Requests per second.
    pub rps: f64,
    /// To the provider.
    pub direct: Vec<Round>,
    /// Through the gateway.
    pub gateway: Vec<Round>,
}

impl RateCell {
    /// No rounds yet.
    #[must_use]
    pub const fn new(rps: f64) -> Self {
        Self {
            rps,
            direct: vec![],
            gateway: vec![],
        }
    }

    /// The rounds of one way.
    #[must_use]
    pub fn rounds(&self, way: Way) -> &[Round] {
        match way {
            Way::Direct => &self.direct,
            Way::Gateway => &self.gateway,
        }
    }

    /// How many rounds of this way were clean.
    #[must_use]
    pub fn clean(&self, way: Way, objective: Duration) -> usize {
        let rounds = self.rounds(way).iter();
        rounds.filter(|round| round.is_clean(objective)).count()
    }

    /// Median over rounds of a quantile ([`QUANTILES`]) of the latency, in seconds.
    #[must_use]
    pub fn latency(&self, way: Way, quantile: usize) -> Option<Median> {
        let rounds = self.rounds(way).iter();
        median(
            &rounds
                .map(|round| round.latency_s[quantile])
                .collect::<Vec<_>>(),
        )
    }

    /// Median over pairs of rounds of what the gateway adds to a quantile, in seconds.
    #[must_use]
    pub fn added(&self, quantile: usize) -> Option<Median> {
        let pairs = self.gateway.iter().zip(&self.direct);
        let added = pairs.map(|(one, other)| one.latency_s[quantile] - other.latency_s[quantile]);
        median(&added.collect::<Vec<_>>())
    }

    /// Median over rounds of the gateway's processor time for each request, in seconds.
    #[must_use]
    pub fn cpu_per_request(&self) -> Option<Median> {
        let rounds = self.gateway.iter();
        median(
            &rounds
                .filter_map(Round::cpu_per_request)
                .collect::<Vec<_>>(),
        )
    }
}

/// What was measured.
#[derive(Clone, PartialEq, Debug)]
pub struct Throughput {
    /// The scenario's name.
    pub scenario: String,
    /// The question that it asks.
    pub question: String,
    /// What was to be measured.
    pub config: ThroughputConfig,
    /// What 99 of 100 answers of a clean round do not exceed.
    pub objective: Duration,
    /// The strategy of the gateway.
    pub strategy: String,
    /// The rates, rising; the claimed one is among them.
    pub cells: Vec<RateCell>,
    /// Highest rate that was clean on each way, and the lowest above it that was not (`None` if
    /// none was tried), in requests per second.
    pub highest: Vec<(Way, f64, Option<f64>)>,
}

impl Throughput {
    /// What came of the claimed rate.
    #[must_use]
    pub fn verdict(&self) -> RateVerdict {
        let claimed = self.config.claimed_rps;
        let Some(cell) = self.cells.iter().find(|cell| cell.rps == claimed) else {
            return RateVerdict::Undecided;
        };
        let clean = |way| cell.clean(way, self.objective);
        match (clean(Way::Gateway), cell.gateway.len()) {
            (_, few) if few < FEWEST_ROUNDS => RateVerdict::Undecided,
            (clean, all) if clean == all => RateVerdict::Confirmed,
            (0, _) if clean(Way::Direct) == cell.direct.len() => RateVerdict::Refuted,
            _ => RateVerdict::Undecided,
        }
    }

    /// Part of all requests that were sent late; what else the machine did, it did to the
    /// latencies.
    #[must_use]
    pub fn late(&self) -> f64 {
        let rounds = || {
            self.cells
                .iter()
                .flat_map(|cell| cell.direct.iter().chain(&cell.gateway))
        };
        let sum = |count: fn(&Round) -> u64| rounds().map(count).sum::<u64>() as f64;
        sum(|round| round.late) / sum(|round| round.scheduled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(succeeded: u64) -> Round {
        Round {
            scheduled: 1_000,
            succeeded,
            dropped: 0,
            late: 5,
            intended_rps: 100.0,
            sent_rps: 99.5,
            latency_s: [0.02, 0.021, 0.022, 0.03],
            cpu_s: Some(0.1),
        }
    }

    fn measured(gateway: Vec<Round>, direct: Vec<Round>) -> Throughput {
        Throughput {
            scenario: "live-throughput".into(),
            question: "?".into(),
            config: ThroughputConfig {
                claimed_rps: 1_000.0,
                rates_rps: vec![1_000.0],
                rounds: 6,
                round: Duration::from_secs(10),
            },
            objective: Duration::from_millis(200),
            strategy: "smart".into(),
            cells: vec![RateCell {
                rps: 1_000.0,
                direct,
                gateway,
            }],
            highest: vec![],
        }
    }

    #[test]
    fn a_verdict_needs_rounds_that_all_say_the_same() {
        let (clean, bad) = (round(1_000), round(999));
        let verdict = |gateway: Vec<Round>, direct: &Round| {
            let direct = vec![direct.clone(); gateway.len()];
            measured(gateway, direct).verdict()
        };
        assert_eq!(
            verdict(vec![clean.clone(); 6], &clean),
            RateVerdict::Confirmed
        );
        assert_eq!(
            verdict(vec![clean.clone(); 5], &clean),
            RateVerdict::Undecided
        );
        assert_eq!(verdict(vec![bad.clone(); 6], &clean), RateVerdict::Refuted);
        // What the provider does not hold says nothing of the gateway.
        assert_eq!(verdict(vec![bad.clone(); 6], &bad), RateVerdict::Undecided);
        let mixed = [vec![clean.clone(); 5], vec![bad]].concat();
        assert_eq!(verdict(mixed, &clean), RateVerdict::Undecided);
        assert_eq!(verdict(vec![], &clean), RateVerdict::Undecided);
    }

    #[test]
    fn a_clean_round_answers_all_in_time_and_at_the_rate() {
        let clean = |round: Round| round.is_clean(Duration::from_millis(200));
        assert!(clean(round(1_000)));
        assert!(!clean(round(999)));
        assert!(!clean(Round {
            sent_rps: 98.0,
            ..round(1_000)
        }));
        let slow = [0.02, 0.1, 0.201, 0.3];
        assert!(!clean(Round {
            latency_s: slow,
            ..round(1_000)
        }));
        let nothing = Round {
            scheduled: 0,
            latency_s: [f64::NAN; 4],
            ..round(0)
        };
        assert!(!clean(nothing));
        let late = measured(vec![round(1_000)], vec![round(1_000)]).late();
        assert!((late - 0.005).abs() < 1e-12);
    }

    #[test]
    fn what_is_added_is_taken_pair_by_pair() {
        let at = |p50: f64| Round {
            latency_s: [p50; 4],
            ..round(1_000)
        };
        // A machine that is slow for a while is slow on both ways.
        let direct = vec![at(0.020), at(0.120), at(0.020)];
        let gateway = vec![at(0.021), at(0.121), at(0.021)];
        let cell = &measured(gateway, direct).cells[0];
        let added = cell.added(0).unwrap().median;
        assert!((added - 0.001).abs() < 1e-12, "{added}");
        assert!((cell.cpu_per_request().unwrap().median - 1e-4).abs() < 1e-12);
    }
}
