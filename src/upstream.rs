//! Who answers: latency, capacity, quota and faults of every account. Sans-I/O.

pub mod config;
