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
mod zipf;

use crate::request::{Request, RequestId};
use crate::rng::{Purpose, Streams};
use crate::time::Timestamp;
use arrivals::{Arrival, ArrivalProcess, Superposition, TokenCounts, Turn};
use config::{Arrivals, WorkloadConfig};
use mix::RequestMix;

/// The requests of one replication, in order of arrival.
#[derive(Clone, Debug)]
pub struct Workload {
    source: Source,
    /// What each client asks for; a single one where there are no clients.
    mixes: Box<[RequestMix]>,
    streams: Streams,
    end: Timestamp,
    /// Time of the next arrival; [`Timestamp::NEVER`] when there are no more.
    next_at: Timestamp,
    next_tokens: Option<TokenCounts>,
    next_id: RequestId,
}

/// Where arrivals come from. One process by itself is the common case, and needs no heap.
#[derive(Clone, Debug)]
enum Source {
    One(ArrivalProcess),
    Several(Box<Superposition>),
}

impl Workload {
    /// The workload of the replication that `streams` belongs to.
    #[must_use]
    pub fn new(config: &WorkloadConfig, streams: Streams) -> Self {
        let rng = streams.stream(Purpose::Arrivals, 0);
        let (source, mixes) = match ArrivalProcess::new(&config.arrivals, config.end, rng) {
            Some(process) => {
                let mix = RequestMix::new(&config.classes);
                (Source::One(process), vec![mix])
            }
            None => several(config, streams),
        };
        let mut workload = Self {
            source,
            mixes: mixes.into_boxed_slice(),
            streams,
            end: config.end,
            next_at: Timestamp::NEVER,
            next_tokens: None,
            next_id: RequestId(0),
        };
        if workload.mixes.iter().any(|mix| !mix.is_empty()) {
            workload.advance();
        }
        workload
    }

    /// When the next request arrives; `None` when there are no more, or none until a request ends.
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
        let turn = match &mut self.source {
            Source::One(process) => Turn {
                client: 0,
                key: id.0,
                user: None,
                tokens: self.next_tokens,
                details: process.details(),
            },
            Source::Several(clients) => clients.take()?,
        };
        let mix = self.mixes.get(turn.client)?;
        let request = mix.request(id, &turn, self.streams)?;
        self.next_id.0 += 1;
        self.advance();
        Some((at, request))
    }

    /// Whether it must be told when requests end, because users wait for that.
    #[must_use]
    pub fn follows_ends(&self) -> bool {
        matches!(&self.source, Source::Several(clients) if clients.has_users())
    }

    /// A request has ended, one way or another: its user, if it has one, thinks and asks again.
    /// Ends must be told in the order of time, each before any later arrival is taken.
    pub fn request_ended(&mut self, now: Timestamp, request: &Request) {
        if let (Source::Several(clients), Some(user)) = (&mut self.source, request.user) {
            clients.request_ended(now, user);
            self.next_at = clients.next_at();
        }
    }

    #[inline]
    fn advance(&mut self) {
        self.next_at = Timestamp::NEVER;
        match &mut self.source {
            Source::One(process) => {
                if let Some(Arrival { at, tokens }) = process.next()
                    && at < self.end
                {
                    (self.next_at, self.next_tokens) = (at, tokens);
                }
            }
            Source::Several(clients) => self.next_at = clients.next_at(),
        }
    }
}

/// The clients of a workload, and what each of them asks for. One that asks for nothing is left
/// out.
fn several(config: &WorkloadConfig, streams: Streams) -> (Source, Vec<RequestMix>) {
    let mut clients = Superposition::new(config.end);
    let mut mixes = vec![];
    let mut add = |entity: u64, arrivals: &Arrivals, mix: RequestMix| {
        if !mix.is_empty() {
            let rng = streams.stream(Purpose::Arrivals, entity);
            clients.add(mixes.len(), arrivals, rng);
            mixes.push(mix);
        }
    };
    match &config.arrivals {
        Arrivals::Clients(list) => {
            for client in list {
                let chosen = client.classes.iter().copied();
                let mix = RequestMix::of(&config.classes, chosen);
                add(name_entity(&client.name), &client.arrivals, mix);
            }
        }
        alone => add(0, alone, RequestMix::new(&config.classes)),
    }
    (Source::Several(Box::new(clients)), mixes)
}

/// A name as the entity of a stream: FNV-1a (Fowler, Noll, Vo). By name and not by position, so
/// that a client may come and go without moving the others.
fn name_entity(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
