//! The arrivals and token counts of a recorded trace, row by row, pass by pass.

mod spread;

use super::{Arrival, TokenCounts};
use crate::rng::Rng;
use crate::time::Duration;
use crate::workload::trace::{RowDetails, Trace};
use spread::Spreader;
use std::sync::Arc;

/// A trace being replayed.
#[derive(Clone, Debug)]
pub struct Replay {
    trace: Arc<Trace>,
    spreader: Option<Spreader>,
    next: usize,
    passes_left: u32,
    /// When the pass began.
    start: Duration,
}

impl Replay {
    /// A replay from the first row. `rng` places the rows that are spread at random.
    pub fn new(trace: Arc<Trace>, rng: Rng) -> Self {
        Self {
            spreader: trace.spreading().map(|how| Spreader::new(how, rng)),
            next: 0,
            passes_left: trace.repeat() - 1,
            start: Duration::ZERO,
            trace,
        }
    }

    /// The next row; `None` after the last of the last pass.
    #[inline]
    pub fn next(&mut self) -> Option<Arrival> {
        if self.next == self.trace.len() {
            self.begin_again()?;
        }
        let rows = self.trace.rows();
        let row = rows.get(self.next)?;
        let at = match &mut self.spreader {
            Some(spreader) => spreader.place(rows, self.next),
            None => row.arrival,
        };
        self.next += 1;
        Some(Arrival {
            at: at + self.start,
            tokens: Some(TokenCounts {
                input: row.input_tokens,
                output: row.output_tokens,
            }),
        })
    }

    /// What the row last returned states beyond its time and tokens.
    #[inline]
    pub fn details(&self) -> Option<RowDetails> {
        self.trace.details(self.next.checked_sub(1)?)
    }

    fn begin_again(&mut self) -> Option<()> {
        self.passes_left = self.passes_left.checked_sub(1)?;
        self.start += self.trace.pass();
        self.next = 0;
        Some(())
    }
}
