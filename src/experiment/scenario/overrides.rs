//! What the command line changes in a scenario: `--set`, `--vary`, `--seed`, `--replications`,
//! `--strategies`.
//!
//! Overrides change the parsed document before it is read, so that they go through the very checks
//! of the file; each remembers the argument that it came from, so that a message can point there.

mod path;
mod strategies;

use super::diagnostics::{Finding, Findings, Source, Span};
use super::document::{self, Node, Table, Value};
use path::Place;
use std::ops::Range;

/// What the command line changes in a scenario.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overrides {
    /// `path=value`, as typed after `--set`; later ones win.
    pub set: Vec<String>,
    /// The values that the parameters of a sweep have here; they win over `set`.
    pub vary: Vec<Choice>,
    /// Root seed.
    pub seed: Option<u64>,
    /// Number of replications.
    pub replications: Option<u32>,
    /// Arms to keep, by name, in this order; names of strategies that are no arm yet are added.
    pub strategies: Option<Vec<String>>,
}

/// One value of a parameter that a sweep varies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// `path=a,b,c`, as typed after `--vary`.
    pub argument: String,
    /// Where in it the value stands, in bytes.
    pub value: Range<usize>,
}

/// Applies all overrides to a document, and adds the arguments to `sources`.
pub(super) fn apply(
    overrides: &Overrides,
    document: &mut Table,
    sources: &mut Vec<Source>,
    findings: &Findings,
) {
    for argument in &overrides.set {
        let source = add_source(sources, "--set ", argument);
        let help = "write `--set path=value`, such as `--set workload.rate=80rps`";
        if let Err(finding) = set(argument, None, source, help, document) {
            findings.push(finding);
        }
    }
    for Choice { argument, value } in &overrides.vary {
        let source = add_source(sources, "--vary ", argument);
        let help = "write `--vary path=a,b`, such as `--vary workload.rate=40rps,80rps`";
        if let Err(finding) = set(argument, Some(value), source, help, document) {
            findings.push(finding);
        }
    }
    if let Some(seed) = overrides.seed {
        set_number("seed", seed, document, sources);
    }
    if let Some(replications) = overrides.replications {
        set_number("replications", u64::from(replications), document, sources);
    }
    if let Some(names) = &overrides.strategies {
        strategies::keep(names, document, sources, findings);
    }
}

/// Adds an argument as a source; its span without the option's name.
fn add_source(sources: &mut Vec<Source>, option: &str, argument: &str) -> Span {
    sources.push(Source {
        name: "command line".into(),
        text: format!("{option}{argument}"),
    });
    Span {
        source: sources.len() - 1,
        start: option.len(),
        end: option.len() + argument.len(),
    }
}

fn set_number(key: &str, number: u64, document: &mut Table, sources: &mut Vec<Source>) {
    let span = add_source(sources, &format!("--{key} "), &number.to_string());
    let value = Value::Integer(i128::from(number));
    document.set(key, span, Node { span, value });
}

/// Sets what a path names to the part `value` of the argument; without it, to all after the `=`.
fn set(
    argument: &str,
    value: Option<&Range<usize>>,
    at: Span,
    help: &'static str,
    document: &mut Table,
) -> Result<(), Finding> {
    let malformed = |start: usize, label: &str| {
        let span = Span {
            start: at.start + start,
            end: at.end,
            ..at
        };
        Finding::error("cannot understand this override")
            .at(span, label.to_owned())
            .help(help)
    };
    let (steps, equals) =
        path::split(argument, at).map_err(|(start, label)| malformed(start, label))?;
    let place = value.cloned().unwrap_or(equals + 1..argument.len());
    let offset = at.start + place.start;
    let text = &argument[place];
    let value = read(
        text.trim(),
        at,
        offset + text.len() - text.trim_start().len(),
    )?;
    let (last, before) = match steps.split_last() {
        Some((last, before)) if steps.len() <= path::LONGEST => (last, before),
        _ => return Err(malformed(0, "the path has too many steps")),
    };
    let mut place = Place::Table(document);
    for (step, span) in before {
        place = place.step(step, *span)?;
    }
    place.put(&last.0, last.1, value)
}

/// The value after `=`: TOML, or, where it is none, the text itself.
fn read(text: &str, at: Span, offset: usize) -> Result<Node, Finding> {
    let span = Span {
        start: offset,
        end: offset + text.len(),
        ..at
    };
    match document::read_value(text, at.source, offset) {
        Ok(mut node) => {
            node.span = span;
            Ok(node)
        }
        Err(message) if text.starts_with(['[', '{', '"', '\'']) => {
            Err(document::syntax_error(&message, span))
        }
        Err(_) => Ok(Node {
            span,
            value: Value::Text(text.to_owned()),
        }),
    }
}
