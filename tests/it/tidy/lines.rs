//! Rules that look at one line at a time.

use super::{Finding, Source};

/// Most characters of a line.
const COLUMNS: usize = 100;

/// Lines over the width. A comment that is one long word (an address) cannot be broken, and may
/// stay.
pub(super) fn too_wide(source: &Source) -> Vec<Finding> {
    let lines = numbered(&source.text);
    lines
        .filter_map(|(number, line)| {
            let width = line.chars().count();
            let comment = line
                .trim_start()
                .trim_start_matches(['/', '!'])
                .trim_start();
            let one_word = comment.len() < line.trim_start().len() && !comment.contains(' ');
            (width > COLUMNS && !one_word).then(|| {
                let message = format!("{width} columns; break the line at {COLUMNS}");
                source.on(number, message)
            })
        })
        .collect()
}

/// White space at the end of a line, tabs, and a missing or doubled line end at the end.
pub(super) fn white_space(source: &Source) -> Vec<Finding> {
    let mut findings: Vec<_> = numbered(&source.text)
        .filter_map(|(number, line)| {
            let message = if line.ends_with([' ', '\t', '\r']) {
                "white space at the end; remove it"
            } else if line.contains('\t') {
                "a tab; use spaces, or \\t in a text"
            } else {
                return None;
            };
            Some(source.on(number, message.to_owned()))
        })
        .collect();
    if !source.text.ends_with('\n') || source.text.ends_with("\n\n") {
        let last = source.text.lines().count().max(1);
        findings.push(source.on(last, "end the file with exactly one line end".to_owned()));
    }
    findings
}

/// What must not stay in the code, and what to do instead.
const LEFT_OVERS: [(&str, &str); 6] = [
    ("todo!", "finish it, or leave it out"),
    ("unimplemented!", "finish it, or leave it out"),
    ("dbg!", "remove it"),
    (
        "#[ignore",
        "a test that does not run proves nothing: make it fast, or remove it",
    ),
    ("allow(dead_code)", "remove the code"),
    ("allow(unused", "remove the code"),
];

/// Unfinished code, and tests that do not run.
pub(super) fn left_overs(source: &Source) -> Vec<Finding> {
    numbered(&source.code)
        .flat_map(move |(number, line)| {
            LEFT_OVERS
                .iter()
                .filter(move |(word, _)| has_word(line, word))
                .map(move |(word, advice)| source.on(number, format!("`{word}`: {advice}")))
        })
        .collect()
}

/// Functions whose last digit is up to the platform's C library.
const PLATFORM_MATHS: [&str; 9] = [
    "exp", "exp2", "exp_m1", "ln", "ln_1p", "log", "log2", "log10", "powf",
];

/// Calls of such functions. Tests are free to: their oracles are compared within a tolerance.
pub(super) fn platform_maths(source: &Source) -> Vec<Finding> {
    let lines = numbered(&source.code).take(lines_before_tests(&source.code));
    lines
        .flat_map(|(number, line)| {
            PLATFORM_MATHS
                .iter()
                .filter(move |name| {
                    line.contains(&format!(".{name}(")) || has_word(line, &format!("f64::{name}("))
                })
                .map(move |name| {
                    let advice = "use the `libm` crate, so that every platform computes the same";
                    source.on(number, format!("f64::{name}: {advice}"))
                })
        })
        .collect()
}

/// How many lines stand before the module of unit tests.
fn lines_before_tests(code: &str) -> usize {
    let tests = code.find("#[cfg(test)]\nmod tests {");
    code[..tests.unwrap_or(code.len())].split('\n').count()
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('\n')
        .enumerate()
        .map(|(at, line)| (at + 1, line))
}

/// Whether `word` stands in the line, not as the end of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::super::{NOTHING, lines_found};
    use super::*;

    #[test]
    fn wide_lines_are_found() {
        let wide = |prefix: &str| format!("{prefix}{}\n", "x".repeat(COLUMNS + 1 - prefix.len()));
        let found = |text: &str| lines_found("src/a.rs", text, too_wide);
        assert_eq!(found(&format!("ok\n{}", wide(""))), [2]);
        assert_eq!(found(&wide("// two words ")), [1]);
        assert_eq!(found(&wide("//! https://")), NOTHING);
        assert_eq!(found(&format!("{}\n", "ä".repeat(COLUMNS))), NOTHING);
    }

    #[test]
    fn stray_white_space_is_found() {
        let found = |text: &str| lines_found("src/a.rs", text, white_space);
        assert_eq!(found("a\nb \n\tc\nd\r\n"), [2, 3, 4]);
        assert_eq!(found("a\nb"), [2]);
        assert_eq!(found("a\nb\n\n"), [3]);
        assert_eq!(found(""), [1]);
        assert_eq!(found("a\n\nb\n"), NOTHING);
    }

    #[test]
    fn left_overs_are_found_in_code_only() {
        let text = "f(todo!());\ndbg!(x);\n#[ignore = \"slow\"]\nunimplemented!()\n\
                    #[allow(dead_code)]\n// todo!\n\"dbg!\"\nmy_dbg!(x)\n";
        assert_eq!(lines_found("src/a.rs", text, left_overs), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn platform_maths_is_found_outside_tests() {
        let text = "a.exp();\nf64::ln(a);\nlibm::exp(a);\na.explain();\n\
                    #[cfg(test)]\nmod x;\na.powf(2.0);\n\
                    #[cfg(test)]\nmod tests {\na.exp();\n}\n";
        assert_eq!(lines_found("src/a.rs", text, platform_maths), [1, 2, 7]);
    }
}
