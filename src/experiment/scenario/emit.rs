//! The document as canonical TOML: what was run, overrides applied, to be read again.
//!
//! Templates stay templates and counts stay counts: a pool of 1,000 accounts is as short here as
//! in the file. Reading the text gives the same scenario (tested).

use super::document::{Node, Table, Value};
use std::fmt::Write as _;

/// The whole document.
pub(super) fn document(table: &Table) -> String {
    let mut text = String::new();
    body(table, "", &mut text);
    text
}

/// The entries of a table under a header: plain values first, then tables, then arrays of tables.
fn body(table: &Table, path: &str, text: &mut String) {
    for entry in table.entries.iter().filter(|entry| !headed(&entry.node)) {
        let _ = write!(text, "{} = ", key(&entry.key));
        value(&entry.node, text);
        text.push('\n');
    }
    for entry in table.entries.iter().filter(|entry| headed(&entry.node)) {
        let path = match path {
            "" => key(&entry.key),
            path => format!("{path}.{}", key(&entry.key)),
        };
        match &entry.node.value {
            Value::Table(inner) => {
                if inner.entries.is_empty() || inner.entries.iter().any(|e| !headed(&e.node)) {
                    let _ = write!(text, "\n[{path}]\n");
                }
                body(inner, &path, text);
            }
            Value::Array(items) => {
                for inner in items.iter().filter_map(Node::table) {
                    let _ = write!(text, "\n[[{path}]]\n");
                    body(inner, &path, text);
                }
            }
            _ => {}
        }
    }
}

/// Whether a value is written under a header of its own.
fn headed(node: &Node) -> bool {
    let written_so = |node: &Node| node.table().is_some_and(|table| !table.inline);
    match &node.value {
        Value::Array(items) => !items.is_empty() && items.iter().all(written_so),
        _ => written_so(node),
    }
}

fn value(node: &Node, text: &mut String) {
    match &node.value {
        Value::Text(string) => quoted(string, text),
        Value::Integer(number) => {
            let _ = write!(text, "{number}");
        }
        Value::Float(number) => {
            let _ = write!(text, "{number:?}");
        }
        Value::Boolean(value) => {
            let _ = write!(text, "{value}");
        }
        Value::Datetime => text.push_str("\"\""),
        Value::Array(items) => {
            text.push('[');
            list(items, text, value);
            text.push(']');
        }
        Value::Table(table) => {
            text.push_str("{ ");
            list(&table.entries, text, |entry, text| {
                let _ = write!(text, "{} = ", key(&entry.key));
                value(&entry.node, text);
            });
            text.push_str(" }");
        }
    }
}

fn list<T>(items: &[T], text: &mut String, write: impl Fn(&T, &mut String)) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        write(item, text);
    }
}

/// A key, quoted where it must be.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) {
        return name.to_owned();
    }
    let mut text = String::new();
    quoted(name, &mut text);
    text
}

fn quoted(string: &str, text: &mut String) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04X}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}
