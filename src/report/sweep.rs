//! A sweep for people and for programs: the cells kept on the disk, tidy CSV files, charts, table.
//!
//! | file | what it is |
//! |---|---|
//! | `sweep.csv` | a row per cell, strategy and metric |
//! | `faults.csv` | a row per cell, strategy and scheduled fault |
//! | `charts/METRIC.svg` | lines over one parameter, heat maps over two or more |
//! | `manifest.json` | the grid, and the SHA-256 of every file |
//!
//! All of it is derived from the cells as they were kept, so that a sweep that was stopped and
//! resumed writes the same bytes as one that was not.

mod changes;
mod charts;
mod csv;
mod json;
mod sample;
mod store;
mod table;

pub use changes::{
    Course, Extreme, Way, courses, four_digits, reference, told_strategy, two_charts,
};
pub use json::json;
pub use store::Store;
pub use table::render;

use super::directory::{self, File};
use super::{WriteError, manifest};
use crate::experiment::sweep::SweepResults;
use serde_json::json;
use std::path::Path;

/// Writes all files of a sweep into `dir`, in place of an earlier result there.
///
/// # Errors
/// If `dir` is not ours to replace or the disk refuses. An earlier result then stands as it was.
pub fn write(results: &SweepResults, dir: &Path) -> Result<(), WriteError> {
    let mut files: Vec<File> = csv::files(results).into();
    files.extend(charts::files(results));
    files.push(manifest(results, &files));
    directory::replace(dir, &files)
}

/// The CSV files of a sweep.
#[must_use]
pub fn tables(results: &SweepResults) -> [File; 2] {
    csv::files(results)
}

/// Why charts are missing; `None` if there are all.
#[must_use]
pub fn without_charts(results: &SweepResults) -> Option<String> {
    charts::too_many(results)
}

/// What was run, and how to run it again. There is no `environment.json` beside it: a sweep may
/// have been made in several sittings.
fn manifest(results: &SweepResults, files: &[File]) -> File {
    let axes = results.axes.iter();
    let vary = axes.map(|(path, values)| json!({ "path": path, "values": values }));
    manifest::report(
        files,
        json!({
            "scenario": results.scenario,
            "question": results.question,
            "vary": vary.collect::<Vec<_>>(),
            "cells": results.cells.len(),
            "first_cell": results.resolved_toml,
        }),
    )
}
