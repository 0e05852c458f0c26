//! What one routing decision costs.
//!
//! - `decision/pick/..`: the choice alone, nothing having changed since the last one;
//! - `decision/cycle/..`: a choice, its dispatch, and the end of an earlier attempt: what a
//!   decision and everything it takes to keep the next one informed cost together;
//! - a table of single decisions with such a dispatch and end between any two, because a mean hides
//!   what P99 shows (the timer's own cost is measured in the same run and stated, not subtracted);
//! - a table of threads that contend for one balancer behind a mutex, as in a live gateway.
//!
//! `bare_loop_x1000` (a thousand customers) takes the machine's mood out, as in the other
//! benchmark. Targets: at 10 accounts mean <= 100 ns and P99 <= 1 us; P99 <= 20 us at 1,000 and <=
//! 200 us at 10,000.

mod support;

use criterion::{BenchmarkId, Criterion, criterion_group};
use hdrhistogram::Histogram;
use routelab::record::Strategy;
use routelab::routing::drill::Drill;
use routelab::routing::target::TargetIndex;
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

const SINGLES: u32 = 200_000;
const CONTENDED: u32 = 100_000;

fn pick(drill: &mut Drill) -> TargetIndex {
    drill.pick().expect("a pool far from full")
}

fn change(drill: &mut Drill, target: TargetIndex) {
    drill.dispatch(target);
    drill.end_oldest();
}

fn decision(c: &mut Criterion) {
    let mut group = c.benchmark_group("decision");
    group.sample_size(20);
    group.warm_up_time(std::time::Duration::from_millis(200));
    group.measurement_time(std::time::Duration::from_millis(500));
    group.bench_function("bare_loop_x1000", |b| {
        b.iter(|| support::bare_loop(black_box(1_000)));
    });
    for strategy in Strategy::ALL {
        for accounts in support::POOLS {
            let mut drill = Drill::new(*strategy, accounts);
            let id = BenchmarkId::new(format!("pick/{strategy}"), accounts);
            group.bench_function(id, |b| b.iter(|| black_box(pick(&mut drill))));
            let mut drill = Drill::new(*strategy, accounts);
            let id = BenchmarkId::new(format!("cycle/{strategy}"), accounts);
            group.bench_function(id, |b| {
                b.iter(|| {
                    let target = black_box(pick(&mut drill));
                    change(&mut drill, target);
                });
            });
        }
    }
    group.finish();
}

fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("valid bounds")
}

/// Nanoseconds that `work` takes, and what it yields.
#[inline]
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn timed<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed().as_nanos() as u64, result)
}

fn row(name: &str, pool: usize, histogram: &Histogram<u32>) {
    let at = |q| histogram.value_at_quantile(q);
    println!(
        "{name:<22}{pool:>7}{:>9.0}{:>9}{:>9}{:>9}{:>10}",
        histogram.mean(),
        at(0.5),
        at(0.99),
        at(0.999),
        histogram.max()
    );
}

/// Single decisions, with a dispatch and an end between any two.
fn singles() {
    println!("\nSingle decisions, ns, the timer's own cost (first row) included");
    println!("strategy                 pool     mean      P50      P99    P99.9       max");
    let mut empty = histogram();
    for _ in 0..SINGLES {
        empty.saturating_record(timed(|| black_box(())).0);
    }
    row("(timer)", 0, &empty);
    for strategy in Strategy::ALL {
        for accounts in support::POOLS {
            let (mut drill, mut times) = (Drill::new(*strategy, accounts), histogram());
            for _ in 0..SINGLES {
                let (nanos, target) = timed(|| black_box(pick(&mut drill)));
                times.saturating_record(nanos);
                change(&mut drill, target);
            }
            row(strategy.name(), accounts, &times);
        }
    }
}

/// Threads that take turns at one balancer: waiting for it, deciding and noting the dispatch.
fn contended() {
    println!("\nAdaptive, 1,000 accounts, threads behind one mutex: ns, waiting included");
    println!("threads           ns/decision     mean      P50      P99    P99.9       max");
    for threads in [1, 2, 4, 8] {
        let drill = Mutex::new(Drill::new(Strategy::Adaptive, 1_000));
        let all = Mutex::new(histogram());
        let lock = || drill.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, ()) = timed(|| {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        let mut times = histogram();
                        for _ in 0..CONTENDED / threads {
                            let (nanos, ()) = timed(|| {
                                let mut drill = lock();
                                let target = pick(&mut drill);
                                drill.dispatch(target);
                            });
                            times.saturating_record(nanos);
                            lock().end_oldest();
                        }
                        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                        all.add(times).expect("histograms of one kind");
                    });
                }
            });
        });
        let all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        let each = wall / u64::from(CONTENDED / threads * threads);
        row(&format!("{threads:<18}"), each as usize, &all);
    }
}

criterion_group!(benches, decision);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    if std::env::args().any(|argument| argument == "--bench") {
        singles();
        contended();
    }
}
