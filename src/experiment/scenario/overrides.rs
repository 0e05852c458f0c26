//! What the command line changes in a scenario: `--set`, `--seed`, `--replications`,
//! `--strategies`.
//!
//! Overrides change the parsed document before it is read, so that they go through the very checks
//! of the file; each remembers the argument that it came from, so that a message can point there.

use super::decode;
use super::diagnostics::{Finding, Findings, Source, Span};
use super::document::{self, Node, Table, Value};
use crate::record::Strategy;

/// What the command line changes in a scenario.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overrides {
    /// `path=value`, as typed after `--set`; later ones win.
    pub set: Vec<String>,
    /// Root seed.
    pub seed: Option<u64>,
    /// Number of replications.
    pub replications: Option<u32>,
    /// Arms to keep, by name, in this order; names of strategies that are no arm yet are added.
    pub strategies: Option<Vec<String>>,
}

/// Most steps of a path.
const LONGEST_PATH: usize = 16;

/// Applies all overrides to a document, and adds the arguments to `sources`.
pub(super) fn apply(
    overrides: &Overrides,
    document: &mut Table,
    sources: &mut Vec<Source>,
    findings: &Findings,
) {
    for argument in &overrides.set {
        let source = add_source(sources, "--set ", argument);
        if let Err(finding) = set(argument, source, document) {
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
        strategies(names, document, sources, findings);
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

/// One step of a path.
#[derive(PartialEq, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

fn set(argument: &str, at: Span, document: &mut Table) -> Result<(), Finding> {
    let help = "write `--set path=value`, such as `--set workload.rate=80rps`";
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
        path(argument, at.source).map_err(|(start, label)| malformed(start, label))?;
    let text = &argument[equals + 1..];
    let offset = at.start + equals + 1;
    let value = value(
        text.trim(),
        at,
        offset + text.len() - text.trim_start().len(),
    )?;
    let (last, before) = match steps.split_last() {
        Some((last, before)) if steps.len() <= LONGEST_PATH => (last, before),
        _ => return Err(malformed(0, "the path has too many steps")),
    };
    let mut place = Place::Table(document);
    for (step, span) in before {
        place = place.step(step, *span)?;
    }
    place.put(&last.0, last.1, value)
}

/// The value after `=`: TOML, or, where it is none, the text itself.
fn value(text: &str, at: Span, offset: usize) -> Result<Node, Finding> {
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

type Steps = Vec<(Step, Span)>;

/// Splits `a.b[0]."c.d"=` into steps, spans counted from the argument's start as in its source.
/// Gives the position of the `=`.
fn path(argument: &str, source: usize) -> Result<(Steps, usize), (usize, &'static str)> {
    let mut steps = Vec::new();
    let mut rest = argument;
    loop {
        let start = argument.len() - rest.len();
        let (step, length) = one_step(rest).map_err(|label| (start, label))?;
        let option = "--set ".len();
        let span = Span {
            source,
            start: option + start,
            end: option + start + length,
        };
        steps.push((step, span));
        rest = &rest[length..];
        let at = argument.len() - rest.len();
        match rest.chars().next() {
            Some('=') => return Ok((steps, at)),
            Some('.') => rest = &rest[1..],
            Some('[') => {}
            _ => return Err((start, "there is no `=value`")),
        }
        if steps.len() > LONGEST_PATH {
            return Err((0, "the path has too many steps"));
        }
    }
}

/// The first step of a path, and its length in bytes.
fn one_step(text: &str) -> Result<(Step, usize), &'static str> {
    if let Some(inner) = text.strip_prefix('[') {
        let end = inner.find(']').ok_or("`[` is not closed")?;
        let index = inner[..end].trim().parse();
        let index = index.map_err(|_| "not a position: write a number from 0")?;
        return Ok((Step::Index(index), end + 2));
    }
    if let Some(inner) = text.strip_prefix('"') {
        let end = inner.find('"').ok_or("the quoted name is not closed")?;
        return Ok((Step::Key(inner[..end].to_owned()), end + 2));
    }
    let end = text.find(['.', '[', '=']).unwrap_or(text.len());
    if text[..end].trim().is_empty() {
        return Err("a name is missing");
    }
    Ok((Step::Key(text[..end].trim().to_owned()), end))
}

/// A place in the document on the way along a path.
enum Place<'d> {
    Table(&'d mut Table),
    Node(&'d mut Node),
}

impl<'d> Place<'d> {
    /// The place one step on; a table is made where there is none.
    fn step(self, step: &Step, span: Span) -> Result<Self, Finding> {
        match (self.into_container(span)?, step) {
            (Container::Table(table), Step::Key(key)) => {
                let new = || Node {
                    span,
                    value: Value::Table(Table::default()),
                };
                Ok(Place::Node(table.get_or_insert(key, span, new)))
            }
            (Container::Array(items), step) => {
                let at = element(items, step, span)?;
                Ok(Place::Node(&mut items[at]))
            }
            (Container::Table(_), Step::Index(_)) => Err(no_array(span)),
        }
    }

    /// Gives the place one step on a value.
    fn put(self, step: &Step, span: Span, value: Node) -> Result<(), Finding> {
        match (self.into_container(span)?, step) {
            (Container::Table(table), Step::Key(key)) => table.set(key, span, value),
            (Container::Array(items), step) => {
                let at = element(items, step, span)?;
                items[at] = value;
            }
            (Container::Table(_), Step::Index(_)) => return Err(no_array(span)),
        }
        Ok(())
    }

    fn into_container(self, span: Span) -> Result<Container<'d>, Finding> {
        let node = match self {
            Place::Table(table) => return Ok(Container::Table(table)),
            Place::Node(node) => node,
        };
        let kind = node.kind();
        match &mut node.value {
            Value::Table(table) => Ok(Container::Table(table)),
            Value::Array(items) => Ok(Container::Array(items)),
            _ => Err(Finding::error("the path goes on after a plain value")
                .at(span, format!("what stands before this is {kind}"))
                .also(node.span, "namely this")),
        }
    }
}

enum Container<'d> {
    Table(&'d mut Table),
    Array(&'d mut Vec<Node>),
}

fn no_array(span: Span) -> Finding {
    Finding::error("this is a table, not an array").at(span, "name a key instead")
}

/// The position of an element, by number or by its `id` or `name`.
fn element(items: &[Node], step: &Step, span: Span) -> Result<usize, Finding> {
    match step {
        Step::Index(at) if *at < items.len() => Ok(*at),
        Step::Index(_) => {
            let label = format!("there are {}, counted from 0", items.len());
            Err(Finding::error("no such element").at(span, label))
        }
        Step::Key(name) => {
            let names = || items.iter().map(|item| label_of(item).unwrap_or_default());
            names().position(|known| known == name).ok_or_else(|| {
                let known = names().filter(|name| !name.is_empty());
                let (label, help) = decode::suggest("element", name, known);
                let name = decode::shortened(name);
                let finding = Finding::error(format!("no element is called `{name}`"));
                let help = format!("{help}; or give its position, such as `[0]`");
                finding.at(span, label).help(help)
            })
        }
    }
}

/// What an element of an array is called: its `id` or `name`, or a strategy by itself.
fn label_of(item: &Node) -> Option<&str> {
    let Some(table) = item.table() else {
        return item.text();
    };
    let key = ["id", "name", "strategy"]
        .iter()
        .find_map(|key| table.get(key))?;
    key.text()
}

/// Keeps the arms with these names, and adds strategies that are no arm.
fn strategies(
    names: &[String],
    document: &mut Table,
    sources: &mut Vec<Source>,
    findings: &Findings,
) {
    let whole = add_source(sources, "--strategies ", &names.join(","));
    let before = match document.get("strategies").map(|node| &node.value) {
        Some(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let mut kept: Vec<Node> = Vec::new();
    let mut start = whole.start;
    for name in names {
        let span = Span {
            start,
            end: start + name.len(),
            ..whole
        };
        start = span.end + 1;
        let arm = before.iter().find(|item| label_of_arm(item) == Some(name));
        if let Some(arm) = arm {
            kept.push(arm.clone());
        } else if Strategy::from_name(name).is_some() {
            let value = Value::Text(name.clone());
            kept.push(Node { span, value });
        } else {
            let plain = Strategy::ALL.iter().map(|strategy| strategy.name());
            let known = before.iter().filter_map(label_of_arm).chain(plain);
            let known: std::collections::BTreeSet<&str> = known.collect();
            let (label, help) = decode::suggest("strategy", name, known.iter().copied());
            let name = decode::shortened(name);
            let finding = Finding::error(format!("unknown strategy `{name}`"));
            findings.push(finding.at(span, label).help(help));
            return;
        }
    }
    let value = Value::Array(kept);
    document.set("strategies", whole, Node { span: whole, value });
    drop_baseline(names, &before, document, findings);
}

fn label_of_arm(item: &Node) -> Option<&str> {
    let Some(table) = item.table() else {
        return item.text();
    };
    let name = table.get("name").or_else(|| table.get("strategy"))?;
    name.text()
}

/// A baseline that is not kept gives way to the default one.
fn drop_baseline(names: &[String], before: &[Node], document: &mut Table, findings: &Findings) {
    let Some(node) = document.get("baseline") else {
        return;
    };
    let Some(name) = node.text().map(str::to_owned) else {
        return;
    };
    let known = before.iter().any(|item| label_of_arm(item) == Some(&name));
    if known && !names.contains(&name) {
        let label = "it is not among those given by --strategies";
        let finding = Finding::warning(format!("the baseline `{name}` is left out"));
        let help = "compared with `round_robin` if it is kept, else with the first strategy";
        findings.push(finding.at(node.span, label).help(help));
        document.entries.retain(|entry| entry.key != "baseline");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(argument: &str) -> Vec<Step> {
        let (steps, _) = path(argument, 0).unwrap();
        steps.into_iter().map(|(step, _)| step).collect()
    }

    #[test]
    fn paths_are_split() {
        let key = |name: &str| Step::Key(name.into());
        assert_eq!(keys("seed=1"), [key("seed")]);
        assert_eq!(
            keys("a.b[2].c=x=y"),
            [key("a"), key("b"), Step::Index(2), key("c")]
        );
        assert_eq!(
            keys("models.\"m-2.5\".quality=1"),
            [key("models"), key("m-2.5"), key("quality")]
        );
        for bad in [
            "", "=", "a", "a.=1", ".a=1", "a[=1", "a[x]=1", "a[0]b=1", "\"a=1",
        ] {
            assert!(path(bad, 0).is_err(), "{bad}");
        }
    }
}
