//! What the faults in force mean, together, for one attempt at the door.

use crate::distribution::Distribution;
use crate::request::{FailureKind, ModelIndex, RegionIndex};
use crate::time::Timestamp;
use crate::upstream::config::{Fault, FaultKind};

/// What the faults in force mean for an attempt at the door.
pub(in crate::upstream) enum Weather<'a> {
    /// It cannot connect: the client's side gives up after this time, in seconds.
    Unreachable(&'a Distribution),
    /// Nothing will ever come back.
    Lost,
    /// It fails without reaching the account.
    Refused(FaultyAnswer<'a>),
    /// It is let through.
    Passable {
        /// Service takes this many times as long.
        slowdown: f64,
        /// The account answers with this, if it has room at all.
        error: Option<FaultyAnswer<'a>>,
    },
}

/// A failure made by a fault.
#[derive(Clone, Copy)]
pub(in crate::upstream) struct FaultyAnswer<'a> {
    /// What goes wrong.
    pub(in crate::upstream) failure: FailureKind,
    /// Time until it does, in seconds.
    pub(in crate::upstream) time_to_fail: &'a Distribution,
}

/// What of an attempt faults distinguish by.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Sent {
    /// Model asked for.
    pub(in crate::upstream) model: ModelIndex,
    /// Where it was sent from; `None` if unknown.
    pub(in crate::upstream) from: Option<RegionIndex>,
}

impl Weather<'_> {
    /// No fault at all.
    pub(super) const CALM: Self = Weather::Passable {
        slowdown: 1.0,
        error: None,
    };
}

/// Place of a kind in the order in which faults compose: what an attempt meets first on its way.
pub(super) const fn stage(kind: &FaultKind) -> u8 {
    match kind {
        FaultKind::Partition { .. } => 0,
        FaultKind::Blackhole => 1,
        FaultKind::Outage { .. } | FaultKind::Flapping { .. } => 2,
        FaultKind::FastErrors { .. } => 3,
        FaultKind::Errors { .. } => 4,
        FaultKind::Brownout { .. } | FaultKind::ColdStart { .. } => 5,
        FaultKind::RateLimit { .. } | FaultKind::PriceChange { .. } | FaultKind::Absent => 6,
    }
}

/// Composes faults given in the order of their stages, for an attempt that drew `u`, uniform in
/// [0, 1): each strikes its share of what those before it let through.
pub(super) fn compose<'a>(
    faults: impl Iterator<Item = &'a Fault>,
    now: Timestamp,
    sent: Sent,
    u: f64,
) -> Weather<'a> {
    let (mut slowdown, mut left, mut error) = (1.0, u, None);
    for fault in faults.filter(|fault| concerns(fault, sent)) {
        let intensity = match fault.kind {
            // Its ramp makes the times down longer, each of which is full.
            FaultKind::Flapping { .. } => 1.0,
            _ => fault.intensity(now),
        };
        if let FaultKind::Brownout { factor } = fault.kind {
            slowdown *= 1.0 + (factor - 1.0) * intensity;
        } else if let FaultKind::ColdStart { factor } = fault.kind {
            slowdown *= 1.0 + (factor - 1.0) * fault.left(now);
        } else if error.is_none() && strikes(&mut left, share(&fault.kind) * intensity) {
            match effect(&fault.kind) {
                Weather::Passable { error: answer, .. } => error = answer,
                end => return end,
            }
        }
    }
    Weather::Passable { slowdown, error }
}

/// Whether a fault is one for such attempts.
pub(super) fn concerns(fault: &Fault, sent: Sent) -> bool {
    let from_there = match &fault.kind {
        FaultKind::Partition {
            from: Some(regions),
            ..
        } => sent.from.is_some_and(|from| regions.contains(&from)),
        _ => true,
    };
    from_there && fault.model.is_none_or(|only| only == sent.model)
}

/// Whether a fault with this share strikes; if not, `left` is made uniform in [0, 1) again.
fn strikes(left: &mut f64, share: f64) -> bool {
    if share >= 1.0 || *left < share {
        return true;
    }
    *left = (*left - share) / (1.0 - share);
    false
}

/// Share of the attempts that a fault of full intensity strikes.
const fn share(kind: &FaultKind) -> f64 {
    match kind {
        FaultKind::Errors { rate, .. } | FaultKind::FastErrors { rate, .. } => *rate,
        _ => 1.0,
    }
}

/// What happens to an attempt that is struck.
fn effect(kind: &FaultKind) -> Weather<'_> {
    match kind {
        FaultKind::Partition { time_to_fail, .. } => Weather::Unreachable(time_to_fail),
        FaultKind::Blackhole => Weather::Lost,
        FaultKind::Outage {
            failure,
            time_to_fail,
        }
        | FaultKind::Flapping {
            failure,
            time_to_fail,
            ..
        }
        | FaultKind::FastErrors {
            failure,
            time_to_fail,
            ..
        } => Weather::Refused(answer(*failure, time_to_fail)),
        FaultKind::Errors {
            failure,
            time_to_fail,
            ..
        } => Weather::Passable {
            slowdown: 1.0,
            error: Some(answer(*failure, time_to_fail)),
        },
        _ => Weather::CALM,
    }
}

fn answer(failure: FailureKind, time_to_fail: &Distribution) -> FaultyAnswer<'_> {
    FaultyAnswer {
        failure,
        time_to_fail,
    }
}
