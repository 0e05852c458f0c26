//! Service laws, quotas and calm-weather failures of an account.

use super::decode::{self, Decoded, Problem, Title};
use super::diagnostics::{Finding, Findings};
use super::distribution::{self, Measure};
use super::document::Node;
use super::section::Section;
use crate::distribution::Distribution;
use crate::request::FailureKind;
use crate::routing::account::RateLimits;
use crate::time::Duration;
use crate::upstream::config::{CalmFailure, Quota, Service, Trouble};

/// Failures that an upstream can show; the others are the gateway's or the client's own.
pub(super) const UPSTREAM_FAILURES: [FailureKind; 15] = [
    FailureKind::InternalError,
    FailureKind::BadGateway,
    FailureKind::Unavailable,
    FailureKind::GatewayTimeout,
    FailureKind::Overloaded,
    FailureKind::Connection,
    FailureKind::RateLimited,
    FailureKind::Unauthorized,
    FailureKind::PaymentRequired,
    FailureKind::Forbidden,
    FailureKind::SpendCap,
    FailureKind::BadRequest,
    FailureKind::ModelNotFound,
    FailureKind::TooLarge,
    FailureKind::BrokenStream,
];

/// Those that come instead of an answer, not in the middle of one.
pub(super) const REFUSALS: &[FailureKind] = UPSTREAM_FAILURES.split_at(14).0;

/// Reads a service law: `first_token` and `per_output_token`, or `total`.
pub(super) fn service(node: &Node, findings: &Findings) -> Option<Service> {
    let mut section = Section::of(node, "`service`", findings)?;
    let time = |section: &mut Section, key: &'static str| {
        let node = section.required_node(key, "\"250ms\"")?;
        distribution::read(key, node, Measure::Time, findings)
    };
    if section.has("total") {
        let total = time(&mut section, "total");
        let why = "`total` is the whole time; it has no parts";
        for part in [
            "first_token",
            "first_token_per_1k_input",
            "per_output_token",
        ] {
            section.refuse(part, why);
        }
        section.finish();
        return total.map(Service::Total);
    }
    let first_token = time(&mut section, "first_token");
    let per_1k = section.or("first_token_per_1k_input", Duration::ZERO, decode::duration);
    let per_output_token = time(&mut section, "per_output_token");
    section.node("total");
    section.finish();
    Some(Service::Tokens {
        first_token: first_token?,
        first_token_per_1k_input: per_1k?,
        per_output_token: per_output_token?,
    })
}

/// Limits per minute as written; `Some(None)` is `"none"`.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Limits {
    requests: Option<Option<u64>>,
    input: Option<Option<u64>>,
    output: Option<Option<u64>>,
    retry_after: Option<bool>,
}

impl Limits {
    /// Nothing limited.
    pub(super) const NONE: Self = Self {
        requests: Some(None),
        input: Some(None),
        output: Some(None),
        retry_after: None,
    };

    /// What routing is told.
    pub(super) fn declared(self) -> RateLimits {
        RateLimits {
            requests_per_minute: self.requests.flatten(),
            input_tokens_per_minute: self.input.flatten(),
            output_tokens_per_minute: self.output.flatten(),
        }
    }

    /// Whether these say how a quota tells that it is exceeded, but there is none.
    pub(super) fn is_only_a_manner(self, declared: Self) -> bool {
        self.retry_after.is_some() && self.enforced(declared).is_none()
    }

    /// What the upstream enforces: these, and where they are silent, those `declared`.
    pub(super) fn enforced(self, declared: Self) -> Option<Quota> {
        let quota = Quota {
            requests_per_minute: self.requests.or(declared.requests).flatten(),
            input_tokens_per_minute: self.input.or(declared.input).flatten(),
            output_tokens_per_minute: self.output.or(declared.output).flatten(),
            retry_after: self.retry_after.unwrap_or(true),
        };
        let limited = quota.requests_per_minute.is_some()
            || quota.input_tokens_per_minute.is_some()
            || quota.output_tokens_per_minute.is_some();
        limited.then_some(quota)
    }
}

/// Reads `limits` (declared) or `quota` (enforced, which also says whether its 429 names a time).
pub(super) fn limits(key: &'static str, node: &Node, findings: &Findings) -> Option<Limits> {
    if node.text() == Some("none") {
        return Some(Limits::NONE);
    }
    let mut section = Section::of(node, format!("`{key}`"), findings)?;
    let per_minute = |node: &Node| decode::count(1..=1_000_000_000_000)(node).map(Some);
    let per_minute = decode::or_word("none", None, per_minute);
    let requests = section.optional("requests_per_minute", &per_minute);
    let input = section.optional("input_tokens_per_minute", &per_minute);
    let output = section.optional("output_tokens_per_minute", &per_minute);
    let retry_after = if key == "quota" {
        section.optional("retry_after", decode::boolean)
    } else {
        let help = "write `quota = { retry_after = ... }` beside `limits`";
        section.misplaced("retry_after", "it belongs to `quota`", help);
        Some(None)
    };
    section.finish();
    Some(Limits {
        requests: requests?,
        input: input?,
        output: output?,
        retry_after: retry_after?,
    })
}

/// Reads the list of calm-weather failures; their rates add up to at most 1.
pub(super) fn failures(node: &Node, findings: &Findings) -> Option<Vec<CalmFailure>> {
    let super::document::Value::Array(items) = &node.value else {
        let problem = decode::wrong_type(node, "an array of tables");
        findings.push(problem.finding("failures", node));
        return None;
    };
    let read: Vec<_> = items.iter().map(|item| failure(item, findings)).collect();
    let failures: Vec<CalmFailure> = read.into_iter().collect::<Option<_>>()?;
    let total: f64 = failures.iter().map(|failure| failure.rate).sum();
    if total > 1.0 {
        findings.push(
            Finding::error("the failure rates add up to more than 1")
                .at(node.span, format!("they add up to {total:.3}"))
                .help("each is a probability per attempt; together they may reach 1 at most"),
        );
        return None;
    }
    Some(failures)
}

fn failure(node: &Node, findings: &Findings) -> Option<CalmFailure> {
    let mut section = Section::of(node, "a failure", findings)?;
    let trouble = section.required("kind", "\"overloaded\"", trouble);
    let rate = section.required("rate", "0.001", decode::share);
    let time_to_fail = match trouble {
        Some(Trouble::Hangs) => {
            section.refuse("time_to_fail", "a hang never ends by itself");
            default_time_to_fail()
        }
        Some(Trouble::Fails(FailureKind::BrokenStream)) => {
            section.refuse("time_to_fail", "a stream breaks at any point of its answer");
            default_time_to_fail()
        }
        _ => time_to_fail(&mut section, findings),
    };
    section.finish();
    Some(CalmFailure {
        trouble: trouble?,
        rate: rate?,
        time_to_fail: time_to_fail?,
    })
}

fn trouble(node: &Node) -> Decoded<Trouble> {
    let Some(text) = node.text() else {
        return Err(decode::wrong_type(node, "the name of a failure"));
    };
    if text == "hang" {
        return Ok(Trouble::Hangs);
    }
    let names = UPSTREAM_FAILURES.map(FailureKind::name);
    let found = UPSTREAM_FAILURES
        .into_iter()
        .find(|kind| kind.name() == text);
    found.map(Trouble::Fails).ok_or_else(|| {
        if FailureKind::from_name(text).is_some() {
            return own_failure(text);
        }
        decode::unknown("failure", text, names.into_iter().chain(["hang"]))
    })
}

fn own_failure(text: &str) -> Problem {
    Problem {
        title: Title::Whole(format!("`{text}` is not a failure of an upstream")),
        label: "the gateway itself decides on this one".into(),
        help: Some("for an answer that never comes use \"hang\"".into()),
        span: None,
    }
}

/// Time until a failure shows; 100 ms unless stated.
pub(super) fn time_to_fail(section: &mut Section, findings: &Findings) -> Option<Distribution> {
    match section.node("time_to_fail") {
        Some(node) => distribution::read("time_to_fail", node, Measure::Time, findings),
        None => default_time_to_fail(),
    }
}

fn default_time_to_fail() -> Option<Distribution> {
    Distribution::constant(0.1).ok()
}
