//! How long requests take: the cumulative distribution, and the percentiles out into the tail.
//!
//! Both over all requests, a failure counted at max(its time, the deadline): else the strategy that
//! fails fast would look best. Two charts, because each hides what the other shows: a CDF squeezes
//! the last per cent into a line's width; percentiles on a 1/(1 - p) scale squeeze the first half.

use super::axis::{Axis, extent};
use super::canvas::{Anchor, Canvas, Font, Point};
use super::frame::{ALL_REQUESTS, LEGEND, Panel, TEXT, TOP, legend, legend_height, note, page};
use super::palette::{GREY, looks};
use crate::experiment::results::ScenarioResults;
use crate::histogram::Histogram;
use crate::report::directory::File;
use crate::report::number::human;
use crate::time::Duration;

const BOTTOM: f64 = 470.0;
const LABEL: &str = "latency of all requests, s (log scale)";

/// Share of requests answered within a time.
pub fn cdf(results: &ScenarioResults) -> File {
    let panel = panel(
        time_axis(results, 0.001),
        Axis::linear("requests done within this time, %", 0.0, 100.0),
    );
    let title = "Share of requests done within a time";
    chart(
        results,
        "latency_cdf",
        title,
        &panel,
        cumulative,
        |panel, canvas| {
            mark(canvas, results, |seconds| {
                let inside = panel.x.contains(seconds);
                let x = panel.at_x(seconds);
                inside.then_some([(x, panel.from.1), (x, panel.to.1)])
            });
        },
    )
}

/// Latency by percentile.
pub fn percentiles(results: &ScenarioResults) -> File {
    let panel = panel(
        Axis::percentiles(furthest(results)),
        time_axis(results, 0.01),
    );
    let title = "Latency by percentile, each further nine as wide as the last";
    chart(
        results,
        "latency_percentiles",
        title,
        &panel,
        tail,
        |panel, canvas| {
            mark(canvas, results, |seconds| {
                let inside = panel.y.contains(seconds);
                let y = panel.at_y(seconds);
                inside.then_some([(panel.to.0, y), (panel.from.0, y)])
            });
        },
    )
}

fn chart(
    results: &ScenarioResults,
    name: &str,
    title: &str,
    panel: &Panel,
    values: fn(&Histogram) -> Vec<Point>,
    marks: impl FnOnce(&Panel, &mut Canvas),
) -> File {
    let looks = looks(results);
    let height = (BOTTOM + 78.0).max(TOP + 30.0 + legend_height(results));
    page(results, name, title, height, |canvas| {
        panel.grid(canvas);
        marks(panel, canvas);
        for (nth, (arm, look)) in results.strategies.iter().zip(&looks).enumerate() {
            panel.series(canvas, *look, nth, &values(&arm.latency.all));
        }
        legend(canvas, results, &looks, panel.from.1);
        note(canvas, ALL_REQUESTS, BOTTOM + 60.0);
    })
}

fn panel(x: Axis, y: Axis) -> Panel {
    Panel {
        from: (78.0, TOP + 10.0),
        to: (LEGEND - 30.0, BOTTOM),
        x,
        y,
    }
}

/// Decades of an axis of time, as a ratio: answers from a cache take no time at all, and would
/// leave all others the right edge.
const SPAN: f64 = 1_000.0;

/// Latencies from the quantile `lowest` of the fastest strategy to the slowest request.
fn time_axis(results: &ScenarioResults, lowest: f64) -> Axis {
    let distributions = || results.strategies.iter().map(|arm| &arm.latency.all);
    let low = distributions().filter_map(|all| all.quantile(lowest));
    let high = distributions().map(Histogram::max);
    let seconds = low.chain(high).map(Duration::as_secs_f64);
    let (low, high) = extent(seconds.filter(|s| *s > 0.0)).unwrap_or((0.1, 10.0));
    Axis::log(LABEL, low.max(high / SPAN), high * 1.05)
}

/// Percentiles end where fewer than ten requests lie beyond: what follows is chance.
fn furthest(results: &ScenarioResults) -> f64 {
    let counts = results.strategies.iter().map(|arm| arm.latency.all.count());
    counts.max().unwrap_or(0) as f64 / 10.0
}

fn cumulative(histogram: &Histogram) -> Vec<Point> {
    let total = histogram.count() as f64;
    let mut below = 0;
    let step = |(value, count): (Duration, u64)| {
        below += count;
        (value.as_secs_f64(), below as f64 / total * 100.0)
    };
    histogram.buckets().map(step).collect()
}

fn tail(histogram: &Histogram) -> Vec<Point> {
    let total = histogram.count();
    let mut below = 0;
    let mut points = Vec::new();
    for (value, count) in histogram.buckets() {
        let beyond = total - below;
        if beyond < 10 {
            break;
        }
        let seconds = value.as_secs_f64();
        points.push((total as f64 / beyond as f64, seconds));
        below += count;
        if total - below < 10 {
            points.push((total as f64 / 10.0, seconds));
        }
    }
    points
}

/// Dashed lines at deadline and latency objective, where `line` gives them a place; named at its
/// first point.
fn mark(canvas: &mut Canvas, results: &ScenarioResults, line: impl Fn(f64) -> Option<[Point; 2]>) {
    let about = &results.description;
    let deadline = about.deadline.map(|deadline| ("deadline", deadline));
    for (name, at) in deadline
        .into_iter()
        .chain([("objective", about.latency_objective)])
    {
        let Some(line) = line(at.as_secs_f64()) else {
            continue;
        };
        canvas.dashed(&line, 1.0, GREY, 4.0);
        let vertical = line[0].0 == line[1].0;
        let (place, anchor) = if vertical {
            // To either side, because the two may stand close together.
            let earlier = deadline.is_some_and(|(_, deadline)| at < deadline);
            let (aside, anchor) = if earlier {
                (4.0, Anchor::End)
            } else {
                (-4.0, Anchor::Start)
            };
            ((line[0].0 + aside, line[0].1 - 9.0), anchor)
        } else {
            ((line[1].0 + 6.0, line[0].1 - 8.0), Anchor::Start)
        };
        let text = format!("{name} {}", human(at));
        canvas.text(
            &text,
            place,
            Font { size: 11.0, ..TEXT }.colour(GREY).anchor(anchor),
        );
    }
}
