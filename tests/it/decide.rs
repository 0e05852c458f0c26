//! `routelab decide`: what is measured on a machine is told, judged and marked as such.

use crate::cli::{empty_folder, run};
use crate::support::files;
use serde_json::Value;
use std::fs;
use std::path::Path;

const QUICK: [&str; 6] = [
    "decide",
    "--quick",
    "--quiet",
    "--out",
    "out",
    "--strategies",
];

fn args<'a>(more: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    QUICK.into_iter().chain(more.iter().copied())
}

#[test]
fn a_measurement_has_a_verdict_in_every_cell() {
    let folder = empty_folder();
    let said = run(folder.path(), args(&["smart,round_robin", "--rounds", "6"])).expect(0);
    assert!(said.stdout.contains("out/decision"), "{}", said.stdout);
    for words in ["P99 below 1 ms", "The slowest is ", "for reading the timer"] {
        let text = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "{}", said.stdout);
    }
    let out = folder.path().join("out/decision");
    let written: Vec<_> = files(&out).into_keys().collect();
    let expected = [
        "README.md",
        "charts/decision.svg",
        "decision.csv",
        "environment.json",
        "manifest.json",
    ];
    assert_eq!(written, expected.map(|name| Path::new(name).to_owned()));
    let table = fs::read_to_string(out.join("decision.csv")).unwrap();
    // Two strategies, two pools, one thread and two.
    assert_eq!(table.lines().count(), 1 + 8);
    for line in table.lines().skip(1) {
        let verdict = line.rsplit(',').next().unwrap();
        assert!(
            ["confirmed", "refuted", "undecided"].contains(&verdict),
            "{line}"
        );
        assert!(line.contains(",6,60000,"), "{line}");
    }
    let manifest = fs::read(out.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["volatile"], true);
    // It is no result of a scenario.
    let refused = run(folder.path(), ["compare", "out/decision", "out/decision"]).expect(104);
    assert!(
        refused.stderr.contains("does not hold the replications"),
        "{}",
        refused.stderr
    );
    let none = run(folder.path(), ["compare", "out", "out"]).expect(104);
    assert!(none.stderr.contains("holds no results"), "{}", none.stderr);
}

#[test]
fn too_few_rounds_decide_nothing() {
    let folder = empty_folder();
    let few = run(folder.path(), args(&["random", "--rounds", "2", "--json"])).expect(0);
    let json: Value = serde_json::from_str(&few.stdout).unwrap();
    assert_eq!(json["verdict"], "undecided");
    assert_eq!(json["cells"][0]["p99_ci95_ns"], Value::Null);
    assert!(json["cells"][0]["p99_ns"].as_f64().unwrap() > 0.0);
}

#[test]
fn wrong_usage_is_told() {
    let folder = empty_folder();
    let wrong = run(folder.path(), args(&["smrt"])).expect(2);
    assert!(
        wrong.stderr.contains("known: round_robin"),
        "{}",
        wrong.stderr
    );
    run(folder.path(), args(&["smart", "--rounds", "0"])).expect(2);
    // A folder of somebody else's is not replaced, and that is said before anything is measured.
    fs::create_dir_all(folder.path().join("out/decision")).unwrap();
    fs::write(folder.path().join("out/decision/thesis.txt"), "").unwrap();
    let foreign = run(folder.path(), args(&["smart"])).expect(1);
    assert!(
        foreign.stderr.contains("no manifest.json"),
        "{}",
        foreign.stderr
    );
}
