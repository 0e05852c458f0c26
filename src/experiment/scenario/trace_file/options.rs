//! What to make of a trace: the keys that all formats share.

use crate::experiment::scenario::decode;
use crate::experiment::scenario::diagnostics::{Finding, Findings};
use crate::experiment::scenario::section::Section;
use crate::time::Duration;
use crate::workload::trace::{Spread, SpreadOptions, TraceOptions};

/// Most passes over a trace.
const MOST_PASSES: u64 = 1_000_000;

/// Reads them. `None` if one is bad, which is reported.
pub(super) fn read(section: &mut Section, findings: &Findings) -> Option<TraceOptions> {
    let scale = section.or("rate_scale", 1.0, decode::factor);
    let start = section.optional("slice_start", decode::duration);
    let end = section.optional("slice_end", decode::positive_duration);
    let limit = section.optional("limit", decode::count(1..=u64::MAX));
    let repeat = section.or("repeat", 1, decode::count(1..=MOST_PASSES));
    let spread = spread(section);
    let slice = slice(section, (start?, end?), findings);
    Some(TraceOptions {
        rate_scale: scale?,
        slice: slice?,
        limit: limit?,
        repeat: repeat? as u32,
        spread: spread?,
    })
}

fn spread(section: &mut Section) -> Option<Option<SpreadOptions>> {
    let name = |how: Option<Spread>| match how {
        None => "none",
        Some(Spread::Even) => "even",
        Some(Spread::Random) => "random",
    };
    let ways = [None, Some(Spread::Even), Some(Spread::Random)];
    let how = section.or("spread", None, decode::word("way to spread", &ways, name));
    if how == Some(None) {
        section.refuse("quantum", "only with `spread`");
        return Some(None);
    }
    let quantum = section.optional("quantum", decode::positive_duration);
    let (how, quantum) = (how??, quantum?);
    Some(Some(SpreadOptions { how, quantum }))
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
