//! The trace that a workload replays: finding, reading, hashing it.
//!
//! This is the one place of the parser that opens a file. A path written in the scenario starts
//! from the scenario's directory, so that a scenario and its trace can move together; a path given
//! by `--set` starts from the current directory, as every path on a command line does.

use super::decode;
use super::diagnostics::{Finding, Findings};
use super::document::Node;
use super::section::Section;
use super::workload::Context;
use crate::time::Duration;
use crate::workload::trace::{Trace, TraceOptions};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// Keys of `[workload]` that only a trace has.
pub(super) const KEYS: [&str; 6] = [
    "path",
    "format",
    "rate_scale",
    "slice_start",
    "slice_end",
    "limit",
];

/// A trace that was read.
pub(super) struct TraceFile {
    /// Its rows.
    pub(super) trace: Arc<Trace>,
    /// Path as given.
    pub(super) path: String,
    /// SHA-256 of the file in hexadecimal.
    pub(super) sha256: String,
}

impl TraceFile {
    /// A mean gap after the last arrival (a second, if there is only one), so that rates per second
    /// are over the time that the rows stand for.
    pub(super) fn end(&self) -> Duration {
        let gaps = self.requests().saturating_sub(1);
        let last = self.trace.duration();
        let gap = last.as_nanos().checked_div(gaps).unwrap_or(1_000_000_000);
        last + Duration::from_nanos(gap.max(1))
    }

    /// Number of requests.
    pub(super) fn requests(&self) -> u64 {
        self.trace.len() as u64
    }
}

/// Reads the trace that a section names. `None` if that fails, which is reported.
pub(super) fn read(section: &mut Section, context: &Context) -> Option<TraceFile> {
    let findings = context.findings;
    let format = decode::word("trace format", &["azure"], |format| format);
    let format = section.required("format", "\"azure\"", format);
    let scale = section.or("rate_scale", 1.0, decode::factor);
    let start = section.optional("slice_start", decode::duration);
    let end = section.optional("slice_end", decode::positive_duration);
    let limit = section.optional("limit", decode::count(1..=u64::MAX));
    let slice = slice(section, (start?, end?), findings);
    let path = path(section, context);
    let options = TraceOptions {
        rate_scale: scale?,
        slice: slice?,
        limit: limit?,
    };
    format?;
    let (path, node) = path?;
    let full = if node.span.source == 0 {
        context.base_dir.join(&path)
    } else {
        path.clone().into()
    };
    open(&path, node, &full, &options, findings)
}

type Slice = Option<(Duration, Duration)>;

fn slice(
    section: &Section,
    (start, end): (Option<Duration>, Option<Duration>),
    findings: &Findings,
) -> Option<Slice> {
    if start.is_none() && end.is_none() {
        return Some(None);
    }
    let ends = (
        start.unwrap_or(Duration::ZERO),
        end.unwrap_or(Duration::MAX),
    );
    if ends.0 >= ends.1 {
        let key = if end.is_some() {
            "slice_end"
        } else {
            "slice_start"
        };
        let finding = Finding::error("the slice of the trace is empty");
        let label = format!("the slice goes from {} to {}", ends.0, ends.1);
        findings.push(finding.at(section.span(key), label));
        return None;
    }
    Some(Some(ends))
}

fn path<'a>(section: &mut Section<'a>, context: &Context) -> Option<(String, &'a Node)> {
    let findings = context.findings;
    let Some(node) = section.node("path") else {
        findings.push(
            Finding::error("this scenario replays a trace, and needs the path of its file")
                .at(section.span("arrivals"), "no `path` is given")
                .help(format!(
                    "run `routelab {} --set workload.path=FILE`, where FILE is the CSV, or the \
                     CSV compressed by gzip",
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
    options: &TraceOptions,
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
    let read = Trace::read_azure_csv(&mut hashing, options);
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
pub(super) fn reason(error: &io::Error) -> String {
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
