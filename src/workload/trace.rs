//! Recorded traces: who asked when, for how many tokens.
//!
//! A trace is read once into valid rows, sixteen bytes each, and shared by all replications;
//! replaying it then cannot fail. Each format is a reader of its own that turns text into instants
//! and token counts; slicing, scaling and the checks common to all formats come after it, in one
//! place. Nothing passes through floating-point time on the way.

mod azure;
mod builder;
mod calendar;
mod error;
mod lines;

pub use error::TraceError;

use crate::time::{Duration, Timestamp};
use std::io::Read;

/// A recorded trace: at least one row, in order of arrival.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    rows: Box<[TraceRow]>,
}

/// One recorded request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceRow {
    /// Arrival, counted from the first row of the trace or from the start of the slice, after
    /// scaling.
    pub arrival: Timestamp,
    /// Input tokens.
    pub input_tokens: u32,
    /// Output tokens of the recorded answer.
    pub output_tokens: u32,
}

/// What part of a trace to take, and how fast to replay it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TraceOptions {
    /// How many times faster than recorded; above 0. Default 1; 2 halves every gap.
    pub rate_scale: f64,
    /// Takes the rows from the first time (inclusive) to the second (exclusive), both in recorded
    /// time since the first row. The start of the slice becomes time 0. Default: all rows.
    pub slice: Option<(Duration, Duration)>,
    /// Takes no more than this many rows, of the slice where there is one. Default: all.
    pub limit: Option<u64>,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self {
            rate_scale: 1.0,
            slice: None,
            limit: None,
        }
    }
}

impl Trace {
    /// Reads a trace in the format of the Azure LLM inference data sets of 2023 and 2024 (Patel et
    /// al., "Splitwise", ISCA 2024; Stojkovic et al., "`DynamoLLM`", HPCA 2025), as text or gzip:
    ///
    /// ```text
    /// TIMESTAMP,ContextTokens,GeneratedTokens
    /// 2023-11-16 18:15:46.6805900,374,44
    /// ```
    ///
    /// A timestamp has up to nine decimals and may end in `+00:00`. Reading stops after the last
    /// row that the options ask for; what follows is not looked at.
    ///
    /// # Errors
    /// At the first place that is not valid, or where rows are not in order of time, or if no row
    /// is left.
    ///
    /// # Example
    /// ```
    /// use routelab::workload::trace::{Trace, TraceOptions};
    ///
    /// let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
    ///             2023-12-31 23:59:59.5,374,44\n\
    ///             2024-01-01 00:00:01.0000001,396,109\n";
    /// let trace = Trace::read_azure_csv(text.as_bytes(), &TraceOptions::default())?;
    /// assert_eq!(trace.len(), 2);
    /// assert_eq!(trace.duration().as_nanos(), 1_500_000_100);
    /// # Ok::<(), routelab::workload::trace::TraceError>(())
    /// ```
    pub fn read_azure_csv(bytes: impl Read, options: &TraceOptions) -> Result<Self, TraceError> {
        azure::read(lines::Lines::open(bytes)?, options)
    }

    /// All rows; arrivals never go back.
    #[must_use]
    pub fn rows(&self) -> &[TraceRow] {
        &self.rows
    }

    /// Number of rows, at least 1.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Never: a trace has a row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Time from 0 to the last arrival.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let last = self.rows.last();
        last.map_or(Duration::ZERO, |row| row.arrival.since(Timestamp::ZERO))
    }

    /// Sum of the input tokens.
    #[must_use]
    pub fn input_tokens(&self) -> u64 {
        self.rows
            .iter()
            .map(|row| u64::from(row.input_tokens))
            .sum()
    }

    /// Sum of the output tokens.
    #[must_use]
    pub fn output_tokens(&self) -> u64 {
        self.rows
            .iter()
            .map(|row| u64::from(row.output_tokens))
            .sum()
    }
}
