//! The parsed text of a scenario: a tree of values that know where they were written.
//!
//! Serde would stop at the first error and forgets positions once a value is converted; this tree
//! keeps both the file's values and those of `--set`, each with its own place to point to.

use super::diagnostics::{Finding, Findings, Span};
use toml::de::{DeTable, DeValue};

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where; for a table under a header, the header.
    pub(super) span: Span,
    /// What.
    pub(super) value: Value,
}

/// A TOML value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A string.
    Text(String),
    /// An integer; saturated where it exceeds 128 bits.
    Integer(i128),
    /// A floating-point number.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// A date or a time; nothing in a scenario is one.
    Datetime,
    /// An array.
    Array(Vec<Node>),
    /// A table.
    Table(Table),
}

/// A table, its entries in the order of the text.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// All entries.
    pub(super) entries: Vec<Entry>,
    /// Whether it was written within braces.
    pub(super) inline: bool,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) span: Span,
    /// Its value.
    pub(super) node: Node,
}

impl Table {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(&entry.node)
    }

    /// The value of a key; made by `new` if there is none.
    pub(super) fn get_or_insert(
        &mut self,
        key: &str,
        span: Span,
        new: impl FnOnce() -> Node,
    ) -> &mut Node {
        let at = self.entries.iter().position(|entry| entry.key == key);
        let at = at.unwrap_or_else(|| {
            self.entries.push(Entry {
                key: key.to_owned(),
                span,
                node: new(),
            });
            self.entries.len() - 1
        });
        &mut self.entries[at].node
    }

    /// Gives a key a value.
    pub(super) fn set(&mut self, key: &str, span: Span, node: Node) {
        match self.entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => entry.node = node,
            None => self.entries.push(Entry {
                key: key.to_owned(),
                span,
                node,
            }),
        }
    }
}

impl Node {
    /// What kind of value it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a string",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a decimal number",
            Value::Boolean(_) => "true or false",
            Value::Datetime => "a date or time",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        }
    }

    /// Its text, if it is a string.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its entries, if it is a table.
    pub(super) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }
}

/// Reads a document. Syntax errors are reported, one a line; what could be read in spite of them
/// is returned.
pub(super) fn read(text: &str, findings: &Findings) -> (Table, Vec<Finding>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut syntax: Vec<Finding> = Vec::new();
    let mut lines = std::collections::BTreeSet::new();
    for error in &errors {
        let range = error.span().unwrap_or(0..0);
        let start = range.start.min(text.len());
        let line = text.as_bytes()[..start].iter().filter(|b| **b == b'\n');
        if lines.insert(line.count()) && syntax.len() < 100 {
            syntax.push(syntax_error(error.message(), span(0, &range)));
        }
    }
    for finding in &syntax {
        findings.push(finding.clone());
    }
    (table(document.get_ref(), text, 0, 0), syntax)
}

/// Reads one value, as it stands after `--set path=`.
///
/// # Errors
/// If it is not TOML.
pub(super) fn read_value(text: &str, source: usize, offset: usize) -> Result<Node, String> {
    let value = DeValue::parse(text).map_err(|error| error.message().to_owned())?;
    Ok(node(value.get_ref(), &value.span(), text, source, offset))
}

/// A finding for a message of the TOML parser.
pub(super) fn syntax_error(message: &str, at: Span) -> Finding {
    let (what, expected) = match message.split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (message, None),
    };
    let what = match what {
        what if what.contains("recurs") => "nested too deeply",
        what => what,
    };
    let label = match (what, expected) {
        ("string values must be quoted", _) => "a value with a unit is a string: write it in \"\"",
        ("duplicate key", _) => "this key was given a value before",
        ("nested too deeply", _) => "at most 80 levels",
        _ => "",
    };
    let label = match (label, expected) {
        ("", Some("nothing") | None) => "here".to_owned(),
        ("", Some(expected)) => format!("expected {expected}"),
        (label, _) => label.to_owned(),
    };
    Finding::error(format!("not valid TOML: {what}")).at(at, label)
}

fn span(source: usize, range: &std::ops::Range<usize>) -> Span {
    Span {
        source,
        start: range.start,
        end: range.end,
    }
}

fn table(from: &DeTable, text: &str, source: usize, offset: usize) -> Table {
    let mut entries: Vec<Entry> = from
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            span: shifted(source, offset, &key.span()),
            node: node(value.get_ref(), &value.span(), text, source, offset),
        })
        .collect();
    entries.sort_by_key(|entry| entry.span.start);
    Table {
        entries,
        inline: false,
    }
}

fn shifted(source: usize, offset: usize, range: &std::ops::Range<usize>) -> Span {
    span(source, &(range.start + offset..range.end + offset))
}

fn node(
    from: &DeValue,
    range: &std::ops::Range<usize>,
    text: &str,
    source: usize,
    offset: usize,
) -> Node {
    let value = match from {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i128::from_str_radix(number.as_str(), number.radix());
            Value::Integer(parsed.unwrap_or(i128::MAX))
        }
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(array) => Value::Array(
            array
                .iter()
                .map(|item| node(item.get_ref(), &item.span(), text, source, offset))
                .collect(),
        ),
        DeValue::Table(inner) => Value::Table(Table {
            inline: text
                .get(range.start..)
                .is_some_and(|rest| rest.starts_with('{')),
            ..table(inner, text, source, offset)
        }),
    };
    Node {
        span: shifted(source, offset, range),
        value,
    }
}
