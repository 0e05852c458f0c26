//! The comparison on one screen of a terminal, at most 100 columns wide.
//!
//! Above, a row per strategy; `*` marks the best mean of a column, and every other that reads the
//! same at the digits shown. It is a mark of rank, not of significance: whether a lead is more than
//! noise is what the intervals of the differences below say. Nothing is marked where all read the
//! same, nor in columns that are neither good nor bad in themselves.

use super::number::human;
use super::summary::{baseline, compare, compared, metric, replications, totals};
use crate::experiment::metric::{Better, Metric};
use crate::experiment::results::{ScenarioResults, StrategyResults};
use crate::stats::mean::Estimate;
use crate::stats::ratio::{Range, RelativeChange};
use crate::time::Duration;
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// The comparison as text, each line ended by a newline. With `ansi`, marked values are bold.
#[must_use]
pub fn render(results: &ScenarioResults, ansi: bool) -> String {
    let columns = columns(results);
    let mut text = aligned(&header(&columns), strategy_rows(results, &columns), 1);
    if ansi {
        text = embolden(&text);
    }
    if let Some(base) = baseline(results)
        && compared(results).next().is_some()
    {
        text += &format!(
            "\nDifference from {} {}:\n",
            fitted(&base.name),
            INTERVAL_NOTE
        );
        text += &aligned(
            &DIFFERENCE_HEADER.map(str::to_owned),
            difference_rows(results, base),
            4,
        );
    }
    text += &format!("\n{}\n", footer(results));
    text += &super::claims::lines(&results.verdicts);
    if let Some(note) = super::interruption(results) {
        text += &format!("{note}\n");
    }
    text
}

const INTERVAL_NOTE: &str = "[95 % interval, paired by replication]";

/// A column of the upper table.
#[derive(Clone, Copy)]
struct Column {
    heading: &'static str,
    metric: Metric,
    show: fn(Estimate) -> String,
}

const COLUMNS: [Column; 9] = [
    column("success %", Metric::SuccessRate, share),
    column("P50", Metric::LatencyP50All, |e| short(e.mean)),
    column("P99", Metric::LatencyP99All, |e| short(e.mean)),
    column("TTFT99", Metric::FirstTokenP99All, |e| short(e.mean)),
    column("goodput", Metric::Goodput, |e| short(e.mean)),
    column("$/1k ok", Metric::CostPer1kSuccesses, |e| short(e.mean)),
    column("att/req", Metric::AttemptsPerRequest, |e| {
        format!("{:.2}", e.mean)
    }),
    column("waste%", Metric::WastedCostShare, |e| {
        format!("{:.2}", e.mean * 100.0)
    }),
    column("opens", Metric::BreakerOpenings, |e| {
        format!("{:.1}", e.mean)
    }),
];

/// In place of the waste, where there is a response cache: it says more there, and a line is full.
const HITS: Column = column("hits %", Metric::CacheHitRate, |e| {
    format!("{:.2}", e.mean * 100.0)
});

fn columns(results: &ScenarioResults) -> Vec<Column> {
    let mut arms = results.strategies.iter();
    let cached = arms.any(|arm| metric(arm, Metric::CacheHitRate).is_some());
    let shown = |column: &Column| match column.metric {
        Metric::WastedCostShare if cached => HITS,
        _ => *column,
    };
    COLUMNS.iter().map(shown).collect()
}

const fn column(heading: &'static str, metric: Metric, show: fn(Estimate) -> String) -> Column {
    Column {
        heading,
        metric,
        show,
    }
}

fn header(columns: &[Column]) -> Vec<String> {
    let names = columns.iter().map(|column| format!("{} ", column.heading));
    std::iter::once("strategy".to_owned())
        .chain(names)
        .collect()
}

fn strategy_rows(results: &ScenarioResults, columns: &[Column]) -> Vec<Vec<String>> {
    let names = results.strategies.iter().map(|arm| fitted(&arm.name));
    let mut rows: Vec<Vec<String>> = names.map(|name| vec![name]).collect();
    for column in columns {
        let cells = cells(&results.strategies, column);
        rows.iter_mut()
            .zip(cells)
            .for_each(|(row, cell)| row.push(cell));
    }
    rows
}

/// The cells of a column, the best marked and all aligned to the place of the mark.
fn cells(arms: &[StrategyResults], column: &Column) -> Vec<String> {
    let estimates: Vec<_> = arms.iter().map(|arm| metric(arm, column.metric)).collect();
    let sign = match column.metric.better() {
        Better::Higher => 1.0,
        Better::Lower => -1.0,
        Better::Neither => f64::NAN,
    };
    let known = estimates.iter().flatten();
    let best = known.max_by(|a, b| (sign * a.mean).total_cmp(&(sign * b.mean)));
    // What the reader sees decides a tie: the number without its interval.
    let shown = |e: &Estimate| {
        let bare = Estimate {
            interval: None,
            ..*e
        };
        (column.show)(bare)
    };
    let best = best.filter(|_| !sign.is_nan()).map(shown);
    let is_best = |e: &Estimate| best.as_ref() == Some(&shown(e));
    let all_same = estimates.iter().flatten().all(is_best);
    let cell = |e: &Option<Estimate>| match e {
        Some(e) if is_best(e) && !all_same => format!("{}*", (column.show)(*e)),
        Some(e) => format!("{} ", (column.show)(*e)),
        None => "- ".to_owned(),
    };
    estimates.iter().map(cell).collect()
}

const DIFFERENCE_HEADER: [&str; 4] = [
    "strategy",
    "success, points",
    "P99, %",
    "cost per success, %",
];

fn difference_rows(results: &ScenarioResults, base: &StrategyResults) -> Vec<Vec<String>> {
    let row = |arm: &StrategyResults| {
        let success = compare(arm, base, Metric::SuccessRate).difference;
        let relative = |metric| compare(arm, base, metric).relative;
        vec![
            fitted(&arm.name),
            points(success),
            percent(relative(Metric::LatencyP99All)),
            percent(relative(Metric::CostPer1kSuccesses)),
        ]
    };
    compared(results).map(row).collect()
}

/// A share in percent: `98.21 ±0.40`, or `99.90 [99.20, 100.00]` where the interval ends with what
/// is possible.
pub(super) fn share(share: Estimate) -> String {
    let percent = share.map(|share| share * 100.0);
    let interval = match (percent.half_width(), percent.interval) {
        (Some(half), _) => format!(" ±{half:.2}"),
        (None, Some(i)) => format!(" [{:.2}, {:.2}]", i.low, i.high),
        (None, None) => String::new(),
    };
    success_number(share.mean) + &interval
}

/// A share in per cent. It reads 100.00 only where nothing at all is missing.
pub(super) fn success_number(share: f64) -> String {
    match format!("{:.2}", share * 100.0) {
        text if text == "100.00" && share < 1.0 => ">99.99".to_owned(),
        text => text,
    }
}

pub(super) fn points(difference: Option<Estimate>) -> String {
    let Some(points) = difference.map(|d| d.map(|share| share * 100.0)) else {
        return "-".to_owned();
    };
    let interval = points
        .interval
        .map(|i| format!(" [{}, {}]", signed(i.low, 2), signed(i.high, 2)));
    format!("{}{}", signed(points.mean, 2), interval.unwrap_or_default())
}

pub(super) fn percent(change: Option<RelativeChange>) -> String {
    let Some(change) = change else {
        return "-".to_owned();
    };
    let range = match change.range {
        Range::Unknown => String::new(),
        Range::Outside(_) | Range::Anything => " [no bounds]".to_owned(),
        Range::Bounded(i) => {
            format!(
                " [{}, {}]",
                signed(i.low * 100.0, 1),
                signed(i.high * 100.0, 1)
            )
        }
    };
    format!("{}{range}", signed(change.change * 100.0, 1))
}

/// With a sign, except for what rounds to zero.
pub(super) fn signed(value: f64, digits: usize) -> String {
    let text = format!("{value:+.digits$}");
    let zero = text.chars().all(|c| !c.is_ascii_digit() || c == '0');
    if zero {
        format!("{:.digits$}", 0.0)
    } else {
        text
    }
}

/// About three significant digits.
pub(super) fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

fn footer(results: &ScenarioResults) -> String {
    let about = &results.description;
    let finished = replications(results);
    let requests = results.strategies.iter().map(|arm| totals(arm).requests);
    let per_replication = requests.max().unwrap_or(0) / (finished as u64).max(1);
    let plural = if finished == 1 { "" } else { "s" };
    let intervals = if finished < 2 {
        "one replication, so no intervals"
    } else {
        "± and [ ] 95 % intervals over replications"
    };
    let mut what = format!("{finished} replication{plural} of {per_replication} requests");
    what += &format!(" in {}", human(about.duration));
    if about.warmup != Duration::ZERO {
        what += &format!(", the first {} not measured", human(about.warmup));
    }
    format!(
        "{}: {what}; seed {}.\n* best of its column; {intervals}.\n\
         Latency of all requests in s, TTFT99 = P99 of the first token; goodput per s; \
         breaker opens.",
        about.name, about.seed,
    )
}

/// A name that leaves room for the numbers.
pub(super) fn fitted(name: &str) -> String {
    const WIDTH: usize = 22;
    if name.chars().count() <= WIDTH {
        return name.to_owned();
    }
    name.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// Left-aligned names, right-aligned numbers.
pub(super) fn aligned(header: &[String], rows: Vec<Vec<String>>, gap: u16) -> String {
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.to_vec())
        .add_rows(rows);
    for (at, column) in table.column_iter_mut().enumerate() {
        if at == 0 {
            column.set_padding((0, 0));
        } else {
            column
                .set_padding((gap, 0))
                .set_cell_alignment(CellAlignment::Right);
        }
    }
    table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// A sentence in lines of at most 100 columns, the further ones indented.
pub(super) fn wrapped(sentence: &str) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for word in sentence.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > 100 {
            text += "\n  ";
            column = 2;
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += width;
    }
    text
}

/// Makes every marked value bold.
fn embolden(text: &str) -> String {
    let bold = |word: &str| match word.strip_suffix('*') {
        Some(value) if !value.is_empty() => format!("\x1b[1m{value}*\x1b[0m"),
        _ => word.to_owned(),
    };
    text.split_inclusive('\n')
        .map(|line| line.split(' ').map(bold).collect::<Vec<_>>().join(" "))
        .collect()
}
