//! The engine against queueing theory, through ordinary scenarios.
//!
//! Resilience is off (no deadline, breaker or retry), so that nothing but arrivals, dispatch,
//! waiting and service is left, and response times are known: from closed forms, from an exact
//! Markov chain, or from an independent program (`queueing.csv`).
//!
//! A cell is one system at one load and one metric. It passes if its mean over 20 replications is
//! within 4 standard errors of the theory and, where the standard error is below 0.25 % of it, also
//! within 1 %. Seeds are 1 throughout, never chosen; so a cell does not fail by bad luck today that
//! passed yesterday. The size is what a test suite can afford: at a load of 0.9 the standard errors
//! are about 1 %.
//!
//! A run starts empty, and that state is forgotten like exp(-t / r) with the relaxation time
//! r = 1 / (1 - sqrt(load))^2 services for M/M/1, shorter for the other systems here (Cohen, "The
//! Single Server Queue", 1982). The warm-up is 10 r, after which e^-10 of the bias is left, far
//! below any standard error.

mod cell;
mod closed_loop;
mod lindley;
mod sharing;

use crate::support::{results, scenario};
use cell::{Checked, Theory};
use routelab::experiment::metric::Metric;
use routelab::experiment::scenario::Scenario;

const REPLICATIONS: u32 = 20;

/// A pool of equal accounts without resilience.
#[derive(Clone, Copy)]
struct System<'a> {
    accounts: u32,
    capacity: &'a str,
    /// Distribution of the service time, whose mean is 1 s.
    service: &'a str,
    /// Offered load per server.
    load: f64,
    /// Arrivals per second: load times servers.
    rate: f64,
    strategies: &'a str,
    /// Requests measured in a replication.
    requests: u32,
    more: &'a str,
}

const EXPONENTIAL: &str = r#"{ kind = "exponential", mean = "1s" }"#;
const ONE_SERVER: System = System {
    accounts: 1,
    capacity: "{ slots = 1 }",
    service: EXPONENTIAL,
    load: 0.0,
    rate: 0.0,
    strategies: r#""round_robin""#,
    requests: 0,
    more: "",
};

/// The end of every world: jobs for one model, and no resilience.
const JOBS: &str = r#"
[[workload.classes]]
name = "job"
model = "m"
input_tokens = 1
output_tokens = 1
[routing]
deadline = "none"
breaker = false
max_attempts = 1
"#;

/// Loads of the reference, and the requests that are simulated there: waiting is the more
/// correlated in time, the higher the load.
const LOADS: [(f64, u32); 4] = [(0.5, 15_000), (0.7, 25_000), (0.8, 40_000), (0.9, 80_000)];

impl System<'_> {
    fn scenario(self, replications: u32) -> Scenario {
        scenario("theory", &self.text(replications))
    }

    fn text(self, replications: u32) -> String {
        let relaxation = (1.0 - self.load.sqrt()).powi(-2);
        let warmup = (10.0 * relaxation).ceil();
        let duration = warmup + (f64::from(self.requests) / self.rate).ceil();
        format!(
            r#"
            question = "Does the simulator agree with queueing theory?"
            expectation = "Yes."
            duration = "{duration}s"
            warmup = "{warmup}s"
            replications = {replications}
            strategies = [{strategies}]
            [models.m]
            service = {{ total = {service} }}
            [[accounts]]
            id = "a-{{n}}"
            count = {accounts}
            provider = "custom"
            models = ["m"]
            max_in_flight = 4294967295
            capacity = {capacity}
            {more}
            [workload]
            arrivals = "poisson"
            rate = "{rate}rps"
            {JOBS}
            "#,
            strategies = self.strategies,
            service = self.service,
            accounts = self.accounts,
            capacity = self.capacity,
            more = self.more,
            rate = self.rate,
        )
    }

    /// Runs it and compares each strategy with the row of the reference that it is an instance of.
    fn check(self, cells: &[(&str, &str)]) -> Checked {
        let results = results(&self.scenario(REPLICATIONS), 1);
        let mut checked = Checked::default();
        for ((model, parameters), arm) in cells.iter().zip(&results.strategies) {
            let system = format!("{model} {parameters}");
            for (name, metric) in [
                ("mean", Metric::LatencyMeanOk),
                ("p50", Metric::LatencyP50Ok),
                ("p99", Metric::LatencyP99Ok),
            ] {
                if let Some(theory) = cell::reference(model, parameters, name) {
                    let values = arm.replications.iter().map(|r| r.metrics[metric]);
                    checked.cell(&format!("{system} {name}"), theory, values);
                }
            }
        }
        checked
    }
}

/// Checks a system at every load of the reference.
fn at_every_load(system: System, servers: u32, cells: &[(&str, &str)]) {
    let mut checked = Checked::default();
    for (load, requests) in LOADS {
        let at_load: Vec<_> = cells
            .iter()
            .map(|(model, more)| (*model, format!("load={load}{more}")))
            .collect();
        let cells: Vec<_> = at_load.iter().map(|(m, p)| (*m, p.as_str())).collect();
        let system = System {
            load,
            rate: (load * f64::from(servers) * 10.0).round() / 10.0,
            requests,
            ..system
        };
        checked.add(system.check(&cells));
    }
    checked.verdict();
}

#[test]
fn one_exponential_server() {
    at_every_load(
        ONE_SERVER,
        1,
        &[("M/M/1", ";one server or random dispatch")],
    );
}

#[test]
fn one_constant_server() {
    let system = System {
        service: r#""1s""#,
        ..ONE_SERVER
    };
    at_every_load(system, 1, &[("M/D/1", "")]);
}

#[test]
fn four_servers_with_one_line() {
    let system = System {
        capacity: "{ slots = 4 }",
        ..ONE_SERVER
    };
    at_every_load(system, 4, &[("M/M/c", ";c=4")]);
}

#[test]
fn two_servers_with_a_line_each() {
    let system = System {
        accounts: 2,
        strategies: r#""round_robin", "least_connections""#,
        ..ONE_SERVER
    };
    let cells = [
        ("round_robin over M/1 queues", ";n=2"),
        ("join shortest queue", ";n=2"),
    ];
    at_every_load(system, 2, &cells);
}

#[test]
fn ten_servers_with_a_line_each() {
    let system = System {
        accounts: 10,
        strategies: r#""random", "round_robin", "least_connections""#,
        ..ONE_SERVER
    };
    let cells = [
        ("M/M/1", ";one server or random dispatch"),
        ("round_robin over M/1 queues", ";n=10"),
        ("join shortest queue, random ties", ";n=10"),
    ];
    at_every_load(system, 10, &cells);
}

/// Pollaczek and Khinchine: only the mean and the variance of the service time count. The empty
/// start is forgotten about (1 + scv) / 2 times more slowly; the warm-up is still four relaxation
/// times.
#[test]
fn one_server_with_variable_service() {
    let mut checked = Checked::default();
    for (kind, scv, cv) in [
        ("gamma", 2, "1.4142135623731"),
        ("gamma", 4, "2"),
        ("hyperexponential", 4, "2"),
    ] {
        let service = format!(r#"{{ kind = "{kind}", mean = "1s", cv = {cv} }}"#);
        let system = System {
            service: &service,
            load: 0.5,
            rate: 0.5,
            requests: 20_000,
            ..ONE_SERVER
        };
        let parameters = format!("load=0.5;service_scv={scv}");
        checked.add(system.check(&[("M/G/1 (Pollaczek-Khinchine)", &parameters)]));
    }
    checked.verdict();
}

/// Servers without a line: whoever finds all of them busy is refused. Erlang (1917): it does not
/// matter how service times are distributed beyond their mean.
#[test]
fn servers_without_a_line() {
    let mut checked = Checked::default();
    for (servers, offered) in [(1, 0.5), (2, 1.0), (10, 8.0)] {
        for service in [EXPONENTIAL, r#""1s""#] {
            let capacity = format!("{{ slots = {servers}, queue = 0 }}");
            let system = System {
                capacity: &capacity,
                service,
                load: 0.5,
                rate: offered,
                requests: 20_000,
                ..ONE_SERVER
            };
            let results = results(&system.scenario(REPLICATIONS), 1);
            let parameters = format!("c={servers};offered={offered}");
            let theory = cell::reference("Erlang loss M/M/c/c", &parameters, "blocking");
            let runs = results.strategies[0].replications.iter();
            let blocked = runs.map(|run| 1.0 - run.metrics[Metric::SuccessRate]);
            let name = format!("Erlang loss {parameters} {service}");
            checked.cell(&name, theory.expect("a row"), blocked);
        }
    }
    checked.verdict();
}

/// Without a limit nobody waits: the mean response time is the mean service time, and rate times
/// response time is the utilisation that the other systems here are meant to have.
#[test]
fn the_load_is_as_stated() {
    let mut checked = Checked::default();
    for service in [
        EXPONENTIAL,
        r#""1s""#,
        r#"{ kind = "gamma", mean = "1s", cv = 2 }"#,
    ] {
        let system = System {
            accounts: 2,
            capacity: r#""unlimited""#,
            service,
            load: 0.5,
            rate: 1.6,
            strategies: r#""round_robin", "random""#,
            requests: 20_000,
            ..ONE_SERVER
        };
        let scenario = system.scenario(REPLICATIONS);
        let measured = scenario
            .duration
            .saturating_sub(scenario.warmup)
            .as_secs_f64();
        let theory = Theory {
            value: 0.8,
            standard_error: 0.0,
        };
        for arm in results(&scenario, 1).strategies {
            let runs = arm.replications.iter();
            let busy = runs.map(|run| {
                let busy = run.metrics[Metric::LatencyMeanOk] * run.counts.requests as f64;
                busy / measured / f64::from(system.accounts)
            });
            checked.cell(&format!("utilisation {} {service}", arm.name), theory, busy);
        }
    }
    checked.verdict();
}

/// Attempts that fail with probability one half, independently, and up to 3 attempts: 1 + 1/2 + 1/4
/// attempts, and 7 of 8 requests succeed.
#[test]
fn retries_of_independent_failures() {
    let system = System {
        accounts: 3,
        capacity: r#""unlimited""#,
        load: 0.5,
        rate: 1.0,
        requests: 20_000,
        strategies: r#"{ name = "three", strategy = "round_robin", max_attempts = 3,
                         retry = { budget_per_request = 2, budget_per_second = 1000 } }"#,
        more: r#"failures = [{ kind = "internal_error", rate = 0.5 }]"#,
        ..ONE_SERVER
    };
    let results = results(&system.scenario(REPLICATIONS), 1);
    let runs = &results.strategies[0].replications;
    let (model, parameters) = ("retries, 3 attempts, i.i.d. failures", "p=0.5");
    let theory = cell::reference(model, parameters, "attempts_per_request");
    let successes = Theory {
        value: 0.875,
        standard_error: 0.0,
    };
    let mut checked = Checked::default();
    let of = |metric| runs.iter().map(move |run| run.metrics[metric]);
    let attempts = of(Metric::AttemptsPerRequest);
    checked.cell("attempts", theory.expect("a row"), attempts);
    checked.cell("successes", successes, of(Metric::SuccessRate));
    checked.verdict();
}

/// A breaker that trips after 5 failures in a row of attempts that fail with probability one half.
/// It is open for less than the time between two requests and closes at the first success, so no
/// request is refused, and by renewal: between two closings lie the attempts of the reference and
/// as many probes as it takes for one to succeed; each of the failed ones opens it once more.
#[test]
fn trips_of_a_breaker() {
    let model = "breaker, 5 consecutive of i.i.d. failures";
    let to_trip = cell::reference(model, "p=0.5", "mean_requests_to_trip").expect("a row");
    let probes = 2.0;
    let theory = Theory {
        value: probes / (to_trip.value + probes),
        standard_error: 0.0,
    };
    let system = System {
        capacity: r#""unlimited""#,
        service: r#""1ms""#,
        load: 0.5,
        rate: 1.0,
        requests: 20_000,
        strategies: r#"{ name = "tripped", strategy = "round_robin",
                         breaker = { open_time = "1ms", successes_to_close = 1 } }"#,
        more: r#"failures = [{ kind = "internal_error", rate = 0.5, time_to_fail = "1ms" }]"#,
        ..ONE_SERVER
    };
    let text = system.text(REPLICATIONS).replace("poisson", "constant");
    let results = results(&scenario("trips", &text), 1);
    let runs = results.strategies[0].replications.iter();
    let openings =
        runs.map(|run| run.metrics[Metric::BreakerOpenings] / run.counts.attempts as f64);
    let mut checked = Checked::default();
    checked.cell("openings per attempt", theory, openings);
    checked.verdict();
}
