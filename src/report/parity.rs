//! Simulated against measured, for people and for programs. Like those of `routelab decide` these
//! files are measurements of a machine, and differ from run to run.
//!
//! | file | what it is |
//! |---|---|
//! | `README.md` | what agrees and what does not, and how it was measured |
//! | `parity.csv` | a row per strategy and quantity: both worlds, goal, what chance may do |
//! | `latency.csv` | a row per strategy and level: the quantile of latency in each world |
//! | `charts/parity.svg` | every difference in units of its goal |
//! | `charts/latency.svg` | the distribution of latency in both worlds, strategy by strategy |
//! | `environment.json` | the machine |

mod chart;
mod curves;
mod page;
mod table;

pub use page::summary;
pub use table::{json, render};

use super::directory::{self, File};
use super::{Environment, WriteError, manifest};
use crate::experiment::parity::Parity;
use serde_json::json as value;
use std::path::Path;

/// Name of the folder within the results of its scenario.
pub const FOLDER: &str = directory::KEPT;

/// Writes all files into `dir`, in place of an earlier measurement there.
///
/// # Errors
/// If `dir` is not ours to replace or the disk refuses. An earlier result then stands as it was.
pub fn write(parity: &Parity, environment: &Environment, dir: &Path) -> Result<(), WriteError> {
    let mut files: Vec<File> = vec![
        page::file(parity, environment),
        table::csv(parity),
        table::latency_csv(parity),
        chart::file(parity),
        curves::file(parity),
    ];
    let about = value!({
        "report": "live",
        "volatile": true,
        "scenario": parity.scenario,
        "question": parity.question,
        "seed": parity.seed,
        "replication": parity.replication,
        "pace": parity.pace,
        "interrupted": parity.interrupted,
        "resolved_scenario": parity.resolved_toml,
    });
    files.push(manifest::report(&files, about));
    files.push(manifest::environment(environment));
    directory::replace(dir, &files)
}
