//! Who asks: arrivals, request mix, traces.

pub mod config;
pub mod trace;
