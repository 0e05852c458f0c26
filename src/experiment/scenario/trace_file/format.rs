//! How a trace is written down: the format, and what only one of them has.

use crate::experiment::scenario::decode;
use crate::experiment::scenario::section::Section;
use crate::workload::trace::{CachedInput, Names, Trace, TraceError, TraceOptions};
use std::io::Read;

/// A format, with what its reader needs to know.
#[derive(Clone, Copy)]
pub(super) enum Format<'a> {
    Azure,
    Mooncake(CachedInput),
    Csv(Names<'a>),
}

impl Format<'_> {
    /// Reads a trace.
    pub(super) fn trace(
        self,
        bytes: impl Read,
        options: &TraceOptions,
    ) -> Result<Trace, TraceError> {
        match self {
            Self::Azure => Trace::read_azure_csv(bytes, options),
            Self::Mooncake(cached) => Trace::read_mooncake_jsonl(bytes, cached, options),
            Self::Csv(names) => Trace::read_csv(bytes, &names, options),
        }
    }
}

const FORMATS: [&str; 3] = ["azure", "mooncake", "csv"];

/// Reads the format. `None` if it is bad, which is reported, or needs names that are not reliable.
pub(super) fn read<'a>(section: &mut Section, names: Option<Names<'a>>) -> Option<Format<'a>> {
    let format = decode::word("trace format", &FORMATS, |format| format);
    let format = section.required("format", "\"azure\"", format);
    if matches!(format, Some("azure" | "csv")) {
        section.refuse("cached_input", "only with format = \"mooncake\"");
    }
    match format? {
        "azure" => Some(Format::Azure),
        "csv" => names.map(Format::Csv),
        _ => cached_input(section).map(Format::Mooncake),
    }
}

fn cached_input(section: &mut Section) -> Option<CachedInput> {
    let name = |cached| match cached {
        CachedInput::None => "none",
        CachedInput::Prefix => "prefix",
    };
    let ways = [CachedInput::None, CachedInput::Prefix];
    let way = decode::word("source of cached input", &ways, name);
    section.or("cached_input", CachedInput::None, way)
}
