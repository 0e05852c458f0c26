//! Results for people and for programs: terminal table, CSV files, histograms, charts, manifest.
//!
//! Everything here is a pure function from results to bytes, the same bytes for the same results;
//! only [`directory`] touches the disk, and only `environment.json` tells of the machine. The files
//! are described in [`csv`], [`percentiles`], [`charts`] and [`manifest`].

pub mod ablation;
pub mod campaign;
pub mod charts;
mod claims;
pub mod compare;
pub mod csv;
pub mod decision;
pub mod directory;
#[cfg(test)]
pub(crate) mod fixture;
pub mod gallery;
mod json;

pub mod manifest;
pub mod number;
#[cfg(feature = "live")]
pub mod parity;
pub mod percentiles;
pub mod summary;
pub mod sweep;
pub mod table;
#[cfg(test)]
mod tests;
#[cfg(feature = "live")]
pub mod throughput;
pub mod timeline;
pub mod validation;
pub mod warmup;

pub use json::json;

use crate::experiment::results::ScenarioResults;
use crate::time::Duration;
use directory::File;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where and when a run took place.
#[derive(Clone, PartialEq, Debug)]
pub struct Environment {
    /// Name of the machine.
    pub host: String,
    /// Operating system and architecture.
    pub os: String,
    /// Processors available.
    pub cpus: usize,
    /// Commit that the binary was built from.
    pub git_commit: Option<String>,
    /// Wall-clock start, RFC 3339 in UTC.
    pub started: String,
    /// Wall-clock end, RFC 3339 in UTC.
    pub finished: String,
    /// Time that the run took.
    pub elapsed: Duration,
}

/// Writes all result files into `dir`, in place of an earlier result there.
///
/// # Errors
/// If `dir` is not ours to replace (see [`directory`]) or the disk refuses. An earlier result then
/// stands as it was.
pub fn write(
    results: &ScenarioResults,
    environment: &Environment,
    dir: &Path,
) -> Result<(), WriteError> {
    let mut files = deterministic_files(results);
    let manifest = manifest::manifest(results, &files);
    files.push(manifest);
    files.push(manifest::environment(environment));
    directory::replace(dir, &files)
}

/// Checks, before a long run, that [`write()`] would not refuse `dir`.
///
/// # Errors
/// If `dir` is not ours to replace, or cannot be read.
pub fn check(dir: &Path) -> Result<(), WriteError> {
    directory::check(dir)
}

/// Every file that must come out the same, byte for byte, for the same scenario and seeds.
fn deterministic_files(results: &ScenarioResults) -> Vec<File> {
    let mut files = csv::files(results);
    files.extend(histograms(results));
    files.extend(charts::files(results));
    files.extend(interruption_note(results));
    files
}

fn histograms(results: &ScenarioResults) -> impl Iterator<Item = File> {
    let stems = file_stems(results);
    results
        .strategies
        .iter()
        .zip(stems)
        .flat_map(|(arm, stem)| {
            let latency = &arm.latency;
            [
                ("latency_ok", &latency.ok),
                ("latency_all", &latency.all),
                ("first_token_ok", &latency.first_token_ok),
                ("first_token_all", &latency.first_token_all),
            ]
            .map(|(what, histogram)| File {
                path: format!("histograms/{stem}.{what}.hgrm"),
                content: percentiles::text(histogram).into_bytes(),
            })
        })
}

/// The names of the strategies made fit for file names: other characters than letters, digits, `-`
/// and `_` become `_`, and a name that is then taken, whatever its case, gets its position.
fn file_stems(results: &ScenarioResults) -> Vec<String> {
    let mut stems: Vec<String> = Vec::new();
    for (at, arm) in results.strategies.iter().enumerate() {
        let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let mut stem: String = arm
            .name
            .chars()
            .map(|c| if fit(c) { c } else { '_' })
            .take(60)
            .collect();
        while stem.is_empty() || stems.iter().any(|taken| taken.eq_ignore_ascii_case(&stem)) {
            stem = format!("{stem}_{at}");
        }
        stems.push(stem);
    }
    stems
}

/// A file whose name says in a directory listing what the manifest says inside.
fn interruption_note(results: &ScenarioResults) -> Option<File> {
    let content = format!("{}\n", interruption(results)?);
    Some(File {
        path: "INTERRUPTED.txt".to_owned(),
        content: content.into_bytes(),
    })
}

/// What to tell about an interrupted run; `None` for a whole one.
fn interruption(results: &ScenarioResults) -> Option<String> {
    results.interrupted.then(|| {
        format!(
            "INTERRUPTED after {} of {} replications; the results rest on those finished.",
            summary::replications(results),
            results.description.replications,
        )
    })
}

/// Why results could not be written, and what to do.
#[derive(Debug)]
pub enum WriteError {
    /// The target is a file, or no name at all.
    NotADirectory(PathBuf),
    /// The target holds files that are not ours.
    ForeignFiles(PathBuf),
    /// The system refused.
    Io {
        /// What was attempted: `write`, `create`, ...
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Its answer.
        error: io::Error,
    },
}

impl WriteError {
    fn io(action: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_path_buf(),
            error,
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADirectory(path) => write!(
                f,
                "results cannot be written to {}: it is not a directory; move it away, or name \
                 another place with --out",
                path.display()
            ),
            Self::ForeignFiles(path) => write!(
                f,
                "results cannot be written to {}: it holds files but no manifest.json of \
                 routelab, and would be replaced as a whole; empty it, or name another place \
                 with --out",
                path.display()
            ),
            Self::Io {
                action,
                path,
                error,
            } => {
                let advice = match error.kind() {
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                        "check who may write there, or name another place with --out"
                    }
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "make room, or name another place with --out"
                    }
                    _ => "name another place with --out if this cannot be mended",
                };
                write!(f, "cannot {action} {}: {error}; {advice}", path.display())
            }
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::NotADirectory(_) | Self::ForeignFiles(_) => None,
        }
    }
}
