//! Charts of a sweep, one per measure: lines over one parameter, heat maps over two.
//!
//! With more than two parameters there is a page per measure and combination of the others: a
//! chart that averages over a parameter would show a system that nobody runs. Where that would be
//! more than [`MOST_PAGES`] pages there are no charts; `sweep.csv` has everything.
//!
//! Both kinds show the change from the reference cell beside the level, because one arm far off the
//! others (no breaker, no retries) would squeeze all that a parameter does into a line's width.

mod heat;
mod lines;
mod measure;

use crate::experiment::sweep::{ArmSample, SweepResults};
use crate::report::directory::File;
use crate::report::number::derived;
use crate::time::Duration;
use crate::units::Rate;
pub(super) use measure::Measure;

use super::sample;

/// Most pages for a measure.
const MOST_PAGES: usize = 24;

pub(super) fn files(results: &SweepResults) -> Vec<File> {
    if too_many(results).is_some() {
        return vec![];
    }
    let measures = Measure::all(results);
    let pages = pages(results);
    let mut files = vec![];
    for measure in &measures {
        for page in &pages {
            files.push(match results.axes.len() {
                1 => lines::file(results, measure),
                _ => heat::file(results, measure, page),
            });
        }
    }
    files
}

/// What to say where there are too many pages for charts.
pub(super) fn too_many(results: &SweepResults) -> Option<String> {
    let pages = pages(results).len();
    (pages > MOST_PAGES).then(|| {
        format!(
            "no charts: each measure would take {pages} pages, a heat map for every combination \
             of the parameters after the second; plot sweep.csv, or vary fewer at a time"
        )
    })
}

/// One combination of the parameters after the second.
struct Page {
    /// Its number among the pages of a measure; `None` if it is the only one.
    number: Option<usize>,
    /// Cell that it begins with: first values of the first two parameters.
    first: usize,
    /// The combination in words; empty if there are no further parameters.
    text: String,
}

fn pages(results: &SweepResults) -> Vec<Page> {
    let inner: usize = results
        .axes
        .iter()
        .skip(2)
        .map(|axis| axis.1.len())
        .product();
    let page = |first: usize| {
        let values = sample::values(results, first).into_iter();
        let fixed = results.axes.iter().zip(values).skip(2);
        let fixed: Vec<String> = fixed
            .map(|((path, _), value)| format!("{path} = {value}"))
            .collect();
        Page {
            number: (inner > 1).then_some(first),
            first,
            text: fixed.join(", "),
        }
    };
    (0..inner).map(page).collect()
}

/// What every page says below its title.
fn subtitle(results: &SweepResults, page: &str) -> String {
    let arms = results.cells.first().map(|cell| &cell.arms);
    let arm: Option<&ArmSample> = arms.and_then(|arms| arms.first());
    let count = arm.map_or(0, |arm| arm.replications.len());
    let plural = if count == 1 { "" } else { "s" };
    let mut text = format!(
        "Sweep of scenario {}, {count} replication{plural} per cell",
        results.scenario
    );
    if !page.is_empty() {
        text += &format!("; {page}");
    }
    text
}

/// Where the values of a parameter stand on an axis: at their numbers if all are numbers of one
/// kind and differ, else one beside the other.
pub(super) fn positions(values: &[String]) -> Vec<f64> {
    let numbers: Option<Vec<f64>> = values.iter().map(|value| number(value)).collect();
    let distinct = |numbers: &Vec<f64>| {
        let texts: std::collections::BTreeSet<String> =
            numbers.iter().map(|&number| derived(number)).collect();
        texts.len() == numbers.len()
    };
    numbers.filter(distinct).unwrap_or_else(|| {
        let places = 0..values.len();
        places.map(|at| at as f64).collect()
    })
}

/// The number in a value: a plain one, seconds, or a rate per second.
fn number(value: &str) -> Option<f64> {
    let value = value.trim_matches('"');
    let plain = value.parse().ok().filter(|number: &f64| number.is_finite());
    plain
        .or_else(|| Some(Duration::parse(value).ok()?.as_secs_f64()))
        .or_else(|| Some(Rate::parse(value).ok()?.as_per_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_at_their_numbers_where_they_are_numbers() {
        let of = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
            let places = positions(&values).into_iter();
            places
                .map(|place| libm::round(place * 1e6) / 1e6)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&["10s", "1min", "500ms"]), [10.0, 60.0, 0.5]);
        assert_eq!(of(&["20rps", "120rpm"]), [20.0, 2.0]);
        assert_eq!(of(&["0.5", "2", "1e1"]), [0.5, 2.0, 10.0]);
        assert_eq!(of(&["60s", "1min"]), [0.0, 1.0]);
        assert_eq!(of(&["none", "10s"]), [0.0, 1.0]);
        assert_eq!(of(&["true", "false"]), [0.0, 1.0]);
    }
}
