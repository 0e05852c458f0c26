//! Traces that are wrong: each with the whole message that the user of a scenario sees.

use routelab::experiment::scenario::{self, Overrides};

/// A scenario with a trace beside it; `[workload]` is completed by each test.
const SCENARIO: &str = r#"question = "What is wrong with the trace?"
expectation = "The message says it."
replications = 1
strategies = ["round_robin"]

[models.claude-sonnet]
context_window = 200_000
prices = { input = "$3/Mtok", output = "$15/Mtok" }
service = { total = "1s" }

[models.gemini-flash]
prices = { input = "$1/Mtok", output = "$5/Mtok" }
service = { total = "1s" }

[regions]
names = ["us-east", "eu-west"]
round_trips = [["2ms", "80ms"], ["80ms", "2ms"]]

[[accounts]]
id = "claude"
provider = "anthropic"
region = "us-east"
models = ["claude-sonnet"]

[[workload.classes]]
name = "chat"
model = "claude-sonnet"

[[workload.classes]]
name = "nightly"
model = "claude-sonnet"

[workload]
arrivals = "trace"
path = "trace.log"
"#;

/// What is said of a scenario with these keys at its end and this trace beside it.
fn findings(keys: &str, trace: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("trace.log"), trace).unwrap();
    let text = format!("{SCENARIO}{keys}");
    match scenario::parse(
        "broken.toml",
        &text,
        directory.path(),
        &Overrides::default(),
    ) {
        Ok(loaded) => format!("accepted, with\n\n{}", loaded.warnings),
        Err(found) => found.render(false),
    }
}

/// A test per broken trace: name, keys of `[workload]`, text of the file.
macro_rules! broken {
    ($($name:ident: $keys:expr, $trace:expr;)+) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(findings($keys, $trace.as_bytes()));
        })+
    };
}

const MOONCAKE: &str = "format = \"mooncake\"\n";
const PREFIX: &str = "format = \"mooncake\"\ncached_input = \"prefix\"\n";
const CSV: &str = "format = \"csv\"\n";
const SPREAD: &str = "format = \"csv\"\nspread = \"even\"\n";
const LINE: &str =
    r#"{"timestamp": 0, "input_length": 600, "output_length": 9, "hash_ids": [1, 2]}"#;
const ROWS: &str = "arrival_s,input_tokens,output_tokens\n0,10,10\n1,10,10\n";

/// A good first line, then this one.
fn second(line: &str) -> String {
    format!("{LINE}\n{line}\n")
}

broken! {
    mooncake_empty_file: MOONCAKE, "";
    mooncake_empty_line: MOONCAKE, second("");
    mooncake_not_json: MOONCAKE, second("timestamp=1 input_length=600");
    mooncake_line_breaks_off: MOONCAKE, second(r#"{"timestamp": 1, "input_le"#);
    mooncake_two_rows_on_a_line: MOONCAKE, format!("{LINE}{LINE}");
    mooncake_an_array: MOONCAKE, second("[1, 600, 9, [1, 2]]");
    mooncake_missing_key: MOONCAKE, second(r#"{"timestamp": 1, "input_length": 600}"#);
    mooncake_key_twice: MOONCAKE, second(r#"{"timestamp": 1, "timestamp": 2}"#);
    mooncake_key_of_another_format: MOONCAKE,
        r#"{"chat_id": 159, "timestamp": 61.114, "input_length": 521, "output_length": 132}"#;
    mooncake_fraction_of_a_millisecond: MOONCAKE,
        second(r#"{"timestamp": 1.5, "input_length": 600, "output_length": 9}"#);
    mooncake_number_in_quotes: MOONCAKE,
        second(r#"{"timestamp": 1, "input_length": "600", "output_length": 9}"#);
    mooncake_negative_length: MOONCAKE,
        second(r#"{"timestamp": 1, "input_length": -600, "output_length": 9}"#);
    mooncake_length_too_large: MOONCAKE,
        second(r#"{"timestamp": 1, "input_length": 600, "output_length": 4294967296}"#);
    mooncake_time_goes_back: MOONCAKE, format!(
        "{}{}",
        second(r#"{"timestamp": 3000, "input_length": 600, "output_length": 9}"#),
        r#"{"timestamp": 2999, "input_length": 600, "output_length": 9}"#
    );
    mooncake_hashes_missing: PREFIX,
        second(r#"{"timestamp": 1, "input_length": 600, "output_length": 9}"#);
    mooncake_blocks_of_another_size: PREFIX, second(
        r#"{"timestamp": 1, "input_length": 60, "output_length": 9, "hash_ids": [1, 2, 3, 4]}"#
    );
    mooncake_hash_is_text: PREFIX, second(
        r#"{"timestamp": 1, "input_length": 60, "output_length": 9, "hash_ids": ["a1"]}"#
    );
    csv_empty_file: CSV, "";
    csv_unknown_column: CSV, "arrival_s,inputtokens,output_tokens\n0,10,10\n";
    csv_column_twice: CSV, "arrival_s,input_tokens,output_tokens,input_tokens\n0,10,10,10\n";
    csv_two_columns_with_the_time: CSV, "arrival_s,timestamp,input_tokens,output_tokens\n";
    csv_without_a_time: CSV, "model,input_tokens,output_tokens\nclaude-sonnet,10,10\n";
    csv_without_tokens: CSV, "arrival_s,input_tokens\n0,10\n";
    csv_header_of_azure: CSV, "TIMESTAMP,ContextTokens,GeneratedTokens\n";
    csv_no_rows: CSV, "arrival_s,input_tokens,output_tokens\n";
    csv_too_few_fields: CSV, format!("{ROWS}2,10\n");
    csv_too_many_fields: CSV, format!("{ROWS}2,10,10,10\n");
    csv_quotation_not_closed: CSV, "arrival_s,input_tokens,output_tokens,model\n0,1,1,\"big\n";
    csv_tokens_not_stated: CSV, format!("{ROWS}2,10,\n");
    csv_time_with_an_exponent: CSV, format!("{ROWS}1.7856e9,10,10\n");
    csv_time_in_milliseconds_too_fine: CSV,
        "arrival_ms,input_tokens,output_tokens\n0.1234567,10,10\n";
    csv_date_does_not_exist: CSV,
        "timestamp,input_tokens,output_tokens\n2026-02-29T12:00:00Z,10,10\n";
    csv_date_in_another_form: CSV, "timestamp,input_tokens,output_tokens\n01.08.2026,10,10\n";
    csv_time_goes_back: CSV, format!("{ROWS}0.999999999,10,10\n");
    csv_unknown_model: CSV,
        "arrival_s,model,input_tokens,output_tokens\n0,claude-sonet,10,10\n";
    csv_model_served_by_nobody: CSV,
        "arrival_s,model,input_tokens,output_tokens\n0,gemini-flash,10,10\n";
    csv_unknown_region: CSV, "arrival_s,region,input_tokens,output_tokens\n0,asia,10,10\n";
    csv_unknown_class: CSV, "arrival_s,class,input_tokens,output_tokens\n0,Nightly,10,10\n";
    csv_unknown_priority: CSV, "arrival_s,priority,input_tokens,output_tokens\n0,urgent,10,10\n";
    csv_unknown_streaming: CSV, "arrival_s,streaming,input_tokens,output_tokens\n0,1,10,10\n";
    csv_more_cached_than_input: CSV,
        "cached_input_tokens,arrival_s,input_tokens,output_tokens\n11,0,10,10\n";
    csv_more_output_than_its_maximum: CSV,
        "max_output_tokens,arrival_s,input_tokens,output_tokens\n9,0,10,10\n";
    csv_limit_of_nothing: CSV,
        "arrival_s,input_tokens,output_tokens,max_output_tokens\n0,10,0,0\n";
    csv_longer_than_any_context: CSV,
        "arrival_s,input_tokens,output_tokens\n0,200001,10\n1,10,10\n2,300000,10\n";
    spread_without_a_quantum: SPREAD, "arrival_s,input_tokens,output_tokens\n7,1,1\n7,1,1\n";
    rows_decades_apart: CSV, "arrival_s,input_tokens,output_tokens\n0,1,1\n2000000000,1,1\n";
    repeated_beyond_time: "format = \"csv\"\nrepeat = 1_000_000\nrate_scale = 0.0001\n", ROWS;
}

/// Mistakes in the scenario itself.
#[test]
fn keys_that_contradict_each_other() {
    let cases = [
        (
            "unknown words",
            "format = \"moncake\"\nspread = \"evenly\"\n",
        ),
        (
            "numbers",
            "format = \"azure\"\nrepeat = 0\nspread = \"even\"\nquantum = \"0s\"\n",
        ),
        (
            "keys without their partner",
            "format = \"csv\"\ncached_input = \"none\"\nquantum = \"3s\"\n",
        ),
        (
            "a share beside a trace that states it",
            "format = \"mooncake\"\ncached_input = \"prefix\"\n\
             [[workload.classes]]\nname = \"c\"\nmodel = \"claude-sonnet\"\n\
             cached_input_share = 0.5\n",
        ),
    ];
    let messages =
        cases.map(|(what, keys)| format!("=== {what}\n{}\n", findings(keys, LINE.as_bytes())));
    insta::assert_snapshot!(messages.concat());
}

/// What looks right in one format is refused with a hint in the others.
#[test]
fn a_trace_in_another_format_than_stated() {
    let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n";
    let mut messages = String::new();
    for (format, trace) in [
        ("azure", ROWS),
        ("azure", LINE),
        ("mooncake", azure),
        ("csv", LINE),
    ] {
        messages += &findings(&format!("format = \"{format}\"\n"), trace.as_bytes());
        messages += "\n\n";
    }
    insta::assert_snapshot!(messages);
}

/// A class that is itself wrong is no reason to doubt the names in the trace.
#[test]
fn names_are_not_looked_up_in_what_is_broken() {
    let keys = format!("{CSV}[[workload.classes]]\nname = \"other\"\nmodel = \"claude\"\n");
    let trace = "arrival_s,class,input_tokens,output_tokens\n0,other,10,10\n";
    let message = findings(&keys, trace.as_bytes());
    assert!(message.contains("unknown model `claude`"), "{message}");
    assert!(message.ends_with("1 error"), "{message}");
}
