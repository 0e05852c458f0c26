//! All integration tests, a module per topic: one binary links faster than ten.

mod ablate;
mod azure;
mod breaker_options;
mod cli;
mod columns;
mod compare;
mod conservation;
mod decide;
mod determinism;
#[cfg(feature = "live")]
mod emulate;
mod failing_fast;
mod fault_effects;
mod fault_kinds;
mod gallery;
mod health_scope;
mod hostile;
mod idle;
mod incidents;
mod kill;
#[cfg(feature = "live")]
mod live;
#[cfg(feature = "live")]
mod load;
mod memory;
mod metrics;
mod mooncake;
mod overload;
#[cfg(feature = "live")]
mod parity;
mod pinned;
mod pitfalls;
#[cfg(feature = "live")]
mod proxy;
mod random_scenario;
mod routing;
mod scenario_errors;
mod scenario_files;
#[cfg(feature = "live")]
mod serve;
#[cfg(feature = "live")]
mod soak;
mod stage;
mod support;
mod sweep;
mod theory;
mod tidy;
mod trace;
mod trace_errors;
mod upstream;
mod verdicts;
mod warmup;
mod workload;
