//! What users notice over time: success rate and P99 latency, with scheduled faults shaded.

use super::axis::{Axis, extent};
use super::canvas::Point;
use super::faults::fault_height;
use super::frame::{ALL_REQUESTS, LEGEND, Panel, TOP, legend, legend_height, note, page};
use super::palette::looks;
use crate::experiment::results::{ScenarioResults, StrategyResults, Window};
use crate::report::csv::{FEWEST_FOR_P99, quantile_s};
use crate::report::directory::File;
use crate::report::number::{human, share};
use crate::time::Duration;

const PANEL: f64 = 205.0;
const GAP: f64 = 66.0;

/// The chart.
pub fn file(results: &ScenarioResults) -> File {
    let looks = looks(results);
    let top = TOP + 8.0 + fault_height(results);
    let success = panel(results, top, success_axis(results));
    let p99 = panel(results, top + PANEL + GAP, p99_axis(results));
    let height = (p99.to.1 + 76.0).max(top + 20.0 + legend_height(results));
    let window = results.strategies.first().map(|arm| arm.timeline.window);
    let title = match window {
        Some(window) => format!(
            "Success rate and P99 latency over time, in windows of {}",
            human(window)
        ),
        None => "Success rate and P99 latency over time".to_owned(),
    };
    page(results, "timeline", &title, height, |canvas| {
        success.name_faults(canvas, &results.description.faults);
        for (panel, value) in [
            (&success, success_percent as fn(&Window) -> f64),
            (&p99, p99_s),
        ] {
            panel.shade(canvas, results);
            panel.grid(canvas);
            for (nth, (arm, look)) in results.strategies.iter().zip(&looks).enumerate() {
                panel.series(canvas, *look, nth, &points(arm, value));
            }
        }
        legend(canvas, results, &looks, success.from.1);
        note(canvas, ALL_REQUESTS, p99.to.1 + 60.0);
    })
}

fn panel(results: &ScenarioResults, top: f64, y: Axis) -> Panel {
    Panel {
        from: (78.0, top),
        to: (LEGEND - 30.0, top + PANEL),
        x: Axis::time(results.description.duration),
        y,
    }
}

fn success_axis(results: &ScenarioResults) -> Axis {
    let low = extent(all(results).map(success_percent)).map_or(0.0, |(low, _)| low);
    Axis::linear("success rate, %", low.min(99.5), 100.0)
}

fn p99_axis(results: &ScenarioResults) -> Axis {
    let (low, high) = extent(all(results).map(p99_s).filter(|s| *s > 0.0)).unwrap_or((0.1, 10.0));
    Axis::log("P99 of all requests, s (log)", low / 1.15, high * 1.15)
}

fn all(results: &ScenarioResults) -> impl Iterator<Item = &Window> {
    results
        .strategies
        .iter()
        .flat_map(|arm| &arm.timeline.windows)
}

fn success_percent(window: &Window) -> f64 {
    share(window.successes, window.requests) * 100.0
}

fn p99_s(window: &Window) -> f64 {
    quantile_s(&window.latency_all, 0.99, FEWEST_FOR_P99).unwrap_or(f64::NAN)
}

/// A value of each window, at the middle of the window.
fn points(arm: &StrategyResults, value: impl Fn(&Window) -> f64) -> Vec<Point> {
    let length = Duration::as_secs_f64(arm.timeline.window);
    let numbered = arm.timeline.windows.iter().enumerate();
    numbered
        .map(|(at, window)| ((at as f64 + 0.5) * length, value(window)))
        .collect()
}
