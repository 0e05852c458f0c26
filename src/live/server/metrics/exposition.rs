//! Writing the text format of Prometheus, version 0.0.4.

use super::steps::{BOUNDS, Steps};
use std::fmt::{Display, Write};

/// A page of metrics while it is written.
#[derive(Default)]
pub(super) struct Exposition(String);

/// One family: a name, and its samples by label.
pub(super) struct Family<'a> {
    out: &'a mut String,
    name: String,
}

impl Exposition {
    /// A family that only grows.
    pub(super) fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// A family that goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// A family of distributions.
    pub(super) fn histogram(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, "histogram", help)
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) -> Family<'_> {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family {
            out: &mut self.0,
            name: name.to_owned(),
        }
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// Writes one value. `Display` of a float never uses an exponent, and all of ours are finite.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, None, value);
    }

    /// Writes one distribution.
    pub(super) fn steps(&mut self, labels: &[(&str, &str)], steps: &Steps) {
        for (bound, count) in BOUNDS.iter().zip(steps.below) {
            self.line("_bucket", labels, Some(&bound.to_string()), count);
        }
        self.line("_bucket", labels, Some("+Inf"), steps.count);
        self.line("_sum", labels, None, steps.sum_seconds);
        self.line("_count", labels, None, steps.count);
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        bound: Option<&str>,
        value: impl Display,
    ) {
        let Self { out, name } = self;
        let _ = write!(out, "{name}{suffix}");
        let labels = labels.iter().copied();
        let mut opening = '{';
        for (label, value) in labels.chain(bound.map(|bound| ("le", bound))) {
            let _ = write!(out, "{opening}{label}=\"{}\"", escaped(value));
            opening = ',';
        }
        let closing = if opening == ',' { "}" } else { "" };
        let _ = writeln!(out, "{closing} {value}");
    }
}

/// The value of a label: backslash, quote and line feed have their escapes, all else stands for
/// itself.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut out = Exposition::default();
        out.gauge("a", "x\ny\\")
            .sample(&[("l", "q\" b\\ n\n ü")], 0.5);
        let text = "# HELP a x\\ny\\\\\n# TYPE a gauge\na{l=\"q\\\" b\\\\ n\\n ü\"} 0.5\n";
        assert_eq!(out.finish(), text);
    }

    #[test]
    fn a_family_without_labels_has_no_braces() {
        let mut out = Exposition::default();
        out.counter("a_total", "x").sample(&[], 3);
        assert!(out.finish().ends_with("\na_total 3\n"));
    }
}
