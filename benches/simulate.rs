//! Nanoseconds of wall clock for each simulated request, through the ordinary engine and routing
//! code.
//!
//! The rows `batching` and `processor_sharing` are the request of `adaptive/10` at accounts whose
//! attempts slow each other down.
//!
//! A row `bare_loop` is a hand-written single-server queue with nothing around it: dividing by it
//! takes most of the machine's mood out of the numbers. Targets: full request <= 250 ns at 10
//! accounts and <= 900 ns at 1,000; bare customer <= 100 ns.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use routelab::record::Strategy;
use std::hint::black_box;

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
}

criterion_group!(benches, simulate);
criterion_main!(benches);
