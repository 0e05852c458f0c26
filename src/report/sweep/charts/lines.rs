//! One parameter: the level of every strategy above, and below it the change from the first value,
//! paired by replication, which is how much the parameter matters.

use super::{Measure, positions, subtitle};
use crate::experiment::metric::Better;
use crate::experiment::sweep::SweepResults;
use crate::report::charts::axis::{Axis, extent};
use crate::report::charts::canvas::{Canvas, Point};
use crate::report::charts::frame::{LEGEND, Panel, TOP, legend_of, note, sheet};
use crate::report::charts::palette::{INK, Look, looks_of};
use crate::report::directory::File;
use crate::report::sweep::sample;
use crate::stats::mean::Estimate;

const PANEL: f64 = 205.0;
const GAP: f64 = 62.0;

/// A line: values by position on the x axis.
type Line = Vec<(f64, Estimate)>;

pub(super) fn file(results: &SweepResults, measure: &Measure) -> File {
    let (path, values) = &results.axes[0];
    let arms = sample::arms(results);
    let looks = looks_of(arms.iter().map(|arm| arm.strategy));
    let lines = |of: &dyn Fn(usize, &str) -> Option<Estimate>| -> Vec<Line> {
        arms.iter()
            .map(|arm| line(values, |cell| of(cell, &arm.name)))
            .collect()
    };
    let levels = lines(&|cell, name| measure.level(sample::arm(&results.cells[cell], name)?));
    let changes = lines(&|cell, name| {
        let (cell, reference) = (&results.cells[cell], &results.cells[0]);
        measure.change(cell, sample::arm(cell, name)?, reference)
    });
    let level = panel(results, TOP + 8.0, y_axis(measure.label, &levels, false));
    let change = format!("change from {}", values[0]);
    let change = panel(
        results,
        TOP + 8.0 + PANEL + GAP,
        y_axis(&change, &changes, true),
    );
    let height = (change.to.1 + 88.0).max(TOP + 30.0 + 20.0 * arms.len() as f64);
    let title = format!("{} by {path}", measure.title);
    let titles = (title.as_str(), &*subtitle(results, ""));
    sheet(&measure.name, titles, height, |canvas| {
        for (panel, lines) in [(&level, &levels), (&change, &changes)] {
            panel.grid(canvas);
            for (nth, (line, look)) in lines.iter().zip(&looks).enumerate() {
                let aside = (nth as f64 - (lines.len() as f64 - 1.0) / 2.0) * 2.2;
                paint(canvas, panel, *look, line, aside);
            }
        }
        let zero = change.at_y(0.0);
        canvas.line(&[(change.from.0, zero), (change.to.0, zero)], 1.2, INK);
        let names = arms.iter().map(|arm| arm.name.as_str());
        legend_of(canvas, names.zip(looks.iter().copied()), level.from.1);
        note(canvas, &explanation(measure), change.to.1 + 60.0);
        note(canvas, SIDE_BY_SIDE, change.to.1 + 76.0);
    })
}

/// How to read it.
fn explanation(measure: &Measure) -> String {
    let better = match measure.better {
        Better::Higher => " Higher is better.",
        Better::Lower => " Lower is better.",
        Better::Neither => "",
    };
    format!("Bars: 95 % intervals over replications; changes are paired by replication.{better}")
}

const SIDE_BY_SIDE: &str = "Points of one value stand side by side, to be told apart.";

fn line(values: &[String], of: impl Fn(usize) -> Option<Estimate>) -> Line {
    let places = positions(values).into_iter().enumerate();
    let mut line: Line = places
        .filter_map(|(cell, x)| Some((x, of(cell)?)))
        .collect();
    line.sort_by(|a, b| a.0.total_cmp(&b.0));
    line
}

fn panel(results: &SweepResults, top: f64, y: Axis) -> Panel {
    let (path, values) = &results.axes[0];
    let texts = values
        .iter()
        .map(|value| value.trim_matches('"').to_owned());
    let mut ticks: Vec<(f64, String)> = positions(values).into_iter().zip(texts).collect();
    ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
    Panel {
        from: (84.0, top),
        to: (LEGEND - 30.0, top + PANEL),
        x: Axis::of_values(path, ticks),
        y,
    }
}

fn y_axis(label: &str, lines: &[Line], with_zero: bool) -> Axis {
    let ends = lines.iter().flatten().flat_map(|(_, e)| {
        let interval = e.interval.map(|i| [i.low, i.high]);
        interval.into_iter().flatten().chain([e.mean])
    });
    let zero = with_zero.then_some(0.0);
    let (low, high) = extent(ends.chain(zero)).unwrap_or((0.0, 1.0));
    if low == high {
        let beside = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
        return Axis::linear(label, low - beside, high + beside);
    }
    Axis::linear(label, low, high)
}

fn paint(canvas: &mut Canvas, panel: &Panel, look: Look, line: &Line, aside: f64) {
    let place = |x: f64, y: f64| -> Point {
        let (x, y) = panel.at(x, y);
        (x + aside, y)
    };
    let points: Vec<Point> = line.iter().map(|(x, e)| place(*x, e.mean)).collect();
    match look.dash {
        None => canvas.line(&points, 1.4, look.colour),
        Some(dash) => canvas.dashed(&points, 1.4, look.colour, dash),
    }
    for ((x, estimate), &point) in line.iter().zip(&points) {
        if let Some(i) = estimate.interval {
            canvas.line(&[place(*x, i.low), place(*x, i.high)], 1.2, look.colour);
        }
        look.marker.draw(canvas, point, 3.6, look.colour);
    }
}
