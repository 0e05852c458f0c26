//! What speed costs: cost per 1,000 successes against P99 latency, with the Pareto front.
//!
//! P99 is over all requests and cost per success, so that neither axis rewards failing. A strategy
//! is on the front if no other is at least as good in both means and better in one; crosses show
//! the 95 % intervals, and where they overlap the front is not certain.

use super::axis::{Axis, extent};
use super::canvas::{Anchor, Canvas, Font, Point};
use super::frame::{
    ALL_REQUESTS, LEGEND, Panel, TEXT, TOP, fitted, legend, legend_height, note, page,
};
use super::palette::{GREY, Look, looks};
use crate::experiment::metric::Metric;
use crate::experiment::results::ScenarioResults;
use crate::report::directory::File;
use crate::report::summary::metric;
use crate::stats::mean::Estimate;

const BOTTOM: f64 = 460.0;

/// One strategy in the plane.
struct Spot<'a> {
    name: &'a str,
    look: Look,
    p99: Estimate,
    cost: Estimate,
}

/// The chart.
pub fn file(results: &ScenarioResults) -> File {
    let looks = looks(results);
    let spots: Vec<Spot> = results
        .strategies
        .iter()
        .zip(&looks)
        .filter_map(|(arm, look)| {
            Some(Spot {
                name: &arm.name,
                look: *look,
                p99: metric(arm, Metric::LatencyP99All)?,
                cost: metric(arm, Metric::CostPer1kSuccesses)?,
            })
        })
        .collect();
    let panel = Panel {
        from: (88.0, TOP + 10.0),
        to: (LEGEND - 30.0, BOTTOM),
        x: axis(
            "P99 latency of all requests, s",
            spots.iter().map(|s| s.p99),
        ),
        y: axis("cost per 1,000 successes, $", spots.iter().map(|s| s.cost)),
    };
    let height = (BOTTOM + 78.0).max(TOP + 100.0 + legend_height(results));
    let title = "Cost against P99 latency: lower left is better";
    page(results, "cost_latency", title, height, |canvas| {
        panel.grid(canvas);
        paint_front(canvas, &panel, &spots);
        spots
            .iter()
            .for_each(|spot| paint_spot(canvas, &panel, spot));
        paint_names(canvas, &panel, &spots);
        if spots.is_empty() {
            let middle = f64::midpoint(panel.from.0, panel.to.0);
            let note = "nothing to show: no successful request, or no request at all";
            let font = TEXT.colour(GREY).anchor(Anchor::Middle);
            canvas.text(note, (middle, 250.0), font);
        }
        legend(canvas, results, &looks, panel.from.1);
        note(canvas, ALL_REQUESTS, BOTTOM + 60.0);
        key(canvas, panel.from.1 + legend_height(results) + 24.0);
    })
}

fn axis(label: &str, estimates: impl Iterator<Item = Estimate>) -> Axis {
    let ends = estimates.flat_map(|e| {
        let interval = e.interval.map(|i| [i.low, i.high]);
        interval.into_iter().flatten().chain([e.mean])
    });
    let (low, high) = extent(ends).unwrap_or((0.0, 1.0));
    let margin = ((high - low) * 0.04).max(high.abs() * 0.01);
    Axis::linear(label, (low - margin).max(0.0), high + margin)
}

fn paint_spot(canvas: &mut Canvas, panel: &Panel, spot: &Spot) {
    let (p99, cost) = (spot.p99.mean, spot.cost.mean);
    let pale = spot.look.colour;
    if let Some(i) = spot.p99.interval {
        canvas.line(&[panel.at(i.low, cost), panel.at(i.high, cost)], 1.0, pale);
    }
    if let Some(i) = spot.cost.interval {
        canvas.line(&[panel.at(p99, i.low), panel.at(p99, i.high)], 1.0, pale);
    }
    spot.look
        .marker
        .draw(canvas, panel.at(p99, cost), 6.0, spot.look.colour);
}

/// Names beside the points, where there is room; the legend has them all.
fn paint_names(canvas: &mut Canvas, panel: &Panel, spots: &[Spot]) {
    const HALF: f64 = 7.0;
    let font = Font::new(11.0);
    let place = |spot: &Spot| panel.at(spot.p99.mean, spot.cost.mean);
    let around = |(x, y): Point| ((x - HALF, y - HALF), (x + HALF, y + HALF));
    let mut taken: Vec<(Point, Point)> = spots.iter().map(|s| around(place(s))).collect();
    for spot in spots {
        let (x, y) = place(spot);
        let name = fitted(spot.name, 24);
        let width = font.width(&name);
        let lefts = [(x + 10.0, y - 9.0), (x + 10.0, y + 9.0)];
        let rights = [(x - 10.0 - width, y - 9.0), (x - 10.0 - width, y + 9.0)];
        let free = lefts.into_iter().chain(rights).find(|&(left, middle)| {
            let own = ((left, middle - HALF), (left + width, middle + HALF));
            let inside = own.0.0 > panel.from.0
                && own.1.0 < panel.to.0
                && own.0.1 > panel.from.1
                && own.1.1 < panel.to.1;
            inside && !taken.iter().any(|other| overlap(own, *other))
        });
        if let Some((left, middle)) = free {
            taken.push(((left, middle - HALF), (left + width, middle + HALF)));
            canvas.text(&name, (left, middle), font.colour(GREY));
        }
    }
}

/// Whether two rectangles, upper left and lower right, share a point.
fn overlap(a: (Point, Point), b: (Point, Point)) -> bool {
    a.0.0 < b.1.0 && b.0.0 < a.1.0 && a.0.1 < b.1.1 && b.0.1 < a.1.1
}

/// Steps along the front: each corner is the best that two neighbours guarantee.
fn paint_front(canvas: &mut Canvas, panel: &Panel, spots: &[Spot]) {
    let means = spots.iter().map(|s| (s.p99.mean, s.cost.mean));
    let mut steps: Vec<Point> = Vec::new();
    for (p99, cost) in front(means.collect()) {
        let (x, y) = panel.at(p99, cost);
        let from = steps.last().map_or(panel.from.1, |last| last.1);
        steps.extend([(x, from), (x, y)]);
    }
    if let Some(&(_, y)) = steps.last() {
        steps.push((panel.to.0, y));
        canvas.dashed(&steps, 1.2, GREY, 5.0);
    }
}

/// The points that no other beats, from left to right.
fn front(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut front: Vec<Point> = Vec::new();
    for point in points {
        if front.last().is_none_or(|last| point.1 < last.1) {
            front.push(point);
        }
    }
    front
}

fn key(canvas: &mut Canvas, y: f64) {
    canvas.dashed(&[(LEGEND, y), (LEGEND + 26.0, y)], 1.2, GREY, 5.0);
    let small = Font::new(11.0).colour(GREY);
    canvas.text("Pareto front of the means", (LEGEND + 34.0, y), small);
    canvas.line(&[(LEGEND, y + 18.0), (LEGEND + 26.0, y + 18.0)], 1.0, GREY);
    canvas.line(
        &[(LEGEND + 13.0, y + 11.0), (LEGEND + 13.0, y + 25.0)],
        1.0,
        GREY,
    );
    canvas.text("95 % intervals", (LEGEND + 34.0, y + 18.0), small);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_front_is_what_the_definition_says(
            points in proptest::collection::vec((0..9u8, 0..9u8), 0..12),
        ) {
            let points: Vec<Point> = points
                .into_iter()
                .map(|(x, y)| (f64::from(x), f64::from(y)))
                .collect();
            let front = front(points.clone());
            for point in &points {
                let beats = |p: &Point| p.0 <= point.0 && p.1 <= point.1 && p != point;
                let beaten = points.iter().any(beats);
                prop_assert_eq!(front.contains(point), !beaten);
            }
        }
    }
}
