//! `ablation.svg`: what each factor changes, a panel for each metric. Bars side by side instead of
//! a stack: parts of a change have signs, and a stack of both signs cannot be read; and only a bar
//! of its own can show how well it is known.

use super::words::{MEASURES, Measure, contest};
use crate::experiment::ablation::{AblationResults, Gain};
use crate::experiment::metric::Better;
use crate::report::charts::axis::{Axis, extent};
use crate::report::charts::canvas::{Anchor, Canvas, Font};
use crate::report::charts::frame::{Panel, TEXT, TOP, WIDTH, note, sheet};
use crate::report::charts::palette::{GAIN, GREY, INK, LOSS, WHITE};
use crate::report::directory::File;
use crate::stats::mean::Estimate;

const ROW: f64 = 34.0;
const LEFT: f64 = 96.0;
const GAP: f64 = 30.0;

pub(super) fn file(results: &AblationResults) -> File {
    let rows = results.factors.len() + 1;
    let bottom = TOP + 24.0 + ROW * rows as f64;
    let title = format!(
        "{}: where the gain of {} comes from",
        results.scenario, results.name
    );
    let replications = results.replications();
    let plural = if replications == 1 { "" } else { "s" };
    let mut subtitle = format!(
        "{}; averaged over all orders of adding; {replications} replication{plural}",
        contest(results)
    );
    if results.interrupted {
        subtitle += &format!(" of {} (interrupted)", results.asked);
    }
    sheet("ablation", (&title, &subtitle), bottom + 104.0, |canvas| {
        for row in 0..rows {
            let factor = results.factors.get(row);
            let name = factor.map_or("all", |factor| factor.name());
            let font = if factor.is_none() { TEXT.bold() } else { TEXT };
            canvas.text(name, (20.0, middle(row)), font);
        }
        for (column, measure) in MEASURES.iter().enumerate() {
            paint(
                canvas,
                column,
                bottom,
                measure,
                &results.gains(measure.metric),
            );
        }
        let legend = "Blue: for the better; red: for the worse; pale: chance could explain it. \
                      Bars: intervals, 95 % each. The factors add up to all.";
        note(canvas, legend, bottom + 68.0);
        note(canvas, DOTS, bottom + 84.0);
    })
}

const DOTS: &str = "Ring: what the factor changes when it is added to nothing; dot: when it is \
                    added to all others.";

fn middle(row: usize) -> f64 {
    TOP + 24.0 + ROW * (row as f64 + 0.5)
}

fn paint(canvas: &mut Canvas, column: usize, bottom: f64, measure: &Measure, gains: &[Gain]) {
    let width = (WIDTH - 10.0 - LEFT) / MEASURES.len() as f64;
    let left = LEFT + width * column as f64;
    let panel = Panel {
        from: (left, TOP + 20.0),
        to: (left + width - GAP, bottom),
        x: axis(measure, gains),
        y: Axis::linear("", 0.0, 1.0),
    };
    panel.grid_x(canvas);
    let centre = f64::midpoint(panel.from.0, panel.to.0);
    let heading = format!("{}, {}", measure.name, measure.unit);
    let font = TEXT.bold().anchor(Anchor::Middle);
    canvas.text(&heading, (centre, panel.from.1 - 11.0), font);
    let better = match measure.metric.better() {
        Better::Higher => "better →",
        _ => "← better",
    };
    let font = TEXT.colour(GREY).anchor(Anchor::Middle);
    canvas.text(better, (centre, panel.to.1 + 36.0), font);
    for (row, gain) in gains.iter().enumerate() {
        bar(canvas, &panel, middle(row), measure, gain);
    }
    let zero = panel.at_x(0.0);
    canvas.line(&[(zero, panel.from.1), (zero, panel.to.1)], 1.4, INK);
}

fn bar(canvas: &mut Canvas, panel: &Panel, y: f64, measure: &Measure, gain: &Gain) {
    let Some(estimate) = gain.gain else {
        let middle = f64::midpoint(panel.from.0, panel.to.0);
        let font = Font::new(11.0).colour(GREY).anchor(Anchor::Middle);
        return canvas.text("not defined everywhere", (middle, y), font);
    };
    let colour = if measure.is_better(estimate.mean) {
        GAIN
    } else {
        LOSS
    };
    let pale = if super::words::clear(estimate) {
        0.0
    } else {
        0.6
    };
    let (zero, end) = (panel.at_x(0.0), panel.at_x(estimate.mean * measure.factor));
    let (from, to) = ((zero.min(end), y - 8.0), (zero.max(end), y + 8.0));
    canvas.rectangle(from, to, colour.mix(WHITE, pale), 1.0);
    if let Some(interval) = estimate.interval {
        let ends = [interval.low, interval.high].map(|x| panel.at_x(x * measure.factor));
        canvas.line(&[(ends[0], y), (ends[1], y)], 1.4, INK);
        for x in ends {
            canvas.line(&[(x, y - 4.0), (x, y + 4.0)], 1.4, INK);
        }
    }
    let place = |e: Estimate| (panel.at_x(e.mean * measure.factor), y + 13.0);
    if let Some(first) = gain.first {
        canvas.disc(place(first), 3.2, INK);
        canvas.disc(place(first), 2.0, WHITE);
    }
    if let Some(last) = gain.last {
        canvas.disc(place(last), 3.0, INK);
    }
}

/// An axis that holds zero and every interval.
fn axis(measure: &Measure, gains: &[Gain]) -> Axis {
    let ends = gains.iter().flat_map(|gain| {
        let interval = gain.gain.and_then(|e| e.interval);
        let interval = interval.map(|i| [i.low, i.high]);
        let means = [gain.gain, gain.first, gain.last].into_iter().flatten();
        interval.into_iter().flatten().chain(means.map(|e| e.mean))
    });
    let scaled = ends.map(|end| end * measure.factor);
    let (low, high) = extent(scaled.chain([0.0])).unwrap_or((0.0, 0.0));
    if low == high {
        return Axis::linear("", -1.0, 1.0);
    }
    Axis::linear("", low, high)
}
