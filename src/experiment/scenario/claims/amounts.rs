//! Amounts and values of metrics, as texts with a unit: `"20%"`, `"15 points"`, `"2.5s"`.
//!
//! A bare number would be a trap: is 0.15 a share of the baseline, or a difference of two shares?

use super::problem;
use crate::experiment::claim::Amount;
use crate::experiment::metric::{Metric, Unit};
use crate::experiment::scenario::decode::{self, Decoded};
use crate::experiment::scenario::document::Node;
use crate::time::Duration;
use crate::units::{Rate, UnitError};

/// What an amount may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sign {
    /// 0 or more.
    Positive,
    /// 0 or more, less than 100 %: nothing is reduced by more than all.
    Share,
    /// With a sign.
    Either,
}

/// Reads an amount relative to a baseline, or, of shares, in percentage points.
pub(super) fn amount(node: &Node, metric: Metric, sign: Sign) -> Decoded<Amount> {
    let expected = "a string such as \"20%\", or \"15 points\" of a share";
    let text = node.text();
    let text = text.ok_or_else(|| decode::wrong_type(node, expected))?;
    let text = text.trim();
    let read = if let Some(number) = text.strip_suffix('%') {
        number_of(number).map(|number| Amount::Relative(number / 100.0))
    } else if let Some(number) = text.strip_suffix("points") {
        if metric.unit() != Unit::Share {
            let label = format!("`{metric}` is no share, which is what has percentage points");
            return Err(problem(
                "has no points",
                label,
                "per cent of the baseline: \"20%\"",
            ));
        }
        number_of(number).map(|number| Amount::Absolute(number / 100.0))
    } else {
        None
    };
    let Some(amount) = read else {
        return Err(problem(
            "is no amount",
            "no number with % or points",
            expected,
        ));
    };
    let range = match (sign, amount) {
        (Sign::Either, Amount::Relative(_)) => -1.0..=100.0,
        (Sign::Either, Amount::Absolute(_)) => -1.0..=1.0,
        (Sign::Share, _) | (Sign::Positive, Amount::Absolute(_)) => 0.0..=1.0,
        (Sign::Positive, Amount::Relative(_)) => 0.0..=100.0,
    };
    let all = sign == Sign::Share && amount.number() >= 1.0;
    if !range.contains(&amount.number()) || all {
        let (low, high) = (range.start() * 100.0, range.end() * 100.0);
        let below = if sign == Sign::Share { "below " } else { "" };
        let help = format!("allowed: {low} to {below}{high} (per cent, or points)");
        return Err(decode::out_of_bounds(
            "not an amount that can be claimed",
            help,
        ));
    }
    Ok(amount)
}

/// Reads a value of a metric in its unit.
pub(super) fn value(text: &str, metric: Metric) -> Decoded<f64> {
    let text = text.trim();
    let expected = match metric.unit() {
        Unit::Share => "a share in per cent, such as 99.5%",
        Unit::Seconds => "a duration, such as 2.5s",
        Unit::PerSecond => "a rate, such as 40rps",
        Unit::Dollars => "an amount of money, such as $3.5",
        Unit::Plain => "a plain number, such as 1.5",
    };
    let unit = |UnitError(message): UnitError| {
        let why = message.split("; ").next().unwrap_or_default().to_owned();
        problem("has no such value", why, expected)
    };
    let read = match metric.unit() {
        Unit::Seconds => Some(Duration::parse(text).map_err(unit)?.as_secs_f64()),
        Unit::PerSecond => Some(Rate::parse(text).map_err(unit)?.as_per_second()),
        Unit::Share => text
            .strip_suffix('%')
            .and_then(number_of)
            .map(|n| n / 100.0),
        Unit::Dollars => text.strip_prefix('$').and_then(number_of),
        Unit::Plain => number_of(text),
    };
    let Some(read) = read else {
        let label = format!(
            "`{metric}` is {}",
            expected.split(", ").next().unwrap_or(expected)
        );
        return Err(problem(
            "has no such value",
            label,
            &format!("allowed: {expected}"),
        ));
    };
    let most = if metric.unit() == Unit::Share {
        1.0
    } else {
        1e12
    };
    if (0.0..=most).contains(&read) {
        Ok(read)
    } else {
        Err(decode::out_of_bounds(
            "no such value",
            format!("allowed: {expected}"),
        ))
    }
}

fn number_of(text: &str) -> Option<f64> {
    let number: f64 = text.trim().replace('_', "").parse().ok()?;
    number.is_finite().then_some(number)
}
