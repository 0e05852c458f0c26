//! Text of scenarios in a Markdown page: shown as it was written, whatever it holds.
//!
//! `CommonMark` lets every punctuation character be escaped by a backslash, in tables too (GitHub's
//! dialect), but not inside code spans and link targets, which have rules of their own.

/// A text between other text: every character that means something is escaped, and line breaks
/// become spaces, since a line could begin a list, a heading or a row.
pub(super) fn text(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain: Vec<char> = words.join(" ").chars().collect();
    let mut escaped = String::with_capacity(plain.len());
    for (at, &c) in plain.iter().enumerate() {
        if special(c) && !(c == '_' && within_a_word(&plain, at)) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

const fn special(c: char) -> bool {
    matches!(
        c,
        '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '!' | '$' | '^'
    )
}

/// An underscore there cannot begin or end an emphasis, and names of strategies are full of them.
fn within_a_word(plain: &[char], at: usize) -> bool {
    let beside = [at.checked_sub(1), at.checked_add(1)];
    beside.iter().all(|place| {
        let c = place.and_then(|place| plain.get(place));
        c.is_some_and(|c| c.is_alphanumeric())
    })
}

/// A code span.
pub(super) fn code(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let fence = "`".repeat(longest_run(&text) + 1);
    if text.starts_with('`') || text.ends_with('`') {
        format!("{fence} {text} {fence}")
    } else {
        format!("{fence}{text}{fence}")
    }
}

/// A block of text in lines, each ended by a newline.
pub(super) fn block(text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}text\n{text}{fence}\n")
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

/// A relative path as the target of a link.
pub(super) fn target(path: &str) -> String {
    let mut target = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._/".contains(&byte) {
            target.push(char::from(byte));
        } else {
            target += &format!("%{byte:02X}");
        }
    }
    target
}

/// The name that GitHub gives to a heading of this text.
pub(super) fn anchor(heading: &str) -> String {
    let words: Vec<&str> = heading.split_whitespace().collect();
    let lower = words.join(" ").to_lowercase();
    let kept = lower
        .chars()
        .filter(|&c| c.is_alphanumeric() || "-_ ".contains(c));
    let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
    target(&anchor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag};

    /// What GitHub's dialect adds.
    fn dialect() -> Options {
        Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_MATH
            | Options::ENABLE_GFM
    }

    /// What a reader sees, and how many elements of each kind carry it.
    fn rendered(page: &str) -> (String, Vec<String>) {
        let (mut seen, mut elements) = (String::new(), vec![]);
        for event in Parser::new_ext(page, dialect()) {
            match event {
                Event::Text(text) | Event::Code(text) => seen += &text,
                Event::SoftBreak | Event::HardBreak => seen.push('\n'),
                Event::Start(Tag::Paragraph | Tag::TableHead | Tag::TableRow) | Event::End(_) => {}
                other => elements.push(format!("{other:?}")),
            }
        }
        (seen, elements)
    }

    /// Texts that are mostly made of what Markdown gives a meaning.
    fn texts() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            3 => "[\\\\`*_\\[\\]<>#|~&!$^(){}+.=:-]{1,4}",
            2 => "[a-z0-9é_]{1,3}",
            1 => Just(" ".to_owned()),
            1 => Just("\n".to_owned()),
            1 => Just("&amp;<b>www.a.b](c)".to_owned()),
        ];
        proptest::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat())
    }

    fn words(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    proptest! {
        #[test]
        fn text_is_rendered_literally(odd in texts()) {
            let (seen, elements) = rendered(&format!("x {} y", text(&odd)));
            prop_assert_eq!(words(&seen), words(&format!("x {odd} y")));
            prop_assert!(elements.is_empty(), "{elements:?}");
        }

        #[test]
        fn a_cell_stays_a_cell(odd in texts(), more in texts()) {
            let page = format!("| a | b |\n|---|---|\n| {} | {} |\n", text(&odd), text(&more));
            let mut cells = vec![];
            for event in Parser::new_ext(&page, dialect()) {
                match event {
                    Event::Start(Tag::TableCell) => cells.push(String::new()),
                    Event::Text(text) => cells.last_mut().unwrap().push_str(&text),
                    Event::Start(Tag::Table(_) | Tag::TableHead | Tag::TableRow)
                    | Event::End(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            let expected = ["a".to_owned(), "b".to_owned(), words(&odd), words(&more)];
            prop_assert_eq!(cells, expected);
        }

        #[test]
        fn code_is_rendered_literally(odd in texts()) {
            let odd = words(&odd);
            prop_assume!(!odd.is_empty());
            let page = format!("x {} y", code(&odd));
            let parsed: Vec<Event> = Parser::new(&page).collect();
            prop_assert!(parsed.contains(&Event::Code(odd.clone().into())), "{parsed:?}");
        }

        #[test]
        fn a_block_ends_where_it_should(odd in texts()) {
            let page = format!("{}\nafter\n", block(&format!("{odd}\n")));
            let (seen, elements) = rendered(&page);
            prop_assert_eq!(seen, format!("{odd}\nafter"));
            prop_assert_eq!(elements.len(), 1);
        }

        #[test]
        fn a_link_leads_to_the_path(odd in texts()) {
            let page = format!("[x]({})", target(&odd));
            let links = Parser::new(&page).filter_map(|event| match event {
                Event::Start(Tag::Link { dest_url, .. }) => Some(dest_url.to_string()),
                _ => None,
            });
            let decoded = |url: String| {
                let mut parts = url.split('%');
                let mut bytes = parts.next().unwrap().as_bytes().to_vec();
                for part in parts {
                    bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
                    bytes.extend(part[2..].bytes());
                }
                String::from_utf8(bytes).unwrap()
            };
            prop_assert_eq!(links.map(decoded).collect::<Vec<_>>(), [odd]);
        }
    }

    #[test]
    fn names_of_strategies_stay_readable() {
        assert_eq!(text("geo_first_token_2s"), "geo_first_token_2s");
        assert_eq!(text("_a_ *b*"), r"\_a\_ \*b\*");
        assert_eq!(anchor("all-down"), "all-down");
        assert_eq!(anchor("What *if*, A_b?"), "what-if-a_b");
    }
}
