//! Everything that can go wrong at once, over sockets, for as long as one likes: every request has
//! one end, nothing is left in flight anywhere, and memory does not grow.
//!
//! The long one takes some minutes and is run by hand:
//! `cargo test --release --all-features --test it -- --ignored --nocapture soak`

use crate::support::scenario;
use routelab::experiment::live::{self, LiveOptions};
use routelab::live::load::LoadDialect;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

/// Every kind of failure that providers have, at accounts of both; answers take 20 ms, and one in
/// five requests is streamed.
fn rough(requests: u32, rps: u32) -> String {
    let seconds = requests / rps;
    format!(
        r#"
question = "Does anything get lost?"
expectation = "Nothing does."
duration = "{seconds}s"
replications = 1
strategies = ["smart"]

[models.m]
service = {{ first_token = "15ms", per_output_token = "1ms" }}
context_window = 100000

[templates.rough]
models = ["m"]
max_in_flight = 500
capacity = {{ slots = 200, queue = 50 }}
failures = [
    {{ kind = "internal_error", rate = 0.01 }}, {{ kind = "bad_gateway", rate = 0.01 }},
    {{ kind = "unavailable", rate = 0.01 }}, {{ kind = "gateway_timeout", rate = 0.01 }},
    {{ kind = "overloaded", rate = 0.02 }}, {{ kind = "connection", rate = 0.02 }},
    {{ kind = "rate_limited", rate = 0.002 }}, {{ kind = "bad_request", rate = 0.005 }},
    {{ kind = "broken_stream", rate = 0.02 }}, {{ kind = "hang", rate = 0.005 }},
]

[[accounts]]
id = "claude-{{n}}"
count = 4
template = "rough"
provider = "anthropic"

[[accounts]]
id = "gemini-{{n}}"
count = 4
template = "rough"
provider = "google"

[workload]
arrivals = "poisson"
rate = "{rps}rps"
[[workload.classes]]
name = "whole"
weight = 4
model = "m"
input_tokens = 100
output_tokens = 5
[[workload.classes]]
name = "streamed"
weight = 1
model = "m"
input_tokens = 100
output_tokens = 10
streaming_share = 1.0

[[faults]]
kind = "outage"
accounts = "claude-1"
start = "{start}s"
duration = "{start}s"

[routing]
deadline = "5s"
attempt_timeout = "500ms"
first_token_timeout = "300ms"
"#,
        start = seconds.div_ceil(3)
    )
}

/// Memory that the process holds, in bytes; `None` where the system does not tell.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4_096)
}

/// Sends so many requests, and returns the memory held after each quarter.
fn soaked(requests: u32, rps: u32) -> Vec<Option<u64>> {
    let quarters = Mutex::new(vec![]);
    let options = LiveOptions {
        pace: 1.0,
        replication: 0,
        jobs: 1,
        chunk: std::time::Duration::from_millis(5),
        dialect: LoadDialect::Anthropic,
        stop: &AtomicBool::new(false),
        progress: &|_, share| {
            let mut quarters = quarters.lock().unwrap();
            if share >= (quarters.len() + 1) as f64 / 4.0 {
                quarters.push(resident());
            }
        },
    };
    let text = rough(requests, rps);
    let parity = live::run(&scenario("soak", &text), &options).expect("it runs");
    let arm = &parity.arms[0];
    println!("{}", routelab::report::parity::render(&parity));
    // As many as the workload has, which the simulation tells.
    assert_eq!(arm.requests, arm.simulated_requests);
    assert!(arm.requests > u64::from(requests) * 9 / 10);
    assert_eq!((arm.sending.dropped, arm.sending.strangers), (0, 0));
    assert_eq!(arm.sending.left_over, 0, "in flight after the end");
    quarters.into_inner().unwrap()
}

#[test]
fn nothing_is_lost() {
    soaked(2_000, 200);
}

/// The growth is what the test itself keeps of every request: its number, account, latency and end.
const KEPT_BYTES: u64 = 400;

#[test]
#[ignore = "takes minutes; the module's documentation says how to run it"]
fn soak() {
    const REQUESTS: u32 = 200_000;
    let quarters = soaked(REQUESTS, 800);
    println!("resident after each quarter: {quarters:?}");
    if let (Some(Some(first)), Some(Some(last))) = (quarters.first(), quarters.last()) {
        let allowed = u64::from(REQUESTS) * KEPT_BYTES + (32 << 20);
        assert!(*last < first + allowed, "{first} to {last} bytes");
    }
}
