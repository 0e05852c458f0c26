//! Two parameters: a heat map per strategy. The number in a field is the level; its colour is the
//! change from the reference cell, blue for better and red for worse, on one scale for all
//! strategies; a field whose interval holds zero stays white, for chance explains it.

use super::{Measure, Page, subtitle};
use crate::experiment::metric::Better;
use crate::experiment::sweep::SweepResults;
use crate::report::charts::canvas::{Anchor, Canvas, Colour, Font, Point};
use crate::report::charts::frame::{TEXT, TOP, WIDTH, fitted, note, sheet};
use crate::report::charts::palette::{GAIN, GREY, GRID, LOSS, WHITE};
use crate::report::directory::File;
use crate::report::sweep::sample;
use crate::report::table::short;
use crate::stats::mean::Estimate;

const LEFT: f64 = 20.0;
/// Room for the values of the second parameter.
const MARGIN: f64 = 74.0;
/// Height of a field, and of what stands above and below a map.
const FIELD: f64 = 26.0;
const HEAD: f64 = 26.0;
const FOOT: f64 = 52.0;

/// One field.
#[derive(Clone, Copy)]
struct Field {
    level: Option<Estimate>,
    change: Option<Estimate>,
}

pub(super) fn file(results: &SweepResults, measure: &Measure, page: &Page) -> File {
    let arms = sample::arms(results);
    let maps: Vec<Vec<Vec<Field>>> = arms
        .iter()
        .map(|arm| map(results, measure, page, &arm.name))
        .collect();
    let (columns, rows) = (results.axes[0].1.len(), results.axes[1].1.len());
    // Two maps beside each other where their fields have room for a number.
    let beside = if columns <= 6 {
        3
    } else if columns <= 10 {
        2
    } else {
        1
    };
    let beside = beside.min(arms.len()).max(1);
    let width = (WIDTH - LEFT) / beside as f64;
    let height = HEAD + FIELD * rows as f64 + FOOT;
    let lines = arms.len().div_ceil(beside) as f64;
    let scale = largest(&maps);
    let paths = (&results.axes[0].0, &results.axes[1].0);
    let title = format!("{} by {} and {}", measure.title, paths.0, paths.1);
    let name = match page.number {
        Some(number) => format!("{}__{:02}", measure.name, number + 1),
        None => measure.name.clone(),
    };
    let titles = (title.as_str(), &*subtitle(results, &page.text));
    sheet(&name, titles, TOP + lines * height + 54.0, |canvas| {
        for (nth, (arm, map)) in arms.iter().zip(&maps).enumerate() {
            let column = (nth % beside) as f64;
            let corner = (LEFT + width * column, TOP + height * (nth / beside) as f64);
            let drawing = Drawing {
                results,
                measure,
                scale,
                corner,
                width,
            };
            drawing.paint(canvas, &arm.name, map);
        }
        let bottom = TOP + lines * height;
        let directions = format!("Left to right: {}; upwards: {}.", paths.0, paths.1);
        note(canvas, &directions, bottom + 4.0);
        note(canvas, &explanation(results, measure, scale), bottom + 20.0);
        note(canvas, CHANCE, bottom + 36.0);
    })
}

const CHANCE: &str = "White: no change that chance does not explain (95 % interval, paired by \
                      replication).";

fn explanation(results: &SweepResults, measure: &Measure, scale: f64) -> String {
    let first: Vec<String> = results
        .axes
        .iter()
        .map(|(path, values)| format!("{path} = {}", values[0]))
        .collect();
    let meaning = match measure.better {
        Better::Neither => "blue lower, red higher",
        _ => "blue better, red worse",
    };
    format!(
        "Numbers: means. Colour: change from {}, {meaning}, full at {}.",
        first.join(", "),
        short(scale)
    )
}

/// The fields of an arm, by the second parameter, then the first.
fn map(results: &SweepResults, measure: &Measure, page: &Page, name: &str) -> Vec<Vec<Field>> {
    let inner: usize = results
        .axes
        .iter()
        .skip(2)
        .map(|axis| axis.1.len())
        .product();
    let (columns, rows) = (results.axes[0].1.len(), results.axes[1].1.len());
    let field = |column: usize, row: usize| {
        let cell = &results.cells[(column * rows + row) * inner + page.first];
        let arm = sample::arm(cell, name);
        Field {
            level: arm.and_then(|arm| measure.level(arm)),
            change: arm.and_then(|arm| measure.change(cell, arm, &results.cells[0])),
        }
    };
    let row = |row: usize| (0..columns).map(|column| field(column, row)).collect();
    (0..rows).map(row).collect()
}

/// The largest change that chance does not explain.
fn largest(maps: &[Vec<Vec<Field>>]) -> f64 {
    let fields = maps.iter().flatten().flatten();
    fields
        .filter_map(|field| Some(certain(*field)?.abs()))
        .fold(0.0, f64::max)
}

/// The change of a field, if its interval does not hold zero; with one replication, in any case.
fn certain(field: Field) -> Option<f64> {
    let change = field.change?;
    let chance = change
        .interval
        .is_some_and(|i| i.low <= 0.0 && i.high >= 0.0);
    (!chance).then_some(change.mean)
}

/// One map and its place on the page.
struct Drawing<'a> {
    results: &'a SweepResults,
    measure: &'a Measure,
    scale: f64,
    corner: Point,
    width: f64,
}

impl Drawing<'_> {
    fn paint(&self, canvas: &mut Canvas, name: &str, map: &[Vec<Field>]) {
        let (left, top) = (self.corner.0 + MARGIN, self.corner.1 + HEAD);
        let columns = map.first().map_or(1, Vec::len);
        let step = (self.width - MARGIN - 18.0) / columns as f64;
        canvas.text(&fitted(name, 30), (left, self.corner.1 + 12.0), TEXT.bold());
        for (row, fields) in map.iter().rev().enumerate() {
            let y = top + FIELD * row as f64;
            for (column, field) in fields.iter().enumerate() {
                self.field(canvas, (left + step * column as f64, y), step, *field);
            }
        }
        let small = Font::new(11.0).colour(GREY);
        let shown = |value: &String| fitted(value.trim_matches('"'), 10);
        let [across, up] = [0, 1].map(|axis| &self.results.axes[axis].1);
        for (row, value) in up.iter().rev().enumerate() {
            let y = top + FIELD * (row as f64 + 0.5);
            canvas.text(&shown(value), (left - 6.0, y), small.anchor(Anchor::End));
        }
        let bottom = top + FIELD * up.len() as f64 + 12.0;
        let mut free_from = f64::NEG_INFINITY;
        for (column, value) in across.iter().enumerate() {
            let x = left + step * (column as f64 + 0.5);
            let (text, half) = (shown(value), small.width(&shown(value)) / 2.0);
            if x - half > free_from {
                canvas.text(&text, (x, bottom), small.anchor(Anchor::Middle));
                free_from = x + half + 3.0;
            }
        }
    }

    fn field(&self, canvas: &mut Canvas, (x, y): Point, width: f64, field: Field) {
        let corner = (x + width, y + FIELD);
        canvas.rectangle((x, y), corner, GRID, 1.0);
        let colour = self.colour(field);
        canvas.rectangle(
            (x + 0.6, y + 0.6),
            (corner.0 - 0.6, corner.1 - 0.6),
            colour,
            1.0,
        );
        let text = field
            .level
            .map_or_else(|| "-".to_owned(), |level| number(level.mean));
        let font = Font::new(11.0).anchor(Anchor::Middle);
        if font.width(&text) <= width {
            canvas.text(&text, (x + width / 2.0, y + FIELD / 2.0), font);
        }
    }

    fn colour(&self, field: Field) -> Colour {
        let Some(change) = certain(field).filter(|_| self.scale > 0.0) else {
            return WHITE;
        };
        let good = match self.measure.better {
            Better::Higher => change > 0.0,
            _ => change < 0.0,
        };
        // Never so dark that the number on it cannot be read.
        let share = 0.12 + 0.63 * (change.abs() / self.scale).min(1.0);
        WHITE.mix(if good { GAIN } else { LOSS }, share)
    }
}

/// A level at a length that fits a field.
fn number(level: f64) -> String {
    if (99.0..100.0).contains(&level) {
        return format!("{level:.2}");
    }
    short(level)
}
