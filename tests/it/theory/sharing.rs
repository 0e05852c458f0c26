//! Attempts that share an account, against the product form of generalised processor sharing.
//!
//! With Poisson arrivals at rate `r`, services of mean 1 whatever their law, and `phi(n)` the work
//! done per second when `n` are there, `p(n) ~ r^n / (phi(1) ... phi(n))` (Cohen 1979). For one
//! server that all share it is the geometric distribution, and the mean response time is
//! `1 / (1 - r)`: the law of the services does not matter beyond its mean, which no other order of
//! service at one server has. Where a batch is full and others wait in line, that is lost, and the
//! form holds for exponential services only.
//!
//! The distribution is what arrivals find (Wolff, "Poisson arrivals see time averages", Operations
//! Research 30(2), 1982), counted from the list of requests.

use super::cell::{Checked, Theory, reference};
use super::{EXPONENTIAL, LOADS, ONE_SERVER, REPLICATIONS, System};
use crate::support::{results, scenario};
use routelab::experiment::metric::Metric;
use routelab::record::RequestRecord;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const LAWS: [&str; 3] = [
    EXPONENTIAL,
    r#""1s""#,
    r#"{ kind = "gamma", mean = "1s", cv = 2 }"#,
];

fn exact(value: f64) -> Theory {
    Theory {
        value,
        standard_error: 0.0,
    }
}

#[test]
fn one_server_that_all_share() {
    let mut checked = Checked::default();
    for (load, requests) in LOADS {
        for service in &LAWS[..2] {
            let system = System {
                capacity: "{ processor_sharing = 1 }",
                service,
                load,
                rate: load,
                requests,
                ..ONE_SERVER
            };
            let results = results(&system.scenario(REPLICATIONS), 1);
            let runs = results.strategies[0].replications.iter();
            let mean = runs.map(|run| run.metrics[Metric::LatencyMeanOk]);
            let name = format!("processor sharing, load {load}, {service}");
            checked.cell(&name, exact(1.0 / (1.0 - load)), mean);
        }
    }
    checked.verdict();
}

/// In number, exponential services cannot tell sharing from a line.
#[test]
fn four_servers_that_all_share() {
    let mut checked = Checked::default();
    for service in LAWS {
        let system = System {
            capacity: "{ processor_sharing = 4 }",
            service,
            load: 0.7,
            rate: 2.8,
            requests: 25_000,
            ..ONE_SERVER
        };
        let results = results(&system.scenario(REPLICATIONS), 1);
        let runs = results.strategies[0].replications.iter();
        let mean = runs.map(|run| run.metrics[Metric::LatencyMeanOk]);
        let theory = reference("M/M/c", "load=0.7;c=4", "mean").expect("a row");
        checked.cell(&format!("four servers, {service}"), theory, mean);
    }
    checked.verdict();
}

/// An account that works on `limit` at a time, of which each of `n` has the speed `speed(n)`, and
/// lets `queue` more wait.
struct Batch {
    name: &'static str,
    capacity: &'static str,
    speed: fn(f64) -> f64,
    limit: usize,
    queue: usize,
    rate: f64,
    laws: &'static [&'static str],
}

const BATCHES: [Batch; 3] = [
    Batch {
        name: "iterations, refusing",
        capacity: r#"{ batching = { base = "9ms", per_request = "1ms" }, max_batch = 12,
                       queue = 0 }"#,
        speed: |n| 10.0 / (9.0 + n),
        limit: 12,
        queue: 0,
        rate: 4.5,
        laws: &LAWS,
    },
    Batch {
        name: "measured, refusing",
        capacity: "{ batching = { sizes = [1, 3, 8], speeds = [80, 60, 20] }, queue = 0 }",
        speed: |n| {
            if n <= 3.0 {
                1.125 - n / 8.0
            } else {
                1.05 - n / 10.0
            }
        },
        limit: 8,
        queue: 0,
        rate: 1.8,
        laws: &LAWS,
    },
    Batch {
        name: "iterations, with a line",
        capacity: r#"{ batching = { base = "3ms", per_request = "1ms" }, max_batch = 4,
                       queue = 6 }"#,
        speed: |n| 4.0 / (3.0 + n),
        limit: 4,
        queue: 6,
        rate: 1.7,
        laws: &[EXPONENTIAL],
    },
];

impl Batch {
    /// The probabilities of 0, 1, ... in the system.
    fn product_form(&self) -> Vec<f64> {
        let mut weights = vec![1.0];
        for n in 1..=self.limit + self.queue {
            let running = n.min(self.limit) as f64;
            let work_rate = running * (self.speed)(running);
            weights.push(weights[n - 1] * self.rate / work_rate);
        }
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }

    /// The share of arrivals that found 0, 1, ... in the system.
    fn found(&self, service: &str, seed: u32) -> Vec<f64> {
        let system = System {
            capacity: self.capacity,
            service,
            load: 0.7,
            rate: self.rate,
            requests: 15_000,
            ..ONE_SERVER
        };
        let text = system.text(1);
        let text = format!("seed = {seed}\n{text}\n[output]\nrequests = true\n");
        let scenario = scenario("batch", &text);
        let results = results(&scenario, 1);
        let mut requests = results.strategies[0].requests.clone();
        requests.sort_by_key(|record| record.arrived);
        let warm = |record: &RequestRecord| record.arrived.as_secs_f64() > 400.0;
        let mut counts = vec![0u32; self.limit + self.queue + 1];
        let mut there: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
        for record in &requests {
            while there
                .peek()
                .is_some_and(|Reverse(end)| *end <= record.arrived.as_nanos())
            {
                there.pop();
            }
            if warm(record) {
                counts[there.len()] += 1;
            }
            if record.succeeded() {
                there.push(Reverse(record.ended.as_nanos()));
            }
        }
        let all = f64::from(counts.iter().sum::<u32>());
        counts.iter().map(|count| f64::from(*count) / all).collect()
    }
}

#[test]
fn batches_have_the_product_form() {
    let mut checked = Checked::default();
    for batch in &BATCHES {
        let theory = batch.product_form();
        for service in batch.laws {
            let found: Vec<_> = (1..=REPLICATIONS)
                .map(|seed| batch.found(service, seed))
                .collect();
            for (n, p) in theory.iter().enumerate().filter(|(_, p)| **p > 1e-3) {
                let name = format!("{}, {service}, p({n})", batch.name);
                checked.cell(&name, exact(*p), found.iter().map(|found| found[n]));
            }
        }
    }
    checked.verdict();
}
