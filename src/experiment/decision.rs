//! The claim about the routing decision: less than a millisecond at the 99th percentile, whatever
//! the strategy, the pool and the number of threads that contend.
//!
//! A decision is timed on a real machine, with other programs on it, so no single figure is the
//! truth. Every cell (strategy, pool, threads) is measured in several rounds, all cells once in
//! each round, so that a burst of other load spoils one round of many cells and not all rounds of
//! one. The P99 of a round is one observation; the verdict rests on the order-statistic interval of
//! their median, which assumes nothing about what a machine does to them. One disturbed round of
//! nine does not move it.

use crate::histogram::Histogram;
use crate::record::Strategy;
use crate::stats::order::{Median, median};
use crate::time::Duration;

/// The claim: a P99 below this.
pub const CLAIMED: Duration = Duration::from_millis(1);

/// Fewest decisions of a round: a hundred beyond its P99.
pub const FEWEST_DECISIONS: u64 = 10_000;

/// Fewest rounds: of fewer, no interval covers the median with 95 %.
pub const FEWEST_ROUNDS: usize = 6;

/// All measurements.
#[derive(Clone, Debug)]
pub struct DecisionResults {
    /// Strategy by strategy, pools and threads rising.
    pub cells: Vec<DecisionCell>,
    /// What reading the timer twice takes, which every figure includes.
    pub timer: Timer,
    /// The machine.
    pub machine: Machine,
}

/// The cost of timing nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer {
    /// Median.
    pub p50: Duration,
    /// 99th percentile.
    pub p99: Duration,
}

/// What the figures depend on beside the code.
#[derive(Clone, PartialEq, Debug)]
pub struct Machine {
    /// Model of the processor, if it can be told.
    pub processor: Option<String>,
    /// Processors available.
    pub cpus: usize,
    /// Load average over a minute before the measurement, if it can be told: other programs.
    pub load: Option<f64>,
    /// Whether the program was built with debug assertions.
    pub debug: bool,
}

/// One strategy, with one pool, under so many threads.
#[derive(Clone, Debug)]
pub struct DecisionCell {
    /// The strategy.
    pub strategy: Strategy,
    /// Accounts in the pool.
    pub accounts: usize,
    /// Threads that contend for the balancer.
    pub threads: usize,
    /// Round by round.
    pub rounds: Vec<Round>,
}

/// One round of a cell.
#[derive(Clone, Debug)]
pub struct Round {
    /// How long decisions took: waiting for the balancer, choosing, and noting the dispatch.
    pub times: Histogram,
    /// Time that the round took, ends of attempts included.
    pub wall: Duration,
    /// Time that its threads were ready but not running, added up, if it can be told.
    pub waited: Option<Duration>,
}

/// What is to be said about the claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecisionVerdict {
    /// The whole interval lies below the claimed time.
    Confirmed,
    /// The whole interval lies at or above it.
    Refuted,
    /// The interval holds the claimed time, or there is too little to tell.
    Undecided,
}

impl DecisionVerdict {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Refuted => "refuted",
            Self::Undecided => "undecided",
        }
    }
}

impl DecisionCell {
    /// Median over rounds of a quantile, in seconds, with its interval.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Median> {
        let each = self.rounds.iter().map(|round| round.times.quantile(share));
        let each: Option<Vec<f64>> = each.map(|q| Some(q?.as_secs_f64())).collect();
        median(&each?)
    }

    /// A quantile of all rounds together, for shares that one round is too short for.
    #[must_use]
    pub fn pooled(&self, share: f64) -> Option<Duration> {
        let mut rounds = self.rounds.iter();
        let mut all = rounds.next()?.times.clone();
        rounds.for_each(|round| all.merge(&round.times));
        all.quantile(share)
    }

    /// The longest of all decisions.
    #[must_use]
    pub fn longest(&self) -> Duration {
        let each = self.rounds.iter().map(|round| round.times.max());
        each.max().unwrap_or(Duration::ZERO)
    }

    /// Decisions of all rounds.
    #[must_use]
    pub fn decisions(&self) -> u64 {
        self.rounds.iter().map(|round| round.times.count()).sum()
    }

    /// Decisions per second of wall clock, each followed by the end of an attempt; median over
    /// rounds.
    #[must_use]
    pub fn per_second(&self) -> Option<f64> {
        let rate = |round: &Round| round.times.count() as f64 / round.wall.as_secs_f64();
        let rates: Vec<f64> = self.rounds.iter().map(rate).collect();
        Some(median(&rates)?.median)
    }

    /// Part of their time that its threads waited for a processor; `None` if it cannot be told.
    #[must_use]
    pub fn waited(&self) -> Option<f64> {
        let waited = self.rounds.iter().map(|round| round.waited);
        let waited: Option<Vec<Duration>> = waited.collect();
        let sum = |each: &mut dyn Iterator<Item = Duration>| -> f64 {
            each.map(Duration::as_secs_f64).sum()
        };
        let wall = sum(&mut self.rounds.iter().map(|round| round.wall));
        Some(sum(&mut waited?.into_iter()) / (wall * self.threads as f64))
    }

    /// What is to be said about the claim.
    #[must_use]
    pub fn verdict(&self) -> DecisionVerdict {
        let enough = |round: &Round| round.times.count() >= FEWEST_DECISIONS;
        let known = self.rounds.iter().all(enough).then(|| self.quantile(0.99));
        let claimed = CLAIMED.as_secs_f64();
        match known.flatten().and_then(|p99| p99.interval) {
            Some(interval) if interval.high < claimed => DecisionVerdict::Confirmed,
            Some(interval) if interval.low >= claimed => DecisionVerdict::Refuted,
            _ => DecisionVerdict::Undecided,
        }
    }
}

impl DecisionResults {
    /// The verdict over all cells: confirmed only where every cell confirms it, refuted where one
    /// refutes it. (That all of many hold needs no correction for their number: each would have to
    /// be confirmed by mistake.)
    #[must_use]
    pub fn verdict(&self) -> DecisionVerdict {
        let verdicts: Vec<_> = self.cells.iter().map(DecisionCell::verdict).collect();
        if verdicts.contains(&DecisionVerdict::Refuted) {
            DecisionVerdict::Refuted
        } else if verdicts.contains(&DecisionVerdict::Undecided) || verdicts.is_empty() {
            DecisionVerdict::Undecided
        } else {
            DecisionVerdict::Confirmed
        }
    }

    /// Part of their time that single threads waited for a processor, which other programs had:
    /// over all cells of one thread.
    #[must_use]
    pub fn disturbed(&self) -> Option<f64> {
        let alone = self.cells.iter().filter(|cell| cell.threads == 1);
        let waited: Option<Vec<f64>> = alone.map(DecisionCell::waited).collect();
        let waited = waited.filter(|waited| !waited.is_empty())?;
        Some(waited.iter().sum::<f64>() / waited.len() as f64)
    }

    /// The cell with the longest P99.
    #[must_use]
    pub fn slowest(&self) -> Option<&DecisionCell> {
        let p99 = |cell: &DecisionCell| cell.quantile(0.99).map_or(0.0, |p99| p99.median);
        let cells = self.cells.iter();
        cells.max_by(|a, b| p99(a).total_cmp(&p99(b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(nanos: u64, decisions: u64) -> Round {
        let mut times = Histogram::nanos();
        (0..decisions).for_each(|_| times.record(Duration::from_nanos(nanos)));
        Round {
            times,
            wall: Duration::from_secs(1),
            waited: Some(Duration::from_millis(100)),
        }
    }

    fn cell(p99s: &[u64]) -> DecisionCell {
        DecisionCell {
            strategy: Strategy::Smart,
            accounts: 10,
            threads: 2,
            rounds: p99s
                .iter()
                .map(|&nanos| round(nanos, FEWEST_DECISIONS))
                .collect(),
        }
    }

    #[test]
    fn a_verdict_needs_enough_rounds_on_one_side() {
        let (fast, slow) = (100, 2_000_000);
        assert_eq!(cell(&[fast; 6]).verdict(), DecisionVerdict::Confirmed);
        assert_eq!(cell(&[slow; 6]).verdict(), DecisionVerdict::Refuted);
        assert_eq!(cell(&[fast; 5]).verdict(), DecisionVerdict::Undecided);
        let mut rounds = [fast; 9];
        rounds[4] = slow;
        // Nine rounds bear one that something else has spoilt; six do not.
        assert_eq!(cell(&rounds).verdict(), DecisionVerdict::Confirmed);
        assert_eq!(cell(&rounds[..6]).verdict(), DecisionVerdict::Undecided);
        let mut short = cell(&[fast; 9]);
        short.rounds[0] = round(fast, FEWEST_DECISIONS - 1);
        assert_eq!(short.verdict(), DecisionVerdict::Undecided);
    }

    #[test]
    fn all_cells_decide_together() {
        let results = |cells: Vec<DecisionCell>| DecisionResults {
            cells,
            timer: Timer {
                p50: Duration::ZERO,
                p99: Duration::ZERO,
            },
            machine: Machine {
                processor: None,
                cpus: 1,
                load: None,
                debug: false,
            },
        };
        let (fast, slow) = (cell(&[100; 9]), cell(&[2_000_000; 9]));
        let of = |cells: &[&DecisionCell]| {
            results(cells.iter().map(|&cell| cell.clone()).collect()).verdict()
        };
        assert_eq!(of(&[&fast, &fast]), DecisionVerdict::Confirmed);
        assert_eq!(of(&[&fast, &slow]), DecisionVerdict::Refuted);
        assert_eq!(of(&[&fast, &cell(&[100; 2])]), DecisionVerdict::Undecided);
        assert_eq!(of(&[]), DecisionVerdict::Undecided);
        assert_eq!(
            results(vec![fast.clone(), slow])
                .slowest()
                .unwrap()
                .longest()
                .as_nanos(),
            2_000_000
        );
        // Two threads for a second each, of which one tenth of a second was spent waiting.
        assert!((fast.waited().unwrap() - 0.05).abs() < 1e-9);
        assert!((fast.per_second().unwrap() - 10_000.0).abs() < 1e-6);
    }
}
