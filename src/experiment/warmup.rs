//! How long a run takes to forget that it started empty: MSER-5 on pilots.
//!
//! A stationary simulation is judged by its steady state, so its start is left out, and how much of
//! it has to be settled before the run whose numbers count. Three choices are made here:
//!
//! - **Pilots have another root seed** than the scenario. A warm-up that is chosen by the very
//!   numbers it then cuts would be fitted to them, and pilots prove nothing about the run that they
//!   prepare.
//! - **MSER-5 sees the mean over pilots, request by request** in order of arrival, as in P. D.
//!   Welch's procedure ("The statistical analysis of simulation results", 1983), and not each pilot
//!   by itself. What the empty start does is the same in all of them and stays; waves that one
//!   pilot happens to have cancel. The largest cut of single pilots would be the obvious careful
//!   choice, but it is decided by the wildest of them, and grows with their number without end.
//!
//!   Averaging also shows a smaller bias, and few pilots show little: of M/M/1 at a load of 0.9,
//!   relaxation time 380 s, the mean of 5 pilots was cut at 5 to 75 s (four seeds), of 20 at 91 to
//!   509 s, of 100 at 218 to 986 s. What is found is a least warm-up; more pilots find more, of
//!   ever smaller biases: 200 of `heterogeneous` found 147 s where 100 found 67 s. Hence a default
//!   of [`PILOTS`], and no "until it no longer grows".
//! - **One warm-up for all strategies, the longest of theirs.** With one each, strategies would be
//!   compared over different stretches of the same arrivals.
//!
//! The series is what is judged in the end: the latencies of all requests, failures included, as
//! the results count them. MSER's authors: see [`crate::stats::warmup`].

mod pilot;
mod readable;
mod series;

pub use pilot::{Pilot, Refusal};

use super::run::{RunError, each, failure_latency, replication};
use crate::stats::warmup::mser5;
use crate::time::{Duration, Timestamp};
use readable::readable;
use series::Series;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// How to run pilots.
pub struct Options<'a> {
    /// Pilots of each strategy, at least 1.
    pub pilots: u32,
    /// Worker threads, at least 1; no result depends on them.
    pub jobs: usize,
    /// Set from outside to stop early.
    pub stop: &'a AtomicBool,
    /// Called after each pilot with the number of pilots in all, from any thread.
    pub progress: &'a (dyn Fn(u32) + Sync),
}

/// Pilots of each strategy unless something else is asked for. Fewer are quicker and say "enough"
/// too soon: of the six root seeds 11 to 16, asked about `heterogeneous`, which states 60 s, 5
/// pilots found 0.9 to 3.3 s, 20 found 2.2 to 7.0 s, 50 found 28 to 62 s, and 100 found 67 to 88 s;
/// about `steady` (30 s) they found 0 to 4.9, 0.3 to 2.1, 1.6 to 7.3 and 3.0 to 8.8 s. A hundred
/// take 18 s of one core for `steady`, and 40 to 100 s on a busy machine for `heterogeneous`.
pub const PILOTS: u32 = 100;

/// What was found.
#[derive(Clone, PartialEq, Debug)]
pub struct WarmupResults {
    /// Name of the scenario.
    pub scenario: String,
    /// Its root seed.
    pub scenario_seed: u64,
    /// Root seed of the pilots; another.
    pub seed: u64,
    /// Pilots of each strategy.
    pub pilots: u32,
    /// Length of a pilot: that of a replication.
    pub duration: Duration,
    /// The warm-up that the scenario states.
    pub stated: Duration,
    /// Every strategy, in the scenario's order; at least one.
    pub strategies: Vec<StrategyWarmup>,
}

/// What was found for one strategy.
#[derive(Clone, PartialEq, Debug)]
pub struct StrategyWarmup {
    /// Name of the arm.
    pub name: String,
    /// Requests in the series: those of the shortest pilot.
    pub requests: usize,
    /// What to leave out; `None` if the series has fewer than 50 requests, or more than half of it,
    /// in requests or in time, would have to go.
    pub found: Option<Cut>,
}

/// A start that is to be left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Requests in it.
    pub requests: usize,
    /// Its length: until the first request that stays has arrived in every pilot; zero if all
    /// requests stay.
    pub time: Duration,
}

/// What to do about the warm-up that the scenario states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    /// Nothing: it is as long as every strategy needs.
    Enough,
    /// It is too short. The warm-up to write: the found one rounded up by less than a quarter.
    TooShort(Duration),
    /// Some strategy has not settled in the first half: run longer.
    Unsettled,
}

impl WarmupResults {
    /// The strategy that takes longest, the first of equals, with what to leave out for all;
    /// `None` if one has not settled.
    #[must_use]
    pub fn longest(&self) -> Option<(&str, Cut)> {
        let each = self.strategies.iter();
        let each: Option<Vec<_>> = each
            .map(|one| Some((one.name.as_str(), one.found?)))
            .collect();
        each?.into_iter().rev().max_by_key(|(_, cut)| cut.time)
    }

    /// What to do about the stated warm-up.
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self.longest() {
            None => Advice::Unsettled,
            Some((_, cut)) if cut.time <= self.stated => Advice::Enough,
            Some((_, cut)) => Advice::TooShort(readable(cut.time)),
        }
    }
}

/// Runs the pilots and finds the warm-up of every strategy.
///
/// # Errors
/// If it is stopped, or an invariant of the simulation does not hold.
pub fn find(pilot: &Pilot, options: &Options) -> Result<WarmupResults, RunError> {
    let scenario = pilot.scenario();
    let arms = scenario.arms.len();
    let cells: Vec<(u32, usize)> = (0..options.pilots)
        .flat_map(|number| (0..arms).map(move |arm| (number, arm)))
        .collect();
    // Added up as pilots end, so that memory holds a few of them: sums of integers know no order.
    let all: Vec<Mutex<Series>> = (0..arms).map(|_| Mutex::default()).collect();
    each(&cells, options.jobs, options.progress, |(number, arm)| {
        // A short pilot may end without having looked at the flag.
        if options.stop.load(Ordering::Relaxed) {
            return Err(RunError::InterruptedTooEarly);
        }
        let least = failure_latency(scenario, &scenario.arms[arm]);
        let mut series = Series::default();
        replication(scenario, arm, number, options.stop, &mut |record| {
            series.add(record, least);
        })?;
        let mut sum = all[arm].lock().unwrap_or_else(PoisonError::into_inner);
        sum.join(series);
        Ok(())
    })?;
    let all = all.into_iter().zip(&scenario.arms).map(|(series, arm)| {
        let series = series.into_inner().unwrap_or_else(PoisonError::into_inner);
        strategy(&arm.name, &series, scenario.duration)
    });
    Ok(WarmupResults {
        scenario: scenario.name.clone(),
        scenario_seed: pilot.scenario_seed(),
        seed: scenario.seed,
        pilots: options.pilots,
        duration: scenario.duration,
        stated: pilot.stated(),
        strategies: all.collect(),
    })
}

fn strategy(name: &str, series: &Series, duration: Duration) -> StrategyWarmup {
    let means = series.means();
    let cut = mser5(&means).map(|requests| Cut {
        requests,
        time: match requests {
            0 => Duration::ZERO,
            first => series.arrived(first).since(Timestamp::ZERO),
        },
    });
    // In a burst half of the requests may be there late.
    let early = |cut: &Cut| cut.time <= duration.scale(0.5);
    StrategyWarmup {
        name: name.to_owned(),
        requests: means.len(),
        found: cut.filter(early),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(stated: u64, found: &[Option<u64>]) -> WarmupResults {
        let strategies = found.iter().enumerate().map(|(at, found)| StrategyWarmup {
            name: format!("s{at}"),
            requests: 1_000,
            found: found.map(|seconds| Cut {
                requests: 10,
                time: Duration::from_secs(seconds),
            }),
        });
        WarmupResults {
            scenario: "x".to_owned(),
            scenario_seed: 1,
            seed: 2,
            pilots: 5,
            duration: Duration::from_secs(600),
            stated: Duration::from_secs(stated),
            strategies: strategies.collect(),
        }
    }

    #[test]
    fn the_longest_of_all_strategies_decides() {
        let found = results(60, &[Some(10), Some(60), Some(60)]);
        assert_eq!(found.longest().map(|(name, _)| name), Some("s1"));
        assert_eq!(found.advice(), Advice::Enough);
        let write = Duration::from_secs(70);
        let found = results(60, &[Some(61), Some(10)]);
        assert_eq!(found.advice(), Advice::TooShort(write));
        assert_eq!(results(60, &[Some(10), None]).advice(), Advice::Unsettled);
        assert_eq!(results(0, &[Some(0)]).advice(), Advice::Enough);
    }

    fn falling(arrivals: impl Iterator<Item = u64>) -> Series {
        let mut series = Series::default();
        for (at, arrived) in arrivals.enumerate() {
            let latency = if at < 200 { 9 } else { 1 } + at as u64 % 2;
            series.note(
                at,
                Timestamp::from_nanos(arrived),
                Duration::from_nanos(latency),
            );
        }
        series
    }

    #[test]
    fn the_cut_is_the_arrival_of_the_first_that_stays() {
        let series = falling((0..1_000).map(|at| 10 * (at + 1)));
        let found = strategy("x", &series, Duration::from_nanos(10_000)).found;
        let cut = Cut {
            requests: 200,
            time: Duration::from_nanos(2_010),
        };
        assert_eq!(found, Some(cut));
        // The same requests, but the first that stays comes in the second half of the time.
        let series = falling((0..1_000).map(|at| 8_000 + at));
        let late = strategy("x", &series, Duration::from_nanos(10_000));
        assert_eq!((late.found, late.requests), (None, 1_000));
    }
}
