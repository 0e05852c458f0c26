//! Where the attempts went over time: a small panel per strategy, shares of the lanes stacked.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Font, Point};
use super::faults::{by_chance_note, fault_height, of_all_replications};
use super::frame::{LEGEND, Panel, TEXT, TOP, fitted, note, page, straightened};
use super::palette::{GREY, INK, WHITE, lane_colours, looks};
use crate::experiment::results::{FaultDescription, ScenarioResults, StrategyResults};
use crate::report::directory::File;
use crate::report::timeline::Course;

const COLUMNS: usize = 3;
const PANEL: f64 = 104.0;
const ROW: f64 = 150.0;
const MOST_LANES_NAMED: usize = 24;
/// More points than this across a small panel show nothing more.
const MOST_POINTS: usize = 60;

/// The chart.
pub fn file(results: &ScenarioResults) -> File {
    let about = &results.description;
    let faults = of_all_replications(about);
    let top = TOP + 20.0 + fault_height(&faults);
    let rows = results.strategies.len().div_ceil(COLUMNS).max(1);
    let named = results.description.lanes.len().min(MOST_LANES_NAMED + 1);
    let grid_end = top + ROW * rows as f64 + 34.0;
    let height = grid_end.max(top + 30.0 + 17.0 * named as f64);
    let title = "Share of attempts by account over time";
    page(results, "lane_share", title, height, |canvas| {
        let looks = looks(results);
        for (at, arm) in results.strategies.iter().enumerate() {
            let panel = panel(results, at, top);
            if at == 0 {
                panel.name_faults_at(canvas, &faults);
            }
            panel.grid_x(canvas);
            panel.grid_y(canvas);
            areas(canvas, results, arm, &panel);
            edges(canvas, &faults, &panel);
            let name = (panel.from.0 + 14.0, panel.from.1 - 11.0);
            let mark = (panel.from.0 + 4.0, panel.from.1 - 11.0);
            looks[at].marker.draw(canvas, mark, 4.2, looks[at].colour);
            canvas.text(&fitted(&arm.name, 24), name, TEXT.bold());
        }
        let middle = f64::midpoint(78.0, LEGEND - 30.0);
        let below = (middle, top + ROW * rows as f64 - 8.0);
        let label = Axis::time(results.description.duration).label;
        canvas.text(&label, below, TEXT.anchor(Anchor::Middle));
        let left = (22.0, top + (ROW * rows as f64 - 40.0) / 2.0);
        canvas.text("share of attempts, %", left, TEXT.anchor(Anchor::Upwards));
        lane_legend(canvas, results, top);
        let edges = (!faults.is_empty()).then_some("Dashed lines: start and end of a fault.");
        if let Some(text) = by_chance_note(about).or(edges) {
            note(canvas, text, height - 14.0);
        }
    })
}

impl Panel {
    /// The faults' names above the first panel, above its own name.
    fn name_faults_at(&self, canvas: &mut Canvas, faults: &[&FaultDescription]) {
        let raised = Self {
            from: (self.from.0, self.from.1 - 18.0),
            to: self.to,
            x: self.x.clone(),
            y: self.y.clone(),
        };
        raised.name_faults(canvas, faults);
    }
}

fn panel(results: &ScenarioResults, at: usize, top: f64) -> Panel {
    let (row, column) = (at / COLUMNS, at % COLUMNS);
    let width = (LEGEND - 30.0 - 70.0) / COLUMNS as f64;
    let from = (70.0 + width * column as f64, top + ROW * row as f64);
    let mut x = Axis::time(results.description.duration);
    // A third of the width has room for a third of the ticks.
    let every = x.ticks.len().div_ceil(4).max(1);
    x.ticks = x.ticks.into_iter().step_by(every).collect();
    let mut y = Axis::linear("", 0.0, 100.0);
    y.ticks = [0.0, 50.0, 100.0]
        .map(|share| (share, share.to_string()))
        .into();
    if column > 0 {
        y = y.with_texts(|_| String::new());
    }
    Panel {
        from,
        to: (from.0 + width - 18.0, from.1 + PANEL),
        x,
        y,
    }
}

/// Stacked areas, painted from the whole stack down, so that each needs its upper edge only.
fn areas(canvas: &mut Canvas, results: &ScenarioResults, arm: &StrategyResults, panel: &Panel) {
    let course = Course::of(results, arm);
    let colours = lane_colours(&results.description);
    let stacks = stacks(&course, colours.len());
    let window = arm.timeline.window.as_secs_f64();
    let place = |(at, share): (f64, f64)| panel.at(at * window, share * 100.0);
    for run in stacks.split(|(_, stack)| stack.is_empty()) {
        let Some(((first, _), (last, _))) = run.first().zip(run.last()) else {
            continue;
        };
        for (lane, colour) in colours.iter().enumerate().rev() {
            let edge = run.iter().map(|(at, stack)| place((*at, stack[lane])));
            let upper = straightened(&edge.collect::<Vec<Point>>());
            let mut points = upper.clone();
            points.push(place((*last, 0.0)));
            points.push(place((*first, 0.0)));
            canvas.polygon(&points, *colour, 1.0);
            if lane + 1 < colours.len() && colours.len() <= MOST_LANES_NAMED {
                canvas.line(&upper, 0.5, WHITE);
            }
        }
    }
}

/// Middle of each group of windows, in windows, and the cumulative shares of its lanes; no shares
/// where nothing was dispatched.
fn stacks(course: &Course, lanes: usize) -> Vec<(f64, Vec<f64>)> {
    let group = course.windows().div_ceil(MOST_POINTS).max(1);
    let starts = (0..course.windows()).step_by(group);
    let stack = |start: usize| {
        let end = (start + group).min(course.windows());
        let sum = |lane| {
            (start..end)
                .map(|at| course.dispatches(at, lane))
                .sum::<u64>()
        };
        let counts: Vec<u64> = (0..lanes).map(sum).collect();
        let total: u64 = counts.iter().sum();
        let mut below = 0;
        let shares = counts.iter().filter(|_| total > 0).map(|count| {
            below += count;
            below as f64 / total as f64
        });
        (f64::midpoint(start as f64, end as f64), shares.collect())
    };
    starts.map(stack).collect()
}

/// Start and end of each fault, on top of the areas.
fn edges(canvas: &mut Canvas, faults: &[&FaultDescription], panel: &Panel) {
    for fault in faults {
        for at in fault.windows.iter().flat_map(|(start, end)| [start, end]) {
            let x = panel.at_x(at.as_secs_f64());
            canvas.dashed(&[(x, panel.from.1), (x, panel.to.1)], 1.2, INK, 3.0);
        }
    }
}

fn lane_legend(canvas: &mut Canvas, results: &ScenarioResults, top: f64) {
    let lanes = &results.description.lanes;
    let colours = lane_colours(&results.description);
    // From the top of the stack down.
    for (row, lane) in (0..lanes.len()).rev().take(MOST_LANES_NAMED).enumerate() {
        let y = top + 8.0 + 17.0 * row as f64;
        canvas.rectangle(
            (LEGEND, y - 5.5),
            (LEGEND + 18.0, y + 5.5),
            colours[lane],
            1.0,
        );
        canvas.text(&fitted(&lanes[lane], 26), (LEGEND + 26.0, y), TEXT);
    }
    if let Some(more) = lanes
        .len()
        .checked_sub(MOST_LANES_NAMED)
        .filter(|more| *more > 0)
    {
        let y = top + 8.0 + 17.0 * MOST_LANES_NAMED as f64;
        canvas.text(
            &format!("and {more} more"),
            (LEGEND, y),
            Font {
                colour: GREY,
                ..TEXT
            },
        );
    }
}
