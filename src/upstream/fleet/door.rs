//! The door of an account: what becomes of an attempt that arrives.
//!
//! In this order: no such model (404), partition, blackhole, outage or fast errors, quota (429),
//! room (a full station refuses), error faults, which answer without occupying anything, and at
//! last a slot or the queue, where service or a calm-weather failure takes its time. Quota is taken
//! here, also if the station then refuses. A fault counts if it is in force now, however long the
//! attempt then waits.
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
use crate::upstream::fault::{FaultyAnswer, Sent, Weather};
use crate::upstream::network::Passage;

/// What becomes of an attempt that comes to the door.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reception {
    /// It is answered there, with an error.
    Answered,
    /// It never gets there, and the client's side notices by itself.
    Unsent,
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
        let mut rng = self.streams.attempt(request.key, to.0, nth);
        let (trouble, fault) = (rng.uniform(), rng.uniform());
        let sent = || Sent {
            model,
            from: self.network.sender(request.features.user_region),
        };
        let (slowdown, error) = match self.faults.weather(now, to, sent, fault) {
            Weather::Unreachable(gives_up) => {
                let after = gives_up.sample_duration(&mut rng);
                *place = Plan::fails(after, FailureKind::Connection.into());
                return Reception::Unsent;
            }
            Weather::Lost => {
                *place = Plan::hangs();
                return Reception::Lost;
            }
            Weather::Refused(answer) => return answered(place, answer, &mut rng),
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

impl Fleet {
    /// The way to the door of an attempt that may be lost or delayed on it; returns the delay too.
    #[cold]
    pub(super) fn travel(
        &mut self,
        now: Timestamp,
        place: usize,
        to: AccountIndex,
        nth: u32,
        request: &Request,
    ) -> (Reception, Duration) {
        let mut rng = self.streams.passage(request.id.0, to.0, nth);
        let region = self
            .accounts
            .get(to.at())
            .and_then(|account| account.region);
        let user = request.features.user_region;
        let after = match self.network.passage(user, region, &mut rng) {
            Passage::Delayed(delay) => {
                return (self.receive(now, place, to, nth, request), delay);
            }
            Passage::Lost(after) => after,
        };
        let plan = &mut self.attempts[place].plan;
        let Some(after) = after else {
            *plan = Plan::hangs();
            return (Reception::Lost, Duration::ZERO);
        };
        *plan = Plan::fails(after, FailureKind::Connection.into());
        (Reception::Unsent, Duration::ZERO)
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
