//! From recorded instants to the rows of a trace: order, slice, scale, limit, and the time that all
//! of it stands for.

use super::details::{Packed, RowDetails};
use super::error::LineError;
use super::quantum;
use super::{SpreadOptions, Spreading, Trace, TraceOptions, TraceRow};
use crate::time::{Duration, Timestamp};
use crate::workload::arrivals::TokenCounts;
use crate::workload::quotient::Quotient;

/// Latest arrival that is accepted; the scaled trace must end long before time does.
const LATEST: Duration = Duration::from_secs(100 * 366 * 86_400);

/// A trace under construction.
pub struct Builder {
    rate_scale: f64,
    start: u64,
    end: u64,
    limit: u64,
    repeat: u32,
    spread: Option<SpreadOptions>,
    first: Option<u64>,
    last: u64,
    rows: Vec<TraceRow>,
    /// Empty until a row states something, then by row.
    details: Vec<Packed>,
    /// Distances between recorded times that differ, while the quantum is to be found in them.
    distances: Vec<u64>,
    past_the_slice: bool,
}

impl Builder {
    /// An empty trace, to be filled as `options` say.
    pub fn new(options: &TraceOptions) -> Result<Self, LineError> {
        let rate_scale = options.rate_scale;
        if !(rate_scale > 0.0 && rate_scale.is_finite()) {
            let message = format!("cannot scale by {rate_scale}; allowed is a number above 0");
            return Err(LineError::new(1, message));
        }
        let (start, end) = options.slice.unwrap_or((Duration::ZERO, Duration::MAX));
        Ok(Self {
            rate_scale,
            start: start.as_nanos(),
            end: end.as_nanos(),
            limit: options.limit.unwrap_or(u64::MAX),
            repeat: options.repeat.max(1),
            spread: options.spread,
            first: None,
            last: 0,
            rows: Vec::new(),
            details: Vec::new(),
            distances: Vec::new(),
            past_the_slice: false,
        })
    }

    /// Whether a further row could belong to the trace.
    pub fn wants_more(&self) -> bool {
        !self.past_the_slice && (self.rows.len() as u64) < self.limit
    }

    /// The next recorded row: its time in nanoseconds since any fixed point, its token counts, and
    /// what else it states.
    pub fn add(
        &mut self,
        instant: u64,
        tokens: TokenCounts,
        details: RowDetails,
    ) -> Result<(), LineError> {
        if instant < self.last {
            let message = "time goes back: the row is earlier than the one before it; \
                           rows must be in order of time";
            return Err(LineError::new(1, message));
        }
        let distance = instant - std::mem::replace(&mut self.last, instant);
        let offset = instant - *self.first.get_or_insert(instant);
        self.past_the_slice = offset >= self.end;
        if (self.start..self.end).contains(&offset) {
            // From the offset, not from the row before: no error adds up.
            let arrival = within_range(self.scaled(offset - self.start))?;
            if distance > 0 && !self.rows.is_empty() && self.detects() {
                self.distances.push(distance);
            }
            self.rows.push(TraceRow {
                arrival,
                input_tokens: tokens.input,
                output_tokens: tokens.output,
            });
            self.keep(Packed::new(details));
        }
        Ok(())
    }

    /// Keeps what the row last taken states, if it or one before states anything.
    fn keep(&mut self, details: Packed) {
        if !self.details.is_empty() || details != Packed::NOTHING {
            self.details.resize(self.rows.len() - 1, Packed::NOTHING);
            self.details.push(details);
        }
    }

    fn scaled(&self, nanos: u64) -> u64 {
        Quotient::new(nanos, self.rate_scale).rounded()
    }

    /// Whether the quantum is to be found in the times.
    fn detects(&self) -> bool {
        self.spread.is_some_and(|spread| spread.quantum.is_none())
    }

    /// The trace; at least one row must have been taken.
    pub fn finish(mut self) -> Result<Trace, LineError> {
        if self.rows.is_empty() {
            let message = match self.first {
                _ if self.limit == 0 => "a limit of 0 leaves no row; at least 1 is needed",
                None => "the trace has no rows; at least 1 is needed",
                Some(_) => "no row lies in the slice; it counts from the first row of the trace",
            };
            return Err(LineError::new(1, message));
        }
        let spreading = self.spreading()?;
        let last = self.rows.last().map_or(0, |row| row.arrival.as_nanos());
        let rest = match spreading {
            Some(spreading) => spreading.quantum.as_nanos(),
            None => mean_gap(last, self.rows.len()),
        };
        let pass = last.saturating_add(rest);
        if pass.saturating_mul(u64::from(self.repeat)) > LATEST.as_nanos() {
            let pass = Duration::from_nanos(pass);
            let message = match self.repeat {
                1 => format!(
                    "the trace takes {pass} to the end of its last gap, more than 100 years; \
                     check the times of its rows and the rate scale"
                ),
                repeat => format!(
                    "{repeat} times {pass} is more than 100 years; check `repeat` and the rate \
                     scale"
                ),
            };
            return Err(LineError::new(1, message));
        }
        Ok(Trace {
            rows: self.rows.into_boxed_slice(),
            details: self.details.into_boxed_slice(),
            spreading,
            pass: Duration::from_nanos(pass),
            repeat: self.repeat,
        })
    }

    fn spreading(&mut self) -> Result<Option<Spreading>, LineError> {
        let Some(SpreadOptions { how, quantum }) = self.spread else {
            return Ok(None);
        };
        let recorded = match quantum {
            Some(quantum) => quantum.as_nanos(),
            None => quantum::detect(std::mem::take(&mut self.distances))
                .map_err(|message| LineError::new(1, message))?,
        };
        Ok(Some(Spreading {
            how,
            quantum: Duration::from_nanos(self.scaled(recorded).max(1)),
            detected: quantum.is_none(),
        }))
    }
}

/// Mean distance of rows, the last of them at `last`; a second, if there is only one.
fn mean_gap(last: u64, rows: usize) -> u64 {
    let gaps = rows as u64 - 1;
    last.checked_div(gaps).unwrap_or(1_000_000_000).max(1)
}

fn within_range(arrival: u64) -> Result<Timestamp, LineError> {
    if arrival > LATEST.as_nanos() {
        let message = "the row arrives more than 100 years after the start; check the dates \
                       and the rate scale";
        return Err(LineError::new(1, message));
    }
    Ok(Timestamp::from_nanos(arrival))
}
