//! A cell: one number of theory beside the simulated one, and whether they agree.

use super::fixture::Theory;
use crate::stats::mean::estimate;

/// Largest distance from theory, in standard errors. Of 300 independent numbers that are right, one
/// lies beyond it by chance in one of 12 runs (Student's t with 39 degrees of freedom); but seeds
/// are fixed, so what passes once passes always.
pub const MOST_ERRORS: f64 = 4.0;

/// Where the relative standard error is below this, the relative error must be below
/// [`MOST_RELATIVE`]: a large sample must not make a large deviation out of a small one, nor a
/// small sample hide a large one.
pub const PRECISE: f64 = 0.0025;

/// See [`PRECISE`].
pub const MOST_RELATIVE: f64 = 0.01;

/// One comparison.
#[derive(Clone, PartialEq, Debug)]
pub struct Cell {
    /// The system, as its source calls it: `M/M/1`.
    pub model: String,
    /// Its parameters: `load=0.5`.
    pub parameters: String,
    /// What was run: `10 accounts, random`.
    pub how: String,
    /// What is compared: `mean`, `p99`, ...
    pub metric: String,
    /// Whether it is a row of the reference table, and not a formula alone.
    pub in_table: bool,
    /// What theory says.
    pub theory: Theory,
    /// Mean over replications.
    pub simulated: f64,
    /// Standard error of that mean; 0 for numbers that cannot vary.
    pub standard_error: f64,
    /// How far each replication is from theory; their mean is the distance of `simulated`.
    pub distances: Vec<f64>,
    /// How near it must be.
    pub rule: Rule,
}

/// How near a simulated number must be to the number of theory.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Rule {
    /// As near as chance allows: [`MOST_ERRORS`], [`PRECISE`] and [`MOST_RELATIVE`].
    Chance,
    /// Within this relative error: for published experiments, whose own conditions are not known
    /// to the last detail.
    Relative(f64),
    /// Between these, as read from a published plot.
    Between(f64, f64),
}

impl Cell {
    /// Mean and standard error of one value per replication; not a number for fewer than two.
    #[must_use]
    pub fn mean(values: &[f64]) -> (f64, f64) {
        let Some(estimate) = estimate(values) else {
            return (f64::NAN, f64::NAN);
        };
        let count = values.len() as f64;
        let away = values
            .iter()
            .map(|x| (x - estimate.mean) * (x - estimate.mean));
        let variance = away.sum::<f64>() / (count - 1.0);
        (estimate.mean, (variance / count).sqrt())
    }

    /// Standard error of the difference: the simulation's, and the reference's own.
    #[must_use]
    pub fn error_of_difference(&self) -> f64 {
        libm::hypot(self.standard_error, self.theory.standard_error)
    }

    /// The difference in standard errors; `None` where chance has no part in it.
    #[must_use]
    pub fn errors(&self) -> Option<f64> {
        let by_chance = matches!(self.rule, Rule::Chance);
        by_chance.then(|| (self.simulated - self.theory.value) / self.error_of_difference())
    }

    /// The difference relative to theory.
    #[must_use]
    pub fn relative(&self) -> f64 {
        self.simulated / self.theory.value - 1.0
    }

    /// The standard error of the difference relative to theory.
    #[must_use]
    pub fn relative_standard_error(&self) -> f64 {
        (self.error_of_difference() / self.theory.value).abs()
    }

    /// Whether simulation and theory agree.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let relative = self.relative().abs();
        match self.rule {
            Rule::Chance => {
                let precise = self.relative_standard_error() < PRECISE;
                self.errors().is_some_and(|z| z.abs() < MOST_ERRORS)
                    && (!precise || relative < MOST_RELATIVE)
            }
            Rule::Relative(most) => relative < most,
            Rule::Between(low, high) => (low..=high).contains(&self.simulated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(simulated: f64, standard_error: f64) -> Cell {
        Cell {
            model: String::new(),
            parameters: String::new(),
            how: String::new(),
            metric: String::new(),
            in_table: false,
            theory: Theory::exact(10.0),
            simulated,
            standard_error,
            distances: vec![],
            rule: Rule::Chance,
        }
    }

    #[test]
    fn both_halves_of_the_rule_count() {
        assert!(cell(10.3, 0.1).agrees(), "three standard errors");
        assert!(!cell(10.5, 0.1).agrees(), "five");
        assert!(cell(10.09, 0.024).agrees(), "precise, and 0.9 % away");
        assert!(!cell(10.11, 0.0249).agrees(), "precise, and 1.1 % away");
        assert!(cell(10.11, 0.03).agrees(), "not precise enough for that");
        assert!(!cell(f64::NAN, 0.1).agrees(), "nothing measured");
        assert!(!cell(10.0, f64::NAN).agrees(), "one replication");
    }

    #[test]
    fn the_error_of_the_reference_counts_too() {
        let mut cell = cell(10.5, 0.1);
        cell.theory.standard_error = 0.1;
        assert!(cell.agrees(), "{:?}", cell.errors());
    }

    #[test]
    fn a_published_number_has_a_tolerance() {
        let with = |rule| Cell {
            rule,
            ..cell(10.5, 0.0)
        };
        assert!(with(Rule::Relative(0.1)).agrees());
        assert!(!with(Rule::Relative(0.01)).agrees());
        assert!(with(Rule::Between(10.0, 11.0)).agrees());
        assert!(!with(Rule::Between(8.0, 10.0)).agrees());
        assert_eq!(with(Rule::Relative(0.1)).errors(), None);
    }

    #[test]
    fn a_mean_computed_by_hand() {
        let (mean, error) = Cell::mean(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!((mean - 3.0).abs() < 1e-12);
        assert!((error - 0.5f64.sqrt()).abs() < 1e-12);
        assert!(Cell::mean(&[1.0, f64::NAN]).0.is_nan());
    }
}
