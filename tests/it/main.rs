//! All integration tests, a module per topic: one binary links faster than ten.

mod cli;
mod tidy;
mod trace;
mod upstream;
mod workload;
