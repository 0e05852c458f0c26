//! Every strategy against the baseline: differences with 95 % intervals around zero. An interval
//! that does not touch zero is a difference that chance does not explain.

use super::axis::{Axis, extent};
use super::canvas::{Anchor, Canvas, Font};
use super::frame::{Panel, TEXT, TOP, WIDTH, fitted, page};
use super::palette::{GREY, INK, Look, looks};
use crate::experiment::metric::{Better, Metric};
use crate::experiment::results::{ScenarioResults, StrategyResults};
use crate::report::directory::File;
use crate::report::summary::{baseline, compare, replications};
use crate::stats::Interval;

const ROW: f64 = 26.0;
const LEFT: f64 = 212.0;
const GAP: f64 = 26.0;

/// A measure of the comparison.
struct Measure {
    label: &'static str,
    metric: Metric,
    relative: bool,
}

const MEASURES: [Measure; 3] = [
    Measure {
        label: "success rate, points",
        metric: Metric::SuccessRate,
        relative: false,
    },
    Measure {
        label: "P99 latency, %",
        metric: Metric::LatencyP99All,
        relative: true,
    },
    Measure {
        label: "cost per success, %",
        metric: Metric::CostPer1kSuccesses,
        relative: true,
    },
];

/// What is known of one difference, in points or per cent.
struct Difference {
    centre: f64,
    interval: Option<Interval>,
    unbounded: bool,
}

/// The chart.
pub fn file(results: &ScenarioResults) -> File {
    let base = baseline(results);
    let arms: Vec<(&StrategyResults, Look)> = results
        .strategies
        .iter()
        .zip(looks(results))
        .enumerate()
        .filter(|(at, _)| *at != results.description.baseline)
        .map(|(_, arm)| arm)
        .collect();
    let bottom = TOP + 24.0 + ROW * arms.len().max(1) as f64;
    let known = if replications(results) < 2 {
        "one replication, so without intervals"
    } else {
        "with 95 % intervals"
    };
    let title = match base {
        Some(base) => format!("Difference from {}, {known}", fitted(&base.name, 40)),
        None => "Differences".to_owned(),
    };
    page(results, "comparison", &title, bottom + 72.0, |canvas| {
        for (row, (arm, look)) in arms.iter().enumerate() {
            let y = middle(row);
            look.marker.draw(canvas, (26.0, y), 4.2, look.colour);
            canvas.text(&fitted(&arm.name, 24), (38.0, y), TEXT);
        }
        if arms.is_empty() {
            let font = TEXT.colour(GREY);
            canvas.text("nothing to compare", (26.0, middle(0)), font);
        }
        for (column, measure) in MEASURES.iter().enumerate() {
            let known = arms
                .iter()
                .map(|(arm, _)| base.and_then(|b| measure.of(arm, b)));
            let known: Vec<Option<Difference>> = known.collect();
            measure.paint(canvas, column, bottom, &known, &arms);
        }
    })
}

fn middle(row: usize) -> f64 {
    TOP + 24.0 + ROW * (row as f64 + 0.5)
}

impl Measure {
    fn of(&self, arm: &StrategyResults, base: &StrategyResults) -> Option<Difference> {
        let comparison = compare(arm, base, self.metric);
        let percent = |x: f64| x * 100.0;
        if self.relative {
            let relative = comparison.relative?;
            return Some(Difference {
                centre: percent(relative.change),
                interval: relative.range.interval().map(|i| i.map(percent)),
                unbounded: relative.range.is_unbounded(),
            });
        }
        let difference = comparison.difference?.map(percent);
        Some(Difference {
            centre: difference.mean,
            interval: difference.interval,
            unbounded: false,
        })
    }

    fn paint(
        &self,
        canvas: &mut Canvas,
        column: usize,
        bottom: f64,
        known: &[Option<Difference>],
        arms: &[(&StrategyResults, Look)],
    ) {
        let width = (WIDTH - 20.0 - LEFT) / MEASURES.len() as f64;
        let left = LEFT + width * column as f64;
        let panel = Panel {
            from: (left, TOP + 20.0),
            to: (left + width - GAP, bottom),
            x: axis(known),
            y: Axis::linear("", 0.0, 1.0),
        };
        panel.grid_x(canvas);
        let zero = panel.at_x(0.0);
        canvas.line(&[(zero, panel.from.1), (zero, panel.to.1)], 1.4, INK);
        let centre = f64::midpoint(panel.from.0, panel.to.0);
        let head = (centre, panel.from.1 - 11.0);
        canvas.text(self.label, head, TEXT.bold().anchor(Anchor::Middle));
        let better = match self.metric.better() {
            Better::Higher => "better →",
            Better::Lower => "← better",
            Better::Neither => "",
        };
        let below = (centre, panel.to.1 + 36.0);
        canvas.text(better, below, TEXT.colour(GREY).anchor(Anchor::Middle));
        for (row, (difference, (_, look))) in known.iter().zip(arms).enumerate() {
            paint_row(canvas, &panel, middle(row), difference.as_ref(), *look);
        }
    }
}

fn paint_row(
    canvas: &mut Canvas,
    panel: &Panel,
    y: f64,
    difference: Option<&Difference>,
    look: Look,
) {
    let Some(difference) = difference else {
        let middle = f64::midpoint(panel.from.0, panel.to.0);
        let font = Font::new(11.0).colour(GREY).anchor(Anchor::Middle);
        return canvas.text("not applicable", (middle, y), font);
    };
    let ends = if difference.unbounded {
        Some((panel.from.0, panel.to.0))
    } else {
        let interval = difference.interval;
        interval.map(|i| (panel.at_x(i.low), panel.at_x(i.high)))
    };
    if let Some((low, high)) = ends {
        if difference.unbounded {
            canvas.dashed(&[(low, y), (high, y)], 1.6, look.colour, 4.0);
        } else {
            canvas.line(&[(low, y), (high, y)], 2.2, look.colour);
            for x in [low, high] {
                canvas.line(&[(x, y - 5.0), (x, y + 5.0)], 1.6, look.colour);
            }
        }
    }
    look.marker
        .draw(canvas, (panel.at_x(difference.centre), y), 4.6, look.colour);
}

/// An axis that holds zero and every interval.
fn axis(known: &[Option<Difference>]) -> Axis {
    let ends = known.iter().flatten().flat_map(|d| {
        let interval = d.interval.map(|i| [i.low, i.high]);
        interval.into_iter().flatten().chain([d.centre])
    });
    let (low, high) = extent(ends.chain([0.0])).unwrap_or((0.0, 0.0));
    let margin = ((high - low) * 0.03).max(0.05);
    let low = if low < 0.0 { low - margin } else { low };
    let high = if high > 0.0 { high + margin } else { high };
    let (low, high) = if low == high {
        (-1.0, 1.0)
    } else {
        (low, high)
    };
    Axis::linear("", low, high)
}
