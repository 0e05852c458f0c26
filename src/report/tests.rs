//! Tests of the report as a whole, on made-up results.

use super::fixture::{Shape, environment};
use super::*;
use std::collections::BTreeMap;
use std::fs;

/// A name to report, and what to change about the small shape.
type Edge = (&'static str, fn(&mut Shape));

const EDGES: [Edge; 16] = [
    ("small", |_| ()),
    ("no success", |s| s.successes = false),
    ("no streaming", |s| s.streaming = false),
    ("one replication", |s| s.replications = 1),
    ("no replication", |s| s.replications = 0),
    ("no fault", |s| s.outage = false),
    ("one account", |s| (s.accounts, s.lanes) = (1, 1)),
    ("1000 accounts", |s| (s.accounts, s.lanes) = (1_000, 3)),
    ("60 lanes", |s| (s.accounts, s.lanes) = (60, 60)),
    ("no window", |s| s.windows = 0),
    ("no request", |s| s.per_window = 0),
    ("one request", |s| {
        (s.per_window, s.windows, s.replications) = (1, 1, 1);
    }),
    ("one arm", |s| s.arms.truncate(1)),
    ("no arm", |s| s.arms.clear()),
    ("odd names", |s| {
        s.arms = vec![("a <b> & \"c\" /é 'quoted' and long", s.arms[1].1); 12];
    }),
    ("long", |s| {
        (s.windows, s.per_window, s.replications) = (5_000, 1, 1);
    }),
];

/// Shapes at the edges of what a scenario can be.
fn edges() -> impl Iterator<Item = (&'static str, Shape)> {
    EDGES.into_iter().map(|(name, change)| {
        let mut shape = Shape::small();
        change(&mut shape);
        (name, shape)
    })
}

fn by_path(files: Vec<File>) -> BTreeMap<String, String> {
    let text = |file: File| (file.path, String::from_utf8(file.content).unwrap());
    files.into_iter().map(text).collect()
}

#[test]
fn no_edge_panics_and_no_cell_is_nan() {
    for (edge, shape) in edges() {
        let results = shape.results();
        for (path, text) in by_path(deterministic_files(&results)) {
            if path.ends_with(".svg") {
                assert_well_formed(&text, &format!("{edge}: {path}"));
            }
            let numbers = text.to_ascii_lowercase();
            let odd = |word: &str| {
                numbers
                    .split([',', '"', ' ', '\n'])
                    .any(|cell| cell == word)
            };
            assert!(!odd("nan") && !odd("-inf") && !odd("-0"), "{edge}: {path}");
        }
        for ansi in [false, true] {
            let table = table::render(&results, ansi);
            assert!(
                !table.contains("NaN") && !table.contains("inf"),
                "{edge}:\n{table}"
            );
        }
        assert!(json(&results).is_object());
    }
}

#[test]
fn the_same_results_give_the_same_bytes() {
    let bytes = || by_path(deterministic_files(&Shape::realistic().results()));
    assert_eq!(bytes(), bytes());
}

#[test]
fn every_chart_names_every_strategy() {
    let results = Shape::realistic().results();
    for (path, svg) in by_path(charts::files(&results)) {
        for arm in &results.strategies {
            assert!(svg.contains(&arm.name), "{path}: {}", arm.name);
        }
    }
}

#[test]
fn small_tables() {
    let files = by_path(csv::files(&Shape::small().results()));
    for name in [
        "comparisons",
        "timeline",
        "timeline_lanes",
        "faults",
        "segments",
        "accounts",
    ] {
        insta::assert_snapshot!(name, files[&format!("{name}.csv")]);
    }
    // Wide tables are read better with a row per column.
    for name in ["summary", "replications"] {
        let text = &files[&format!("{name}.csv")];
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert!(rows.iter().all(|row| row.len() == rows[0].len()));
        let turned = (0..rows[0].len()).map(|at| {
            let cells: Vec<&str> = rows.iter().map(|row| row[at]).collect();
            format!("{}\n", cells.join(" | "))
        });
        insta::assert_snapshot!(name, turned.collect::<String>());
    }
}

#[test]
fn terminal_tables() {
    let realistic = table::render(&Shape::realistic().results(), false);
    assert!(
        realistic.lines().all(|line| line.chars().count() <= 100),
        "{realistic}"
    );
    assert!(realistic.lines().count() < 40);
    insta::assert_snapshot!("terminal", realistic);
    let mut stopped = Shape {
        replications: 1,
        ..Shape::small()
    }
    .results();
    stopped.interrupted = true;
    stopped.description.replications = 10;
    insta::assert_snapshot!(
        "terminal_interrupted",
        table::render(&stopped, true).replace('\x1b', "ESC")
    );
}

#[test]
fn json_holds_the_numbers_of_the_tables() {
    let results = Shape::small().results();
    let json = json(&results);
    let files = by_path(csv::files(&results));
    let mut reader = ::csv::Reader::from_reader(files["summary.csv"].as_bytes());
    let header = reader.headers().unwrap().clone();
    let row = reader.records().nth(1).unwrap().unwrap();
    let cell = |name: &str| &row[header.iter().position(|column| column == name).unwrap()];
    let smart = &json["strategies"][1];
    let mean = &smart["metrics"]["success_rate"]["mean"];
    assert_eq!(mean.as_f64(), cell("success_rate").parse().ok());
    let low = &smart["metrics"]["success_rate"]["ci95"][0];
    assert_eq!(low.as_f64(), cell("success_rate_ci95_low").parse().ok());
    assert_eq!(smart["counts"]["requests"].to_string(), cell("requests"));
    assert!(smart["metrics"]["brier_score"].is_null());
    assert_eq!(json["comparisons"][0]["strategy"], "smart");
}

#[test]
fn the_manifest_lists_what_is_on_the_disk() {
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("outage");
    let mut results = Shape::small().results();
    results.interrupted = true;
    write(&results, &environment(), &target).unwrap();
    let manifest = fs::read(target.join(manifest::NAME)).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let files = manifest["files"].as_array().unwrap();
    for file in files {
        let content = fs::read(target.join(file["path"].as_str().unwrap())).unwrap();
        assert_eq!(file["bytes"], content.len());
    }
    let listed = |name: &str| files.iter().any(|file| file["path"] == name);
    assert!(listed("summary.csv") && listed("charts/timeline.svg") && listed("INTERRUPTED.txt"));
    assert!(listed("histograms/smart.latency_all.hgrm"));
    assert!(!listed("environment.json") && target.join("environment.json").exists());
    assert_eq!(manifest["interrupted"], true);

    // Whole again: the note is gone.
    results.interrupted = false;
    write(&results, &environment(), &target).unwrap();
    assert!(!target.join("INTERRUPTED.txt").exists());
}

#[test]
fn names_of_strategies_make_different_file_names() {
    let mut results = Shape::realistic().results();
    let names = [
        "a/b", "a_b", "A_B", "../../x", "", "é", "con", "a_b_1", "-", ".",
    ];
    for (arm, name) in results.strategies.iter_mut().zip(names) {
        arm.name = name.to_owned();
    }
    let mut stems: Vec<String> = file_stems(&results)
        .iter()
        .map(|s| s.to_lowercase())
        .collect();
    assert!(
        stems
            .iter()
            .all(|stem| !stem.contains(['/', '.']) && !stem.is_empty()),
        "{stems:?}"
    );
    stems.sort();
    stems.dedup();
    assert_eq!(stems.len(), names.len());
}

/// Tags nest, attributes are quoted, no bare `<` or `&` in texts.
fn assert_well_formed(xml: &str, context: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        assert!(!text.contains('>'), "{context}: {text}");
        let entities = text.split('&').skip(1);
        let known = ["amp;", "lt;", "gt;", "quot;", "apos;"];
        for entity in entities {
            assert!(
                known.iter().any(|known| entity.starts_with(known)),
                "{context}: {text}"
            );
        }
        let end = start + rest[start..].find('>').expect(context);
        let tag = &rest[start + 1..end];
        assert!(
            !tag.contains('<') && tag.matches('"').count().is_multiple_of(2),
            "{context}: {tag}"
        );
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{context}");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap_or(tag));
        }
        rest = &rest[end + 1..];
    }
    assert!(
        open.is_empty() && rest.trim().is_empty(),
        "{context}: {open:?}"
    );
}

/// Every shape can be written. To look at the charts: `ROUTELAB_PREVIEW=DIR cargo test every_shape`
/// keeps them in DIR.
#[test]
fn every_shape_can_be_written() {
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("ROUTELAB_PREVIEW").map(PathBuf::from);
    let root = kept.unwrap_or_else(|| temporary.path().to_path_buf());
    for (name, shape) in edges().chain([("realistic", Shape::realistic())]) {
        let target = root.join(name);
        write(&shape.results(), &environment(), &target).unwrap();
        assert!(target.join("summary.csv").exists() && check(&target).is_ok());
    }
}

/// Where a cache was asked, its hits stand in the place of the waste; nothing else changes.
#[test]
fn the_terminal_table_shows_the_hits_of_a_cache() {
    use crate::experiment::metric::Metric;
    let mut results = Shape::small().results();
    let without = table::render(&results, false);
    assert!(without.contains("waste%") && !without.contains("hits %"));
    for replication in &mut results.strategies[0].replications {
        replication.metrics[Metric::CacheHitRate] = 0.25;
    }
    let with = table::render(&results, false);
    assert!(with.contains("hits %") && with.contains("25.00") && !with.contains("waste%"));
    assert_eq!(with.lines().count(), without.lines().count());
    assert!(with.lines().all(|line| line.chars().count() <= 100));
}
