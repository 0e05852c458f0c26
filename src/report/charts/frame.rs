//! What all charts share: page with title and subtitle, panels with grid and axes, legend, and the
//! background that shows scheduled faults and the warm-up.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Font, Point, draw};
use super::palette::{FAULT, GREY, GRID, INK, Look, WARMUP};
use crate::experiment::results::{FaultDescription, ScenarioResults};
use crate::report::directory::File;
use crate::report::summary::replications;
use crate::time::Timestamp;

/// Width of a page.
pub const WIDTH: f64 = 960.0;
/// Where panels may begin below title and subtitle.
pub const TOP: f64 = 74.0;
/// Where the legend begins; panels end before it.
pub const LEGEND: f64 = 752.0;
/// Size of the texts at axes and in legends.
pub const TEXT: Font = Font::new(12.0);

/// A chart file: `charts/NAME.svg`, with a title that says what is shown.
pub fn page(
    results: &ScenarioResults,
    name: &str,
    title: &str,
    height: f64,
    paint: impl FnOnce(&mut Canvas),
) -> File {
    let subtitle = subtitle(results);
    let content = draw((WIDTH, height), &format!("{title}; {subtitle}"), |canvas| {
        canvas.text(title, (20.0, 24.0), Font::new(17.0).bold());
        canvas.text(&subtitle, (20.0, 47.0), TEXT.colour(GREY));
        paint(canvas);
    });
    File {
        path: format!("charts/{name}.svg"),
        content,
    }
}

fn subtitle(results: &ScenarioResults) -> String {
    let about = &results.description;
    let finished = replications(results);
    let plural = if finished == 1 { "" } else { "s" };
    let mut text = format!("Scenario {}, {finished} replication{plural}", about.name);
    if results.interrupted {
        text += &format!(" of {} (interrupted)", about.replications);
    }
    text + &format!(" of {}", about.duration)
}

/// Room for data, with an axis each way.
pub struct Panel {
    /// Upper left corner.
    pub from: Point,
    /// Lower right corner.
    pub to: Point,
    /// Left to right.
    pub x: Axis,
    /// Bottom to top.
    pub y: Axis,
}

impl Panel {
    /// The pixel of a value; outside of the axes, the nearest within.
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> Point {
        (self.at_x(x), self.at_y(y))
    }

    /// Left to right.
    #[must_use]
    pub fn at_x(&self, x: f64) -> f64 {
        self.from.0 + (self.to.0 - self.from.0) * self.x.place(x)
    }

    /// Top to bottom.
    #[must_use]
    pub fn at_y(&self, y: f64) -> f64 {
        self.to.1 - (self.to.1 - self.from.1) * self.y.place(y)
    }

    /// Grid lines, ticks and labels of both axes.
    pub fn grid(&self, canvas: &mut Canvas) {
        self.grid_x(canvas);
        self.grid_y(canvas);
        let middle = f64::midpoint(self.from.0, self.to.0);
        let below = (middle, self.to.1 + 36.0);
        canvas.text(&self.x.label, below, TEXT.anchor(Anchor::Middle));
        let left = (self.from.0 - 52.0, f64::midpoint(self.from.1, self.to.1));
        canvas.text(&self.y.label, left, TEXT.anchor(Anchor::Upwards));
    }

    /// Vertical lines and their texts, without the label.
    pub fn grid_x(&self, canvas: &mut Canvas) {
        let mut free_from = f64::NEG_INFINITY;
        for (value, text) in &self.x.ticks {
            let x = self.at_x(*value);
            canvas.line(&[(x, self.from.1), (x, self.to.1)], 0.8, GRID);
            // Ticks of a logarithmic axis crowd towards the end of a decade.
            let half = TEXT.width(text) / 2.0;
            if x - half > free_from {
                canvas.text(text, (x, self.to.1 + 15.0), TEXT.anchor(Anchor::Middle));
                free_from = x + half + 4.0;
            }
        }
        canvas.line(&[(self.from.0, self.to.1), self.to], 1.0, INK);
    }

    /// Horizontal lines and their texts, without the label.
    pub fn grid_y(&self, canvas: &mut Canvas) {
        let mut free_below = f64::INFINITY;
        for (value, text) in &self.y.ticks {
            let y = self.at_y(*value);
            canvas.line(&[(self.from.0, y), (self.to.0, y)], 0.8, GRID);
            if y + 7.0 < free_below {
                canvas.text(text, (self.from.0 - 7.0, y), TEXT.anchor(Anchor::End));
                free_below = y - 7.0;
            }
        }
    }

    /// A line in the look of an arm, with a few markers; breaks where a value is not a number.
    /// `nth` staggers the markers of different arms.
    pub fn series(&self, canvas: &mut Canvas, look: Look, nth: usize, values: &[Point]) {
        for run in values.split(|(x, y)| !x.is_finite() || !y.is_finite()) {
            let points = self.thinned(run);
            match look.dash {
                None => canvas.line(&points, 1.8, look.colour),
                Some(dash) => canvas.dashed(&points, 1.8, look.colour, dash),
            }
            self.markers(canvas, look, nth, &points);
        }
    }

    fn markers(&self, canvas: &mut Canvas, look: Look, nth: usize, points: &[Point]) {
        const APART: f64 = 130.0;
        let [first, .., last] = points else {
            for &point in points {
                canvas.marker(look.marker, point, 3.4, look.colour);
            }
            return;
        };
        let offset = (nth as f64 * 0.618_034).fract() * APART;
        let mut next = self.from.0 + offset;
        while next < first.0 {
            next += APART;
        }
        while next <= last.0 {
            if let Some(point) = points.iter().find(|point| point.0 >= next) {
                canvas.marker(look.marker, *point, 3.8, look.colour);
            }
            next += APART;
        }
    }

    /// The points in pixels, without those that would fall on their predecessor.
    fn thinned(&self, values: &[Point]) -> Vec<Point> {
        let mut points: Vec<Point> = Vec::new();
        for (at, &(x, y)) in values.iter().enumerate() {
            let point = self.at(x, y);
            let moved = points.last().is_none_or(|last| {
                libm::fabs(point.0 - last.0) + libm::fabs(point.1 - last.1) > 0.7
            });
            if moved || at + 1 == values.len() {
                points.push(point);
            }
        }
        points
    }

    /// Shades scheduled faults and the warm-up; time must run left to right.
    pub fn shade(&self, canvas: &mut Canvas, results: &ScenarioResults) {
        let about = &results.description;
        let mut band = |start: Timestamp, end: Timestamp, colour| {
            let (from, to) = self.span(start, end);
            canvas.rectangle((from, self.from.1), (to, self.to.1), colour, 1.0);
        };
        band(Timestamp::ZERO, Timestamp::ZERO + about.warmup, WARMUP);
        for fault in &about.faults {
            band(fault.start, fault.end, FAULT);
        }
    }

    fn span(&self, start: Timestamp, end: Timestamp) -> (f64, f64) {
        let from = self.at_x(start.as_secs_f64());
        let to = self.at_x(end.as_secs_f64());
        (from, if end > start { to.max(from + 1.0) } else { to })
    }

    /// A strip above the panel that names the faults. Faults of one name share a row.
    pub fn name_faults(&self, canvas: &mut Canvas, faults: &[FaultDescription]) {
        for (row, name) in fault_rows(faults).iter().enumerate() {
            let y = self.from.1 - 8.0 - FAULT_ROW * row as f64;
            let mut end = self.from.0;
            for fault in faults
                .iter()
                .filter(|fault| row_name(faults, fault) == *name)
            {
                let (from, to) = self.span(fault.start, fault.end);
                canvas.rectangle((from, y - 4.0), (to, y + 4.0), FAULT.mix(INK, 0.25), 1.0);
                end = end.max(to);
            }
            let font = Font::new(11.0).colour(GREY);
            let start = faults
                .iter()
                .filter(|fault| row_name(faults, fault) == *name);
            let start = start.map(|fault| self.span(fault.start, fault.end).0);
            let start = start.fold(f64::INFINITY, f64::min);
            if end + 6.0 + font.width(name) < WIDTH - 10.0 {
                canvas.text(name, (end + 6.0, y), font);
            } else {
                canvas.text(name, (start - 6.0, y), font.anchor(Anchor::End));
            }
        }
    }
}

const FAULT_ROW: f64 = 13.0;
const MOST_FAULT_ROWS: usize = 4;
const OTHER_FAULTS: &str = "other faults";

/// Height that [`Panel::name_faults`] takes above a panel.
#[must_use]
pub fn fault_height(results: &ScenarioResults) -> f64 {
    FAULT_ROW * fault_rows(&results.description.faults).len() as f64
}

fn fault_rows(faults: &[FaultDescription]) -> Vec<&str> {
    let mut rows: Vec<&str> = Vec::new();
    for fault in faults {
        let name = row_name(faults, fault);
        if !rows.contains(&name) {
            rows.push(name);
        }
    }
    rows
}

/// The name under which a fault is shown: its own, or that of the rest where there are many.
fn row_name<'a>(faults: &'a [FaultDescription], fault: &FaultDescription) -> &'a str {
    let mut names: Vec<&str> = Vec::new();
    for fault in faults {
        if !names.contains(&fault.name.as_str()) && names.len() <= MOST_FAULT_ROWS {
            names.push(&fault.name);
        }
    }
    let shown = if names.len() > MOST_FAULT_ROWS {
        MOST_FAULT_ROWS - 1
    } else {
        names.len()
    };
    let own = names[..shown].iter().find(|name| **name == fault.name);
    own.copied().unwrap_or(OTHER_FAULTS)
}

/// Names of the arms with their lines and markers, from a height on.
pub fn legend(canvas: &mut Canvas, results: &ScenarioResults, looks: &[Look], top: f64) {
    for (row, (arm, look)) in results.strategies.iter().zip(looks).enumerate() {
        let y = top + 8.0 + 20.0 * row as f64;
        let line = [(LEGEND, y), (LEGEND + 26.0, y)];
        match look.dash {
            None => canvas.line(&line, 1.8, look.colour),
            Some(dash) => canvas.dashed(&line, 1.8, look.colour, dash),
        }
        canvas.marker(look.marker, (LEGEND + 13.0, y), 3.8, look.colour);
        canvas.text(&fitted(&arm.name, 24), (LEGEND + 34.0, y), TEXT);
    }
}

/// Height that a page of one panel needs for its legend.
#[must_use]
pub fn legend_height(results: &ScenarioResults) -> f64 {
    20.0 * results.strategies.len() as f64
}

/// A text cut to a number of characters.
#[must_use]
pub fn fitted(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
