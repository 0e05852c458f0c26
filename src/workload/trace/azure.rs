//! The CSV of the Azure LLM inference traces.
//!
//! Read by hand, not by a CSV library: the format has no quoting, and a message should point at the
//! very field.

use super::builder::Builder;
use super::details::RowDetails;
use super::error::{LineError, TraceError, quoted};
use super::instant;
use super::lines::Lines;
use super::number::whole;
use super::{Trace, TraceOptions};
use crate::workload::arrivals::TokenCounts;

const COLUMNS: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];

/// Reads a whole trace.
pub fn read(mut lines: Lines, options: &TraceOptions) -> Result<Trace, TraceError> {
    let mut builder = Builder::new(options).map_err(|error| error.on(1))?;
    let header = lines.next()?.unwrap_or_default();
    check_header(header).map_err(|error| error.on(1))?;
    while builder.wants_more() {
        let Some(line) = lines.next()? else { break };
        let taken = row(line)
            .and_then(|(instant, tokens)| builder.add(instant, tokens, RowDetails::default()));
        taken.map_err(|error| error.on(lines.number()))?;
    }
    builder.finish().map_err(|error| error.on(lines.number()))
}

fn check_header(line: &str) -> Result<(), LineError> {
    let expected = COLUMNS.join(",");
    if line == expected {
        return Ok(());
    }
    let pairs = line.chars().zip(expected.chars());
    let column = pairs.take_while(|(found, wanted)| found == wanted).count() + 1;
    let message = if line.is_empty() {
        format!("the header is missing; expected {expected:?}")
    } else {
        let found = quoted(line);
        format!("{found} is not the header of an Azure trace; expected {expected:?}")
    };
    Err(LineError::new(column, message))
}

/// Nanoseconds since 1970, and token counts.
fn row(line: &str) -> Result<(u64, TokenCounts), LineError> {
    let [timestamp, input, output] = fields(line)?;
    let in_field = |field: Field, message| LineError::new(field.column, message);
    Ok((
        instant(timestamp.text).map_err(|message| in_field(timestamp, message))?,
        TokenCounts {
            input: whole(COLUMNS[1], input.text, 0).map_err(|message| in_field(input, message))?,
            output: whole(COLUMNS[2], output.text, 0)
                .map_err(|message| in_field(output, message))?,
        },
    ))
}

#[derive(Clone, Copy)]
struct Field<'a> {
    column: usize,
    text: &'a str,
}

fn fields(line: &str) -> Result<[Field<'_>; 3], LineError> {
    let mut column = 1;
    let mut rest = line.split(',').map(|text| {
        let field = Field { column, text };
        column += text.chars().count() + 1;
        field
    });
    let found = (rest.next(), rest.next(), rest.next(), rest.next());
    let expected = || format!("expected 3: {}", COLUMNS.join(","));
    match found {
        (Some(timestamp), Some(input), Some(output), None) => Ok([timestamp, input, output]),
        (.., Some(fourth)) => {
            let message = format!("a fourth field; {}", expected());
            Err(LineError::new(fourth.column, message))
        }
        _ => {
            let message = match line.split(',').count() {
                1 if line.is_empty() => format!("an empty line; {}", expected()),
                1 => format!("1 field only; {}", expected()),
                count => format!("{count} fields only; {}", expected()),
            };
            Err(LineError::new(line.chars().count() + 1, message))
        }
    }
}

/// Nanoseconds since 1970 of a timestamp such as `2023-11-16 18:15:46.6805900`.
fn instant(text: &str) -> Result<u64, String> {
    let utc = text.strip_suffix("+00:00").unwrap_or(text);
    let example = "2023-11-16 18:15:46.6805900";
    instant::instant(utc.as_bytes(), b' ').map_err(|why| why.message(COLUMNS[0], text, example))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_exact() {
        assert_eq!(instant("1970-01-01 00:00:00"), Ok(0));
        assert_eq!(
            instant("1970-01-02 01:02:03.000000004"),
            Ok(90_123_000_000_004)
        );
        assert_eq!(
            instant("2023-11-16 18:15:46.6805900"),
            Ok(1_700_158_546_680_590_000)
        );
        assert_eq!(
            instant("2024-05-10 00:00:00.009930+00:00"),
            Ok(1_715_299_200_009_930_000)
        );
        assert_eq!(
            instant("2499-12-31 23:59:59.999999999"),
            Ok(16_725_225_599_999_999_999)
        );
    }

    #[test]
    fn one_nanosecond_over_the_turn_of_a_day_a_month_and_a_year() {
        for (before, after) in [
            ("2023-11-16", "2023-11-17"),
            ("2023-02-28", "2023-03-01"),
            ("2024-02-29", "2024-03-01"),
            ("2023-12-31", "2024-01-01"),
        ] {
            let before = instant(&format!("{before} 23:59:59.999999999")).unwrap();
            assert_eq!(instant(&format!("{after} 00:00:00.0")), Ok(before + 1));
        }
    }

    #[test]
    fn what_only_resembles_a_timestamp_is_refused() {
        for bad in [
            "",
            "2023-11-16",
            "2023-11-16T18:15:46",
            "2023-11-16 18:15:46.",
            "2023-11-16 18:15:46.1234567890",
            "2023-11-16 18:15:46,5",
            "2023-11-16 18:15:46.5+01:00",
            "2023-11-16 18:15:4",
            "2023-11-16 18:15:-4",
            "+023-11-16 18:15:46",
            "２023-11-16 18:15:46",
            "2023-11-31 18:15:46",
            "2023-11-16 24:00:00",
            "2016-12-31 23:59:60",
        ] {
            assert!(instant(bad).is_err(), "{bad}");
        }
    }
}
