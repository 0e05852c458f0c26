//! Where a gain comes from: the strategy, the breaker, the retries or the cache.
//!
//! All combinations of these factors, each on or off, are run as strategies of one scenario, so
//! that they see the same requests and are paired by replication. Off is what a plain gateway does:
//! round robin, no breaker, one attempt, no cache; on is what the scenario says of the strategy
//! that is looked at. Whatever else it says (timeouts, cool-downs, what to do when nobody is
//! available) holds in all cells. A factor that this strategy does not have is left out: what a
//! breaker would do that nobody has configured is not a part of any gain.

mod plan;
mod results;

pub use plan::{Factor, Plan, PlanError, plan};
#[cfg(test)]
pub(crate) use results::tests::two_factors;
pub use results::{AblationResults, Gain};
