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
use super::table::wrapped;
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
    /// Scenarios that were to be judged, but for an interruption.
    pub left_out: &'a [String],
}

impl Claims<'_> {
    /// Whether they were not judged as far as they were to be.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        !self.left_out.is_empty() || self.campaigns.iter().any(|one| one.results.interrupted)
    }

    /// What is there and what is not, where they were interrupted.
    fn interruption(&self) -> Option<String> {
        if !self.interrupted() {
            return None;
        }
        let begun = self.campaigns.iter().filter(|one| one.results.interrupted);
        let begun = begun.map(|one| {
            let done = one.results.strategies.first();
            let done = done.map_or(0, |arm| arm.replications.len());
            let name = &one.results.description.name;
            format!(
                "; {name} was stopped after {done} replications, and rests on its looks by then"
            )
        });
        let left_out = match self.left_out {
            [] => String::new(),
            names => format!("; not judged: {}", names.join(", ")),
        };
        Some(format!(
            "INTERRUPTED: {} of {} scenarios are here{}{left_out}. \"In general\" and \"in every \
             scenario\" speak of those.",
            self.campaigns.len(),
            self.campaigns.len() + self.left_out.len(),
            begun.collect::<String>(),
        ))
    }
}

/// The tables and conclusions for a terminal.
#[must_use]
pub fn text(all: &Claims) -> String {
    let mut text = words::text(all);
    if let Some(sentence) = all.interruption() {
        text += &format!("\n{}\n", wrapped(&sentence));
    }
    text
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
    let mut about = json!({ "scenarios": scenarios.collect::<Vec<_>>() });
    if all.interrupted() {
        about["interrupted"] = true.into();
        about["left_out"] = all.left_out.into();
    }
    let manifest = manifest::report(&files, about);
    files.push(manifest);
    directory::replace(dir, &files)
}
