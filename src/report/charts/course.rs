//! What users notice over time: success rate and P99 latency, all replications together, with
//! scheduled faults shaded.
//!
//! Windows of the timeline are merged where there are more than the eye can follow, or where they
//! hold too few requests for a P99; `timeline.csv` has them all.

use super::axis::{Axis, extent};
use super::canvas::Point;
use super::faults::{by_chance_note, fault_height, of_all_replications};
use super::frame::{ALL_REQUESTS, LEGEND, Panel, TOP, legend, legend_height, note, page};
use super::palette::looks;
use crate::experiment::results::{ScenarioResults, StrategyResults, Window};
use crate::histogram::Histogram;
use crate::report::csv::{FEWEST_FOR_P99, quantile_s};
use crate::report::directory::File;
use crate::report::number::{human, share};
use crate::time::Duration;

const PANEL: f64 = 205.0;
const GAP: f64 = 66.0;
/// Points of a line: more than this would be a blur.
const MOST_POINTS: usize = 120;
/// Never fewer points than this, if the timeline has them.
const FEWEST_POINTS: usize = 12;

/// Requests of a few windows together.
struct Moment {
    /// Middle, in seconds.
    at: f64,
    success_percent: f64,
    /// NaN where too few requests arrived.
    p99_s: f64,
}

/// The chart.
pub fn file(results: &ScenarioResults) -> File {
    let looks = looks(results);
    let group = group(results);
    let arms = results.strategies.iter();
    let arms: Vec<Vec<Moment>> = arms.map(|arm| moments(arm, group)).collect();
    let about = &results.description;
    let faults = of_all_replications(about);
    let top = TOP + 8.0 + fault_height(&faults);
    let success = panel(results, top, success_axis(&arms));
    let p99 = panel(results, top + PANEL + GAP, p99_axis(&arms));
    let height = (p99.to.1 + 92.0 + by_chance_note(about).map_or(0.0, |_| 16.0))
        .max(top + 20.0 + legend_height(results));
    page(
        results,
        "timeline",
        &title(results, group),
        height,
        |canvas| {
            success.name_faults(canvas, &faults);
            let success_of = |moment: &Moment| (moment.at, moment.success_percent);
            let p99_of = |moment: &Moment| (moment.at, moment.p99_s);
            for (panel, value) in [
                (&success, success_of as fn(&Moment) -> Point),
                (&p99, p99_of),
            ] {
                panel.shade(canvas, about, &faults);
                panel.grid(canvas);
                for (nth, (arm, look)) in arms.iter().zip(&looks).enumerate() {
                    let points: Vec<Point> = arm.iter().map(value).collect();
                    panel.series(canvas, *look, nth, &points);
                }
            }
            legend(canvas, results, &looks, success.from.1);
            note(canvas, BY_ARRIVAL, p99.to.1 + 60.0);
            note(canvas, ALL_REQUESTS, p99.to.1 + 76.0);
            if let Some(text) = by_chance_note(about) {
                note(canvas, text, p99.to.1 + 92.0);
            }
        },
    )
}

/// Why a dip can begin before its fault.
const BY_ARRIVAL: &str = "Requests stand at the time of their arrival: those in flight when a \
                          fault begins show its effect before it.";

fn title(results: &ScenarioResults, group: usize) -> String {
    let what = "Success rate and P99 latency over time";
    let Some(arm) = results.strategies.first() else {
        return what.to_owned();
    };
    let length = arm.timeline.window.as_nanos().saturating_mul(group as u64);
    format!(
        "{what}, in windows of {}",
        human(Duration::from_nanos(length))
    )
}

/// How many windows make a point.
fn group(results: &ScenarioResults) -> usize {
    let windows = results.strategies.iter().map(|arm| &arm.timeline.windows);
    let Some(windows) = windows.max_by_key(|windows| windows.len()) else {
        return 1;
    };
    let requests: u64 = windows.iter().map(|window| window.requests).sum();
    // Twice the least, so that a quiet window does not fall below it.
    let enough = 2.0 * FEWEST_FOR_P99 as f64 * windows.len() as f64 / requests.max(1) as f64;
    let enough = (libm::ceil(enough) as usize).min(windows.len() / FEWEST_POINTS);
    enough.max(windows.len().div_ceil(MOST_POINTS)).max(1)
}

fn moments(arm: &StrategyResults, group: usize) -> Vec<Moment> {
    let length = arm.timeline.window.as_secs_f64();
    let groups = arm.timeline.windows.chunks(group).enumerate();
    let moment = |(nth, windows): (usize, &[Window])| {
        let sum = |count: fn(&Window) -> u64| windows.iter().map(count).sum::<u64>();
        let middle = (nth * group) as f64 + windows.len() as f64 / 2.0;
        let latency = windows.iter().skip(1).fold(
            windows.first().map(|window| window.latency_all.clone()),
            |all, window| all.map(|all| merged(all, &window.latency_all)),
        );
        let p99 = latency.and_then(|all| quantile_s(&all, 0.99, FEWEST_FOR_P99));
        Moment {
            at: middle * length,
            success_percent: share(sum(|w| w.successes), sum(|w| w.requests)) * 100.0,
            p99_s: p99.unwrap_or(f64::NAN),
        }
    };
    groups.map(moment).collect()
}

fn merged(mut all: Histogram, more: &Histogram) -> Histogram {
    all.merge(more);
    all
}

fn panel(results: &ScenarioResults, top: f64, y: Axis) -> Panel {
    Panel {
        from: (78.0, top),
        to: (LEGEND - 30.0, top + PANEL),
        x: Axis::time(results.description.duration),
        y,
    }
}

fn success_axis(arms: &[Vec<Moment>]) -> Axis {
    let shown = arms.iter().flatten().map(|moment| moment.success_percent);
    let low = extent(shown).map_or(0.0, |(low, _)| low);
    Axis::linear("success rate, %", low.min(99.5), 100.0)
}

fn p99_axis(arms: &[Vec<Moment>]) -> Axis {
    let shown = arms.iter().flatten().map(|moment| moment.p99_s);
    let (low, high) = extent(shown.filter(|s| *s > 0.0)).unwrap_or((0.1, 10.0));
    Axis::log("P99 of all requests, s (log)", low / 1.15, high * 1.15)
}
