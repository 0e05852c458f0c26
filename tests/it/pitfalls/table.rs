//! The list of pitfalls in the documentation, against the tests that it names.

use crate::support;
use std::collections::BTreeMap;
use std::path::Path;

/// Rows that the list has.
const ROWS: u32 = 39;

/// The last column of each row, by number.
fn shown_by() -> BTreeMap<u32, String> {
    let mut rows = BTreeMap::new();
    for line in include_str!("../../../docs/pitfalls.md").lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let [number, _, _, shown_by] = cells[..]
            && let Ok(number) = number.parse()
        {
            let before = rows.insert(number, shown_by.to_owned());
            assert_eq!(before, None, "row {number} stands there twice");
        }
    }
    rows
}

/// What stands between backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Every function below `folder` that is called like a test, with the file.
fn functions(folder: &str) -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = BTreeMap::new();
    for (path, bytes) in support::files(&root) {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = String::from_utf8(bytes).expect("sources are UTF-8");
            for line in text.lines() {
                let after = line.trim_start().strip_prefix("fn ");
                if let Some((name, _)) = after.and_then(|rest| rest.split_once('(')) {
                    found.insert(name.to_owned(), path.display().to_string());
                }
            }
        }
    }
    found
}

/// No row is missing, none is empty, and what a row names is there.
#[test]
fn every_pitfall_is_shown_by_something_that_exists() {
    let rows = shown_by();
    let numbers: Vec<u32> = rows.keys().copied().collect();
    assert_eq!(numbers, (1..=ROWS).collect::<Vec<_>>());
    let mut functions = functions("tests");
    functions.extend(self::functions("src"));
    for (number, cell) in rows {
        let planned = cell.starts_with("planned: ");
        assert!(planned || names(&cell).next().is_some(), "row {number}");
        for name in names(&cell) {
            let exists = if name.ends_with(".toml") {
                Path::new(env!("CARGO_MANIFEST_DIR")).join(name).is_file()
            } else {
                functions.contains_key(name)
            };
            assert!(exists, "row {number}: there is no {name}");
        }
    }
}

/// Every test of a pitfall stands in the row of its number.
#[test]
fn every_test_of_a_pitfall_is_listed() {
    let rows = shown_by();
    for (name, file) in functions("tests/it/pitfalls") {
        let number = name.strip_prefix('p').and_then(|rest| rest.get(..2));
        if let Some(number) = number.and_then(|digits| digits.parse::<u32>().ok()) {
            let cell = rows.get(&number).map_or("", String::as_str);
            assert!(
                names(cell).any(|listed| listed == name),
                "{name} of {file} is not in row {number} of docs/pitfalls.md"
            );
        }
    }
}
