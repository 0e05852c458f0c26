//! The columns that a trace can have, and its header.

use super::fields;
use super::names::suggestion;
use crate::request::words;
use crate::workload::trace::error::{LineError, quoted};

words! {
    /// A column by its name in the header.
    Column {
        /// Arrival in seconds from any fixed point.
        ArrivalS = "arrival_s",
        /// Arrival in milliseconds from any fixed point.
        ArrivalMs = "arrival_ms",
        /// Arrival as date and time.
        Timestamp = "timestamp",
        /// Input tokens, cached ones included.
        InputTokens = "input_tokens",
        /// Output tokens.
        OutputTokens = "output_tokens",
        /// Input tokens read from the provider's prompt cache.
        CachedInputTokens = "cached_input_tokens",
        /// The request's own limit on output tokens.
        MaxOutputTokens = "max_output_tokens",
        /// Class of the workload.
        Class = "class",
        /// Model asked for.
        Model = "model",
        /// Region of the user.
        Region = "region",
        /// Urgency.
        Priority = "priority",
        /// Kind of work.
        RequestType = "request_type",
        /// Whether the answer is streamed.
        Streaming = "streaming",
    }
}

const TIMES: [Column; 3] = [Column::ArrivalS, Column::ArrivalMs, Column::Timestamp];
const TOKENS: [Column; 2] = [Column::InputTokens, Column::OutputTokens];

impl Column {
    /// Whether no field of it may be empty.
    pub fn is_required(self) -> bool {
        TIMES.contains(&self) || TOKENS.contains(&self)
    }
}

/// The columns that a header names: one with the time, both token counts, and any others.
pub fn read(header: &str) -> Result<Vec<Column>, LineError> {
    if header.is_empty() {
        let message = "the header is missing; expected the names of the columns, such as \
                       arrival_s,input_tokens,output_tokens";
        return Err(LineError::new(1, message));
    }
    let mut columns: Vec<Column> = Vec::new();
    let mut seen = [false; Column::ALL.len()];
    for field in fields::split(header)? {
        let at = |message| LineError::new(field.column, message);
        let Some(column) = Column::from_name(&field.text) else {
            let known = Column::ALL.iter().map(|column| column.name());
            let hint = suggestion(&field.text, known);
            return Err(at(format!(
                "unknown column {}; {hint}",
                quoted(&field.text)
            )));
        };
        if std::mem::replace(&mut seen[column.at()], true) {
            return Err(at(format!("the column {column} is there twice")));
        }
        if let Some(other) = columns
            .iter()
            .find(|c| TIMES.contains(c) && TIMES.contains(&column))
        {
            return Err(at(format!(
                "both {other} and {column} state the time; one of them is allowed"
            )));
        }
        columns.push(column);
    }
    let end = header.chars().count() + 1;
    let missing = |what: String| Err(LineError::new(end, format!("{what} is missing")));
    if !columns.iter().any(|column| TIMES.contains(column)) {
        let names = TIMES.map(Column::name).join(", ");
        return missing(format!("a column with the time ({names})"));
    }
    match TOKENS.iter().find(|column| !columns.contains(column)) {
        Some(column) => missing(format!("the column {column}")),
        None => Ok(columns),
    }
}
