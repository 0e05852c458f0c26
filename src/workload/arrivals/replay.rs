//! The arrivals and token counts of a recorded trace, row by row.

use super::{Arrival, TokenCounts};
use crate::workload::trace::Trace;
use std::sync::Arc;

/// A trace being replayed.
#[derive(Clone, Debug)]
pub struct Replay {
    trace: Arc<Trace>,
    next: usize,
}

impl Replay {
    /// A replay from the first row.
    pub fn new(trace: Arc<Trace>) -> Self {
        Self { trace, next: 0 }
    }

    /// The next row; `None` after the last.
    #[inline]
    pub fn next(&mut self) -> Option<Arrival> {
        let row = self.trace.rows().get(self.next)?;
        self.next += 1;
        Some(Arrival {
            at: row.arrival,
            tokens: Some(TokenCounts {
                input: row.input_tokens,
                output: row.output_tokens,
            }),
        })
    }
}
