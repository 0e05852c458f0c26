//! What several topics need: scenarios from texts, files of results, real traces.

use routelab::experiment::results::ScenarioResults;
use routelab::experiment::run::{RunOptions, run};
use routelab::experiment::scenario::{Overrides, Scenario, parse};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// The scenario in a text, as `name.toml` would have it.
pub(crate) fn scenario(name: &str, text: &str) -> Scenario {
    scenario_in(Path::new("."), name, text)
}

/// The same, as if it stood in `directory`, where the paths in it start.
pub(crate) fn scenario_in(directory: &Path, name: &str, text: &str) -> Scenario {
    let source = format!("{name}.toml");
    match parse(&source, text, directory, &Overrides::default()) {
        Ok(loaded) => loaded.scenario,
        Err(errors) => panic!("{errors}\nin\n{text}"),
    }
}

/// Runs a scenario on so many threads; a broken invariant fails the test and shows the scenario.
pub(crate) fn results(scenario: &Scenario, jobs: usize) -> ScenarioResults {
    let options = RunOptions {
        jobs,
        stop: &AtomicBool::new(false),
        progress: &|_, _| {},
    };
    run(scenario, &options)
        .unwrap_or_else(|error| panic!("{error}\nin\n{}", scenario.resolved_toml))
}

/// Every file below `folder`, with its bytes; by path from it.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inside = path.strip_prefix(folder).expect("below the folder");
                let bytes = fs::read(&path).expect("a readable file");
                found.insert(inside.to_owned(), bytes);
            }
        }
    }
    found
}

/// A file of real data in the folder `ROUTELAB_DATA`, or in `../shared/data` beside the project.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folders = std::env::var_os("ROUTELAB_DATA")
        .map(PathBuf::from)
        .into_iter()
        .chain([beside]);
    folders
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Says so on the terminal itself, past the test harness, which shows no output of passed tests.
pub(crate) fn skipped(what: &str) {
    let line = format!("SKIPPED: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
