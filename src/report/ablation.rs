//! Whose gain it is, for people and for programs.
//!
//! | file | what it is |
//! |---|---|
//! | `ablation.csv` | a row per metric and factor: its part of the change |
//! | `cells.csv` | a row per combination of factors and replication: all metrics |
//! | `charts/ablation.svg` | bars with intervals |
//! | `manifest.json` | the scenario with all combinations, and the SHA-256 of every file |

mod chart;
mod csv;
mod table;
mod words;

pub use table::{json, render};

use super::directory::{self, File};
use super::{WriteError, manifest};
use crate::experiment::ablation::AblationResults;
use serde_json::json as value;
use std::path::Path;

/// Writes all files into `dir`, in place of an earlier result there.
///
/// # Errors
/// If `dir` is not ours to replace or the disk refuses. An earlier result then stands as it was.
pub fn write(results: &AblationResults, dir: &Path) -> Result<(), WriteError> {
    let mut files: Vec<File> = tables(results).into();
    files.push(chart::file(results));
    let about = value!({
        "report": "ablation",
        "scenario": results.scenario,
        "question": results.question,
        "strategy": results.name,
        "factors": results.factors.iter().map(|factor| factor.name()).collect::<Vec<_>>(),
        "seed": results.seed,
        "replications": results.replications(),
        "interrupted": results.interrupted,
        "resolved_scenario": results.resolved_toml,
    });
    files.push(manifest::report(&files, about));
    directory::replace(dir, &files)
}

/// The CSV files of an ablation.
#[must_use]
pub fn tables(results: &AblationResults) -> [File; 2] {
    [csv::gains(results), csv::cells(results)]
}
