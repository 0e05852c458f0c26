//! One parameter of a sweep and its values: `routing.breaker.open_time=10s,30s,60s`.

use crate::experiment::scenario::Choice;
use crate::time::Duration;
use crate::units::{Price, Rate, UnitError};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// A parameter and the values that it takes, in the order in which they were given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Axis {
    /// Path of the parameter in the scenario, as typed.
    pub path: String,
    /// Its values, as typed; at least one, no two the same.
    pub values: Vec<String>,
    argument: String,
    places: Vec<Range<usize>>,
}

/// Why an argument is no axis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AxisError {
    /// There is no `=`, or nothing before it.
    NoPath,
    /// A value is missing: nothing stands at the start, between two commas, or at the end.
    EmptyValue,
    /// This value is given twice.
    Twice(String),
    /// These two are the same value in other words.
    Same(String, String),
}

impl fmt::Display for AxisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPath => write!(
                f,
                "expected PATH=A,B,..., such as `routing.breaker.open_time=10s,30s,60s`"
            ),
            Self::EmptyValue => write!(
                f,
                "a value is empty: expected PATH=A,B,..., without spaces or commas at the ends"
            ),
            Self::Twice(value) => write!(f, "the value `{value}` is given twice"),
            Self::Same(one, other) => write!(f, "`{one}` and `{other}` are the same value"),
        }
    }
}

impl std::error::Error for AxisError {}

impl Axis {
    /// Reads `path=a,b,c`. Commas within brackets, braces and quotes belong to a value. Whether
    /// path and values mean something is for the scenario to judge.
    ///
    /// # Errors
    /// If the text has another form, or a value is given twice, be it in other words (`60s`,
    /// `1min`).
    pub fn parse(argument: &str) -> Result<Self, AxisError> {
        let equals = at_top_level(argument, '=').next();
        let equals = equals.ok_or(AxisError::NoPath)?;
        let path = argument[..equals].trim().to_owned();
        if path.is_empty() {
            return Err(AxisError::NoPath);
        }
        let (mut places, mut values): (Vec<_>, Vec<String>) = (vec![], vec![]);
        for place in pieces(argument, equals + 1) {
            let value = argument[place.clone()].to_owned();
            if value.is_empty() {
                return Err(AxisError::EmptyValue);
            }
            if values.contains(&value) {
                return Err(AxisError::Twice(value));
            }
            let same = |other: &&String| meaning(other) == meaning(&value);
            if let Some(other) = values.iter().find(same) {
                return Err(AxisError::Same(other.clone(), value));
            }
            places.push(place);
            values.push(value);
        }
        Ok(Self {
            path,
            values,
            argument: argument.to_owned(),
            places,
        })
    }

    /// One of the values, for the reader of scenarios.
    #[must_use]
    pub fn choice(&self, value: usize) -> Choice {
        Choice {
            argument: self.argument.clone(),
            value: self.places[value].clone(),
        }
    }
}

/// What a value says, however it is written.
#[derive(Clone, PartialEq, Debug)]
enum Meaning {
    Time(Duration),
    Rate(f64),
    Price(Price),
    Number(f64),
    Text(String),
    Several(Vec<Self>),
    Table(BTreeMap<String, Self>),
}

/// What the scenario's reader would make of a text: TOML, else a text that needs no quotes.
fn meaning(text: &str) -> Meaning {
    let document = format!("value = {text}").parse::<toml::Table>().ok();
    match document.as_ref().and_then(|table| table.get("value")) {
        Some(value) => meaning_of(value),
        None => meaning_of_text(text),
    }
}

fn meaning_of(value: &toml::Value) -> Meaning {
    match value {
        toml::Value::Integer(number) => Meaning::Number(*number as f64),
        toml::Value::Float(number) => Meaning::Number(*number),
        toml::Value::String(text) => meaning_of_text(text),
        toml::Value::Array(items) => Meaning::Several(items.iter().map(meaning_of).collect()),
        toml::Value::Table(table) => {
            let entries = table
                .iter()
                .map(|(key, value)| (key.clone(), meaning_of(value)));
            Meaning::Table(entries.collect())
        }
        other => Meaning::Text(other.to_string()),
    }
}

fn meaning_of_text(text: &str) -> Meaning {
    let time = Duration::parse(text).map(Meaning::Time);
    let rate = |_| Rate::parse(text).map(|rate| Meaning::Rate(rate.as_per_second()));
    let price = |_| Price::parse(text).map(Meaning::Price);
    let quantity = time.or_else(rate).or_else(price);
    quantity.unwrap_or_else(|_: UnitError| Meaning::Text(text.to_owned()))
}

/// Where the values lie after `start`, without the spaces around them.
fn pieces(argument: &str, start: usize) -> Vec<Range<usize>> {
    let commas = at_top_level(&argument[start..], ',').map(|at| start + at);
    let mut begin = start;
    let mut pieces = vec![];
    for end in commas.chain([argument.len()]) {
        let text = &argument[begin..end];
        let from = begin + text.len() - text.trim_start().len();
        pieces.push(from..from + text.trim().len());
        begin = end + 1;
    }
    pieces
}

/// Positions of `wanted` outside of quotes, brackets and braces.
fn at_top_level(text: &str, wanted: char) -> impl Iterator<Item = usize> {
    let (mut depth, mut quote) = (0_u32, None);
    text.char_indices().filter_map(move |(at, c)| {
        let found = c == wanted && depth == 0 && quote.is_none();
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        found.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_in_other_words_is_the_same() {
        for (one, other) in [
            ("5rps", "5.0rps"),
            ("60rpm", "1/s"),
            ("60s", "1min"),
            ("$1/Mtok", "$0.001/ktok"),
            ("5", "5.0"),
            ("1_000", "1e3"),
            ("wait", "\"wait\""),
            ("[1, \"60s\"]", "[1.0,\"1min\"]"),
            (
                "{ open_time = \"60s\", cap = 1 }",
                "{cap = 1,open_time=\"1min\"}",
            ),
        ] {
            let twice = AxisError::Same(one.to_owned(), other.to_owned());
            let axis = Axis::parse(&format!("a={one},7,{other}"));
            assert_eq!(axis, Err(twice));
        }
        for different in [
            "5rps,5s",
            "5,5s",
            "1,true",
            "0s,0ms1",
            "none,0s",
            "[1,2],[2,1]",
        ] {
            assert_eq!(values(&format!("a={different}")).len(), 2, "{different}");
        }
    }

    fn values(argument: &str) -> Vec<String> {
        Axis::parse(argument).unwrap().values
    }

    #[test]
    fn commas_separate_values_but_not_within_them() {
        assert_eq!(
            values("routing.breaker.open_time=10s, 30s ,60s"),
            ["10s", "30s", "60s"]
        );
        assert_eq!(values("a=[1,2],[3]"), ["[1,2]", "[3]"]);
        assert_eq!(
            values("a={ b = 1, c = [2,3] },7"),
            ["{ b = 1, c = [2,3] }", "7"]
        );
        assert_eq!(values("a=\"x,y\",'z,]'"), ["\"x,y\"", "'z,]'"]);
        let axis = Axis::parse("models.\"m=1\".quality=0.5,1").unwrap();
        assert_eq!(axis.path, "models.\"m=1\".quality");
        assert_eq!(axis.values, ["0.5", "1"]);
    }

    #[test]
    fn what_is_no_axis_is_refused() {
        for (argument, error) in [
            ("", AxisError::NoPath),
            ("a", AxisError::NoPath),
            ("=1", AxisError::NoPath),
            ("a=", AxisError::EmptyValue),
            ("a=1,", AxisError::EmptyValue),
            ("a=,1", AxisError::EmptyValue),
            ("a=1,,2", AxisError::EmptyValue),
            ("a=1,2,1", AxisError::Twice("1".to_owned())),
        ] {
            assert_eq!(Axis::parse(argument), Err(error), "{argument}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(argument in ".*") {
            if let Ok(axis) = Axis::parse(&argument) {
                for (at, value) in axis.values.iter().enumerate() {
                    let choice = axis.choice(at);
                    prop_assert_eq!(&choice.argument[choice.value], value);
                }
            }
        }
    }
}
