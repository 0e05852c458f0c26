//! What is run: every row of the reference table that routelab can express, and the product forms.

mod forms;
mod published;
mod table;

use super::cell::{Cell, Rule};
use super::fixture::Theory;
use super::sample::Measure;
use super::system::System;
use crate::record::Strategy;

/// One scenario, and what is compared of it.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// The system, as its source calls it.
    pub(super) model: String,
    /// Its parameters.
    pub(super) parameters: String,
    /// What is run, in a few words.
    pub(super) how: String,
    pub(super) scenario: Source,
    pub(super) wanted: Vec<Wanted>,
}

impl Case {
    /// The seed of its scenario: a hash of what it is called (FNV-1a), so that nobody has chosen
    /// it, that no two systems share their arrivals, by which one rare stretch of them would be
    /// seen in all, and that a new case changes no other.
    pub(super) fn seed(&self) -> u32 {
        let name = [&self.model, &self.parameters, &self.how].into_iter();
        let bytes = name.flat_map(|part| part.bytes().chain([b';']));
        bytes.fold(0x811c_9dc5, |hash: u32, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        })
    }
}

/// Where the scenario comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A system, with the requests measured at scale 1, in all replications together.
    System(System, u64),
    /// An arm of the shipped scenario of the Linkerd experiment.
    Linkerd(&'static str),
}

/// One number of a case.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) metric: String,
    pub(super) in_table: bool,
    pub(super) theory: Theory,
    pub(super) measure: Measure,
    /// From what is measured to what theory speaks of; applied to the mean, not to each value, and
    /// so without a bias from its curvature.
    pub(super) shown: Option<fn(f64) -> f64>,
    pub(super) rule: Rule,
}

impl Wanted {
    /// A number of our own formulas.
    fn formula(metric: &str, value: f64, measure: Measure) -> Self {
        Self {
            metric: metric.to_owned(),
            in_table: false,
            theory: Theory::exact(value),
            measure,
            shown: None,
            rule: Rule::Chance,
        }
    }

    /// The cell that the values of the replications make.
    pub(super) fn cell(&self, case: &Case, values: &[f64]) -> Cell {
        let (mut simulated, mut standard_error) = Cell::mean(values);
        if let Some(shown) = self.shown {
            let step = simulated * 1e-4;
            let slope = (shown(simulated + step) - shown(simulated - step)) / (2.0 * step);
            (simulated, standard_error) = (shown(simulated), standard_error * slope.abs());
        }
        Cell {
            model: case.model.clone(),
            parameters: case.parameters.clone(),
            how: case.how.clone(),
            metric: self.metric.clone(),
            in_table: self.in_table,
            theory: self.theory,
            simulated,
            standard_error,
            rule: self.rule,
        }
    }
}

/// Every case, in the order of the page.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = table::cases();
    cases.extend(forms::cases());
    cases.extend(published::cases());
    cases
}

/// The models of the reference table that a strategy must reproduce. Whoever adds a strategy has to
/// answer this, or nothing compiles; what is named here and not run fails the validation.
pub(super) const fn models_of(strategy: Strategy) -> &'static [&'static str] {
    match strategy {
        Strategy::RoundRobin => &["M/M/1", "M/D/1", "M/M/c", table::IN_TURN],
        Strategy::LeastConnections | Strategy::Geographic => {
            &[table::SHORTEST, table::SHORTEST_OF_TEN]
        }
        Strategy::Random => &["M/M/1"],
        Strategy::WeightedRoundRobin | Strategy::Smart => &[table::IN_TURN],
        // They look at response times or at weighted scores, and no theory is at hand.
        Strategy::FastestResponse | Strategy::HealthBased | Strategy::Adaptive => &[],
    }
}
