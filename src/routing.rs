//! The code under test: balancer, router, breaker, request life. Sans-I/O.

pub mod account;
pub mod config;
