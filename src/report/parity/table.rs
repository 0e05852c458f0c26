//! The comparison as a table of a terminal, as CSV and as JSON.

use crate::experiment::metric::Metric;
use crate::experiment::parity::{Agreement, ArmParity, Goal, LEVELS, Parity, Quantity, Row};
use crate::report::csv::{file as csv_file, header};
use crate::report::directory::File;
use crate::report::number::{derived, derived_or_empty, six_digits};
use crate::report::table::aligned;
use serde_json::{Value, json as value};

/// What a quantity is called in a column.
pub(super) fn name(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Metric(metric) => metric.name(),
        Quantity::Share(_) => "attempt_share",
    }
}

/// The account of a share; empty for what concerns all.
fn account(parity: &Parity, quantity: Quantity) -> &str {
    match quantity {
        Quantity::Metric(_) => "",
        Quantity::Share(account) => parity.accounts.get(account.at()).map_or("", String::as_str),
    }
}

/// What it is called among people.
pub(super) fn label(parity: &Parity, quantity: Quantity) -> String {
    match quantity {
        Quantity::Share(_) => format!("share of {}, %", account(parity, quantity)),
        Quantity::Metric(Metric::SuccessRate) => "success, %".to_owned(),
        Quantity::Metric(Metric::LatencyMeanAll) => "mean latency, s".to_owned(),
        Quantity::Metric(Metric::LatencyP50All) => "P50, s".to_owned(),
        Quantity::Metric(Metric::LatencyP90All) => "P90, s".to_owned(),
        Quantity::Metric(Metric::LatencyP99All) => "P99, s".to_owned(),
        Quantity::Metric(Metric::BreakerOpenings) => "breaker openings".to_owned(),
        Quantity::Metric(Metric::CostPer1kSuccesses) => "$ per 1,000 answers".to_owned(),
        Quantity::Metric(metric) => metric.name().to_owned(),
    }
}

/// Rows that people are shown: the metrics, and the share that is furthest off.
pub(super) fn shown(arm: &ArmParity) -> Vec<&Row> {
    let is_share = |row: &&Row| matches!(row.quantity, Quantity::Share(_));
    let metrics = arm.rows.iter().filter(|row| !is_share(row));
    let furthest = arm.rows.iter().filter(is_share).max_by(|one, other| {
        let off = |row: &Row| (row.agreement(), row.difference().abs());
        let ((one, by), (other, other_by)) = (off(one), off(other));
        one.cmp(&other).then(by.total_cmp(&other_by))
    });
    metrics.chain(furthest).collect()
}

/// Cells of a row as people read them: simulated, range, measured, adjusted, difference, goal,
/// agreement.
pub(super) fn cells(row: &Row) -> [String; 7] {
    let percent = |quantity| {
        matches!(
            quantity,
            Quantity::Share(_) | Quantity::Metric(Metric::SuccessRate)
        )
    };
    let scale = if percent(row.quantity) { 100.0 } else { 1.0 };
    let number = |value: f64| match row.quantity {
        _ if value.is_nan() => "-".to_owned(),
        Quantity::Metric(Metric::BreakerOpenings) => format!("{value:.0}"),
        _ if scale == 1.0 => format!("{value:.3}"),
        _ => format!("{:.2}", value * scale),
    };
    let difference = match row.goal {
        Some(Goal::Absolute(_)) => format!("{:+.2} pts", row.difference() * 100.0),
        _ if matches!(row.quantity, Quantity::Metric(Metric::BreakerOpenings)) => {
            format!("{:+.0}", row.difference())
        }
        _ if row.simulated == 0.0 => "-".to_owned(),
        _ => format!("{:+.1} %", row.difference() / row.simulated * 100.0),
    };
    let goal = row.goal.map_or_else(String::new, |goal| match goal {
        Goal::Absolute(points) => format!("{:.0} pts", points * 100.0),
        Goal::Relative(part) => format!("{:.0} %", part * 100.0),
    });
    let (low, high) = row.range;
    [
        number(row.simulated),
        format!("{} to {}", number(low), number(high)),
        number(row.measured),
        number(row.adjusted),
        difference,
        goal,
        row.agreement()
            .map_or_else(String::new, |it| it.name().to_owned()),
    ]
}

const HEADER: [&str; 9] = [
    "strategy",
    "",
    "simulated",
    "by chance",
    "live",
    "less overhead",
    "off by",
    "goal",
    "",
];

/// The comparison as text, each line ended by a newline.
#[must_use]
pub fn render(parity: &Parity) -> String {
    let mut rows = vec![];
    for arm in &parity.arms {
        for (nth, row) in shown(arm).into_iter().enumerate() {
            let strategy = if nth == 0 {
                arm.name.clone()
            } else {
                String::new()
            };
            let mut line = vec![strategy, label(parity, row.quantity)];
            line.extend(cells(row));
            rows.push(line);
        }
    }
    let mut text = aligned(&HEADER.map(str::to_owned), rows, 2);
    for sentence in super::page::sentences(parity) {
        text += &format!("\n{sentence}\n");
    }
    text
}

/// `parity.csv`.
pub(super) fn csv(parity: &Parity) -> File {
    let names = header(&[
        "strategy",
        "quantity",
        "account",
        "simulated",
        "simulated_low",
        "simulated_high",
        "live",
        "live_adjusted",
        "difference",
        "allowed",
        "agreement",
    ]);
    let rows = parity.arms.iter().flat_map(|arm| {
        arm.rows.iter().map(|row| {
            vec![
                arm.name.clone(),
                name(row.quantity).to_owned(),
                account(parity, row.quantity).to_owned(),
                derived(row.simulated),
                derived(row.range.0),
                derived(row.range.1),
                derived(row.measured),
                derived(row.adjusted),
                derived(row.difference()),
                derived_or_empty(row.allowed()),
                row.agreement().map_or("", Agreement::name).to_owned(),
            ]
        })
    });
    csv_file("parity.csv", names, rows)
}

/// `latency.csv`.
pub(super) fn latency_csv(parity: &Parity) -> File {
    let names = header(&["strategy", "level", "simulated_s", "live_s"]);
    let rows = parity.arms.iter().flat_map(|arm| {
        let values = LEVELS.zip(&arm.quantiles);
        values.map(|(level, (simulated, measured))| {
            let level = derived(f64::from(level) / 1e3);
            vec![
                arm.name.clone(),
                level,
                derived(*simulated),
                derived(*measured),
            ]
        })
    });
    csv_file("latency.csv", names, rows)
}

/// The comparison as one object.
#[must_use]
pub fn json(parity: &Parity) -> Value {
    let row = |row: &Row| {
        value!({
            "quantity": name(row.quantity),
            "account": match row.quantity {
                Quantity::Metric(_) => None,
                Quantity::Share(_) => Some(account(parity, row.quantity)),
            },
            "simulated": six_digits(row.simulated),
            "simulated_low": six_digits(row.range.0),
            "simulated_high": six_digits(row.range.1),
            "live": six_digits(row.measured),
            "live_adjusted": six_digits(row.adjusted),
            "difference": six_digits(row.difference()),
            "allowed": row.allowed().and_then(six_digits),
            "agreement": row.agreement().map(Agreement::name),
        })
    };
    let arms = parity.arms.iter().map(|arm| {
        value!({
            "strategy": arm.name,
            "agreement": arm.agreement().name(),
            "requests": arm.requests,
            "same_account": arm.same_account,
            "same_outcome": arm.same_outcome,
            "overhead_p50_s": arm.overhead.and_then(|over| six_digits(over.p50)),
            "overhead_p99_s": arm.overhead.and_then(|over| six_digits(over.p99)),
            "late": arm.sending.late,
            "dropped": arm.sending.dropped,
            "strangers": arm.sending.strangers,
            "left_over": arm.sending.left_over,
            "rows": arm.rows.iter().map(row).collect::<Vec<_>>(),
        })
    });
    value!({
        "scenario": parity.scenario,
        "seed": parity.seed,
        "replication": parity.replication,
        "pace": parity.pace,
        "interrupted": parity.interrupted,
        "strategies": arms.collect::<Vec<_>>(),
    })
}
