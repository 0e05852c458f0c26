//! Every column of every CSV file is explained in `docs/results.md`.

use routelab::experiment::ablation::{AblationResults, Factor};
use routelab::experiment::decision::{DecisionResults, Machine, Timer};
use routelab::experiment::scenario::{Overrides, load};
use routelab::experiment::sweep::{CellResults, SweepResults};
use routelab::report::{ablation, csv, decision, sweep};
use routelab::time::Duration;
use std::path::Path;

const QUANTILES: [&str; 6] = ["mean", "p50", "p90", "p95", "p99", "p999"];

/// Names under which a column may be explained, most general last.
fn names(column: &str) -> Vec<String> {
    let mut names = vec![column.to_owned()];
    for end in ["_ci95_low", "_ci95_high"] {
        names.extend(column.strip_suffix(end).map(str::to_owned));
    }
    for (low, median) in [("_ci95_low_s", "_median_s"), ("_ci95_high_s", "_median_s")] {
        names.extend(
            column
                .strip_suffix(low)
                .map(|stem| format!("{stem}{median}")),
        );
    }
    if column.starts_with("failed_attempts_") {
        names.push("failed_attempts_KIND".into());
    }
    for stem in names.clone() {
        let q = QUANTILES.iter().find(|q| stem.contains(&format!("_{q}_")));
        names.extend(q.map(|q| stem.replace(&format!("_{q}_"), "_Q_")));
    }
    names
}

#[test]
fn every_column_is_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let overrides = Overrides {
        set: vec![
            "duration=1min".into(),
            "output.requests=true".into(),
            "faults=[]".into(),
            "thresholds=[\"p99 < 1h\"]".into(),
            "claims=[{ metric = \"mean\", strategy = \"smart\", relation = \"no_worse\", \
             amount = \"5%\" }]"
                .into(),
        ],
        strategies: Some(vec!["round_robin".into(), "smart".into()]),
        replications: Some(2),
        ..Overrides::default()
    };
    let loaded = load(&folder.join("scenarios/outage.toml"), &overrides);
    let scenario = loaded.unwrap_or_else(|errors| panic!("{errors}")).scenario;
    let results = crate::support::results(&scenario, 1);
    let text = std::fs::read_to_string(folder.join("docs/results.md")).expect("the document");
    let swept = SweepResults {
        scenario: scenario.name.clone(),
        question: scenario.question.clone(),
        resolved_toml: scenario.resolved_toml.clone(),
        axes: vec![("PATH".into(), vec!["1".into()])],
        own: None,
        cells: vec![CellResults::of(&results)],
    };
    let measured = DecisionResults {
        cells: vec![],
        timer: Timer {
            p50: Duration::ZERO,
            p99: Duration::ZERO,
        },
        machine: Machine {
            processor: None,
            cpus: 1,
            load: None,
            debug: true,
        },
    };
    let factors = vec![Factor::Strategy];
    let divided = AblationResults::of(results.clone(), "smart", factors);
    let mut files = 0;
    for file in csv::files(&results)
        .into_iter()
        .chain(sweep::tables(&swept))
        .chain([decision::csv(&measured)])
        .chain(ablation::tables(&divided))
    {
        files += 1;
        let content = String::from_utf8(file.content).expect("text");
        for column in content.lines().next().expect("a header").split(',') {
            let explained = names(column)
                .iter()
                .any(|name| text.contains(&format!("`{name}`")));
            assert!(
                explained,
                "{}: `{column}` is not in docs/results.md",
                file.path
            );
        }
    }
    assert_eq!(files, 16);
}
