//! Who asks: arrivals, request mix, traces.
//!
//! A workload is an iterator that can be peeked at, not a list: a run of a hundred million requests
//! takes no more memory than one of ten. *When* and *what* are drawn from separate streams, and the
//! attributes of request number i from a stream of its own, so that another arrival process, or
//! another order of events in the engine, leaves every request as it was (common random numbers;
//! Law, "Simulation Modeling and Analysis", 5th ed., section 11.2).

pub mod config;
pub mod trace;

mod arrivals;
mod mix;
mod quotient;
mod weighted;

use crate::request::{Request, RequestId};
use crate::rng::{Purpose, Streams};
use crate::time::Timestamp;
use arrivals::{Arrival, ArrivalProcess, TokenCounts};
use config::WorkloadConfig;
use mix::RequestMix;

/// The requests of one replication, in order of arrival.
#[derive(Clone, Debug)]
pub struct Workload {
    process: ArrivalProcess,
    mix: RequestMix,
    streams: Streams,
    end: Timestamp,
    /// Time of the next arrival; [`Timestamp::NEVER`] when there are no more.
    next_at: Timestamp,
    next_tokens: Option<TokenCounts>,
    next_id: RequestId,
}

impl Workload {
    /// The workload of the replication that `streams` belongs to.
    #[must_use]
    pub fn new(config: &WorkloadConfig, streams: Streams) -> Self {
        let arrivals = streams.stream(Purpose::Arrivals, 0);
        let mut workload = Self {
            process: ArrivalProcess::new(&config.arrivals, config.end, arrivals),
            mix: RequestMix::new(&config.classes),
            streams,
            end: config.end,
            next_at: Timestamp::NEVER,
            next_tokens: None,
            next_id: RequestId(0),
        };
        if !workload.mix.is_empty() {
            workload.advance();
        }
        workload
    }

    /// When the next request arrives; `None` when there are no more.
    #[must_use]
    #[inline]
    pub fn next_arrival(&self) -> Option<Timestamp> {
        (self.next_at != Timestamp::NEVER).then_some(self.next_at)
    }

    /// Takes the next request with its time of arrival; `None` when there are no more. Times never
    /// go back; two requests may arrive at one instant.
    #[inline]
    pub fn take(&mut self) -> Option<(Timestamp, Request)> {
        let at = self.next_arrival()?;
        let id = self.next_id;
        let attributes = self.streams.stream(Purpose::Attributes, id.0);
        let recorded = (self.next_tokens, self.process.details());
        let request = self.mix.request(id, recorded, attributes)?;
        self.next_id.0 += 1;
        self.advance();
        Some((at, request))
    }

    #[inline]
    fn advance(&mut self) {
        self.next_at = Timestamp::NEVER;
        if let Some(Arrival { at, tokens }) = self.process.next()
            && at < self.end
        {
            (self.next_at, self.next_tokens) = (at, tokens);
        }
    }
}
