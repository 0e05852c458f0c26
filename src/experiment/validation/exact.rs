//! What must hold to the nanosecond, not only in the mean.
//!
//! The service demand of a request at an account does not depend on what else happens there, so a
//! run with unlimited capacity shows all demands, and from them follows by arithmetic what a run
//! with limited capacity must do:
//!
//! - every wait: with a first come, first served line the next in line takes the server that is
//!   free first (D. V. Lindley 1952; with several servers J. Kiefer and J. Wolfowitz 1955);
//! - utilisation: the integral over time of the servers that are busy is the sum of the services.
//!   Where requests share the servers, ends are rounded up to whole nanoseconds, and that sum may
//!   be exceeded by as much as one nanosecond for each request.
//!
//! Strategies that do not look at the load send a request to the same account in both runs.
//! Flow conservation, no attempt without an end, and Little's law (the integral of the number of
//! requests in the system, and of attempts in flight, is the sum of their times) are asserted by
//! the engine itself, in every run that there is.

use super::system::{Arrivals, CONSTANT, EXPONENTIAL, GAMMA_4, Law, System};
use crate::experiment::run::{self, RunError};
use crate::experiment::scenario::{Overrides, Scenario, parse};
use crate::record::RequestRecord;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Two sums that must be equal, in integers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// What was run.
    pub system: String,
    /// Requests compared.
    pub requests: u64,
    /// Requests that did not end at the very nanosecond that follows from the demands; `None`
    /// where no such rule is known.
    pub misplaced: Option<u64>,
    /// Integral of the busy servers, in server-nanoseconds.
    pub busy: u128,
    /// Sum of the services, in nanoseconds.
    pub service: u128,
    /// How much more `busy` may be.
    pub allowance: u128,
}

impl Identity {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        let enough = (self.service..=self.service + self.allowance).contains(&self.busy);
        self.requests > 0 && enough && self.misplaced.unwrap_or(0) == 0
    }
}

/// A system at a high load.
struct Subject {
    accounts: u32,
    servers: u32,
    strategy: &'static str,
    law: Law,
    shared: bool,
}

const fn line(accounts: u32, servers: u32, strategy: &'static str, law: Law) -> Subject {
    Subject {
        accounts,
        servers,
        strategy,
        law,
        shared: false,
    }
}

const SUBJECTS: [Subject; 7] = [
    line(1, 1, "round_robin", EXPONENTIAL),
    line(1, 1, "round_robin", CONSTANT),
    line(1, 4, "round_robin", EXPONENTIAL),
    line(3, 2, "round_robin", GAMMA_4),
    line(10, 1, "random", EXPONENTIAL),
    line(3, 3, "weighted_round_robin", GAMMA_4),
    Subject {
        shared: true,
        ..line(1, 4, "round_robin", GAMMA_4)
    },
];

/// Requests of each run, about.
const REQUESTS: u64 = 50_000;

/// Checks all subjects, at the same size whatever the scale: what holds exactly, holds at any.
pub(super) fn identities(stop: &AtomicBool) -> Result<Vec<Identity>, RunError> {
    SUBJECTS.iter().map(|subject| subject.check(stop)).collect()
}

impl Subject {
    fn check(&self, stop: &AtomicBool) -> Result<Identity, RunError> {
        let room = if self.shared {
            format!("{{ processor_sharing = {} }}", self.servers)
        } else {
            format!("{{ slots = {} }}", self.servers)
        };
        let demands = self.requests("\"unlimited\"".to_owned(), stop)?;
        let waited = self.requests(room, stop)?;
        let service = demands.iter().map(nanos).sum();
        let mut busy = 0;
        for account in 0..self.accounts as usize {
            let there = |record: &&RequestRecord| record.account.is_some_and(|a| a.at() == account);
            busy += self.busy(waited.iter().filter(there));
        }
        let requests = waited.len() as u64;
        Ok(Identity {
            system: self.name(),
            requests,
            misplaced: (!self.shared).then(|| self.misplaced(&demands, &waited)),
            busy,
            service,
            allowance: if self.shared { requests.into() } else { 0 },
        })
    }

    fn name(&self) -> String {
        let discipline = if self.shared { "shared" } else { "one line" };
        let (accounts, servers) = (self.accounts, self.servers);
        let account = if accounts == 1 { "account" } else { "accounts" };
        let server = if servers == 1 { "server" } else { "servers" };
        format!(
            "{accounts} {account} of {servers} {server} ({discipline}), `{}`, {}",
            self.strategy, self.law.name
        )
    }

    /// All requests of a run, in order of arrival.
    fn requests(
        &self,
        capacity: String,
        stop: &AtomicBool,
    ) -> Result<Vec<RequestRecord>, RunError> {
        let weights = match self.strategy {
            "weighted_round_robin" => ", dynamic_weights = false",
            _ => "",
        };
        let system = System {
            accounts: self.accounts,
            capacity,
            service: self.law.toml.to_owned(),
            strategy: format!("{{ strategy = \"{}\"{weights} }}", self.strategy),
            arrivals: Arrivals::Poisson(0.95 * f64::from(self.accounts * self.servers)),
            ..System::default()
        };
        let scenario = scenario(&system.text(1, 1, REQUESTS), None)?;
        let mut records = vec![];
        run::replication(&scenario, 0, 0, stop, &mut |record| records.push(*record))?;
        records.sort_by_key(|record| record.request);
        Ok(records)
    }

    /// Requests that do not end when they must.
    fn misplaced(&self, demands: &[RequestRecord], waited: &[RequestRecord]) -> u64 {
        let mut free = vec![vec![0; self.servers as usize]; self.accounts as usize];
        let missing = demands.len().abs_diff(waited.len()) as u64;
        let pairs = demands.iter().zip(waited);
        let wrong = pairs.filter(|(demand, waited)| {
            let same = demand.request == waited.request
                && demand.account == waited.account
                && demand.arrived == waited.arrived;
            let account = demand
                .account
                .and_then(|account| free.get_mut(account.at()));
            let first_free = account.and_then(|servers| servers.iter_mut().min());
            let Some(first_free) = first_free.filter(|_| same) else {
                return true;
            };
            *first_free = demand.arrived.as_nanos().max(*first_free) + demand.sojourn().as_nanos();
            waited.ended.as_nanos() != *first_free
        });
        wrong.count() as u64 + missing
    }

    /// Integral of the busy servers of one account.
    fn busy<'a>(&self, requests: impl Iterator<Item = &'a RequestRecord>) -> u128 {
        let mut changes: Vec<(u64, i64)> = vec![];
        for record in requests {
            changes.push((record.arrived.as_nanos(), 1));
            changes.push((record.ended.as_nanos(), -1));
        }
        changes.sort_unstable();
        let (mut area, mut inside, mut since) = (0, 0, 0);
        for (now, change) in changes {
            let servers = inside.clamp(0, i64::from(self.servers)) as u128;
            area += servers * u128::from(now - since);
            (inside, since) = (inside + change, now);
        }
        area
    }
}

fn nanos(record: &RequestRecord) -> u128 {
    record.sojourn().as_nanos().into()
}

/// A scenario of our own making, with its own number of replications or another.
pub(super) fn scenario(text: &str, replications: Option<u32>) -> Result<Scenario, RunError> {
    let overrides = Overrides {
        replications,
        ..Overrides::default()
    };
    match parse("validation.toml", text, Path::new(""), &overrides) {
        Ok(loaded) => Ok(loaded.scenario),
        Err(findings) => Err(RunError::InvariantBroken(format!(
            "a scenario of the validation is invalid: {findings}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_one_nanosecond_is_seen() {
        let identity = Identity {
            system: String::new(),
            requests: 10,
            misplaced: Some(0),
            busy: 100,
            service: 100,
            allowance: 0,
        };
        assert!(identity.holds());
        let with = |change: fn(&mut Identity)| {
            let mut identity = identity.clone();
            change(&mut identity);
            identity.holds()
        };
        assert!(!with(|i| i.busy = 101));
        assert!(!with(|i| i.busy = 99));
        assert!(with(|i| (i.busy, i.allowance) = (101, 10)));
        assert!(!with(|i| i.misplaced = Some(1)));
        assert!(!with(|i| i.requests = 0));
    }

    #[test]
    fn waits_are_known_to_the_nanosecond() {
        let stop = AtomicBool::new(false);
        let all = identities(&stop).unwrap_or_else(|error| panic!("{error}"));
        for identity in all {
            assert!(identity.holds(), "{identity:?}");
            assert!(identity.requests > REQUESTS * 9 / 10);
        }
    }
}
