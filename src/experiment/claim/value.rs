//! Values of metrics as people write them.

use super::Amount;
use crate::experiment::metric::{Metric, Unit};

/// A value of a metric with its unit: `2.5 s`, `99.5 %`, `$3.1`.
#[must_use]
pub fn shown(metric: Metric, value: f64) -> String {
    match metric.unit() {
        Unit::Share => format!("{} %", short(value * 100.0)),
        Unit::Seconds => format!("{} s", short(value)),
        Unit::PerSecond => format!("{}/s", short(value)),
        Unit::Dollars => format!("${}", short(value)),
        Unit::Plain => short(value),
    }
}

/// An amount with its unit, with a sign if asked for: `20 %` of the baseline, `15 points`.
pub(super) fn amount(metric: Metric, amount: Amount, signed: bool) -> String {
    let sign = if signed && amount.number() > 0.0 {
        "+"
    } else {
        ""
    };
    let text = match amount {
        Amount::Relative(share) => format!("{} %", short(share * 100.0)),
        Amount::Absolute(value) if metric.unit() == Unit::Share => {
            format!("{} points", short(value * 100.0))
        }
        Amount::Absolute(value) => shown(metric, value),
    };
    format!("{sign}{text}")
}

/// At most five significant digits, without trailing zeros.
fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.4e}").parse().unwrap_or(value);
    format!("{}", rounded + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_unit() {
        assert_eq!(shown(Metric::SuccessRate, 0.995), "99.5 %");
        assert_eq!(shown(Metric::LatencyP99All, 2.5), "2.5 s");
        assert_eq!(shown(Metric::CostPer1kSuccesses, 3.123_456), "$3.1235");
        assert_eq!(shown(Metric::Goodput, 40.0), "40/s");
        assert_eq!(shown(Metric::BreakerOpenings, -0.0), "0");
        assert_eq!(
            amount(Metric::SuccessRate, Amount::Absolute(0.15), true),
            "+15 points"
        );
        assert_eq!(
            amount(Metric::SuccessRate, Amount::Relative(-0.1), true),
            "-10 %"
        );
    }
}
