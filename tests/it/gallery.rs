//! `routelab gallery`: what is committed below `results/` can be made again, and can be browsed.

use crate::cli::{empty_folder, run};
use crate::support::files;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const SCENARIO: &str = r#"
    question = "Who notices the outage?"
    expectation = "Nobody with a breaker."
    duration = "5min"
    replications = 2
    strategies = ["round_robin", "random"]
    [models.m]
    service = { first_token = "300ms", per_output_token = { kind = "exponential", mean = "5ms" } }
    [[accounts]]
    id = "a-{n}"
    count = 2
    provider = "anthropic"
    models = ["m"]
    [[accounts]]
    id = "g-{n}"
    count = 2
    provider = "google"
    models = ["m"]
    [workload]
    arrivals = "poisson"
    rate = "10rps"
    [[workload.classes]]
    name = "all"
    model = "m"
    input_tokens = 10
    output_tokens = 50
"#;

const MORE: &str = r#"
    [[faults]]
    kind = "outage"
    provider = "google"
    start = "1min"
    duration = "30s"
    failure = "unavailable"
    [[claims]]
    metric = "success_rate"
    strategy = "random"
    baseline = "round_robin"
    relation = "no_worse"
    amount = "50 points"
    [gallery]
    charts = ["timeline", "breakers"]
    sweep = ["routing.breaker.open_time=10s,60s"]
"#;

/// A folder with three scenarios: one with a fault and a sweep, one calm, one that replays a trace.
fn folder() -> TempDir {
    let folder = empty_folder();
    let scenarios = folder.path().join("scenarios");
    fs::create_dir(&scenarios).unwrap();
    let file = |name: &str, text: &str| fs::write(scenarios.join(name), text).unwrap();
    file("faulty.toml", &format!("{SCENARIO}{MORE}"));
    file("calm.toml", SCENARIO);
    let traced = "question = \"What of real traffic?\"\n[workload]\narrivals = \"trace\"\n";
    file("traced.toml", traced);
    folder
}

fn made(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = files(&folder.join("results"));
    files.retain(|file, _| !file.starts_with("faulty-sweep.cells"));
    files
}

/// Targets of the links and images of a page.
fn targets(page: &str) -> Vec<String> {
    let after = page.split("](").skip(1);
    after
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

#[test]
fn the_page_tells_of_every_scenario_and_its_links_lead_somewhere() {
    let folder = folder();
    let done = run(folder.path(), ["gallery"]).expect(0);
    assert_eq!(done.stdout.trim_end(), "results/README.md");
    let results = folder.path().join("results");
    let page = fs::read_to_string(results.join("README.md")).unwrap();
    for text in [
        "## calm",
        "## faulty",
        "Who notices the outage?",
        "Nobody with a breaker.",
        "| none stated |",
        "| 1 of 1 undecided |",
        "- ? success_rate of random is no worse than of round_robin by 50 points: UNDECIDED",
        "| round_robin |",
        "faulty/charts/timeline.svg",
        "faulty/charts/breakers.svg",
        "calm/charts/comparison.svg",
        "During the outage of provider google (30 s long, from 1 min)",
        "what if `routing.breaker.open_time` were different?",
        "| round_robin | 60s, the scenario's own |",
        "- `scenarios/traced.toml`: What of real traffic?",
    ] {
        assert!(page.contains(text), "{text}\n{page}");
    }
    assert!(!page.contains("faulty/charts/lane_share.svg"));
    assert!(results.join("faulty/claims.csv").exists());
    let inside = targets(&page)
        .into_iter()
        .filter(|target| !target.starts_with('#'));
    let inside: Vec<String> = inside
        .filter(|target| !target.starts_with("../docs/"))
        .collect();
    assert!(inside.len() > 8);
    for target in inside {
        assert!(results.join(&target).exists(), "{target}");
    }
}

#[test]
fn every_file_comes_out_the_same_and_is_small() {
    let (one, four) = (folder(), folder());
    run(one.path(), ["gallery", "--jobs", "1"]).expect(0);
    run(four.path(), ["gallery", "--jobs", "4"]).expect(0);
    let (first, second) = (made(one.path()), made(four.path()));
    assert!(first.keys().eq(second.keys()) && first.len() > 40);
    for (file, bytes) in &first {
        assert!(*bytes == second[file], "{} differs", file.display());
        let name = file.to_string_lossy();
        assert!(
            !name.ends_with("environment.json") && !name.contains("partial"),
            "{name}"
        );
        assert!(bytes.len() <= 256 << 10 || name.ends_with(".svg"), "{name}");
    }
    // 5 minutes in windows of 1 s by themselves.
    let timeline = String::from_utf8(first[Path::new("calm/timeline.csv")].clone()).unwrap();
    let windows = timeline
        .lines()
        .filter(|line| line.starts_with("random,"))
        .count();
    assert!((50..=121).contains(&windows), "{windows}");

    // Over itself, and beside results of the user's own.
    let mine = one.path().join("results/mine/summary.csv");
    fs::create_dir(mine.parent().unwrap()).unwrap();
    fs::write(&mine, "mine").unwrap();
    run(one.path(), ["gallery", "--quiet"]).expect(0);
    assert_eq!(fs::read(&mine).unwrap(), b"mine");
    let mut again = made(one.path());
    again.remove(Path::new("mine/summary.csv"));
    assert!(again == first);
}

#[test]
fn a_broken_scenario_or_sweep_leaves_no_page() {
    let folder = folder();
    let broken = folder.path().join("scenarios/broken.toml");
    fs::write(&broken, SCENARIO.replace("\"poisson\"", "\"poison\"")).unwrap();
    let refused = run(folder.path(), ["gallery"]).expect(104);
    assert!(refused.stderr.contains("broken.toml"), "{}", refused.stderr);
    assert!(!folder.path().join("results").exists());
    let sweep = "[gallery]\nsweep = [\"routing.breaker.opn_time=1s,2s\"]\n";
    fs::write(&broken, format!("{SCENARIO}{sweep}")).unwrap();
    let refused = run(folder.path(), ["gallery"]).expect(104);
    assert!(
        refused.stderr.contains("did you mean `open_time`"),
        "{}",
        refused.stderr
    );
    assert!(!folder.path().join("results").exists());
    run(folder.path(), ["gallery", "no-such-folder"]).expect(104);
}
