//! A strict reader of one table: every key is asked for by name, and what nobody asked for is
//! reported.
//!
//! The reading functions return `None` for what was bad *and* reported, so that a caller first
//! reads all keys and only then unwraps them: all findings at once, and none that merely follows
//! from another.

use super::decode::{self, Decoded};
use super::diagnostics::{Finding, Findings, Span};
use super::document::{Node, Table, Value};

/// One table while it is read.
pub(super) struct Section<'a> {
    table: &'a Table,
    heading: Span,
    place: String,
    findings: &'a Findings,
    known: Vec<&'static str>,
    refused: Vec<&'static str>,
    missing: Vec<(String, Finding)>,
}

/// What a key came to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<T> {
    /// It is not there.
    Absent,
    /// It is there, but wrong, and reported.
    Bad,
    /// Its value.
    Good(T),
}

impl<T> Field<T> {
    /// The value, or a default if absent; `None` if bad.
    pub(super) fn or(self, default: T) -> Option<T> {
        match self {
            Self::Absent => Some(default),
            Self::Bad => None,
            Self::Good(value) => Some(value),
        }
    }

    /// `Some(None)` if absent, `None` if bad.
    pub(super) fn optional(self) -> Option<Option<T>> {
        match self {
            Self::Absent => Some(None),
            Self::Bad => None,
            Self::Good(value) => Some(Some(value)),
        }
    }

    /// This one, or `fallback` if absent.
    pub(super) fn overlay(self, fallback: Self) -> Self {
        match self {
            Self::Absent => fallback,
            present => present,
        }
    }

    /// From a value that was looked for and reported if bad.
    pub(super) fn of(found: Option<Option<T>>) -> Self {
        match found {
            None => Self::Absent,
            Some(None) => Self::Bad,
            Some(Some(value)) => Self::Good(value),
        }
    }
}

impl<'a> Section<'a> {
    /// A reader of `table`, called `place` in messages; what is missing is reported at `heading`.
    pub(super) fn new(
        table: &'a Table,
        heading: Span,
        place: impl Into<String>,
        findings: &'a Findings,
    ) -> Self {
        Self {
            table,
            heading,
            place: place.into(),
            findings,
            known: Vec::new(),
            refused: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// A reader of a value that must be a table; `None` if it is not, which is reported.
    pub(super) fn of(
        node: &'a Node,
        place: impl Into<String>,
        findings: &'a Findings,
    ) -> Option<Self> {
        let place = place.into();
        let Some(table) = node.table() else {
            findings.push(no_table(node, &place));
            return None;
        };
        Some(Self::new(table, node.span, place, findings))
    }

    /// The value of a key.
    pub(super) fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.table.get(key)
    }

    /// The value of a key, where it has a meaning.
    pub(super) fn node_if(&mut self, key: &'static str, has_meaning: bool) -> Option<&'a Node> {
        if has_meaning { self.node(key) } else { None }
    }

    /// Reports a finding about the section.
    pub(super) fn report(&self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Whether a key is there, without reading it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// Where the section begins.
    pub(super) fn heading(&self) -> Span {
        self.heading
    }

    /// Where the value of a key stands, else where the section begins.
    pub(super) fn span(&self, key: &str) -> Span {
        self.table.get(key).map_or(self.heading, |node| node.span)
    }

    /// The value of a key, as it is found.
    pub(super) fn field<T>(
        &mut self,
        key: &'static str,
        decode: impl FnOnce(&Node) -> Decoded<T>,
    ) -> Field<T> {
        let Some(node) = self.node(key) else {
            return Field::Absent;
        };
        match decode(node) {
            Ok(value) => Field::Good(value),
            Err(problem) => {
                self.findings.push(problem.finding(key, node));
                Field::Bad
            }
        }
    }

    /// A key that may be left out. `None` if bad.
    pub(super) fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        decode: impl FnOnce(&Node) -> Decoded<T>,
    ) -> Option<T> {
        self.field(key, decode).or(default)
    }

    /// A key that may be left out and has no default. `None` if bad.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        decode: impl FnOnce(&Node) -> Decoded<T>,
    ) -> Option<Option<T>> {
        self.field(key, decode).optional()
    }

    /// A key that must be there. `None` if it is not, or bad.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        decode: impl FnOnce(&Node) -> Decoded<T>,
    ) -> Option<T> {
        match self.field(key, decode) {
            Field::Absent => {
                self.missing(key, example);
                None
            }
            Field::Bad => None,
            Field::Good(value) => Some(value),
        }
    }

    /// The value of a key that must be there.
    pub(super) fn required_node(&mut self, key: &'static str, example: &str) -> Option<&'a Node> {
        let node = self.node(key);
        if node.is_none() {
            self.missing(key, example);
        }
        node
    }

    /// The elements of a key that holds an array; empty if it is absent, `None` if it is no array.
    pub(super) fn list(&mut self, key: &'static str) -> Option<&'a [Node]> {
        let Some(node) = self.node(key) else {
            return Some(&[]);
        };
        let Value::Array(items) = &node.value else {
            let mut problem = decode::wrong_type(node, "an array");
            if node.table().is_some_and(|table| !table.inline) {
                let within = self
                    .place
                    .strip_prefix('[')
                    .and_then(|p| p.strip_suffix(']'));
                let within = within.map_or_else(String::new, |within| format!("{within}."));
                problem.help = Some(format!(
                    "there can be several: write [[{within}{key}]], with double brackets"
                ));
            }
            self.findings.push(problem.finding(key, node));
            return None;
        };
        Some(items)
    }

    /// The elements of a key that holds an array of 1 to `most` `things`; `None` if it does not,
    /// which is reported. `instead` is what can be written where there are none.
    pub(super) fn few(
        &mut self,
        key: &'static str,
        (most, things): (usize, &str),
        instead: &str,
    ) -> Option<&'a [Node]> {
        let items = self.list(key)?;
        if (1..=most).contains(&items.len()) {
            return Some(items);
        }
        let finding = Finding::error(format!("too few or too many {things}"));
        let label = format!("{} {things}", items.len());
        let help = format!("allowed: 1 to {most} {things}{instead}");
        self.findings
            .push(finding.at(self.span(key), label).help(help));
        None
    }

    /// Notes that a key is missing; reported at the end, unless a misspelt one explains it. The
    /// example is a value, or the header of a table.
    pub(super) fn missing(&mut self, key: &str, example: &str) {
        let header = example.trim_start_matches('[');
        let header = header.len() < example.len() && header.starts_with(char::is_alphabetic);
        let help = if header {
            format!("add {example}")
        } else {
            format!("add `{key} = {example}`")
        };
        let finding = Finding::error(format!("missing `{key}` in {}", self.place))
            .at(self.heading, format!("needs `{key}`"))
            .help(help)
            .needs_the_rest();
        self.missing.push((key.to_owned(), finding));
    }

    /// A key that exists, but has no meaning here.
    pub(super) fn refuse(&mut self, key: &'static str, why: &str) {
        self.refuse_as("has no meaning here", key, why, "remove it");
    }

    /// A key that belongs to another place.
    pub(super) fn misplaced(&mut self, key: &'static str, why: &str, help: &str) {
        self.refuse_as("is misplaced", key, why, help);
    }

    fn refuse_as(&mut self, what: &str, key: &'static str, why: &str, help: &str) {
        self.refused.push(key);
        if let Some(entry) = self.table.entries.iter().find(|entry| entry.key == key) {
            let finding = Finding::error(format!("`{key}` {what}"));
            self.findings.push(finding.at(entry.span, why).help(help));
        }
    }

    /// Reports the keys that were not asked for, and those that are missing.
    pub(super) fn finish(self) {
        let known = || self.known.iter().copied();
        let mut meant = Vec::new();
        for entry in &self.table.entries {
            if self.findings.full() {
                break;
            }
            let mut all = known().chain(self.refused.iter().copied());
            if all.all(|key| key != entry.key) {
                meant.extend(decode::nearest(&entry.key, known()));
                let (mut label, _) = decode::suggest("key", &entry.key, known());
                if decode::nearest(&entry.key, known()).is_none() && is_of_the_top(&entry.key) {
                    label = "it belongs before the first [section], at the top of the file".into();
                }
                let key = decode::shortened(&entry.key);
                self.findings.push(
                    Finding::error(format!("unknown key `{key}` in {}", self.place))
                        .at(entry.span, label)
                        .help(format!(
                            "allowed: {}",
                            known().collect::<Vec<_>>().join(", ")
                        )),
                );
            }
        }
        for (key, finding) in self.missing {
            if !meant.contains(&key.as_str()) {
                self.findings.push(finding);
            }
        }
    }
}

/// Whether no two of the elements `items` have the same name; if they do, `help` says what to do.
pub(super) fn all_named_apart<T>(
    things: &str,
    (items, named): (&[Node], &[T]),
    same: impl Fn(&T, &T) -> bool,
    name: impl Fn(&T) -> &str,
    findings: &Findings,
) -> bool {
    let mut good = true;
    for (at, one) in named.iter().enumerate() {
        if let Some(before) = named[..at].iter().position(|other| same(one, other)) {
            let finding = Finding::error(format!("two {things} are called `{}`", name(one)));
            let finding = finding.at(items[at].span, "used again here");
            let finding = finding.also(items[before].span, "first used here");
            findings.push(finding.help("give one of them its own `name`"));
            good = false;
        }
    }
    good
}

/// The finding about a section that is no table.
fn no_table(node: &Node, place: &str) -> Finding {
    let label = format!("expected a table, found {}", node.kind());
    let finding = Finding::error(format!("{place} has the wrong type")).at(node.span, label);
    match &node.value {
        Value::Array(items) if items.iter().all(|item| item.table().is_some()) => {
            finding.help("there is only one: write it with single brackets")
        }
        _ => finding,
    }
}

/// Whether a key stands outside all sections. One that is written below a header belongs to that
/// section, which is TOML's way, and a surprise to most.
fn is_of_the_top(key: &str) -> bool {
    [
        "question",
        "expectation",
        "duration",
        "warmup",
        "seed",
        "policy_seed",
        "replications",
        "latency_objective",
        "strategies",
        "baseline",
        "thresholds",
    ]
    .contains(&key)
}
