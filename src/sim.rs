//! Virtual time: drives the routing code against the upstream models, one replication at a time.
//!
//! [`run`] is the whole of it: a loop that takes the earliest of (upstream event, timer of the
//! gateway, arrival), and recorders that turn what happened into counts. Nothing here decides
//! anything about routing.

mod breakers;
mod changes;
mod engine;
mod faults;
mod invariants;
mod timeline;

pub use breakers::{BreakerSpan, BreakerTotals};
pub use changes::Changes;
pub use engine::{Broken, Run, Setup, run};
pub use faults::{FaultObservation, FaultWatch, Observable, Observed};
pub use timeline::{Lanes, Timeline, Window};
