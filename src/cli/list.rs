//! `routelab list`: the scenarios in a folder, with the question that each asks.

use super::console::{one_line, print, say};
use super::exit::Exit;
use std::path::{Path, PathBuf};

/// Where the shipped scenarios lie.
pub(super) const DEFAULT_DIR: &str = "scenarios";

/// Arguments of `list`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Folder to look in
    #[arg(value_name = "DIR", default_value = DEFAULT_DIR)]
    dir: PathBuf,
}

/// Prints a line per scenario: its path and its question.
///
/// # Errors
/// [`Exit::Invalid`] if the folder cannot be read.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let shown = args.dir.display();
    let files = scenario_files(&args.dir).map_err(|error| {
        say(&format!("error: cannot read the folder {shown}: {error}"));
        Exit::Invalid
    })?;
    if files.is_empty() {
        say(&format!("no scenarios (*.toml) in {shown}"));
    }
    let paths: Vec<_> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let width = paths.iter().map(|path| path.chars().count()).max();
    let width = width.unwrap_or_default();
    for (file, path) in files.iter().zip(&paths) {
        print(&format!("{path:width$}  {}", question(file)))?;
    }
    Ok(())
}

/// The TOML files of a folder, sorted.
///
/// # Errors
/// If the folder cannot be read.
pub(super) fn scenario_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The question of a scenario, on one line. Only this key is read: a scenario whose trace lies
/// elsewhere, say, is still listed.
pub(super) fn question(file: &Path) -> String {
    let unreadable = || format!("(unreadable: see `routelab check {}`)", file.display());
    let Ok(text) = std::fs::read_to_string(file) else {
        return unreadable();
    };
    let Ok(table) = text.parse::<toml::Table>() else {
        return unreadable();
    };
    match table.get("question").and_then(toml::Value::as_str) {
        Some(question) => one_line(question),
        None => "(asks no question)".to_owned(),
    }
}
