//! `[workload]`: the arrival process and the classes of requests.

mod classes;

use super::decode;
use super::diagnostics::{Finding, Findings};
use super::document::Node;
use super::models::Models;
use super::section::Section;
use super::trace_file::{self, TraceFile};
use crate::time::{Duration, Timestamp};
use crate::units::Rate;
use crate::workload::config::{Arrivals, RateSegment, RequestClass};

/// What entries are read against.
pub(super) struct Context<'a> {
    /// Models; `None` if unreliable.
    pub(super) models: Option<&'a Models>,
    /// Names of regions; `None` if unreliable.
    pub(super) regions: Option<&'a [String]>,
    /// Directory that the path of a trace in the file starts from.
    pub(super) base_dir: &'a std::path::Path,
    /// How the scenario is called in messages.
    pub(super) source_name: &'a str,
    /// Where findings go.
    pub(super) findings: &'a Findings,
}

/// What `[workload]` says.
pub(super) struct Workload {
    /// Arrivals; `None` if bad.
    pub(super) arrivals: Option<Arrivals>,
    /// The trace that was read.
    pub(super) trace: Option<TraceFile>,
    /// Whether arrivals come from a trace, read or not.
    pub(super) traced: bool,
    /// Classes; `None` if one is bad.
    pub(super) classes: Option<Vec<RequestClass>>,
}

/// What a trace states of each request, so that classes must not.
#[derive(Clone, Copy)]
struct Recorded {
    tokens: bool,
    cached_input: bool,
}

/// Reads `[workload]`. `None` if there is none to speak of.
pub(super) fn read(top: &mut Section, context: &Context) -> Option<Workload> {
    let node = top.required_node("workload", "[workload]")?;
    let mut section = Section::of(node, "[workload]", context.findings)?;
    let kind = decode::word("arrival process", &KINDS, |kind| kind);
    let kind = section.required("arrivals", "\"poisson\"", kind);
    let traced = kind == Some("trace");
    let recorded = Recorded {
        tokens: traced,
        cached_input: traced && trace_file::states_cached_input(&mut section),
    };
    let read_classes = |section: &mut _| classes::read(section, context, recorded);
    let (mut trace, mut classes) = (None, None);
    let arrivals = match kind {
        Some("trace") => {
            // First, since rows may name them.
            let named = classes.insert(read_classes(&mut section));
            trace = trace_file::read(&mut section, context, named.as_deref());
            trace
                .as_ref()
                .map(|file| Arrivals::Trace(file.trace.clone()))
        }
        Some("piecewise") => segments(&mut section, context.findings).map(Arrivals::Piecewise),
        Some(kind) => rate(&mut section).map(|rate| match kind {
            "constant" => Arrivals::Constant { rate },
            _ => Arrivals::Poisson { rate },
        }),
        None => None,
    };
    others(&mut section, kind);
    let classes = classes.unwrap_or_else(|| read_classes(&mut section));
    section.finish();
    Some(Workload {
        arrivals,
        trace,
        traced,
        classes,
    })
}

const KINDS: [&str; 4] = ["poisson", "constant", "piecewise", "trace"];

/// Keys of the other arrival processes.
fn others(section: &mut Section, kind: Option<&str>) {
    let Some(kind) = kind else {
        for key in ["rate", "segments"].iter().chain(&trace_file::KEYS) {
            section.node(key);
        }
        return;
    };
    if kind != "trace" {
        for key in trace_file::KEYS {
            section.refuse(key, "only with arrivals = \"trace\"");
        }
    }
    if kind != "piecewise" {
        section.refuse("segments", "only with arrivals = \"piecewise\"");
    }
    match kind {
        "trace" => section.refuse("rate", "the trace has its own rate; see `rate_scale`"),
        "piecewise" => section.refuse("rate", "the rates stand in `segments`"),
        _ => {}
    }
}

fn rate(section: &mut Section) -> Option<Rate> {
    section.required("rate", "\"40rps\"", |node| {
        let rate = decode::rate(node)?;
        if rate.as_per_second() > 0.0 {
            return Ok(rate);
        }
        Err(decode::Problem {
            title: decode::Title::OfKey("is out of range"),
            label: "nobody would ever ask".into(),
            help: Some("a rate above 0, at most 1000000rps".into()),
            span: None,
        })
    })
}

/// Reads the segments: the first starts at 0, and their starts rise.
fn segments(section: &mut Section, findings: &Findings) -> Option<Vec<RateSegment>> {
    section.required_node("segments", "[{ start = \"0s\", rate = \"40rps\" }]")?;
    let items = section.list("segments")?;
    let read: Vec<_> = items.iter().map(|item| segment(item, findings)).collect();
    let segments: Vec<RateSegment> = read.into_iter().collect::<Option<_>>()?;
    let span = section.span("segments");
    let wrong = |at: usize, label: &str| {
        let span = items.get(at).map_or(span, |item| item.span);
        let finding = Finding::error("the segments are not in order");
        let help = "the first starts at \"0s\", and each of the others later than the one before";
        findings.push(finding.at(span, label).help(help));
    };
    if segments.first().map(|first| first.start) != Some(Timestamp::ZERO) {
        wrong(0, "the first segment must start at \"0s\"");
        return None;
    }
    if let Some(at) = (1..segments.len()).find(|&at| segments[at].start <= segments[at - 1].start) {
        wrong(at, "does not start after the one before");
        return None;
    }
    let zero = |s: &RateSegment| s.from.as_per_second() == 0.0 && s.to.as_per_second() == 0.0;
    if segments.iter().all(zero) {
        findings.push(Finding::error("every rate is 0").at(span, "nobody would ever ask"));
        return None;
    }
    Some(segments)
}

fn segment(node: &Node, findings: &Findings) -> Option<RateSegment> {
    let mut section = Section::of(node, "a segment", findings)?;
    let start = section.required("start", "\"0s\"", decode::duration);
    let (from, to) = if section.has("from") || section.has("to") {
        section.refuse("rate", "a segment has either `rate`, or `from` and `to`");
        let from = section.required("from", "\"20rps\"", decode::rate);
        (from, section.required("to", "\"80rps\"", decode::rate))
    } else {
        let rate = section.required("rate", "\"40rps\"", decode::rate);
        section.node("from");
        section.node("to");
        (rate, rate)
    };
    section.finish();
    Some(RateSegment {
        start: Timestamp::ZERO + start?,
        from: from?,
        to: to?,
    })
}

/// Requests expected until `end`; `None` for a trace.
pub(super) fn expected_requests(arrivals: &Arrivals, end: Duration) -> Option<f64> {
    let seconds = end.as_secs_f64();
    match arrivals {
        Arrivals::Poisson { rate } | Arrivals::Constant { rate } => {
            Some(rate.as_per_second() * seconds)
        }
        Arrivals::Piecewise(segments) => {
            let starts = segments.iter().map(|s| s.start.as_secs_f64());
            let ends = starts.skip(1).chain([f64::MAX]);
            let requests = segments.iter().zip(ends).map(|(segment, next)| {
                let (start, end) = (segment.start.as_secs_f64(), next.min(seconds));
                let (from, to) = (segment.from.as_per_second(), segment.to.as_per_second());
                (end - start).max(0.0) * (from + to) / 2.0
            });
            Some(requests.sum())
        }
        Arrivals::Trace(_) => None,
    }
}
