//! What the owner of the accounts changes while a run goes on: prices, removals, additions.
//!
//! These are no faults of an upstream; somebody decides them, and the gateway is told. The driver
//! tells it as a live one would, by describing the account anew. A removed account takes no new
//! attempts, and those in flight are finished and paid for: that is what taking a key out of a
//! configuration does, and nothing has to be taken back. What routing has learned of it stays. An
//! added account is known from the start, but not in service. Prices count when an attempt ends.
//! Changes that overlap compose: prices multiply, and whoever removes an account removes it.

use crate::request::AccountIndex;
use crate::routing::account::{Account, Availability};
use crate::time::Timestamp;
use crate::upstream::config::{Fault, FaultKind};
use std::collections::BTreeSet;

/// The changes of a run.
#[derive(Clone, Debug)]
pub struct Changes<'a> {
    accounts: &'a [Account],
    /// Each with its accounts in order.
    changes: Vec<(&'a Fault, Vec<AccountIndex>)>,
    /// Times at which something changes, the next one last.
    ahead: Vec<Timestamp>,
    /// The next of them; [`Timestamp::NEVER`] if there is none.
    next_at: Timestamp,
}

impl<'a> Changes<'a> {
    /// Those among `faults`, to the accounts as they are described.
    #[must_use]
    pub fn new(accounts: &'a [Account], faults: &'a [Fault]) -> Self {
        let told = |fault: &&Fault| {
            matches!(
                fault.kind,
                FaultKind::PriceChange { .. } | FaultKind::Absent
            )
        };
        let in_order = |fault: &'a Fault| {
            let mut accounts = fault.accounts.clone();
            accounts.sort_unstable();
            (fault, accounts)
        };
        let changes: Vec<_> = faults.iter().filter(told).map(in_order).collect();
        let times = changes
            .iter()
            .flat_map(|(fault, _)| [fault.start, fault.end]);
        let times: BTreeSet<Timestamp> = times
            .filter(|time| Timestamp::ZERO < *time && *time < Timestamp::NEVER)
            .collect();
        let mut changes = Self {
            accounts,
            changes,
            ahead: times.into_iter().rev().collect(),
            next_at: Timestamp::NEVER,
        };
        changes.look_ahead();
        changes
    }

    /// When the next change comes; [`Timestamp::NEVER`] if none does.
    #[inline]
    #[must_use]
    pub const fn next(&self) -> Timestamp {
        self.next_at
    }

    /// All accounts as the run begins.
    #[must_use]
    pub fn at_start(&self) -> Vec<Account> {
        let indices = (0..self.accounts.len() as u32).map(AccountIndex);
        indices
            .map(|account| self.described(account, Timestamp::ZERO))
            .collect()
    }

    /// The accounts that change at the next time, as they are from then on.
    pub fn take(&mut self) -> Vec<Account> {
        let Some(now) = self.ahead.pop() else {
            return Vec::new();
        };
        self.look_ahead();
        let changes = self.changes.iter();
        let due = changes.filter(|(fault, _)| fault.start == now || fault.end == now);
        let accounts: BTreeSet<AccountIndex> =
            due.flat_map(|(_, accounts)| accounts).copied().collect();
        accounts
            .into_iter()
            .map(|account| self.described(account, now))
            .collect()
    }

    fn look_ahead(&mut self) {
        self.next_at = self.ahead.last().copied().unwrap_or(Timestamp::NEVER);
    }

    /// The account as it is at `now`.
    fn described(&self, account: AccountIndex, now: Timestamp) -> Account {
        let mut described = self.accounts[account.at()].clone();
        let in_force = self.changes.iter().filter(|(fault, accounts)| {
            fault.start <= now && now < fault.end && accounts.binary_search(&account).is_ok()
        });
        for (fault, _) in in_force {
            match fault.kind {
                FaultKind::Absent => described.availability = Availability::Disabled,
                FaultKind::PriceChange { factor } => {
                    let served = described.models.iter_mut();
                    for served in served.filter(|s| fault.model.is_none_or(|m| m == s.model)) {
                        served.prices = served.prices.scale(factor);
                    }
                }
                _ => (),
            }
        }
        described
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{ModelIndex, Provider};
    use crate::routing::account::{RateLimits, ServedModel};
    use crate::time::Duration;
    use crate::units::{Price, Prices};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    fn account(id: &str) -> Account {
        let price = |usd| Price::usd_per_mtok(usd).unwrap();
        let served = |model| ServedModel {
            model: ModelIndex(model),
            prices: Prices {
                input: price(3.0),
                output: price(15.0),
                cached_input: price(0.3),
            },
            quality: 3,
            context_window: 1_000,
        };
        Account {
            id: id.into(),
            provider: Provider::Anthropic,
            region: None,
            models: vec![served(0), served(1)],
            weight: 1,
            max_in_flight: 10,
            limits: RateLimits::default(),
            organisation: None,
            availability: Availability::Enabled,
        }
    }

    fn change(kind: FaultKind, account: u32, start: u64, end: u64) -> Fault {
        Fault {
            kind,
            accounts: vec![AccountIndex(account)],
            model: None,
            start: at(start),
            end: at(end),
            ramp: Duration::ZERO,
        }
    }

    fn dearer(factor: f64) -> FaultKind {
        FaultKind::PriceChange { factor }
    }

    /// Against the definition, second by second: removed if any removal is in force, prices as the
    /// product of those in force.
    #[test]
    fn overlapping_changes_compose() {
        let accounts = [account("a"), account("b")];
        let mut faults = vec![
            change(FaultKind::Absent, 0, 0, 3),
            change(FaultKind::Absent, 0, 5, 8),
            change(FaultKind::Absent, 0, 7, 9),
            change(dearer(2.0), 0, 2, 6),
            change(dearer(0.5), 0, 4, 10),
        ];
        faults[4].model = Some(ModelIndex(1));
        let mut changes = Changes::new(&accounts, &faults);
        let mut now = changes.at_start();
        assert_eq!(now[1], accounts[1]);
        for second in 0..12 {
            while changes.next() <= at(second) {
                for account in changes.take() {
                    assert_eq!(account.id, "a");
                    now[0] = account;
                }
            }
            let absent = [0, 1, 2, 5, 6, 7, 8].contains(&second);
            assert_eq!(
                now[0].availability == Availability::Disabled,
                absent,
                "{second}"
            );
            let input = |model: usize| now[0].models[model].prices.input;
            let dollars = |usd| Price::usd_per_mtok(usd).unwrap();
            let first = if (2..6).contains(&second) { 6.0 } else { 3.0 };
            let second_model = if (4..10).contains(&second) {
                first / 2.0
            } else {
                first
            };
            assert_eq!(
                (input(0), input(1)),
                (dollars(first), dollars(second_model))
            );
        }
        assert_eq!(changes.next(), Timestamp::NEVER);
        assert!(changes.take().is_empty());
    }
}
