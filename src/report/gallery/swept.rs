//! What a sweep over one parameter shows: a row per measure for the baseline, with the scenario's
//! own value, the best and the worst, and which way it goes; and which measures have a trend at
//! all. Heat maps over more parameters cannot be replaced by sentences.

use super::markdown;
use super::told::listed;
use crate::experiment::sweep::SweepResults;
use crate::report::number::derived;
use crate::report::sweep::{Course, Extreme, Way, courses, four_digits, reference, told_strategy};
use crate::stats::mean::Estimate;
use std::fmt::Write as _;

/// Most values that a cell lists.
const MOST_VALUES: usize = 3;

/// The table and the sentence; `None` where there is nothing to compare.
pub(super) fn shown(results: &SweepResults) -> Option<String> {
    let strategy = told_strategy(results)?;
    let courses = courses(results, strategy);
    if courses.is_empty() {
        return None;
    }
    let (path, values) = results.axes.first()?;
    let own = markdown::text(values.get(reference(results))?);
    let named = markdown::text(strategy);
    let whose = if results.own.is_some() {
        format!("{own}, the scenario's own")
    } else {
        format!("{own}, the first")
    };
    let mut text = format!(
        "| {named} | {whose} | best | worst | as the value rises | other strategies |\n\
         |---|---|---|---|---|---|\n"
    );
    for course in &courses {
        let _ = writeln!(text, "| {} |", row(course, values.len()).join(" | "));
    }
    let _ = writeln!(
        text,
        "\nBest and worst: difference from {own}, paired by replication. Other strategies: for how \
         many it goes the same way.\n"
    );
    let shown = sentence(&courses, strategy, path);
    let _ = writeln!(text, "What it shows: {shown}");
    Some(text)
}

fn row(course: &Course, values: usize) -> [String; 6] {
    let half = course.level.half_width();
    let half = half.map(|half| format!(" ±{}", two_digits(half)));
    let (same, others) = course.others;
    let way = match course.way {
        Way::Nowhere => "no value told apart",
        Way::NoTrend => "no trend",
        Way::Up => "rises",
        Way::Down => "falls",
        Way::UpAndDown => "up and down, no trend",
    };
    [
        markdown::text(&course.label),
        four_digits(course.level.mean) + &half.unwrap_or_default(),
        extreme(&course.best, values),
        extreme(&course.worst, values),
        way.to_owned(),
        format!("{same} of {others}"),
    ]
}

fn extreme(extreme: &Extreme, values: usize) -> String {
    let names: Vec<&str> = extreme.values.iter().map(String::as_str).collect();
    match (&names[..], extreme.change) {
        ([only], Some(change)) => format!("{}: {}", markdown::text(only), signed(change)),
        ([only], None) => markdown::text(only),
        (all, _) if all.len() == values => "none told apart".to_owned(),
        (few, _) if few.len() <= MOST_VALUES => format!("{} not told apart", listed(few)),
        (many, _) => format!("{} of {values} not told apart", many.len()),
    }
}

fn sentence(courses: &[Course], strategy: &str, path: &str) -> String {
    let of = |ways: &[Way]| -> Vec<&str> {
        let those = courses.iter().filter(|course| ways.contains(&course.way));
        those.map(|course| course.label.as_str()).collect()
    };
    let (path, strategy) = (markdown::code(path), markdown::text(strategy));
    let trends = of(&[Way::Up, Way::Down]);
    let mut sentences = vec![if trends.is_empty() {
        format!("nothing of {strategy} rises or falls with {path} throughout.")
    } else {
        let trends = joined(&trends);
        format!("with {path}, these rise or fall throughout: {trends}.")
    }];
    let both = of(&[Way::UpAndDown]);
    if !both.is_empty() {
        sentences.push(format!(
            "These go up and down, so that a longer value is neither better nor worse by itself: \
             {}.",
            joined(&both)
        ));
    }
    for (way, said) in [
        (
            Way::NoTrend,
            "These differ between some values, without a trend",
        ),
        (Way::Nowhere, "No two values are told apart by these"),
    ] {
        let those = of(&[way]);
        if !those.is_empty() {
            sentences.push(format!("{said}: {}.", joined(&those)));
        }
    }
    sentences.join(" ")
}

/// Labels hold commas.
fn joined(labels: &[&str]) -> String {
    let labels: Vec<String> = labels.iter().map(|label| markdown::text(label)).collect();
    labels.join("; ")
}

fn signed(change: Estimate) -> String {
    let sign = |number: f64| {
        let plus = if number > 0.0 { "+" } else { "" };
        format!("{plus}{}", two_digits(number))
    };
    let interval = change.interval;
    let interval = interval.map(|i| format!(" [{}, {}]", sign(i.low), sign(i.high)));
    sign(change.mean) + &interval.unwrap_or_default()
}

/// A number rounded to two significant digits.
fn two_digits(number: f64) -> String {
    let rounded = format!("{number:.1e}").parse();
    derived(rounded.unwrap_or(number))
}
