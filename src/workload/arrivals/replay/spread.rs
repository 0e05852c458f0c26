//! Rows of one recorded time, spread over the step of the clock that recorded them.
//!
//! A clock that ticks every three seconds turns steady traffic into bursts that nobody sent: queues
//! and rate limits would be tested by the clock, not by the users. Rows are placed one at a time,
//! in order, and nothing is stored: the least of n uniform variates is `1 - r^(1/n)` for a uniform
//! r, and those after it are uniform in what is left (Bentley and Saxe, "Generating sorted lists of
//! random numbers", ACM TOMS 6(3), 1980).

use crate::exp::exp;
use crate::rng::Rng;
use crate::time::{Duration, Timestamp};
use crate::workload::arrivals::unit_exponential;
use crate::workload::trace::{Spread, Spreading, TraceRow};

/// The place within a group of rows of one time.
#[derive(Clone, Debug)]
pub struct Spreader {
    how: Spread,
    quantum: u64,
    rng: Rng,
    /// Recorded time of the group.
    start: Timestamp,
    /// Nanoseconds that the group is spread over, at least 1.
    width: u64,
    rows: u64,
    placed: u64,
    /// Share of the width that lies after the row last placed.
    rest: f64,
}

impl Spreader {
    /// At the start of a trace.
    pub fn new(spreading: Spreading, rng: Rng) -> Self {
        Self {
            how: spreading.how,
            quantum: spreading.quantum.as_nanos(),
            rng,
            start: Timestamp::ZERO,
            width: 1,
            rows: 0,
            placed: 0,
            rest: 1.0,
        }
    }

    /// When row `at` arrives. Rows are asked for in order, each once a pass.
    pub fn place(&mut self, rows: &[TraceRow], at: usize) -> Timestamp {
        if self.placed == self.rows {
            self.open(&rows[at..]);
        }
        let offset = match self.how {
            Spread::Even => {
                let product = u128::from(self.width) * u128::from(self.placed);
                (product / u128::from(self.rows)) as u64
            }
            Spread::Random => {
                let waiting = (self.rows - self.placed) as f64;
                self.rest *= exp(-unit_exponential(&mut self.rng) / waiting);
                ((1.0 - self.rest) * self.width as f64) as u64
            }
        };
        self.placed += 1;
        self.start + Duration::from_nanos(offset.min(self.width - 1))
    }

    /// Begins with the rows of the time of the first one, of which there must be one.
    fn open(&mut self, rows: &[TraceRow]) {
        let start = rows[0].arrival;
        let group = rows.iter().take_while(|row| row.arrival == start).count();
        let next = rows.get(group).map(|row| row.arrival.since(start));
        self.start = start;
        self.width = next.map_or(u64::MAX, Duration::as_nanos).min(self.quantum);
        self.rows = group as u64;
        self.placed = 0;
        self.rest = 1.0;
    }
}
