//! `charts/parity.svg`: every difference in units of its goal, with what chance may do.

use super::table::label;
use crate::experiment::parity::{Agreement, ArmParity, Parity, Row};
use crate::report::charts::axis::Axis;
use crate::report::charts::canvas::{Anchor, Canvas, Font};
use crate::report::charts::frame::{Panel, TEXT, TOP, WIDTH, fitted, note, sheet};
use crate::report::charts::palette::{GAIN, GREY, INK, LOSS};
use crate::report::directory::File;

const ROW: f64 = 20.0;
const HEAD: f64 = 26.0;
const LEFT: f64 = 240.0;
/// Differences beyond so many goals are drawn at the edge.
const MOST: f64 = 3.0;

pub(super) fn file(parity: &Parity) -> File {
    let heights = parity
        .arms
        .iter()
        .map(|arm| HEAD + ROW * judged(arm).count() as f64);
    let bottom = TOP + 14.0 + heights.sum::<f64>();
    let title = format!("{}: measured less simulated", parity.scenario);
    let subtitle = "In units of the goal (1 point of success, 5 % of the P50, 10 % of the P99, 2 \
                    points of an account's share); grey bars: disturbed simulations";
    sheet("parity", (&title, subtitle), bottom + 62.0, |canvas| {
        let panel = Panel {
            from: (LEFT, TOP + 8.0),
            to: (WIDTH - 30.0, bottom),
            x: Axis::linear("difference / goal", -MOST, MOST),
            y: Axis::linear("", 0.0, 1.0),
        };
        let goal = [panel.at_x(-1.0), panel.at_x(1.0)];
        canvas.rectangle((goal[0], panel.from.1), (goal[1], panel.to.1), GAIN, 0.12);
        panel.grid_x(canvas);
        let zero = panel.at_x(0.0);
        canvas.line(&[(zero, panel.from.1), (zero, panel.to.1)], 1.2, INK);
        let mut y = TOP + 14.0;
        for arm in &parity.arms {
            canvas.text(&fitted(&arm.name, 30), (20.0, y + HEAD / 2.0), TEXT.bold());
            y += HEAD;
            for row in judged(arm) {
                let text = fitted(&label(parity, row.quantity), 34);
                canvas.text(&text, (32.0, y + ROW / 2.0), Font::new(11.0));
                draw(canvas, &panel, row, y + ROW / 2.0);
                y += ROW;
            }
        }
        let middle = (f64::midpoint(panel.from.0, panel.to.0), bottom + 34.0);
        canvas.text("difference / goal", middle, TEXT.anchor(Anchor::Middle));
        let text = "Filled: after subtracting the median overhead, which is what is judged (blue: \
                    agrees, grey: chance, red: differs). Ring: as measured.";
        note(canvas, text, bottom + 54.0);
    })
}

fn judged(arm: &ArmParity) -> impl Iterator<Item = &Row> {
    arm.rows.iter().filter(|row| row.goal.is_some())
}

fn draw(canvas: &mut Canvas, panel: &Panel, row: &Row, y: f64) {
    let Some(allowed) = row.allowed().filter(|allowed| *allowed > 0.0) else {
        return;
    };
    let x = |value: f64| {
        let goals = (value - row.simulated) / allowed;
        panel.at_x(goals.clamp(-MOST, MOST))
    };
    let (low, high) = row.range;
    if high > low {
        canvas.rectangle((x(low), y - 4.0), (x(high), y + 4.0), GREY, 0.35);
    }
    if !row.adjusted.is_finite() {
        canvas.text(
            "no value",
            (x(row.simulated), y),
            TEXT.anchor(Anchor::Middle),
        );
        return;
    }
    let colour = match row.agreement() {
        Some(Agreement::Agrees) => GAIN,
        Some(Agreement::Differs) => LOSS,
        _ => GREY,
    };
    canvas.disc((x(row.measured), y), 4.6, GREY);
    canvas.disc((x(row.adjusted), y), 3.4, colour);
}
