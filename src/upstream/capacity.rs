//! How many attempts an account works on at a time.
//!
//! Dispatched by an enum, one model a file: the set is closed, and a virtual call per attempt would
//! cost more than the work. A station decides by returning a value; starting an attempt is the
//! fleet's doing.

mod slots;
mod waiting_line;

pub(super) use waiting_line::Links;

use crate::request::{AttemptId, FailureKind};
use crate::upstream::config::Capacity;
use slots::Slots;

/// The place where one account's attempts run and wait.
pub(super) enum Station {
    /// All run at once.
    Unlimited,
    /// A limited number runs at a time.
    Slots(Slots),
}

/// What becomes of an attempt that is let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Admission {
    /// It runs from now on and holds nothing.
    Runs,
    /// It runs from now on and holds a slot.
    RunsInSlot,
    /// It waits its turn.
    Waits,
}

impl Station {
    /// An empty station.
    pub(super) fn new(capacity: Capacity) -> Self {
        match capacity {
            Capacity::Unlimited => Self::Unlimited,
            Capacity::Slots {
                servers,
                queue,
                refusal,
            } => Self::Slots(Slots::new(servers, queue, refusal)),
        }
    }

    /// How it turns away an attempt that comes now; `None` if it has room.
    pub(super) fn refusal(&self) -> Option<FailureKind> {
        match self {
            Self::Unlimited => None,
            Self::Slots(slots) => slots.refusal(),
        }
    }

    /// Lets an attempt in, after [`Self::refusal`] said nothing.
    pub(super) fn admit(&mut self, attempt: AttemptId, links: &mut Links) -> Admission {
        match self {
            Self::Unlimited => Admission::Runs,
            Self::Slots(slots) => slots.admit(attempt, links),
        }
    }

    /// An attempt gives its slot back. Follow with [`Self::call_next`].
    pub(super) fn leave(&mut self) {
        match self {
            Self::Unlimited => (),
            Self::Slots(slots) => slots.leave(),
        }
    }

    /// A waiting attempt goes away.
    pub(super) fn withdraw(&mut self, attempt: AttemptId, links: &mut Links) {
        match self {
            Self::Unlimited => (),
            Self::Slots(slots) => slots.withdraw(attempt, links),
        }
    }

    /// The next waiting attempt, if there is one and a slot is free; it holds the slot from now on.
    pub(super) fn call_next(&mut self, links: &mut Links) -> Option<AttemptId> {
        match self {
            Self::Unlimited => None,
            Self::Slots(slots) => slots.call_next(links),
        }
    }
}
