//! What is wrong with a trace, and where.

use std::fmt;

/// Why a trace cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceError {
    /// Line of the (unpacked) text, from 1.
    pub line: u64,
    /// Character in the line, from 1.
    pub column: usize,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            message,
        } = self;
        write!(f, "line {line}, column {column}: {message}")
    }
}

impl std::error::Error for TraceError {}

/// An error somewhere in a line, as those see it who do not know its number.
#[derive(Debug)]
pub struct LineError {
    /// Character in the line, from 1.
    pub column: usize,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl LineError {
    /// An error at `column`.
    pub fn new(column: usize, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { column, message }
    }

    /// The error, now that the line's number is known.
    pub fn on(self, line: u64) -> TraceError {
        let Self { column, message } = self;
        TraceError {
            line,
            column,
            message,
        }
    }
}

/// `text` in quotation marks, special characters escaped and the rest of a long one left out: the
/// text of a damaged file can be anything.
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 48;
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{:?}...", &text[..cut]),
        None => format!("{text:?}"),
    }
}

/// A message of somebody else's making, which may repeat any part of the file.
pub fn shortened(message: &str) -> String {
    const LONGEST: usize = 200;
    match message.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}...", &message[..cut]),
        None => message.to_owned(),
    }
}
