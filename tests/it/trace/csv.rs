//! The project's own CSV: what rows state arrives in the requests, and what they do not is drawn as
//! if nothing had been stated.

use super::gzip;
use crate::support::scenario_in;
use proptest::prelude::*;
use routelab::request::{Request, RequestPriority, RequestType};
use routelab::rng::Streams;
use routelab::time::Timestamp;
use routelab::workload::Workload;
use routelab::workload::trace::{Names, Trace, TraceError, TraceOptions};

const SCENARIO: &str = r#"question = "?"
expectation = "."
latency_objective = "5s"
strategies = ["random"]

[models.big]
prices = { input = "$3/Mtok", output = "$15/Mtok" }
service = { total = "1s" }

[models."small, cheap"]
prices = { input = "$3/Mtok", output = "$15/Mtok" }
service = { total = "1s" }

[regions]
names = ["us", "eu"]
round_trips = [["2ms", "80ms"], ["80ms", "2ms"]]

[[accounts]]
id = "one"
provider = "anthropic"
region = "us"
models = ["big", "small, cheap"]

[workload]
arrivals = "trace"
format = "csv"
path = "trace.csv"

[[workload.classes]]
name = "chat"
model = "big"
streaming_share = 0.5
cached_input_share = 0.5
max_output_tokens = 2000
regions = { us = 1, eu = 1 }

[[workload.classes]]
name = "nightly"
weight = 0
model = "small, cheap"
priority = "low"
request_type = "analysis"
"#;

fn requests_in(csv: impl AsRef<[u8]>) -> Vec<(Timestamp, Request)> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("trace.csv"), csv).unwrap();
    let scenario = scenario_in(directory.path(), "replay", SCENARIO);
    let mut workload = Workload::new(&scenario.workload, Streams::new(1, 0));
    std::iter::from_fn(|| workload.take()).collect()
}

const ALL_COLUMNS: &str = "\
model,region,arrival_s,class,input_tokens,cached_input_tokens,output_tokens,max_output_tokens,\
priority,request_type,streaming
big,eu,1785608146.5,nightly,100,70,30,40,critical,code,true
\"small, cheap\",us,1785608147,chat,101,0,3000,3000,high,chat,false
,,1785608147.000000001,,102,,3000,,,,
";

#[test]
fn what_rows_state_arrives_in_the_requests() {
    for bytes in [
        ALL_COLUMNS.as_bytes().to_vec(),
        gzip(ALL_COLUMNS.as_bytes()),
    ] {
        let requests = requests_in(bytes);
        let arrivals: Vec<u64> = requests.iter().map(|(at, _)| at.as_nanos()).collect();
        assert_eq!(arrivals, [0, 500_000_000, 500_000_001]);

        let (first, features) = (&requests[0].1, &requests[0].1.features);
        assert_eq!((first.class.at(), features.model.at()), (1, 0));
        assert_eq!(features.user_region.unwrap().at(), 1);
        assert_eq!(features.estimated_tokens, 100);
        assert_eq!(features.max_output_tokens, Some(40));
        assert_eq!(features.priority, RequestPriority::Critical);
        assert_eq!(features.request_type, RequestType::Code);
        assert!(features.streaming);
        let tokens = first.tokens;
        assert_eq!(
            (tokens.input, tokens.cached_input, tokens.output),
            (100, 70, 30)
        );

        // The row's own limit takes the place of the class's.
        let (second, features) = (&requests[1].1, &requests[1].1.features);
        assert_eq!((second.class.at(), features.model.at()), (0, 1));
        assert_eq!(
            (second.tokens.cached_input, second.tokens.output),
            (0, 3000)
        );
        assert!(!features.streaming);

        let (third, features) = (&requests[2].1, &requests[2].1.features);
        assert_eq!((third.class.at(), features.model.at()), (0, 0));
        assert_eq!((third.tokens.cached_input, third.tokens.output), (51, 2000));
        assert_eq!(features.priority, RequestPriority::Normal);
    }
}

/// Stating a column changes that column: nothing else is drawn otherwise.
#[test]
fn one_stated_column_moves_no_other() {
    let with = |column: &str, value: &str| {
        let mut text = format!("arrival_s,input_tokens,output_tokens{column}\n");
        for second in 0..200 {
            text += &format!("{second},10,10{value}\n");
        }
        requests_in(text)
    };
    let plain = with("", "");
    for (column, value) in [
        (",streaming", ",true"),
        (",region", ",us"),
        (",model", ",big"),
        (",priority", ",critical"),
        (",class", ",chat"),
    ] {
        let stated = with(column, value);
        for ((at, request), (_, plain)) in stated.iter().zip(&plain) {
            let mut expected = *plain;
            match column {
                ",streaming" => expected.features.streaming = true,
                ",region" => {
                    expected.features.user_region = Some(routelab::request::RegionIndex(0));
                }
                ",priority" => expected.features.priority = RequestPriority::Critical,
                _ => {}
            }
            assert_eq!(*request, expected, "{column} at {at}");
        }
    }
    let drawn = |f: fn(&Request) -> bool| plain.iter().filter(|(_, r)| f(r)).count();
    assert!((60..140).contains(&drawn(|r| r.features.streaming)));
    assert!((60..140).contains(&drawn(|r| r.features.user_region.unwrap().at() == 1)));
}

fn read(text: impl AsRef<[u8]>) -> Result<Trace, TraceError> {
    let name = |name: &str| vec![name.to_owned()];
    let (classes, models, regions) = (name("chat"), name("big"), name("us"));
    let names = Names {
        classes: &classes,
        models: &models,
        regions: &regions,
    };
    Trace::read_csv(text.as_ref(), &names, &TraceOptions::default())
}

#[test]
fn the_same_times_in_three_spellings() {
    let trace = |column, times: [&str; 3]| {
        let rows = times.map(|time| format!("{time},1,1\n")).concat();
        read(format!("{column},input_tokens,output_tokens\n{rows}")).unwrap()
    };
    let seconds = trace("arrival_s", ["7.25", "7.5", "9"]);
    let milliseconds = trace("arrival_ms", ["0", "250", "1750.000000"]);
    let dates = [
        "2026-12-31T23:59:59.25Z",
        "2026-12-31 23:59:59.5",
        "2027-01-01T02:00:01+02:00",
    ];
    assert_eq!(seconds, milliseconds);
    assert_eq!(seconds, trace("timestamp", dates));
}

#[test]
fn rows_that_state_nothing_more_cost_nothing_more() {
    let plain = read("arrival_s,input_tokens,output_tokens,class\n1,1,1,\n2,1,1,\n").unwrap();
    assert_eq!(plain.details(0), None);
    let stated = read("arrival_s,input_tokens,output_tokens,class\n1,1,1,\n2,1,1,chat\n").unwrap();
    assert_eq!(
        stated.details(0),
        Some(routelab::workload::trace::RowDetails::default())
    );
    assert_eq!(stated.details(1).unwrap().class.unwrap().at(), 0);
    assert_eq!(stated.details(2), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let header = b"arrival_s,input_tokens,output_tokens,class,streaming\n";
        let _ = read(&bytes);
        let _ = read([header.as_slice(), &bytes].concat());
        let _ = read(gzip(&bytes));
    }

    #[test]
    fn damaged_texts_are_read_or_refused(
        at: prop::sample::Index, length in 0usize..12, piece in "[-0-9.,\"a\n]{0,6}|\\PC{0,6}",
    ) {
        let text = ALL_COLUMNS.replace("\"small, cheap\"", "big").replace("nightly", "chat");
        prop_assert!(read(text.replace(",eu,", ",us,")).is_ok());
        let mut text = text.into_bytes();
        let from = at.index(text.len());
        let to = (from + length).min(text.len());
        text.splice(from..to, piece.bytes());
        if let Err(error) = read(&text) {
            prop_assert!(error.line >= 1 && error.column >= 1);
        }
    }
}
