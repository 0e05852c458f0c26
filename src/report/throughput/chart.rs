//! `charts/throughput.svg`: latency on both ways, and what the gateway adds, over the rate.

use super::table::NAMES;
use crate::experiment::throughput::{QUANTILES, RateCell, Throughput, Way};
use crate::record::Strategy;
use crate::report::charts::axis::{Axis, extent};
use crate::report::charts::canvas::{Canvas, Point};
use crate::report::charts::frame::{LEGEND, Panel, TOP, legend_of, note, sheet};
use crate::report::charts::palette::looks_of;
use crate::report::directory::File;
use crate::report::number::derived;
use crate::stats::order::Median;

const BOTTOM: f64 = 400.0;
/// What is added may be nothing, or less by chance; a logarithmic axis begins here, in ms.
const LEAST: f64 = 0.01;

pub(super) fn file(results: &Throughput) -> File {
    let title = format!("{}: what the gateway adds to a request", results.scenario);
    let subtitle = "Medians over rounds, bars: 95 % intervals; providers, gateway and generator \
                    share one machine";
    sheet("throughput", (&title, subtitle), BOTTOM + 78.0, |canvas| {
        let middle = LEGEND / 2.0;
        let direct = |cell: &RateCell, nth| cell.latency(Way::Gateway, nth);
        let added = |cell: &RateCell, nth| cell.added(nth);
        let texts = ["latency through the gateway, ms", "added latency, ms"];
        paint(canvas, results, (66.0, middle - 40.0), texts[0], &direct);
        paint(
            canvas,
            results,
            (middle + 36.0, LEGEND - 30.0),
            texts[1],
            &added,
        );
        let looks = looks_of(Strategy::ALL.iter().copied());
        legend_of(canvas, NAMES.into_iter().zip(looks), TOP + 10.0);
        let text = "What is added by 0.01 ms or less is drawn at \
                    0.01 ms.";
        note(canvas, text, BOTTOM + 60.0);
    })
}

type Value<'a> = &'a dyn Fn(&RateCell, usize) -> Option<Median>;

fn paint(canvas: &mut Canvas, results: &Throughput, sides: (f64, f64), label: &str, of: Value) {
    let millis = |seconds: f64| (seconds * 1e3).max(LEAST);
    let values = results
        .cells
        .iter()
        .flat_map(|cell| (0..QUANTILES.len()).filter_map(move |nth| Some(of(cell, nth)?.median)));
    let (low, high) = extent(values.map(millis)).unwrap_or((LEAST, 1.0));
    let rates: Vec<(f64, String)> = results
        .cells
        .iter()
        .map(|cell| (cell.rps, derived(cell.rps)))
        .collect();
    let panel = Panel {
        from: (sides.0, TOP + 10.0),
        to: (sides.1, BOTTOM),
        x: Axis::of_values("requests per second", rates),
        y: Axis::log(label, low * 0.8, high * 1.25),
    };
    panel.grid(canvas);
    let looks = looks_of(Strategy::ALL.iter().copied());
    for (nth, look) in (0..QUANTILES.len()).zip(looks) {
        let mut points: Vec<Point> = vec![];
        for cell in &results.cells {
            let Some(found) = of(cell, nth) else { continue };
            let x = cell.rps;
            points.push((x, millis(found.median)));
            if let Some(interval) = found.interval {
                let [from, to] = [interval.low, interval.high].map(|end| panel.at(x, millis(end)));
                canvas.line(&[from, to], 1.6, look.colour);
            }
        }
        panel.series(canvas, look, nth, &points);
        for point in points {
            look.marker
                .draw(canvas, panel.at(point.0, point.1), 3.6, look.colour);
        }
    }
}
