//! The idle timeout: it ends streams that pause, and no others.

use routelab::experiment::results::StrategyResults;
use routelab::experiment::run::{RunOptions, run};
use routelab::experiment::scenario::{Overrides, parse};
use routelab::request::FailureKind;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Streams of 1,000 tokens at one account, an idle timeout of 5 s, no other limit below 10 min.
fn streams(per_token: &str, faults: &str) -> StrategyResults {
    let text = format!(
        r#"
question = "q"
expectation = "e"
duration = "10min"
replications = 1
strategies = ["round_robin"]

[models.m.service]
first_token = {{ kind = "constant", value = "1s" }}
per_output_token = {{ kind = "constant", value = "{per_token}" }}

[[accounts]]
id = "a"
provider = "custom"
models = {{ m = {{}} }}

[workload]
arrivals = "constant"
rate = "6rpm"

[[workload.classes]]
name = "c"
model = "m"
streaming_share = 1.0
input_tokens = 100
output_tokens = 1000

[routing]
deadline = "10h"
idle_timeout = "5s"
max_attempts = 1
breaker = false
{faults}
"#
    );
    let loaded = parse("idle.toml", &text, Path::new("."), &Overrides::default());
    let scenario = loaded
        .unwrap_or_else(|findings| panic!("{findings}"))
        .scenario;
    let stop = AtomicBool::new(false);
    let options = RunOptions {
        jobs: 1,
        stop: &stop,
        progress: &|_, _| (),
    };
    let mut results = run(&scenario, &options).expect("no invariant is broken");
    results.strategies.remove(0)
}

fn failed(results: &StrategyResults, kind: FailureKind) -> u64 {
    results.replications[0].counts.failed_attempts[kind.at()]
}

#[test]
fn a_long_stream_that_flows_is_left_alone() {
    let results = streams("60ms", "");
    assert_eq!(results.replications[0].counts.successes, 59);
}

#[test]
fn tokens_further_apart_than_the_limit_end_the_stream() {
    let results = streams("6s", "");
    assert_eq!(failed(&results, FailureKind::IdleTimeout), 59);
    assert!(results.latency.all.max().as_secs_f64() < 36_001.0);
}

/// Six streams are under way when the black hole opens: each is given up within the limit. The
/// others never had a token, and wait for the deadline.
#[test]
fn a_stream_that_falls_silent_is_given_up_after_the_limit() {
    let fault = r#"
[[faults]]
kind = "blackhole"
accounts = ["a"]
start = "5min"
duration = "5min"
"#;
    let results = streams("60ms", fault);
    // The stream that began at 290 s has had its first token at 291 s; that of 300 s never has.
    assert_eq!(failed(&results, FailureKind::IdleTimeout), 6);
    let counts = results.replications[0].counts;
    assert_eq!(
        counts.failures,
        6 + failed(&results, FailureKind::DeadlineExceeded)
    );
    assert_eq!(counts.requests, 59);
}
