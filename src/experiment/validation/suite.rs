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
    /// The seed of its scenario: a hash of what it is called (FNV-1a), under which its replications
    /// are numbered. Not 1 for all, as elsewhere where nobody is to choose: all systems would then
    /// share their arrivals, one rare stretch of them would be seen in all, and distances from
    /// theory would be no sample of chance. Nobody has chosen a hash either; and a new case changes
    /// no other, which it would if seeds were numbered by position. `salt` makes other worlds of
    /// all systems; 0 is the usual one.
    pub(super) fn seed(&self, salt: u32) -> u32 {
        let name = [&self.model, &self.parameters, &self.how].into_iter();
        let bytes = name.flat_map(|part| part.bytes().chain([b';']));
        bytes.fold(0x811c_9dc5 ^ salt, |hash: u32, byte| {
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
        let (mean, mut standard_error) = Cell::mean(values);
        let (mut simulated, mut slope) = (mean, 1.0);
        if let Some(shown) = self.shown {
            let step = mean * 1e-4;
            slope = (shown(mean + step) - shown(mean - step)) / (2.0 * step);
            (simulated, standard_error) = (shown(mean), standard_error * slope.abs());
        }
        let distance = |value: &f64| simulated + slope * (value - mean) - self.theory.value;
        Cell {
            model: case.model.clone(),
            parameters: case.parameters.clone(),
            how: case.how.clone(),
            metric: self.metric.clone(),
            in_table: self.in_table,
            theory: self.theory,
            simulated,
            standard_error,
            distances: values.iter().map(distance).collect(),
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

/// What judges a strategy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Judged {
    /// Models of the reference table that it must reproduce; one that is named here and not run
    /// fails the validation.
    By(&'static [&'static str]),
    /// No theory, and why there is none.
    Beyond(&'static str),
}

/// What judges each strategy. Whoever adds one has to answer this, or nothing compiles.
pub(super) const fn judged(strategy: Strategy) -> Judged {
    match strategy {
        Strategy::RoundRobin => Judged::By(&["M/M/1", "M/D/1", "M/M/c", table::IN_TURN]),
        Strategy::LeastConnections | Strategy::Geographic => {
            Judged::By(&[table::SHORTEST, table::SHORTEST_OF_TEN])
        }
        Strategy::Random => Judged::By(&["M/M/1"]),
        Strategy::WeightedRoundRobin | Strategy::Smart => Judged::By(&[table::IN_TURN]),
        Strategy::FastestResponse => {
            Judged::Beyond("it follows estimates of response times, whose law is not known")
        }
        Strategy::HealthBased | Strategy::Adaptive => {
            Judged::Beyond("it follows weighted scores of what was measured; no theory is at hand")
        }
    }
}
