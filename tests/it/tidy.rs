//! House rules, as far as the compiler does not know them.
//!
//! The sources are read as text. A full parser would know more, but has to be kept up with the
//! language; these rules need only to know what is code and what is comment or literal. Every rule
//! is a function from a text to findings, and is itself tested on texts that break it: a check that
//! cannot fail checks nothing.

mod items;
mod layers;
mod lines;
mod mask;

use std::fmt;
use std::path::{Path, PathBuf};

/// A place where a rule is broken.
#[derive(PartialEq, Debug)]
struct Finding {
    file: String,
    /// From 1.
    line: usize,
    /// What is wrong, and what to do.
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// One file, with what the rules need to know of it.
struct Source {
    /// Path from the root of the package, with `/`.
    file: String,
    text: String,
    /// `text` with the contents of comments and literals blanked out: as long, line by line.
    code: String,
}

impl Source {
    fn new(file: &str, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            code: mask::mask(text),
        }
    }

    /// A finding at a byte offset.
    fn at(&self, offset: usize, message: String) -> Finding {
        let line = 1 + self.text[..offset].matches('\n').count();
        self.on(line, message)
    }

    /// A finding on a line, from 1.
    fn on(&self, line: usize, message: String) -> Finding {
        Finding {
            file: self.file.clone(),
            line,
            message,
        }
    }
}

/// Every rule for Rust sources.
fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(lines::too_wide(source));
    findings.extend(lines::white_space(source));
    findings.extend(lines::left_overs(source));
    findings.extend(items::module_file(source));
    findings.extend(items::module_docs(source));
    findings.extend(items::long_functions(source));
    if source.file.starts_with("src/") {
        findings.extend(lines::platform_maths(source));
        findings.extend(items::public_docs(source));
        findings.extend(layers::forbidden_edges(source));
    }
    findings
}

const SOURCE_FOLDERS: [&str; 4] = ["src", "tests", "benches", "examples"];

#[test]
fn the_sources_are_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in SOURCE_FOLDERS {
        collect(&root.join(folder), &mut files);
    }
    assert!(files.len() > 20, "only {} sources found", files.len());
    let mut findings = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
        let inside = path.strip_prefix(root).expect("collected under the root");
        let file = inside.to_string_lossy().replace('\\', "/");
        findings.extend(check(&Source::new(&file, &text)));
    }
    let list: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "\n{}\n", list.join("\n"));
}

/// All Rust files under `dir`, sorted; none if there is no such folder.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// What a rule finds in a text that keeps it.
const NOTHING: [usize; 0] = [];

/// For tests of the rules: the lines on which a rule finds something in a text.
fn lines_found<F>(file: &str, text: &str, rule: impl Fn(&Source) -> F) -> Vec<usize>
where
    F: IntoIterator<Item = Finding>,
{
    let source = Source::new(file, text);
    rule(&source).into_iter().map(|found| found.line).collect()
}

#[test]
fn a_finding_names_its_place() {
    let source = Source::new("src/sim/x.rs", "//! An X.\n\npub fn f() {}\n");
    let findings: Vec<_> = check(&source).iter().map(ToString::to_string).collect();
    assert_eq!(findings.len(), 1);
    assert!(findings[0].starts_with("src/sim/x.rs:3: "), "{findings:?}");
}
