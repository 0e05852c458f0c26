//! Nanoseconds of wall clock for each simulated request, through the ordinary engine and routing
//! code.
//!
//! A row `bare_loop` is a hand-written single-server queue with nothing around it: dividing by it
//! takes most of the machine's mood out of the numbers. Targets: full request <= 250 ns at 10
//! accounts and <= 900 ns at 1,000; bare customer <= 100 ns.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand_distr::{Distribution, Exp1};
use routelab::record::Strategy;
use routelab::rng::Rng;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::hint::black_box;

const REQUESTS: u64 = 100_000;

/// M/M/1 at 80 % load, events in a heap, times in nanoseconds; returns the sum of response times.
fn bare_loop(customers: u64) -> u64 {
    let mut rng = Rng::from_state(1);
    let exponential = |rng: &mut Rng, mean: f64| {
        let x: f64 = Exp1.sample(rng);
        (x * mean) as u64
    };
    let (mut events, mut queue) = (BinaryHeap::new(), VecDeque::new());
    let (mut next, mut left, mut sum) = (exponential(&mut rng, 1.25e9), customers, 0u64);
    loop {
        let departure = events.peek().map(|Reverse((at, _))| *at);
        if left > 0 && departure.is_none_or(|at| next < at) {
            queue.push_back(next);
            if queue.len() == 1 {
                events.push(Reverse((next + exponential(&mut rng, 1e9), left)));
            }
            left -= 1;
            next += exponential(&mut rng, 1.25e9);
        } else if let Some(Reverse((now, _))) = events.pop() {
            sum += now - queue.pop_front().unwrap_or(now);
            if !queue.is_empty() {
                events.push(Reverse((now + exponential(&mut rng, 1e9), left)));
            }
        } else {
            return sum;
        }
    }
}

fn simulate(c: &mut Criterion) {
    let mut group = c.benchmark_group("simulate");
    group
        .throughput(Throughput::Elements(REQUESTS))
        .sample_size(10);
    group.bench_function("bare_loop", |b| b.iter(|| black_box(bare_loop(REQUESTS))));
    let bare = support::bare_customer(REQUESTS);
    group.bench_function("bare_customer", |b| {
        b.iter(|| black_box(bare.run().simulated));
    });
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
