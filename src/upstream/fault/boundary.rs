//! When a fault comes into force, changes, and ends.
//!
//! The times of a fault are a function of the fault, asked for one by one, instead of a list made
//! beforehand: a fault that flaps every second for a week would be a list of a million.

use crate::time::{Duration, Timestamp};
use crate::upstream::config::{Fault, FaultKind};

/// A time at which a fault changes. At one instant they are carried out in this order: ends first,
/// then faults in the order in which they compose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Boundary {
    pub(super) time: Timestamp,
    pub(super) turn: Turn,
    /// Position of the fault in the order of composition.
    pub(super) fault: u32,
    /// Which of the fault's boundaries it is, from 0.
    pub(super) nth: u64,
}

/// What happens at a boundary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Turn {
    /// It is no longer in force.
    End,
    /// It is in force from now on. `full`: with its full intensity.
    Start { full: bool },
    /// It was in force, and is so in full from now on, or by one more step.
    Step { full: bool },
}

/// Steps in which a quota is cut by a ramp. A bucket whose rate changed at every instant would no
/// longer be exact in integers; one that changed whenever somebody looks would differ by strategy.
pub(super) const STEPS: u64 = 16;

impl Boundary {
    /// The `nth` boundary of the fault at position `number`; `None` after its last.
    pub(super) fn of(fault: &Fault, number: u32, nth: u64) -> Option<Self> {
        let (time, turn) = match fault.kind {
            FaultKind::Flapping { period, duty, .. } => flapping(fault, period, duty, nth)?,
            FaultKind::RateLimit { .. } => stepped(fault, STEPS, nth)?,
            _ => stepped(fault, 1, nth)?,
        };
        Some(Self {
            time,
            turn,
            fault: number,
            nth,
        })
        .filter(|boundary| boundary.time != Timestamp::NEVER)
    }
}

/// A start, a step at the end of each of so many parts of the ramp, and an end.
fn stepped(fault: &Fault, parts: u64, nth: u64) -> Option<(Timestamp, Turn)> {
    let ramped = fault.ramp > Duration::ZERO;
    let step = |nth: u64| {
        let passed = u128::from(fault.ramp.as_nanos()) * u128::from(nth) / u128::from(parts);
        fault.start + Duration::from_nanos(passed as u64)
    };
    // The ramp may be longer than the fault.
    let comes = |nth: u64| ramped && nth <= parts && step(nth) < fault.end;
    if nth == 0 {
        Some((fault.start, Turn::Start { full: !ramped }))
    } else if comes(nth) {
        let full = nth == parts;
        Some((step(nth), Turn::Step { full }))
    } else {
        let is_next = nth == 1 || comes(nth - 1);
        is_next.then_some((fault.end, Turn::End))
    }
}

/// Down at the beginning of each period, up again within it. While the ramp lasts, down for as much
/// of the duty as the ramp has reached at the end of the period.
fn flapping(fault: &Fault, period: Duration, duty: f64, nth: u64) -> Option<(Timestamp, Turn)> {
    let begin = period.as_nanos().checked_mul(nth / 2)?;
    let down = fault.start + Duration::from_nanos(begin);
    if down >= fault.end {
        return None;
    }
    if nth.is_multiple_of(2) {
        return Some((down, Turn::Start { full: true }));
    }
    let length = period.scale(duty * fault.intensity(down + period));
    Some(((down + length).min(fault.end), Turn::End))
}
