//! Who answers: latency, capacity, quota and faults of every account's far end. Sans-I/O.
//!
//! [`Fleet`] is the whole of it: a driver begins and cancels attempts, asks when the next thing
//! happens, and takes the events. It holds no clock and no socket, so the simulator drives it in
//! virtual time and emulated providers can drive the same model in real time; that the two agree
//! can then be a test.
//!
//! One fleet for all accounts instead of one machine per account: with 10,000 accounts, "what
//! happens next" would otherwise be a search over 10,000 machines at every step, or a second heap
//! over their heaps.
//!
//! - `event_queue`: what happens when, in a total order
//! - `service`: how long an answer takes; `network`: how long the way takes
//! - `capacity`: how many attempts run at a time; `quota`: how many may come per minute
//! - `failures`: what goes wrong in calm weather; `fault`: what goes wrong on a schedule
//! - `fleet`: puts them together

pub mod config;

mod capacity;
mod event_queue;
mod failures;
mod fault;
mod fleet;
mod network;
mod quota;
mod service;

pub use fleet::{Fleet, UpstreamEvent};
pub use quota::{LimitLeft, QuotaLeft};
