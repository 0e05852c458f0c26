//! `routelab ablate`: whose gain it is, on a scenario where that is known beforehand.

use crate::cli::{empty_folder, run, shipped};
use crate::support::files;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// One of two alike accounts fails half of the time and says so at once; there are requests that
/// repeat. With one model, no preferences and priority normal, smart picks as adaptive does.
const SCENARIO: &str = r#"
    question = "Whose gain is it?"
    expectation = "The retries'."
    duration = "5min"
    replications = 4
    strategies = [
        "round_robin",
        "smart",
        { name = "kept", strategy = "smart", cache = { ttl = "1min" } },
        { name = "naive", strategy = "round_robin", breaker = false, max_attempts = 1 },
    ]
    [models.m]
    service = { first_token = "300ms", per_output_token = { kind = "exponential", mean = "5ms" } }
    [[accounts]]
    id = "a-{n}"
    count = 3
    provider = "anthropic"
    models = ["m"]
    failures = [{ kind = "unavailable", rate = 0.1 }]
    [workload]
    arrivals = "poisson"
    rate = "10rps"
    [[workload.classes]]
    name = "all"
    model = "m"
    input_tokens = 10
    output_tokens = 50
    repeats = { share = 0.5, keys = 100, exponent = 0.9 }
"#;

fn folder() -> TempDir {
    let folder = empty_folder();
    fs::write(folder.path().join("s.toml"), SCENARIO).unwrap();
    folder
}

const RUN: [&str; 5] = ["ablate", "s.toml", "--quiet", "--out", "out"];

fn args<'a>(more: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    RUN.into_iter().chain(more.iter().copied())
}

#[test]
fn gains_go_to_their_owners_and_add_up() {
    let folder = folder();
    let json = run(folder.path(), args(&["--json"])).expect(0).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["strategy"], "kept");
    let gains = |metric: &str| -> Vec<(String, f64)> {
        let gains = json["metrics"][metric]["gains"].as_array().unwrap().iter();
        gains
            .map(|gain| {
                let factor = gain["factor"].as_str().unwrap().to_owned();
                (factor, gain["gain"]["mean"].as_f64().unwrap())
            })
            .collect()
    };
    for metric in [
        "success_rate",
        "latency_all_mean_s",
        "cost_per_1k_successes_usd",
    ] {
        let gains = gains(metric);
        let names: Vec<&str> = gains.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["strategy", "breaker", "retries", "cache", "all"]);
        let sum: f64 = gains[..4].iter().map(|(_, gain)| gain).sum();
        // To the six digits that are written.
        assert!(
            (sum - gains[4].1).abs() <= 1e-5 * gains[4].1.abs().max(1.0),
            "{gains:?}"
        );
    }
    // One attempt of ten fails: retries mend nearly all of it, and the cache half of what is left.
    let success = gains("success_rate");
    assert!(success[2].1 > 0.05, "{success:?}");
    assert!(success[3].1 > 0.01, "{success:?}");
    let latency = gains("latency_all_mean_s");
    assert!(latency[3].1 < 0.0, "{latency:?}");
}

#[test]
fn files_come_out_the_same_for_any_number_of_threads() {
    let folder = folder();
    let out = folder.path().join("out/s-ablation");
    run(folder.path(), args(&["--strategy", "naive"])).expect(104);
    assert!(!out.exists());
    let shown = run(folder.path(), args(&["--jobs", "1"])).expect(0);
    assert!(
        shown.stdout.ends_with("out/s-ablation\n"),
        "{}",
        shown.stdout
    );
    for line in shown.stdout.lines() {
        assert!(line.chars().count() <= 110, "{line}");
    }
    let first = files(&out);
    let names: Vec<_> = first.keys().map(PathBuf::as_path).collect();
    let expected = [
        "ablation.csv",
        "cells.csv",
        "charts/ablation.svg",
        "manifest.json",
    ];
    assert_eq!(names, expected.map(Path::new));
    run(folder.path(), args(&["--jobs", "3"])).expect(0);
    assert!(files(&out) == first);
    let cells = fs::read_to_string(out.join("cells.csv")).unwrap();
    assert_eq!(cells.lines().count(), 1 + 16 * 4);
    // It is no result of a scenario.
    let refused = run(
        folder.path(),
        ["compare", "out/s-ablation", "out/s-ablation"],
    );
    refused.expect(104);
}

#[test]
fn any_strategy_can_be_asked_for() {
    let folder = folder();
    // Listed with its own settings, not listed at all, and round robin itself.
    for (strategy, cells) in [("smart", 16), ("random", 8), ("round_robin", 4)] {
        run(
            folder.path(),
            args(&["--strategy", strategy, "--replications", "2"]),
        )
        .expect(0);
        let path = folder.path().join("out/s-ablation/cells.csv");
        let rows = fs::read_to_string(path).unwrap().lines().count() - 1;
        assert_eq!(rows, cells * 2, "{strategy}");
    }
}

#[test]
fn round_robin_is_not_said_to_beat_itself() {
    let folder = folder();
    let few = ["--strategy", "round_robin", "--replications", "3"];
    let own = run(folder.path(), args(&few)).expect(0);
    let text = on_one_line(&own.stdout);
    assert!(
        text.contains(
            "s: round_robin with breaker and retries against itself without, so that no gain is \
             the strategy's; 4 combinations"
        ),
        "{text}"
    );
    assert!(!text.contains("plain round robin"), "{text}");
    let chart = folder.path().join("out/s-ablation/charts/ablation.svg");
    let chart = fs::read_to_string(chart).unwrap();
    assert!(chart.contains("against itself without"), "{chart}");
    // Many intervals side by side: a reader has to know which level they have.
    let smart = run(folder.path(), args(&["--strategy", "smart"])).expect(0);
    let text = on_one_line(&smart.stdout);
    for words in [
        "kept with breaker, retries and cache against round robin without; 16 combinations",
        "Each interval holds with 95 % by itself, not all of them together",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_cannot_be_divided_says_why() {
    let folder = folder();
    let naive = run(folder.path(), args(&["--strategy", "naive"])).expect(104);
    assert!(
        naive.stderr.contains("there is no gain to divide"),
        "{}",
        naive.stderr
    );
    let typo = run(folder.path(), args(&["--strategy", "smrt"])).expect(104);
    assert!(
        typo.stderr
            .contains("it has round_robin, smart, kept, naive"),
        "{}",
        typo.stderr
    );
    let both = run(folder.path(), args(&["--strategies", "smart"])).expect(2);
    assert!(both.stderr.contains("--strategy NAME"), "{}", both.stderr);
    let one = run(folder.path(), args(&["--replications", "1"])).expect(0);
    assert!(
        on_one_line(&one.stdout).contains("one replication, so chance may"),
        "{}",
        one.stdout
    );
    // Nobody ever answers in time: there is no success whose cost could be stated.
    let never = [
        "--set",
        "routing.attempt_timeout=1ms",
        "--strategy",
        "smart",
    ];
    let never = run(folder.path(), args(&never)).expect(0);
    assert!(
        on_one_line(&never.stdout).contains("no success in some replication"),
        "{}",
        never.stdout
    );
}

#[test]
fn shipped_scenarios_are_answered() {
    let folder = empty_folder();
    for (name, factors) in [("outage", 3), ("fast-errors", 3), ("cache-heavy", 4)] {
        let scenario = shipped(name);
        let short = ["--replications", "2", "--set", "warmup=0s"];
        let args = ["ablate", &scenario, "--quiet", "--out", "out"];
        let args = args.into_iter().chain(short);
        let shown = run(folder.path(), args).expect(0);
        let conclusions = shown
            .stdout
            .lines()
            .filter(|line| line.starts_with("Success rate: "));
        assert_eq!(conclusions.count(), 1, "{}", shown.stdout);
        let path = folder
            .path()
            .join(format!("out/{name}-ablation/ablation.csv"));
        let rows = fs::read_to_string(path).unwrap().lines().count();
        assert_eq!(rows, 1 + 4 * (factors + 1), "{name}");
    }
}
