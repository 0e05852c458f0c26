//! Findings about a scenario, and how they are shown.
//!
//! A scenario is written by hand, so one run of the checker must find everything that is wrong with
//! it: findings are collected instead of returned at the first one. They are rendered in the manner
//! of rustc (source line, caret, label, help) because its readers know how to read that.

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet, renderer::DecorStyle,
};
use std::cell::RefCell;
use std::fmt::{self, Write as _};

/// Most findings that are shown in full; the others are counted.
const MOST_SHOWN: usize = 50;

/// Lines longer than this are named by position instead of shown.
const LONGEST_LINE: usize = 2_000;

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
        let mut all = self.0.borrow_mut();
        if !all.contains(&finding) && all.len() < 1_000 {
            all.push(finding);
        }
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
        let plural = |n: usize, word| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let (errors, all) = (self.errors(), self.len());
        let mut text = match (errors, all - errors) {
            (e, 0) => plural(e, "error"),
            (0, w) => plural(w, "warning"),
            (e, w) => format!("{} and {}", plural(e, "error"), plural(w, "warning")),
        };
        if all > MOST_SHOWN {
            let _ = write!(text, ", the first {MOST_SHOWN} of them shown");
        }
        text
    }

    fn group<'a>(&'a self, finding: &'a Finding) -> Group<'a> {
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(clean(&finding.title)));
        if let Some((name, line, column)) = finding.origin.as_deref() {
            let place = Origin::path(clean(name)).line(*line as usize);
            group = group.element(place.char_column(*column as usize));
        }
        if let Some((span, label)) = &finding.at {
            group = self.place(group, *span, label, &finding.also);
        }
        if let Some(help) = &finding.help {
            group = group.element(Level::HELP.message(clean(help)));
        }
        group
    }

    /// The lines that a finding points to: those of one source in one snippet.
    fn place<'a>(
        &'a self,
        mut group: Group<'a>,
        at: Span,
        label: &'a str,
        also: &'a [(Span, String)],
    ) -> Group<'a> {
        let (same, other): (Vec<_>, Vec<_>) =
            also.iter().partition(|(span, _)| span.source == at.source);
        let mut marks = vec![(at, label, AnnotationKind::Primary)];
        let context =
            |(span, label): &&'a (Span, String)| (*span, label.as_str(), AnnotationKind::Context);
        marks.extend(same.iter().map(context));
        group = self.snippet(group, &marks);
        for mark in other.iter().map(context) {
            group = self.snippet(group, &[mark]);
        }
        group
    }

    fn snippet<'a>(
        &'a self,
        group: Group<'a>,
        marks: &[(Span, &'a str, AnnotationKind)],
    ) -> Group<'a> {
        let Some(source) = marks.first().and_then(|m| self.sources.get(m.0.source)) else {
            return group;
        };
        let text = source.text.as_str();
        let first = marks.iter().map(|m| line_start(text, m.0.start)).min();
        let first = first.unwrap_or(0);
        let last = marks.iter().map(|m| line_end(text, m.0.start)).max();
        let shown = &text[first..last.unwrap_or(text.len())];
        let line = text[..first].matches('\n').count() + 1;
        if shown.split('\n').any(|line| line.len() > LONGEST_LINE) {
            let at = boundary(text, marks[0].0.start);
            let start = line_start(text, at);
            let line = text[..start].matches('\n').count() + 1;
            let column = text[start..at].chars().count() + 1;
            let place = Origin::path(source.name.as_str()).line(line);
            return group
                .element(place.char_column(column))
                .element(Level::NOTE.message(marks[0].1));
        }
        let annotations = marks.iter().map(|(span, label, kind)| {
            let range = visible(text, *span);
            annotation(*kind, range.start - first..range.end - first, label)
        });
        group.element(
            Snippet::source(shown)
                .line_start(line)
                .path(source.name.as_str())
                .annotations(annotations),
        )
    }
}

fn annotation(kind: AnnotationKind, range: std::ops::Range<usize>, label: &str) -> Annotation<'_> {
    let annotation = kind.span(range);
    if label.is_empty() {
        annotation
    } else {
        annotation.label(clean(label))
    }
}

/// Control characters and the like made harmless for a terminal.
fn clean(text: &str) -> String {
    annotate_snippets::normalize_untrusted_str(text)
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// The nearest character boundary at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn line_start(text: &str, at: usize) -> usize {
    text[..boundary(text, at)]
        .rfind('\n')
        .map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    let at = boundary(text, at);
    let line = text[at..].split('\n').next().unwrap_or_default();
    at + line.strip_suffix('\r').unwrap_or(line).len()
}

/// The part of a span on its first line.
fn visible(text: &str, span: Span) -> std::ops::Range<usize> {
    let start = boundary(text, span.start);
    let end = boundary(text, span.end).clamp(start, line_end(text, start).max(start));
    start..end
}
