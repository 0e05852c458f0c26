//! What a fault is: kind, target, time, and how fast it comes on.
//!
//! Every kind is a variant with its own parameters, and the start, the end and the ramp are common:
//! a ramp is the same idea for all, an intensity that grows in a straight line from 0 at the start
//! to 1 when the ramp is over. What the intensity scales is said at each kind.

use crate::distribution::{Distribution, Weibull};
use crate::request::{AccountIndex, FailureKind, ModelIndex, RegionIndex};
use crate::time::{Duration, Timestamp};

/// A fault with its time.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Accounts concerned.
    pub accounts: Vec<AccountIndex>,
    /// Only attempts for this model; `None` = all.
    pub model: Option<ModelIndex>,
    /// From this time on.
    pub start: Timestamp,
    /// Until this time, exclusive.
    pub end: Timestamp,
    /// Time from the start until it is there in full; zero = at once.
    pub ramp: Duration,
}

/// What a fault does.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// Every new attempt fails, quickly; those in flight break off. Intensity: the share of new
    /// attempts that fail; those in flight break off when it is 1.
    Outage {
        /// How they fail.
        failure: FailureKind,
        /// Time until a new attempt fails, in seconds.
        time_to_fail: Distribution,
    },
    /// Nothing comes back any more: neither for new attempts nor for those in flight. Intensity:
    /// the share of new attempts that are swallowed; those in flight when it is 1.
    Blackhole,
    /// Attempts that begin during it take `factor` times as long. Intensity: of the factor's
    /// distance from 1.
    Brownout {
        /// Above 0; 3 = three times slower.
        factor: f64,
    },
    /// A share of the attempts that begin during it fails, behind quota and room. Intensity: of the
    /// share.
    Errors {
        /// Probability per attempt, 0 to 1.
        rate: f64,
        /// How they fail.
        failure: FailureKind,
        /// Time until it fails, in seconds.
        time_to_fail: Distribution,
    },
    /// A share of the attempts that begin during it fails at the provider's edge, before quota and
    /// room; those in flight go on. Intensity: of the share.
    FastErrors {
        /// Probability per attempt, 0 to 1.
        rate: f64,
        /// How they fail.
        failure: FailureKind,
        /// Time until it fails, in seconds.
        time_to_fail: Distribution,
    },
    /// The quotas of the accounts shrink to `factor` of what they are. Intensity: of the part cut
    /// off, in sixteen steps.
    RateLimit {
        /// 0 to 1; 0.1 = a tenth is left.
        factor: f64,
    },
    /// An outage that comes and goes. Intensity: of the share of each period that is down.
    Flapping {
        /// From one going down to the next.
        period: Duration,
        /// Share of each period, from its beginning, that it is down; above 0, below 1.
        duty: f64,
        /// How new attempts fail.
        failure: FailureKind,
        /// Time until they fail, in seconds.
        time_to_fail: Distribution,
    },
    /// The network between two places drops everything: new attempts fail to connect, those in
    /// flight fall silent. Intensity: as a blackhole's.
    Partition {
        /// Only attempts sent from these regions; `None` = all.
        from: Option<Vec<RegionIndex>>,
        /// Time until the client's side gives up connecting, in seconds.
        time_to_fail: Distribution,
    },
    /// Attempts that begin during it are slower, by `factor` at the start and by less and less
    /// until the end. It has no ramp: its whole length is one, downwards.
    ColdStart {
        /// Above 0; 3 = three times slower at the start.
        factor: f64,
    },
    /// Prices are multiplied. Upstreams do not know: the driver tells the gateway.
    PriceChange {
        /// 0 or more.
        factor: f64,
    },
    /// The accounts take no new attempts, by their owner's will; those in flight are finished.
    /// Upstreams do not know: the driver tells the gateway.
    Absent,
}

/// Faults that come by chance: an alternating renewal process for each source.
#[derive(Clone, Debug)]
pub struct Incidents {
    /// What goes wrong in each.
    pub kind: FaultKind,
    /// Only attempts for this model; `None` = all.
    pub model: Option<ModelIndex>,
    /// Ramp of each.
    pub ramp: Duration,
    /// Each has incidents of its own.
    pub sources: Vec<Source>,
    /// From the end of an incident to the start of the next at the same source.
    pub gap: Weibull,
    /// Length of an incident in seconds.
    pub length: Distribution,
    /// Probability, 0 to 1, that an incident is accompanied by one at another given source, at the
    /// same time and of the same length.
    pub overlap: f64,
    /// Slowness after each incident.
    pub cold_start: Option<ColdStart>,
    /// None start from here on.
    pub until: Timestamp,
}

/// Accounts that fail together.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name of its random stream: a function of what it is called, not of its position, so that no
    /// other source moves it.
    pub key: u64,
    /// The accounts.
    pub accounts: Vec<AccountIndex>,
    /// Number of the report's row that its incidents are counted in, from 0 within [`Incidents`].
    pub row: u32,
}

/// Slowness of accounts that come back.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ColdStart {
    /// Above 0; 3 = three times slower at first.
    pub factor: f64,
    /// Time until nothing of it is left.
    pub ramp: Duration,
}

impl Fault {
    /// How much of it is there at `now`, which is not before its start: 0 to 1.
    #[must_use]
    pub fn intensity(&self, now: Timestamp) -> f64 {
        let passed = now.since(self.start);
        if passed >= self.ramp {
            1.0
        } else {
            passed.as_nanos() as f64 / self.ramp.as_nanos() as f64
        }
    }

    /// Part of its length that is still to come at `now`: 1 at the start, 0 at the end.
    #[must_use]
    pub fn left(&self, now: Timestamp) -> f64 {
        let length = self.end.since(self.start).as_nanos().max(1);
        self.end.since(now).as_nanos() as f64 / length as f64
    }
}

impl ColdStart {
    /// The fault that follows one that ends at `start`.
    #[must_use]
    pub fn after(
        self,
        accounts: Vec<AccountIndex>,
        model: Option<ModelIndex>,
        start: Timestamp,
    ) -> Fault {
        Fault {
            kind: FaultKind::ColdStart {
                factor: self.factor,
            },
            accounts,
            model,
            start,
            end: start + self.ramp,
            ramp: Duration::ZERO,
        }
    }
}
