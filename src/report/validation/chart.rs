//! Every number's distance from theory: in standard errors, which says whether it is chance, and in
//! per cent, which says whether it matters.

use super::models;
use crate::experiment::validation::{Cell, MOST_ERRORS, Rule, Validation};
use crate::report::charts::axis::Axis;
use crate::report::charts::canvas::{Anchor, Canvas, Font, Point};
use crate::report::charts::frame::{Panel, TEXT, TOP, WIDTH, fitted, note, sheet};
use crate::report::charts::palette::{GAIN, GREY, GRID, INK, LOSS};

const ROW: f64 = 30.0;
const LEFT: f64 = 262.0;
const GAP: f64 = 30.0;

/// The chart.
pub(super) fn chart(found: &Validation) -> Vec<u8> {
    let rows: Vec<(&str, &[Cell])> = models(found).collect();
    let bottom = TOP + 22.0 + ROW * rows.len() as f64;
    let judged = found.cells.iter().filter_map(Cell::errors).count();
    let title = "Simulated against theory: every number of the validation";
    let subtitle = format!(
        "{judged} numbers of {} runs; a dot each. A number passes within ±4 standard errors.",
        found.runs
    );
    let file = sheet("validation", (title, &subtitle), bottom + 84.0, |canvas| {
        let half = (WIDTH - 20.0 - LEFT) / 2.0;
        let panel = |left: f64, x: Axis| Panel {
            from: (left, TOP + 20.0),
            to: (left + half - GAP, bottom),
            x,
            y: Axis::linear("", 0.0, 1.0),
        };
        let z = panel(LEFT, Axis::linear("", -5.0, 5.0));
        let percent = panel(LEFT + half, error_axis(&found.cells));
        head(canvas, &z, "distance, standard errors");
        head(canvas, &percent, "distance, % of theory");
        for bound in [-MOST_ERRORS, MOST_ERRORS] {
            let x = z.at_x(bound);
            canvas.dashed(&[(x, z.from.1), (x, z.to.1)], 1.2, LOSS, 4.0);
        }
        for (row, (model, cells)) in rows.iter().enumerate() {
            let y = TOP + 22.0 + ROW * (row as f64 + 0.5);
            canvas.line(
                &[(20.0, y + ROW / 2.0), (percent.to.0, y + ROW / 2.0)],
                0.5,
                GRID,
            );
            canvas.text(&fitted(model, 44), (20.0, y), Font::new(11.0));
            dots(canvas, y, cells, |cell| Some(z.at_x(cell.errors()?)));
            dots(canvas, y, cells, |cell| {
                Some(percent.at_x(cell.relative() * 100.0))
            });
        }
        let below = "Grey: published numbers, judged by a tolerance. The more requests a number \
                     rests on, the smaller its distance in per cent.";
        note(canvas, below, bottom + 62.0);
    });
    file.content
}

fn head(canvas: &mut Canvas, panel: &Panel, label: &str) {
    panel.grid_x(canvas);
    let zero = panel.at_x(0.0);
    canvas.line(&[(zero, panel.from.1), (zero, panel.to.1)], 1.2, INK);
    let middle = f64::midpoint(panel.from.0, panel.to.0);
    let above = (middle, panel.from.1 - 11.0);
    canvas.text(label, above, TEXT.bold().anchor(Anchor::Middle));
}

/// One dot a cell, side by side from top to bottom of the row.
fn dots(canvas: &mut Canvas, y: f64, cells: &[Cell], place: impl Fn(&Cell) -> Option<f64>) {
    let step = (ROW - 8.0) / cells.len() as f64;
    for (at, cell) in cells.iter().enumerate() {
        let Some(x) = place(cell).filter(|x| x.is_finite()) else {
            continue;
        };
        let point: Point = (x, y - ROW / 2.0 + 4.0 + step * (at as f64 + 0.5));
        let colour = match (cell.agrees(), cell.rule) {
            (false, _) => LOSS,
            (true, Rule::Chance) => GAIN,
            (true, _) => GREY,
        };
        canvas.disc(point, 2.2, colour);
    }
}

/// Wide enough for all but the few farthest, which stand at its ends.
fn error_axis(cells: &[Cell]) -> Axis {
    let mut sizes: Vec<f64> = cells.iter().map(|c| c.relative().abs() * 100.0).collect();
    sizes.sort_by(f64::total_cmp);
    let most = sizes.last().copied().unwrap_or(1.0).clamp(0.2, 20.0);
    Axis::linear("", -most, most)
}
