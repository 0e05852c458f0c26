//! `[[workload.classes]]`: the kinds of requests.

use super::{Context, Recorded};
use crate::distribution::Distribution;
use crate::experiment::scenario::decode::{self, Decoded};
use crate::experiment::scenario::diagnostics::{Finding, Findings};
use crate::experiment::scenario::distribution::{self, Measure};
use crate::experiment::scenario::document::{Node, Value};
use crate::experiment::scenario::regions;
use crate::experiment::scenario::section::{Section, all_named_apart};
use crate::request::{
    ModelIndex, Provider, RegionIndex, RequestPriority, RequestType, UserPreferences,
};
use crate::workload::config::{Repeats, RequestClass, Zipf};

/// Most classes of requests.
const MOST_CLASSES: usize = 1_000;

/// Reads `[[workload.classes]]`. `None` if one is bad.
pub(super) fn read<'a>(
    section: &mut Section<'a>,
    context: &Context<'a>,
    recorded: Recorded,
) -> Option<Vec<RequestClass>> {
    let findings = context.findings;
    section.required_node("classes", "[[workload.classes]] for each kind of request")?;
    let items = section.few("classes", (MOST_CLASSES, "classes"), "")?;
    let read: Vec<_> = items
        .iter()
        .map(|item| class(item, context, recorded))
        .collect();
    let classes: Vec<RequestClass> = read.into_iter().collect::<Option<_>>()?;
    let all = (items, &classes[..]);
    let same = |one: &RequestClass, other: &RequestClass| one.name == other.name;
    let mut good = all_named_apart("classes", all, same, |class| &class.name, findings);
    if classes.iter().all(|class| class.weight == 0.0) {
        let finding = Finding::error("the weights of all classes are 0");
        let help = "a class with weight 0 is never asked for; give at least one a weight above 0";
        findings.push(finding.at(section.span("classes"), "").help(help));
        good = false;
    }
    good.then_some(classes)
}

fn class(node: &Node, context: &Context, recorded: Recorded) -> Option<RequestClass> {
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
    let input_tokens = tokens(&mut section, "input_tokens", recorded.tokens, findings);
    let output_tokens = tokens(&mut section, "output_tokens", recorded.tokens, findings);
    let cached_input_share = if recorded.cached_input {
        section.refuse("cached_input_share", "the trace states what is cached");
        Some(0.0)
    } else {
        section.or("cached_input_share", 0.0, decode::share)
    };
    let most = decode::or_word("none", None, |node| decode::count_u32(1)(node).map(Some));
    let max_output_tokens = section.or("max_output_tokens", None, most);
    let priority = decode::word("priority", RequestPriority::ALL, RequestPriority::name);
    let priority = section.or("priority", RequestPriority::Normal, priority);
    let kind = decode::word("request type", RequestType::ALL, RequestType::name);
    let request_type = section.or("request_type", RequestType::Chat, kind);
    let streaming_share = section.or("streaming_share", 0.0, decode::share);
    let regions = section.node("regions");
    let regions = regions.map_or(Some(Vec::new()), |node| regions_of(node, context));
    let preferences = preferences(&mut section, findings);
    let repeats = repeats(&mut section, recorded.tokens, findings);
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
        repeats: repeats?,
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

/// Reads how requests repeat each other.
fn repeats(section: &mut Section, traced: bool, findings: &Findings) -> Option<Option<Repeats>> {
    if traced {
        let why = "the trace states the tokens of each request, and no two need be the same";
        section.refuse("repeats", why);
        return Some(None);
    }
    let Some(node) = section.node("repeats") else {
        return Some(None);
    };
    let mut part = Section::of(node, "`repeats`", findings)?;
    let share = part.required("share", "0.3", decode::share);
    let keys = part.required("keys", "10_000", decode::count(1..=1_000_000_000));
    let exponent = part.or("exponent", 1.0, decode::number(0.0..=10.0));
    part.finish();
    let popularity = Zipf::new(keys? as u32, exponent?);
    let popularity = popularity
        .map_err(|why| findings.push(Finding::error("invalid `repeats`").at(node.span, why.0)));
    Some(Some(Repeats {
        share: share?,
        popularity: popularity.ok()?,
    }))
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
