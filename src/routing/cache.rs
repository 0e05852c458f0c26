//! Response cache: answers kept for a while, and one question at a time for each key.
//!
//! It knows keys, sizes and times, not answers. A kept answer has a [`CachePlace`], a small number
//! under which the driver stores the body as it likes (the simulator: not at all). So the same code
//! serves both worlds, and no type parameter runs through the gateway.
//!
//! Requests that ask for what another has asked for already, and has not been told yet, do not ask
//! again (request coalescing; `singleflight` in Go's groupcache, "request collapsing" in proxies):
//! a popular answer that expires would else be asked for by a whole crowd at once. Whoever asks is
//! the *leader*, the others *follow*, in order of arrival.
//!
//! Least recently used answers make room for new ones, by number and by tokens. All live equally
//! long and expire in the order in which they came, so expiry is a list and not a heap, and an
//! answer that is over leaves at the next call instead of taking up room until it is the least
//! recently used. (A time to live that every hit prolongs would keep a popular wrong answer for
//! ever.)
//!
//! The table is chained through the nodes, keys spread by multiplication (Knuth, vol. 3, 6.4):
//! deletions leave no tombstones, nothing is allocated once it has grown, and order never depends
//! on a random seed. `std`'s map is seeded at random; a B-tree allocates for ever; a dependency for
//! forty lines is not worth its update.

use crate::request::CacheKey;
use crate::routing::config::CacheConfig;
use crate::routing::slot_list::{Links, SlotList};
use crate::routing::timer::FifoTimers;
use crate::time::Timestamp;

/// Where an answer is kept: a small number, given again after [`ResponseCache::next_dropped`] has
/// said that it is free.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CachePlace(pub u32);

/// What there is for somebody who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// The answer, at this place.
    Kept(CachePlace),
    /// Another has asked already: wait for its answer.
    Awaited,
    /// Nothing: ask, and tell the outcome by [`ResponseCache::answered`],
    /// [`ResponseCache::not_answered`] or [`ResponseCache::dismiss`].
    Nothing,
}

const NONE: u32 = u32::MAX;

/// The cache. Those who ask are called by a small number of their own.
#[derive(Clone, Debug)]
pub struct ResponseCache {
    config: CacheConfig,
    nodes: Vec<Node>,
    free: Vec<u32>,
    /// First node of each chain; a power of two of them.
    heads: Vec<u32>,
    /// Kept answers by use, the least recent first.
    recent: SlotList,
    by_use: Links,
    expiry: FifoTimers,
    /// Through those who follow.
    followers: Links,
    /// Keys that somebody leads.
    pending: u32,
    /// Tokens of all kept answers.
    tokens: u64,
    dropped: Vec<CachePlace>,
}

/// A key that is kept or asked for.
#[derive(Clone, Copy, Debug)]
struct Node {
    key: CacheKey,
    /// The next of the same chain.
    after: u32,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Kept { tokens: u32 },
    Pending { followers: SlotList },
}

impl ResponseCache {
    /// An empty cache.
    #[must_use]
    pub fn new(config: CacheConfig) -> Self {
        Self {
            config,
            nodes: vec![],
            free: vec![],
            heads: vec![NONE; 16],
            recent: SlotList::default(),
            by_use: Links::default(),
            expiry: FifoTimers::default(),
            followers: Links::default(),
            pending: 0,
            tokens: 0,
            dropped: vec![],
        }
    }

    /// Somebody asks. `who` leads if there is nothing, and follows if the answer is awaited.
    pub fn ask(&mut self, now: Timestamp, key: CacheKey, who: u32) -> Found {
        self.expire(now);
        let Some(at) = self.find(key) else {
            self.insert(key);
            return Found::Nothing;
        };
        match &mut self.nodes[at as usize].state {
            State::Pending { followers } => {
                self.followers.push(followers, who);
                Found::Awaited
            }
            State::Kept { .. } => {
                self.by_use.remove(&mut self.recent, at);
                self.by_use.push(&mut self.recent, at);
                Found::Kept(CachePlace(at))
            }
        }
    }

    /// The leader of `key` has an answer of so many output tokens. Returns where it is kept (`None`
    /// if it is too large), and who follows, to be taken by [`Self::next_of`].
    pub fn answered(
        &mut self,
        now: Timestamp,
        key: CacheKey,
        tokens: u32,
    ) -> (Option<CachePlace>, SlotList) {
        self.expire(now);
        let Some((at, followers)) = self.led(key) else {
            return (None, SlotList::default());
        };
        self.pending -= 1;
        let most = self.config.max_output_tokens.unwrap_or(u64::MAX);
        if u64::from(tokens) > most {
            self.remove(at);
            return (None, followers);
        }
        self.nodes[at as usize].state = State::Kept { tokens };
        self.tokens += u64::from(tokens);
        self.by_use.push(&mut self.recent, at);
        self.expiry.arm(at, now + self.config.ttl);
        while self.recent.len() > self.config.max_entries || self.tokens > most {
            let Some(oldest) = self.recent.first() else {
                break;
            };
            self.drop_answer(oldest);
        }
        (Some(CachePlace(at)), followers)
    }

    /// The leader of `key` has got no answer: another leads from now on, who has followed for
    /// longest of those that are `fit` to, else who came last. `None` if nobody follows.
    pub fn not_answered(&mut self, key: CacheKey, fit: impl Fn(u32) -> bool) -> Option<u32> {
        let (at, mut followers) = self.led(key)?;
        let mut members =
            std::iter::successors(followers.first(), |who| self.followers.after(*who));
        let next = members.find(|who| fit(*who)).or(followers.last());
        if let Some(next) = next {
            self.followers.remove(&mut followers, next);
            self.nodes[at as usize].state = State::Pending { followers };
        } else {
            self.pending -= 1;
            self.remove(at);
        }
        next
    }

    /// Nobody will get an answer: whoever follows is let go, to be taken by [`Self::next_of`].
    pub fn dismiss(&mut self, key: CacheKey) -> SlotList {
        let Some((at, followers)) = self.led(key) else {
            return SlotList::default();
        };
        self.pending -= 1;
        self.remove(at);
        followers
    }

    /// Takes the first of those who followed.
    pub fn next_of(&mut self, followers: &mut SlotList) -> Option<u32> {
        self.followers.pop(followers)
    }

    /// `who` follows no longer.
    pub fn leave(&mut self, key: CacheKey, who: u32) {
        if let Some(at) = self.find(key)
            && let State::Pending { followers } = &mut self.nodes[at as usize].state
        {
            self.followers.remove(followers, who);
        }
    }

    /// A place whose answer is gone; to be asked after every call.
    pub fn next_dropped(&mut self) -> Option<CachePlace> {
        self.dropped.pop()
    }

    /// Answers kept, those included that expire at the next call.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.recent.len()
    }

    /// Whether no answer is kept.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.recent.is_empty()
    }

    /// Output tokens of the answers kept.
    #[must_use]
    pub const fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Keys that somebody has asked for and not been told.
    #[must_use]
    pub const fn pending(&self) -> u32 {
        self.pending
    }

    /// The node of a key that somebody leads, and who follows.
    fn led(&self, key: CacheKey) -> Option<(u32, SlotList)> {
        let at = self.find(key)?;
        match self.nodes[at as usize].state {
            State::Pending { followers } => Some((at, followers)),
            State::Kept { .. } => None,
        }
    }

    #[inline]
    fn expire(&mut self, now: Timestamp) {
        while let Some((at, node)) = self.expiry.next()
            && at <= now
        {
            self.drop_answer(node);
        }
    }

    fn drop_answer(&mut self, at: u32) {
        if let State::Kept { tokens } = self.nodes[at as usize].state {
            self.tokens -= u64::from(tokens);
        }
        self.by_use.remove(&mut self.recent, at);
        self.expiry.disarm(at);
        self.remove(at);
        self.dropped.push(CachePlace(at));
    }

    fn chain_of(&self, key: CacheKey) -> usize {
        // 2^64 over the golden ratio; the upper bits of the product are the well mixed ones.
        let spread = key.get().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (spread >> (u64::BITS - self.heads.len().trailing_zeros())) as usize
    }

    fn find(&self, key: CacheKey) -> Option<u32> {
        let mut at = self.heads[self.chain_of(key)];
        while at != NONE {
            let node = &self.nodes[at as usize];
            if node.key == key {
                return Some(at);
            }
            at = node.after;
        }
        None
    }

    /// A new key, led by somebody.
    fn insert(&mut self, key: CacheKey) {
        let node = Node {
            key,
            after: NONE,
            state: State::Pending {
                followers: SlotList::default(),
            },
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => self.grow(node),
        };
        self.chain(at);
        self.pending += 1;
    }

    /// Adds a node, and heads so that chains stay short.
    #[cold]
    fn grow(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        let new = self.nodes.len() - 1;
        if new >= self.heads.len() {
            self.heads = vec![NONE; 2 * self.heads.len()];
            // No node is free when one has to be added.
            (0..new as u32).for_each(|at| self.chain(at));
        }
        new as u32
    }

    fn chain(&mut self, at: u32) {
        let chain = self.chain_of(self.nodes[at as usize].key);
        self.nodes[at as usize].after = std::mem::replace(&mut self.heads[chain], at);
    }

    fn remove(&mut self, at: u32) {
        let Node { key, after, .. } = self.nodes[at as usize];
        let chain = self.chain_of(key);
        if self.heads[chain] == at {
            self.heads[chain] = after;
        } else {
            let mut before = self.heads[chain];
            while self.nodes[before as usize].after != at {
                before = self.nodes[before as usize].after;
            }
            self.nodes[before as usize].after = after;
        }
        self.free.push(at);
    }
}

#[cfg(test)]
mod tests;
