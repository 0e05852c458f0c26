//! What to make of a trace, whatever its format.

use crate::time::Duration;

/// What part of a trace to take, and how to replay it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TraceOptions {
    /// How many times faster than recorded; above 0. Default 1; 2 halves every gap.
    pub rate_scale: f64,
    /// Takes the rows from the first time (inclusive) to the second (exclusive), both in recorded
    /// time since the first row. The start of the slice becomes time 0. Default: all rows.
    pub slice: Option<(Duration, Duration)>,
    /// Takes no more than this many rows, of the slice where there is one. Default: all.
    pub limit: Option<u64>,
    /// How often the rows taken are replayed, end to end; at least 1. Default: once.
    pub repeat: u32,
    /// Spreads rows of one time over the step of the trace's clock. Default: they arrive at once.
    pub spread: Option<SpreadOptions>,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self {
            rate_scale: 1.0,
            slice: None,
            limit: None,
            repeat: 1,
            spread: None,
        }
    }
}

/// How rows are spread that a coarse clock gave the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpreadOptions {
    /// Where in the quantum they go.
    pub how: Spread,
    /// The step of the clock, in recorded time; above 0. `None`: the most frequent distance between
    /// times that differ, if there is a clear one.
    pub quantum: Option<Duration>,
}

/// Where the rows of one time go. They keep their order, and stay before the next recorded time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spread {
    /// At equal distances, the first at the recorded time: smoother than any real traffic.
    Even,
    /// Independently and uniformly at random, as arrivals of a Poisson process are when only their
    /// number is known; drawn anew in each replication.
    Random,
}

/// Where the cached input tokens of a trace's requests come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CachedInput {
    /// Not from the trace: the class of the request has a share.
    #[default]
    None,
    /// The leading blocks of the request that an earlier row of the trace had: what a prompt cache
    /// would hold that never forgets and is one for all accounts, so an upper bound.
    Prefix,
}
