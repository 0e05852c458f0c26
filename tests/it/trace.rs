//! Reading traces: the real one, written ones, broken ones, and any bytes at all.

mod csv;
mod mooncake;
mod replay;

use crate::support::{data, skipped};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use routelab::distribution::Distribution;
use routelab::request::{ModelIndex, Request, RequestPriority, RequestType, UserPreferences};
use routelab::rng::Streams;
use routelab::time::{Duration, Timestamp};
use routelab::workload::Workload;
use routelab::workload::config::{Arrivals, RequestClass, WorkloadConfig};
use routelab::workload::trace::{Trace, TraceError, TraceOptions, TraceRow};
use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;

const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

fn read(text: impl AsRef<[u8]>) -> Result<Trace, TraceError> {
    Trace::read_azure_csv(text.as_ref(), &TraceOptions::default())
}

fn read_with(text: &str, options: TraceOptions) -> Result<Trace, TraceError> {
    Trace::read_azure_csv(text.as_bytes(), &options)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Counted by `zcat | awk -F, 'NR>1{n++;a+=$2;b+=$3} END{print n,a,b}'`, and the first and last
/// line's times subtracted by hand: 18:15:46.6805900 and 19:14:08.4025270.
#[test]
fn every_row_of_the_azure_trace_becomes_a_request() {
    let Some(path) = data("azure2023_conv.csv.gz") else {
        return skipped("the Azure trace is not there; set ROUTELAB_DATA to its folder");
    };
    let file = File::open(path).unwrap();
    let trace = Arc::new(Trace::read_azure_csv(file, &TraceOptions::default()).unwrap());
    assert_eq!(trace.len(), 19_366);
    assert_eq!(trace.input_tokens(), 22_361_870);
    assert_eq!(trace.output_tokens(), 4_088_665);
    assert_eq!(trace.duration().as_nanos(), 3_501_721_937_000);

    let requests = requests_of(&trace);
    assert_eq!(requests.len(), 19_366);
    let sum = |f: fn(&Request) -> u32| requests.iter().map(|(_, r)| u64::from(f(r))).sum::<u64>();
    assert_eq!(sum(|r| r.tokens.input), 22_361_870);
    assert_eq!(sum(|r| r.tokens.output), 4_088_665);
    for ((at, request), row) in requests.iter().zip(trace.rows()) {
        let found = (*at, request.tokens.input, request.tokens.output);
        assert_eq!(found, (row.arrival, row.input_tokens, row.output_tokens));
    }
}

fn requests_of(trace: &Arc<Trace>) -> Vec<(Timestamp, Request)> {
    requests_of_replication(trace, 0)
}

fn requests_of_replication(trace: &Arc<Trace>, replication: u32) -> Vec<(Timestamp, Request)> {
    let config = WorkloadConfig {
        arrivals: Arrivals::Trace(Arc::clone(trace)),
        classes: vec![RequestClass {
            name: "recorded".into(),
            weight: 1.0,
            model: ModelIndex(0),
            input_tokens: Distribution::constant(1.0).unwrap(),
            output_tokens: Distribution::constant(1.0).unwrap(),
            cached_input_share: 0.0,
            max_output_tokens: None,
            priority: RequestPriority::Normal,
            request_type: RequestType::Chat,
            streaming_share: 1.0,
            regions: vec![],
            preferences: UserPreferences::default(),
            repeats: None,
        }],
        end: Timestamp::ZERO + trace.end(),
    };
    let mut workload = Workload::new(&config, Streams::new(1, replication));
    std::iter::from_fn(|| workload.take()).collect()
}

const THREE: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                     2023-12-31 23:59:59.0000001,374,44\n\
                     2024-01-01 00:00:00.0000001,0,0\n\
                     2024-01-01 00:00:02.5000001+00:00,4294967295,4294967295\n";

fn arrivals(trace: &Trace) -> Vec<u64> {
    trace
        .rows()
        .iter()
        .map(|row| row.arrival.as_nanos())
        .collect()
}

#[test]
fn a_small_trace() {
    let trace = read(THREE).unwrap();
    assert_eq!(arrivals(&trace), [0, 1_000_000_000, 3_500_000_000]);
    assert_eq!(trace.rows()[0].input_tokens, 374);
    assert_eq!(trace.rows()[0].output_tokens, 44);
    assert_eq!(trace.len(), 3);
    assert_eq!(trace.input_tokens(), 374 + 4_294_967_295);
    assert_eq!(trace.output_tokens(), 44 + 4_294_967_295);
    assert_eq!(trace.duration(), Duration::from_millis(3500));
}

#[test]
fn the_same_rows_in_other_bytes() {
    let expected = read(THREE).unwrap();
    let windows = THREE.replace('\n', "\r\n");
    for text in [
        windows.clone(),
        THREE.trim_end().to_owned(),
        windows.trim_end().to_owned(),
        format!("\u{feff}{THREE}"),
        format!("{}\r", THREE.trim_end()),
    ] {
        assert_eq!(read(&text).as_ref(), Ok(&expected), "{text:?}");
        assert_eq!(
            read(gzip(text.as_bytes())).as_ref(),
            Ok(&expected),
            "{text:?}"
        );
    }
    let (head, tail) = THREE.split_at(70);
    let members = [gzip(head.as_bytes()), gzip(tail.as_bytes())].concat();
    assert_eq!(read(members), Ok(expected));
}

#[test]
fn options() {
    let with = |options| arrivals(&read_with(THREE, options).unwrap());
    let default = TraceOptions::default();
    let scaled = |rate_scale| TraceOptions {
        rate_scale,
        ..default
    };
    let slice = |start, end| Some((Duration::from_millis(start), Duration::from_millis(end)));
    let sliced = |start, end| TraceOptions {
        slice: slice(start, end),
        ..default
    };
    assert_eq!(with(scaled(2.0)), [0, 500_000_000, 1_750_000_000]);
    assert_eq!(with(scaled(0.5)), [0, 2_000_000_000, 7_000_000_000]);
    assert_eq!(with(scaled(3.0)), [0, 333_333_333, 1_166_666_667]);
    assert_eq!(with(sliced(0, 1000)), [0]);
    assert_eq!(with(sliced(0, 1001)), [0, 1_000_000_000]);
    assert_eq!(with(sliced(400, 9000)), [600_000_000, 3_100_000_000]);
    assert_eq!(
        with(TraceOptions {
            limit: Some(2),
            ..default
        }),
        [0, 1_000_000_000]
    );
    let all = TraceOptions {
        rate_scale: 4.0,
        slice: slice(1000, 3501),
        limit: Some(1),
        ..default
    };
    assert_eq!(with(all), [0]);
    assert_eq!(with(TraceOptions { limit: None, ..all }), [0, 625_000_000]);
}

#[test]
fn options_that_leave_nothing() {
    let default = TraceOptions::default();
    let slice = |start, end| TraceOptions {
        slice: Some((Duration::from_secs(start), Duration::from_secs(end))),
        ..default
    };
    let scaled = |rate_scale| TraceOptions {
        rate_scale,
        ..default
    };
    let no_row = "no row lies in the slice; it counts from the first row of the trace";
    for (options, line, message) in [
        (slice(9, 99), 5, no_row),
        (slice(2, 0), 2, no_row),
        (
            TraceOptions {
                limit: Some(0),
                ..default
            },
            1,
            "a limit of 0 leaves no row; at least 1 is needed",
        ),
        (
            scaled(0.0),
            1,
            "cannot scale by 0; allowed is a number above 0",
        ),
        (
            scaled(-2.0),
            1,
            "cannot scale by -2; allowed is a number above 0",
        ),
        (
            scaled(f64::NAN),
            1,
            "cannot scale by NaN; allowed is a number above 0",
        ),
        (
            scaled(f64::INFINITY),
            1,
            "cannot scale by inf; allowed is a number above 0",
        ),
        (
            scaled(1e-12),
            3,
            "the row arrives more than 100 years after the start; \
             check the dates and the rate scale",
        ),
    ] {
        let error = read_with(THREE, options).unwrap_err();
        assert_eq!(
            (error.line, error.column, error.message.as_str()),
            (line, 1, message)
        );
    }
}

/// A text is refused, at this place, with this message.
fn assert_refused(text: impl AsRef<[u8]>, line: u64, column: usize, message: &str) {
    let error = read(text).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("line {line}, column {column}: {message}")
    );
}

/// The same for the rows below a valid header and a valid row; line 3 is the first of them.
fn assert_rows_refused(rows: &str, line: u64, column: usize, message: &str) {
    let text = format!("{HEADER}2023-11-16 18:15:46.68,374,44\n{rows}");
    assert_refused(text, line, column, message);
}

#[test]
fn broken_headers() {
    const EXPECTED: &str = "expected \"TIMESTAMP,ContextTokens,GeneratedTokens\"";
    let missing = format!("the header is missing; {EXPECTED}");
    assert_refused("", 1, 1, &missing);
    assert_refused(gzip(b""), 1, 1, &missing);
    assert_refused("\n", 1, 1, &missing);
    for (text, column, shown) in [
        (
            "2023-11-16 18:15:46.68,374,44\n",
            1,
            "\"2023-11-16 18:15:46.68,374,44\"",
        ),
        (
            "TIMESTAMP,ContextTokens\n",
            24,
            "\"TIMESTAMP,ContextTokens\"",
        ),
        (
            "TIMESTAMP,contexttokens\n",
            11,
            "\"TIMESTAMP,contexttokens\"",
        ),
        ("\u{1f}", 1, "\"\\u{1f}\""),
        (&"ü".repeat(100), 1, &format!("\"{}\"...", "ü".repeat(48))),
    ] {
        let message = format!("{shown} is not the header of an Azure trace; {EXPECTED}");
        assert_refused(text, 1, column, &message);
    }
    assert_refused(HEADER, 2, 1, "the trace has no rows; at least 1 is needed");
}

#[test]
fn broken_fields() {
    const EXPECTED: &str = "expected 3: TIMESTAMP,ContextTokens,GeneratedTokens";
    for (rows, column, problem) in [
        ("\n", 1, "an empty line"),
        ("2023-11-16 18:15:47\n", 20, "1 field only"),
        ("2023-11-16 18:15:47,1\n", 22, "2 fields only"),
        ("2023-11-16 18:15:47,1,2,3\n", 25, "a fourth field"),
        ("2023-11-16 18:15:47,1,2,\n", 25, "a fourth field"),
    ] {
        assert_rows_refused(rows, 3, column, &format!("{problem}; {EXPECTED}"));
    }
}

#[test]
fn broken_numbers() {
    for (fields, column, problem) in [
        ("12x,44", 21, "ContextTokens \"12x\" is not a whole number"),
        (",44", 21, "ContextTokens \"\" is not a whole number"),
        (
            "374, 44",
            25,
            "GeneratedTokens \" 44\" is not a whole number",
        ),
        (
            "374,4.5",
            25,
            "GeneratedTokens \"4.5\" is not a whole number",
        ),
        ("374,+4", 25, "GeneratedTokens \"+4\" is not a whole number"),
        ("374,-44", 25, "GeneratedTokens \"-44\" is negative"),
        (
            "4294967296,44",
            21,
            "ContextTokens \"4294967296\" is too large",
        ),
        (
            "1,99999999999999999999",
            23,
            "GeneratedTokens \"99999999999999999999\" is too large",
        ),
    ] {
        let row = format!("2023-11-16 18:15:47,{fields}\n");
        assert_rows_refused(
            &row,
            3,
            column,
            &format!("{problem}; allowed are 0 to 4294967295"),
        );
    }
}

#[test]
fn broken_times() {
    const DATES: &str = "is on no valid date; allowed are the dates of 1970 to 2499";
    const TIMES: &str = "is at no valid time; the last time of a day is 23:59:59.999999999";
    const SHAPE: &str = "is not a time such as 2023-11-16 18:15:46.6805900";
    for (timestamp, problem) in [
        ("2023-02-29 18:15:46", DATES),
        ("1969-11-16 18:15:46", DATES),
        ("2023-11-16 24:15:46", TIMES),
        ("2023-11-16 18:60:46", TIMES),
        ("16.11.2023 18:15", SHAPE),
        ("1700158546.68", SHAPE),
        ("", SHAPE),
    ] {
        let message = format!("TIMESTAMP \"{timestamp}\" {problem}");
        assert_rows_refused(&format!("{timestamp},1,1\n"), 3, 1, &message);
    }
    let back = "time goes back: the row is earlier than the one before it; \
                rows must be in order of time";
    assert_rows_refused("2023-11-16 18:15:46.6799999,1,1\n", 3, 1, back);
    let far = "the row arrives more than 100 years after the start; \
               check the dates and the rate scale";
    assert_rows_refused("2124-11-16 18:15:46,1,1\n", 3, 1, far);
}

#[test]
fn broken_bytes() {
    let binary = [HEADER.as_bytes(), b"2023-11-16 18:15:46,3\xff4,1\n"].concat();
    assert_refused(binary, 2, 22, "byte 0xff is not UTF-8 text");
    let long = "x".repeat(2 << 20);
    assert_rows_refused(&long, 3, 1, "the line is longer than 1048576 bytes");
    let packed = gzip(THREE.as_bytes());
    let breaks_off = "the gzip data breaks off here; the file is not complete";
    assert_refused(&packed[..packed.len() - 1], 5, 1, breaks_off);
    assert_refused(&packed[..2], 1, 1, breaks_off);
    let mut damaged = packed;
    damaged[14] ^= 0xff;
    let message = "the gzip data is damaged here (corrupt deflate stream)";
    assert_refused(damaged, 1, 1, message);
}

/// A reader that fails, as a file on a broken disk does.
struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("broken disk"))
    }
}

#[test]
fn a_failing_reader() {
    let rest = HEADER.as_bytes().chain(Failing);
    for (error, line) in [
        (Trace::read_azure_csv(Failing, &TraceOptions::default()), 1),
        (Trace::read_azure_csv(rest, &TraceOptions::default()), 2),
    ] {
        let message = format!("line {line}, column 1: cannot be read (broken disk)");
        assert_eq!(error.unwrap_err().to_string(), message);
    }
}

#[test]
fn what_follows_the_last_row_wanted_is_not_looked_at() {
    let text = format!("{THREE}garbage\n");
    assert!(read(&text).is_err());
    let limit = Some(3);
    assert!(
        read_with(
            &text,
            TraceOptions {
                limit,
                ..TraceOptions::default()
            }
        )
        .is_ok()
    );
}

/// Year, month and day of a day since 1970, by walking through the months one after the other.
fn date(mut day: u64) -> (u64, u64, u64) {
    let (mut year, mut month) = (1970, 1);
    loop {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u64::from(leap),
            _ => 31,
        };
        if day < length {
            return (year, month, day + 1);
        }
        day -= length;
        (year, month) = if month == 12 {
            (year + 1, 1)
        } else {
            (year, month + 1)
        };
    }
}

fn written(start: u64, rows: &[TraceRow]) -> String {
    let mut text = HEADER.to_owned();
    for row in rows {
        let nanos = start + row.arrival.as_nanos();
        let (seconds, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        text += &format!(
            "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{nanos:09},{},{}\n",
            row.input_tokens, row.output_tokens
        );
    }
    text
}

/// Rows from time 0 on, with gaps from nothing to four months.
fn any_rows() -> impl Strategy<Value = Vec<TraceRow>> {
    let gap = (0u32..54).prop_flat_map(|bits| 0..=1u64 << bits);
    prop::collection::vec((gap, any::<u32>(), any::<u32>()), 1..40).prop_map(|rows| {
        let mut arrival = Timestamp::ZERO;
        let mut first = true;
        let mut row = |(gap, input_tokens, output_tokens)| {
            if !std::mem::take(&mut first) {
                arrival += Duration::from_nanos(gap);
            }
            TraceRow {
                arrival,
                input_tokens,
                output_tokens,
            }
        };
        rows.into_iter().map(&mut row).collect()
    })
}

proptest! {
    #[test]
    fn a_written_trace_is_read_back(start in 0u64..1 << 62, rows in any_rows(), pack: bool) {
        let text = written(start, &rows).into_bytes();
        let trace = read(if pack { gzip(&text) } else { text }).unwrap();
        prop_assert_eq!(trace.rows(), rows);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = read(&bytes);
        let _ = read([HEADER.as_bytes(), &bytes].concat());
        let _ = read([&[0x1f, 0x8b], bytes.as_slice()].concat());
        let _ = read(gzip(&bytes));
    }

    /// Closer to the format than any bytes: a valid text with one piece replaced.
    #[test]
    fn damaged_texts_are_read_or_refused(
        rows in any_rows(), at: prop::sample::Index, length in 0usize..12, piece in "\\PC{0,6}",
        pack: bool, cut: prop::sample::Index,
    ) {
        let mut text = written(0, &rows).into_bytes();
        let from = at.index(text.len());
        let to = (from + length).min(text.len());
        text.splice(from..to, piece.bytes());
        if pack {
            text = gzip(&text);
            text.truncate(cut.index(text.len()));
        }
        if let Err(error) = read(&text) {
            prop_assert!(error.line >= 1 && error.column >= 1);
        }
    }
}
