//! `[workload]`: the arrival process and the classes of requests.

use super::decode::{self, Decoded};
use super::diagnostics::{Finding, Findings};
use super::distribution::{self, Measure};
use super::document::{Node, Value};
use super::models::Models;
use super::regions;
use super::section::Section;
use super::trace_file::{self, TraceFile};
use crate::distribution::Distribution;
use crate::request::{
    ModelIndex, Provider, RegionIndex, RequestPriority, RequestType, UserPreferences,
};
use crate::time::{Duration, Timestamp};
use crate::units::Rate;
use crate::workload::config::{Arrivals, RateSegment, RequestClass};

/// Most classes of requests.
const MOST_CLASSES: usize = 1_000;

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

/// Reads `[workload]`. `None` if there is none to speak of.
pub(super) fn read(top: &mut Section, context: &Context) -> Option<Workload> {
    let node = top.required_node("workload", "[workload]")?;
    let mut section = Section::of(node, "[workload]", context.findings)?;
    let kind = decode::word("arrival process", &KINDS, |kind| kind);
    let kind = section.required("arrivals", "\"poisson\"", kind);
    let mut trace = None;
    let arrivals = match kind {
        Some("trace") => {
            trace = trace_file::read(&mut section, context);
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
    let traced = kind == Some("trace");
    others(&mut section, kind);
    let classes = classes(&mut section, context, traced);
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

fn classes<'a>(
    section: &mut Section<'a>,
    context: &Context<'a>,
    traced: bool,
) -> Option<Vec<RequestClass>> {
    let findings = context.findings;
    section.required_node("classes", "[[workload.classes]] for each kind of request")?;
    let items = section.list("classes")?;
    if items.is_empty() || items.len() > MOST_CLASSES {
        let label = format!("{} classes", items.len());
        let finding = Finding::error("too few or too many classes of requests");
        let help = format!("allowed: 1 to {MOST_CLASSES} classes");
        findings.push(finding.at(section.span("classes"), label).help(help));
        return None;
    }
    let read: Vec<_> = items
        .iter()
        .map(|item| class(item, context, traced))
        .collect();
    let classes: Vec<RequestClass> = read.into_iter().collect::<Option<_>>()?;
    let mut good = true;
    for (at, class) in classes.iter().enumerate() {
        if let Some(before) = classes[..at]
            .iter()
            .position(|other| other.name == class.name)
        {
            let finding = Finding::error(format!("two classes are called `{}`", class.name));
            let finding = finding.at(items[at].span, "used again here");
            findings.push(finding.also(items[before].span, "first used here"));
            good = false;
        }
    }
    if classes.iter().all(|class| class.weight == 0.0) {
        let finding = Finding::error("the weights of all classes are 0");
        let help = "a class with weight 0 is never asked for; give at least one a weight above 0";
        findings.push(finding.at(section.span("classes"), "").help(help));
        good = false;
    }
    good.then_some(classes)
}

fn class(node: &Node, context: &Context, traced: bool) -> Option<RequestClass> {
    let findings = context.findings;
    let mut section = Section::of(node, "a class", findings)?;
    let name = section.required("name", "\"chat\"", decode::name);
    let weight = section.or("weight", 1.0, decode::weight);
    let model = match (
        section.required_node("model", "\"claude-sonnet\""),
        context.models,
    ) {
        (Some(node), Some(models)) => decode::reference("model", &models.names)(node)
            .map_err(|problem| findings.push(problem.finding("model", node)))
            .ok(),
        _ => None,
    };
    let input_tokens = tokens(&mut section, "input_tokens", traced, findings);
    let output_tokens = tokens(&mut section, "output_tokens", traced, findings);
    let cached_input_share = section.or("cached_input_share", 0.0, decode::share);
    let max_output_tokens = section.or("max_output_tokens", None, |node| match node.text() {
        Some("none") => Ok(None),
        _ => decode::count_u32(1)(node).map(Some),
    });
    let priority = decode::word("priority", RequestPriority::ALL, RequestPriority::name);
    let priority = section.or("priority", RequestPriority::Normal, priority);
    let kind = decode::word("request type", RequestType::ALL, RequestType::name);
    let request_type = section.or("request_type", RequestType::Chat, kind);
    let streaming_share = section.or("streaming_share", 0.0, decode::share);
    let regions = section.node("regions");
    let regions = regions.map_or(Some(Vec::new()), |node| regions_of(node, context));
    let preferences = preferences(&mut section, findings);
    section.finish();
    Some(RequestClass {
        name: name?,
        weight: weight?,
        model: ModelIndex(model? as u16),
        input_tokens: input_tokens?,
        output_tokens: output_tokens?,
        cached_input_share: cached_input_share?,
        max_output_tokens: max_output_tokens?,
        priority: priority?,
        request_type: request_type?,
        streaming_share: streaming_share?,
        regions: regions?,
        preferences: preferences?,
    })
}

fn tokens(
    section: &mut Section,
    key: &'static str,
    traced: bool,
    findings: &Findings,
) -> Option<Distribution> {
    if traced {
        section.refuse(key, "the trace states the tokens of each request");
        return Distribution::constant(0.0).ok();
    }
    let node = section.required_node(key, "500")?;
    distribution::read(key, node, Measure::Tokens, findings)
}

/// Reads where users are: a name, or a table from names to weights.
fn regions_of(node: &Node, context: &Context) -> Option<Vec<(RegionIndex, f64)>> {
    let lookup = regions::lookup(context.regions);
    let bad = |problem: decode::Problem, node: &Node| {
        context.findings.push(problem.finding("regions", node));
    };
    let table = match &node.value {
        Value::Text(_) => {
            let region = lookup(node).map_err(|problem| bad(problem, node)).ok()??;
            return Some(vec![(region, 1.0)]);
        }
        Value::Table(table) => table,
        _ => {
            let expected = "the name of a region, or a table of weights";
            bad(decode::wrong_type(node, expected), node);
            return None;
        }
    };
    let read: Vec<Option<(RegionIndex, f64)>> = table
        .entries
        .iter()
        .map(|entry| {
            let key = Node {
                span: entry.span,
                value: Value::Text(entry.key.clone()),
            };
            let region = lookup(&key).map_err(|problem| bad(problem, &key)).ok();
            let weight = decode::weight(&entry.node);
            let weight = weight.map_err(|problem| bad(problem, &entry.node)).ok();
            Some((region??, weight?))
        })
        .collect();
    let regions: Vec<(RegionIndex, f64)> = read.into_iter().collect::<Option<_>>()?;
    if !regions.is_empty() && regions.iter().all(|(_, weight)| *weight == 0.0) {
        let finding = Finding::error("the weights of all regions are 0");
        context
            .findings
            .push(finding.at(node.span, "users must be somewhere"));
        return None;
    }
    Some(regions)
}

fn preferences(section: &mut Section, findings: &Findings) -> Option<UserPreferences> {
    let Some(node) = section.node("preferences") else {
        return Some(UserPreferences::default());
    };
    let mut part = Section::of(node, "`preferences`", findings)?;
    let provider = decode::word("provider", Provider::ALL, Provider::name);
    let provider = part.optional("provider", provider);
    let required = part.or("provider_required", false, decode::boolean);
    let tolerance = part.optional("latency_tolerance", decode::positive_duration);
    let sensitivity = part.optional("cost_sensitivity", sensitivity);
    let quality = part.optional("minimum_quality", |node| {
        decode::count(1..=5)(node).map(|tier| tier as u8)
    });
    if required == Some(true) && provider == Some(None) {
        part.missing("provider", "\"anthropic\"");
    }
    part.finish();
    Some(UserPreferences {
        provider: provider?,
        provider_required: required?,
        latency_tolerance: tolerance?,
        cost_sensitivity: sensitivity?,
        minimum_quality: quality?,
    })
}

fn sensitivity(node: &Node) -> Decoded<f64> {
    let share = decode::share(node)?;
    if share > 0.0 {
        return Ok(share);
    }
    Err(decode::Problem {
        title: decode::Title::OfKey("is out of range"),
        label: "must be above 0".into(),
        help: Some("leave it out for users who do not look at the price".into()),
        span: None,
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
