//! Simulated against measured: the same requests through the same routing code, once in virtual
//! time and once over sockets, laid side by side.
//!
//! Where the two differ by more than a goal there are three possible reasons: the network and the
//! proxy take time that the simulator leaves out, chance, or a defect of one of the two. The first
//! is measured and subtracted ([`Overhead`]). The second is bounded by running the simulation again
//! and again ([`REFERENCES`]) with ties that fall otherwise, and with answers that come later by as
//! much as being real adds: a strategy that sees events in another order sends requests elsewhere,
//! meets other draws, and is soon in another course altogether. What lies outside of the range of
//! these is the third, and the reason for which this comparison exists.
//!
//! Why one replication and not an interval over many: a replication takes its real time. Both sides
//! have the same arrivals, tokens and upstream draws, so most of the noise is in both.

mod judge;
mod side;

pub use judge::{Agreement, Goal, Quantity, Row, rows};
pub use side::{Overhead, Served, Side, Sides};

use crate::request::RequestId;
use crate::time::Duration;

/// Disturbed simulations, whose range says what chance may do.
pub const REFERENCES: u32 = 20;

/// A scenario, simulated and measured.
#[derive(Clone, Debug)]
pub struct Parity {
    /// The scenario's name.
    pub scenario: String,
    /// The question that it asks.
    pub question: String,
    /// The scenario as run, in TOML.
    pub resolved_toml: String,
    /// Root seed of both worlds.
    pub seed: u64,
    /// Which replication, from 0.
    pub replication: u32,
    /// Model seconds per real second.
    pub pace: f64,
    /// Length of the scenario.
    pub duration: Duration,
    /// Requests that arrive before this are not measured.
    pub warmup: Duration,
    /// Names of the accounts, by [`crate::request::AccountIndex`].
    pub accounts: Vec<String>,
    /// The strategies, those that were measured to their end.
    pub arms: Vec<ArmParity>,
    /// Whether some strategies are missing because it was stopped.
    pub interrupted: bool,
}

/// One strategy, simulated and measured.
#[derive(Clone, Debug)]
pub struct ArmParity {
    /// Its name.
    pub name: String,
    /// What was compared.
    pub rows: Vec<Row>,
    /// What being real costs in time; `None` if no request went the same way in both worlds.
    pub overhead: Option<Overhead>,
    /// Requests that were measured.
    pub requests: u64,
    /// Requests of the same stretch of time in simulation: the same, or something was lost.
    pub simulated_requests: u64,
    /// Those that ended at the same account in both worlds, or at none in both.
    pub same_account: u64,
    /// Those that succeeded in both worlds, or in neither.
    pub same_outcome: u64,
    /// How the load generator fared.
    pub sending: Sending,
    /// Latency in seconds over all requests at each of [`LEVELS`]: simulated, measured.
    pub quantiles: Vec<(f64, f64)>,
}

/// Whether the measurement can be relied on: how the load was brought about.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sending {
    /// Requests sent later than the generator's tolerance.
    pub late: u64,
    /// Requests that were not sent at all.
    pub dropped: u64,
    /// Attempts that reached the emulated providers without a number of the workload, and so had
    /// other draws than in simulation.
    pub strangers: u64,
    /// Requests at the proxy and attempts at the providers that had no end when all was over.
    pub left_over: u64,
}

/// Levels at which latencies are shown, in per mille.
pub const LEVELS: std::ops::RangeInclusive<u32> = 1..=999;

impl ArmParity {
    /// Lays the two sides next to each other. `references` are disturbed simulations.
    #[must_use]
    pub fn of(name: String, sides: &Sides, references: &[Side], sending: Sending) -> Self {
        let overhead = sides.overhead();
        let same = |equal: fn(&Served, &Served) -> bool| {
            let both = sides.pairs().filter(|(_, one, other)| equal(one, other));
            both.count() as u64
        };
        let quantile = |level: u32| {
            let level = f64::from(level) / 1e3;
            (
                sides.simulated.quantile(level),
                sides.measured.quantile(level),
            )
        };
        Self {
            name,
            rows: rows(sides, references, overhead),
            overhead,
            requests: sides.measured.served.len() as u64,
            simulated_requests: sides.simulated.served.len() as u64,
            same_account: same(|one, other| one.account == other.account),
            same_outcome: same(|one, other| one.succeeded == other.succeeded),
            sending,
            quantiles: LEVELS.map(quantile).collect(),
        }
    }

    /// The worst agreement of all that has a goal.
    #[must_use]
    pub fn agreement(&self) -> Agreement {
        let all = self.rows.iter().filter_map(Row::agreement);
        all.max().unwrap_or(Agreement::Agrees)
    }
}

/// Requests by their number in the workload.
pub type ByRequest<T> = std::collections::BTreeMap<RequestId, T>;
