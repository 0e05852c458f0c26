//! "Recovery from a fault in less than 60 s, thanks to the breaker": judged fault by fault.
//!
//! Recovery is two things. Users have recovered when nothing is degraded any more although the
//! fault lasts (*mitigated*); the pool has when the accounts concerned carry their traffic again
//! after it (*restored*). Times are skewed and may be censored, so it is the median that is judged,
//! by its order-statistic interval.

use crate::experiment::results::{Observed, ScenarioResults};
use crate::stats::order::{Median, median};

/// The time that is claimed, in seconds.
pub const LIMIT_S: f64 = 60.0;

/// What one fault did under one strategy.
#[derive(Clone, PartialEq, Debug)]
pub struct Recovery {
    /// The fault.
    pub fault: String,
    /// The strategy.
    pub strategy: String,
    /// To detect, to mitigate, to restore.
    pub times: [Option<Times>; 3],
}

/// One of the times of a fault.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Times {
    /// Median in seconds, with its interval; infinite: not within the time watched.
    pub median: Median,
    /// How many were observed.
    pub observed: usize,
    /// How many of them were within the limit.
    pub within: usize,
}

impl Times {
    /// Whether the median is below the limit, if that can be told.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        let interval = self.median.interval?;
        if interval.high < LIMIT_S {
            Some(true)
        } else if interval.low >= LIMIT_S {
            Some(false)
        } else {
            None
        }
    }
}

/// The recoveries of every fault and strategy, fault by fault.
#[must_use]
pub fn recoveries(results: &ScenarioResults) -> Vec<Recovery> {
    let faults = results.description.faults.iter().enumerate();
    faults
        .flat_map(|(at, fault)| {
            results.strategies.iter().filter_map(move |arm| {
                let impact = arm.faults.get(at)?;
                let times = [&impact.detect, &impact.mitigate, &impact.restore];
                let times = times.map(|observed| self::times(observed));
                times.iter().any(Option::is_some).then(|| Recovery {
                    fault: fault.name.clone(),
                    strategy: arm.name.clone(),
                    times,
                })
            })
        })
        .collect()
}

fn times(observed: &[Observed]) -> Option<Times> {
    let seconds = observed.iter().map(|time| match time {
        Observed::After(length) => length.as_secs_f64(),
        Observed::NotWithin(_) => f64::INFINITY,
    });
    let seconds: Vec<f64> = seconds.collect();
    Some(Times {
        median: median(&seconds)?,
        observed: seconds.len(),
        within: seconds.iter().filter(|time| **time < LIMIT_S).count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    fn after(seconds: &[u64]) -> Vec<Observed> {
        let one = |s: &u64| match s {
            0 => Observed::NotWithin(Duration::from_secs(1800)),
            s => Observed::After(Duration::from_secs(*s)),
        };
        seconds.iter().map(one).collect()
    }

    #[test]
    fn the_median_decides_by_its_interval() {
        let of = |seconds: &[u64]| times(&after(seconds)).unwrap();
        let fast = of(&[5, 6, 7, 8, 9, 10, 11, 12, 13, 70]);
        assert_eq!((fast.holds(), fast.within), (Some(true), 9));
        // 0 stands for "not while it was watched", which is late.
        assert_eq!(of(&[0; 10]).holds(), Some(false));
        assert_eq!(
            of(&[61, 62, 63, 64, 65, 66, 67, 68, 0, 0]).holds(),
            Some(false)
        );
        assert_eq!(of(&[5, 6, 7, 58, 59, 61, 62, 80, 90, 0]).holds(), None);
        // Too few for an interval.
        assert_eq!(of(&[1, 2, 3]).holds(), None);
        assert_eq!(times(&[]), None);
    }
}
