//! `provider`, `region`, `model`, `accounts`: whom a fault concerns.

use super::Context;
use super::kind::Word;
use crate::experiment::scenario::accounts::{Pool, Range};
use crate::experiment::scenario::decode;
use crate::experiment::scenario::diagnostics::Finding;
use crate::experiment::scenario::document::{Node, Value};
use crate::experiment::scenario::regions;
use crate::experiment::scenario::section::{Field, Section};
use crate::request::{AccountIndex, ModelIndex, Provider, RegionIndex};
use crate::routing::account::{Account, Availability};
use crate::units::Prices;
use std::collections::BTreeSet;

/// Whom a fault concerns: what all of its keys have in common.
pub(super) struct Target {
    /// All of them, at least one.
    pub(super) accounts: Vec<AccountIndex>,
    named: Option<Vec<String>>,
    provider: Option<Provider>,
    region: Option<RegionIndex>,
    /// Only attempts for this model.
    pub(super) model: Option<ModelIndex>,
}

impl Target {
    /// Reads the keys; for a kind of fault that concerns such things at all.
    pub(super) fn read(
        section: &mut Section,
        word: Option<Word>,
        context: &Context,
    ) -> Option<Self> {
        let findings = context.findings;
        if let Some(why) = word.and_then(Word::why_no_model) {
            section.refuse("model", why);
        }
        if word == Some(Word::Partition) && !section.has("region") {
            section.missing("region", "\"eu-west\"");
        }
        let provider = decode::word("provider", Provider::ALL, Provider::name);
        let provider = section.optional("provider", provider);
        let region = section.field("region", regions::lookup(context.regions));
        let named = section.node("accounts").map(|node| named(node, context));
        let named = Field::of(named).optional();
        let no_model = word.and_then(Word::why_no_model).is_some();
        let node = section.node("model").filter(|_| !no_model);
        let model = match (node, context.models) {
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
            findings.push(nobody(section, provider, region, model, pool));
            return None;
        }
        let at = section.heading();
        if let Some(word) = word
            && let Some(finding) = senseless(word, &accounts, model, pool)
        {
            findings.push(finding.at(at, "nothing would change"));
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
    pub(super) fn describe(&self, kind: &str, context: &Context) -> String {
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

/// No account is the target: points to a key that is nobody's, or says that they do not go
/// together.
fn nobody(
    section: &Section,
    provider: Option<Provider>,
    region: Option<RegionIndex>,
    model: Option<ModelIndex>,
    pool: &Pool,
) -> Finding {
    let nobody_is = |is: &dyn Fn(&Account) -> bool| !pool.accounts.iter().any(is);
    let serves = |account: &Account, model| account.models.iter().any(|m| m.model == model);
    let finding = Finding::error("the fault concerns no account");
    let (key, label) = if provider.is_some_and(|p| nobody_is(&|account| account.provider == p)) {
        ("provider", "no account is this provider's")
    } else if region.is_some_and(|r| nobody_is(&|account| account.region == Some(r))) {
        ("region", "no account is in this region")
    } else if model.is_some_and(|m| nobody_is(&|account| serves(account, m))) {
        ("model", "no account serves this model")
    } else {
        let label = "no account has all that is named here";
        let help = "a fault concerns those that have all of it: leave a key out, or name others";
        return finding.at(section.heading(), label).help(help);
    };
    let help = format!("name another `{key}`, or give it to an account");
    finding.at(section.span(key), label).help(help)
}

/// Why a fault of this kind means nothing to any of these accounts.
fn senseless(
    word: Word,
    accounts: &[AccountIndex],
    model: Option<ModelIndex>,
    pool: &Pool,
) -> Option<Finding> {
    let all = |is: &dyn Fn(usize) -> bool| accounts.iter().all(|account| is(account.at()));
    let (title, help) = match word {
        Word::RateLimit if all(&|at| pool.behaviours[at].quota.is_none()) => (
            "the fault cuts the quota of accounts without one",
            "give one of them `limits` or a `quota`; to refuse a share of the attempts, use kind \
             \"errors\" with failure \"rate_limited\"",
        ),
        Word::AccountRemoved | Word::AccountAdded
            if all(&|at| pool.accounts[at].availability != Availability::Enabled) =>
        {
            (
                "the accounts are out of service anyway",
                "their `availability` is not \"enabled\"",
            )
        }
        Word::PriceChange
            if all(&|at| {
                let mut served = pool.accounts[at].models.iter();
                served.all(|s| model.is_some_and(|m| m != s.model) || s.prices == Prices::default())
            }) =>
        {
            ("the accounts are free of charge", "give them `prices`")
        }
        _ => return None,
    };
    Some(Finding::error(title).help(help))
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
            let mut problem = decode::wrong_type(node, expected);
            if matches!(node.value, Value::Array(_)) {
                problem.label = format!("expected {expected}, found an empty array");
            }
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

fn of_name(node: &Node, pool: &Pool) -> decode::Decoded<Range> {
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
