//! How many attempts an account works on at a time, and how fast.
//!
//! Dispatched by an enum, one model a file: the set is closed, and a virtual call per attempt would
//! cost more than the work. A station decides by returning a value; starting an attempt is the
//! fleet's doing.
//!
//! There are two kinds. In most an attempt that has started ends after a time of its own, so a
//! station only counts. In a [`Shared`] one the time depends on who else is there, so it also says
//! when its next attempt comes to a milestone.

mod heap;
mod load_dependent;
mod shared;
mod slots;
mod waiting_line;

pub(super) use heap::{Entry, Heap, Positions};
pub(super) use shared::{Shared, Shares};
pub(super) use waiting_line::Links;

use crate::request::{AttemptId, FailureKind};
use crate::upstream::config::Capacity;
use load_dependent::LoadDependent;
use slots::Slots;
use waiting_line::Line;

/// The place where one account's attempts run and wait.
pub(super) enum Station {
    /// All run at once.
    Unlimited,
    /// A limited number runs at a time.
    Slots(Slots),
    /// All run at once, each as long as the number of the others at its arrival says.
    LoadDependent(Box<LoadDependent>),
    /// All run at once and slow each other down.
    Shared(Box<Shared>),
}

/// What becomes of an attempt that is let in.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Admission {
    /// It runs from now on and holds nothing.
    Runs,
    /// It runs from now on and holds a slot.
    RunsInSlot,
    /// The same, but its answer takes so many times as long.
    RunsSlower(f64),
    /// It shares the station from now on: [`Shared::join`] is to follow.
    Shares,
    /// It waits its turn.
    Waits,
}

impl Station {
    /// An empty station.
    pub(super) fn new(capacity: &Capacity) -> Self {
        match *capacity {
            Capacity::Unlimited => Self::Unlimited,
            Capacity::Slots {
                servers,
                queue,
                refusal,
            } => Self::Slots(Slots::new(servers, queue, refusal)),
            Capacity::Shared {
                ref speeds,
                limit,
                queue,
                refusal,
            } => Self::Shared(Box::new(Shared::new(speeds.clone(), limit, queue, refusal))),
            Capacity::LoadDependent {
                threshold,
                at_threshold,
                above,
                limit,
                refusal,
            } => Self::LoadDependent(Box::new(LoadDependent {
                threshold,
                at_threshold,
                above,
                limit,
                refusal,
                busy: 0,
            })),
        }
    }

    /// How it turns away an attempt that comes now; `None` if it has room.
    #[inline]
    pub(super) fn refusal(&self) -> Option<FailureKind> {
        match self {
            Self::Unlimited => None,
            Self::Slots(slots) => slots.refusal(),
            Self::LoadDependent(_) | Self::Shared(_) => self.refusal_where_loaded(),
        }
    }

    /// The same where attempts get in each other's way: apart, so that it costs the others nothing.
    #[inline(never)]
    fn refusal_where_loaded(&self) -> Option<FailureKind> {
        match self {
            Self::Unlimited | Self::Slots(_) => None,
            Self::LoadDependent(station) => station.refusal(),
            Self::Shared(station) => station.refusal(),
        }
    }

    /// Lets an attempt in, after [`Self::refusal`] said nothing.
    #[inline]
    pub(super) fn admit(&mut self, attempt: AttemptId, links: &mut Links) -> Admission {
        match self {
            Self::Unlimited => Admission::Runs,
            Self::Slots(slots) => slots.admit(attempt, links),
            Self::LoadDependent(_) | Self::Shared(_) => self.admit_where_loaded(attempt, links),
        }
    }

    /// The same where attempts get in each other's way.
    #[inline(never)]
    fn admit_where_loaded(&mut self, attempt: AttemptId, links: &mut Links) -> Admission {
        match self {
            Self::Unlimited | Self::Slots(_) => Admission::Runs,
            Self::LoadDependent(station) => station.admit(),
            Self::Shared(station) => station.admit(attempt, links),
        }
    }

    /// An attempt gives its slot back. Follow with [`Self::call_next`].
    #[inline]
    pub(super) fn leave(&mut self) {
        match self {
            Self::Slots(slots) => slots.leave(),
            Self::LoadDependent(station) => station.leave(),
            Self::Unlimited | Self::Shared(_) => (),
        }
    }

    /// A waiting attempt goes away.
    pub(super) fn withdraw(&mut self, attempt: AttemptId, links: &mut Links) {
        if let Some(line) = self.line() {
            line.remove(attempt, links);
        }
    }

    /// A waiting attempt goes on waiting under another name.
    pub(super) fn rename_waiting(&mut self, attempt: AttemptId, to: AttemptId, links: &mut Links) {
        if let Some(line) = self.line() {
            line.rename(attempt, to, links);
        }
    }

    /// The next attempt that waits for a slot, if there is one and a slot is free; it holds the
    /// slot from now on.
    #[inline]
    pub(super) fn call_next(&mut self, links: &mut Links) -> Option<AttemptId> {
        match self {
            Self::Slots(slots) => slots.call_next(links),
            Self::Unlimited | Self::LoadDependent(_) | Self::Shared(_) => None,
        }
    }

    /// The station, if attempts share it.
    pub(super) fn shared(&self) -> Option<&Shared> {
        match self {
            Self::Shared(station) => Some(station),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn shared_mut(&mut self) -> Option<&mut Shared> {
        match self {
            Self::Shared(station) => Some(station),
            _ => None,
        }
    }

    fn line(&mut self) -> Option<&mut Line> {
        match self {
            Self::Unlimited | Self::LoadDependent(_) => None,
            Self::Slots(slots) => Some(slots.line()),
            Self::Shared(station) => Some(station.line()),
        }
    }
}
