//! The gains, factor by factor.

use super::plan::Factor;
use crate::experiment::metric::{Metric, Metrics};
use crate::experiment::results::ScenarioResults;
use crate::stats::mean::{Estimate, estimate};
use crate::stats::ratio::{RelativeChange, relative_change};
use crate::stats::shapley::shapley;

/// All cells of an ablation.
#[derive(Clone, Debug)]
pub struct AblationResults {
    /// File stem of the scenario.
    pub scenario: String,
    /// The question that the scenario asks.
    pub question: String,
    /// The scenario with the cells as its strategies.
    pub resolved_toml: String,
    /// Root seed.
    pub seed: u64,
    /// The strategy that is looked at.
    pub name: String,
    /// Its factors.
    pub factors: Vec<Factor>,
    /// Names of the cells; bit i of a cell's number says whether factor i is on.
    pub cells: Vec<String>,
    /// Metrics of every cell, by replication.
    pub samples: Vec<Vec<Metrics>>,
    /// Replications asked for.
    pub asked: u32,
    /// Whether it was stopped before all of them were finished.
    pub interrupted: bool,
}

/// What a factor, or all of them together, changes in a metric.
#[derive(Clone, PartialEq, Debug)]
pub struct Gain {
    /// The factor; `None` for all together.
    pub factor: Option<Factor>,
    /// Shapley's value: what it changes, averaged over all orders of adding factors.
    pub gain: Option<Estimate>,
    /// That as a part of the whole change, less 1; `None` if there is no change at all.
    pub share: Option<RelativeChange>,
    /// What it changes when it is added to nothing.
    pub first: Option<Estimate>,
    /// What it changes when it is added to all others.
    pub last: Option<Estimate>,
}

impl AblationResults {
    /// From the results of a scenario whose strategies are the cells.
    #[must_use]
    pub fn of(results: ScenarioResults, name: &str, factors: Vec<Factor>) -> Self {
        let about = results.description;
        let cells = results.strategies.iter();
        let samples = cells.clone().map(|cell| {
            let each = cell.replications.iter();
            each.map(|replication| replication.metrics.clone())
                .collect()
        });
        Self {
            samples: samples.collect(),
            cells: cells.map(|cell| cell.name.clone()).collect(),
            scenario: about.name,
            question: about.question,
            resolved_toml: about.resolved_toml,
            seed: about.seed,
            name: name.to_owned(),
            factors,
            asked: about.replications,
            interrupted: results.interrupted,
        }
    }

    /// Replications of every cell.
    #[must_use]
    pub fn replications(&self) -> usize {
        self.samples.first().map_or(0, Vec::len)
    }

    /// A metric of a cell, by replication.
    #[must_use]
    pub fn sample(&self, cell: usize, metric: Metric) -> Vec<f64> {
        self.samples[cell]
            .iter()
            .map(|metrics| metrics[metric])
            .collect()
    }

    /// A metric with all factors off, and with all on.
    #[must_use]
    pub fn ends(&self, metric: Metric) -> [Option<Estimate>; 2] {
        [0, self.samples.len() - 1].map(|cell| estimate(&self.sample(cell, metric)))
    }

    /// The gain of each factor in a metric, then that of all.
    #[must_use]
    pub fn gains(&self, metric: Metric) -> Vec<Gain> {
        let all = self.samples.len() - 1;
        let cells: Vec<Vec<f64>> = (0..=all).map(|cell| self.sample(cell, metric)).collect();
        let between = |from: usize, to: usize| -> Vec<f64> {
            let pairs = cells[to].iter().zip(&cells[from]);
            pairs.map(|(to, from)| to - from).collect()
        };
        let total = between(0, all);
        let each: Vec<Vec<f64>> = (0..self.replications())
            .map(|at| shapley(&cells.iter().map(|cell| cell[at]).collect::<Vec<f64>>()))
            .collect();
        let factors = self.factors.iter().enumerate().map(|(bit, &factor)| {
            let values: Vec<f64> = each.iter().map(|values| values[bit]).collect();
            Gain {
                factor: Some(factor),
                gain: estimate(&values),
                share: relative_change(&values, &total),
                first: estimate(&between(0, 1 << bit)),
                last: estimate(&between(all & !(1 << bit), all)),
            }
        });
        let whole = Gain {
            factor: None,
            gain: estimate(&total),
            share: relative_change(&total, &total),
            first: None,
            last: None,
        };
        factors.chain([whole]).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two factors; success rates of the four cells in each replication.
    pub(crate) fn two_factors(replications: &[[f64; 4]]) -> AblationResults {
        let sample = |cell: usize| {
            let value = |values: &[f64; 4]| {
                let mut metrics = Metrics::default();
                metrics[Metric::SuccessRate] = values[cell];
                metrics[Metric::LatencyP99All] = 10.0 * values[cell];
                metrics
            };
            replications.iter().map(value).collect()
        };
        AblationResults {
            scenario: "outage".into(),
            question: "Whose gain is it?".into(),
            resolved_toml: String::new(),
            seed: 1,
            name: "smart".into(),
            factors: vec![Factor::Breaker, Factor::Retries],
            cells: ["bare", "breaker", "retries", "breaker.retries"]
                .map(String::from)
                .into(),
            samples: (0..4).map(sample).collect(),
            asked: replications.len() as u32,
            interrupted: false,
        }
    }

    #[test]
    fn gains_computed_by_hand() {
        // Breaker: (4 + 6) / 2 = 5 and (2 + 4) / 2 = 3; retries (8 + 10) / 2 and (6 + 8) / 2.
        let results = two_factors(&[[70.0, 74.0, 78.0, 84.0], [80.0, 82.0, 86.0, 90.0]]);
        let gains = results.gains(Metric::SuccessRate);
        let of = |at: usize| (gains[at].factor, gains[at].gain.unwrap().mean);
        assert_eq!(of(0), (Some(Factor::Breaker), 4.0));
        assert_eq!(of(1), (Some(Factor::Retries), 8.0));
        assert_eq!(of(2), (None, 12.0));
        // Mean 4 of 5 and 3: standard error 1, t with one degree of freedom 12.7062.
        let half = gains[0].gain.unwrap().half_width().unwrap();
        assert!((half - 12.7062).abs() < 1e-4, "{half}");
        assert!((gains[0].share.unwrap().change + 1.0 - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(gains[2].share.unwrap().change, 0.0);
        assert_eq!(gains[0].first.unwrap().mean, 3.0);
        assert_eq!(gains[0].last.unwrap().mean, 5.0);
        assert_eq!(
            results.ends(Metric::SuccessRate).map(|e| e.unwrap().mean),
            [75.0, 87.0]
        );
    }

    #[test]
    fn edges_have_no_made_up_numbers() {
        let one = two_factors(&[[70.0, 74.0, 78.0, 84.0]]).gains(Metric::SuccessRate);
        assert_eq!(one[0].gain.unwrap().interval, None);
        let none = two_factors(&[[70.0, f64::NAN, 78.0, 84.0], [1.0; 4]]);
        let none = none.gains(Metric::SuccessRate);
        assert_eq!((&none[0].gain, &none[0].share), (&None, &None));
        // What all together change is known nevertheless.
        assert!(none[2].gain.is_some());
        let same = two_factors(&[[70.0; 4], [80.0; 4]]).gains(Metric::SuccessRate);
        assert_eq!(same[0].gain.unwrap().mean, 0.0);
        assert_eq!(same[0].share, None);
    }
}
