//! The rows of the reference table.

use super::{Case, Source, Wanted};
use crate::experiment::validation::cell::Rule;
use crate::experiment::validation::fixture::{self, Row, Theory};
use crate::experiment::validation::sample::Measure;
use crate::experiment::validation::system::{
    Arrivals, CONSTANT, EXPONENTIAL, GAMMA_2, GAMMA_4, HYPER_2, HYPER_4, Law, System, relaxation,
};
use crate::time::Duration;

pub(super) const IN_TURN: &str = "round_robin over M/1 queues";
pub(super) const SHORTEST: &str = "join shortest queue";
pub(super) const SHORTEST_OF_TEN: &str = "join shortest queue, random ties";
const SHARING: &str = "M/G/1 processor sharing (any service law)";
const ERLANG: &str = "Erlang loss M/M/c/c";
const VARIABLE: &str = "M/G/1 (Pollaczek-Khinchine)";
const TRIPS: &str = "breaker, 5 consecutive of i.i.d. failures";
const RETRIES: &str = "retries, 3 attempts, i.i.d. failures";

/// Loads of the table, and the requests measured there: waiting times have the more in common with
/// their neighbours, the higher the load.
const LOADS: [(f64, u64); 4] = [
    (0.5, 2_000_000),
    (0.7, 3_000_000),
    (0.8, 6_000_000),
    (0.9, 12_000_000),
];

pub(super) fn cases() -> Vec<Case> {
    let table = Table(fixture::rows());
    let mut cases = vec![];
    for pool in &POOLS {
        for (load, requests) in LOADS.iter().filter(|(load, _)| pool.loads.contains(load)) {
            cases.push(table.pool(pool, *load, *requests));
        }
    }
    for law in [GAMMA_2, HYPER_2, GAMMA_4, HYPER_4] {
        let scv = if law.name.ends_with('2') { 2.0 } else { 4.0 };
        for (load, requests) in LOADS.iter().filter(|(load, _)| *load != 0.7) {
            cases.push(table.variable(law, scv, *load, *requests));
        }
    }
    for (servers, offered) in [(1, 0.5), (2, 1.0), (10, 8.0)] {
        cases.extend([EXPONENTIAL, CONSTANT].map(|law| table.loss(servers, offered, law)));
    }
    cases.push(table.trips(0.5, 2_000_000, |rate| trips(rate, 0.5)));
    cases.push(table.trips(0.2, 20_000_000, |rate| trips(rate, 0.2)));
    cases.push(table.retries());
    cases
}

/// Equal accounts at the loads of the table.
struct Pool {
    model: &'static str,
    /// What its parameters say beside the load.
    more: &'static str,
    how: &'static str,
    accounts: u32,
    servers: u32,
    capacity: &'static str,
    law: Law,
    strategy: &'static str,
    class_keys: &'static str,
    loads: &'static [f64],
}

const ALL: &[f64] = &[0.5, 0.7, 0.8, 0.9];

/// One exponential server.
const ONE: Pool = Pool {
    model: "M/M/1",
    more: ";one server or random dispatch",
    how: "1 account",
    accounts: 1,
    servers: 1,
    capacity: "{ slots = 1 }",
    law: EXPONENTIAL,
    strategy: r#""round_robin""#,
    class_keys: "",
    loads: ALL,
};

/// Two accounts with a line each.
const TWO: Pool = Pool {
    model: IN_TURN,
    more: ";n=2",
    how: "2 accounts, `round_robin`",
    accounts: 2,
    servers: 2,
    ..ONE
};

/// Ten of them.
const TEN: Pool = Pool {
    more: ";n=10",
    how: "10 accounts, `round_robin`",
    accounts: 10,
    servers: 10,
    ..TWO
};

const SHARED: Pool = Pool {
    model: SHARING,
    more: "",
    how: "`processor_sharing`, exponential",
    capacity: "{ processor_sharing = 1 }",
    ..ONE
};

const POOLS: [Pool; 17] = [
    ONE,
    Pool {
        how: "10 accounts, `random`",
        strategy: r#""random""#,
        more: ";one server or random dispatch",
        model: "M/M/1",
        ..TEN
    },
    Pool {
        model: "M/D/1",
        more: "",
        law: CONSTANT,
        ..ONE
    },
    Pool {
        model: "M/M/c",
        more: ";c=4",
        how: "1 account, 4 slots",
        servers: 4,
        capacity: "{ slots = 4 }",
        ..ONE
    },
    TWO,
    TEN,
    Pool {
        how: "10 accounts, `weighted_round_robin`, plain weights",
        strategy: r#"{ strategy = "weighted_round_robin", dynamic_weights = false }"#,
        loads: &[0.8],
        ..TEN
    },
    Pool {
        how: "10 accounts, `smart`, low priority",
        strategy: r#""smart""#,
        class_keys: "priority = \"low\"\n",
        loads: &[0.8],
        ..TEN
    },
    Pool {
        model: SHORTEST,
        how: "2 accounts, `least_connections`",
        strategy: r#""least_connections""#,
        ..TWO
    },
    Pool {
        model: SHORTEST,
        how: "2 accounts, `geographic`, no regions",
        strategy: r#""geographic""#,
        loads: &[0.8],
        ..TWO
    },
    Pool {
        model: SHORTEST_OF_TEN,
        how: "10 accounts, `least_connections`",
        strategy: r#""least_connections""#,
        ..TEN
    },
    Pool {
        model: SHORTEST_OF_TEN,
        how: "10 accounts, `geographic`, no regions",
        strategy: r#""geographic""#,
        loads: &[0.8],
        ..TEN
    },
    SHARED,
    Pool {
        how: "`processor_sharing`, constant",
        law: CONSTANT,
        ..SHARED
    },
    Pool {
        how: "`processor_sharing`, gamma, scv 4",
        law: GAMMA_4,
        ..SHARED
    },
    Pool {
        how: "`batching` of speed 1/n, exponential",
        capacity: r#"{ batching = { base = "0s", per_request = "10ms" }, max_batch = 65536 }"#,
        loads: &[0.8],
        ..SHARED
    },
    Pool {
        how: "`batching` of speed 1/n, gamma, scv 4",
        capacity: r#"{ batching = { base = "0s", per_request = "10ms" }, max_batch = 65536 }"#,
        law: GAMMA_4,
        loads: &[0.8],
        ..SHARED
    },
];

/// Attempts until a breaker trips, from its openings per attempt. It is open for less than the time
/// between two requests and closes at the first success, so no request is refused, and by renewal:
/// between two closings lie the attempts looked for and as many probes as it takes for one to
/// succeed, `1 / (1 - failing)`; each failed probe opens it once more.
fn trips(openings_per_attempt: f64, failing: f64) -> f64 {
    (1.0 / openings_per_attempt - 1.0) / (1.0 - failing)
}

struct Table(Vec<Row>);

impl Table {
    /// The numbers that the table has for a system.
    fn wanted(&self, model: &str, parameters: &str) -> Vec<Wanted> {
        let of = |row: &&Row| row.model == model && row.parameters == parameters;
        self.0.iter().filter(of).filter_map(wanted).collect()
    }

    fn case(
        &self,
        model: &str,
        parameters: &str,
        how: &str,
        system: System,
        requests: u64,
    ) -> Case {
        Case {
            model: model.to_owned(),
            parameters: parameters.to_owned(),
            how: how.to_owned(),
            scenario: Source::System(system, requests),
            wanted: self.wanted(model, parameters),
        }
    }

    fn pool(&self, pool: &Pool, load: f64, requests: u64) -> Case {
        // Products such as 0.7 * 10 without the last bit that is wrong.
        let rate = (load * f64::from(pool.servers) * 10.0).round() / 10.0;
        let system = System {
            accounts: pool.accounts,
            capacity: pool.capacity.to_owned(),
            service: pool.law.toml.to_owned(),
            strategy: pool.strategy.to_owned(),
            arrivals: Arrivals::Poisson(rate),
            relaxation: relaxation(load),
            class_keys: pool.class_keys.to_owned(),
            ..System::default()
        };
        let parameters = format!("load={load}{}", pool.more);
        self.case(pool.model, &parameters, pool.how, system, requests)
    }

    /// Only the mean and the variance of the service time count. The empty start is forgotten more
    /// slowly, by the ratio of the mean residual services.
    fn variable(&self, law: Law, scv: f64, load: f64, requests: u64) -> Case {
        let system = System {
            service: law.toml.to_owned(),
            arrivals: Arrivals::Poisson(load),
            relaxation: relaxation(load) * (1.0 + scv) / 2.0,
            ..System::default()
        };
        let parameters = format!("load={load};service_scv={scv}");
        self.case(VARIABLE, &parameters, law.name, system, requests)
    }

    /// Servers without a line. How services are distributed does not matter beyond their mean.
    fn loss(&self, servers: u32, offered: f64, law: Law) -> Case {
        let system = System {
            capacity: format!("{{ slots = {servers}, queue = 0 }}"),
            service: law.toml.to_owned(),
            arrivals: Arrivals::Poisson(offered),
            ..System::default()
        };
        let parameters = format!("c={servers};offered={offered}");
        self.case(ERLANG, &parameters, law.name, system, 4_000_000)
    }

    fn trips(&self, failing: f64, requests: u64, shown: fn(f64) -> f64) -> Case {
        let system = System {
            capacity: r#""unlimited""#.to_owned(),
            service: r#""1ms""#.to_owned(),
            strategy: r#"{ strategy = "round_robin",
    breaker = { open_time = "1ms", successes_to_close = 1 } }"#
                .to_owned(),
            arrivals: Arrivals::Constant(1.0),
            account_keys: failures(failing, "1ms"),
            ..System::default()
        };
        let how = "1 account, closes at the first success";
        let mut case = self.case(TRIPS, &format!("p={failing}"), how, system, requests);
        for wanted in &mut case.wanted {
            wanted.shown = Some(shown);
        }
        case
    }

    fn retries(&self) -> Case {
        let system = System {
            accounts: 3,
            capacity: r#""unlimited""#.to_owned(),
            strategy: r#"{ strategy = "round_robin", max_attempts = 3,
    retry = { budget_per_request = 2, budget_per_second = 1000 } }"#
                .to_owned(),
            arrivals: Arrivals::Poisson(1.0),
            account_keys: failures(0.5, "100ms"),
            ..System::default()
        };
        let how = "3 accounts, `round_robin`";
        let mut case = self.case(RETRIES, "p=0.5", how, system, 2_000_000);
        let answered = Wanted::formula("success rate", 0.875, Measure::Success);
        case.wanted.push(answered);
        case
    }
}

fn failures(rate: f64, time_to_fail: &str) -> String {
    format!(
        "failures = [{{ kind = \"internal_error\", rate = {rate}, \
         time_to_fail = \"{time_to_fail}\" }}]\n"
    )
}

/// How a number of the table is measured; `None` if it is of a kind that is not known here.
fn wanted(row: &Row) -> Option<Wanted> {
    let measure = match row.metric.as_str() {
        "mean" => Measure::Mean,
        "p50" => Measure::Quantile(0.5),
        "p99" => Measure::Quantile(0.99),
        "blocking" => Measure::Blocked,
        "mean_requests_to_trip" => Measure::Openings,
        "attempts_per_request" => Measure::Attempts,
        _ => return None,
    };
    let plain = Wanted {
        metric: row.metric.clone(),
        in_table: true,
        theory: row.theory,
        measure,
        shown: None,
        rule: Rule::Chance,
    };
    Some(match (row.model.as_str(), row.metric.as_str()) {
        // Exactly half of the requests find the server idle and take 1 s, so that the median of a
        // sample falls on either side of the end of an atom, and is no estimate of its theory. The
        // share that takes no longer is.
        ("M/D/1", "p50") if row.theory.value == 1.0 => Wanted {
            metric: "p50: share within it".to_owned(),
            theory: Theory::exact(0.5),
            measure: Measure::Within(Duration::from_secs(1)),
            ..plain
        },
        _ => plain,
    })
}
