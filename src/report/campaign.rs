//! The claims made for the product, scenario by scenario: table, page, CSV files, chart.
//!
//! A claim without a scenario holds in general only where every scenario confirms it. What a reader
//! wants is the matrix, and in words: where it holds, where it does not, and what is there instead.

mod beside;
mod chart;
mod csv;
mod page;
mod recovery;
mod words;

use super::directory::{self, File};
use super::{WriteError, manifest};
use crate::experiment::campaign::Campaign;
use crate::experiment::claim::ProductClaim;
use serde_json::json;
use std::path::Path;

/// The claims and what became of them in each scenario.
pub struct Claims<'a> {
    /// The claims, in the order of each campaign's verdicts.
    pub claims: &'a [ProductClaim],
    /// A campaign per scenario.
    pub campaigns: &'a [Campaign],
}

/// The tables and conclusions for a terminal.
#[must_use]
pub fn text(all: &Claims) -> String {
    words::text(all)
}

/// Writes all files into `dir`, in place of an earlier result there.
///
/// # Errors
/// If `dir` is not ours to replace or the disk refuses. An earlier result then stands as it was.
pub fn write(all: &Claims, dir: &Path) -> Result<(), WriteError> {
    let mut files: Vec<File> = csv::files(all);
    files.push(chart::file(all));
    files.push(page::file(all));
    let scenarios = all.campaigns.iter().map(|campaign| {
        let about = &campaign.results.description;
        json!({
            "scenario": about.name,
            "seed": about.seed,
            "interrupted": campaign.results.interrupted,
            "resolved_scenario": about.resolved_toml,
        })
    });
    let about = json!({ "scenarios": scenarios.collect::<Vec<_>>() });
    let manifest = manifest::report(&files, about);
    files.push(manifest);
    directory::replace(dir, &files)
}
