//! A scenario: what to run, valid by construction.
//!
//! The file format is described in `docs/scenario-format.md`. Reading goes through one door,
//! [`parse`]: text, then a tree of values that know where they were written, then the types below.
//! The sections are read by hand instead of by serde's derive, because that stops at the first
//! error and the author of a scenario wants all of them.

mod accounts;
mod capacity;
mod checks;
mod claims;
mod decode;
mod diagnostics;
mod distribution;
mod document;
mod effect;
mod emit;
mod faults;
mod file;
mod gallery;
pub mod gateway;
mod models;
mod network;
mod output;
mod overrides;
mod read;
mod regions;
mod routing;
mod section;
mod service;
mod strategies;
mod throughput;
mod trace_file;
mod workload;

pub use diagnostics::Diagnostics;
pub use file::load;
pub use overrides::{Choice, Overrides};
pub use read::parse;

#[cfg(feature = "live")]
pub(in crate::experiment) use self::{file::text_of_file, trace_file::reason};

use crate::experiment::claim::{Claim, Threshold};
use crate::experiment::gallery::Gallery;
use crate::experiment::results::{AccountDescription, FaultDescription};
use crate::experiment::throughput::ThroughputConfig;
use crate::routing::account::Account;
use crate::routing::config::RoutingConfig;
use crate::time::Duration;
use crate::upstream::config::UpstreamConfig;
use crate::workload::config::WorkloadConfig;

/// Everything that a run needs to know. Only the parser makes one, so that nothing later has to
/// check it again.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// File stem.
    pub name: String,
    /// The question it asks.
    pub question: String,
    /// What its author expects.
    pub expectation: String,
    /// The scenario as run: TOML with templates and overrides applied.
    pub resolved_toml: String,
    /// Root seed.
    pub seed: u64,
    /// Seed of the routing code's own random choices.
    pub policy_seed: u64,
    /// Replications, at least 1.
    pub replications: u32,
    /// Arrivals stop here; the run then drains. For a trace, just after its last arrival.
    pub duration: Duration,
    /// Requests that arrive before this are not measured.
    pub warmup: Duration,
    /// The deadline of `[routing]`, which arms may override.
    pub deadline: Option<Duration>,
    /// Latency within which a success counts as goodput.
    pub latency_objective: Duration,
    /// Names by [`crate::request::ModelIndex`].
    pub models: Vec<String>,
    /// Names by [`crate::request::RegionIndex`].
    pub regions: Vec<String>,
    /// What routing is told of the accounts, by [`crate::request::AccountIndex`].
    pub accounts: Vec<Account>,
    /// What a report is told of them.
    pub account_descriptions: Vec<AccountDescription>,
    /// What the timeline shows apart.
    pub lanes: Vec<String>,
    /// Who asks.
    pub workload: WorkloadConfig,
    /// Who answers. Its scheduled faults, then the rows of its incidents, stand in the
    /// order of `faults`.
    pub upstream: UpstreamConfig,
    /// What a report is told of the faults.
    pub faults: Vec<FaultDescription>,
    /// Strategies to run, at least one, names unique.
    pub arms: Vec<Arm>,
    /// Index into `arms` that the others are compared with.
    pub baseline: usize,
    /// What is said of the results, to be judged by them.
    pub claims: Vec<Claim>,
    /// What the results must meet.
    pub thresholds: Vec<Threshold>,
    /// What to write.
    pub output: OutputOptions,
    /// What the gallery shows of it.
    pub gallery: Gallery,
    /// What is said of the gateway's throughput; `None` where nothing is.
    pub throughput: Option<ThroughputConfig>,
    /// Input files read: path as given, SHA-256 in hexadecimal.
    pub inputs: Vec<(String, String)>,
}

/// A valid scenario, and what is doubtful about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What to run.
    pub scenario: Scenario,
    /// What the author should know.
    pub warnings: Diagnostics,
}

/// One strategy with its settings.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Name in tables, columns and charts.
    pub name: String,
    /// All settings, `[routing]` with this arm's overrides applied; the strategy among them.
    pub routing: RoutingConfig,
    /// Own seed of the random choices, so that a strategy can be compared with itself.
    pub policy_seed: Option<u64>,
}

/// What to write beyond the ordinary.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OutputOptions {
    /// Length of a timeline window.
    pub timeline_window: Duration,
    /// Write `requests.csv`: a row per request of replication 0 of every strategy.
    pub requests: bool,
}
