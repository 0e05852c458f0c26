//! Broken files by the hundred: every section, every kind of value.
//!
//! A case is the good scenario with one text replaced, in the files beside this one: `<` is taken
//! out, `>` is put in its place; without `<` it goes to the end. One snapshot a section, so that
//! whoever changes a message reads all its neighbours.

use super::GOOD;
use routelab::experiment::scenario::{self, Overrides};
use std::fmt::Write;
use std::path::Path;

/// One broken file.
#[derive(Default)]
struct Case {
    section: String,
    name: String,
    out: Option<String>,
    put: Option<String>,
}

impl Case {
    fn text(&self) -> String {
        let put = self.put.as_deref().unwrap_or_default();
        match &self.out {
            None => format!("{GOOD}\n{put}\n"),
            Some(out) => {
                assert!(GOOD.contains(out), "{}: {out}", self.name);
                GOOD.replacen(out, put, 1)
            }
        }
    }

    /// What the author sees. Whoever wrote it must be told the place, with a caret.
    fn message(&self) -> String {
        let none = Overrides::default();
        let text = self.text();
        let (told, found) = match scenario::parse("broken.toml", &text, Path::new("."), &none) {
            Ok(loaded) => ("warned", loaded.warnings),
            Err(found) => ("refused", found),
        };
        let message = found.render(false);
        let points = message.contains(" --> broken.toml:") && message.contains('^');
        assert!(points, "{} of {}: {message}", self.name, self.section);
        format!("{told}\n{message}")
    }
}

/// The cases in a file.
fn cases(text: &str) -> Vec<Case> {
    let mut section = "";
    let mut cases: Vec<Case> = vec![];
    for line in text.lines() {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        match mark {
            "==" => section = rest,
            "--" => cases.push(Case {
                section: section.into(),
                name: rest.into(),
                ..Case::default()
            }),
            "<" | ">" => {
                let case = cases.last_mut().expect("a name first");
                let side = if mark == "<" {
                    &mut case.out
                } else {
                    &mut case.put
                };
                match side {
                    None => *side = Some(rest.into()),
                    Some(side) => {
                        side.push('\n');
                        side.push_str(rest);
                    }
                }
            }
            _ => assert!(line.is_empty(), "{line}"),
        }
    }
    cases
}

/// All messages of a section, one after the other.
fn messages(cases: &[Case]) -> String {
    let mut all = String::new();
    for case in cases {
        let _ = writeln!(all, "## {}: {}\n", case.name, case.message());
    }
    all
}

fn check(text: &str) {
    let cases = cases(text);
    for section in cases.chunk_by(|one, other| one.section == other.section) {
        let name = format!("broken_{}", section[0].section);
        insta::assert_snapshot!(name, messages(section));
    }
}

#[test]
fn top_level() {
    check(include_str!("top_level.txt"));
}

#[test]
fn pool() {
    check(include_str!("pool.txt"));
}

#[test]
fn demand() {
    check(include_str!("demand.txt"));
}

#[test]
fn verdicts() {
    check(include_str!("verdicts.txt"));
}

#[test]
fn behaviour() {
    check(include_str!("behaviour.txt"));
}

#[test]
fn effect() {
    check(include_str!("effect.txt"));
}

#[test]
fn options() {
    check(include_str!("options.txt"));
}
