//! The simulator against queueing theory and a published experiment, at a size that a test suite
//! can afford: what `routelab validate` does, with fewer requests and replications. All of it runs
//! ordinary scenarios through the ordinary engine and routing code.
//!
//! Seeds are fixed, so a number does not fail by bad luck today that passed yesterday.

use crate::cli::{empty_folder, run};
use crate::support::files;
use routelab::experiment::run::RunError;
use routelab::experiment::validation::{self, Options, Rule, Validation};
use routelab::report::validation as report;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

fn validate(scale: f64, replications: u32, jobs: usize) -> Validation {
    let options = Options {
        scale,
        replications,
        seed: 0,
        jobs,
        stop: &AtomicBool::new(false),
        progress: &|_| {},
    };
    validation::run(&options).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_simulator_agrees_with_theory() {
    let folder = empty_folder();
    let args = "validate --scale 0.04 --quiet --jobs 2 --out here";
    let run = run(folder.path(), args.split(' ')).expect(0);
    println!("{}", run.stdout);
    assert_eq!(run.stderr, "");
    assert!(
        run.stdout
            .contains("numbers agree; 7 exact identities hold")
    );
    let written = files(&folder.path().join("here"));
    let names: Vec<&str> = written.keys().filter_map(|path| path.to_str()).collect();
    assert_eq!(names, [report::PAGE, report::CHART]);
    let page = String::from_utf8(written[Path::new(report::PAGE)].clone()).unwrap();
    assert_eq!(cells_of(&page), expected());
    assert!(!page.contains('✗'));
}

/// Numbers and pages do not depend on threads; and a mistake in the simulator would be seen.
#[test]
fn threads_change_nothing_and_a_mistake_is_seen() {
    let found = validate(0.01, 2, 1);
    // 92 rows of the table, some of them by several systems.
    assert_eq!(found.cells.iter().filter(|cell| cell.in_table).count(), 133);
    assert_eq!(found, validate(0.01, 2, 3));
    let mut wrong = found;
    let cells = wrong.cells.iter_mut();
    let cell = cells
        .filter(|cell| cell.rule == Rule::Chance)
        .last()
        .unwrap();
    cell.theory.value += 4.5 * cell.standard_error;
    let model = cell.model.clone();
    assert!(!wrong.passed());
    let complaints = report::complaints(&wrong);
    assert!(
        complaints.iter().any(|line| line.starts_with(&model)),
        "{complaints:?}"
    );
    assert!(report::table(&wrong).contains("do NOT agree"));
}

#[test]
fn a_validation_can_be_stopped() {
    let options = Options {
        scale: 1.0,
        replications: 40,
        seed: 0,
        jobs: 2,
        stop: &AtomicBool::new(true),
        progress: &|_| {},
    };
    let outcome = validation::run(&options);
    assert!(matches!(outcome, Err(RunError::InterruptedTooEarly)));
}

/// What a page must compare: parameters, what is run, the number, and what theory says.
fn expected() -> Vec<String> {
    let all = validation::expected().into_iter();
    let shown = all.map(|(_, parameters, how, metric, theory)| {
        let parameters = parameters.replace(";one server or random dispatch", "");
        let number = routelab::report::number::derived(theory.value);
        format!(
            "{} | {how} | {metric} | {number}",
            parameters.replace(';', ", ")
        )
    });
    shown.collect()
}

/// The same of the tables of a page.
fn cells_of(page: &str) -> Vec<String> {
    let before = page.split("\n## To the nanosecond").next().unwrap();
    let rows = before
        .lines()
        .filter(|line| line.starts_with("| ") && line.ends_with(" ✓ |"));
    let cells = rows.map(|row| {
        let columns: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let theory = columns[3].split(" ±").next().unwrap();
        [columns[0], columns[1], columns[2], theory].join(" | ")
    });
    cells.collect()
}

/// The committed page is one of today's validation: the same numbers, theory and pending rows, all
/// of them in agreement.
#[test]
fn the_committed_page_compares_what_is_compared_today() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = std::fs::read_to_string(docs.join(report::PAGE)).unwrap();
    assert_eq!(
        cells_of(&page),
        expected(),
        "run `routelab validate --out docs` again"
    );
    assert!(
        !page.contains('✗'),
        "it shows something that does not agree"
    );
    assert!(docs.join(report::CHART).is_file());
    let models: BTreeSet<String> = validation::rows()
        .into_iter()
        .map(|row| row.model)
        .collect();
    for model in models {
        assert!(
            page.contains(&model),
            "{model} is neither compared nor pending"
        );
    }
}
