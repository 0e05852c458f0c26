//! A directory of results that is replaced as a whole or not at all.
//!
//! Everything is written into a hidden sibling, `.NAME.PID.partial`, which then takes the place of
//! the old directory by two renames: the old one aside, the new one in. Writing file by file in
//! place would leave, after a kill, a mix of two runs that looks like one. A kill between the two
//! renames leaves both directories whole under hidden names; the next write puts the old one back
//! before it does anything else.
//!
//! A directory is only ever replaced if it is empty or has a `manifest.json` of ours: whoever names
//! a folder of their own with `--out` by mistake keeps it. Files that someone adds to our directory
//! go with it when it is replaced. What is kept is the folder [`KEPT`] in it: measurements take
//! their real time, and are replaced by the next measurement only.

use super::WriteError;
use super::manifest;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Name of a folder of results of its own that stays when the directory around it is replaced.
pub const KEPT: &str = "live";

/// One file of the results.
pub struct File {
    /// Path within the directory, with `/`.
    pub path: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Checks that `directory` may be replaced.
///
/// # Errors
/// If it is no directory, cannot be read, or holds files but no manifest of ours.
pub fn check(directory: &Path) -> Result<(), WriteError> {
    let metadata = match fs::metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(WriteError::io("look at", directory, error)),
    };
    if !metadata.is_dir() {
        return Err(WriteError::NotADirectory(directory.into()));
    }
    let entries =
        fs::read_dir(directory).map_err(|error| WriteError::io("read", directory, error))?;
    let kept = directory.join(KEPT);
    let mut others = entries.filter(|entry| entry.as_ref().map_or(true, |e| e.path() != kept));
    let foreign = others.next().is_some() || (kept.exists() && !is_ours(&kept));
    if foreign && !is_ours(directory) {
        return Err(WriteError::ForeignFiles(directory.into()));
    }
    Ok(())
}

/// Whether a directory has a manifest of ours.
fn is_ours(directory: &Path) -> bool {
    fs::read(directory.join(manifest::NAME)).is_ok_and(|text| manifest::is_ours(&text))
}

/// Takes what is kept out of an old result, unless the new one has its own.
fn keep(old: &Path, directory: &Path) -> Result<(), WriteError> {
    let (from, to) = (old.join(KEPT), directory.join(KEPT));
    if !is_ours(&from) || to.exists() {
        return Ok(());
    }
    fs::rename(&from, &to).map_err(|error| WriteError::io("keep", &from, error))
}

/// Puts `files` in place of `directory`.
///
/// # Errors
/// As [`check`], or if a file cannot be written or renamed. The old directory then stands as it
/// was.
pub fn replace(directory: &Path, files: &[File]) -> Result<(), WriteError> {
    let names = Names::beside(directory)?;
    fs::create_dir_all(&names.parent)
        .map_err(|error| WriteError::io("create", &names.parent, error))?;
    clean_up(directory, &names)?;
    check(directory)?;
    let written = write_all(&names.new, files).and_then(|()| swap(directory, &names));
    if written.is_err() {
        // What is left of the attempt is of no use; the error that matters is the first one.
        let _ = fs::remove_dir_all(&names.new);
    }
    written
}

/// The directories that take part.
struct Names {
    parent: PathBuf,
    /// `.NAME.`: how the hidden siblings begin.
    prefix: OsString,
    /// The new results on their way in.
    new: PathBuf,
    /// The old results on their way out.
    old: PathBuf,
}

const NEW: &str = ".partial";
const OLD: &str = ".old.partial";

impl Names {
    fn beside(directory: &Path) -> Result<Self, WriteError> {
        let name = directory
            .file_name()
            .ok_or_else(|| WriteError::NotADirectory(directory.into()))?;
        let parent = match directory.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        let sibling = |suffix: &str| {
            let mut name = prefix.clone();
            name.push(format!("{}{suffix}", std::process::id()));
            parent.join(name)
        };
        let (new, old) = (sibling(NEW), sibling(OLD));
        Ok(Self {
            parent,
            prefix,
            new,
            old,
        })
    }

    /// The process that a hidden sibling belongs to, and whether it is an old result.
    fn owner(&self, name: &OsString) -> Option<(u32, bool)> {
        let rest = name.to_str()?.strip_prefix(self.prefix.to_str()?)?;
        let (pid, old) = match rest.strip_suffix(OLD) {
            Some(pid) => (pid, true),
            None => (rest.strip_suffix(NEW)?, false),
        };
        Some((pid.parse().ok()?, old))
    }
}

/// Removes what killed runs left behind, and puts back the old result if one was killed between
/// the renames.
fn clean_up(directory: &Path, names: &Names) -> Result<(), WriteError> {
    let fail = |error| WriteError::io("read", &names.parent, error);
    for entry in fs::read_dir(&names.parent).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let Some((pid, old)) = names.owner(&entry.file_name()) else {
            continue;
        };
        if pid != std::process::id() && is_running(pid) {
            continue;
        }
        let path = entry.path();
        if old && !directory.exists() {
            fs::rename(&path, directory)
                .map_err(|error| WriteError::io("restore", directory, error))?;
        } else {
            if old {
                keep(&path, directory)?;
            }
            fs::remove_dir_all(&path).map_err(|error| WriteError::io("remove", &path, error))?;
        }
    }
    Ok(())
}

/// Whether another process may still be writing. Where the system does not tell (no `/proc`), the
/// answer is no: two runs that write the same scenario at the same moment are rarer than killed
/// ones, and the loser fails with an error, not with torn files.
fn is_running(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

fn write_all(directory: &Path, files: &[File]) -> Result<(), WriteError> {
    let create = |path: &Path| {
        fs::create_dir_all(path).map_err(|error| WriteError::io("create", path, error))
    };
    create(directory)?;
    for file in files {
        let path = directory.join(&file.path);
        path.parent().map_or(Ok(()), create)?;
        fs::write(&path, &file.content).map_err(|error| WriteError::io("write", &path, error))?;
    }
    Ok(())
}

fn swap(directory: &Path, names: &Names) -> Result<(), WriteError> {
    let had_old = directory.exists();
    if had_old {
        fs::rename(directory, &names.old)
            .map_err(|error| WriteError::io("move aside", directory, error))?;
    }
    if let Err(error) = fs::rename(&names.new, directory) {
        if had_old {
            let _ = fs::rename(&names.old, directory);
        }
        return Err(WriteError::io("move into place", directory, error));
    }
    if had_old {
        keep(&names.old, directory)?;
        // The new results stand; what remains of the old ones is swept up by the next write.
        let _ = fs::remove_dir_all(&names.old);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> File {
        File {
            path: path.into(),
            content: content.into(),
        }
    }

    fn ours(content: &str) -> Vec<File> {
        vec![
            file("manifest.json", r#"{"result_format": 1}"#),
            file("charts/a.svg", content),
        ]
    }

    #[test]
    fn measurements_stay_where_the_results_around_them_are_replaced() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("outage");
        let kept = directory.join(KEPT);
        replace(&kept, &ours("measured")).unwrap();
        // First without, then with results around it.
        for content in ["one", "two"] {
            replace(&directory, &ours(content)).unwrap();
            let chart = |folder: &Path| fs::read_to_string(folder.join("charts/a.svg")).unwrap();
            assert_eq!(
                (chart(&directory), chart(&kept)),
                (content.into(), "measured".into())
            );
        }
        // A kill after the renames, and before it was taken out of the old result.
        let old = root.path().join(format!(".outage.4294967295{OLD}"));
        fs::create_dir(&old).unwrap();
        fs::rename(&kept, old.join(KEPT)).unwrap();
        replace(&directory, &ours("three")).unwrap();
        assert!(is_ours(&kept) && !old.exists());
    }

    #[test]
    fn a_folder_of_that_name_that_is_not_ours_is_foreign() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(KEPT)).unwrap();
        assert!(matches!(
            check(root.path()),
            Err(WriteError::ForeignFiles(_))
        ));
    }

    fn names_in(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn new_results_replace_old_ones_whole() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("results/outage");
        replace(&target, &ours("one")).unwrap();
        fs::write(target.join("stale.csv"), "").unwrap();
        replace(&target, &ours("two")).unwrap();
        assert_eq!(names_in(&target), ["charts", "manifest.json"]);
        assert_eq!(fs::read(target.join("charts/a.svg")).unwrap(), b"two");
        assert_eq!(names_in(&root.path().join("results")), ["outage"]);
    }

    #[test]
    fn a_write_that_fails_midway_leaves_the_old_results() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("outage");
        replace(&target, &ours("one")).unwrap();
        let mut files = ours("two");
        // A file where a directory must go.
        files.push(file("charts/a.svg/b", ""));
        let error = replace(&target, &files).unwrap_err().to_string();
        assert!(error.contains("a.svg"), "{error}");
        assert_eq!(fs::read(target.join("charts/a.svg")).unwrap(), b"one");
        assert_eq!(names_in(root.path()), ["outage"]);
    }

    #[test]
    fn a_swap_that_fails_midway_puts_the_old_results_back() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("outage");
        replace(&target, &ours("one")).unwrap();
        // The new directory was never written, so the second rename fails.
        let error = swap(&target, &Names::beside(&target).unwrap()).unwrap_err();
        assert!(error.to_string().contains("move into place"), "{error}");
        assert_eq!(fs::read(target.join("charts/a.svg")).unwrap(), b"one");
        assert_eq!(names_in(root.path()), ["outage"]);
    }

    #[test]
    fn what_is_not_ours_is_not_replaced() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("outage");
        fs::write(&target, "a file").unwrap();
        let error = replace(&target, &ours("")).unwrap_err();
        assert!(matches!(error, WriteError::NotADirectory(_)), "{error}");
        assert_eq!(fs::read(&target).unwrap(), b"a file");

        let folder = root.path().join("thesis");
        fs::create_dir(&folder).unwrap();
        replace(&folder, &ours("into an empty one")).unwrap();
        for foreign in [r#"{"name": "of another program"}"#, "no JSON"] {
            fs::write(folder.join("manifest.json"), foreign).unwrap();
            let error = replace(&folder, &ours("")).unwrap_err();
            assert!(matches!(error, WriteError::ForeignFiles(_)), "{error}");
        }
        assert_eq!(names_in(&folder), ["charts", "manifest.json"]);
        assert!(check(Path::new("/")).is_err());
    }

    #[test]
    fn what_killed_runs_left_is_cleaned_up() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("outage");
        // No process has this number.
        fs::create_dir(root.path().join(".outage.4194999998.partial")).unwrap();
        let dead = u32::MAX - 1;
        write_all(
            &root.path().join(format!(".outage.{dead}.partial")),
            &ours("torn"),
        )
        .unwrap();
        write_all(
            &root.path().join(format!(".outage.{dead}.old.partial")),
            &ours("old"),
        )
        .unwrap();
        fs::create_dir(root.path().join(".other.1.partial")).unwrap();
        let names = Names::beside(&target).unwrap();
        clean_up(&target, &names).unwrap();
        assert_eq!(fs::read(target.join("charts/a.svg")).unwrap(), b"old");
        assert_eq!(names_in(root.path()), [".other.1.partial", "outage"]);
    }
}
