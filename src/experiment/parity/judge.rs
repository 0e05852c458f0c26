//! What is compared, how near it has to be, and whether it is.

use super::side::{Overhead, Side, Sides};
use crate::experiment::metric::Metric;
use crate::request::{AccountIndex, words};

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quantity {
    /// A metric of all requests, or of the breakers.
    Metric(Metric),
    /// The part of all attempts that went to an account.
    Share(AccountIndex),
}

/// How far a measured value may lie from the simulated one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Goal {
    /// This much, for a rate or share: 0.01 is a point.
    Absolute(f64),
    /// This part of the simulated value.
    Relative(f64),
}

words! {
    /// How a measured value agrees with the simulated one, the better first.
    Agreement {
        /// Within the goal.
        Agrees = "agrees",
        /// Not within the goal, but within the range of disturbed simulations.
        Chance = "chance",
        /// Neither.
        Differs = "differs",
    }
}

/// One comparison.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Row {
    /// Of what.
    pub quantity: Quantity,
    /// In virtual time.
    pub simulated: f64,
    /// Smallest and largest value of disturbed simulations, and of `simulated`.
    pub range: (f64, f64),
    /// Over sockets, as it was.
    pub measured: f64,
    /// The same without the median overhead; what is judged.
    pub adjusted: f64,
    /// How near it has to be; `None` if it is information only.
    pub goal: Option<Goal>,
}

impl Quantity {
    /// Its value in a world.
    fn of(self, side: &Side) -> f64 {
        match self {
            Self::Share(account) => side.share(account.at()),
            Self::Metric(Metric::SuccessRate) => side.success_rate(),
            Self::Metric(Metric::LatencyMeanAll) => side.mean(),
            Self::Metric(Metric::LatencyP50All) => side.quantile(0.5),
            Self::Metric(Metric::LatencyP90All) => side.quantile(0.9),
            Self::Metric(Metric::LatencyP99All) => side.quantile(0.99),
            Self::Metric(Metric::BreakerOpenings) => side.openings as f64,
            Self::Metric(Metric::CostPer1kSuccesses) => side.cost_per_1k(),
            Self::Metric(_) => f64::NAN,
        }
    }

    fn goal(self) -> Option<Goal> {
        match self {
            Self::Share(_) => Some(Goal::Absolute(0.02)),
            Self::Metric(Metric::SuccessRate) => Some(Goal::Absolute(0.01)),
            Self::Metric(Metric::LatencyP50All) => Some(Goal::Relative(0.05)),
            Self::Metric(Metric::LatencyP99All) => Some(Goal::Relative(0.10)),
            Self::Metric(_) => None,
        }
    }

    fn is_latency(self) -> bool {
        use Metric::{LatencyMeanAll, LatencyP50All, LatencyP90All, LatencyP99All};
        let latencies = [LatencyMeanAll, LatencyP50All, LatencyP90All, LatencyP99All];
        latencies.map(Self::Metric).contains(&self)
    }
}

const METRICS: [Metric; 7] = [
    Metric::SuccessRate,
    Metric::LatencyMeanAll,
    Metric::LatencyP50All,
    Metric::LatencyP90All,
    Metric::LatencyP99All,
    Metric::BreakerOpenings,
    Metric::CostPer1kSuccesses,
];

/// All comparisons of two worlds: the metrics, then the share of each account.
#[must_use]
pub fn rows(sides: &Sides, references: &[Side], overhead: Option<Overhead>) -> Vec<Row> {
    let accounts = sides.simulated.attempts.len() as u32;
    let shares = (0..accounts).map(|at| Quantity::Share(AccountIndex(at)));
    let all = METRICS.into_iter().map(Quantity::Metric).chain(shares);
    all.map(|quantity| row(quantity, sides, references, overhead))
        .collect()
}

fn row(quantity: Quantity, sides: &Sides, references: &[Side], over: Option<Overhead>) -> Row {
    let simulated = quantity.of(sides.simulated);
    let measured = quantity.of(sides.measured);
    let over = over.filter(|_| quantity.is_latency());
    let others = references.iter().map(|side| quantity.of(side));
    let range = others.fold((simulated, simulated), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    Row {
        quantity,
        simulated,
        range,
        measured,
        adjusted: measured - over.map_or(0.0, |over| over.p50),
        goal: quantity.goal(),
    }
}

impl Row {
    /// How far it is off, after the overhead: in the unit of the quantity.
    #[must_use]
    pub fn difference(&self) -> f64 {
        self.adjusted - self.simulated
    }

    /// The largest difference that is within the goal.
    #[must_use]
    pub fn allowed(&self) -> Option<f64> {
        Some(match self.goal? {
            Goal::Absolute(allowed) => allowed,
            Goal::Relative(part) => part * self.simulated.abs(),
        })
    }

    /// Whether the two worlds agree; `None` without a goal.
    #[must_use]
    pub fn agreement(&self) -> Option<Agreement> {
        let allowed = self.allowed()?;
        let (low, high) = self.range;
        Some(if self.difference().abs() <= allowed {
            Agreement::Agrees
        } else if (low..=high).contains(&self.adjusted) {
            Agreement::Chance
        } else {
            // What is no number agrees with nothing.
            Agreement::Differs
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::parity::Served;
    use crate::request::RequestId;
    use crate::time::Duration;
    use crate::units::NanoUsd;

    /// A world in which request `n` took `(n + 1) * 10 ms` and `added` more, and every tenth failed
    /// if it is to.
    fn side(requests: u64, added_millis: u64, fails: bool, attempts: [u64; 2]) -> Side {
        let served = (0..requests).map(|id| {
            let one = Served {
                latency: Duration::from_millis((id + 1) * 10 + added_millis),
                succeeded: !(fails && id % 10 == 0),
                account: Some(AccountIndex(0)),
                attempts: 1,
            };
            (RequestId(id), one)
        });
        Side::new(served.collect(), attempts.into(), 2, NanoUsd(500_000_000))
    }

    fn found(rows: &[Row], metric: Metric) -> Row {
        let wanted = Quantity::Metric(metric);
        *rows.iter().find(|row| row.quantity == wanted).unwrap()
    }

    #[test]
    fn values_are_those_of_the_definitions() {
        let side = side(1_000, 0, true, [30, 10]);
        assert_eq!(side.success_rate(), 0.9);
        assert_eq!(side.quantile(0.5), 5.0);
        assert_eq!(side.quantile(0.99), 9.9);
        assert!((side.mean() - 5.005).abs() < 1e-12);
        assert_eq!(side.share(0), 0.75);
        assert!((side.cost_per_1k() - 0.5 / 0.9).abs() < 1e-12);
    }

    #[test]
    fn a_constant_overhead_is_measured_and_taken_away() {
        let (simulated, measured) = (side(1_000, 0, false, [1, 1]), side(1_000, 7, false, [1, 1]));
        let sides = Sides {
            simulated: &simulated,
            measured: &measured,
        };
        let overhead = sides.overhead().unwrap();
        assert!((overhead.p50 - 0.007).abs() < 1e-12 && overhead.requests == 1_000);
        let rows = rows(&sides, &[], Some(overhead));
        for metric in [Metric::LatencyMeanAll, Metric::LatencyP50All] {
            let row = found(&rows, metric);
            assert!(row.difference().abs() < 1e-9, "{row:?}");
            assert!((row.measured - row.adjusted - 0.007).abs() < 1e-9);
        }
        assert!(
            rows.iter()
                .filter_map(Row::agreement)
                .all(|it| it == Agreement::Agrees)
        );
    }

    #[test]
    fn what_is_off_is_chance_only_where_other_seeds_are_off_as_well() {
        let simulated = side(1_000, 0, false, [50, 50]);
        let measured = side(1_000, 0, true, [53, 47]);
        let sides = Sides {
            simulated: &simulated,
            measured: &measured,
        };
        let alone = rows(&sides, &[], None);
        let other = side(1_000, 0, false, [60, 40]);
        let beside = rows(&sides, &[other], None);
        let share = |rows: &[Row]| rows[METRICS.len()].agreement();
        assert_eq!(share(&alone), Some(Agreement::Differs));
        assert_eq!(share(&beside), Some(Agreement::Chance));
        // Ten points of success are no chance in either.
        let success = found(&beside, Metric::SuccessRate).agreement();
        assert_eq!(success, Some(Agreement::Differs));
        assert_eq!(found(&beside, Metric::BreakerOpenings).agreement(), None);
    }

    #[test]
    fn a_world_without_requests_agrees_with_nothing() {
        let (simulated, measured) = (side(10, 0, false, [1, 1]), side(0, 0, false, [0, 0]));
        let sides = Sides {
            simulated: &simulated,
            measured: &measured,
        };
        assert_eq!(sides.overhead(), None);
        let rows = rows(&sides, &[], None);
        assert!(
            rows.iter()
                .filter_map(Row::agreement)
                .all(|it| it == Agreement::Differs)
        );
    }
}
