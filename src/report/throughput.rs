//! What a gateway adds to a request, and how many it takes in a second, for people and for
//! programs. These files are measurements of a machine, and differ from run to run.
//!
//! | file | what it is |
//! |---|---|
//! | `README.md` | the verdict, and how it was measured |
//! | `throughput.csv` | a row per rate, way and round |
//! | `charts/throughput.svg` | latency and what is added to it, over the rate |
//! | `environment.json` | the machine |

mod chart;
mod page;
mod table;

pub use table::{json, render};

use super::directory::{self, File};
use super::{Environment, WriteError, manifest};
use crate::experiment::throughput::Throughput;
use serde_json::json as value;
use std::path::Path;

/// Name of the folder within the results of its scenario.
pub const FOLDER: &str = directory::KEPT;

/// Writes all files into `dir`, in place of an earlier measurement there.
///
/// # Errors
/// If `dir` is not ours to replace or the disk refuses. An earlier result then stands as it was.
pub fn write(
    results: &Throughput,
    environment: &Environment,
    dir: &Path,
) -> Result<(), WriteError> {
    let mut files: Vec<File> = vec![
        page::file(results, environment),
        table::csv(results),
        chart::file(results),
    ];
    let about = value!({
        "report": "throughput",
        "volatile": true,
        "scenario": results.scenario,
        "question": results.question,
        "strategy": results.strategy,
    });
    files.push(manifest::report(&files, about));
    files.push(manifest::environment(environment));
    directory::replace(dir, &files)
}
