//! How one finding is shown: its source lines, with carets under them.

use super::{Diagnostics, Finding, Severity, Span};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Snippet};

/// Lines longer than this are named by position instead of shown.
const LONGEST_LINE: usize = 2_000;

impl Diagnostics {
    /// A finding as annotate-snippets takes it.
    pub(super) fn group<'a>(&'a self, finding: &'a Finding) -> Group<'a> {
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

/// The nearest character boundary at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

pub(super) fn line_start(text: &str, at: usize) -> usize {
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
