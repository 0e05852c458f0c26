//! The project's own CSV, described in `docs/trace-format.md`: columns by name, in any order.
//!
//! For what a gateway's log knows of a request, beyond what public traces tell. Each row is checked
//! against the names of the scenario while its line is at hand, so that a wrong name is shown where
//! it stands. Read by hand, as the other formats are: messages point at the very field, and a row
//! allocates nothing but its list of fields.

mod columns;
mod fields;
mod names;

pub use names::Names;

use super::builder::Builder;
use super::details::RowDetails;
use super::error::{LineError, TraceError, quoted};
use super::instant::rfc3339;
use super::lines::Lines;
use super::number::{decimal, whole};
use super::{Trace, TraceOptions};
use crate::request::{ClassIndex, ModelIndex, RegionIndex, RequestPriority, RequestType};
use crate::workload::arrivals::TokenCounts;
use columns::Column;
use fields::Field;
use names::word;

/// Reads a whole trace.
pub fn read(mut lines: Lines, names: &Names, options: &TraceOptions) -> Result<Trace, TraceError> {
    let mut builder = Builder::new(options).map_err(|error| error.on(1))?;
    let header = lines.next()?.unwrap_or_default();
    let columns = columns::read(header).map_err(|error| error.on(1))?;
    while builder.wants_more() {
        let Some(line) = lines.next()? else { break };
        let taken = row(line, &columns, names).and_then(|row| row.check(line, &columns));
        let taken = taken.and_then(|row| builder.add(row.instant, row.tokens, row.details));
        taken.map_err(|error| error.on(lines.number()))?;
    }
    builder.finish().map_err(|error| error.on(lines.number()))
}

struct Row {
    instant: u64,
    tokens: TokenCounts,
    details: RowDetails,
}

fn row(line: &str, columns: &[Column], names: &Names) -> Result<Row, LineError> {
    let fields = fields_of(line, columns)?;
    let mut row = Row {
        instant: 0,
        tokens: TokenCounts {
            input: 0,
            output: 0,
        },
        details: RowDetails::default(),
    };
    for (&column, field) in columns.iter().zip(&fields) {
        if field.text.is_empty() && !column.is_required() {
            continue;
        }
        let taken = row.take(column, &field.text, names);
        taken.map_err(|message| LineError::new(field.column, message))?;
    }
    Ok(row)
}

/// The fields of a line, as many as there are columns.
fn fields_of<'a>(line: &'a str, columns: &[Column]) -> Result<Vec<Field<'a>>, LineError> {
    let fields = fields::split(line)?;
    if fields.len() == columns.len() {
        return Ok(fields);
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
    let expected = format!("expected {}: {}", columns.len(), names.join(","));
    let beyond = fields.get(columns.len()).map(|field| field.column);
    let message = match fields.len() {
        1 if line.is_empty() => format!("an empty line; {expected}"),
        1 => format!("1 field; {expected}"),
        count => format!("{count} fields; {expected}"),
    };
    let column = beyond.unwrap_or_else(|| line.chars().count() + 1);
    Err(LineError::new(column, message))
}

impl Row {
    /// Takes in the field of a column.
    fn take(&mut self, column: Column, text: &str, names: &Names) -> Result<(), String> {
        let name = column.name();
        let details = &mut self.details;
        match column {
            Column::ArrivalS => self.instant = time(name, text, "seconds", 9)?,
            Column::ArrivalMs => self.instant = time(name, text, "milliseconds", 6)?,
            Column::Timestamp => {
                let instant = rfc3339(text.as_bytes());
                let example = "2026-08-01T18:15:46.68Z";
                self.instant = instant.map_err(|why| why.message(name, text, example))?;
            }
            Column::InputTokens => self.tokens.input = whole(name, text, 0)?,
            Column::OutputTokens => self.tokens.output = whole(name, text, 0)?,
            Column::CachedInputTokens => details.cached_input = Some(whole(name, text, 0)?),
            Column::MaxOutputTokens => details.max_output_tokens = Some(whole(name, text, 1)?),
            Column::Class => details.class = Some(ClassIndex(names.class(text)?)),
            Column::Model => details.model = Some(ModelIndex(names.model(text)?)),
            Column::Region => details.region = Some(RegionIndex(names.region(text)?)),
            Column::Priority => {
                details.priority = Some(word(
                    name,
                    text,
                    RequestPriority::ALL,
                    RequestPriority::name,
                )?);
            }
            Column::RequestType => {
                details.request_type = Some(word(name, text, RequestType::ALL, RequestType::name)?);
            }
            Column::Streaming => {
                let name_of = |streaming| if streaming { "true" } else { "false" };
                details.streaming = Some(word(name, text, &[true, false], name_of)?);
            }
        }
        Ok(())
    }

    /// The row, if its counts go together.
    fn check(self, line: &str, columns: &[Column]) -> Result<Self, LineError> {
        let Self {
            tokens, details, ..
        } = &self;
        let (column, message) = match (details.cached_input, details.max_output_tokens) {
            (Some(cached), _) if cached > tokens.input => (
                Column::CachedInputTokens,
                format!("{cached} cached input tokens of only {}", tokens.input),
            ),
            (_, Some(most)) if tokens.output > most => (
                Column::OutputTokens,
                format!(
                    "{} output tokens, above the max_output_tokens of {most}",
                    tokens.output
                ),
            ),
            _ => return Ok(self),
        };
        let at = columns.iter().position(|known| *known == column);
        let field = fields::split(line)?.into_iter().nth(at.unwrap_or(0));
        Err(LineError::new(
            field.map_or(1, |field| field.column),
            message,
        ))
    }
}

/// Nanoseconds of a count of `unit`s, which have `places` decimals down to the nanosecond.
fn time(name: &str, text: &str, unit: &str, places: usize) -> Result<u64, String> {
    decimal(text.as_bytes(), places).ok_or_else(|| {
        format!(
            "{name} {} is not a number of {unit} such as 1785608146.68, with up to {places} \
             decimals and no exponent",
            quoted(text)
        )
    })
}
