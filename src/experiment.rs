//! From a scenario file to results: parse, run every (strategy, replication), pool, compare.

pub mod ablation;
pub mod campaign;
pub mod claim;
pub mod compare;
pub mod decision;
pub mod gallery;
#[cfg(feature = "live")]
pub mod gateway_file;
#[cfg(feature = "live")]
pub mod live;
pub mod metric;
#[cfg(feature = "live")]
pub mod parity;
pub mod results;
pub mod run;
pub mod scenario;
pub mod sweep;
pub mod throughput;
pub mod validation;
pub mod verdict;
pub mod warmup;
