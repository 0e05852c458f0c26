//! The shipped replay of a real trace, where the trace is there: rows in, requests out.

use crate::support::{data, results, skipped};
use routelab::experiment::results::StrategyResults;
use routelab::experiment::scenario::{Overrides, Scenario, load};
use routelab::record::RequestRecord;
use routelab::rng::Streams;
use routelab::workload::Workload;
use std::path::Path;

/// Counted in the file by other tools; see the tests of traces.
const ROWS: usize = 19_366;
const INPUT_TOKENS: u64 = 22_361_870;
const OUTPUT_TOKENS: u64 = 4_088_665;

/// The shipped scenario with these changes, and one replication.
fn shipped(trace: &Path, strategies: &[&str], set: &[&str]) -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/azure-conversation.toml");
    let path = format!("workload.path={}", trace.display());
    let overrides = Overrides {
        set: set
            .iter()
            .map(|set| (*set).to_owned())
            .chain([path])
            .collect(),
        vary: vec![],
        seed: None,
        replications: Some(1),
        strategies: Some(strategies.iter().map(|name| (*name).to_owned()).collect()),
    };
    match load(&file, &overrides) {
        Ok(loaded) => loaded.scenario,
        Err(errors) => panic!("{errors}"),
    }
}

fn by_arrival(arm: &StrategyResults) -> Vec<RequestRecord> {
    let mut requests = arm.requests.clone();
    requests.sort_by_key(|record| record.request);
    requests
}

#[test]
fn every_row_is_a_request_of_every_strategy() {
    let Some(trace) = data("azure2023_conv.csv.gz") else {
        return skipped("the Azure trace is not there; set ROUTELAB_DATA to its folder");
    };
    let set = ["output.requests=true", "warmup=\"0s\""];
    let scenario = shipped(&trace, &["round_robin", "smart"], &set);
    let mut workload = Workload::new(&scenario.workload, Streams::new(scenario.seed, 0));
    let asked: Vec<_> = std::iter::from_fn(|| workload.take()).collect();
    let results = results(&scenario, 2);
    assert_eq!(results.strategies.len(), 2);
    for arm in &results.strategies {
        let requests = by_arrival(arm);
        assert_eq!(requests.len(), ROWS);
        for (record, (arrived, request)) in requests.iter().zip(&asked) {
            assert_eq!((record.request, record.arrived), (request.id, *arrived));
        }
        let counts = &arm.replications[0].counts;
        assert_eq!(counts.simulated, ROWS as u64);
        assert_eq!(
            counts.requests,
            counts.successes + counts.failures + counts.rejections
        );
        assert!(counts.successes as f64 > 0.9 * ROWS as f64, "{counts:?}");
    }
}

/// With nothing that fails, each row is charged once: the tokens of the results are the tokens of
/// the file, but for the limit of the shipped classes, which is lifted here.
#[test]
fn every_token_is_charged_once() {
    let Some(trace) = data("azure2023_conv.csv.gz") else {
        return skipped("the Azure trace is not there; set ROUTELAB_DATA to its folder");
    };
    let mut set: Vec<String> = ["claude", "gemini"]
        .iter()
        .flat_map(|name| {
            let keys = ["failures=[]", "limits=\"none\"", "quota=\"none\""];
            keys.map(|key| format!("templates.{name}.{key}"))
        })
        .collect();
    set.extend((0..4).map(|at| format!("accounts[{at}].capacity=\"unlimited\"")));
    set.extend((0..4).map(|at| format!("workload.classes[{at}].max_output_tokens=\"none\"")));
    set.extend([
        "routing.deadline=\"none\"".to_owned(),
        "warmup=\"0s\"".to_owned(),
    ]);
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    let scenario = shipped(&trace, &["round_robin", "smart"], &set);
    for arm in &results(&scenario, 2).strategies {
        let counts = &arm.replications[0].counts;
        let found = (counts.successes, counts.input_tokens, counts.output_tokens);
        assert_eq!(
            found,
            (ROWS as u64, INPUT_TOKENS, OUTPUT_TOKENS),
            "{}",
            arm.name
        );
        assert_eq!(counts.attempts, ROWS as u64);
        assert_eq!(counts.wasted.0, 0);
    }
}
