//! The shipped replay of Mooncake's trace, where the trace is there: rows in, requests out, each
//! token charged once.

use crate::support::{data, results, skipped};
use routelab::experiment::scenario::{Overrides, Scenario, load};
use std::path::Path;

/// Counted in the file by other tools; see the tests of traces.
const ROWS: u64 = 5_719;
const INPUT_TOKENS: u64 = 73_604_194;
const OUTPUT_TOKENS: u64 = 1_977_204;
/// Blocks seen before, with a cache that never forgets.
const SEEN_TOKENS: u64 = 25_555_226;

/// The shipped scenario with nothing that fails, and one replication.
fn without_trouble(trace: &Path, cached: &str) -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/mooncake-conversation.toml");
    let mut set = vec![
        format!("workload.path={}", trace.display()),
        format!("workload.cached_input={cached}"),
        "routing.deadline=\"none\"".to_owned(),
        "warmup=\"0s\"".to_owned(),
    ];
    for name in ["claude", "gemini"] {
        let keys = ["failures=[]", "limits=\"none\"", "quota=\"none\""];
        set.extend(keys.map(|key| format!("templates.{name}.{key}")));
    }
    set.extend((0..4).map(|at| format!("accounts[{at}].capacity=\"unlimited\"")));
    let overrides = Overrides {
        set,
        replications: Some(1),
        strategies: Some(vec!["round_robin".into(), "smart".into()]),
        ..Overrides::default()
    };
    match load(&file, &overrides) {
        Ok(loaded) => loaded.scenario,
        Err(errors) => panic!("{errors}"),
    }
}

#[test]
fn every_row_is_a_request_and_every_token_is_charged_once() {
    let Some(trace) = data("mooncake_conversation_first30min.jsonl.gz") else {
        return skipped("the Mooncake trace is not there; set ROUTELAB_DATA to its folder");
    };
    let mut costs = Vec::new();
    for cached in ["none", "prefix"] {
        let scenario = without_trouble(&trace, cached);
        let mut workload = routelab::workload::Workload::new(
            &scenario.workload,
            routelab::rng::Streams::new(1, 0),
        );
        let asked: Vec<_> = std::iter::from_fn(|| workload.take()).collect();
        let seen: u64 = asked
            .iter()
            .map(|(_, r)| u64::from(r.tokens.cached_input))
            .sum();
        assert_eq!(seen, if cached == "prefix" { SEEN_TOKENS } else { 0 });
        for arm in &results(&scenario, 2).strategies {
            let counts = &arm.replications[0].counts;
            let found = (counts.successes, counts.input_tokens, counts.output_tokens);
            assert_eq!(found, (ROWS, INPUT_TOKENS, OUTPUT_TOKENS), "{}", arm.name);
            assert_eq!((counts.attempts, counts.wasted.0), (ROWS, 0));
            costs.push(counts.cost.0);
        }
    }
    assert!(costs[2] < costs[0] && costs[3] < costs[1], "{costs:?}");
}
