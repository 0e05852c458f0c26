//! Writing to stdout and stderr without the `println!` family, which panics when the reader has
//! left: `routelab ... | head` must end quietly, with its results written.

use super::exit::Exit;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};

/// Writes a text and a line end to stdout. A reader that has left is no error: results also go to
/// files, and those are still wanted.
///
/// # Errors
/// If stdout takes no more for another reason (a full disk); it has then been reported.
pub(super) fn print(text: &str) -> Result<(), Exit> {
    let mut out = stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("error: cannot write to stdout: {error}"));
            Err(Exit::Failed)
        }
        _ => Ok(()),
    }
}

/// Writes a text and a line end to stderr, for people. There is nowhere to report that nobody is
/// listening, so that is ignored.
pub(super) fn say(text: &str) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// Whether stdout can show colours.
pub(super) fn stdout_has_colour() -> bool {
    stdout().is_terminal() && wants_colour()
}

/// Whether stderr can show colours.
pub(super) fn stderr_has_colour() -> bool {
    stderr().is_terminal() && wants_colour()
}

/// The convention of no-color.org, and of terminals that know no colours.
fn wants_colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !set("NO_COLOR") && !dumb
}

/// A text on one line: each run of white space becomes one space.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A whole number with its thousands apart: `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun, in the plural unless it is 1: `1 account`, `2 accounts`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = match noun {
        "strategy" => "strategies".to_owned(),
        "threshold or expectation" => "thresholds or expectations".to_owned(),
        _ => format!("{noun}s"),
    };
    let noun = if number == 1 { noun } else { &plural };
    format!("{} {noun}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_for_people() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_345, "12,345"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(one_line(" a\n  b c "), "a b c");
        assert_eq!(counted(1, "strategy"), "1 strategy");
        assert_eq!(counted(2, "strategy"), "2 strategies");
        assert_eq!(counted(1000, "account"), "1,000 accounts");
    }
}
