//! The code under test: balancer, router, breaker, request life. Sans-I/O.

pub mod account;
pub mod balancer;
pub mod breaker;
pub mod cache;
pub mod config;
pub mod cool_down;
pub mod cost_rate;
pub mod diversity;
pub mod drill;
pub mod estimate;
pub mod failure;
pub mod gateway;
pub mod geography;
pub mod metrics;
pub mod pool;
pub mod quota;
pub mod retry;
pub mod router;
pub mod score;
pub mod slot_list;
pub mod statistics;
mod strategy;
pub mod target;
pub mod timer;
