//! Simulated against measured, on small scenarios at a high pace. What depends on the machine's
//! speed is not asserted; what must be the same in both worlds at any speed is.

use crate::cli::{empty_folder, run};
use crate::support::scenario;
use routelab::experiment::live::{self, LiveError, LiveOptions};
use routelab::experiment::metric::Metric;
use routelab::experiment::parity::{Parity, Quantity, Row};
use routelab::live::load::LoadDialect;
use serde_json::Value;
use std::fs;
use std::sync::atomic::AtomicBool;

const POOL: &str = r#"
question = "Are both worlds one?"
expectation = "They are."
duration = "40s"
warmup = "5s"
replications = 1
strategies = ["round_robin", "smart"]

[models.m]
service = { first_token = "200ms", per_output_token = "2ms" }
context_window = 100000
prices = { input = "$3/Mtok", output = "$15/Mtok" }

[[accounts]]
id = "claude-{n}"
count = 2
provider = "anthropic"
models = ["m"]
max_in_flight = 100

[[accounts]]
id = "gemini"
provider = "google"
models = ["m"]
max_in_flight = 100

[workload]
arrivals = "poisson"
rate = "10rps"
[[workload.classes]]
name = "whole"
model = "m"
input_tokens = 40
output_tokens = 25
[[workload.classes]]
name = "streamed"
model = "m"
input_tokens = 40
output_tokens = 25
streaming_share = 1.0

# 15 s of real time: a machine that stalls lets nobody fail.
[routing]
deadline = "5min"
"#;

fn measured(text: &str, dialect: LoadDialect) -> Result<Parity, LiveError> {
    let options = LiveOptions {
        pace: 20.0,
        replication: 0,
        jobs: 2,
        chunk: std::time::Duration::from_millis(50),
        dialect,
        stop: &AtomicBool::new(false),
        progress: &|_, _| {},
    };
    live::run(&scenario("parity", text), &options)
}

fn row(parity: &Parity, arm: usize, metric: Metric) -> Row {
    let wanted = Quantity::Metric(metric);
    let mut rows = parity.arms[arm].rows.iter();
    *rows
        .find(|row| row.quantity == wanted)
        .expect("it is there")
}

#[test]
fn every_request_is_in_both_worlds_and_costs_the_same() {
    for dialect in [LoadDialect::Anthropic, LoadDialect::OpenAi] {
        let parity = measured(POOL, dialect).expect("it runs");
        assert_eq!(parity.arms.len(), 2);
        for (at, arm) in parity.arms.iter().enumerate() {
            assert!(arm.requests > 250, "{arm:?}");
            assert_eq!(arm.same_outcome, arm.requests);
            assert_eq!((arm.sending.dropped, arm.sending.strangers), (0, 0));
            for metric in [Metric::SuccessRate, Metric::CostPer1kSuccesses] {
                let row = row(&parity, at, metric);
                assert_eq!(row.simulated, row.measured, "{metric:?}");
            }
            let share = |row: &Row| matches!(row.quantity, Quantity::Share(_));
            let shares = arm.rows.iter().filter(|row| share(row));
            let sum: f64 = shares.map(|row| row.measured).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        }
        // The turn depends on the order of arrivals only, which a stall can turn around.
        let turns = &parity.arms[0];
        assert!(turns.same_account * 10 > turns.requests * 5, "{turns:?}");
    }
}

#[test]
fn a_fault_opens_breakers_in_both_worlds() {
    let faults = "[[faults]]\nkind = \"fast_errors\"\naccounts = \"gemini\"\nrate = 1.0\n\
                  start = \"10s\"\nduration = \"30s\"\n";
    let parity = measured(&format!("{POOL}\n{faults}"), LoadDialect::Anthropic).expect("it runs");
    for arm in 0..2 {
        let row = row(&parity, arm, Metric::BreakerOpenings);
        assert!(row.simulated >= 1.0 && row.measured >= 1.0, "{row:?}");
    }
}

/// Accounts that are taken out by their owner get nothing in either world.
#[test]
fn what_the_owner_changes_is_told_to_the_proxy() {
    let absent = "[[faults]]\nkind = \"account_removed\"\naccounts = \"gemini\"\nstart = \"0s\"\n\
                  duration = \"40s\"\n";
    let parity = measured(&format!("{POOL}\n{absent}"), LoadDialect::Anthropic).expect("it runs");
    for arm in &parity.arms {
        let gemini = arm.rows.last().expect("rows");
        assert_eq!(
            (gemini.simulated, gemini.measured),
            (0.0, 0.0),
            "{gemini:?}"
        );
        assert_eq!(arm.same_outcome, arm.requests);
    }
}

#[test]
fn what_cannot_be_laid_side_by_side_is_refused() {
    let users = POOL.replace(
        "arrivals = \"poisson\"\nrate = \"10rps\"",
        "arrivals = \"closed_loop\"\nusers = 5\nthink_time = \"1s\"",
    );
    let refused = measured(&users, LoadDialect::Anthropic).unwrap_err();
    assert!(matches!(refused, LiveError::ClosedLoop), "{refused}");
    let custom = POOL.replace("provider = \"google\"", "provider = \"custom\"");
    let refused = measured(&custom, LoadDialect::Anthropic)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("account \"gemini\" cannot be emulated"),
        "{refused}"
    );
}

#[test]
fn the_command_writes_what_it_shows() {
    let folder = empty_folder();
    fs::write(folder.path().join("pool.toml"), POOL).unwrap();
    let args = [
        "live",
        "pool.toml",
        "--pace",
        "20",
        "--strategies",
        "round_robin",
        "--json",
    ];
    let done = run(folder.path(), args).expect(0);
    let told: Value = serde_json::from_str(&done.stdout).expect("JSON");
    let rows = told["strategies"][0]["rows"].as_array().expect("rows");
    let live = folder.path().join("results/pool/live");
    let csv = fs::read_to_string(live.join("parity.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + rows.len());
    let latency = fs::read_to_string(live.join("latency.csv")).unwrap();
    assert_eq!(latency.lines().count(), 1 + 999);
    for name in [
        "README.md",
        "manifest.json",
        "environment.json",
        "charts/latency.svg",
    ] {
        assert!(live.join(name).is_file(), "{name}");
    }
    let chart = fs::read_to_string(live.join("charts/parity.svg")).unwrap();
    assert!(
        chart.contains("share of gemini") && !chart.contains("NaN"),
        "{chart}"
    );
    // Results of the simulation around it leave it alone.
    run(folder.path(), ["pool.toml", "--quiet"]).expect(0);
    assert!(live.join("parity.csv").is_file());
}

#[test]
fn what_is_asked_wrongly_is_said() {
    let folder = empty_folder();
    fs::write(folder.path().join("pool.toml"), POOL).unwrap();
    for (args, code, says) in [
        (
            &["live", "pool.toml", "--replication", "1"][..],
            2,
            "there is no replication 1",
        ),
        (&["live", "pool.toml", "--pace", "0"], 2, "0.000001"),
        (
            &["live", "pool.toml", "--dialect", "gemini"],
            2,
            "known are anthropic, openai",
        ),
        (&["live", "other.toml"], 104, "no such file"),
        (
            &["throughput", "pool.toml"],
            104,
            "has no section [throughput]",
        ),
    ] {
        let done = run(folder.path(), args.iter().copied()).expect(code);
        assert!(done.stderr.contains(says), "{says}\n{}", done.stderr);
    }
}

#[test]
fn throughput_is_measured_by_the_programs_themselves() {
    let folder = empty_folder();
    let section = "[throughput]\nclaimed = \"40rps\"\nrates = [\"20rps\"]\nrounds = 1\n\
                   round = \"1s\"\n";
    let text = POOL.replace("warmup = \"5s\"", "warmup = \"100ms\"");
    fs::write(
        folder.path().join("pool.toml"),
        format!("{text}\n{section}"),
    )
    .unwrap();
    let done = run(
        folder.path(),
        ["throughput", "pool.toml", "--no-search", "-q"],
    )
    .expect(0);
    assert!(
        done.stdout.contains("UNDECIDED: 1 rounds are too few"),
        "{}",
        done.stdout
    );
    let live = folder.path().join("results/pool/live");
    let csv = fs::read_to_string(live.join("throughput.csv")).unwrap();
    // Two rates, the claimed one added, and two ways.
    assert_eq!(csv.lines().count(), 1 + 2 * 2, "{csv}");
    for line in csv.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells[3], cells[4], "all answered: {line}");
        assert_eq!(cells[5], "0", "none dropped: {line}");
    }
    assert!(live.join("charts/throughput.svg").is_file());
}
