//! `charts/claims.svg`: the relative effects with their intervals, a row per scenario and a column
//! per relative claim, the claimed band shaded.

use super::Claims;
use super::words::name;
use crate::experiment::claim::{Amount, Relation};
use crate::experiment::verdict::Judgement;
use crate::report::charts::axis::{Axis, extent};
use crate::report::charts::canvas::{Anchor, Canvas, Font};
use crate::report::charts::frame::{Panel, TEXT, TOP, WIDTH, fitted, sheet};
use crate::report::charts::palette::{GAIN, GREY, INK, LOSS};
use crate::report::directory::File;

const ROW: f64 = 22.0;
const LEFT: f64 = 190.0;
const GAP: f64 = 38.0;

pub(super) fn file(all: &Claims) -> File {
    let bottom = TOP + 40.0 + ROW * all.campaigns.len().max(1) as f64;
    let title = match all.interrupted() {
        true => "Effects of `smart`, and the claimed bands (interrupted)",
        false => "Effects of `smart`, and the claimed bands",
    };
    let subtitle = "Per cent of the baseline, intervals at the level of the verdict; shaded: \
                    claimed; blue: confirmed, red: refuted, grey: neither";
    sheet("claims", (title, subtitle), bottom + 40.0, |canvas| {
        for (row, campaign) in all.campaigns.iter().enumerate() {
            canvas.text(&fitted(name(campaign), 24), (20.0, middle(row)), TEXT);
        }
        let relative = all.claims.iter().enumerate().filter_map(|(at, product)| {
            match product.claim.relation {
                Relation::IncreasesByAtLeast(Amount::Relative(least)) => {
                    Some((at, [least, product.claim.up_to?.number()]))
                }
                Relation::ReducesByAtLeast(Amount::Relative(least)) => {
                    Some((at, [-product.claim.up_to?.number(), -least]))
                }
                _ => None,
            }
        });
        let columns: Vec<(usize, [f64; 2])> = relative.collect();
        let width = (WIDTH - 20.0 - LEFT) / columns.len().max(1) as f64;
        for (number, (at, band)) in columns.iter().enumerate() {
            let left = LEFT + width * number as f64;
            let place = (left, left + width - GAP, bottom);
            column(canvas, all, *at, band.map(|end| end * 100.0), place);
        }
    })
}

fn middle(row: usize) -> f64 {
    TOP + 40.0 + ROW * (row as f64 + 0.5)
}

fn column(
    canvas: &mut Canvas,
    all: &Claims,
    at: usize,
    band: [f64; 2],
    (left, right, bottom): (f64, f64, f64),
) {
    let judged: Vec<&Judgement> = all
        .campaigns
        .iter()
        .map(|one| &one.judgements[at])
        .collect();
    let centres = judged
        .iter()
        .filter_map(|one| Some(100.0 * one.effect?.relative?.change));
    let (low, high) = extent(centres.chain(band).chain([0.0])).unwrap_or((-1.0, 1.0));
    // One effect of some hundred per cent must not press all the others together.
    let margin = (high - low) * 0.05;
    let panel = Panel {
        from: (left, TOP + 36.0),
        to: (right, bottom),
        x: Axis::linear("", (low - margin).max(-100.0), (high + margin).min(150.0)),
        y: Axis::linear("", 0.0, 1.0),
    };
    let clamp = |value: f64| panel.at_x(value).clamp(panel.from.0, panel.to.0);
    let shade = ((clamp(band[0]), panel.from.1), (clamp(band[1]), panel.to.1));
    canvas.rectangle(shade.0, shade.1, GAIN, 0.18);
    panel.grid_x(canvas);
    let zero = clamp(0.0);
    canvas.line(&[(zero, panel.from.1), (zero, panel.to.1)], 1.2, INK);
    let centre = f64::midpoint(left, right);
    let claim = &all.claims[at].claim;
    let font = Font::new(11.0).bold().anchor(Anchor::Middle);
    canvas.text(claim.metric.name(), (centre, TOP + 8.0), font);
    let against = format!("against {}", claim.baseline);
    let font = Font::new(11.0).colour(GREY).anchor(Anchor::Middle);
    canvas.text(&against, (centre, TOP + 24.0), font);
    for (row, judged) in judged.iter().enumerate() {
        let Some(relative) = judged.effect.and_then(|effect| effect.relative) else {
            canvas.text("no ratio", (centre, middle(row)), font);
            continue;
        };
        let colour = match judged.verdict.name() {
            "confirmed" => GAIN,
            "refuted" => LOSS,
            _ => GREY,
        };
        let y = middle(row);
        if let Some(interval) = relative.range.interval() {
            let ends = [clamp(interval.low * 100.0), clamp(interval.high * 100.0)];
            canvas.line(&[(ends[0], y), (ends[1], y)], 2.2, colour);
        }
        canvas.disc((clamp(relative.change * 100.0), y), 3.6, colour);
    }
}
