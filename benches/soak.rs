//! 200,000 requests over sockets, with everything that can go wrong at once: every request has one
//! end, nothing is left in flight anywhere, and memory does not grow.
//!
//! `cargo bench --features live --bench soak` takes four minutes. It is no test, because tests do
//! not take minutes; a short one of the same is `tests/it/soak.rs`.

use routelab::experiment::live::{self, LiveOptions};
use routelab::experiment::scenario::{self, Overrides};
use routelab::live::load::LoadDialect;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

/// What is kept of every request until the end, to be compared with the simulation: its number,
/// latency, account and end, in ordered maps.
const KEPT_BYTES: u64 = 400;

/// What may be held besides.
const BESIDES_BYTES: u64 = 32 << 20;

/// Memory that the process holds, in bytes; `None` where the system does not tell.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4_096)
}

fn main() {
    let text = include_str!("../tests/it/soak/rough.toml");
    let text = text.replace("RATE", "800rps").replace("SECONDS", "250s");
    let text = text.replace("THIRD", "80s");
    let scenario = scenario::parse("soak.toml", &text, Path::new(""), &Overrides::default());
    let scenario = scenario.unwrap_or_else(|found| panic!("{found}")).scenario;
    let quarters = Mutex::new(vec![]);
    let options = LiveOptions {
        pace: 1.0,
        replication: 0,
        jobs: 1,
        chunk: std::time::Duration::from_millis(10),
        dialect: LoadDialect::Anthropic,
        stop: &AtomicBool::new(false),
        progress: &|_, share| {
            let mut quarters = quarters.lock().unwrap_or_else(PoisonError::into_inner);
            if share >= (quarters.len() + 1) as f64 / 4.0 {
                quarters.push(resident());
            }
        },
    };
    let parity = live::run(&scenario, &options).unwrap_or_else(|error| panic!("{error}"));
    println!("{}", routelab::report::parity::render(&parity));
    let arm = &parity.arms[0];
    assert_eq!(
        arm.requests, arm.simulated_requests,
        "lost, or counted twice"
    );
    assert_eq!((arm.sending.dropped, arm.sending.strangers), (0, 0));
    assert_eq!(arm.sending.left_over, 0, "in flight after the end");
    let quarters = quarters
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    println!("resident bytes after each quarter: {quarters:?}");
    if let (Some(Some(first)), Some(Some(last))) = (quarters.first(), quarters.last()) {
        let allowed = first + arm.requests * KEPT_BYTES + BESIDES_BYTES;
        assert!(*last < allowed, "memory grew from {first} to {last} bytes");
    }
    println!(
        "{} requests, each with one end; nothing left over",
        arm.requests
    );
}
