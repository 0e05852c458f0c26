//! Findings about a scenario, and how they are shown.
//!
//! A scenario is written by hand, so one run of the checker must find everything that is wrong with
//! it: findings are collected instead of returned at the first one. They are rendered in the manner
//! of rustc (source line, caret, label, help) because its readers know how to read that.

mod render;

use super::decode::counted;
use annotate_snippets::{Renderer, renderer::DecorStyle};
use render::line_start;
use std::cell::RefCell;
use std::fmt::{self, Write as _};

/// Most findings that are shown in full; the others are counted.
const MOST_SHOWN: usize = 50;

/// Most errors, and most warnings, that are kept: a file with more is no scenario.
const MOST_KEPT: usize = 1_000;

/// Everything found out about one scenario: errors, warnings, or none.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    sources: Vec<Source>,
    findings: Vec<Finding>,
}

/// A text that findings point into: the file, or one argument of the command line.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// How it is called in messages.
    pub(super) name: String,
    /// All of it.
    pub(super) text: String,
}

/// A stretch of a source, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Span {
    /// Position in the list of sources; 0 is the file.
    pub(super) source: usize,
    /// First byte.
    pub(super) start: usize,
    /// End, exclusive.
    pub(super) end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Severity {
    Error,
    Warning,
}

/// One thing that is wrong, or doubtful.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Finding {
    severity: Severity,
    title: Box<str>,
    at: Option<(Span, String)>,
    also: Vec<(Span, String)>,
    origin: Option<Box<(String, u64, u64)>>,
    help: Option<Box<str>>,
    needs_the_rest: bool,
    unless_elsewhere: bool,
}

impl Finding {
    /// The scenario cannot be used.
    pub(super) fn error(title: impl Into<Box<str>>) -> Self {
        Self {
            severity: Severity::Error,
            title: title.into(),
            at: None,
            also: Vec::new(),
            origin: None,
            help: None,
            needs_the_rest: false,
            unless_elsewhere: false,
        }
    }

    /// The scenario can be used, but probably not as meant.
    pub(super) fn warning(title: impl Into<Box<str>>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(title)
        }
    }

    /// Where, and what is the matter with it there.
    pub(super) fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.at = Some((span, label.into()));
        self
    }

    /// A second place that belongs to it.
    pub(super) fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.also.push((span, label.into()));
        self
    }

    /// A position in a file whose text is not at hand; line and column from 1.
    pub(super) fn origin(mut self, name: impl Into<String>, line: u64, column: u64) -> Self {
        self.origin = Some(Box::new((name.into(), line, column)));
        self
    }

    /// What is allowed, or what to do.
    pub(super) fn help(mut self, help: impl Into<Box<str>>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// It could be the mere consequence of a syntax error elsewhere.
    pub(super) fn needs_the_rest(mut self) -> Self {
        self.needs_the_rest = true;
        self
    }

    /// Of several readings of the same text (the cells of a sweep) it is only worth saying if it
    /// holds in all of them.
    pub(super) fn unless_elsewhere(mut self) -> Self {
        self.unless_elsewhere = true;
        self
    }

    /// Whether another one says the same, be it about another value of a key.
    fn says(&self, other: &Self) -> bool {
        let label = |finding: &Self| finding.at.as_ref().map(|(_, label)| label.clone());
        self.title == other.title && label(self) == label(other)
    }

    fn start(&self) -> (usize, usize) {
        self.at
            .as_ref()
            .map_or((0, 0), |(span, _)| (span.source, span.start))
    }
}

/// Where findings are put while a scenario is read.
#[derive(Default, Debug)]
pub(super) struct Findings(RefCell<Vec<Finding>>);

impl Findings {
    /// Adds one, unless it is there already.
    pub(super) fn push(&self, finding: Finding) {
        let room = self.count(finding.severity) < MOST_KEPT;
        if room && !self.0.borrow().contains(&finding) {
            self.0.borrow_mut().push(finding);
        }
    }

    /// Whether there are so many errors that no further one is kept.
    pub(super) fn full(&self) -> bool {
        self.count(Severity::Error) >= MOST_KEPT
    }

    /// Counted apart, so that warnings never push out an error.
    fn count(&self, severity: Severity) -> usize {
        let all = self.0.borrow();
        all.iter().filter(|f| f.severity == severity).count()
    }

    /// Whether one of them is an error.
    pub(super) fn has_errors(&self) -> bool {
        self.0
            .borrow()
            .iter()
            .any(|f| f.severity == Severity::Error)
    }

    /// Takes out what may only follow from the syntax errors: what points to the same line, or
    /// needs the whole file to be judged.
    pub(super) fn drop_consequences_of(&self, syntax: &[Finding], text: &str) {
        let line = |finding: &Finding| match &finding.at {
            Some((span, _)) if span.source == 0 => Some(line_start(text, span.start)),
            _ => None,
        };
        let broken: Vec<_> = syntax.iter().map(line).collect();
        self.0.borrow_mut().retain(|finding| {
            !finding.needs_the_rest && finding.at.is_some() && !broken.contains(&line(finding))
        });
    }

    /// Hands all of them over.
    pub(super) fn move_to(self, other: &Self) {
        for finding in self.0.into_inner() {
            other.push(finding);
        }
    }

    /// All of them, in the order of the text.
    pub(super) fn into_diagnostics(self, sources: Vec<Source>) -> Diagnostics {
        let mut findings = self.0.into_inner();
        findings.sort_by_key(Finding::start);
        Diagnostics { sources, findings }
    }
}

impl Diagnostics {
    /// One finding that concerns no place in a text.
    pub(super) fn single(finding: Finding) -> Self {
        Self {
            sources: Vec::new(),
            findings: vec![finding],
        }
    }

    /// Number of findings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Number of findings that make the scenario unusable.
    #[must_use]
    pub fn errors(&self) -> usize {
        let error = |finding: &&Finding| finding.severity == Severity::Error;
        self.findings.iter().filter(error).count()
    }

    /// Adds what was found out about the same texts read in another way (another cell of a sweep),
    /// each finding once, and takes out what only matters if it holds in all of them. Findings
    /// about other texts could not point to them, so those are the same sources in the same order.
    pub fn absorb(&mut self, other: Self) {
        let first = self.sources.is_empty();
        if self.sources.len() < other.sources.len() {
            self.sources = other.sources;
        }
        self.findings.retain(|finding| {
            !finding.unless_elsewhere || other.findings.iter().any(|other| finding.says(other))
        });
        for finding in other.findings {
            let news = first || !finding.unless_elsewhere && !self.findings.contains(&finding);
            if self.findings.len() < MOST_KEPT && news {
                self.findings.push(finding);
            }
        }
    }

    /// All findings with their source lines, and a last line that counts them.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut text = String::new();
        for finding in self.findings.iter().take(MOST_SHOWN) {
            text += &renderer.render(&[self.group(finding)]);
            text += "\n\n";
        }
        text + &self.count()
    }

    fn count(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let (errors, all) = (self.errors(), self.len());
        let mut text = match (errors, all - errors) {
            (e, 0) => counted(e, "error"),
            (0, w) => counted(w, "warning"),
            (e, w) => format!("{} and {}", counted(e, "error"), counted(w, "warning")),
        };
        if all >= MOST_KEPT {
            text += " or more";
        }
        if all > MOST_SHOWN {
            let _ = write!(text, ", the first {MOST_SHOWN} of them shown");
        }
        text
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}
