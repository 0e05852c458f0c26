//! The door of an account: what becomes of an attempt that arrives.
//!
//! In this order: no such model (404), outage or blackhole, quota (429), room (a full station
//! refuses), error faults, which answer without occupying anything, and at last a slot or the
//! queue, where service or a calm-weather failure takes its time. Quota is taken here, also if the
//! station then refuses. A fault counts if it is in force now, however long the attempt then waits.
//!
//! An attempt's random numbers come from its own stream, in a fixed order: one uniform number for
//! calm failures and one for error faults, always; then whatever its ending needs. An attempt has
//! one ending, so nothing comes after it that could be moved. The same request on the same account
//! therefore meets the same demand under every strategy and load, in an outage's absence as in its
//! presence elsewhere (common random numbers).

use super::Fleet;
use super::attempt::{Ending, Plan};
use crate::request::{AccountIndex, Failure, FailureKind, ModelIndex, Request, Usage};
use crate::rng::Rng;
use crate::time::{Duration, Timestamp};
use crate::upstream::config::{CalmFailure, Service, Trouble};
use crate::upstream::fault::{FaultyAnswer, Weather};

/// What becomes of an attempt that comes to the door.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reception {
    /// It is answered there, with an error.
    Answered,
    /// It is lost on the way.
    Lost,
    /// It is let in.
    Accepted,
}

impl Fleet {
    /// The door: decides what becomes of an attempt, and writes the plan of it into `place`.
    /// Besides only the quota is changed.
    #[inline(always)]
    pub(super) fn receive(
        &mut self,
        now: Timestamp,
        place: usize,
        to: AccountIndex,
        nth: u32,
        request: &Request,
    ) -> Reception {
        let place = &mut self.attempts[place].plan;
        let model = request.features.model;
        let Some(service) = service_at(&self.service_of, self.models, to, model)
            .filter(|service| *service < self.services.len())
        else {
            return refused(place, FailureKind::ModelNotFound.into());
        };
        let mut rng = self.streams.attempt(request.id.0, to.0, nth);
        let (trouble, fault) = (rng.uniform(), rng.uniform());
        let (slowdown, error) = match self.faults.weather(to, model, fault) {
            Weather::Blackhole => {
                *place = Plan::hangs();
                return Reception::Lost;
            }
            Weather::Outage(answer) => return answered(place, answer, &mut rng),
            Weather::Passable { slowdown, error } => (slowdown, error),
        };
        let account = &self.accounts[to.at()];
        if let Some(quota) = account.quota.and_then(|quota| self.quotas.get_mut(quota))
            && let Err(limited) = quota.admit(now, request.tokens)
        {
            let failure = Failure {
                kind: FailureKind::RateLimited,
                retry_after: limited.retry_after,
            };
            return refused(place, failure);
        }
        if let Some(kind) = account.station.refusal() {
            return refused(place, kind.into());
        }
        if let Some(answer) = error {
            return answered(place, answer, &mut rng);
        }
        let failure = account.failures.pick(trouble);
        let service = &self.services[service];
        *place = plan(service, failure, slowdown, request.tokens, &mut rng);
        Reception::Accepted
    }
}

/// Position in `services`, by the table of services by account, then model.
#[inline]
fn service_at(
    table: &[Option<u16>],
    models: usize,
    account: AccountIndex,
    model: ModelIndex,
) -> Option<usize> {
    if model.at() >= models {
        return None;
    }
    let cell = table.get(account.at() * models + model.at());
    Some(usize::from((*cell?)?))
}

/// An error at the door, given at once.
fn refused(place: &mut Plan, failure: Failure) -> Reception {
    *place = Plan::fails(Duration::ZERO, failure);
    Reception::Answered
}

/// An error at the door, by a fault.
fn answered(place: &mut Plan, answer: FaultyAnswer<'_>, rng: &mut Rng) -> Reception {
    let after = answer.time_to_fail.sample_duration(rng);
    *place = Plan::fails(after, answer.failure.into());
    Reception::Answered
}

/// Draws what will happen to an attempt that is let in.
#[inline]
fn plan(
    service: &Service,
    failure: Option<&CalmFailure>,
    slowdown: f64,
    tokens: Usage,
    rng: &mut Rng,
) -> Plan {
    let breaks = match failure.map(|failure| (failure.trouble, &failure.time_to_fail)) {
        None => false,
        Some((Trouble::Fails(FailureKind::BrokenStream), _)) => true,
        Some((Trouble::Fails(kind), time_to_fail)) => {
            return Plan {
                usage: Usage {
                    output: 0,
                    ..tokens
                },
                ..Plan::fails(time_to_fail.sample_duration(rng), kind.into())
            };
        }
        Some((Trouble::Hangs, _)) => {
            return Plan {
                usage: Usage {
                    output: 0,
                    ..tokens
                },
                ..Plan::hangs()
            };
        }
    };
    let mut demand = service.demand(tokens, rng);
    if slowdown != 1.0 {
        demand = demand.scale(slowdown);
    }
    let complete = Plan {
        demand,
        usage: tokens,
        ending: Ending::Completes,
    };
    if breaks {
        complete.broken_off(rng.uniform())
    } else {
        complete
    }
}
