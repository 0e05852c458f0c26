//! Getting at the text of a scenario file, and saying why it cannot be had.

use super::diagnostics::{Diagnostics, Finding};
use super::overrides::Overrides;
use super::{Loaded, decode, parse, trace_file};
use std::io::Read;
use std::path::Path;

/// Longest file that is read: longer ones are no scenario.
const LARGEST_FILE: u64 = 16 << 20;

/// Reads the scenario in a file.
///
/// # Errors
/// If it cannot be read, or is not a valid scenario: everything that was found.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Loaded, Diagnostics> {
    let text = text_of(path).map_err(Diagnostics::single)?;
    let base_dir = path.parent().unwrap_or(Path::new(""));
    parse(&path.display().to_string(), &text, base_dir, overrides)
}

/// The text of a file.
///
/// # Errors
/// If it cannot be read.
#[cfg(feature = "live")]
pub(in crate::experiment) fn text_of_file(path: &Path) -> Result<String, Diagnostics> {
    text_of(path).map_err(Diagnostics::single)
}

fn text_of(path: &Path) -> Result<String, Finding> {
    let name = path.display();
    let refuse = |why: &str| Finding::error(format!("cannot read `{name}`: {why}"));
    let facts = std::fs::metadata(path).map_err(|error| {
        let finding = refuse(&trace_file::reason(&error));
        match nearest_file(path) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding.help("give the path of a scenario file, such as scenarios/outage.toml"),
        }
    })?;
    if facts.is_dir() {
        return Err(refuse("this is a directory").help("name the files: `routelab DIR/*.toml`"));
    }
    // The length that a pipe or a device states means nothing: what is read is bounded.
    let mut bytes = vec![];
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(|e| refuse(&trace_file::reason(&e)))?;
    if bytes.len() as u64 > LARGEST_FILE {
        let help = "a scenario is a few kilobytes of TOML; a trace goes into `workload.path`";
        return Err(refuse("it is larger than 16 MiB").help(help));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = good.iter().rposition(|byte| *byte == b'\n');
        let column = good.len() - start.map_or(0, |newline| newline + 1) + 1;
        refuse("it is not UTF-8 text")
            .origin(name.to_string(), line as u64, column as u64)
            .help("save it as UTF-8; a compressed or binary file is no scenario")
    })
}

/// The file beside a missing one whose name is most like it.
fn nearest_file(path: &Path) -> Option<String> {
    let directory = path.parent()?;
    let listed = match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
    };
    let names = std::fs::read_dir(listed).ok()?.take(1_000);
    let mut names: Vec<String> = names
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    let wanted = path.file_name()?.to_str()?;
    let near = decode::nearest(wanted, names.iter().map(String::as_str))?;
    Some(directory.join(near).display().to_string())
}
