//! What a pilot runs, and which scenarios have none.

use crate::experiment::scenario::Scenario;
use crate::time::Duration;
use crate::workload::config::Arrivals;
use std::fmt;

/// A stationary scenario with nothing left out, and random numbers of its own.
#[derive(Clone, Debug)]
pub struct Pilot {
    scenario: Scenario,
    stated: Duration,
    scenario_seed: u64,
}

/// Why a scenario has no pilot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Something breaks, and is mended, at some time.
    Faults,
    /// More is asked at some times than at others.
    Rate,
    /// It replays a recording.
    Recording,
    /// The pilots would be the replications that they prepare.
    SameSeed(u64),
}

/// Turns a root seed into another. In words: "pilo".
const OTHER: u64 = 0x7069_6c6f;

impl Pilot {
    /// The pilot of a scenario, with this root seed or one made from the scenario's.
    ///
    /// # Errors
    /// If the scenario has no steady state to warm up to, or the seed is the scenario's.
    pub fn of(mut scenario: Scenario, seed: Option<u64>) -> Result<Self, Refusal> {
        let upstream = &scenario.upstream;
        if !upstream.faults.is_empty() || !upstream.incidents.is_empty() {
            return Err(Refusal::Faults);
        }
        steady(&scenario.workload.arrivals)?;
        let (scenario_seed, stated) = (scenario.seed, scenario.warmup);
        let seed = seed.unwrap_or(scenario_seed ^ OTHER);
        let change = seed ^ scenario_seed;
        if change == 0 {
            return Err(Refusal::SameSeed(seed));
        }
        scenario.seed = seed;
        scenario.policy_seed ^= change;
        let own = scenario.arms.iter_mut();
        own.filter_map(|arm| arm.policy_seed.as_mut())
            .for_each(|policy_seed| *policy_seed ^= change);
        scenario.warmup = Duration::ZERO;
        Ok(Self {
            scenario,
            stated,
            scenario_seed,
        })
    }

    /// What is run.
    #[must_use]
    pub const fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The warm-up that the scenario states.
    #[must_use]
    pub const fn stated(&self) -> Duration {
        self.stated
    }

    /// The scenario's own root seed.
    #[must_use]
    pub const fn scenario_seed(&self) -> u64 {
        self.scenario_seed
    }
}

/// Whether arrivals follow one law at all times. Users of a closed loop do, although nobody states
/// their rate.
fn steady(arrivals: &Arrivals) -> Result<(), Refusal> {
    let holds = match arrivals {
        Arrivals::Poisson { .. }
        | Arrivals::Constant { .. }
        | Arrivals::Gamma { .. }
        | Arrivals::Mmpp(_)
        | Arrivals::ClosedLoop(_) => true,
        Arrivals::Clients(clients) => {
            return clients.iter().try_for_each(|one| steady(&one.arrivals));
        }
        Arrivals::Piecewise(segments) => segments
            .iter()
            .all(|one| one.from == one.to && one.from == segments[0].from),
        Arrivals::Diurnal(cycle) => cycle.amplitude == 0.0,
        Arrivals::Trace(_) => return Err(Refusal::Recording),
    };
    holds.then_some(()).ok_or(Refusal::Rate)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Faults => f.write_str(
                "not stationary: [[faults]] break something at certain times, so that there is \
                 no steady state",
            ),
            Self::Rate => f.write_str(
                "not stationary: more is asked at some times than at others, so that there is no \
                 steady state",
            ),
            Self::Recording => f.write_str(
                "not stationary: it replays a recording, whose every hour is another, so that \
                 there is no steady state",
            ),
            Self::SameSeed(seed) => write!(
                f,
                "{seed} is the scenario's own root seed: a warm-up would be fitted to the very \
                 numbers that it cuts"
            ),
        }
    }
}

impl std::error::Error for Refusal {}
