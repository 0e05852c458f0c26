//! Reading single values: type, unit, range, and words out of a list.

use super::diagnostics::{Finding, Span};
use super::document::{Node, Value};
use crate::time::Duration;
use crate::units::{Price, Rate, UnitError};
use std::ops::RangeInclusive;

/// A value, or why it is none.
pub(super) type Decoded<T> = Result<T, Problem>;

/// What is wrong with a value; the key that it belongs to is added by the reader of the section.
#[derive(Debug)]
pub(super) struct Problem {
    /// What follows the name of the key in the title, or the whole title.
    pub(super) title: Title,
    /// What is the matter, beside the caret.
    pub(super) label: String,
    /// What is allowed.
    pub(super) help: Option<String>,
    /// Where, if not the whole value.
    pub(super) span: Option<Span>,
}

/// The title of a finding.
#[derive(Debug)]
pub(super) enum Title {
    /// `key` followed by this.
    OfKey(&'static str),
    /// This.
    Whole(String),
}

impl Problem {
    /// As a finding about the value of `key`.
    pub(super) fn finding(self, key: &str, node: &Node) -> Finding {
        let title = match self.title {
            Title::OfKey(what) => format!("`{key}` {what}"),
            Title::Whole(title) => title,
        };
        let finding = Finding::error(title).at(self.span.unwrap_or(node.span), self.label);
        match self.help {
            Some(help) => finding.help(help),
            None => finding,
        }
    }

    fn of_key(what: &'static str, label: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            title: Title::OfKey(what),
            label: label.into(),
            help: Some(help.into()),
            span: None,
        }
    }
}

/// The value is of another type than `expected`.
pub(super) fn wrong_type(node: &Node, expected: &str) -> Problem {
    let label = format!("expected {expected}, found {}", node.kind());
    Problem {
        title: Title::OfKey("has the wrong type"),
        label,
        help: None,
        span: None,
    }
}

/// A non-empty text of one line, at most 200 characters.
pub(super) fn name(node: &Node) -> Decoded<String> {
    let Some(text) = node.text() else {
        return Err(wrong_type(node, "a string"));
    };
    let label = match text {
        text if text.trim().is_empty() => "empty",
        text if text.chars().any(char::is_control) => "contains a control character",
        text if text.chars().count() > 200 => "longer than 200 characters",
        _ => return Ok(text.to_owned()),
    };
    let help = "1 to 200 characters on one line";
    Err(Problem::of_key("is not a usable name", label, help))
}

/// A text for people, not empty; line breaks become spaces.
pub(super) fn prose(node: &Node) -> Decoded<String> {
    match node.text() {
        Some(text) if !text.trim().is_empty() => {
            Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        Some(_) => Err(Problem::of_key("is empty", "empty", "a sentence or two")),
        None => Err(wrong_type(node, "a string")),
    }
}

/// True or false.
pub(super) fn boolean(node: &Node) -> Decoded<bool> {
    match node.value {
        Value::Boolean(value) => Ok(value),
        _ => Err(wrong_type(node, "true or false")),
    }
}

/// A whole number in `range`.
pub(super) fn count(range: RangeInclusive<u64>) -> impl Fn(&Node) -> Decoded<u64> {
    move |node| match node.value {
        Value::Integer(number) => match u64::try_from(number) {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(out_of_range(
                number < i128::from(*range.start()),
                &format!("a whole number from {} to {}", range.start(), range.end()),
                (range.start(), range.end()),
            )),
        },
        _ => Err(no_number(node, "a whole number")),
    }
}

/// The value is no number; it may be one in quotes, with a unit, or in percent.
fn no_number(node: &Node, expected: &str) -> Problem {
    let mut problem = wrong_type(node, expected);
    let text = node.text().unwrap_or_default().trim();
    let share = text.strip_suffix('%').map(|digits| digits.trim().parse());
    problem.help = match share {
        Some(Ok::<f64, _>(percent)) => Some(format!("write a share of 1: {}", percent / 100.0)),
        _ if text.starts_with(|first: char| first.is_ascii_digit()) => {
            Some("write a plain number, without quotes and unit".into())
        }
        _ => None,
    };
    problem
}

/// A whole number that fits into 32 bits, at least `least`.
pub(super) fn count_u32(least: u32) -> impl Fn(&Node) -> Decoded<u32> {
    let decode = count(u64::from(least)..=u64::from(u32::MAX));
    move |node| decode(node).map(|number| number as u32)
}

/// A plain number as `read` takes it, or a word in its place.
pub(super) fn or_word<T: Clone>(
    word: &'static str,
    instead: T,
    read: impl Fn(&Node) -> Decoded<T>,
) -> impl Fn(&Node) -> Decoded<T> {
    move |node| {
        if node.text() == Some(word) {
            return Ok(instead.clone());
        }
        read(node).map_err(|mut problem| {
            let help = problem.help.as_deref();
            let help = help.unwrap_or("write a plain number, without quotes");
            problem.help = Some(format!("{help}, or \"{word}\""));
            problem
        })
    }
}

/// A number in `range`.
pub(super) fn number(range: RangeInclusive<f64>) -> impl Fn(&Node) -> Decoded<f64> {
    move |node| {
        let number = match node.value {
            Value::Integer(number) => number as f64,
            Value::Float(number) => number,
            _ => return Err(no_number(node, "a number")),
        };
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(out_of_range(
                number < *range.start(),
                &format!("a number from {} to {}", range.start(), range.end()),
                (range.start(), range.end()),
            ))
        }
    }
}

/// A number from 0 to 1.
pub(super) fn share(node: &Node) -> Decoded<f64> {
    number(0.0..=1.0)(node)
}

/// A number of 0 or more that weighs one thing against others.
pub(super) fn weight(node: &Node) -> Decoded<f64> {
    number(0.0..=1e9)(node)
}

/// The value is not within its bounds.
pub(super) fn out_of_bounds(label: impl Into<String>, help: impl Into<String>) -> Problem {
    Problem::of_key("is out of range", label, help)
}

/// A number above 0.
pub(super) fn factor(node: &Node) -> Decoded<f64> {
    const MOST: f64 = 1e6;
    let help = format!("a number above 0, at most {MOST}");
    if matches!(node.value, Value::Float(number) if number.is_nan()) {
        return Err(out_of_bounds("not a number", help));
    }
    let number = number(f64::NEG_INFINITY..=f64::INFINITY)(node)?;
    if number > MOST {
        Err(out_of_bounds("more than a million", help))
    } else if number > 0.0 {
        Ok(number)
    } else {
        Err(out_of_bounds("must be above 0", help))
    }
}

fn out_of_range<T: std::fmt::Display>(below: bool, allowed: &str, ends: (T, T)) -> Problem {
    let label = if below {
        format!("less than {}", ends.0)
    } else {
        format!("not within {} to {}", ends.0, ends.1)
    };
    Problem::of_key("is out of range", label, format!("allowed: {allowed}"))
}

/// A length of time with its unit.
pub(super) fn duration(node: &Node) -> Decoded<Duration> {
    quantity(node, "is not a duration", ("", "s"), Duration::parse)
}

/// A length of time above 0.
pub(super) fn positive_duration(node: &Node) -> Decoded<Duration> {
    let length = duration(node)?;
    if length == Duration::ZERO {
        let help = "a duration above 0";
        return Err(Problem::of_key("is out of range", "must be above 0", help));
    }
    Ok(length)
}

/// A length of time above 0, or `"none"`.
pub(super) fn duration_or_none(node: &Node) -> Decoded<Option<Duration>> {
    if node.text() == Some("none") {
        return Ok(None);
    }
    positive_duration(node).map(Some).map_err(|mut problem| {
        problem.help = problem.help.map(|help| format!("{help}, or \"none\""));
        problem
    })
}

/// A rate with its unit, which may be 0.
pub(super) fn rate(node: &Node) -> Decoded<Rate> {
    rate_up_to(node, "a rate from 0 to 1000000rps")
}

/// A rate with its unit, above 0.
pub(super) fn positive_rate(node: &Node) -> Decoded<Rate> {
    let help = "a rate above 0, at most 1000000rps";
    let rate = rate_up_to(node, help)?;
    if rate.as_per_second() == 0.0 {
        return Err(out_of_bounds("nobody would ever ask", help));
    }
    Ok(rate)
}

fn rate_up_to(node: &Node, help: &str) -> Decoded<Rate> {
    let rate = quantity(node, "is not a rate", ("", "rps"), Rate::parse)?;
    if rate.as_per_second() > 1e6 {
        return Err(out_of_bounds("more than a million requests a second", help));
    }
    Ok(rate)
}

/// A price with its unit.
pub(super) fn price(node: &Node) -> Decoded<Price> {
    quantity(node, "is not a price", ("$", "/Mtok"), Price::parse)
}

/// Reads a text with a unit. `around` is what stands before and after the number.
fn quantity<T>(
    node: &Node,
    what: &'static str,
    around: (&str, &str),
    parse: impl Fn(&str) -> Result<T, UnitError>,
) -> Decoded<T> {
    let example = |number: &str| format!("\"{}{number}{}\"", around.0, around.1);
    let number = match &node.value {
        Value::Text(text) => {
            return parse(text).map_err(|UnitError(message)| {
                let (why, help) = message.split_once("; ").unwrap_or((&message, ""));
                let help = Some(help).filter(|help| !help.is_empty());
                let such = || format!("such as {}", example("3"));
                Problem::of_key(what, why, help.map_or_else(such, str::to_owned))
            });
        }
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        _ => {
            let expected = format!("a string with a unit, such as {}", example("3"));
            return Err(wrong_type(node, &expected));
        }
    };
    Err(Problem::of_key(
        what,
        "the unit is missing",
        format!(
            "write it as a string with its unit, such as {}",
            example(&number)
        ),
    ))
}

/// One of a list of words. `what` says what the words are.
pub(super) fn word<T: Copy>(
    what: &'static str,
    words: &[T],
    name: impl Fn(T) -> &'static str,
) -> impl Fn(&Node) -> Decoded<T> {
    move |node| {
        let Some(text) = node.text() else {
            let names: Vec<&str> = words.iter().map(|word| name(*word)).collect();
            let mut problem = wrong_type(node, &format!("the name of a {what}"));
            problem.help = Some(format!("known: {}", names.join(", ")));
            return Err(problem);
        };
        let found = words.iter().copied().find(|word| name(*word) == text);
        found.ok_or_else(|| unknown(what, text, words.iter().map(|word| name(*word))))
    }
}

/// The position of a name in a list of names that the scenario itself defines.
pub(super) fn reference(what: &'static str, names: &[String]) -> impl Fn(&Node) -> Decoded<usize> {
    move |node| {
        let Some(text) = node.text() else {
            return Err(wrong_type(node, &format!("the name of a {what}")));
        };
        let found = names.iter().position(|name| name == text);
        found.ok_or_else(|| unknown(what, text, names.iter().map(String::as_str)))
    }
}

/// The name is not one of those allowed.
pub(super) fn unknown<'n>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> Problem {
    let (label, help) = suggest(what, name, known);
    Problem {
        title: Title::Whole(format!("unknown {what} `{}`", shortened(name))),
        label,
        help: Some(help),
        span: None,
    }
}

/// A label with the nearest of the known names, and a help with all of them.
pub(super) fn suggest<'n>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> (String, String) {
    let label = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("no such {what}"),
    };
    let mut all: Vec<&str> = known.clone().take(31).collect();
    let help = if all.is_empty() {
        format!("the scenario defines no {what}: add it in [{what}s]")
    } else {
        let more = all.len() == 31;
        all.truncate(30);
        let more = if more { ", ..." } else { "" };
        format!("known: {}{more}", all.join(", "))
    };
    (label, help)
}

/// The known name that was probably meant.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if name.len() > 100 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['-', ' ', '.'], "_");
    let wanted = plain(name);
    known
        .take(2_000)
        .filter(|known| known.len() <= 100)
        .map(|known| (strsim::damerau_levenshtein(&wanted, &plain(known)), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= name.len().max(known.len()).div_ceil(3))
        .map(|(_, known)| known)
}

/// A number with its noun, in the plural unless it is 1.
pub(super) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// At most 60 characters of a text that somebody else wrote.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
