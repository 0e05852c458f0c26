//! All integration tests, a module per topic: one binary links faster than ten.

mod azure;
mod cli;
mod columns;
mod conservation;
mod determinism;
mod failing_fast;
mod fault_effects;
mod fault_kinds;
mod idle;
mod incidents;
mod kill;
mod memory;
mod metrics;
mod pinned;
mod pitfalls;
mod random_scenario;
mod routing;
mod scenario_errors;
mod scenario_files;
mod stage;
mod support;
mod theory;
mod tidy;
mod trace;
mod upstream;
mod workload;
