//! The strategies: how one target is picked from the candidates of a request.
//!
//! Each strategy is a file with its own state and nothing else; they are dispatched by an enum (one
//! predictable branch, no allocation, and the list of them is closed and known to every report).
//! Rules that hold for all of them are here, so that no strategy can forget one: a half-open target
//! with a free probe slot gets the next request, and strategies that look at latency probe an idle
//! unmeasured target first.
//!
//! Adding one: a variant of [`Strategy`], a file here, a line in [`Strategies::pick`].

mod adaptive;
mod fastest_response;
mod geographic;
mod health_based;
mod least_connections;
mod random;
mod round_robin;
mod scan;
mod weighted_round_robin;

use crate::record::Strategy;
use crate::request::RequestFeatures;
use crate::rng::Rng;
use crate::routing::config::RoutingConfig;
use crate::routing::geography::Geography;
use crate::routing::pool::Pool;
use crate::routing::target::{TargetIndex, TargetSet};
use geographic::Geographic;
use round_robin::RoundRobin;
use scan::Scan;
use weighted_round_robin::WeightedRoundRobin;

/// What a strategy may look at.
pub(super) struct View<'a> {
    /// All targets.
    pub pool: &'a Pool,
    /// Those to choose from; never empty.
    pub candidates: &'a TargetSet,
    /// What is asked for.
    pub features: &'a RequestFeatures,
}

/// The state of all strategies.
#[derive(Clone, Debug)]
pub(super) struct Strategies {
    round_robin: RoundRobin,
    weighted_round_robin: WeightedRoundRobin,
    geographic: Geographic,
    adaptive_diversity: f64,
    scan: Scan,
    rng: Rng,
}

impl Strategies {
    /// All strategies as configured. `rng` is the policy stream.
    pub fn new(config: &RoutingConfig, geography: Geography, rng: Rng) -> Self {
        Self {
            round_robin: RoundRobin::default(),
            weighted_round_robin: WeightedRoundRobin::default(),
            geographic: Geographic::new(geography, config.geographic_spill_above),
            adaptive_diversity: config.adaptive.diversity,
            scan: Scan::default(),
            rng,
        }
    }

    /// The random numbers of all routing decisions.
    pub const fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Picks one of the candidates; `None` if there is none. `smart` is not a way of picking, it
    /// chooses one: here it counts as `adaptive`.
    #[inline]
    pub fn pick(&mut self, strategy: Strategy, view: &View) -> Option<TargetIndex> {
        let sets = view.pool.sets();
        let cold = match strategy {
            Strategy::FastestResponse => sets.cold(view.features.streaming),
            Strategy::HealthBased | Strategy::Adaptive | Strategy::Smart => sets.cold(false),
            _ => None,
        };
        let half_open = sets.half_open();
        if half_open.is_none() && cold.is_none() {
            return self.pick_plain(strategy, view);
        }
        let mut first = half_open.into_iter().chain(cold);
        match first.find(|set| set.intersects(view.candidates)) {
            Some(first) => self
                .scan
                .uniform_in_both(view.candidates, first, &mut self.rng),
            None => self.pick_plain(strategy, view),
        }
    }

    #[inline]
    fn pick_plain(&mut self, strategy: Strategy, view: &View) -> Option<TargetIndex> {
        let (scan, rng) = (&mut self.scan, &mut self.rng);
        match strategy {
            Strategy::RoundRobin => self.round_robin.pick(view),
            Strategy::WeightedRoundRobin => self.weighted_round_robin.pick(view),
            Strategy::LeastConnections => least_connections::pick(view, scan, rng),
            Strategy::FastestResponse => fastest_response::pick(view, scan, rng),
            Strategy::HealthBased => health_based::pick(view, scan, rng),
            Strategy::Adaptive | Strategy::Smart => {
                adaptive::pick(view, self.adaptive_diversity, scan, rng)
            }
            Strategy::Geographic => self.geographic.pick(view, scan, rng),
            Strategy::Random => random::pick(view, rng),
        }
    }
}
