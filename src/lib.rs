//! routelab: routing strategies of LLM gateways, simulated with the real routing code, in virtual
//! time.
//!
//! The crate is a stack of layers; each knows only those below it (enforced by
//! `tests/it/tidy.rs`):
//!
//! ```text
//! cli ── report ── experiment ──┬── sim ───┬── routing ──┐
//!                   │           │          ├── workload ─┼── vocabulary
//!                   └── stats   └── live ──┴── upstream ─┘
//! ```
//!
//! - vocabulary: [`time`], [`rng`], [`exp`], [`distribution`], [`units`], [`request`], [`record`],
//!   [`histogram`]
//! - [`routing`] the code under test; [`workload`] who asks; [`upstream`] who answers
//! - [`sim`] virtual time; [`stats`] pure functions on numbers
//! - [`experiment`] from a scenario file to results; [`report`] from results to files and tables

pub mod cli;
pub mod distribution;
pub mod exp;
pub mod experiment;
pub mod histogram;
#[cfg(feature = "live")]
pub mod live;
pub mod record;
pub mod report;
pub mod request;
pub mod rng;
pub mod routing;
pub mod sim;
pub mod stats;
pub mod time;
pub mod units;
pub mod upstream;
pub mod workload;
