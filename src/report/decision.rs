//! What a routing decision costs, for people and for programs. Unlike everything else in `results/`
//! these files differ from run to run: they are measurements of a machine.
//!
//! | file | what it is |
//! |---|---|
//! | `README.md` | the verdict, and how it was measured |
//! | `decision.csv` | a row per strategy, pool and number of threads |
//! | `charts/decision.svg` | P99 over the size of the pool |
//! | `environment.json` | the machine |

mod chart;
mod page;
mod table;

pub use table::{json, render};

use super::directory::{self, File};
use super::{Environment, WriteError, manifest};
use crate::experiment::decision::DecisionResults;
use serde_json::json as value;
use std::path::Path;

/// Name of the folder below that of all results.
pub const FOLDER: &str = "decision";

/// Writes all files into `dir`, in place of an earlier measurement there.
///
/// # Errors
/// If `dir` is not ours to replace or the disk refuses. An earlier result then stands as it was.
pub fn write(
    results: &DecisionResults,
    environment: &Environment,
    dir: &Path,
) -> Result<(), WriteError> {
    let mut files: Vec<File> = vec![
        page::file(results, environment),
        table::csv(results),
        chart::file(results),
    ];
    let about = value!({ "report": "decision", "volatile": true });
    files.push(manifest::report(&files, about));
    let machine = &results.machine;
    let more = [
        ("processor", value!(machine.processor)),
        ("load_before", value!(machine.load)),
        ("debug_build", value!(machine.debug)),
        ("waited_share", value!(results.disturbed())),
    ];
    files.push(manifest::environment_and(environment, &more));
    directory::replace(dir, &files)
}

/// The table of a measurement.
#[must_use]
pub fn csv(results: &DecisionResults) -> File {
    table::csv(results)
}
