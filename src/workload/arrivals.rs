//! When requests arrive: one process a file.
//!
//! A process yields the next arrival given nothing but itself, in integer nanoseconds that never go
//! back, and it owns its random stream; several processes can therefore run side by side without
//! moving each other.

mod closed_loop;
mod constant;
mod diurnal;
mod gamma;
mod mmpp;
#[cfg(test)]
mod oracle;
mod piecewise;
mod poisson;
mod precise;
mod replay;
mod superposition;

pub use gamma::GammaGaps;
pub use superposition::{Superposition, Turn};

use super::config::Arrivals;
use super::trace::RowDetails;
use crate::rng::Rng;
use crate::time::Timestamp;
use constant::Constant;
use diurnal::Diurnal;
use gamma::Gamma;
use mmpp::Mmpp;
use piecewise::Piecewise;
use poisson::Poisson;
use rand_distr::{Distribution as _, Exp1};
use replay::Replay;
use std::sync::Arc;

/// An arrival process at some point of its course.
#[derive(Clone, Debug)]
pub enum ArrivalProcess {
    Poisson(Poisson),
    Constant(Constant),
    Piecewise(Piecewise),
    Gamma(Gamma),
    Mmpp(Mmpp),
    Diurnal(Diurnal),
    Replay(Replay),
}

/// One arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// Its time.
    pub at: Timestamp,
    /// Token counts, where the process knows them because they were recorded.
    pub tokens: Option<TokenCounts>,
}

/// Recorded length of a request and of its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenCounts {
    /// Tokens of the request.
    pub input: u32,
    /// Tokens of the answer.
    pub output: u32,
}

impl ArrivalProcess {
    /// The process at its start. It need not stop at `end`; that is where the last of the piecewise
    /// rates is reached. `None` for what is no process by itself: clients, and users who wait for
    /// answers.
    pub fn new(config: &Arrivals, end: Timestamp, rng: Rng) -> Option<Self> {
        Some(match config {
            Arrivals::Poisson { rate } => Self::Poisson(Poisson::new(*rate, rng)),
            Arrivals::Constant { rate } => Self::Constant(Constant::new(*rate)),
            Arrivals::Piecewise(segments) => Self::Piecewise(Piecewise::new(segments, end, rng)),
            Arrivals::Gamma { rate, gaps } => Self::Gamma(Gamma::new(*rate, gaps, rng)),
            Arrivals::Mmpp(bursts) => Self::Mmpp(Mmpp::new(bursts, end, rng)),
            Arrivals::Diurnal(cycle) => Self::Diurnal(Diurnal::new(cycle, rng)),
            Arrivals::Trace(trace) => Self::Replay(Replay::new(Arc::clone(trace), rng)),
            Arrivals::ClosedLoop(_) | Arrivals::Clients(_) => return None,
        })
    }

    /// The next arrival; `None` when there are no more.
    #[inline]
    pub fn next(&mut self) -> Option<Arrival> {
        let at = match self {
            Self::Poisson(process) => process.next(),
            Self::Constant(process) => process.next(),
            Self::Piecewise(process) => process.next()?,
            Self::Gamma(process) => process.next(),
            Self::Mmpp(process) => process.next(),
            Self::Diurnal(process) => process.next(),
            Self::Replay(process) => return process.next(),
        };
        Some(Arrival { at, tokens: None })
    }

    /// What a recording states of the arrival last returned, beyond its tokens.
    #[inline]
    pub fn details(&self) -> Option<RowDetails> {
        match self {
            Self::Replay(process) => process.details(),
            _ => None,
        }
    }
}

/// An exponential variate with mean 1.
#[inline]
fn unit_exponential(rng: &mut Rng) -> f64 {
    Exp1.sample(rng)
}
