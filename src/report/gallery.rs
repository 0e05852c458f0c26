//! The gallery: the results of many scenarios in a form that is small enough to be committed, and a
//! page to browse them by.
//!
//! The page is generated whole. A number that somebody types into a text goes stale with the next
//! change of the code; here prose comes from the scenario files (question, expectation), and what
//! the results show is said by sentences made from the numbers.

mod expected;
mod findings;
mod markdown;
mod page;
mod swept;
#[cfg(test)]
mod tests;
mod told;

pub use page::{LeftOut, Section, readme};

use super::directory::{self, File};
use super::{WriteError, deterministic_files, manifest};
use crate::experiment::results::ScenarioResults;
use std::path::Path;

/// Windows of a timeline, at most: as many as its chart has points.
pub const MOST_WINDOWS: u64 = 60;

/// Files that are not kept: by account and window, or of successes alone.
const LEFT_OUT: [&str; 2] = ["timeline_lanes.csv", "_ok.hgrm"];

/// Bytes of a file, at most; charts are drawn for a page and have their limit in that.
const LARGEST: usize = 512 << 10;

/// Writes the results of a scenario without the files that are large or tell of the machine:
/// `timeline_lanes.csv`, the histograms of successes alone, whatever is larger than 512 KiB (the
/// `accounts.csv` of a thousand accounts), and `environment.json`. The manifest lists what is
/// there.
///
/// # Errors
/// If `dir` is not ours to replace or the disk refuses. An earlier result then stands as it was.
pub fn write(results: &ScenarioResults, dir: &Path) -> Result<(), WriteError> {
    let mut files = deterministic_files(results);
    files.retain(is_kept);
    let manifest = manifest::manifest(results, &files);
    files.push(manifest);
    directory::replace(dir, &files)
}

fn is_kept(file: &File) -> bool {
    let small = file.content.len() <= LARGEST || file.path.ends_with(".svg");
    small && !LEFT_OUT.iter().any(|end| file.path.ends_with(end))
}

/// Writes the page into the folder that holds the results.
///
/// # Errors
/// If the disk refuses.
pub fn write_readme(text: &str, dir: &Path) -> Result<(), WriteError> {
    let (path, aside) = (dir.join("README.md"), dir.join(".README.md.partial"));
    std::fs::create_dir_all(dir).map_err(|error| WriteError::io("create", dir, error))?;
    std::fs::write(&aside, text).map_err(|error| WriteError::io("write", &aside, error))?;
    std::fs::rename(&aside, &path).map_err(|error| WriteError::io("move into place", &path, error))
}
