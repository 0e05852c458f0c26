//! Rules that look at modules, functions and public items.

use super::{Finding, Source};

/// Most lines of a function, from its `fn` to its closing brace.
const FUNCTION_LINES: usize = 70;

/// Modules are `x.rs` + `x/`: a dozen tabs called `mod.rs` tell nobody anything.
pub(super) fn module_file(source: &Source) -> Option<Finding> {
    let folder = source.file.strip_suffix("/mod.rs")?;
    Some(source.on(1, format!("move it to {folder}.rs")))
}

/// A file says at its top what it is.
pub(super) fn module_docs(source: &Source) -> Option<Finding> {
    let first = source.text.lines().find(|line| !line.trim().is_empty());
    let says = first
        .and_then(|line| line.strip_prefix("//!"))
        .is_some_and(|words| words.split_whitespace().count() > 1);
    (!says).then(|| {
        let message = "begin with `//!`: what this is, and why this way".to_owned();
        source.on(1, message)
    })
}

/// Functions that are too long to be understood at a glance.
pub(super) fn long_functions(source: &Source) -> Vec<Finding> {
    let code = &source.code;
    code.match_indices("fn ")
        .filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .filter_map(|(at, _)| {
            let length = code[at..at + body_end(&code[at..])?].matches('\n').count() + 1;
            let name: String = code[at + 3..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            (length > FUNCTION_LINES && !name.is_empty()).then(|| {
                let advice = format!("split it into steps of at most {FUNCTION_LINES}");
                source.at(at, format!("`{name}` has {length} lines; {advice}"))
            })
        })
        .collect()
}

/// Where the function ends that begins at the start of `code`: the offset of its closing brace.
/// `None` for a declaration without a body, and for a type such as `fn(u8)`.
fn body_end(code: &str) -> Option<usize> {
    let mut brackets = 0_i32;
    let mut braces = 0_i32;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b';' if brackets == 0 && braces == 0 => return None,
            b'{' => braces += 1,
            b'}' => {
                braces -= 1;
                if braces <= 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Public items without a doc comment. The compiler asks for those that can be reached from
/// outside; this asks for all.
pub(super) fn public_docs(source: &Source) -> Vec<Finding> {
    let text: Vec<_> = source.text.lines().collect();
    let code: Vec<_> = source.code.lines().collect();
    (0..code.len())
        .filter_map(|at| {
            let item = public_item(code[at])?;
            (!documented(&text, &code, at)).then(|| {
                let advice = "say what it means, with units, ranges and errors";
                source.on(at + 1, format!("`{item}` has no doc comment; {advice}"))
            })
        })
        .collect()
}

/// The start of a public item on this line, if there is one that needs a doc comment of its own:
/// not a re-export, and not a module in a file of its own, which says so itself.
fn public_item(line: &str) -> Option<&str> {
    let item = line.trim();
    let rest = item.strip_prefix("pub ")?;
    let module_file = rest.starts_with("mod ") && rest.ends_with(';');
    (!module_file && !rest.starts_with("use ")).then(|| item.trim_end_matches(['{', ' ']))
}

/// Whether the item on line `at` has a doc comment above its attributes. Inside a macro,
/// `$(#[$doc])*` passes one on.
fn documented(text: &[&str], code: &[&str], at: usize) -> bool {
    let mut open_brackets = 0_i32;
    for above in (0..at).rev() {
        let line = text[above].trim();
        if line.starts_with("///") || line.starts_with("#[doc") || line.starts_with("$(#[") {
            return true;
        }
        let count = |bracket| code[above].matches(bracket).count() as i32;
        open_brackets += count(']') - count('[');
        let in_attribute = open_brackets > 0 || code[above].trim().starts_with("#[");
        let comment = line.starts_with("//");
        if !in_attribute && !comment {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::{NOTHING, lines_found};
    use super::*;

    #[test]
    fn module_files_and_docs() {
        assert_eq!(lines_found("src/a/mod.rs", "", module_file), [1]);
        assert_eq!(lines_found("src/a.rs", "", module_file), NOTHING);
        for bad in [
            "",
            "use x;\n//! Late.\n",
            "//!\n",
            "//! x\n",
            "// A comment.\n",
        ] {
            assert_eq!(lines_found("src/a.rs", bad, module_docs), [1], "{bad}");
        }
        assert_eq!(
            lines_found("src/a.rs", "\n//! What it is.\n", module_docs),
            NOTHING
        );
    }

    /// A function of `lines` lines, with a brace in a text and one in a comment.
    fn function(lines: usize) -> String {
        let body = "    let x = \"}\"; // }\n".repeat(lines - 2);
        format!("//! A module.\n\npub(crate) fn long<T>(a: [u8; 3]) -> u8 {{\n{body}}}\n")
    }

    #[test]
    fn long_functions_are_found() {
        let found = |text: &str| lines_found("src/a.rs", text, long_functions);
        assert_eq!(found(&function(FUNCTION_LINES)), NOTHING);
        assert_eq!(found(&function(FUNCTION_LINES + 1)), [3]);
        let filler = "// x\n".repeat(80);
        assert_eq!(
            found(&format!("trait T {{ fn f(&self); }}\n{filler}")),
            NOTHING
        );
        assert_eq!(
            found(&format!("type F = fn (u8);\nmod m {{\n{filler}}}\n")),
            NOTHING
        );
        assert_eq!(
            found(&format!("struct S {{ f: fn(u8) }}\n{filler}fn f() {{}}")),
            NOTHING
        );
    }

    #[test]
    fn undocumented_public_items_are_found() {
        let found = |text: &str| lines_found("src/a.rs", text, public_docs);
        let item = |above: &str| format!("{above}pub struct A {{\n    pub b: u8,\n}}\n");
        assert_eq!(found(&item("")), [1, 2]);
        assert_eq!(found(&item("/// A.\n")), [3]);
        assert_eq!(found(&item("// A.\n")), [2, 3]);
        assert_eq!(
            found(&item("/// A.\n#[derive(\n    Debug,\n)]\n// Why.\n")),
            [7]
        );
        assert_eq!(found(&item("#[derive(Debug)]\n")), [2, 3]);
        assert_eq!(found(&item("/// B.\n\n")), [3, 4]);
        assert_eq!(found("$(#[$doc])*\npub struct $name;\n"), NOTHING);
        assert_eq!(
            found("pub mod a;\npub use b::c;\npub(crate) fn d() {}\n"),
            NOTHING
        );
        assert_eq!(found("pub mod a {\n}\n"), [1]);
        assert_eq!(found("let text = \"\npub fn f() {}\n\";\n"), NOTHING);
    }
}
