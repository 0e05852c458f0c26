//! What all charts share: page with title and subtitle, panels with grid and axes, legend.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Font, Point, draw};
use super::palette::{GREY, GRID, INK, Look};
use crate::experiment::results::ScenarioResults;
use crate::report::directory::File;
use crate::report::number::human;
use crate::report::summary::replications;

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
    sheet(name, (title, &subtitle(results)), height, paint)
}

/// A chart file with a title and a subtitle.
pub fn sheet(
    name: &str,
    (title, subtitle): (&str, &str),
    height: f64,
    paint: impl FnOnce(&mut Canvas),
) -> File {
    let content = draw((WIDTH, height), &format!("{title}; {subtitle}"), |canvas| {
        canvas.text(title, (20.0, 24.0), Font::new(17.0).bold());
        canvas.text(subtitle, (20.0, 47.0), TEXT.colour(GREY));
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
    text + &format!(" of {}", human(about.duration))
}

/// What every latency over all requests means.
pub const ALL_REQUESTS: &str = "A failed request counts at the time it took or the deadline, \
                                whichever is longer.";

/// A note below the panels.
pub fn note(canvas: &mut Canvas, text: &str, y: f64) {
    canvas.text(text, (20.0, y), Font::new(11.0).colour(GREY));
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
        for (value, _) in &self.x.ticks {
            let x = self.at_x(*value);
            canvas.line(&[(x, self.from.1), (x, self.to.1)], 0.8, GRID);
        }
        let mut free_from = f64::NEG_INFINITY;
        for (value, text) in &self.x.ticks {
            let x = self.at_x(*value);
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
        for (value, _) in &self.y.ticks {
            let y = self.at_y(*value);
            canvas.line(&[(self.from.0, y), (self.to.0, y)], 0.8, GRID);
        }
        let mut free_below = f64::INFINITY;
        for (value, text) in &self.y.ticks {
            let y = self.at_y(*value);
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
                look.marker.draw(canvas, point, 3.4, look.colour);
            }
            return;
        };
        let offset = (nth as f64 * 0.618_034).fract() * APART;
        let mut next = self.from.0 + offset;
        while next < first.0 {
            next += APART;
        }
        while next <= last.0 {
            let end = points.iter().position(|point| point.0 >= next).unwrap_or(0);
            let ((x, y), (to_x, to_y)) = (points[end.saturating_sub(1)], points[end]);
            let share = if to_x > x {
                (next - x) / (to_x - x)
            } else {
                1.0
            };
            let point = (x + (to_x - x) * share, y + (to_y - y) * share);
            look.marker.draw(canvas, point, 3.8, look.colour);
            next += APART;
        }
    }

    /// The points in pixels, without those that would fall on their predecessor, or on the line
    /// through their neighbours.
    fn thinned(&self, values: &[Point]) -> Vec<Point> {
        let mut points: Vec<Point> = Vec::new();
        for (at, &(x, y)) in values.iter().enumerate() {
            let point = self.at(x, y);
            let moved = points.last().is_none_or(|last| {
                libm::fabs(point.0 - last.0) + libm::fabs(point.1 - last.1) > 1.0
            });
            if moved || at + 1 == values.len() {
                points.push(point);
            }
        }
        straightened(&points)
    }
}

/// Leaves out points that lie within a quarter of a pixel of the line without them (Douglas and
/// Peucker 1973): a smooth curve keeps a tenth of its points, and looks the same.
#[must_use]
pub fn straightened(points: &[Point]) -> Vec<Point> {
    const TOLERANCE: f64 = 0.25;
    let mut kept = vec![false; points.len()];
    let mut spans = vec![(0, points.len().saturating_sub(1))];
    while let Some((from, to)) = spans.pop() {
        for end in [from, to] {
            if let Some(kept) = kept.get_mut(end) {
                *kept = true;
            }
        }
        let between = (from + 1..to).map(|at| (distance(points[at], points[from], points[to]), at));
        if let Some((away, at)) = between.max_by(|a, b| a.0.total_cmp(&b.0))
            && away > TOLERANCE
        {
            spans.extend([(from, at), (at, to)]);
        }
    }
    let kept = points.iter().zip(kept).filter(|(_, kept)| *kept);
    kept.map(|(point, _)| *point).collect()
}

/// How far a point lies from the line through two others.
fn distance(point: Point, from: Point, to: Point) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (x, y) = (point.0 - from.0, point.1 - from.1);
    let length = libm::hypot(dx, dy);
    if length == 0.0 {
        return libm::hypot(x, y);
    }
    libm::fabs(dx * y - dy * x) / length
}

/// Names of the arms with their lines and markers, from a height on.
pub fn legend(canvas: &mut Canvas, results: &ScenarioResults, looks: &[Look], top: f64) {
    let names = results.strategies.iter().map(|arm| arm.name.as_str());
    legend_of(canvas, names.zip(looks.iter().copied()), top);
}

/// Names with their lines and markers, from a height on.
pub fn legend_of<'a>(
    canvas: &mut Canvas,
    entries: impl Iterator<Item = (&'a str, Look)>,
    top: f64,
) {
    for (row, (name, look)) in entries.enumerate() {
        let y = top + 8.0 + 20.0 * row as f64;
        let line = [(LEGEND, y), (LEGEND + 26.0, y)];
        match look.dash {
            None => canvas.line(&line, 1.8, look.colour),
            Some(dash) => canvas.dashed(&line, 1.8, look.colour, dash),
        }
        look.marker
            .draw(canvas, (LEGEND + 13.0, y), 3.8, look.colour);
        canvas.text(&fitted(name, 24), (LEGEND + 34.0, y), TEXT);
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_straight_line_needs_its_ends_only() {
        let line: Vec<Point> = (0..50)
            .map(|x| (f64::from(x), 3.0 * f64::from(x)))
            .collect();
        assert_eq!(straightened(&line), [line[0], line[49]]);
        assert_eq!(straightened(&[]), []);
        assert_eq!(straightened(&[(1.0, 2.0)]), [(1.0, 2.0)]);
    }

    proptest! {
        #[test]
        fn no_point_moves_by_more_than_the_tolerance(
            heights in proptest::collection::vec(0.0..9.0f64, 2..60),
        ) {
            let points = heights.iter().enumerate().map(|(x, y)| (x as f64, *y));
            let points: Vec<Point> = points.collect();
            let kept = straightened(&points);
            prop_assert_eq!((kept[0], kept[kept.len() - 1]), (points[0], points[points.len() - 1]));
            for point in &points {
                let end = kept.iter().position(|k| k.0 >= point.0).unwrap().max(1);
                let away = distance(*point, kept[end - 1], kept[end]);
                prop_assert!(away <= 0.25 + 1e-9, "{point:?} {away}");
            }
        }
    }
}
