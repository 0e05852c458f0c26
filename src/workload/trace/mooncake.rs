//! The JSON lines of Mooncake's traces.
//!
//! A line at a time, whatever the length of the file. Keys that the format does not have are
//! refused: similar public traces count seconds where this one counts milliseconds, or blocks of 16
//! tokens where this one has 512, and would be replayed a thousand times too fast without a word.

use super::builder::Builder;
use super::details::RowDetails;
use super::error::{LineError, TraceError, quoted, shortened};
use super::lines::Lines;
use super::prefix::{BLOCK_TOKENS, Prefixes, blocks_of};
use super::{CachedInput, Trace, TraceOptions};
use crate::workload::arrivals::TokenCounts;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

const KEYS: &str = "timestamp, input_length, output_length, hash_ids";
const NANOS_PER_MS: u64 = 1_000_000;

/// Reads a whole trace.
pub fn read(
    mut lines: Lines,
    cached_input: CachedInput,
    options: &TraceOptions,
) -> Result<Trace, TraceError> {
    let mut builder = Builder::new(options).map_err(|error| error.on(1))?;
    let mut prefixes = (cached_input == CachedInput::Prefix).then(Prefixes::default);
    while builder.wants_more() {
        let Some(line) = lines.next()? else { break };
        let taken = take(line, prefixes.as_mut(), &mut builder);
        taken.map_err(|error| error.on(lines.number()))?;
    }
    builder.finish().map_err(|error| error.on(lines.number()))
}

fn take(
    line: &str,
    prefixes: Option<&mut Prefixes>,
    builder: &mut Builder,
) -> Result<(), LineError> {
    let row = row(line, prefixes.is_some())?;
    let tokens = TokenCounts {
        input: row.input as u32,
        output: row.output as u32,
    };
    let cached = match prefixes {
        Some(prefixes) => Some(cached(&row, tokens.input, prefixes)?),
        None => None,
    };
    let details = RowDetails {
        cached_input: cached,
        ..RowDetails::default()
    };
    builder.add(row.timestamp * NANOS_PER_MS, tokens, details)
}

fn cached(row: &Row, input: u32, prefixes: &mut Prefixes) -> Result<u32, LineError> {
    let Some(blocks) = &row.blocks else {
        let message = "`hash_ids` is missing; cached_input = \"prefix\" needs it";
        return Err(LineError::new(1, message));
    };
    let expected = blocks_of(input);
    if blocks.len() != expected {
        let message = format!(
            "{} `hash_ids`, but {input} input tokens are {expected} in blocks of {BLOCK_TOKENS}",
            blocks.len()
        );
        return Err(LineError::new(1, message));
    }
    Ok(prefixes.seen_before(blocks.iter().map(|hash| hash.0), input))
}

struct Row {
    timestamp: u64,
    input: u64,
    output: u64,
    blocks: Option<Vec<Hash>>,
}

fn row(line: &str, with_blocks: bool) -> Result<Row, LineError> {
    if line.trim().is_empty() {
        let message = format!("an empty line; expected a JSON object with the keys {KEYS}");
        return Err(LineError::new(1, message));
    }
    let mut json = serde_json::Deserializer::from_str(line);
    let row = json.deserialize_any(RowVisitor { with_blocks });
    row.and_then(|row| json.end().map(|()| row))
        .map_err(|error| in_line(line, &error))
}

/// The error with its place in characters; the line number is always 1 to the JSON reader.
fn in_line(line: &str, error: &serde_json::Error) -> LineError {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    let text = shortened(text.strip_suffix(&place).unwrap_or(&text));
    let message = if error.is_data() {
        text
    } else {
        format!("the line is not one JSON object ({text}); expected one with the keys {KEYS}")
    };
    let before = line
        .as_bytes()
        .get(..error.column())
        .unwrap_or(line.as_bytes());
    let column = String::from_utf8_lossy(before).chars().count().max(1);
    LineError::new(column, message)
}

struct RowVisitor {
    with_blocks: bool,
}

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a JSON object with the keys {KEYS}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let (mut timestamp, mut input, mut output, mut blocks) = (None, None, None, None);
        let mut has_blocks = false;
        while let Some(key) = map.next_key::<std::borrow::Cow<str>>()? {
            let whole = |key, most| WholeNumber { key, most };
            let before = match key.as_ref() {
                "timestamp" => timestamp
                    .replace(map.next_value_seed(whole("timestamp", u64::MAX / NANOS_PER_MS))?)
                    .is_some(),
                "input_length" => input
                    .replace(map.next_value_seed(whole("input_length", u32::MAX.into()))?)
                    .is_some(),
                "output_length" => output
                    .replace(map.next_value_seed(whole("output_length", u32::MAX.into()))?)
                    .is_some(),
                "hash_ids" => {
                    if self.with_blocks {
                        blocks = Some(map.next_value::<Vec<Hash>>()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                    std::mem::replace(&mut has_blocks, true)
                }
                other => return Err(unknown(other)),
            };
            if before {
                return Err(de::Error::custom(format!("the key `{key}` is there twice")));
            }
        }
        Ok(Row {
            timestamp: timestamp.ok_or_else(|| missing("timestamp"))?,
            input: input.ok_or_else(|| missing("input_length"))?,
            output: output.ok_or_else(|| missing("output_length"))?,
            blocks,
        })
    }
}

fn unknown<E: de::Error>(key: &str) -> E {
    E::custom(format!("unknown key {}; allowed are {KEYS}", quoted(key)))
}

fn missing<E: de::Error>(key: &str) -> E {
    E::custom(format!("the key `{key}` is missing"))
}

/// A whole number from 0 to `most`.
struct WholeNumber {
    key: &'static str,
    most: u64,
}

impl<'de> DeserializeSeed<'de> for WholeNumber {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<u64, D::Error> {
        json.deserialize_any(self)
    }
}

impl Visitor<'_> for WholeNumber {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { key, most } = self;
        write!(f, "a whole number from 0 to {most} for `{key}`")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        if number <= self.most {
            return Ok(number);
        }
        Err(E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }
}

/// The name of a block.
struct Hash(u64);

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let number = WholeNumber {
            key: "hash_ids",
            most: u64::MAX,
        };
        number.deserialize(json).map(Self)
    }
}
