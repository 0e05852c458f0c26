//! Product forms: systems whose distribution follows from a formula of ours.
//!
//! - Generalised processor sharing: with Poisson arrivals at rate `r`, services of mean 1 whatever
//!   their law, and `phi(n)` the work done per second when `n` are there,
//!   `p(n) ~ r^n / (phi(1) ... phi(n))` (J. W. Cohen, "The multiple phase service network with
//!   generalized processor sharing", Acta Informatica 12, 1979). Where a batch is full and others
//!   wait in line, the form holds for exponential services only.
//! - Machine repair: N users think for a mean time Z, c servers answer in a mean time of 1, and
//!   `p(n) = p(n-1) (N - n + 1) / (Z min(n, c))` (C. Palm 1947); only the mean of the think time
//!   counts, and with a server for each user only the mean of the service too (Baskett, Chandy,
//!   Muntz, Palacios, "Open, closed, and mixed networks of queues", JACM 22, 1975).
//! - Utilisation: without a limit nobody waits, and the work done per second is the load that all
//!   systems here are meant to have.

use super::{Case, Source, Wanted};
use crate::experiment::validation::sample::Measure;
use crate::experiment::validation::system::{
    Arrivals, CONSTANT, EXPONENTIAL, GAMMA_4, HYPER_4, Law, System, UNIFORM, relaxation,
};
use crate::stats::queueing::{birth_and_death, mean_number};

/// States rarer than this are not compared: they are visited too seldom for the normal law of
/// their means.
const RAREST: f64 = 0.03;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![];
    for batch in &BATCHES {
        cases.extend(batch.laws.iter().map(|law| batch.case(*law)));
    }
    cases.extend([EXPONENTIAL, CONSTANT, GAMMA_4].map(four_shared));
    cases.extend(LOOPS.iter().map(Loop::case));
    for law in [EXPONENTIAL, CONSTANT, GAMMA_4] {
        cases.extend(["round_robin", "random"].map(|strategy| utilisation(law, strategy)));
    }
    cases
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
    laws: &'static [Law],
}

const LAWS: &[Law] = &[EXPONENTIAL, CONSTANT, GAMMA_4];

const BATCHES: [Batch; 3] = [
    Batch {
        name: "iterations of 9 ms + 1 ms each, up to 12, refusing",
        capacity: r#"{ batching = { base = "9ms", per_request = "1ms" }, max_batch = 12,
    queue = 0 }"#,
        speed: |n| 10.0 / (9.0 + n),
        limit: 12,
        queue: 0,
        rate: 4.5,
        laws: LAWS,
    },
    Batch {
        name: "measured speeds, up to 8, refusing",
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
        laws: LAWS,
    },
    Batch {
        name: "iterations of 3 ms + 1 ms each, up to 4, a line of 6",
        capacity: r#"{ batching = { base = "3ms", per_request = "1ms" }, max_batch = 4,
    queue = 6 }"#,
        speed: |n| 4.0 / (3.0 + n),
        limit: 4,
        queue: 6,
        rate: 1.7,
        laws: &[EXPONENTIAL],
    },
];

/// Cells for the states that are not rare.
fn states(states: &[f64]) -> Vec<Wanted> {
    let common = states.iter().enumerate().filter(|(_, p)| **p >= RAREST);
    let cell = |(n, p): (usize, &f64)| Wanted::formula(&format!("p({n})"), *p, Measure::State(n));
    common.map(cell).collect()
}

impl Batch {
    fn case(&self, law: Law) -> Case {
        let work = |n: usize| {
            let running = n.min(self.limit) as f64;
            running * (self.speed)(running)
        };
        let states_of = birth_and_death(self.limit + self.queue, |_| self.rate, work);
        let mut wanted = states(&states_of);
        let refused = *states_of.last().unwrap_or(&0.0);
        wanted.push(Wanted::formula("refused", refused, Measure::Blocked));
        let number = mean_number(&states_of);
        let response = number / (self.rate * (1.0 - refused));
        wanted.push(Wanted::formula("mean", response, Measure::Mean));
        let system = System {
            capacity: self.capacity.to_owned(),
            service: law.toml.to_owned(),
            arrivals: Arrivals::Poisson(self.rate),
            relaxation: 40.0,
            ..System::default()
        };
        Case {
            model: "generalised processor sharing".to_owned(),
            parameters: self.name.to_owned(),
            how: format!("`batching`, {}", law.name),
            scenario: Source::System(system, 2_000_000),
            wanted,
        }
    }
}

/// In number, sharing cannot be told from a line with exponential services, whatever the law.
fn four_shared(law: Law) -> Case {
    let load = 0.7;
    let system = System {
        capacity: "{ processor_sharing = 4 }".to_owned(),
        service: law.toml.to_owned(),
        arrivals: Arrivals::Poisson(2.8),
        relaxation: relaxation(load),
        ..System::default()
    };
    let mean = crate::stats::queueing::mean_of_servers(4, load);
    Case {
        model: "generalised processor sharing".to_owned(),
        parameters: format!("4 servers that all share, load={load}"),
        how: format!("`processor_sharing`, {}", law.name),
        scenario: Source::System(system, 3_000_000),
        wanted: vec![Wanted::formula("mean", mean, Measure::Mean)],
    }
}

/// Users who wait for an answer, think, and ask again.
struct Loop {
    users: u32,
    servers: u32,
    /// Mean, in mean service times.
    think: f64,
    think_law: Law,
    law: Law,
}

/// Think times by name; their means are in the loops.
const fn think(name: &'static str, toml: &'static str) -> Law {
    Law { name, toml }
}

const LOOPS: [Loop; 8] = [
    Loop {
        users: 5,
        servers: 1,
        think: 4.0,
        think_law: think("exponential", r#"{ kind = "exponential", mean = "4s" }"#),
        law: EXPONENTIAL,
    },
    Loop {
        users: 20,
        servers: 2,
        think: 10.0,
        think_law: think("exponential", r#"{ kind = "exponential", mean = "10s" }"#),
        law: EXPONENTIAL,
    },
    loop_of_ten(think(
        "exponential",
        r#"{ kind = "exponential", mean = "2s" }"#,
    )),
    loop_of_ten(think("constant", r#""2s""#)),
    loop_of_ten(think(
        "gamma, scv 4",
        r#"{ kind = "gamma", mean = "2s", cv = 2 }"#,
    )),
    loop_of_ten(think(
        "uniform",
        r#"{ kind = "uniform", low = "0s", high = "4s" }"#,
    )),
    server_for_each(UNIFORM),
    server_for_each(HYPER_4),
];

const fn loop_of_ten(think_law: Law) -> Loop {
    Loop {
        users: 10,
        servers: 3,
        think: 2.0,
        think_law,
        law: EXPONENTIAL,
    }
}

const fn server_for_each(law: Law) -> Loop {
    Loop {
        users: 8,
        servers: 8,
        think: 3.0,
        think_law: think(
            "Erlang of 2",
            r#"{ kind = "erlang", mean = "3s", stages = 2 }"#,
        ),
        law,
    }
}

impl Loop {
    fn case(&self) -> Case {
        let (users, servers) = (self.users as usize, self.servers as usize);
        let asking = |n: usize| (users - n) as f64 / self.think;
        let states_of = birth_and_death(users, asking, |n| n.min(servers) as f64);
        let number = mean_number(&states_of);
        let throughput = (self.users as f64 - number) / self.think;
        let mut wanted = states(&states_of);
        wanted.push(Wanted::formula(
            "throughput",
            throughput,
            Measure::Throughput,
        ));
        wanted.push(Wanted::formula("mean", number / throughput, Measure::Mean));
        let system = System {
            capacity: format!("{{ slots = {servers} }}"),
            service: self.law.toml.to_owned(),
            strategy: r#""least_connections""#.to_owned(),
            arrivals: Arrivals::Users(self.users, self.think, self.think_law.toml),
            relaxation: 20.0,
            ..System::default()
        };
        let (think, law) = (self.think_law.name, self.law.name);
        Case {
            model: "machine repair M/M/c//N".to_owned(),
            parameters: format!("c={servers};N={users};think={}", self.think),
            how: format!("`closed_loop`; think time {think}; service {law}"),
            scenario: Source::System(system, 1_000_000),
            wanted,
        }
    }
}

fn utilisation(law: Law, strategy: &str) -> Case {
    let system = System {
        accounts: 2,
        capacity: r#""unlimited""#.to_owned(),
        service: law.toml.to_owned(),
        strategy: format!("\"{strategy}\""),
        arrivals: Arrivals::Poisson(1.6),
        ..System::default()
    };
    Case {
        model: "utilisation M/G/inf".to_owned(),
        parameters: "offered=1.6".to_owned(),
        how: format!("2 accounts, `{strategy}`, {}", law.name),
        scenario: Source::System(system, 1_000_000),
        wanted: vec![Wanted::formula("work per second", 1.6, Measure::Work)],
    }
}
