//! How an account of a gateway is reached; nothing that a scenario says.

use super::pool::Pool;
use crate::experiment::scenario::decode::{self, Decoded, Problem, Title};
use crate::experiment::scenario::diagnostics::{Finding, Findings, Span};
use crate::experiment::scenario::document::Node;
use crate::experiment::scenario::section::{Field, Section};
use crate::request::{ModelIndex, Provider};

/// Where a key stands.
#[derive(Clone, Debug)]
pub(in crate::experiment::scenario) struct KeyWritten {
    /// The name of a variable, or of a file.
    pub(in crate::experiment::scenario) name: String,
    /// Which of them.
    pub(in crate::experiment::scenario) in_file: bool,
    /// Where it is named.
    pub(in crate::experiment::scenario) span: Span,
}

/// How an account is reached.
#[derive(Clone, Debug)]
pub(in crate::experiment::scenario) struct Reach {
    /// Where its requests go.
    pub(in crate::experiment::scenario) base_url: String,
    /// Its key.
    pub(in crate::experiment::scenario) key: KeyWritten,
    /// What the provider calls the models that it calls otherwise.
    pub(in crate::experiment::scenario) upstream_names: Vec<(ModelIndex, String)>,
}

/// What is said of it, each key apart.
#[derive(Clone)]
pub(super) struct ReachFields {
    pub(super) base_url: Field<String>,
    pub(super) key: Field<KeyWritten>,
}

impl ReachFields {
    /// Reads the keys of a section; of a scenario there are none.
    pub(super) fn read(section: &mut Section, of_gateway: bool, findings: &Findings) -> Self {
        if !of_gateway {
            return Self {
                base_url: Field::Absent,
                key: Field::Absent,
            };
        }
        Self {
            base_url: section.field("base_url", base_url),
            key: key(section, findings),
        }
    }

    /// These, and where they are silent, those of a template.
    pub(super) fn overlay(self, template: Self) -> Self {
        Self {
            base_url: self.base_url.overlay(template.base_url),
            key: self.key.overlay(template.key),
        }
    }
}

impl Reach {
    /// The same for one of several accounts.
    pub(super) fn numbered(&self, numbered: impl Fn(&str) -> String) -> Self {
        Self {
            base_url: numbered(&self.base_url),
            key: KeyWritten {
                name: numbered(&self.key.name),
                ..self.key.clone()
            },
            upstream_names: self.upstream_names.clone(),
        }
    }
}

impl Pool {
    /// Where the accounts of a provider are, where nothing is said; `None` where that has to be.
    pub(super) const fn usual_url(provider: Provider) -> Option<&'static str> {
        match provider {
            Provider::Anthropic => Some("https://api.anthropic.com"),
            Provider::Google => Some("https://generativelanguage.googleapis.com"),
            Provider::OpenAi | Provider::Custom => None,
        }
    }
}

/// Reads `key_env` or `key_file`.
pub(in crate::experiment::scenario) fn key(
    section: &mut Section,
    findings: &Findings,
) -> Field<KeyWritten> {
    let named = |field: Field<String>, in_file, span| match field {
        Field::Absent => Field::Absent,
        Field::Bad => Field::Bad,
        Field::Good(name) => Field::Good(KeyWritten {
            name,
            in_file,
            span,
        }),
    };
    if section.has("key_env") && section.has("key_file") {
        let finding = Finding::error("both `key_env` and `key_file`");
        let finding = finding.at(section.span("key_file"), "one of them too many");
        findings.push(finding.also(section.span("key_env"), "the other"));
        section.node("key_env");
        section.node("key_file");
        return Field::Bad;
    }
    let variable = section.field("key_env", decode::name);
    let file = section.field("key_file", decode::name);
    let variable = named(variable, false, section.span("key_env"));
    variable.overlay(named(file, true, section.span("key_file")))
}

fn base_url(node: &Node) -> Decoded<String> {
    let text = decode::name(node)?;
    let rest = ["http://", "https://"].iter();
    let rest = rest.filter_map(|scheme| text.strip_prefix(scheme)).next();
    let label = match rest {
        None => "begins with neither http:// nor https://",
        Some(rest) if rest.is_empty() || rest.starts_with(['/', ':']) => "names no host",
        Some(rest) if rest.contains(['?', '#', '@', ' ']) => "has more than host and path",
        Some(_) => return Ok(text),
    };
    Err(Problem {
        title: Title::OfKey("is not an address"),
        label: label.into(),
        help: Some("such as \"https://api.anthropic.com\"".into()),
        span: None,
    })
}
