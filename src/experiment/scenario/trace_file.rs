//! The trace that a workload replays: finding, reading, hashing it.
//!
//! This is the one place of the parser that opens a file. A path written in the scenario starts
//! from the scenario's directory, so that a scenario and its trace can move together; a path given
//! by `--set` starts from the current directory, as every path on a command line does.

mod format;
mod options;

use super::decode;
use super::diagnostics::{Finding, Findings, Span};
use super::document::Node;
use super::section::Section;
use super::workload::Context;
use crate::time::Duration;
use crate::workload::config::RequestClass;
use crate::workload::trace::{Names, Trace, TraceError};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// Keys of `[workload]` that only a trace has.
pub(super) const KEYS: [&str; 10] = [
    "path",
    "format",
    "rate_scale",
    "slice_start",
    "slice_end",
    "limit",
    "repeat",
    "spread",
    "quantum",
    "cached_input",
];

/// A trace that was read.
pub(super) struct TraceFile {
    /// Its rows.
    pub(super) trace: Arc<Trace>,
    /// Path as given.
    pub(super) path: String,
    /// SHA-256 of the file in hexadecimal.
    pub(super) sha256: String,
    /// Where the path stands.
    pub(super) at: Span,
}

impl TraceFile {
    /// Just after the last arrival; see [`Trace::end`].
    pub(super) fn end(&self) -> Duration {
        self.trace.end()
    }

    /// Number of requests.
    pub(super) fn requests(&self) -> u64 {
        self.trace.requests()
    }
}

/// Whether the trace of a section states the cached input of every request.
pub(super) fn states_cached_input(section: &mut Section) -> bool {
    section.node("cached_input").and_then(Node::text) == Some("prefix")
}

/// Reads the trace that a section names, for these classes. `None` if that fails, which is
/// reported.
pub(super) fn read(
    section: &mut Section,
    context: &Context,
    classes: Option<&[RequestClass]>,
) -> Option<TraceFile> {
    let findings = context.findings;
    let classes: Option<Vec<String>> =
        classes.map(|classes| classes.iter().map(|class| class.name.clone()).collect());
    let names = || {
        Some(Names {
            classes: classes.as_deref()?,
            models: &context.models?.names,
            regions: context.regions?,
        })
    };
    let format = format::read(section, names());
    let options = options::read(section, findings);
    let path = path(section, context);
    let options = options?;
    let (format, (path, node)) = (format?, path?);
    let full = if node.span.source == 0 {
        context.base_dir.join(&path)
    } else {
        path.clone().into()
    };
    let read = |bytes: &mut Hashing| format.trace(bytes, &options);
    open(&path, node, &full, read, findings)
}

fn path<'a>(section: &mut Section<'a>, context: &Context) -> Option<(String, &'a Node)> {
    let findings = context.findings;
    let Some(node) = section.node("path") else {
        findings.push(
            Finding::error("this scenario replays a trace, and needs the path of its file")
                .at(section.span("arrivals"), "no `path` is given")
                .help(format!(
                    "run `routelab {} --set workload.path=FILE`, where FILE is the trace, plain \
                     or compressed by gzip",
                    context.source_name
                ))
                .needs_the_rest(),
        );
        return None;
    };
    decode::name(node)
        .map(|path| (path, node))
        .map_err(|problem| findings.push(problem.finding("path", node)))
        .ok()
}

fn open(
    path: &str,
    node: &Node,
    full: &Path,
    read: impl FnOnce(&mut Hashing) -> Result<Trace, TraceError>,
    findings: &Findings,
) -> Option<TraceFile> {
    let unreadable = |error: &io::Error| {
        let finding = Finding::error(format!("cannot read the trace `{path}`"));
        let help = "a path in a scenario file starts from the file's directory, one after --set \
                    from the current directory";
        findings.push(finding.at(node.span, reason(error)).help(help));
    };
    if full.is_dir() {
        unreadable(&io::ErrorKind::IsADirectory.into());
        return None;
    }
    let file = File::open(full).map_err(|error| unreadable(&error)).ok()?;
    let mut hashing = Hashing {
        inner: file,
        hash: Sha256::new(),
    };
    let read = read(&mut hashing);
    // The reader may stop early; the hash is that of the whole file.
    if let Err(error) = io::copy(&mut hashing, &mut io::sink()) {
        unreadable(&error);
        return None;
    }
    match read {
        Ok(trace) => Some(TraceFile {
            trace: Arc::new(trace),
            path: path.to_owned(),
            sha256: hexadecimal(&hashing.hash.finalize()),
            at: node.span,
        }),
        Err(error) => {
            let finding = Finding::error(format!("bad trace: {}", error.message));
            let finding = finding.origin(path, error.line, error.column as u64);
            findings.push(finding.at(node.span, "the trace is named here"));
            None
        }
    }
}

/// Why a file cannot be read, without the number of the system call's error.
pub(in crate::experiment) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::IsADirectory => "this is a directory".into(),
        _ => error.to_string(),
    }
}

/// A reader that hashes what passes through it.
struct Hashing {
    inner: File,
    hash: Sha256,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
