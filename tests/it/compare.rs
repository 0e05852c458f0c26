//! `routelab compare`, as a pull request's job sees it: exit codes, table, messages.

use crate::cli::{Run, empty_folder, run};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const SCENARIO: &str = r#"
    question = "Is it worse?"
    expectation = "No."
    duration = "2min"
    replications = 6
    strategies = ["round_robin", "smart"]
    [routing]
    max_attempts = 3
    [models.m]
    service = { first_token = "300ms", per_output_token = { kind = "exponential", mean = "5ms" } }
    [[accounts]]
    id = "a-{n}"
    count = 4
    provider = "anthropic"
    models = ["m"]
    failures = [{ kind = "unavailable", rate = 0.05 }]
    [workload]
    arrivals = "poisson"
    rate = "10rps"
    [[workload.classes]]
    name = "all"
    model = "m"
    input_tokens = 10
    output_tokens = 50
"#;

/// A folder with the results of two versions of a scenario in `old/` and `new/`.
fn versions(change: &[&str]) -> TempDir {
    let folder = empty_folder();
    fs::write(folder.path().join("s.toml"), SCENARIO).unwrap();
    write(folder.path(), "old", &[]);
    write(folder.path(), "new", change);
    folder
}

fn write(folder: &Path, out: &str, change: &[&str]) {
    let args = ["s.toml", "--quiet", "--out", out];
    run(folder, args.into_iter().chain(change.iter().copied())).expect(0);
}

fn compare(folder: &TempDir, more: &[&str]) -> Run {
    let args = ["compare", "old/s", "new/s"];
    run(folder.path(), args.into_iter().chain(more.iter().copied()))
}

#[test]
fn the_same_results_are_identical() {
    let folder = versions(&[]);
    let same = compare(&folder, &[]).expect(0);
    assert!(
        same.stdout.contains("identical: round_robin, smart\n"),
        "{}",
        same.stdout
    );
    assert!(same.stdout.contains("No regression."), "{}", same.stdout);
    assert_eq!(same.stderr, "");
    // The folders above, each with the folder of a scenario in it.
    run(folder.path(), ["compare", "old", "new"]).expect(0);
    let mixed = run(folder.path(), ["compare", "old/s", "new"]).expect(104);
    assert!(
        mixed.stderr.contains("name two of a kind"),
        "{}",
        mixed.stderr
    );
}

#[test]
fn a_regression_exits_with_98_and_says_what_differs() {
    let folder = versions(&["--set", "routing.max_attempts=1"]);
    let worse = compare(&folder, &[]).expect(98);
    assert!(
        worse.stdout.contains("6 pairs of replications"),
        "{}",
        worse.stdout
    );
    assert!(worse.stdout.contains("✗ regression"), "{}", worse.stdout);
    assert!(
        worse.stderr.contains("routing.max_attempts: 3 -> 1"),
        "{}",
        worse.stderr
    );
    for line in worse.stdout.lines() {
        assert!(line.chars().count() <= 110, "{line}");
    }
    compare(&folder, &["--fail-on", "success:-1pp"]).expect(98);
    compare(
        &folder,
        &["--fail-on", "success:-20pp", "--fail-on", "cost:+90%"],
    )
    .expect(0);

    let json = compare(&folder, &["--json", "--strategies", "smart"])
        .expect(98)
        .stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    let strategies = json["scenarios"][0]["strategies"].as_array().unwrap();
    assert_eq!(strategies.len(), 1);
    assert_eq!(strategies[0]["verdicts"][0]["verdict"], "regression");
    let success = &strategies[0]["metrics"]["success_rate"];
    assert!(success["difference"]["mean"].as_f64().unwrap() < -0.03);
    assert!(success["difference"]["ci95"][1].as_f64().unwrap() < 0.0);
    // The other way round it is an improvement.
    let better = run(
        folder.path(),
        ["compare", "new/s", "old/s", "--fail-on", "success:-0pp"],
    );
    assert!(better.expect(0).stdout.contains("✓ better"));
}

#[test]
fn other_worlds_are_refused_with_what_differs() {
    let folder = versions(&["--set", "workload.rate=12rps"]);
    let refused = compare(&folder, &[]).expect(104);
    assert_eq!(refused.stdout, "");
    for words in [
        "s: the results are not of the same scenario",
        "workload.rate: \"10rps\" -> \"12rps\"",
        "--allow-different-scenario",
    ] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    let options = ["--allow-different-scenario", "--fail-on", "p99:+900%"];
    let allowed = compare(&folder, &options).expect(0);
    assert!(allowed.stderr.contains("warning: "), "{}", allowed.stderr);
}

#[test]
fn other_seeds_are_not_paired() {
    let folder = versions(&["--seed", "2", "--replications", "5"]);
    let apart = compare(&folder, &["--fail-on", "p99:+50%"]).expect(0);
    let words = "6 and 5 replications of different seeds, not paired";
    assert!(apart.stdout.contains(words), "{}", apart.stdout);
    assert!(apart.stderr.contains("seeds 1 and 2"), "{}", apart.stderr);
}

#[test]
fn one_replication_cannot_be_judged() {
    let folder = versions(&["--replications", "1", "--set", "routing.max_attempts=1"]);
    let one = compare(&folder, &["--fail-on", "mean:+0%"]).expect(104);
    assert!(
        one.stdout.contains("1 pair of replications"),
        "{}",
        one.stdout
    );
    assert!(one.stderr.contains("nothing was judged"), "{}", one.stderr);
    assert!(
        one.stdout.ends_with("Nothing was judged.\n"),
        "{}",
        one.stdout
    );
    let json = compare(&folder, &["--fail-on", "mean:+0%", "--json"]).expect(104);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["outcome"], "nothing_judged");
    // What came out the same to the last digit is known without knowing of chance.
    let part = compare(&folder, &[]).expect(104);
    assert!(
        part.stdout
            .ends_with("No regression in what was judged; not all was.\n"),
        "{}",
        part.stdout
    );
    assert!(
        part.stderr.contains("not all was judged"),
        "{}",
        part.stderr
    );
    write(folder.path(), "new", &["--replications", "1"]);
    assert!(compare(&folder, &[]).expect(0).stdout.contains("identical"));
}

#[test]
fn where_no_request_succeeds_the_cost_is_lost() {
    let folder = empty_folder();
    fs::write(folder.path().join("s.toml"), SCENARIO).unwrap();
    write(folder.path(), "old", &[]);
    let hopeless = "routing.attempt_timeout=1ms";
    write(folder.path(), "new", &["--set", hopeless]);
    let lost = compare(&folder, &["--fail-on", "cost:+5%"]).expect(98);
    assert!(
        lost.stdout.contains("✗ no longer measurable"),
        "{}",
        lost.stdout
    );
    let back = run(
        folder.path(),
        ["compare", "new/s", "old/s", "--fail-on", "cost:+5%"],
    );
    let back = back.expect(104);
    assert!(
        back.stderr
            .contains("`cost:+5%` can be judged of no strategy"),
        "{}",
        back.stderr
    );
}

#[test]
fn an_interrupted_run_is_compared_as_far_as_it_went() {
    let folder = versions(&["--replications", "3"]);
    // As an interrupted run leaves it.
    let path = folder.path().join("new/s/manifest.json");
    let manifest = fs::read_to_string(&path).unwrap();
    let manifest = manifest
        .replace("\"interrupted\": false", "\"interrupted\": true")
        .replace("\"replications_asked\": 3", "\"replications_asked\": 6");
    fs::write(&path, manifest).unwrap();
    let part = compare(&folder, &[]).expect(0);
    assert!(
        part.stdout.contains("3 pairs of replications"),
        "{}",
        part.stdout
    );
    assert!(
        part.stderr.contains("interrupted after 3 of 6"),
        "{}",
        part.stderr
    );
}

#[test]
fn what_cannot_be_read_is_named_on_both_sides() {
    let folder = versions(&[]);
    let absent = run(folder.path(), ["compare", "before", "after"]).expect(104);
    for side in ["no such folder: before", "no such folder: after"] {
        assert!(absent.stderr.contains(side), "{}", absent.stderr);
    }
    let table = folder.path().join("new/s/replications.csv");
    let whole = fs::read(&table).unwrap();
    fs::write(&table, &whole[..whole.len() - 9]).unwrap();
    let torn = compare(&folder, &[]).expect(104);
    assert!(torn.stderr.contains("is torn"), "{}", torn.stderr);
    let strategy = compare(&folder, &["--strategies", "smrt"]).expect(104);
    assert_eq!(strategy.stdout, "");
    fs::write(&table, &whole).unwrap();
    let strategy = compare(&folder, &["--strategies", "smrt"]).expect(104);
    assert!(
        strategy.stderr.contains("both have round_robin, smart"),
        "{}",
        strategy.stderr
    );
}

#[test]
fn wrong_rules_are_pointed_at() {
    let folder = empty_folder();
    for (rule, words) in [
        ("p98:+5%", "did you mean `p9"),
        ("success:+1pp", "write `-`"),
        ("p99:+5", "the unit is missing"),
    ] {
        let wrong = run(folder.path(), ["compare", "a", "b", "--fail-on", rule]).expect(2);
        assert!(wrong.stderr.contains(words), "{}", wrong.stderr);
        assert!(
            wrong.stderr.contains("    ^") || wrong.stderr.contains(" ^"),
            "{}",
            wrong.stderr
        );
    }
}

#[test]
fn what_has_vanished_is_no_pass() {
    let folder = versions(&["--strategies", "smart"]);
    let gone = compare(&folder, &[]).expect(104);
    for words in [
        "error: s: round_robin is only in the old result",
        "--allow-missing",
    ] {
        assert!(gone.stderr.contains(words), "{words}\n{}", gone.stderr);
    }
    assert!(
        gone.stdout.contains("No regression in what was judged"),
        "{}",
        gone.stdout
    );
    let json = compare(&folder, &["--json"]).expect(104).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["outcome"], "incomplete");
    assert_eq!(json["scenarios"][0]["only_old"][0], "round_robin");
    // Whoever took it away on purpose says so, or asks for the others.
    let allowed = compare(&folder, &["--allow-missing"]).expect(0);
    assert!(
        allowed.stdout.contains("No regression.\n"),
        "{}",
        allowed.stdout
    );
    let other = compare(&folder, &["--strategies", "smart"]).expect(0);
    assert!(
        other.stdout.contains("identical: smart"),
        "{}",
        other.stdout
    );
    let asked = compare(&folder, &["--strategies", "smart,round_robin"]).expect(104);
    assert!(
        asked.stderr.contains("both have smart\n"),
        "{}",
        asked.stderr
    );
    // A new strategy has nothing that it could be worse than.
    run(folder.path(), ["compare", "new/s", "old/s"]).expect(0);
}

#[test]
fn a_scenario_that_has_vanished_is_no_pass() {
    let folder = versions(&[]);
    let path = folder.path();
    fs::copy(path.join("s.toml"), path.join("t.toml")).unwrap();
    run(path, ["t.toml", "--quiet", "--out", "old"]).expect(0);
    let gone = run(path, ["compare", "old", "new"]).expect(104);
    assert!(
        gone.stderr.contains("error: t is only in old"),
        "{}",
        gone.stderr
    );
    assert!(
        gone.stdout.contains("No regression in what was judged"),
        "{}",
        gone.stdout
    );
    let json = run(path, ["compare", "old", "new", "--json"])
        .expect(104)
        .stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["only_old"][0], "t");
    run(path, ["compare", "old", "new", "--allow-missing"]).expect(0);
    let more = run(path, ["compare", "new", "old"]).expect(0);
    assert!(
        more.stderr.contains("note: t is only in old"),
        "{}",
        more.stderr
    );
    // A regression that was found is told before what could not be looked at.
    write(path, "new", &["--set", "routing.max_attempts=1"]);
    let both = run(path, ["compare", "old", "new"]).expect(98);
    assert!(
        both.stderr.contains("error: t is only in old"),
        "{}",
        both.stderr
    );
    // A strategy that one scenario alone has lost, and that was asked for.
    run(
        path,
        [
            "t.toml",
            "--quiet",
            "--out",
            "new",
            "--strategies",
            "round_robin",
        ],
    )
    .expect(0);
    write(path, "new", &[]);
    let lost = run(path, ["compare", "old", "new", "--strategies", "smart"]).expect(104);
    assert!(
        lost.stderr.contains("t: smart is only in the old"),
        "{}",
        lost.stderr
    );
}

#[test]
fn a_rule_that_applies_nowhere_is_refused() {
    let folder = versions(&[]);
    // Nothing is looked up in a cache here.
    let rules = ["--fail-on", "p99:+5%", "--fail-on", "cache_hit_rate:-1pp"];
    let refused = compare(&folder, &rules).expect(104);
    assert_eq!(refused.stdout, "");
    for words in [
        "error: `cache_hit_rate:-1pp` can be judged of no strategy: the old results have no",
        "help: they have success_rate, goodput_rps",
    ] {
        assert!(
            refused.stderr.contains(words),
            "{words}\n{}",
            refused.stderr
        );
    }
    let help = refused.stderr.split("help:").nth(1).unwrap();
    assert!(!help.contains("cache_hit_rate"), "{help}");
}
