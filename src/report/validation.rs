//! The validation for readers: a page with every comparison, a chart, and a short table.
//!
//! The page is generated whole and holds nothing that differs between two runs of one size, so that
//! a difference in a commit is a difference in the simulator.

mod chance;
mod chart;
mod page;

use super::WriteError;
use super::number::{derived, six_digits};
use crate::experiment::validation::{Cell, Rule, Validation};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The page's file.
pub const PAGE: &str = "VALIDATION.md";

/// The chart's file, as seen from the page.
pub const CHART: &str = "images/validation.svg";

/// Writes the page and its chart into a folder. Returns the path of the page.
///
/// # Errors
/// If the disk refuses.
pub fn write(found: &Validation, dir: &Path) -> Result<PathBuf, WriteError> {
    put(dir, CHART, &chart::chart(found))?;
    put(dir, PAGE, page::page(found).as_bytes())
}

/// Writes a file by way of another name, so that it is whole or not there.
fn put(dir: &Path, name: &str, content: &[u8]) -> Result<PathBuf, WriteError> {
    let path = dir.join(name);
    let folder = path.parent().unwrap_or(dir);
    let aside = path.with_extension("partial");
    std::fs::create_dir_all(folder).map_err(|error| WriteError::io("create", folder, error))?;
    std::fs::write(&aside, content).map_err(|error| WriteError::io("write", &aside, error))?;
    std::fs::rename(&aside, &path)
        .map_err(|error| WriteError::io("move into place", &path, error))?;
    Ok(path)
}

/// A line for each model, and a verdict.
#[must_use]
pub fn table(found: &Validation) -> String {
    let mut text = format!(
        "{:<44} {:>5}  {:>12}  {:>10}\n",
        "", "cells", "farthest, z", "error"
    );
    for (model, cells) in models(found) {
        let worst = farthest(cells);
        let z = worst
            .and_then(Cell::errors)
            .map_or_else(|| "-".to_owned(), signed);
        let error = cells.iter().map(|cell| cell.relative().abs());
        let error = error.fold(0.0, f64::max) * 100.0;
        let _ = writeln!(
            text,
            "{model:<44} {:>5}  {z:>12}  {error:>8.3} %",
            cells.len()
        );
    }
    let _ = write!(text, "\n{}{}", verdict(found), chance::line(found));
    text
}

/// What does not agree, a line each.
#[must_use]
pub fn complaints(found: &Validation) -> Vec<String> {
    let cells = found.cells.iter().filter(|cell| !cell.agrees());
    let cells = cells.map(|cell| {
        let z = cell
            .errors()
            .map(|z| format!(", {} standard errors away", signed(z)));
        format!(
            "{} {} ({}): {} is {}, not {}{}",
            cell.model,
            cell.parameters,
            cell.how,
            cell.metric,
            derived(cell.simulated),
            derived(cell.theory.value),
            z.unwrap_or_default()
        )
    });
    let broken = found.identities.iter().filter(|identity| !identity.holds());
    let broken = broken.map(|identity| format!("{}: not exact", identity.system));
    let gaps = found.gaps.iter().cloned();
    cells.chain(broken).chain(gaps).collect()
}

/// One sentence on everything.
fn verdict(found: &Validation) -> String {
    let wrong = found.cells.iter().filter(|cell| !cell.agrees()).count();
    let broken = found.identities.iter().filter(|i| !i.holds()).count();
    let mut text = match wrong {
        0 => format!("All {} numbers agree", found.cells.len()),
        _ => format!("{wrong} of {} numbers do NOT agree", found.cells.len()),
    };
    let _ = match broken {
        0 => write!(text, "; {} exact identities hold", found.identities.len()),
        _ => write!(text, "; {broken} exact identities do NOT hold"),
    };
    let _ = write!(
        text,
        "; {} rows of the reference are pending",
        found.pending.len()
    );
    if !found.gaps.is_empty() {
        let _ = write!(text, "; {} gaps in the validation itself", found.gaps.len());
    }
    text + "."
}

/// The cells, model by model.
fn models(found: &Validation) -> impl Iterator<Item = (&str, &[Cell])> {
    let groups = found.cells.chunk_by(|a, b| a.model == b.model);
    groups.filter_map(|cells| Some((cells.first()?.model.as_str(), cells)))
}

/// The cell that is farthest from theory in standard errors.
fn farthest(cells: &[Cell]) -> Option<&Cell> {
    let errors = |cell: &Cell| cell.errors().map_or(-1.0, f64::abs);
    cells.iter().max_by(|a, b| errors(a).total_cmp(&errors(b)))
}

/// With its sign and two decimals.
fn signed(number: f64) -> String {
    let text = format!("{number:+.2}");
    // No "-0.00".
    if six_digits(number).is_some() && text.trim_start_matches(['+', '-', '0', '.']).is_empty() {
        return "0.00".to_owned();
    }
    text
}

/// The bounds of a cell that is not judged by chance.
fn bounds(rule: Rule) -> Option<String> {
    match rule {
        Rule::Chance => None,
        Rule::Relative(most) => Some(format!("within {} %", derived(most * 100.0))),
        Rule::Between(low, high) => Some(format!("{} to {}", derived(low), derived(high))),
    }
}
