//! A run that is killed leaves whole results or none.
//!
//! The program is killed at points of its progress that a seed chooses: at once, with some of the
//! files written, between the two renames. No test waits for a time; a run that ends before its
//! point is reached is as good.
#![cfg(unix)]

use crate::support::files;
use routelab::rng::Rng;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Quickly simulated, with many files to write.
const SCENARIO: &str = r#"
    question = "Are results torn?"
    expectation = "No."
    duration = "20s"
    replications = 1
    [models.m]
    service = { total = "300ms" }
    [[accounts]]
    id = "a-{n}"
    count = 4
    provider = "custom"
    models = ["m"]
    [workload]
    arrivals = "poisson"
    rate = "10rps"
    [[workload.classes]]
    name = "all"
    model = "m"
    input_tokens = 10
    output_tokens = 10
"#;

fn start(folder: &Path, seed: u32) -> Child {
    Command::new(env!("CARGO_BIN_EXE_routelab"))
        .current_dir(folder)
        .args(["--quiet", "--seed", &seed.to_string(), "torn.toml"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

/// Names in the folder of results.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder.join("results")) else {
        return vec![];
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// Files written so far below the hidden folder of a run in progress.
fn partly_written(folder: &Path) -> usize {
    let partial = names(folder)
        .into_iter()
        .find(|name| name.ends_with(".partial") && !name.ends_with(".old.partial"));
    let count = |path: PathBuf| fs::read_dir(path).map_or(0, Iterator::count);
    partial.map_or(0, |name| {
        let partial = folder.join("results").join(name);
        1 + count(partial.clone())
            + count(partial.join("histograms"))
            + count(partial.join("charts"))
    })
}

/// When to kill.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// After so many looks at the process.
    Looks(u32),
    /// With at least so many files written.
    Files(usize),
    /// With the old results moved aside.
    Between,
}

impl Point {
    fn reached(self, folder: &Path, looks: u32) -> bool {
        match self {
            Self::Looks(most) => looks >= most,
            Self::Files(files) => partly_written(folder) >= files,
            Self::Between => names(folder)
                .iter()
                .any(|name| name.ends_with(".old.partial")),
        }
    }
}

/// Kills the run at the point; false if it ended before.
fn kill_at(mut child: Child, folder: &Path, point: Point) -> bool {
    for looks in 0.. {
        if child.try_wait().expect("a child of ours").is_some() {
            return false;
        }
        if point.reached(folder, looks) {
            break;
        }
        std::thread::yield_now();
    }
    child.kill().expect("a child of ours");
    let status = child.wait().expect("a child of ours");
    status.code().is_none()
}

/// The seed of the results in a folder, after checking that all files of the manifest are there,
/// with the bytes that it says, and no others.
fn whole(folder: &Path) -> u64 {
    let mut files = files(folder);
    let manifest = files
        .remove(Path::new("manifest.json"))
        .expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
    let listed = manifest["files"].as_array().expect("a list of files");
    assert!(listed.len() > 20);
    for entry in listed {
        let path = entry["path"].as_str().expect("a path");
        let bytes = files
            .remove(Path::new(path))
            .unwrap_or_else(|| panic!("{path} is missing"));
        let hash: Vec<_> = Sha256::digest(&bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(entry["sha256"], hash.concat(), "{path}");
    }
    assert!(files.remove(Path::new("environment.json")).is_some());
    assert!(files.is_empty(), "{:?}", files.keys());
    manifest["seed"].as_u64().expect("a seed")
}

/// Runs to the end, and checks that there is nothing but its results.
fn run_to_the_end(folder: &Path, seed: u32) {
    let status = start(folder, seed).wait().expect("a child of ours");
    assert_eq!(status.code(), Some(0));
    assert_eq!(names(folder), ["torn"]);
    assert_eq!(whole(&folder.join("results/torn")), u64::from(seed));
}

fn some_point(rng: &mut Rng) -> Point {
    match rng.below(4) {
        0 => Point::Looks(rng.below(2_000)),
        1 | 2 => Point::Files(1 + rng.below(30) as usize),
        _ => Point::Between,
    }
}

#[test]
fn a_killed_run_leaves_whole_results_or_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    fs::write(folder.join("torn.toml"), SCENARIO).unwrap();
    let results = folder.join("results/torn");
    let mut rng = Rng::from_state(1);
    let mut killed = 0;
    for round in 0..16 {
        // The first rounds find no old results.
        if round >= 4 {
            run_to_the_end(folder, 2 * round);
        }
        // The very first is certain to be caught.
        let point = if round == 0 {
            Point::Looks(0)
        } else {
            some_point(&mut rng)
        };
        println!("round {round}: {point:?}");
        killed += u32::from(kill_at(start(folder, 2 * round + 1), folder, point));
        let left = names(folder);
        println!("left: {left:?}");
        if results.exists() {
            let seed = whole(&results);
            let allowed = [2 * round, 2 * round + 1].map(u64::from);
            assert!(allowed.contains(&seed) || round < 4, "{seed}");
        } else if round >= 4 {
            // Between the two renames: the old results are whole beside it, and the new ones too.
            let aside = left.iter().find(|name| name.ends_with(".old.partial"));
            let aside = aside.expect("the old results are lost");
            assert_eq!(
                whole(&folder.join("results").join(aside)),
                u64::from(2 * round)
            );
        }
    }
    println!("{killed} runs were caught");
    assert!(killed > 0);
    run_to_the_end(folder, 1_000);
}

/// The moment between the two renames is too short to be met by chance: here it is made by hand.
#[test]
fn a_run_killed_between_the_renames_loses_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    fs::write(folder.join("torn.toml"), SCENARIO).unwrap();
    run_to_the_end(folder, 1);
    let mut dead = start(folder, 2);
    dead.kill().expect("a child of ours");
    dead.wait().expect("a child of ours");
    let results = folder.join("results");
    let old = results.join(format!(".torn.{}.old.partial", dead.id()));
    fs::rename(results.join("torn"), &old).unwrap();
    let torn = results.join(format!(".torn.{}.partial", dead.id()));
    fs::create_dir(&torn).unwrap();
    fs::write(torn.join("summary.csv"), "str").unwrap();

    // A run that never comes to write leaves all as it is.
    let mut early = start(folder, 3);
    early.kill().expect("a child of ours");
    early.wait().expect("a child of ours");
    assert_eq!(whole(&old), 1);
    run_to_the_end(folder, 4);
}
