//! Users who wait for an answer, think, and ask again: the machine repair model M/M/c//N.
//!
//! N users think for a mean time Z, c servers answer in a mean time S. The number of requests in
//! the system is a birth-and-death process, `p(n) = p(n-1) (N - n + 1) S / (Z min(n, c))` (Palm
//! 1947; Kleinrock, "Queueing Systems I", 1975, section 3.8), and with L, its mean, the throughput
//! is `(N - L) / Z`, and the response time L over the throughput. Only the mean of the think time
//! counts, as in every closed network with a station of infinitely many servers (Baskett, Chandy,
//! Muntz, Palacios 1975); with a server for each user only the mean of the service time does too.

use super::cell::{Checked, Theory};
use super::{EXPONENTIAL, JOBS, REPLICATIONS};
use crate::support::{records, scenario};
use routelab::experiment::scenario::Scenario;
use routelab::record::RequestRecord;
use routelab::time::{Duration, Timestamp};

struct Loop<'a> {
    users: usize,
    servers: usize,
    /// Mean, in mean service times.
    think: f64,
    think_time: &'a str,
    service: &'a str,
    capacity: &'a str,
}

const WARMUP: u64 = 200;
const SECONDS: u64 = 8_000;

impl Loop<'_> {
    fn scenario(&self) -> Scenario {
        let text = format!(
            r#"
            question = "Does a closed loop agree with theory?"
            expectation = "Yes."
            duration = "{SECONDS}s"
            warmup = "{WARMUP}s"
            replications = {REPLICATIONS}
            strategies = ["least_connections"]
            [models.m]
            service = {{ total = {service} }}
            [[accounts]]
            id = "a"
            provider = "custom"
            models = ["m"]
            max_in_flight = 4294967295
            capacity = {capacity}
            [workload]
            arrivals = "closed_loop"
            users = {users}
            think_time = {think}
            {JOBS}
            "#,
            service = self.service,
            capacity = self.capacity,
            users = self.users,
            think = self.think_time,
        );
        scenario("closed-loop", &text)
    }

    /// Probabilities of the number in the system.
    fn states(&self) -> Vec<f64> {
        let mut states = vec![1.0];
        for n in 1..=self.users {
            let births = (self.users - n + 1) as f64 / self.think;
            states.push(states[n - 1] * births / n.min(self.servers) as f64);
        }
        let total: f64 = states.iter().sum();
        states.iter().map(|state| state / total).collect()
    }

    fn check(&self, name: &str, checked: &mut Checked) {
        let scenario = self.scenario();
        let runs: Vec<_> = (0..REPLICATIONS)
            .map(|replication| records(&scenario, 0, replication))
            .collect();
        let states = self.states();
        let found: Vec<Vec<f64>> = runs.iter().map(|run| in_system(run, self.users)).collect();
        for (n, probability) in states.iter().enumerate() {
            // Rarer states are visited too seldom for the normal law of their means.
            if *probability > 0.005 {
                let values = found.iter().map(|run| run[n]);
                checked.cell(
                    &format!("{name}: {n} in the system"),
                    exact(*probability),
                    values,
                );
            }
        }
        let number: f64 = states.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        let throughput = (self.users as f64 - number) / self.think;
        let measured = |run: &Vec<RequestRecord>| -> Vec<f64> {
            let all = run.iter().filter(|r| measured_span().contains(&r.arrived));
            all.map(|record| record.sojourn().as_secs_f64()).collect()
        };
        let rates = runs
            .iter()
            .map(|run| measured(run).len() as f64 / (SECONDS - WARMUP) as f64);
        checked.cell(&format!("{name}: throughput"), exact(throughput), rates);
        let times = runs.iter().map(|run| {
            let times = measured(run);
            times.iter().sum::<f64>() / times.len() as f64
        });
        checked.cell(
            &format!("{name}: response"),
            exact(number / throughput),
            times,
        );
    }
}

fn exact(value: f64) -> Theory {
    Theory {
        value,
        standard_error: 0.0,
    }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(secs)
}

fn measured_span() -> std::ops::Range<Timestamp> {
    at(WARMUP)..at(SECONDS)
}

/// Share of the measured time with so many requests in the system.
fn in_system(run: &[RequestRecord], users: usize) -> Vec<f64> {
    let arrivals = run.iter().map(|record| (record.arrived, 1));
    let ends = run.iter().map(|record| (record.ended, -1));
    let mut changes: Vec<(Timestamp, i64)> = arrivals.chain(ends).collect();
    changes.sort_unstable();
    changes.push((at(SECONDS), 0));
    let (mut inside, mut since) = (0i64, at(WARMUP));
    let mut shares = vec![0.0; users + 1];
    for (when, change) in changes {
        let when = when.clamp(since, at(SECONDS));
        shares[inside as usize] += when.since(since).as_secs_f64() / (SECONDS - WARMUP) as f64;
        since = when;
        inside += change;
    }
    shares
}

#[test]
fn machine_repair() {
    let mut checked = Checked::default();
    for (servers, users, think) in [(1, 5, 4.0), (3, 10, 2.0), (2, 20, 10.0)] {
        let closed = Loop {
            users,
            servers,
            think,
            think_time: &format!(r#"{{ kind = "exponential", mean = "{think}s" }}"#),
            service: EXPONENTIAL,
            capacity: &format!("{{ slots = {servers} }}"),
        };
        closed.check(&format!("M/M/{servers}//{users}"), &mut checked);
    }
    checked.verdict();
}

#[test]
fn only_the_mean_of_the_think_time_counts() {
    let mut checked = Checked::default();
    for think_time in [
        r#""2s""#,
        r#"{ kind = "gamma", mean = "2s", cv = 2 }"#,
        r#"{ kind = "uniform", low = "0s", high = "4s" }"#,
    ] {
        let closed = Loop {
            users: 10,
            servers: 3,
            think: 2.0,
            think_time,
            service: EXPONENTIAL,
            capacity: "{ slots = 3 }",
        };
        closed.check(&format!("think time {think_time}"), &mut checked);
    }
    checked.verdict();
}

/// With a server for each user, states are binomial, whatever the two distributions.
#[test]
fn only_the_mean_of_the_service_counts_where_nobody_queues() {
    let mut checked = Checked::default();
    for service in [
        r#"{ kind = "uniform", low = "0s", high = "2s" }"#,
        r#"{ kind = "hyperexponential", mean = "1s", cv = 2 }"#,
    ] {
        let closed = Loop {
            users: 8,
            servers: 8,
            think: 3.0,
            think_time: r#"{ kind = "erlang", mean = "3s", stages = 2 }"#,
            service,
            capacity: r#""unlimited""#,
        };
        closed.check(&format!("service {service}"), &mut checked);
    }
    checked.verdict();
}
