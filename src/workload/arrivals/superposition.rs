//! Several clients side by side, and users of closed loops.
//!
//! The next arrival of every open process and of every user who thinks wait in one heap; an arrival
//! costs the logarithm of their number, and a thousand clients are as well as two. Merging the next
//! arrivals, and not adding up the rates of one process, is what keeps clients apart: each has its
//! own streams, named by the client, so that a client more, less, or in another place leaves the
//! arrivals and requests of all others as they were.

use super::closed_loop::ClosedLoop;
use super::{Arrival, ArrivalProcess, TokenCounts};
use crate::request::UserIndex;
use crate::rng::Rng;
use crate::time::Timestamp;
use crate::workload::config::Arrivals;
use crate::workload::trace::RowDetails;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Clients at some point of their course.
#[derive(Clone, Debug)]
pub struct Superposition {
    /// Next arrivals before the end. At one instant in order of source.
    next: BinaryHeap<Reverse<(Timestamp, Source)>>,
    open: Vec<Open>,
    closed: Vec<Closed>,
    end: Timestamp,
}

/// Whose arrival it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Source {
    Open(u32),
    User(UserIndex),
}

/// A client whose requests arrive by themselves.
#[derive(Clone, Debug)]
struct Open {
    client: usize,
    process: ArrivalProcess,
    /// Key of its next request; they follow one another.
    key: u64,
    tokens: Option<TokenCounts>,
}

/// A client that is a closed loop.
#[derive(Clone, Debug)]
struct Closed {
    client: usize,
    /// Its first user; those of all closed loops are numbered through.
    first: UserIndex,
    users: ClosedLoop,
}

/// One arrival, taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turn {
    /// Position of its client.
    pub client: usize,
    /// What its attributes are drawn by.
    pub key: u64,
    /// The user who waits for its end, in a closed loop.
    pub user: Option<UserIndex>,
    /// Token counts, where they were recorded.
    pub tokens: Option<TokenCounts>,
    /// What else was recorded of it.
    pub details: Option<RowDetails>,
}

impl Superposition {
    /// Nobody yet; no arrivals at or after `end`.
    pub fn new(end: Timestamp) -> Self {
        Self {
            next: BinaryHeap::new(),
            open: vec![],
            closed: vec![],
            end,
        }
    }

    /// Adds the client at this position, with its own stream.
    pub fn add(&mut self, client: usize, arrivals: &Arrivals, mut rng: Rng) {
        let key = rng.next_u64();
        if let Arrivals::ClosedLoop(users) = arrivals {
            let first = self.users();
            let mut users = ClosedLoop::new(users, rng);
            for user in 0..users.users() {
                let source = Source::User(UserIndex(first.0 + user as u32));
                self.push(users.first(user), source);
            }
            self.closed.push(Closed {
                client,
                first,
                users,
            });
        } else if let Some(process) = ArrivalProcess::new(arrivals, self.end, rng) {
            let source = self.open.len();
            self.open.push(Open {
                client,
                process,
                key,
                tokens: None,
            });
            self.go_on(source);
        }
    }

    /// When the next request arrives; [`Timestamp::NEVER`] when none does unless one ends.
    #[inline]
    pub fn next_at(&self) -> Timestamp {
        self.next.peek().map_or(Timestamp::NEVER, |next| next.0.0)
    }

    /// Takes the next arrival.
    #[inline]
    pub fn take(&mut self) -> Option<Turn> {
        let Reverse((_, source)) = self.next.pop()?;
        match source {
            Source::Open(at) => {
                let open = self.open.get_mut(at as usize)?;
                let turn = Turn {
                    client: open.client,
                    key: open.key,
                    user: None,
                    tokens: open.tokens,
                    details: open.process.details(),
                };
                open.key = open.key.wrapping_add(1);
                self.go_on(at as usize);
                Some(turn)
            }
            Source::User(user) => {
                let (closed, own) = self.closed_loop_of(user)?;
                Some(Turn {
                    client: closed.client,
                    key: closed.users.key(own)?,
                    user: Some(user),
                    tokens: None,
                    details: None,
                })
            }
        }
    }

    /// The request of a user has ended: the user thinks, and asks again unless it is too late.
    #[inline]
    pub fn request_ended(&mut self, now: Timestamp, user: UserIndex) {
        let next = self
            .closed_loop_of(user)
            .and_then(|(closed, own)| closed.users.next(own, now));
        self.push(next, Source::User(user));
    }

    /// Whether there are users, who wait for the ends of their requests.
    pub fn has_users(&self) -> bool {
        !self.closed.is_empty()
    }

    /// How many users there are, as the number of the next one.
    fn users(&self) -> UserIndex {
        self.closed.last().map_or(UserIndex(0), |last| {
            UserIndex(last.first.0 + last.users.users() as u32)
        })
    }

    /// The closed loop of a user, and its number there.
    #[inline]
    fn closed_loop_of(&mut self, user: UserIndex) -> Option<(&mut Closed, usize)> {
        let after = self.closed.partition_point(|closed| closed.first <= user);
        let closed = self.closed.get_mut(after.checked_sub(1)?)?;
        let own = user.at() - closed.first.at();
        Some((closed, own))
    }

    /// Looks for the next arrival of an open process.
    #[inline]
    fn go_on(&mut self, at: usize) {
        let Some(open) = self.open.get_mut(at) else {
            return;
        };
        let Some(Arrival { at: next, tokens }) = open.process.next() else {
            return;
        };
        open.tokens = tokens;
        self.push(Some(next), Source::Open(at as u32));
    }

    #[inline]
    fn push(&mut self, at: Option<Timestamp>, source: Source) {
        if let Some(at) = at.filter(|at| *at < self.end) {
            self.next.push(Reverse((at, source)));
        }
    }
}
