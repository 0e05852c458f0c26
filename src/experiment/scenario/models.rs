//! `[models.NAME]`: what is true of a model wherever it is served.

use super::decode;
use super::diagnostics::{Finding, Findings};
use super::document::Node;
use super::section::{Field, Section};
use super::service;
use crate::units::{Price, Prices};
use crate::upstream::config::Service;

/// Most models of a scenario.
const MOST_MODELS: usize = 256;

/// Service laws of the whole scenario, referred to by position.
#[derive(Default, Debug)]
pub(super) struct Services {
    /// The laws.
    pub(super) laws: Vec<Service>,
    /// Whether real upstreams serve, which have their own.
    of_gateway: bool,
}

/// Why a gateway's file says nothing of how an upstream behaves.
pub(super) const REAL: &str = "it describes a simulated upstream, and here it is the real one";

impl Services {
    /// None, and none to be read.
    pub(super) fn of_gateway() -> Self {
        Self {
            laws: vec![],
            of_gateway: true,
        }
    }

    fn add(&mut self, service: Service, node: &Node, findings: &Findings) -> Option<u16> {
        let Ok(at) = u16::try_from(self.laws.len()) else {
            findings.push(Finding::error("more than 65,536 service laws").at(node.span, ""));
            return None;
        };
        self.laws.push(service);
        Some(at)
    }

    /// Reads the `service` of a section.
    pub(super) fn read(&mut self, section: &mut Section, findings: &Findings) -> Field<u16> {
        if self.of_gateway {
            section.refuse("service", REAL);
            return Field::Absent;
        }
        Field::of(section.node("service").map(|node| {
            let service = service::service(node, findings)?;
            self.add(service, node, findings)
        }))
    }
}

/// What can be said of a model, for all accounts or for one.
#[derive(Clone, Copy, Debug)]
pub(super) struct ModelFields {
    /// Quality tier, 1 to 5.
    pub(super) quality: Field<u8>,
    /// Most input plus output tokens.
    pub(super) context_window: Field<u32>,
    /// Prices.
    pub(super) prices: Field<Prices>,
    /// Service law.
    pub(super) service: Field<u16>,
}

impl ModelFields {
    /// Context window of a model that states none.
    pub(super) const DEFAULT_CONTEXT_WINDOW: u32 = 200_000;

    /// Nothing said.
    pub(super) const ABSENT: Self = Self {
        quality: Field::Absent,
        context_window: Field::Absent,
        prices: Field::Absent,
        service: Field::Absent,
    };

    /// Reads the fields of a section and ends it.
    pub(super) fn read(mut section: Section, all: &mut Services, findings: &Findings) -> Self {
        let quality = section.field("quality", |node| {
            decode::count(1..=5)(node).map(|tier| tier as u8)
        });
        let context_window = section.field("context_window", decode::count_u32(1));
        let prices = section.node("prices").map(|node| prices(node, findings));
        let fields = Self {
            quality,
            context_window,
            prices: Field::of(prices),
            service: all.read(&mut section, findings),
        };
        section.finish();
        fields
    }
}

fn prices(node: &Node, findings: &Findings) -> Option<Prices> {
    let mut section = Section::of(node, "`prices`", findings)?;
    let input = section.required("input", "\"$3/Mtok\"", decode::price);
    let output = section.required("output", "\"$15/Mtok\"", decode::price);
    let cached = section.optional("cached_input", decode::price);
    section.finish();
    let input: Price = input?;
    Some(Prices {
        input,
        output: output?,
        cached_input: cached?.unwrap_or(input),
    })
}

/// All models, by index.
#[derive(Debug)]
pub(super) struct Models {
    /// Their names.
    pub(super) names: Vec<String>,
    /// What is said of them.
    pub(super) fields: Vec<ModelFields>,
}

/// Reads `[models]`. `None` if the names cannot be relied upon.
pub(super) fn read(top: &mut Section, all: &mut Services, findings: &Findings) -> Option<Models> {
    let example = "[models.NAME] for each model that is asked for";
    let node = top.required_node("models", example)?;
    let Some(table) = node.table() else {
        let problem = decode::wrong_type(node, "a table [models.NAME] for each model");
        findings.push(problem.finding("models", node));
        return None;
    };
    if table.entries.is_empty() || table.entries.len() > MOST_MODELS {
        let label = format!("{} models", table.entries.len());
        let help = format!("allowed: 1 to {MOST_MODELS} models");
        let title = "too few or too many models";
        findings.push(Finding::error(title).at(node.span, label).help(help));
        return None;
    }
    let mut models = Models {
        names: Vec::new(),
        fields: Vec::new(),
    };
    for entry in &table.entries {
        let key = Node {
            span: entry.span,
            value: super::document::Value::Text(entry.key.clone()),
        };
        if let Err(problem) = decode::name(&key) {
            findings.push(problem.finding("the name of the model", &key));
        }
        models.names.push(entry.key.clone());
        let place = format!("[models.{}]", decode::shortened(&entry.key));
        let section = Section::of(&entry.node, place, findings);
        models
            .fields
            .push(section.map_or(ModelFields::ABSENT, |section| {
                ModelFields::read(section, all, findings)
            }));
    }
    Some(models)
}
