//! Mooncake's JSON lines: the real trace against independent counts, written ones, broken ones.

use super::{gzip, requests_of};
use crate::support::{data, skipped};
use proptest::prelude::*;
use routelab::time::Duration;
use routelab::workload::trace::{
    CachedInput, Spread, SpreadOptions, Trace, TraceError, TraceOptions,
};
use std::fs::File;
use std::sync::Arc;

fn read(text: impl AsRef<[u8]>, cached: CachedInput) -> Result<Trace, TraceError> {
    Trace::read_mooncake_jsonl(text.as_ref(), cached, &TraceOptions::default())
}

fn cached(trace: &Trace) -> Vec<Option<u32>> {
    let details = (0..trace.len()).map(|row| trace.details(row));
    details
        .map(|row| row.and_then(|row| row.cached_input))
        .collect()
}

/// The sums, and the seen blocks, were counted by a few lines of Python with `json` and a `set`;
/// so were the most rows of one time, 23.
#[test]
fn every_row_of_the_mooncake_trace_becomes_a_request() {
    const NAME: &str = "mooncake_conversation_first30min.jsonl.gz";
    let Some(path) = data(NAME) else {
        return skipped("the Mooncake trace is not there; set ROUTELAB_DATA to its folder");
    };
    let open = |cached, options: &TraceOptions| {
        let file = File::open(&path).unwrap();
        Arc::new(Trace::read_mooncake_jsonl(file, cached, options).unwrap())
    };
    let plain = open(CachedInput::None, &TraceOptions::default());
    assert_eq!(plain.len(), 5_719);
    assert_eq!(plain.input_tokens(), 73_604_194);
    assert_eq!(plain.output_tokens(), 1_977_204);
    assert_eq!(plain.duration(), Duration::from_secs(1797));
    assert_eq!(plain.details(0), None);

    let options = TraceOptions {
        spread: Some(SpreadOptions {
            how: Spread::Random,
            quantum: None,
        }),
        repeat: 2,
        ..TraceOptions::default()
    };
    let spread = open(CachedInput::Prefix, &options);
    assert_eq!(spread.rows(), plain.rows());
    assert_eq!(spread.spreading().unwrap().quantum, Duration::from_secs(3));
    assert_eq!(spread.pass(), Duration::from_secs(1800));

    let requests = requests_of(&spread);
    assert_eq!(requests.len(), 2 * 5_719);
    let (mut input, mut output, mut from_cache) = (0, 0, 0);
    for (number, (at, request)) in requests.iter().enumerate() {
        let row = plain.rows()[number % 5_719];
        assert_eq!(request.tokens.input, row.input_tokens);
        assert_eq!(request.tokens.output, row.output_tokens);
        let pass = Duration::from_secs(1800 * (number as u64 / 5_719));
        assert!(*at >= row.arrival + pass);
        assert!(*at < row.arrival + pass + Duration::from_secs(3));
        input += u64::from(request.tokens.input);
        output += u64::from(request.tokens.output);
        from_cache += u64::from(request.tokens.cached_input);
    }
    let expected = (2 * 73_604_194, 2 * 1_977_204, 2 * 25_555_226);
    assert_eq!((input, output, from_cache), expected);
}

const THREE: &str = r#"{"timestamp":27482,"input_length":1100,"output_length":52,"hash_ids":[4,5,6]}
{"output_length":26,"hash_ids":[4,5],"input_length":1024,"timestamp":30535}
{"timestamp": 30535, "input_length": 0, "output_length": 4294967295, "hash_ids": []}
"#;

#[test]
fn a_small_trace() {
    let plain = read(THREE, CachedInput::None).unwrap();
    let arrivals: Vec<u64> = plain
        .rows()
        .iter()
        .map(|row| row.arrival.as_nanos())
        .collect();
    assert_eq!(arrivals, [0, 3_053_000_000, 3_053_000_000]);
    assert_eq!(plain.input_tokens(), 2124);
    assert_eq!(plain.output_tokens(), 52 + 26 + 4_294_967_295);
    assert_eq!(cached(&plain), [None, None, None]);
    let prefix = read(gzip(THREE.as_bytes()), CachedInput::Prefix).unwrap();
    assert_eq!(prefix.rows(), plain.rows());
    assert_eq!(cached(&prefix), [Some(0), Some(1024), Some(0)]);
}

/// What came before the slice was seen all the same.
#[test]
fn rows_before_the_slice_fill_the_cache() {
    let options = TraceOptions {
        slice: Some((Duration::from_secs(1), Duration::MAX)),
        ..TraceOptions::default()
    };
    let trace = Trace::read_mooncake_jsonl(THREE.as_bytes(), CachedInput::Prefix, &options);
    assert_eq!(cached(&trace.unwrap()), [Some(1024), Some(0)]);
}

/// The hashes are not looked at where nobody asks for them.
#[test]
fn hashes_may_be_missing_where_they_are_not_needed() {
    for hashes in ["", r#", "hash_ids": "none""#, r#", "hash_ids": [1, 2, 3]"#] {
        let line = format!(r#"{{"timestamp": 1, "input_length": 9, "output_length": 9{hashes}}}"#);
        assert!(read(&line, CachedInput::None).is_ok(), "{line}");
        assert!(read(&line, CachedInput::Prefix).is_err(), "{line}");
    }
}

proptest! {
    /// Against a cache that compares prefixes as lists.
    #[test]
    fn cached_blocks_are_those_of_a_naive_cache(
        prompts in prop::collection::vec((prop::collection::vec(0u64..4, 1..5), 1u32..=512), 1..20),
    ) {
        let mut text = String::new();
        let (mut seen, mut expected): (Vec<Vec<u64>>, _) = (Vec::new(), Vec::new());
        for (blocks, last) in &prompts {
            let input = (blocks.len() as u32 - 1) * 512 + last;
            // As in the traces: the name of a block says all that is before it.
            let chained = |to: usize| blocks[..=to].iter().fold(1, |name, block| name * 4 + block);
            let names: Vec<u64> = (0..blocks.len()).map(chained).collect();
            text += &format!(
                "{{\"timestamp\":1,\"input_length\":{input},\"output_length\":1,\
                 \"hash_ids\":{names:?}}}\n"
            );
            let common = |other: &Vec<u64>| {
                other.iter().zip(blocks).take_while(|(a, b)| a == b).count() as u32
            };
            let longest = seen.iter().map(common).max().unwrap_or(0);
            expected.push(Some((longest * 512).min(input)));
            seen.push(blocks.clone());
        }
        prop_assert_eq!(cached(&read(&text, CachedInput::Prefix).unwrap()), expected);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, prefix: bool) {
        let cached = if prefix { CachedInput::Prefix } else { CachedInput::None };
        let _ = read(&bytes, cached);
        let _ = read([THREE.as_bytes(), &bytes].concat(), cached);
        let _ = read(gzip(&bytes), cached);
    }

    #[test]
    fn damaged_texts_are_read_or_refused(
        at: prop::sample::Index, length in 0usize..12,
        piece in "[-0-9.,:\\[\\]{}\"e ]{0,6}|\\PC{0,6}",
        prefix: bool,
    ) {
        let cached = if prefix { CachedInput::Prefix } else { CachedInput::None };
        let mut text = THREE.as_bytes().to_vec();
        let from = at.index(text.len());
        let to = (from + length).min(text.len());
        text.splice(from..to, piece.bytes());
        if let Err(error) = read(&text, cached) {
            prop_assert!(error.line >= 1 && error.column >= 1);
            prop_assert!(error.message.len() < 2_000);
        }
    }
}
