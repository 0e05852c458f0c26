//! What an emulated model says: as many tokens as the model drew, each four bytes.
//!
//! Four bytes a token is the usual rule of thumb for English, and what the gateway estimates by
//! ([`crate::live::chat::ChatRequest::estimated_tokens`]), so that texts are as long on the wire as
//! real ones. The words are always the same: nobody reads them, and a slice costs nothing. Plain
//! letters only, so that a token is never cut and JSON needs no escapes.

/// Sixteen tokens, over and over.
const WORDS: &str = "the cat sat and saw how you can use one key for all our new ";

/// Bytes of a token.
const TOKEN: usize = 4;

/// Appends the tokens of an answer from number `from` up to, not including, number `to`.
pub(super) fn push(from: u32, to: u32, out: &mut String) {
    let tokens = WORDS.len() / TOKEN;
    let mut at = from as usize;
    let end = (to as usize).max(at);
    out.reserve((end - at) * TOKEN);
    while at < end {
        let begin = at % tokens;
        let count = (tokens - begin).min(end - at);
        out.push_str(&WORDS[begin * TOKEN..(begin + count) * TOKEN]);
        at += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_are_of_one_length() {
        assert_eq!(WORDS.len() % TOKEN, 0);
        let spaced = |at: usize| WORDS.as_bytes()[at] == b' ';
        assert!((0..WORDS.len()).all(|at| spaced(at) == (at % TOKEN == TOKEN - 1)));
    }

    proptest! {
        #[test]
        fn pieces_make_up_the_whole(cuts in prop::collection::vec(0u32..200, 0..8)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let last = cuts.last().copied().unwrap_or(0);
            let (mut whole, mut pieces, mut from) = (String::new(), String::new(), 0);
            push(0, last, &mut whole);
            for to in cuts {
                push(from, to, &mut pieces);
                from = to;
            }
            prop_assert_eq!(whole.len(), last as usize * TOKEN);
            prop_assert_eq!(whole, pieces);
        }
    }
}
