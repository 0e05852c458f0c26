//! `routelab sweep` as its user sees it: the grid, what it refuses, and that no cell is run twice
//! or torn.

use crate::cli::{empty_folder, routelab, run};
use crate::support::files;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Quickly simulated; half of the accounts fail for a while, so that breakers matter.
const SCENARIO: &str = r#"
    question = "What does the open time cost?"
    expectation = "Something."
    duration = "60s"
    replications = 3
    strategies = ["round_robin", "random", "smart"]
    [models.m]
    prices = { input = "$1/Mtok", output = "$10/Mtok" }
    service = { first_token = "300ms", per_output_token = { kind = "exponential", mean = "5ms" } }
    [[accounts]]
    id = "a-{n}"
    count = 4
    provider = "anthropic"
    models = ["m"]
    [[accounts]]
    id = "g-{n}"
    count = 4
    provider = "google"
    models = ["m"]
    [workload]
    arrivals = "poisson"
    rate = "20rps"
    [[workload.classes]]
    name = "all"
    model = "m"
    input_tokens = 10
    output_tokens = 50
    [[faults]]
    kind = "outage"
    provider = "google"
    start = "20s"
    duration = "15s"
    failure = "unavailable"
    [routing]
    deadline = "5s"
"#;

const VARY: [&str; 4] = [
    "--vary",
    "routing.breaker.open_time=5s,10s,30s",
    "--vary",
    "workload.rate=20rps,40rps",
];

/// A folder with the scenario in it.
fn folder() -> TempDir {
    let folder = empty_folder();
    fs::write(folder.path().join("s.toml"), SCENARIO).unwrap();
    folder
}

fn args<'a>(more: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    ["sweep", "s.toml"]
        .into_iter()
        .chain(VARY)
        .chain(more.iter().copied())
}

/// The files of the sweep itself, without the cells kept.
fn written(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(&folder.join("results/s-sweep"))
}

fn cells(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(&folder.join("results/s-sweep.cells"))
}

fn assert_same(one: &BTreeMap<PathBuf, Vec<u8>>, other: &BTreeMap<PathBuf, Vec<u8>>) {
    assert!(
        one.keys().eq(other.keys()) && one.len() > 5,
        "{:?}",
        one.keys()
    );
    for (file, bytes) in one {
        assert!(*bytes == other[file], "{} differs", file.display());
    }
}

/// The rows of a CSV file as maps from column to cell.
fn rows(bytes: &[u8]) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_reader(bytes)
        .deserialize()
        .map(|row| row.expect("a row"))
        .collect()
}

/// The oracle is the main job, told the values of a cell with `--set`.
#[test]
fn a_cell_is_the_main_job_with_its_values() {
    let folder = folder();
    let swept = run(folder.path(), args(&[])).expect(0);
    assert_eq!(swept.stdout.lines().last(), Some("results/s-sweep"));
    let sweep = rows(&written(folder.path())[Path::new("sweep.csv")]);
    let set = [
        "--set",
        "routing.breaker.open_time=30s",
        "--set",
        "workload.rate=40rps",
    ];
    run(folder.path(), set.into_iter().chain(["s.toml"])).expect(0);
    let single = files(&folder.path().join("results/s"));
    let mut compared = 0;
    for strategy in rows(&single[Path::new("summary.csv")]) {
        for row in sweep.iter().filter(|row| {
            row["routing.breaker.open_time"] == "30s"
                && row["workload.rate"] == "40rps"
                && row["strategy"] == strategy["strategy"]
        }) {
            let metric = &row["metric"];
            assert_eq!(row["cell"], "5");
            assert_eq!(row["mean"], strategy[metric], "{metric}");
            let low = format!("{metric}_ci95_low");
            assert_eq!(row["mean_ci95_low"], strategy[&low], "{metric}");
            compared += 1;
        }
    }
    assert!(compared > 90, "{compared}");
    let faults = rows(&written(folder.path())[Path::new("faults.csv")]);
    for strategy in rows(&single[Path::new("faults.csv")]) {
        let same = |row: &&BTreeMap<String, String>| {
            row["cell"] == "5" && row["strategy"] == strategy["strategy"]
        };
        let row = faults.iter().find(same).expect("a row");
        for time in ["time_to_detect", "time_to_mitigate", "time_to_restore"] {
            let column = format!("{time}_median_s");
            assert_eq!(row[&column], strategy[&column]);
        }
    }
}

/// Common random numbers: the open time changes nothing for a strategy without a breaker.
#[test]
fn cells_see_the_same_world() {
    let folder = folder();
    let naive = "strategies=[{ name = \"naive\", strategy = \"random\", breaker = false }]";
    run(folder.path(), args(&["--set", naive])).expect(0);
    let sweep = rows(&written(folder.path())[Path::new("sweep.csv")]);
    let mut same = 0;
    for row in sweep.iter().filter(|row| row["workload.rate"] == "20rps") {
        assert!(["0", ""].contains(&row["difference"].as_str()), "{row:?}");
        same += 1;
    }
    assert!(same > 90);
    let apart = |row: &&BTreeMap<String, String>| !["0", ""].contains(&row["difference"].as_str());
    assert!(
        sweep.iter().any(|row| apart(&row)),
        "the rate does change something"
    );
}

#[test]
fn jobs_and_stops_change_no_byte() {
    let (one, four, resumed) = (folder(), folder(), folder());
    let first = run(one.path(), args(&["--jobs", "1"])).expect(0);
    let second = run(four.path(), args(&["--jobs", "4"])).expect(0);
    assert_eq!(first.stdout, second.stdout);
    assert_same(&written(one.path()), &written(four.path()));
    assert_same(&cells(one.path()), &cells(four.path()));

    // Half of it first, in other company; then all.
    let half = [
        "--vary",
        "routing.breaker.open_time=10s,30s",
        "--vary",
        "workload.rate=40rps",
    ];
    run(resumed.path(), ["sweep", "s.toml"].into_iter().chain(half)).expect(0);
    let third = run(resumed.path(), args(&[])).expect(0);
    assert!(
        third.stderr.contains("2 of 6 cells are there already"),
        "{}",
        third.stderr
    );
    assert_eq!(first.stdout, third.stdout);
    assert_same(&written(one.path()), &written(resumed.path()));
}

#[test]
fn finished_cells_are_not_run_again_and_broken_or_outdated_ones_are() {
    let folder = folder();
    run(folder.path(), args(&[])).expect(0);
    let (results, kept) = (written(folder.path()), cells(folder.path()));
    assert_eq!(kept.len(), 6);
    let again = run(folder.path(), args(&[])).expect(0);
    assert!(
        again.stderr.contains("6 of 6 cells are there already"),
        "{}",
        again.stderr
    );
    // What is read from the cells is what is shown: so they were not run again.
    let store = folder.path().join("results/s-sweep.cells");
    let (name, bytes) = kept.first_key_value().unwrap();
    fs::write(store.join(name), &bytes[..bytes.len() / 2]).unwrap();
    let mended = run(folder.path(), args(&[])).expect(0);
    assert!(mended.stderr.contains("5 of 6 cells"), "{}", mended.stderr);
    assert_same(&written(folder.path()), &results);
    assert_same(&cells(folder.path()), &kept);

    let changed = SCENARIO.replace("300ms", "301ms");
    fs::write(folder.path().join("s.toml"), changed).unwrap();
    let other = run(folder.path(), args(&[])).expect(0);
    assert!(!other.stderr.contains("already"), "{}", other.stderr);
    assert_eq!(cells(folder.path()).len(), 12);
}

#[test]
fn json_has_every_cell() {
    let folder = folder();
    let done = run(folder.path(), args(&["--json", "--quiet"])).expect(0);
    assert_eq!(done.stdout.lines().count(), 1);
    let value: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(value["results_dir"], "results/s-sweep");
    let cells = value["cells"].as_array().expect("cells");
    assert_eq!(cells.len(), 6);
    assert_eq!(cells[1]["parameters"]["workload.rate"], "40rps");
    let success = &cells[1]["strategies"][0]["metrics"]["success_rate"]["mean"];
    assert!(
        success.as_f64().is_some_and(|share| share > 0.5),
        "{success}"
    );
}

#[test]
fn three_parameters_get_a_page_for_each_combination() {
    let folder = folder();
    let vary = ["--vary", "seed=1,2", "--replications", "1"];
    run(folder.path(), args(&vary)).expect(0);
    let written = written(folder.path());
    for page in ["charts/success_rate__01.svg", "charts/success_rate__02.svg"] {
        assert!(
            written.contains_key(Path::new(page)),
            "{:?}",
            written.keys()
        );
    }
    // Too many to be looked at: told, not drawn.
    let seeds: Vec<String> = (1..=25).map(|seed| seed.to_string()).collect();
    let vary = format!("seed={}", seeds.join(","));
    let vary = [
        "--vary",
        &vary,
        "--replications",
        "1",
        "--strategies",
        "random",
    ];
    let done = run(folder.path(), args(&vary)).expect(0);
    assert!(done.stderr.contains("no charts"), "{}", done.stderr);
}

#[test]
fn wrong_grids_are_refused_before_anything_runs() {
    let folder = folder();
    let many: Vec<String> = (0..200).map(|seed| seed.to_string()).collect();
    let (a, b) = (many.join(","), many.join(","));
    let (a, b) = (format!("seed={a}"), format!("policy_seed={b}"));
    for (code, vary, said) in [
        (2, vec![], "--vary"),
        (2, vec!["seed"], "PATH=A,B"),
        (2, vec!["seed=1,,2"], "a value is empty"),
        (2, vec!["seed=1,1"], "given twice"),
        (2, vec!["seed=1", "seed=2"], "varied twice"),
        (2, vec![&*a, &*b], "40000 cells; allowed: at most 10000"),
        (
            104,
            vec!["routing.breaker.opn_time=1s,2s"],
            "did you mean `open_time`",
        ),
        (104, vec!["workload.rate=20rps,0rps"], "0rps"),
    ] {
        let vary = vary.iter().flat_map(|vary| ["--vary", vary]);
        let run = run(folder.path(), ["sweep", "s.toml"].into_iter().chain(vary)).expect(code);
        assert_eq!(run.stdout, "");
        assert!(run.stderr.contains(said), "{said}\n{}", run.stderr);
    }
    let missing = run(folder.path(), ["sweep", "t.toml", "--vary", "seed=1,2"]).expect(104);
    assert!(
        missing.stderr.contains("no such file"),
        "{}",
        missing.stderr
    );
    assert_eq!(files(folder.path()).len(), 1);
}

/// Each broken value is shown once, where it stands, however many cells have it.
#[test]
fn messages_point_at_the_broken_value() {
    let folder = folder();
    let vary = [
        "--vary",
        "routing.breaker.open_time=10s,soon,30s,-1s",
        "--vary",
        "workload.rate=20rps,fast",
        "--vary",
        "accounts[7].weight=1,2",
    ];
    let run = run(folder.path(), ["sweep", "s.toml"].into_iter().chain(vary)).expect(104);
    insta::assert_snapshot!(run.stderr);
}

#[cfg(target_os = "linux")]
mod stopped {
    use super::{args, assert_same, cells, folder, routelab, run, written};
    use crate::cli::interrupted::{handles_it, interrupt_when};
    use routelab::rng::Rng;
    use std::path::Path;
    use std::process::{Child, Stdio};

    /// Enough work that a sweep can be stopped in the middle of it.
    const SLOW: [&str; 4] = ["--replications", "40", "--jobs", "1"];

    fn start(folder: &Path) -> Child {
        routelab(folder, args(&SLOW))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    fn kept(folder: &Path) -> usize {
        let store = folder.join("results/s-sweep.cells");
        let entries = std::fs::read_dir(store).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| name.ends_with(".json")).count()
    }

    #[test]
    fn ctrl_c_keeps_what_is_finished() {
        let folder = folder();
        let ready = |proc: &Path| handles_it(proc) && kept(folder.path()) >= 2;
        let stopped = interrupt_when(start(folder.path()), ready).expect(130);
        assert!(
            stopped.stderr.contains("of 6 cells are finished"),
            "{}",
            stopped.stderr
        );
        assert_eq!(stopped.stdout, "");
        assert!(!folder.path().join("results/s-sweep").exists());
        let before = cells(folder.path());
        let resumed = run(folder.path(), args(&SLOW)).expect(0);
        assert!(
            resumed.stderr.contains("are there already"),
            "{}",
            resumed.stderr
        );
        for (file, bytes) in before {
            assert_eq!(cells(folder.path())[&file], bytes);
        }
        let whole = super::folder();
        run(whole.path(), args(&SLOW)).expect(0);
        assert_same(&written(folder.path()), &written(whole.path()));
    }

    /// Killed at points of its progress that a seed chooses, again and again, until it is done.
    #[test]
    fn a_killed_sweep_leaves_no_torn_cell() {
        let (folder, whole) = (folder(), folder());
        run(whole.path(), args(&SLOW)).expect(0);
        let expected = cells(whole.path());
        let mut rng = Rng::from_state(1);
        for round in 0..5 {
            let wanted = kept(folder.path()) + rng.below(2) as usize;
            let mut child = start(folder.path());
            while kept(folder.path()) < wanted && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
            child.kill().expect("a child of ours");
            child.wait().expect("a child of ours");
            println!("round {round}: {} cells are kept", kept(folder.path()));
            for (file, bytes) in cells(folder.path()) {
                if file.extension().is_some_and(|end| end == "json") {
                    assert_eq!(bytes, expected[&file], "{} is torn", file.display());
                }
            }
        }
        run(folder.path(), args(&SLOW)).expect(0);
        assert_same(&written(folder.path()), &written(whole.path()));
    }
}
