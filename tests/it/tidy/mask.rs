//! Telling code from comments and literals.

/// `text` with every character inside comments, strings and character literals replaced by spaces.
/// Line ends, the delimiters of literals and all byte offsets stay.
pub(super) fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut masked = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (from, to, end) = blank(bytes, at);
        for byte in &mut masked[from..to] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(masked).expect("whole characters were replaced by spaces")
}

/// What stands at `at`: the bytes to blank out, and where to go on.
fn blank(bytes: &[u8], at: usize) -> (usize, usize, usize) {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        let end = at + find(rest, b"\n").unwrap_or(rest.len());
        (at, end, end)
    } else if rest.starts_with(b"/*") {
        let end = at + block_comment(rest);
        (at, end, end)
    } else if let Some(hashes) = raw_string(bytes, at) {
        let quote = at + find(rest, b"\"").unwrap_or_default();
        let closing = [b"\"".as_slice(), "#".repeat(hashes).as_bytes()].concat();
        let inside = &bytes[quote + 1..];
        let length = find(inside, &closing).unwrap_or(inside.len());
        let end = (quote + 1 + length + closing.len()).min(bytes.len());
        (quote + 1, quote + 1 + length, end)
    } else if rest[0] == b'"' {
        let end = at + 1 + literal(&rest[1..], b'"');
        (at + 1, end, end + 1)
    } else if rest[0] == b'\'' && is_character(rest) {
        let end = at + 1 + literal(&rest[1..], b'\'');
        (at + 1, end, end + 1)
    } else {
        (at, at, at + 1)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

/// Length of a block comment; they nest.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The number of hashes of the raw string that begins at `at`, if one does.
fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|before| bytes[before]);
    // `br"` begins at its `b`, and `for"` is no raw string.
    let part_of_word = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let prefix = [b"r".as_slice(), b"br", b"cr"]
        .into_iter()
        .find(|prefix| bytes[at..].starts_with(prefix))?;
    let after = &bytes[at + prefix.len()..];
    let hashes = after.iter().take_while(|b| **b == b'#').count();
    (!part_of_word && after.get(hashes) == Some(&b'"')).then_some(hashes)
}

/// Length of the contents of a literal that ends with `quote`.
fn literal(inside: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while at < inside.len() && inside[at] != quote {
        at += if inside[at] == b'\\' { 2 } else { 1 };
    }
    at.min(inside.len())
}

/// Whether a `'` begins a character, not a lifetime or a label.
fn is_character(rest: &[u8]) -> bool {
    let length = match rest.get(1) {
        None => return false,
        Some(b'\\') => return true,
        Some(first) => (first.leading_ones() as usize).max(1),
    };
    rest.get(1 + length) == Some(&b'\'')
}

#[test]
fn comments_and_literals_are_blank_and_the_rest_stays() {
    for (text, masked) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("a { \" }") }"#, r#"f("        ") }"#),
        ("r\"\\\" + 'x'", "r\" \" + ' '"),
        ("br#\"a\"b\"# {", "br#\"   \"# {"),
        (r"'{' '\'' 'a", r"' ' '  ' 'a"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        ("'label: loop", "'label: loop"),
        ("\"ä\" 'ä' ä", "\"  \" '  ' ä"),
        ("\"a\nb\" c", "\" \n \" c"),
        ("\"unfinished \\", "\"            "),
        ("/* unfinished", "             "),
        ("r#\"unfinished", "r#\"          "),
    ] {
        assert_eq!(mask(text), masked, "{text}");
    }
}

#[test]
fn offsets_stay() {
    let text = include_str!("mask.rs");
    let masked = mask(text);
    assert_eq!(masked.len(), text.len());
    assert_eq!(masked.lines().count(), text.lines().count());
}
