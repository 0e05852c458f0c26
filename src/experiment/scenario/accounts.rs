//! `[[accounts]]` and `[templates.NAME]`: who can be asked, and how each of them behaves.
//!
//! An entry with a `count` stands for many accounts, so a pool of 1,000 is a few lines. A template
//! holds the keys that several entries share; a key written in the entry replaces the template's
//! as a whole (no merging of tables, so that what an account is can be read off in one place).

mod fields;
mod pool;
mod reach;

pub(super) use pool::{Pool, Range};
pub(super) use reach::{KeyWritten, key};

use super::decode;
use super::diagnostics::{Finding, Findings, Span};
use super::document::Node;
use super::models::{Models, Services};
use super::section::{Field, Section};
use fields::AccountFields;

/// Most accounts of a scenario.
pub(super) const MOST_ACCOUNTS: u64 = 100_000;

/// What entries are read against.
pub(super) struct Context<'a> {
    /// Models; `None` if unreliable.
    pub(super) models: Option<&'a Models>,
    /// Names of regions; `None` if unreliable.
    pub(super) regions: Option<&'a [String]>,
    /// Whether the upstreams are real: they are reached, not described.
    pub(super) of_gateway: bool,
    /// Where findings go.
    pub(super) findings: &'a Findings,
}

/// Reads `[templates]` and `[[accounts]]`. `None` if an account is bad.
pub(super) fn read(top: &mut Section, context: &Context, services: &mut Services) -> Option<Pool> {
    let templates = templates(top.node("templates"), context, services);
    top.required_node(
        "accounts",
        "[[accounts]] for each account or group of accounts",
    )?;
    let items = top.list("accounts")?;
    if items.is_empty() {
        let at = top.span("accounts");
        context
            .findings
            .push(Finding::error("there are no accounts").at(at, "empty"));
        return None;
    }
    let entries: Vec<_> = items
        .iter()
        .map(|item| entry(item, &templates, context, services))
        .collect();
    let good = entries.iter().all(std::option::Option::is_some);
    let entries: Vec<Entry> = entries.into_iter().flatten().collect();
    let pool = Pool::expand(&entries, context)?;
    good.then_some(pool)
}

type Templates<'a> = Vec<(&'a str, AccountFields<'a>)>;

fn templates<'a>(
    node: Option<&'a Node>,
    context: &Context<'a>,
    services: &mut Services,
) -> Option<Templates<'a>> {
    let Some(node) = node else {
        return Some(Vec::new());
    };
    Section::of(node, "[templates]", context.findings)?;
    let table = node.table()?;
    let read = table.entries.iter().filter_map(|entry| {
        let place = format!("[templates.{}]", decode::shortened(&entry.key));
        let mut section = Section::of(&entry.node, place, context.findings)?;
        for key in ["id", "count", "template"] {
            let help = "write it in [[accounts]]";
            section.misplaced(key, "it belongs to an account", help);
        }
        let fields = AccountFields::read(&mut section, context, services);
        section.finish();
        Some((entry.key.as_str(), fields))
    });
    Some(read.collect())
}

/// One `[[accounts]]` entry, its template applied.
pub(super) struct Entry<'a> {
    id: String,
    id_span: Span,
    count: u64,
    fields: AccountFields<'a>,
    heading: Span,
}

fn entry<'a>(
    node: &'a Node,
    templates: &Option<Templates<'a>>,
    context: &Context<'a>,
    services: &mut Services,
) -> Option<Entry<'a>> {
    let findings = context.findings;
    let mut section = Section::of(node, "an account", findings)?;
    let id = section.required("id", "\"claude-{n}\"", decode::name);
    let count = section.or("count", 1, decode::count(1..=MOST_ACCOUNTS));
    let template = template(&mut section, templates.as_ref(), findings);
    let own = AccountFields::read(&mut section, context, services);
    let id_span = section.span("id");
    let count_span = section.span("count");
    section.finish();
    let fields = match template {
        Field::Good(at) => own.overlay(&templates.as_ref()?[at].1),
        Field::Absent => own,
        Field::Bad => return None,
    };
    let (id, count) = id.zip(count)?;
    if count > 1 && !id.contains("{n}") {
        findings.push(
            Finding::error("several accounts need several ids")
                .at(id_span, "contains no `{n}`")
                .also(count_span, format!("{count} accounts"))
                .help(format!(
                    "write `{{n}}` where the number goes, such as \"{id}-{{n}}\""
                )),
        );
        return None;
    }
    Some(Entry {
        id,
        id_span,
        count,
        fields,
        heading: node.span,
    })
}

fn template(
    section: &mut Section,
    templates: Option<&Templates>,
    findings: &Findings,
) -> Field<usize> {
    let Some(node) = section.node("template") else {
        return Field::Absent;
    };
    let Some(templates) = templates else {
        return Field::Bad;
    };
    let names: Vec<String> = templates.iter().map(|t| t.0.to_owned()).collect();
    Field::of(Some(
        decode::reference("template", &names)(node)
            .map_err(|problem| findings.push(problem.finding("template", node)))
            .ok(),
    ))
}
