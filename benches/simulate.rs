//! Nanoseconds of wall clock for each simulated request, through the ordinary engine and routing
//! code.
//!
//! The rows `batching` and `processor_sharing` are the request of `adaptive/10` at accounts whose
//! attempts slow each other down. `correlated_incidents` is one replication of `round_robin` in the
//! shipped scenario of that name, a week with its incidents, from the file to the results.
//!
//! A row `bare_loop` is a hand-written single-server queue with nothing around it: dividing by it
//! takes most of the machine's mood out of the numbers. Targets: full request <= 250 ns at 10
//! accounts and <= 900 ns at 1,000; bare customer <= 100 ns.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use routelab::experiment::run::{RunOptions, run};
use routelab::experiment::scenario::{Overrides, load};
use routelab::record::Strategy;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Enough that setting a world up and warming it is a small part of it.
const REQUESTS: u64 = 1_000_000;

fn simulate(c: &mut Criterion) {
    let mut group = c.benchmark_group("simulate");
    group
        .throughput(Throughput::Elements(REQUESTS))
        .sample_size(10);
    group.bench_function("bare_loop", |b| {
        b.iter(|| black_box(support::bare_loop(REQUESTS)));
    });
    let bare = support::bare_customer(REQUESTS);
    group.bench_function("bare_customer", |b| {
        b.iter(|| black_box(bare.run().simulated));
    });
    let (batching, sharing) = (
        support::batching(REQUESTS),
        support::processor_sharing(REQUESTS),
    );
    for (name, world) in [("batching", batching), ("processor_sharing", sharing)] {
        group.bench_function(BenchmarkId::new(name, 10), |b| {
            b.iter(|| black_box(world.run().simulated));
        });
    }
    for strategy in [Strategy::RoundRobin, Strategy::Adaptive, Strategy::Smart] {
        for accounts in [10, 1_000] {
            let world = support::full(strategy, accounts, REQUESTS);
            let id = BenchmarkId::new(strategy.name(), accounts);
            group.bench_function(id, |b| b.iter(|| black_box(world.run().simulated)));
        }
    }
    group.finish();
    a_week(c);
}

fn a_week(c: &mut Criterion) {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/scenarios/correlated-incidents.toml"
    );
    let overrides = Overrides {
        replications: Some(1),
        strategies: Some(vec!["round_robin".into()]),
        ..Overrides::default()
    };
    let loaded = load(Path::new(file), &overrides).expect("a shipped scenario is valid");
    let options = RunOptions {
        jobs: 1,
        stop: &AtomicBool::new(false),
        progress: &|_, _| {},
    };
    let run_it = || run(&loaded.scenario, &options).expect("no invariant is broken");
    let requests = run_it().strategies[0].replications[0].counts.requests;
    let mut group = c.benchmark_group("simulate");
    group
        .throughput(Throughput::Elements(requests))
        .sample_size(10);
    group.bench_function("correlated_incidents", |b| b.iter(|| black_box(run_it())));
    group.finish();
}

criterion_group!(benches, simulate);
criterion_main!(benches);
