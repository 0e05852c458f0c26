//! Recorded traces: who asked when, for how many tokens.
//!
//! A trace is read once into valid rows, sixteen bytes each (and as many again where they state
//! more than a time and tokens), and shared by all replications; replaying it then cannot fail.
//! Each format is a reader of its own that turns text into instants and token counts; slicing,
//! scaling and the checks common to all formats come after it, in one place. Nothing passes through
//! floating-point time on the way. Repeating and spreading are left to the replay: a trace that
//! runs for a week takes no more memory than the hour it repeats, and each replication spreads its
//! rows anew.

mod azure;
mod builder;
mod calendar;
mod csv;
mod details;
mod error;
mod instant;
mod lines;
mod mooncake;
mod number;
mod options;
mod prefix;
mod quantum;

pub use csv::Names;
pub use details::RowDetails;
pub use error::TraceError;
pub use options::{CachedInput, Spread, SpreadOptions, TraceOptions};

use crate::request::ModelIndex;
use crate::time::{Duration, Timestamp};
use details::Packed;
use std::collections::BTreeSet;
use std::io::Read;

/// A recorded trace: at least one row, in order of arrival.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    rows: Box<[TraceRow]>,
    /// By row, or empty if no row states anything.
    details: Box<[Packed]>,
    spreading: Option<Spreading>,
    pass: Duration,
    repeat: u32,
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

/// How the rows of one time are spread when the trace is replayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spreading {
    /// Where in the quantum they go.
    pub how: Spread,
    /// The step of the trace's clock, after scaling; above 0.
    pub quantum: Duration,
    /// Whether the quantum was found in the rows, and not stated.
    pub detected: bool,
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

    /// Reads a trace in the format of Mooncake (Qin et al., "Mooncake: Trading more storage for
    /// less computation", FAST 2025), as text or gzip: a JSON object on each line, with the time in
    /// milliseconds.
    ///
    /// ```text
    /// {"timestamp": 3000, "input_length": 1100, "output_length": 52, "hash_ids": [46, 47, 130]}
    /// ```
    ///
    /// `hash_ids` name the blocks of 512 input tokens; they are looked at, and needed, only if
    /// `cached_input` asks for it. Rows before the slice count as seen. Repeated rows have the
    /// cached tokens of the first pass: a recording played again is no warmer.
    ///
    /// # Errors
    /// As [`Trace::read_azure_csv`]; and at a key that the format does not have, or, with
    /// [`CachedInput::Prefix`], at a number of blocks that does not fit the input tokens.
    ///
    /// # Example
    /// ```
    /// use routelab::workload::trace::{CachedInput, Trace, TraceOptions};
    ///
    /// let text = r#"{"timestamp": 0, "input_length": 700, "output_length": 9, "hash_ids": [1, 2]}
    /// {"timestamp": 3000, "input_length": 900, "output_length": 9, "hash_ids": [1, 3]}"#;
    /// let options = TraceOptions::default();
    /// let trace = Trace::read_mooncake_jsonl(text.as_bytes(), CachedInput::Prefix, &options)?;
    /// assert_eq!(trace.details(1).unwrap().cached_input, Some(512));
    /// # Ok::<(), routelab::workload::trace::TraceError>(())
    /// ```
    pub fn read_mooncake_jsonl(
        bytes: impl Read,
        cached_input: CachedInput,
        options: &TraceOptions,
    ) -> Result<Self, TraceError> {
        mooncake::read(lines::Lines::open(bytes)?, cached_input, options)
    }

    /// Reads a trace in the project's own format, `docs/trace-format.md`, as text or gzip: a CSV
    /// whose header names its columns, in any order. Names in it are looked up in `names`.
    ///
    /// ```text
    /// arrival_s,input_tokens,output_tokens,model
    /// 1785608146.68,374,44,claude-sonnet
    /// ```
    ///
    /// # Errors
    /// As [`Trace::read_azure_csv`]; and at an unknown column or name, or where a row contradicts
    /// itself.
    ///
    /// # Example
    /// ```
    /// use routelab::workload::trace::{Names, Trace, TraceOptions};
    ///
    /// let text = "streaming,output_tokens,input_tokens,arrival_s\n\
    ///             true,44,374,1785608146.68\n\
    ///             ,109,396,1785608147\n";
    /// let trace = Trace::read_csv(text.as_bytes(), &Names::default(), &TraceOptions::default())?;
    /// assert_eq!(trace.duration().as_nanos(), 320_000_000);
    /// assert_eq!(trace.details(0).unwrap().streaming, Some(true));
    /// assert_eq!(trace.details(1).unwrap().streaming, None);
    /// # Ok::<(), routelab::workload::trace::TraceError>(())
    /// ```
    pub fn read_csv(
        bytes: impl Read,
        names: &Names,
        options: &TraceOptions,
    ) -> Result<Self, TraceError> {
        csv::read(lines::Lines::open(bytes)?, names, options)
    }

    /// All rows; arrivals never go back.
    #[must_use]
    pub fn rows(&self) -> &[TraceRow] {
        &self.rows
    }

    /// What the row at a position states beyond its time and tokens; `None` if no row of the trace
    /// states anything, or there is no such row.
    #[must_use]
    #[inline]
    pub fn details(&self, row: usize) -> Option<RowDetails> {
        self.details.get(row).copied().map(Packed::unpack)
    }

    /// The models that rows state.
    #[must_use]
    pub fn models(&self) -> BTreeSet<ModelIndex> {
        let details = self.details.iter().map(|row| row.unpack());
        details.filter_map(|row| row.model).collect()
    }

    /// Number of rows, at least 1, repetitions not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Never: a trace has a row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Time from 0 to the last row, repetitions and spreading not counted.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let last = self.rows.last();
        last.map_or(Duration::ZERO, |row| row.arrival.since(Timestamp::ZERO))
    }

    /// How often the rows are replayed, at least once.
    #[must_use]
    pub fn repeat(&self) -> u32 {
        self.repeat
    }

    /// Number of requests: rows times repetitions.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.rows.len() as u64 * u64::from(self.repeat)
    }

    /// How rows of one time are spread, where they are.
    #[must_use]
    pub fn spreading(&self) -> Option<Spreading> {
        self.spreading
    }

    /// The time that the rows stand for, after which the next repetition begins: up to a mean gap
    /// after the last row (a second, if there is only one), so that rates per second come out as
    /// recorded; where rows are spread, up to the end of the last row's quantum.
    #[must_use]
    pub fn pass(&self) -> Duration {
        self.pass
    }

    /// The time that all requests stand for: that of all passes. Every arrival is before it.
    #[must_use]
    pub fn end(&self) -> Duration {
        Duration::from_nanos(self.pass.as_nanos() * u64::from(self.repeat))
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
