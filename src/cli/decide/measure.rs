//! Timing decisions: threads that contend for one balancer behind a mutex, as those of a gateway
//! do.
//!
//! A decision is timed from before the lock is asked for until the choice is made and its dispatch
//! is noted, which must happen under the same lock: that is what a request waits for. Between two
//! decisions of a thread an attempt ends, under the lock too, so that the next decision finds the
//! pool changed. Threads do not pause in between: no real load contends so hard.

use crate::experiment::decision::{Machine, Round, Timer};
use crate::histogram::Histogram;
use crate::record::Strategy;
use crate::routing::drill::Drill;
use crate::time::Duration;
use std::hint::black_box;
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::Instant;

/// Readings of the timer from which its cost is taken.
const TIMER_READINGS: u32 = 200_000;

/// What timing nothing takes.
pub(super) fn timer() -> Timer {
    let mut times = Histogram::nanos();
    for _ in 0..TIMER_READINGS {
        let start = now();
        times.record(length(start, now()));
    }
    let at = |share| times.quantile(share).unwrap_or(Duration::ZERO);
    Timer {
        p50: at(0.5),
        p99: at(0.99),
    }
}

/// One round: `threads` share `decisions` among them.
pub(super) fn round(strategy: Strategy, accounts: usize, threads: usize, decisions: u32) -> Round {
    let each = decisions.div_ceil(threads as u32);
    let drill = Mutex::new(Drill::new(strategy, accounts));
    let ready = Barrier::new(threads);
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    ready.wait();
                    decide(&drill, each)
                })
            })
            .collect();
        let parts = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        parts.flatten().collect()
    });
    let mut times = Histogram::nanos();
    parts.iter().for_each(|part| times.merge(&part.times));
    // From the first decision to the last end: starting the threads is not what is measured.
    let begin = parts.iter().map(|part| part.begin).min();
    let end = parts.iter().map(|part| part.end).max();
    let wall = begin.zip(end).map(|(begin, end)| length(begin, end));
    let waited: Option<u64> = parts.iter().map(|part| part.waited).sum();
    Round {
        times,
        wall: wall.unwrap_or(Duration::ZERO),
        waited: waited.map(Duration::from_nanos),
    }
}

/// What one thread of a round measured.
struct Part {
    times: Histogram,
    begin: Instant,
    end: Instant,
    /// Nanoseconds that it was ready but did not run.
    waited: Option<u64>,
}

/// The decisions of one thread.
fn decide(drill: &Mutex<Drill>, decisions: u32) -> Part {
    let lock = || drill.lock().unwrap_or_else(PoisonError::into_inner);
    let mut times = Histogram::nanos();
    let before = waited();
    let begin = now();
    for _ in 0..decisions {
        let asked = now();
        let mut busy = lock();
        if let Some(target) = black_box(busy.pick()) {
            busy.dispatch(target);
        }
        drop(busy);
        times.record(length(asked, now()));
        lock().end_oldest();
    }
    let end = now();
    Part {
        times,
        begin,
        end,
        waited: before.zip(waited()).map(|(before, after)| after - before),
    }
}

#[inline]
#[expect(clippy::disallowed_methods, reason = "a decision's cost is real time")]
fn now() -> Instant {
    Instant::now()
}

fn length(from: Instant, to: Instant) -> Duration {
    let nanos = u64::try_from(to.duration_since(from).as_nanos());
    Duration::from_nanos(nanos.unwrap_or(u64::MAX))
}

/// Nanoseconds that this thread was ready to run but did not, since it began; `None` where the
/// system does not tell. On Linux the second number of its `schedstat`
/// (Documentation/scheduler/sched-stats.rst).
fn waited() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().nth(1)?.parse().ok()
}

/// What the figures depend on beside the code.
pub(super) fn machine() -> Machine {
    Machine {
        processor: processor(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        load: load(),
        debug: cfg!(debug_assertions),
    }
}

fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_times_every_decision() {
        for threads in [1, 3] {
            let round = round(Strategy::Smart, 10, threads, 100);
            assert_eq!(round.times.count(), if threads == 1 { 100 } else { 102 });
            assert!(round.wall >= round.times.max());
        }
        assert!(timer().p50 <= timer().p99.max(Duration::from_millis(1)));
    }
}
