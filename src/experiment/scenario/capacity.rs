//! `capacity`: how many attempts an account works on at a time, and how fast.
//!
//! A table is one model, and the model's main key says which; so no table can be half of one and
//! half of another, and the plain case, `{ slots = 40 }`, stays as short as it was.

use super::decode::{self, Decoded};
use super::diagnostics::{Finding, Findings};
use super::document::{Node, Value};
use super::section::Section;
use super::service::REFUSALS;
use crate::request::FailureKind;
use crate::time::Duration;
use crate::upstream::config::{Abandoned, Capacity, InvalidSpeeds, Speeds};

/// The main keys of the models.
const MODELS: [&str; 4] = ["slots", "processor_sharing", "batching", "load_dependent"];

const ABANDONED: [(&str, Abandoned); 2] = [
    ("frees", Abandoned::Frees),
    ("continues", Abandoned::Continues),
];

/// Reads a capacity, and what becomes there of attempts that clients give up.
pub(super) fn read(node: &Node, findings: &Findings) -> Option<(Capacity, Abandoned)> {
    if node.text() == Some("unlimited") {
        return Some((Capacity::Unlimited, Abandoned::Frees));
    }
    if node.table().is_none() {
        let example = "\"unlimited\", or a table such as { slots = 40, queue = 200 }";
        findings.push(decode::wrong_type(node, example).finding("capacity", node));
        return None;
    }
    let mut section = Section::of(node, "`capacity`", findings)?;
    let Some(model) = model(&section, findings)? else {
        none(section, node);
        return None;
    };
    let capacity = match model {
        "processor_sharing" => processor_sharing(&mut section),
        "batching" => batching(&mut section, findings),
        "load_dependent" => load_dependent(&mut section, findings),
        _ => slots(&mut section),
    };
    let abandoned = section.or("abandoned", Abandoned::Frees, abandoned);
    section.finish();
    Some((capacity?, abandoned?))
}

/// The main key of the model; `None` within if there is none.
fn model(section: &Section, findings: &Findings) -> Option<Option<&'static str>> {
    let mut present = MODELS.into_iter().filter(|key| section.has(key));
    let (first, second) = (present.next(), present.next());
    if let (Some(first), Some(second)) = (first, second) {
        let (at, also) = (section.span(second), section.span(first));
        findings.push(
            Finding::error("a capacity is one model, not two")
                .at(at, format!("`{second}` is one"))
                .also(also, format!("`{first}` is another"))
                .help(format!("allowed: one of {}", MODELS.join(", "))),
        );
        return None;
    }
    Some(first)
}

/// Reports a table without a model, unless its name is only misspelt, which is reported as such.
fn none(mut section: Section, node: &Node) {
    let entries = node.table().map_or(&[][..], |table| &table.entries);
    let near = |key: &str| decode::nearest(key, MODELS.into_iter()).is_some();
    if !entries.iter().any(|entry| near(&entry.key)) {
        section.missing("slots", "40");
    }
    let common = ["max_batch", "limit", "queue", "refusal", "abandoned"];
    for key in MODELS.into_iter().chain(common) {
        section.node(key);
    }
    section.finish();
}

fn abandoned(node: &Node) -> Decoded<Abandoned> {
    let words: Vec<usize> = (0..ABANDONED.len()).collect();
    let at = decode::word("fate", &words, |at| ABANDONED[at].0)(node)?;
    Ok(ABANDONED[at].1)
}

fn unlimited_or(least: u32) -> impl Fn(&Node) -> Decoded<u32> {
    decode::or_word("unlimited", u32::MAX, decode::count_u32(least))
}

/// How it refuses, where `queue` more may wait.
fn refusal(section: &mut Section, queue: Option<u32>) -> Option<FailureKind> {
    if section.has("refusal") && queue == Some(u32::MAX) {
        let finding = Finding::warning("`refusal` has no effect").unless_elsewhere();
        let finding = finding.at(
            section.span("refusal"),
            "any number may wait, nobody is refused",
        );
        section.report(finding.help("limit the `queue`, or remove it"));
    }
    let refusal = decode::word("failure", REFUSALS, FailureKind::name);
    section.or("refusal", FailureKind::Overloaded, refusal)
}

/// `{ slots = 40, queue = 200, refusal = "overloaded" }`.
fn slots(section: &mut Section) -> Option<Capacity> {
    let servers = section.required("slots", "40", decode::count_u32(1));
    let queue = section.or("queue", u32::MAX, unlimited_or(0));
    let refusal = refusal(section, queue);
    Some(Capacity::Slots {
        servers: servers?,
        queue: queue?,
        refusal: refusal?,
    })
}

/// `{ processor_sharing = 4, limit = 100, queue = 50, refusal = "overloaded" }`.
fn processor_sharing(section: &mut Section) -> Option<Capacity> {
    let servers = section.required("processor_sharing", "4", decode::count_u32(1));
    let limit = limit(
        section,
        "all share from the start where there is no `limit`",
    );
    let queue = section.or("queue", u32::MAX, unlimited_or(0));
    let refusal = refusal(section, queue.filter(|_| limit != Some(u32::MAX)));
    Some(Capacity::Shared {
        speeds: Speeds::servers(servers?),
        limit: limit?,
        queue: queue?,
        refusal: refusal?,
    })
}

/// A limit; without one nobody waits, and nobody is refused.
fn limit(section: &mut Section, nobody_waits: &'static str) -> Option<u32> {
    let limit = section.or("limit", u32::MAX, unlimited_or(1));
    if limit == Some(u32::MAX) {
        section.refuse("queue", nobody_waits);
        section.refuse("refusal", "nobody is refused where there is no `limit`");
    }
    limit
}

/// `{ batching = { base = "8ms", per_request = "0.4ms" }, max_batch = 64, queue = 50 }`, or
/// `{ batching = { sizes = [1, 16, 64], speeds = [60, 45, 20] }, queue = 50 }`.
fn batching(section: &mut Section, findings: &Findings) -> Option<Capacity> {
    let node = section.required_node("batching", "{ base = \"8ms\", per_request = \"0.4ms\" }")?;
    let mut inner = Section::of(node, "`batching`", findings);
    let measured = inner.as_ref();
    let measured = measured.is_some_and(|it| it.has("sizes") || it.has("speeds"));
    let limit = if measured {
        section.optional("max_batch", decode::count_u32(1))
    } else {
        let range = decode::count(1..=u64::from(Speeds::LARGEST));
        let limit = section.required("max_batch", "64", range);
        limit.map(|limit| Some(limit as u32))
    };
    let speeds = inner.as_mut().and_then(|inner| {
        if measured {
            measured_speeds(inner, findings)
        } else {
            iteration(inner, limit.flatten().unwrap_or(1), findings)
        }
    });
    if let Some(inner) = inner {
        inner.finish();
    }
    let queue = section.or("queue", u32::MAX, unlimited_or(0));
    let refusal = refusal(section, queue);
    let ((speeds, largest), limit) = (speeds?, limit?.unwrap_or(u32::MAX));
    if limit != u32::MAX && limit > largest {
        findings.push(
            Finding::error("`max_batch` is larger than what was measured")
                .at(section.span("max_batch"), "how fast is such a batch?")
                .also(node.span, format!("the speeds end at a batch of {largest}"))
                .help(format!("allowed: at most {largest}; for more, add a size")),
        );
        return None;
    }
    Some(Capacity::Shared {
        speeds,
        limit: limit.min(largest),
        queue: queue?,
        refusal: refusal?,
    })
}

/// The speeds, and the largest batch that they describe.
type Described = (Speeds, u32);

fn iteration(section: &mut Section, largest: u32, findings: &Findings) -> Option<Described> {
    let base = section.required("base", "\"8ms\"", decode::duration);
    let per_request = section.required("per_request", "\"0.4ms\"", decode::duration);
    let (base, per_request) = (base?, per_request?);
    if base + per_request == Duration::ZERO {
        findings.push(
            Finding::error("an iteration of a batch takes no time")
                .at(section.heading(), "`base` and `per_request` are both 0")
                .help("speeds follow from their ratio: set at least one above 0"),
        );
        return None;
    }
    Some((Speeds::iteration(base, per_request, largest), largest))
}

fn measured_speeds(section: &mut Section, findings: &Findings) -> Option<Described> {
    for key in ["base", "per_request"] {
        section.refuse(key, "the speeds are given by `sizes` and `speeds`");
    }
    let sizes = numbers(section, "sizes", "[1, 16, 64]", decode::count_u32(1));
    let speeds = numbers(section, "speeds", "[60, 45, 20]", decode::factor);
    let (sizes, speeds) = (sizes?, speeds?);
    let at = section.heading();
    if sizes.len() != speeds.len() {
        let label = format!("{} sizes, {} speeds", sizes.len(), speeds.len());
        findings.push(
            Finding::error("`sizes` and `speeds` differ in length")
                .at(at, label)
                .help("there is one speed for each size"),
        );
        return None;
    }
    let points: Vec<(u32, f64)> = sizes.into_iter().zip(speeds).collect();
    let largest = points.last().map_or(1, |last| last.0);
    let found = Speeds::measured(&points).map(|speeds| (speeds, largest));
    found
        .map_err(|wrong| findings.push(unfit(wrong).at(at, label(wrong, &points))))
        .ok()
}

fn unfit(wrong: InvalidSpeeds) -> Finding {
    let (title, help) = match wrong {
        InvalidSpeeds::NotFromOne => (
            "`sizes` do not start at 1",
            "the first speed is that of a request alone, which the others are compared with",
        ),
        InvalidSpeeds::SizesDoNotRise(_) => ("`sizes` do not rise", "write them in order"),
        InvalidSpeeds::NotPositive(_) => ("a speed is not above 0", "allowed: numbers above 0"),
        InvalidSpeeds::Rises(_) => (
            "`speeds` rise",
            "each request of a larger batch is at most as fast as one of a smaller",
        ),
        InvalidSpeeds::TooLarge => ("a batch is too large", "allowed: sizes of up to 65536"),
    };
    Finding::error(title).help(help)
}

fn label(wrong: InvalidSpeeds, points: &[(u32, f64)]) -> String {
    let at = |at: usize| points.get(at).copied().unwrap_or((0, 0.0));
    match wrong {
        InvalidSpeeds::NotFromOne => match points.first() {
            Some((first, _)) => format!("the first is {first}"),
            None => "empty".into(),
        },
        InvalidSpeeds::SizesDoNotRise(place) => {
            format!("{} follows {}", at(place).0, at(place - 1).0)
        }
        InvalidSpeeds::NotPositive(place) => format!("{}", at(place).1),
        InvalidSpeeds::Rises(place) => {
            let [(less, slow), (more, fast)] = [at(place - 1), at(place)];
            format!("{slow} at size {less}, but {fast} at size {more}")
        }
        InvalidSpeeds::TooLarge => format!("the last is {}", at(points.len() - 1).0),
    }
}

/// An array of numbers that must be there.
fn numbers<T>(
    section: &mut Section,
    key: &'static str,
    example: &str,
    decode: impl Fn(&Node) -> Decoded<T>,
) -> Option<Vec<T>> {
    section.required(key, example, |node| match &node.value {
        Value::Array(items) => {
            let number = |item: &Node| {
                decode(item).map_err(|mut problem| {
                    problem.span = problem.span.or(Some(item.span));
                    problem
                })
            };
            items.iter().map(number).collect()
        }
        _ => Err(decode::wrong_type(node, "an array of numbers")),
    })
}

/// `{ load_dependent = { threshold = 20, at_threshold = 2, above = 5 }, limit = 60 }`.
fn load_dependent(section: &mut Section, findings: &Findings) -> Option<Capacity> {
    let node = section.required_node("load_dependent", "{ threshold = 20 }")?;
    let limit = limit(section, "nobody waits: all run from the start");
    if limit != Some(u32::MAX) {
        section.refuse("queue", "nobody waits: all run from the start");
    }
    let refusal = refusal(section, Some(0));
    let mut inner = Section::of(node, "`load_dependent`", findings)?;
    let factor = decode::number(1.0..=1e6);
    let threshold = inner.required("threshold", "20", decode::count_u32(1));
    let at_threshold = inner.or("at_threshold", 2.0, &factor);
    let above = inner.or("above", 5.0, &factor);
    let at = inner.span("above");
    inner.finish();
    let (at_threshold, above) = (at_threshold?, above?);
    if above < at_threshold {
        findings.push(
            Finding::error("answers take less time `above` the threshold than at it")
                .at(at, format!("{above} times as long above it"))
                .help(format!("allowed: {at_threshold} (`at_threshold`) or more")),
        );
        return None;
    }
    Some(Capacity::LoadDependent {
        threshold: threshold?,
        at_threshold,
        above,
        limit: limit?,
        refusal: refusal?,
    })
}
