//! Whether two results are of one scenario: which keys differ, and what that means.
//!
//! Not by a version number, which people forget, and not by the file's text, which changes with a
//! comment: by the resolved scenario, key by key.

use std::collections::BTreeMap;
use toml::{Table, Value};

/// A key that two scenarios do not have in common.
#[derive(Clone, PartialEq, Debug)]
pub struct KeyDifference {
    /// Where it stands: `accounts.claude-us-{n}.weight`.
    pub path: String,
    /// Before; `None` if it was not there.
    pub old: Option<String>,
    /// After.
    pub new: Option<String>,
    /// What it belongs to.
    pub part: Part,
}

/// What a key of a scenario has a say in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The world, or what is measured of it: results with other values are not of one scenario.
    World,
    /// How requests are routed: what a comparison may be about.
    Routing,
    /// Neither: texts, what is written, how often it was run.
    Presentation,
}

/// The keys in which two resolved scenarios differ, by path.
///
/// # Errors
/// The message of the parser, if one of them is not TOML.
pub fn versions(old: &str, new: &str) -> Result<Vec<KeyDifference>, String> {
    let read = |text: &str| text.parse::<Table>().map_err(|error| error.to_string());
    let mut found = vec![];
    tables("", &read(old)?, &read(new)?, &mut found);
    Ok(found)
}

/// What the key at a path belongs to.
fn part(path: &str) -> Part {
    let first = path.split(['.', '[']).next().unwrap_or_default();
    match first {
        // Failures count at this deadline in every latency over all requests.
        "routing" if path == "routing.deadline" => Part::World,
        "routing" | "strategies" | "policy_seed" => Part::Routing,
        "question" | "expectation" | "baseline" | "replications" | "seed" | "output"
        | "gallery" | "claims" | "thresholds" => Part::Presentation,
        _ => Part::World,
    }
}

fn tables(path: &str, old: &Table, new: &Table, found: &mut Vec<KeyDifference>) {
    let only_new = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(only_new) {
        let path = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        values(&path, old.get(key), new.get(key), found);
    }
}

fn values(path: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<KeyDifference>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Some(Value::Table(old)), Some(Value::Table(new))) => tables(path, old, new, found),
        // One of its keys belongs to the world, the others do not.
        (None, Some(Value::Table(new))) if path == "routing" => {
            tables(path, &Table::new(), new, found);
        }
        (Some(Value::Table(old)), None) if path == "routing" => {
            tables(path, old, &Table::new(), found);
        }
        (Some(Value::Array(old)), Some(Value::Array(new)))
            if old
                .iter()
                .chain(new)
                .all(|item| item.is_table() || label(item).is_some()) =>
        {
            let (old, new) = (labelled(old), labelled(new));
            let only_new = new.keys().filter(|name| !old.contains_key(*name));
            for name in old.keys().chain(only_new) {
                let (old, new) = (old.get(name), new.get(name));
                values(&format!("{path}{name}"), old.copied(), new.copied(), found);
            }
        }
        _ => found.push(KeyDifference {
            path: path.to_owned(),
            old: old.map(shown),
            new: new.map(shown),
            part: part(path),
        }),
    }
}

/// The elements of an array by what they are called, or by position: `.smart`, `[0]`.
fn labelled(items: &[Value]) -> BTreeMap<String, &Value> {
    let mut named = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        let name = label(item).map(|name| format!(".{name}"));
        let name = name.filter(|name| !named.contains_key(name));
        named.insert(name.unwrap_or_else(|| format!("[{at}]")), item);
    }
    named
}

/// What an element is called: itself if it is a text, else its name.
fn label(item: &Value) -> Option<&str> {
    match item {
        Value::String(text) => Some(text),
        Value::Table(table) => ["id", "name", "strategy"]
            .iter()
            .find_map(|key| table.get(*key)?.as_str()),
        _ => None,
    }
}

/// A value on one line, at most 60 characters of it.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "duration = \"1min\"\nseed = 1\nstrategies = [\"smart\", \
                       { name = \"bare\", strategy = \"smart\", breaker = false }]\n\
                       [routing.breaker]\nopen_time = \"60s\"\n\
                       [[accounts]]\nid = \"a\"\nweight = 1\n[[faults]]\nkind = \"outage\"\n";

    fn changed(from: &str, to: &str) -> Vec<(String, Part)> {
        let new = OLD.replace(from, to);
        assert_ne!(OLD, new);
        let found = versions(OLD, &new).unwrap().into_iter();
        found.map(|key| (key.path, key.part)).collect()
    }

    #[test]
    fn keys_are_told_by_their_path_and_part() {
        for (from, to, path, part) in [
            ("1min", "2min", "duration", Part::World),
            ("weight = 1", "weight = 2", "accounts.a.weight", Part::World),
            ("\"outage\"", "\"errors\"", "faults[0].kind", Part::World),
            ("60s", "30s", "routing.breaker.open_time", Part::Routing),
            (
                "breaker = false",
                "breaker = true",
                "strategies.bare.breaker",
                Part::Routing,
            ),
            ("seed = 1", "seed = 2", "seed", Part::Presentation),
            (
                "[routing.breaker]",
                "[routing]\ndeadline = \"9s\"\n[routing.breaker]",
                "routing.deadline",
                Part::World,
            ),
        ] {
            assert_eq!(changed(from, to), [(path.to_owned(), part)]);
        }
    }

    #[test]
    fn a_section_that_only_one_has_is_taken_apart() {
        let section = "[routing]\ndeadline = \"9s\"\nmax_attempts = 2";
        for (old, new) in [("", section), (section, "")] {
            let found = versions(old, new).unwrap().into_iter();
            let found: Vec<_> = found.map(|key| (key.path, key.part)).collect();
            let [deadline, attempts] =
                ["routing.deadline", "routing.max_attempts"].map(str::to_owned);
            assert_eq!(found, [(deadline, Part::World), (attempts, Part::Routing)]);
        }
    }

    #[test]
    fn order_of_named_elements_is_no_difference() {
        let old = "strategies = [\"a\", \"b\"]";
        assert_eq!(versions(old, "strategies = [\"b\", \"a\"]").unwrap(), []);
        let found = versions(old, "strategies = [\"b\", { name = \"a\", x = 1 }]").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "strategies.a");
        assert_eq!(found[0].old.as_deref(), Some("\"a\""));
    }

    #[test]
    fn other_values_are_shown_whole_or_cut() {
        let found = versions("a = [1, 2]", "a = [1, 3]\nb = 1").unwrap();
        assert_eq!(found[0].old.as_deref(), Some("[1, 2]"));
        assert_eq!((found[1].path.as_str(), &found[1].old), ("b", &None));
        let long = format!("a = \"{}\"", "x".repeat(200));
        let found = versions("", &long).unwrap();
        assert!(found[0].new.as_ref().unwrap().len() < 70);
        assert!(versions("a =", "").is_err());
    }
}
