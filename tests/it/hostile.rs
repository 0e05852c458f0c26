//! Shipped scenarios, maimed: never a panic, never a run without end.
//!
//! `scenario_errors` does the same to the parser alone, with worse texts. Here most files are still
//! good, or good in a way that nobody meant, and those are run.

use crate::support;
use proptest::prelude::*;
use routelab::experiment::scenario::{Overrides, Scenario, parse};
use routelab::time::{Duration, Timestamp};
use std::path::Path;

/// The shipped scenarios that need no other file, and one that uses the whole format.
const FILES: [&str; 5] = [
    include_str!("../../scenarios/outage.toml"),
    include_str!("../../scenarios/flash-crowd.toml"),
    include_str!("../../scenarios/rate-limit-storm.toml"),
    include_str!("../../scenarios/heterogeneous.toml"),
    include_str!("everything.toml"),
];

/// Values of every type, the smallest, the largest, and none at all.
const VALUES: [&str; 40] = [
    "0",
    "1",
    "-1",
    "2",
    "1e-300",
    "1e300",
    "nan",
    "inf",
    "-inf",
    "9223372036854775807",
    "18446744073709551616",
    "0.5",
    "true",
    "false",
    "\"\"",
    "\" \"",
    "\"none\"",
    "\"never\"",
    "\"all\"",
    "\"unlimited\"",
    "\"0s\"",
    "\"1ns\"",
    "\"1ms\"",
    "\"1s\"",
    "\"1h\"",
    "\"36500d\"",
    "\"0rps\"",
    "\"0.001rps\"",
    "\"1000000rps\"",
    "\"$0/Mtok\"",
    "\"$1000000/Mtok\"",
    "[]",
    "{}",
    "[[]]",
    "[0, 1]",
    "1979-05-27",
    "\"\\u0000\"",
    "\"\u{202e}☃\u{301}\"",
    "{ kind = \"pareto\", low = \"1ns\", high = \"36500d\", shape = 0.01 }",
    "{ kind = \"lognormal\", median = \"1s\", sigma = 10 }",
];

/// What is done to a line.
#[derive(Clone, Debug)]
enum Maim {
    Delete,
    Double,
    Value(&'static str),
    /// Every number in it becomes this.
    Number(&'static str),
    Insert(String),
}

fn maim() -> impl proptest::strategy::Strategy<Value = Maim> {
    let numbers = [
        "0",
        "1",
        "1000",
        "1000000000",
        "0.000001",
        "99999999999999999999",
    ];
    prop_oneof![
        1 => Just(Maim::Delete),
        1 => Just(Maim::Double),
        4 => prop::sample::select(VALUES.to_vec()).prop_map(Maim::Value),
        4 => prop::sample::select(numbers.to_vec()).prop_map(Maim::Number),
        1 => "\\PC{0,20}".prop_map(Maim::Insert),
    ]
}

fn with_numbers(line: &str, number: &str) -> String {
    let mut out = String::new();
    let mut within = false;
    for c in line.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !within {
            out.push_str(number);
        }
        within = c.is_ascii_digit();
    }
    out
}

fn maimed(line: &str, how: &Maim) -> String {
    match (how, line.split_once(" = ")) {
        (Maim::Delete, _) => String::new(),
        (Maim::Double, _) => format!("{line}\n{line}"),
        (Maim::Value(value), Some((key, _))) => format!("{key} = {value}"),
        (Maim::Number(number), Some((key, value))) => {
            format!("{key} = {}", with_numbers(value, number))
        }
        (Maim::Insert(text), _) => format!("{line}\n{text}"),
        (_, None) => line.to_owned(),
    }
}

/// Whether a run ends within a second or so: what a scenario asks for is its author's business.
fn is_small(scenario: &Scenario) -> bool {
    let end = Timestamp::ZERO + scenario.duration;
    let requests = scenario.workload.arrivals.expected_before(end);
    requests.is_some_and(|requests| requests < 50_000.0)
        && scenario.duration < Duration::from_secs(100_000)
        && scenario.accounts.len() < 2_000
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The engine asserts its invariants on the way; a broken one fails the test.
    #[test]
    fn maimed_scenarios_are_refused_or_run(
        file in prop::sample::select(FILES.to_vec()),
        lines in prop::collection::vec((any::<prop::sample::Index>(), maim()), 1..4),
        strategy in prop::sample::select(vec!["smart", "least_connections", "geographic"]),
    ) {
        let mut text: Vec<String> = file
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        for (line, how) in lines {
            let at = line.index(text.len());
            text[at] = maimed(&text[at], &how);
        }
        let text = text.join("\n");
        let overrides = Overrides {
            replications: Some(1),
            strategies: Some(vec![strategy.into()]),
            ..Overrides::default()
        };
        match parse("maimed.toml", &text, Path::new("/nonexistent"), &overrides) {
            Err(found) => prop_assert!(!found.render(false).is_empty()),
            Ok(loaded) if is_small(&loaded.scenario) => {
                let results = support::results(&loaded.scenario, 1);
                let counts = results.strategies[0].replications[0].counts;
                let ended = counts.successes + counts.failures + counts.rejections;
                prop_assert_eq!(counts.requests, ended);
            }
            Ok(_) => {}
        }
    }
}

/// What is thrown at the engine is not always refused before: unmaimed, all of it is run.
#[test]
fn what_is_whole_is_run() {
    for file in FILES {
        let overrides = Overrides::default();
        let loaded = parse("whole.toml", file, Path::new("."), &overrides);
        assert!(is_small(
            &loaded.unwrap_or_else(|found| panic!("{found}")).scenario
        ));
    }
}

/// A good trace of each format: name, header, and rows of two numbers after a time in milliseconds.
const TRACES: [(&str, &str, &str); 3] = [
    (
        "azure",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n",
        "2024-05-10 00:00:0T.0,I,O\n",
    ),
    (
        "mooncake",
        "",
        "{\"timestamp\": T000, \"input_length\": I, \"output_length\": O, \"hash_ids\": [1, 2]}\n",
    ),
    ("csv", "arrival_s,input_tokens,output_tokens\n", "T,I,O\n"),
];

/// Nine requests, one a second, at one account.
const REPLAY: &str = r#"
    question = "What if the trace is broken?"
    expectation = "It is said."
    strategies = ["round_robin"]
    replications = 1
    models = { m = {} }
    accounts = [{ id = "a", provider = "custom", models = ["m"], service = { total = "1s" } }]
    workload = { arrivals = "trace", path = "trace", format = "FORMAT", classes = [
        { name = "all", model = "m" },
    ] }
    "#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Traces in which stretches are cut, doubled and overwritten, by text or by any bytes.
    #[test]
    fn maimed_traces_are_refused_or_replayed(
        (format, header, row) in prop::sample::select(TRACES.to_vec()),
        cuts in prop::collection::vec(
            (any::<prop::sample::Index>(), 0usize..12, prop_oneof![
                prop::collection::vec(any::<u8>(), 0..6),
                "[0-9]{0,25}".prop_map(String::into_bytes),
                "[-+.,eE\"{}\\[\\]\n]{0,3}".prop_map(String::into_bytes),
            ]),
            0..4,
        ),
    ) {
        let rows = (1..=9).map(|t| {
            row.replace('T', &t.to_string()).replace('I', "600").replace('O', "7")
        });
        let mut bytes = (header.to_owned() + &rows.collect::<String>()).into_bytes();
        let whole = cuts.is_empty();
        for (at, length, put) in cuts {
            let start = at.index(bytes.len().max(1)).min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, put);
        }
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("trace"), &bytes).unwrap();
        let text = REPLAY.replace("FORMAT", format);
        match parse("replay.toml", &text, directory.path(), &Overrides::default()) {
            Err(found) => {
                let message = found.render(false);
                prop_assert!(!whole && message.contains("trace"), "{}", message);
            }
            Ok(loaded) => {
                let results = support::results(&loaded.scenario, 1);
                let counts = results.strategies[0].replications[0].counts;
                let ended = counts.successes + counts.failures + counts.rejections;
                prop_assert_eq!(counts.simulated, ended);
                prop_assert!(!whole || counts.simulated == 9);
            }
        }
    }
}
