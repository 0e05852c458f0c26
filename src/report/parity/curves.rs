//! `charts/latency.svg`: the distribution of latency in both worlds, a panel per strategy.

use crate::experiment::parity::{ArmParity, LEVELS, Parity};
use crate::report::charts::axis::{Axis, extent};
use crate::report::charts::canvas::{Canvas, Font};
use crate::report::charts::frame::{Panel, TEXT, TOP, WIDTH, fitted, note, sheet};
use crate::report::charts::palette::{GREY, INK, LOSS};
use crate::report::directory::File;

const COLUMNS: usize = 3;
const HEIGHT: f64 = 250.0;
const GAP: f64 = 66.0;

pub(super) fn file(parity: &Parity) -> File {
    let rows = parity.arms.len().div_ceil(COLUMNS).max(1);
    let bottom = TOP + rows as f64 * (HEIGHT + GAP);
    let title = format!(
        "{}: latency of all requests, in both worlds",
        parity.scenario
    );
    let subtitle = "Share of requests done within a time, %; red dashes: measured over sockets, \
                    overhead included; black: simulated";
    sheet("latency", (&title, subtitle), bottom + 34.0, |canvas| {
        for (nth, arm) in parity.arms.iter().enumerate() {
            let width = (WIDTH - 50.0) / COLUMNS as f64;
            let left = 56.0 + width * (nth % COLUMNS) as f64;
            let top = TOP + 22.0 + (HEIGHT + GAP) * (nth / COLUMNS) as f64;
            let from = (left, top);
            panel(canvas, arm, from, (left + width - GAP, top + HEIGHT - 20.0));
        }
        let text = "x: seconds, log scale. A failed request counts at the time it took or the \
                    deadline, whichever is longer.";
        note(canvas, text, bottom + 16.0);
    })
}

fn panel(canvas: &mut Canvas, arm: &ArmParity, from: (f64, f64), to: (f64, f64)) {
    let worlds = arm.quantiles.iter().flat_map(|(one, other)| [*one, *other]);
    let (low, high) = extent(worlds.filter(|seconds| *seconds > 0.0)).unwrap_or((0.1, 10.0));
    let panel = Panel {
        from,
        to,
        x: Axis::log("", low, high * 1.05),
        y: Axis::linear("", 0.0, 100.0),
    };
    panel.grid_x(canvas);
    panel.grid_y(canvas);
    let name = (from.0, from.1 - 10.0);
    canvas.text(
        &fitted(&arm.name, 30),
        name,
        Font::new(12.0).bold().colour(INK),
    );
    let points = |world: fn(&(f64, f64)) -> f64| {
        let values = LEVELS.zip(&arm.quantiles);
        let points = values.map(|(level, pair)| (world(pair), f64::from(level) / 10.0));
        let shown = points.filter(|(seconds, _)| *seconds > 0.0);
        shown.map(|(x, y)| panel.at(x, y)).collect::<Vec<_>>()
    };
    let simulated = points(|pair| pair.0);
    if simulated.is_empty() {
        canvas.text(
            "no request took time",
            panel.at(low, 50.0),
            TEXT.colour(GREY),
        );
        return;
    }
    canvas.line(&simulated, 1.8, INK);
    canvas.dashed(&points(|pair| pair.1), 1.8, LOSS, 6.0);
}
