//! Which part of a prompt was seen before: an upper bound of what a prompt cache can save.
//!
//! Mooncake's traces name each block of 512 input tokens by a hash of the block and all before it,
//! so two requests share as many leading blocks as their lists of names have in common (Qin et al.,
//! "Mooncake", FAST 2025, section 4.1). The leading blocks that any earlier request had are what a
//! cache would have served that never forgets, answers at once, and is one for all accounts. A real
//! one serves less: Anthropic's forgets after five minutes, and no provider shares its cache
//! between accounts. What an account can see of a user's earlier requests depends on routing, and
//! routing does not depend on this number, so no strategy gains by it over another.

use std::collections::BTreeSet;

/// Input tokens of a block.
pub const BLOCK_TOKENS: u32 = 512;

/// All blocks seen so far.
#[derive(Default, Debug)]
pub struct Prefixes(BTreeSet<u64>);

impl Prefixes {
    /// The input tokens in leading blocks that were seen before, of a request of `input` tokens;
    /// then all its blocks are seen. The last block may be shorter than the others.
    pub fn seen_before(&mut self, blocks: impl Iterator<Item = u64> + Clone, input: u32) -> u32 {
        let seen = blocks.clone().take_while(|block| self.0.contains(block));
        let seen = u32::try_from(seen.count()).unwrap_or(u32::MAX);
        self.0.extend(blocks);
        seen.saturating_mul(BLOCK_TOKENS).min(input)
    }
}

/// Blocks of a request of `input` tokens.
pub fn blocks_of(input: u32) -> usize {
    input.div_ceil(BLOCK_TOKENS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leading_blocks_count() {
        let mut prefixes = Prefixes::default();
        let mut seen_before =
            |blocks: &[u64], input| prefixes.seen_before(blocks.iter().copied(), input);
        assert_eq!(seen_before(&[1, 2, 3], 1400), 0);
        assert_eq!(seen_before(&[1, 2, 9], 1500), 1024);
        // 3 was seen, but not behind 1 and 8.
        assert_eq!(seen_before(&[1, 8, 3], 1500), 512);
        assert_eq!(seen_before(&[1, 2, 3], 1400), 1400);
        assert_eq!(seen_before(&[], 0), 0);
    }

    #[test]
    fn a_request_does_not_see_itself() {
        assert_eq!(Prefixes::default().seen_before([7, 7].into_iter(), 1024), 0);
    }

    #[test]
    fn blocks_are_counted_up() {
        assert_eq!([0, 1, 512, 513, 6758].map(blocks_of), [0, 1, 1, 2, 14]);
    }
}
