//! The CSV of the Azure LLM inference traces.
//!
//! Read by hand, not by a CSV library: the format has no quoting, and a message should point at the
//! very field.

use super::builder::Builder;
use super::calendar::{FIRST_YEAR, LAST_YEAR, days_since_1970};
use super::details::RowDetails;
use super::error::{LineError, TraceError, quoted};
use super::lines::Lines;
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
            input: count(COLUMNS[1], input.text).map_err(|message| in_field(input, message))?,
            output: count(COLUMNS[2], output.text).map_err(|message| in_field(output, message))?,
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

fn count(name: &str, text: &str) -> Result<u32, String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let problem = if is_number(text) {
        match text.parse() {
            Ok(count) => return Ok(count),
            Err(_) => "is too large",
        }
    } else if text.strip_prefix('-').is_some_and(is_number) {
        "is negative"
    } else {
        "is not a whole number"
    };
    let (found, most) = (quoted(text), u32::MAX);
    Err(format!("{name} {found} {problem}; allowed are 0 to {most}"))
}

/// Nanoseconds since 1970 of a timestamp such as `2023-11-16 18:15:46.6805900`.
fn instant(text: &str) -> Result<u64, String> {
    let Some(parts) = Parts::of(text.as_bytes()) else {
        let example = "a time such as 2023-11-16 18:15:46.6805900";
        return Err(format!("TIMESTAMP {} is not {example}", quoted(text)));
    };
    let Some(days) = days_since_1970(parts.year, parts.month, parts.day) else {
        let years = format!("allowed are the dates of {FIRST_YEAR} to {LAST_YEAR}");
        return Err(format!(
            "TIMESTAMP {} is on no valid date; {years}",
            quoted(text)
        ));
    };
    if parts.hour > 23 || parts.minute > 59 || parts.second > 59 {
        let most = "the last time of a day is 23:59:59.999999999";
        return Err(format!(
            "TIMESTAMP {} is at no valid time; {most}",
            quoted(text)
        ));
    }
    let seconds = ((days * 24 + parts.hour) * 60 + parts.minute) * 60 + parts.second;
    Ok(seconds * 1_000_000_000 + parts.nanos)
}

struct Parts {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    nanos: u64,
}

impl Parts {
    fn of(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b"+00:00").unwrap_or(text);
        let (whole, decimals) = text.split_at_checked("2023-11-16 18:15:46".len())?;
        let separators = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
        if separators.iter().any(|&(at, mark)| whole[at] != mark) {
            return None;
        }
        Some(Self {
            year: number(&whole[..4])?,
            month: number(&whole[5..7])?,
            day: number(&whole[8..10])?,
            hour: number(&whole[11..13])?,
            minute: number(&whole[14..16])?,
            second: number(&whole[17..])?,
            nanos: nanos(decimals)?,
        })
    }
}

/// The nanoseconds of `.68059`; nothing at all is 0.
fn nanos(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    let digits = text.strip_prefix(b".").filter(|digits| digits.len() <= 9)?;
    let missing = 9 - digits.len() as u32;
    Some(number(digits)? * 10u64.pow(missing))
}

/// The value of at least one digit and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    let valid = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let value = |sum, digit: &u8| sum * 10 + u64::from(digit - b'0');
    valid.then(|| digits.iter().fold(0, value))
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
