//! The keys that an account and a template have in common.

use super::Context;
use super::reach::ReachFields;
use crate::experiment::scenario::capacity;
use crate::experiment::scenario::decode;
use crate::experiment::scenario::diagnostics::{Finding, Findings, Span};
use crate::experiment::scenario::document::{Node, Value};
use crate::experiment::scenario::models::{ModelFields, REAL, Services};
use crate::experiment::scenario::regions;
use crate::experiment::scenario::section::{Field, Section};
use crate::experiment::scenario::service::{self, Limits};
use crate::request::{Provider, RegionIndex};
use crate::routing::account::Availability;
use crate::upstream::config::{Abandoned, CalmFailure, Capacity};
use std::collections::BTreeMap;

/// What is said of an account, each key apart, so that a template can fill the gaps.
#[derive(Clone)]
pub(super) struct AccountFields<'a> {
    pub(super) provider: Field<Provider>,
    pub(super) region: Field<Option<RegionIndex>>,
    pub(super) organisation: Field<String>,
    pub(super) weight: Field<u32>,
    pub(super) max_in_flight: Field<u32>,
    pub(super) availability: Field<Availability>,
    pub(super) models: Field<BTreeMap<usize, Offer<'a>>>,
    pub(super) service: Field<u16>,
    pub(super) capacity: Field<(Capacity, Abandoned)>,
    pub(super) limits: Field<Limits>,
    pub(super) quota: Field<Limits>,
    pub(super) failures: Field<Vec<CalmFailure>>,
    pub(super) reach: ReachFields,
}

/// A model as an account serves it: where it was named, and what differs from `[models]`.
#[derive(Clone, Copy)]
pub(super) struct Offer<'a> {
    pub(super) span: Span,
    pub(super) fields: ModelFields,
    pub(super) name: &'a str,
    /// What the provider calls it; `None` = the same.
    pub(super) upstream_name: Option<&'a str>,
}

impl<'a> AccountFields<'a> {
    /// Reads the keys of a section.
    pub(super) fn read(
        section: &mut Section<'a>,
        context: &Context<'a>,
        services: &mut Services,
    ) -> Self {
        let findings = context.findings;
        let provider = if context.of_gateway {
            decode::word("provider", &WITH_ADAPTER, Provider::name)
        } else {
            decode::word("provider", Provider::ALL, Provider::name)
        };
        let simulated = !context.of_gateway;
        if !simulated {
            for key in ["capacity", "quota", "failures"] {
                section.refuse(key, REAL);
            }
        }
        Self {
            provider: section.field("provider", provider),
            region: section.field("region", regions::lookup(context.regions)),
            organisation: section.field("organisation", decode::name),
            weight: section.field("weight", decode::count_u32(1)),
            max_in_flight: section.field("max_in_flight", decode::count_u32(1)),
            availability: section.field("availability", availability),
            models: models(section, context, services),
            service: services.read(section, findings),
            capacity: part_if(simulated, section, "capacity", |node| {
                capacity::read(node, findings)
            }),
            limits: part_if(true, section, "limits", |node| {
                service::limits("limits", node, findings)
            }),
            quota: part_if(simulated, section, "quota", |node| {
                service::limits("quota", node, findings)
            }),
            failures: part_if(simulated, section, "failures", |node| {
                service::failures(node, findings)
            }),
            reach: ReachFields::read(section, context.of_gateway, findings),
        }
    }

    /// These, and where they are silent, those of a template.
    pub(super) fn overlay(self, template: &Self) -> Self {
        let template = template.clone();
        Self {
            provider: self.provider.overlay(template.provider),
            region: self.region.overlay(template.region),
            organisation: self.organisation.overlay(template.organisation),
            weight: self.weight.overlay(template.weight),
            max_in_flight: self.max_in_flight.overlay(template.max_in_flight),
            availability: self.availability.overlay(template.availability),
            models: self.models.overlay(template.models),
            service: self.service.overlay(template.service),
            capacity: self.capacity.overlay(template.capacity),
            limits: self.limits.overlay(template.limits),
            quota: self.quota.overlay(template.quota),
            failures: self.failures.overlay(template.failures),
            reach: self.reach.overlay(template.reach),
        }
    }
}

/// Providers that there is an adapter for.
const WITH_ADAPTER: [Provider; 2] = [Provider::Anthropic, Provider::Google];

fn part_if<'a, T>(
    has_meaning: bool,
    section: &mut Section<'a>,
    key: &'static str,
    read: impl FnOnce(&'a Node) -> Option<T>,
) -> Field<T> {
    Field::of(section.node_if(key, has_meaning).map(read))
}

const AVAILABILITY: [(&str, Availability); 3] = [
    ("enabled", Availability::Enabled),
    ("draining", Availability::Draining),
    ("disabled", Availability::Disabled),
];

fn availability(node: &Node) -> decode::Decoded<Availability> {
    let words: Vec<usize> = (0..AVAILABILITY.len()).collect();
    let at = decode::word("availability", &words, |at| AVAILABILITY[at].0)(node)?;
    Ok(AVAILABILITY[at].1)
}

/// A model that is named twice; only an array can.
fn twice(offers: &[(usize, Offer)]) -> Option<Finding> {
    let mut seen = BTreeMap::new();
    offers.iter().find_map(|(at, offer)| {
        let before = seen.insert(*at, offer.span)?;
        let title = format!("model `{}` is named twice", decode::shortened(offer.name));
        let finding = Finding::error(title).at(offer.span, "named again here");
        Some(
            finding
                .also(before, "first named here")
                .help("remove one of them"),
        )
    })
}

/// Reads `models`: names, or a table from names to what differs.
fn models<'a>(
    section: &mut Section<'a>,
    context: &Context<'a>,
    services: &mut Services,
) -> Field<BTreeMap<usize, Offer<'a>>> {
    let Some(node) = section.node("models") else {
        return Field::Absent;
    };
    let offers: Vec<Option<(usize, Offer)>> = match &node.value {
        Value::Array(items) => items.iter().map(|item| listed(item, context)).collect(),
        Value::Table(table) => {
            let offer = |entry: &'a crate::experiment::scenario::document::Entry| {
                let at = named(&entry.key, entry.span, context);
                let place = format!("model `{}`", decode::shortened(&entry.key));
                let mut section = Section::of(&entry.node, place, context.findings)?;
                let upstream_name = upstream_name(&mut section, context);
                let fields = ModelFields::read(section, services, context.findings);
                let offer = Offer {
                    span: entry.span,
                    fields,
                    name: &entry.key,
                    upstream_name: upstream_name?,
                };
                Some((at?, offer))
            };
            table.entries.iter().map(offer).collect()
        }
        _ => {
            let expected = "an array of model names, or a table";
            let problem = decode::wrong_type(node, expected);
            context.findings.push(problem.finding("models", node));
            return Field::Bad;
        }
    };
    let offers: Option<Vec<(usize, Offer)>> = offers.into_iter().collect();
    if let Some(offers) = &offers
        && let Some(finding) = twice(offers)
    {
        context.findings.push(finding);
        return Field::Bad;
    }
    let offers: Option<BTreeMap<_, _>> = offers.map(|offers| offers.into_iter().collect());
    match offers {
        Some(offers) if offers.is_empty() => {
            empty(node, context.findings);
            Field::Bad
        }
        offers => Field::of(Some(offers)),
    }
}

/// What the provider calls a model: `Some(None)` if the same, `None` if bad.
fn upstream_name<'a>(section: &mut Section<'a>, context: &Context) -> Option<Option<&'a str>> {
    if !context.of_gateway {
        return Some(None);
    }
    section.optional("upstream_name", decode::name)?;
    Some(section.node("upstream_name").and_then(Node::text))
}

fn empty(node: &Node, findings: &Findings) {
    let finding = crate::experiment::scenario::diagnostics::Finding::error(
        "an account must serve at least one model",
    );
    findings.push(finding.at(node.span, "empty"));
}

fn listed<'a>(node: &'a Node, context: &Context<'a>) -> Option<(usize, Offer<'a>)> {
    let Some(name) = node.text() else {
        let problem = decode::wrong_type(node, "the name of a model");
        context.findings.push(problem.finding("models", node));
        return None;
    };
    let offer = Offer {
        span: node.span,
        fields: ModelFields::ABSENT,
        name,
        upstream_name: None,
    };
    Some((named(name, node.span, context)?, offer))
}

/// The index of a model by name.
fn named(name: &str, span: Span, context: &Context) -> Option<usize> {
    let node = Node {
        span,
        value: Value::Text(name.to_owned()),
    };
    decode::reference("model", &context.models?.names)(&node)
        .map_err(|problem| context.findings.push(problem.finding("models", &node)))
        .ok()
}
