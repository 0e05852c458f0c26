//! `[[faults]]`: what goes wrong, where, and when.

use super::accounts::Pool;
use super::decode;
use super::diagnostics::{Finding, Findings};
use super::document::{Node, Value};
use super::models::Models;
use super::regions;
use super::section::{Field, Section};
use super::service::{self, REFUSALS};
use crate::experiment::results::FaultDescription;
use crate::request::{AccountIndex, FailureKind, ModelIndex, Provider, RegionIndex};
use crate::time::{Duration, Timestamp};
use crate::upstream::config::{Fault, FaultKind};
use std::collections::BTreeSet;

/// Most faults of a scenario.
const MOST_FAULTS: usize = 1_000;

/// What entries are read against; `None` is unreliable.
pub(super) struct Context<'a> {
    /// All accounts.
    pub(super) pool: Option<&'a Pool>,
    /// Models.
    pub(super) models: Option<&'a Models>,
    /// Names of regions.
    pub(super) regions: Option<&'a [String]>,
    /// When arrivals stop.
    pub(super) end: Option<Duration>,
    /// Where findings go.
    pub(super) findings: &'a Findings,
}

/// Reads `[[faults]]`; none if absent, `None` if one is bad.
pub(super) fn read(
    top: &mut Section,
    context: &Context,
) -> Option<(Vec<Fault>, Vec<FaultDescription>)> {
    let items = top.list("faults")?;
    if items.len() > MOST_FAULTS {
        let finding = Finding::error(format!("{} faults are too many", items.len()));
        let help = format!("allowed: at most {MOST_FAULTS}");
        context
            .findings
            .push(finding.at(items[MOST_FAULTS].span, "").help(help));
        return None;
    }
    let read: Vec<_> = items.iter().map(|item| fault(item, context)).collect();
    Some(
        read.into_iter()
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .unzip(),
    )
}

const KINDS: [&str; 4] = ["outage", "blackhole", "brownout", "errors"];

fn fault(node: &Node, context: &Context) -> Option<(Fault, FaultDescription)> {
    let findings = context.findings;
    let mut section = Section::of(node, "a fault", findings)?;
    let word = section.required(
        "kind",
        "\"outage\"",
        decode::word("kind of fault", &KINDS, |kind| kind),
    );
    let kind = kind(&mut section, word, findings);
    let target = Target::read(&mut section, context);
    let start = section.required("start", "\"4min\"", decode::duration);
    let length = section.required("duration", "\"90s\"", decode::positive_duration);
    if let Some((start, end)) = start.zip(context.end) {
        within_the_run(&section, start, length, end, findings);
    }
    section.finish();
    let (kind, target) = (kind?, target?);
    let start = Timestamp::ZERO + start?;
    let end = start + length?;
    let description = FaultDescription {
        name: target.describe(word?, context),
        start,
        end,
    };
    let fault = Fault {
        kind,
        accounts: target.accounts,
        model: target.model,
        start,
        end,
        ramp: Duration::ZERO,
    };
    Some((fault, description))
}

fn within_the_run(
    section: &Section,
    start: Duration,
    length: Option<Duration>,
    end: Duration,
    findings: &Findings,
) {
    if start >= end {
        let label = format!("arrivals stop at {end}");
        let finding = Finding::error("the fault starts after the end");
        findings.push(finding.at(section.span("start"), label));
    } else if length.is_some_and(|length| start + length >= end) {
        let label = format!("it lasts beyond {end}, when arrivals stop");
        let finding = Finding::warning("nobody is left to see the end of this fault");
        let help = "the time to restore cannot be observed; end it earlier or run longer";
        findings.push(finding.at(section.span("duration"), label).help(help));
    }
}

/// Reads what belongs to a kind of fault, and refuses what belongs to another.
fn kind(section: &mut Section, word: Option<&str>, findings: &Findings) -> Option<FaultKind> {
    let Some(word) = word else {
        for key in ["failure", "time_to_fail", "factor", "rate"] {
            section.node(key);
        }
        return None;
    };
    let fails = matches!(word, "outage" | "errors");
    let failing = if fails {
        let default = match word {
            "outage" => FailureKind::Unavailable,
            _ => FailureKind::InternalError,
        };
        let failure = decode::word("failure", REFUSALS, FailureKind::name);
        let failure = section.or("failure", default, failure);
        failure.zip(service::time_to_fail(section, findings))
    } else {
        let why = "only of kind \"outage\" or \"errors\"";
        section.refuse("failure", why);
        section.refuse("time_to_fail", why);
        None
    };
    let factor = if word == "brownout" {
        section.required("factor", "3", decode::factor)
    } else {
        section.refuse("factor", "only of kind \"brownout\"");
        None
    };
    let rate = if word == "errors" {
        section.required("rate", "0.3", decode::share)
    } else {
        section.refuse("rate", "only of kind \"errors\"");
        None
    };
    match word {
        "outage" => failing.map(|(failure, time_to_fail)| FaultKind::Outage {
            failure,
            time_to_fail,
        }),
        "blackhole" => Some(FaultKind::Blackhole),
        "brownout" => factor.map(|factor| FaultKind::Brownout { factor }),
        _ => failing
            .zip(rate)
            .map(|((failure, time_to_fail), rate)| FaultKind::Errors {
                rate,
                failure,
                time_to_fail,
            }),
    }
}

/// Whom a fault concerns: what all of its keys have in common.
struct Target {
    accounts: Vec<AccountIndex>,
    named: Option<Vec<String>>,
    provider: Option<Provider>,
    region: Option<RegionIndex>,
    model: Option<ModelIndex>,
}

impl Target {
    fn read(section: &mut Section, context: &Context) -> Option<Self> {
        let findings = context.findings;
        let provider = decode::word("provider", Provider::ALL, Provider::name);
        let provider = section.optional("provider", provider);
        let region = section.field("region", regions::lookup(context.regions));
        let named = section.node("accounts").map(|node| named(node, context));
        let named = Field::of(named).optional();
        let model = match (section.node("model"), context.models) {
            (Some(node), Some(models)) => decode::reference("model", &models.names)(node)
                .map(|at| Some(ModelIndex(at as u16)))
                .map_err(|problem| findings.push(problem.finding("model", node)))
                .ok(),
            (Some(_), None) => None,
            (None, _) => Some(None),
        };
        let keys = ["provider", "region", "accounts", "model"];
        if keys.iter().all(|key| !section.has(key)) {
            let finding = Finding::error("the fault concerns nobody");
            let help = "name a `provider`, a `region`, a `model` or `accounts`; `accounts = \
                        \"all\"` means every one";
            findings.push(finding.at(section.heading(), "no target").help(help));
            return None;
        }
        let (provider, region, named, model) = (provider?, region.or(None)?, named?, model?);
        let pool = context.pool?;
        let named = named.as_ref();
        let hit = |at: usize| {
            let account = &pool.accounts[at];
            named.is_none_or(|named| named.1.contains(&at))
                && provider.is_none_or(|provider| account.provider == provider)
                && region.is_none_or(|region| account.region == Some(region))
                && model.is_none_or(|model| account.models.iter().any(|m| m.model == model))
        };
        let hit = (0..pool.accounts.len()).filter(|at| hit(*at));
        let accounts: Vec<_> = hit.map(|at| AccountIndex(at as u32)).collect();
        if accounts.is_empty() {
            let finding = Finding::error("the fault concerns no account");
            let label = "no account has all that is named here";
            findings.push(finding.at(section.heading(), label));
            return None;
        }
        Some(Self {
            accounts,
            named: named.map(|named| named.0.clone()),
            provider,
            region,
            model,
        })
    }

    /// In words: `outage of provider anthropic in eu-west`.
    fn describe(&self, kind: &str, context: &Context) -> String {
        let mut parts = Vec::new();
        if let Some(model) = self.model.and_then(|m| context.models?.names.get(m.at())) {
            parts.push(format!("of model {model}"));
        }
        if let Some(provider) = self.provider {
            let word = if parts.is_empty() { "of" } else { "at" };
            parts.push(format!("{word} provider {provider}"));
        }
        match self.named.as_deref() {
            Some([one]) if one == "all" => parts.push("of all accounts".into()),
            Some([one]) => parts.push(format!("of {one}")),
            Some(several) => parts.push(format!("of {} and others", several[0])),
            None => {}
        }
        if let Some(region) = self.region.and_then(|r| context.regions?.get(r.at())) {
            let word = if parts.is_empty() { "of region" } else { "in" };
            parts.push(format!("{word} {region}"));
        }
        format!("{kind} {}", parts.join(" "))
    }
}

/// Reads `accounts`: `"all"`, or ids, or the ids of entries that stand for several. Gives the names
/// as written and the accounts.
fn named(node: &Node, context: &Context) -> Option<(Vec<String>, BTreeSet<usize>)> {
    let findings = context.findings;
    let items = match &node.value {
        Value::Text(_) => std::slice::from_ref(node),
        Value::Array(items) if !items.is_empty() => items,
        _ => {
            let expected = "the id of an account, several in an array, or \"all\"";
            let problem = decode::wrong_type(node, expected);
            findings.push(problem.finding("accounts", node));
            return None;
        }
    };
    let pool = context.pool?;
    let mut names = Vec::new();
    let mut accounts = BTreeSet::new();
    let mut good = true;
    for item in items {
        match of_name(item, pool) {
            Ok(range) => {
                accounts.extend(range);
                names.extend(item.text().map(str::to_owned));
            }
            Err(problem) => {
                findings.push(problem.finding("accounts", item));
                good = false;
            }
        }
    }
    good.then_some((names, accounts))
}

fn of_name(node: &Node, pool: &Pool) -> decode::Decoded<super::accounts::Range> {
    let Some(name) = node.text() else {
        return Err(decode::wrong_type(node, "the id of an account"));
    };
    if name == "all" {
        return Ok(0..pool.accounts.len());
    }
    if let Some((_, range)) = pool.entries.iter().find(|(id, _)| id == name) {
        return Ok(range.clone());
    }
    let ids = pool.accounts.iter().map(|account| account.id.as_str());
    match ids.clone().position(|id| id == name) {
        Some(at) => Ok(at..at + 1),
        None => Err(decode::unknown("account", name, ids)),
    }
}
