//! `decision.svg`: P99 over the size of the pool, a panel for each number of threads, and the
//! claimed millisecond.

use super::page;
use super::table::{distinct, short};
use crate::experiment::decision::{CLAIMED, DecisionCell, DecisionResults};
use crate::record::Strategy;
use crate::report::charts::axis::{Axis, extent};
use crate::report::charts::canvas::{Anchor, Canvas, Font};
use crate::report::charts::frame::{LEGEND, Panel, TEXT, TOP, legend_of, note, sheet};
use crate::report::charts::palette::{LOSS, Look, looks_of};
use crate::report::directory::File;

const HEIGHT: f64 = 200.0;
const GAP: f64 = 74.0;

pub(super) fn file(results: &DecisionResults) -> File {
    let threads = distinct(results, |cell| cell.threads);
    let mut strategies: Vec<Strategy> = results.cells.iter().map(|cell| cell.strategy).collect();
    strategies.dedup();
    let looks = looks_of(strategies.iter().copied());
    let lines = threads.len().div_ceil(2) as f64;
    let bottom = TOP + 20.0 + lines * (HEIGHT + GAP);
    let height = bottom.max(TOP + 40.0 + 20.0 * strategies.len() as f64) + 24.0;
    let subtitle = "99th percentile of the time that a decision takes, waiting for the balancer \
                    included";
    let titles = ("What a routing decision costs", subtitle);
    sheet("decision", titles, height, |canvas| {
        for (nth, &threads) in threads.iter().enumerate() {
            let panel = panel(results, nth);
            panel.grid(canvas);
            heading(canvas, &panel, threads);
            claim(canvas, &panel);
            for (strategy, look) in strategies.iter().zip(&looks) {
                line(canvas, &panel, results, (*strategy, threads), *look);
            }
        }
        let names = strategies.iter().map(|strategy| strategy.name());
        legend_of(canvas, names.zip(looks.iter().copied()), TOP + 20.0);
        let bars = "Medians over rounds; bars: 95 % intervals. Threads share one balancer behind \
                    a mutex, without pause.";
        note(canvas, bars, height - 18.0);
    })
}

fn panel(results: &DecisionResults, nth: usize) -> Panel {
    let width = (LEGEND - 20.0 - 66.0) / 2.0 - 46.0;
    let left = 66.0 + (nth % 2) as f64 * (width + 66.0);
    let top = TOP + 20.0 + (nth / 2) as f64 * (HEIGHT + GAP);
    let pools = distinct(results, |cell| cell.accounts);
    let ticks = pools.iter().map(|&pool| (pool as f64, short(pool)));
    let each = results.cells.iter().filter_map(|cell| cell.quantile(0.99));
    let micros = each.map(|p99| p99.median * 1e6);
    let (low, high) = extent(micros).unwrap_or((0.1, 10.0));
    let high = high.max(CLAIMED.as_secs_f64() * 1e6);
    let label = if nth.is_multiple_of(2) {
        "P99, µs"
    } else {
        ""
    };
    Panel {
        from: (left, top),
        to: (left + width, top + HEIGHT),
        x: Axis::of_values("accounts in the pool", ticks.collect()),
        y: Axis::log(label, low * 0.7, high * 1.5),
    }
}

fn heading(canvas: &mut Canvas, panel: &Panel, threads: usize) {
    let middle = f64::midpoint(panel.from.0, panel.to.0);
    let at = (middle, panel.from.1 - 10.0);
    canvas.text(
        &page::threads(threads),
        at,
        TEXT.bold().anchor(Anchor::Middle),
    );
}

fn claim(canvas: &mut Canvas, panel: &Panel) {
    let y = panel.at_y(CLAIMED.as_secs_f64() * 1e6);
    canvas.dashed(&[(panel.from.0, y), (panel.to.0, y)], 1.4, LOSS, 5.0);
    let font = Font::new(11.0).colour(LOSS).anchor(Anchor::Start);
    canvas.text("claimed: below 1 ms", (panel.from.0 + 6.0, y + 10.0), font);
}

fn line(
    canvas: &mut Canvas,
    panel: &Panel,
    results: &DecisionResults,
    (strategy, threads): (Strategy, usize),
    look: Look,
) {
    let cells = results.cells.iter();
    let mut cells: Vec<&DecisionCell> = cells
        .filter(|cell| cell.strategy == strategy && cell.threads == threads)
        .collect();
    cells.sort_by_key(|cell| cell.accounts);
    let known = cells.iter().filter_map(|cell| {
        let p99 = cell.quantile(0.99)?;
        Some((
            panel.at(cell.accounts as f64, p99.median * 1e6),
            p99.interval,
        ))
    });
    let known: Vec<_> = known.collect();
    let points: Vec<_> = known.iter().map(|(point, _)| *point).collect();
    canvas.line(&points, 1.6, look.colour);
    for (point, interval) in known {
        if let Some(interval) = interval {
            let ends = [interval.low, interval.high].map(|end| (point.0, panel.at_y(end * 1e6)));
            canvas.line(&ends, 1.2, look.colour);
        }
        look.marker.draw(canvas, point, 3.6, look.colour);
    }
}
