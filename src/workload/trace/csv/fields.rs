//! The fields of one line of CSV (RFC 4180), each with its place.
//!
//! A quoted field may hold commas and doubled quotation marks, but no line break: names have one
//! line, and a file is then read line by line whatever is wrong in it.

use crate::workload::trace::error::LineError;
use std::borrow::Cow;

/// One field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field<'a> {
    /// Character of the line that it starts at, from 1.
    pub column: usize,
    /// Its text, without quotation marks.
    pub text: Cow<'a, str>,
}

/// All fields of a line; at least one.
pub fn split(line: &str) -> Result<Vec<Field<'_>>, LineError> {
    let mut fields = Vec::new();
    let mut column = 1;
    let mut rest = Some(line);
    while let Some(text) = rest {
        let (field, length) = if text.starts_with('"') {
            quoted(text).map_err(|(at, message)| LineError::new(column + at, message))?
        } else {
            let length = text.find(',').unwrap_or(text.len());
            (Cow::Borrowed(&text[..length]), length)
        };
        fields.push(Field {
            column,
            text: field,
        });
        column += text[..length].chars().count() + 1;
        rest = text.get(length + 1..);
    }
    Ok(fields)
}

/// A text that begins with a quoted field: the field, and its bytes with the quotation marks. In
/// an error, the characters before it.
fn quoted(text: &str) -> Result<(Cow<'_, str>, usize), (usize, &'static str)> {
    let mut from = 1;
    let end = loop {
        let Some(mark) = text[from..].find('"') else {
            return Err((0, "the quotation mark is not closed on this line"));
        };
        let after = from + mark + 1;
        if !text[after..].starts_with('"') {
            break after;
        }
        from = after + 1;
    };
    if !text[end..].is_empty() && !text[end..].starts_with(',') {
        let before = text[..end].chars().count();
        return Err((before, "a comma must follow the closing quotation mark"));
    }
    let inner = &text[1..end - 1];
    let field = if inner.contains('"') {
        Cow::Owned(inner.replace("\"\"", "\""))
    } else {
        Cow::Borrowed(inner)
    };
    Ok((field, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(line: &str) -> Vec<(usize, String)> {
        let fields = split(line).unwrap().into_iter();
        fields
            .map(|field| (field.column, field.text.into_owned()))
            .collect()
    }

    #[test]
    fn plain_and_quoted_fields() {
        let own = |fields: &[(usize, &str)]| -> Vec<(usize, String)> {
            fields
                .iter()
                .map(|(at, text)| (*at, (*text).to_owned()))
                .collect()
        };
        assert_eq!(texts(""), own(&[(1, "")]));
        assert_eq!(texts("a,,b"), own(&[(1, "a"), (3, ""), (4, "b")]));
        assert_eq!(texts("ü,b,"), own(&[(1, "ü"), (3, "b"), (5, "")]));
        assert_eq!(texts(r#""a,""b""",c"#), own(&[(1, r#"a,"b""#), (11, "c")]));
        assert_eq!(texts(r#"a"b,"""#), own(&[(1, "a\"b"), (5, "")]));
    }

    #[test]
    fn broken_quotation() {
        let error = split(r#"a,"b,c"#).unwrap_err();
        assert_eq!(error.column, 3);
        let error = split(r#"a,"ü"c"#).unwrap_err();
        assert_eq!(
            (error.column, error.message.starts_with("a comma")),
            (6, true)
        );
    }

    proptest! {
        /// The `csv` crate is the oracle.
        #[test]
        fn agrees_with_another_reader(fields in prop::collection::vec("[a\",ü ]{0,5}", 1..6)) {
            let mut writer = csv::WriterBuilder::new()
                .terminator(csv::Terminator::Any(b'\n'))
                .from_writer(Vec::new());
            writer.write_record(&fields).unwrap();
            let line = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let found: Vec<String> = texts(line.trim_end_matches('\n'))
                .into_iter()
                .map(|(_, text)| text)
                .collect();
            prop_assert_eq!(found, fields);
        }

        #[test]
        fn any_text_is_split_or_refused(line in "\\PC*|[\",a]{0,12}") {
            let _ = split(&line);
        }
    }
}
