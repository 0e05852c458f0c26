//! One parameter of a sweep and its values: `routing.breaker.open_time=10s,30s,60s`.

use crate::experiment::scenario::Choice;
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
        }
    }
}

impl std::error::Error for AxisError {}

impl Axis {
    /// Reads `path=a,b,c`. Commas within brackets, braces and quotes belong to a value. Whether
    /// path and values mean something is for the scenario to judge.
    ///
    /// # Errors
    /// If the text has another form, or a value is given twice.
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
