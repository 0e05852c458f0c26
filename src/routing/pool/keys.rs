//! What targets are compared by, one array for each key.

use super::{AccountState, Target};
use crate::record::Strategy;
use crate::request::Provider;
use crate::routing::account::Account;
use crate::routing::config::RoutingConfig;
use crate::routing::score;
use crate::routing::target::{self, TargetIndex, WORD};

/// Keys by target; of the rankings the highest is best. They are as of the last time that the
/// marked targets were worked off, and only those that somebody has asked for are kept at all.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Health score.
    pub health: Ranking,
    /// `adaptive` score without the provider's share, ranked by provider.
    pub adaptive_base: Ranking,
    /// Minus the response time in seconds; unmeasured ones come last.
    pub response: Ranking,
    /// Minus the time to first token in seconds; unmeasured ones come last.
    pub first_token: Ranking,
    /// Minus in flight per weight.
    pub free: Ranking,
    /// Free share of the in-flight limit.
    pub connections: Ranking,
    /// Weight for weighted round robin.
    pub weight: Vec<i64>,
    /// Provider, as a position in [`Provider::ALL`].
    pub provider: Vec<u8>,
    /// Targets whose facts have changed since, each once.
    marked: Vec<TargetIndex>,
    is_marked: Vec<bool>,
    /// What has been asked for so far.
    wanted: Wanted,
}

/// Keys that strategies compare, as bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Wanted(u8);

impl Wanted {
    const HEALTH: Self = Self(1);
    const ADAPTIVE: Self = Self(1 << 1);
    const RESPONSE: Self = Self(1 << 2);
    const FIRST_TOKEN: Self = Self(1 << 3);
    const LOAD: Self = Self(1 << 4);
    const WEIGHT: Self = Self(1 << 5);
    const SCORES: Self = Self(Self::HEALTH.0 | Self::ADAPTIVE.0 | Self::WEIGHT.0);

    /// What a decision by `strategy` reads.
    #[inline]
    const fn by(strategy: Strategy, streaming: bool) -> Self {
        match strategy {
            Strategy::WeightedRoundRobin => Self::WEIGHT,
            Strategy::LeastConnections | Strategy::Geographic => Self::LOAD,
            Strategy::FastestResponse if streaming => Self::FIRST_TOKEN,
            Strategy::FastestResponse => Self::RESPONSE,
            Strategy::HealthBased => Self::HEALTH,
            Strategy::Adaptive | Strategy::Smart => Self::ADAPTIVE,
            Strategy::RoundRobin | Strategy::Random => Self(0),
        }
    }

    #[inline]
    const fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }
}

/// One key by target, and the highest key of the admitting targets in every word of 64: a decision
/// then compares words, and looks into the one that holds the best. Targets that do not admit an
/// attempt have the lowest key there is. Targets may be in groups (by provider), with a highest key
/// for each group in every word.
#[derive(Clone, Debug, Default)]
pub struct Ranking {
    keys: Vec<f64>,
    /// Words of targets.
    words: usize,
    /// By group, then by word; NaN where it has to be worked out again.
    highest: Vec<f64>,
    /// Places in `highest` that are NaN.
    stale: Vec<u32>,
}

/// Up to so many targets are compared one by one, without the help of a ranking's highest keys.
pub const FEW: usize = 16;

/// Groups of the ranking by provider.
pub const PROVIDERS: usize = Provider::ALL.len();

/// Rank of an unmeasured target: after every measured one.
const UNMEASURED: f64 = f64::MIN;
const NOT_ADMITTING: f64 = f64::NEG_INFINITY;

impl Keys {
    pub(super) fn grow(&mut self, targets: usize) {
        let plain = [
            &mut self.health,
            &mut self.response,
            &mut self.first_token,
            &mut self.free,
            &mut self.connections,
        ];
        plain
            .into_iter()
            .for_each(|ranking| ranking.grow(targets, 1));
        self.adaptive_base.grow(targets, PROVIDERS);
        self.weight.resize(targets, 0);
        self.provider.resize(targets, 0);
        self.is_marked.resize(targets, false);
    }

    /// Takes over what the owner says about the account of `target`.
    pub(super) fn describe(&mut self, target: TargetIndex, account: &Account) {
        self.provider[target.at()] = account.provider as u8;
        self.mark(target);
    }

    /// Notes that what the keys of `target` follow from has changed.
    #[inline]
    pub(super) fn mark(&mut self, target: TargetIndex) {
        if !std::mem::replace(&mut self.is_marked[target.at()], true) {
            self.marked.push(target);
        }
    }

    /// The same where nothing but the estimate of the time to first token has changed.
    #[inline]
    pub(super) fn first_token_moved(&mut self, target: TargetIndex) {
        if self.wanted.any(Wanted::FIRST_TOKEN) {
            self.mark(target);
        }
    }

    /// From now on what `strategy` compares is kept up to date.
    #[inline]
    pub(super) fn want(&mut self, strategy: Strategy, streaming: bool) {
        let more = Wanted::by(strategy, streaming).0 & !self.wanted.0;
        if more != 0 {
            self.wanted.0 |= more;
            (0..self.is_marked.len() as u32).for_each(|target| self.mark(TargetIndex(target)));
        }
    }

    /// From now on the health scores are kept up to date.
    pub(super) fn want_health(&mut self) {
        self.want(Strategy::HealthBased, false);
    }

    /// Takes a marked target.
    #[inline]
    pub(super) fn next_marked(&mut self) -> Option<TargetIndex> {
        let target = self.marked.pop()?;
        self.is_marked[target.at()] = false;
        Some(target)
    }

    /// Works out the keys of a target.
    #[inline]
    pub(super) fn set(
        &mut self,
        target: TargetIndex,
        state: &Target,
        account: &AccountState,
        admitting: bool,
        config: &RoutingConfig,
    ) {
        let at = target.at();
        let rank = |key: f64| if admitting { key } else { NOT_ADMITTING };
        let wanted = self.wanted;
        if wanted.any(Wanted::SCORES) {
            let parts = state.parts(account, config);
            let health = parts.health(&config.health);
            if wanted.any(Wanted::ADAPTIVE) {
                let base = parts.adaptive_base(health, &config.adaptive);
                let group = usize::from(self.provider[at]);
                self.adaptive_base.set(at, group, rank(base));
            }
            if wanted.any(Wanted::HEALTH) {
                self.health.set(at, 0, rank(health));
            }
            if wanted.any(Wanted::WEIGHT) {
                let scale = if config.dynamic_weights {
                    ((1000.0 * health + 0.5) as i64).max(100)
                } else {
                    1
                };
                self.weight[at] = i64::from(account.weight) * scale;
            }
        }
        let estimate = |seconds: Option<f64>| rank(seconds.map_or(UNMEASURED, |s| -s));
        if wanted.any(Wanted::RESPONSE) {
            self.response.set(at, 0, estimate(state.response.seconds()));
        }
        if wanted.any(Wanted::FIRST_TOKEN) {
            self.first_token
                .set(at, 0, estimate(state.first_token.seconds()));
        }
        if wanted.any(Wanted::LOAD) {
            let (in_flight, weight) = (account.in_flight, account.weight.max(1));
            let free = -(f64::from(in_flight) / f64::from(weight));
            self.free.set(at, 0, rank(free));
            let connections = score::connections(in_flight, account.max_in_flight);
            self.connections.set(at, 0, rank(connections));
        }
    }
}

impl Ranking {
    /// A ranking of these keys, all of whose targets admit.
    #[cfg(test)]
    #[must_use]
    pub fn of(keys: Vec<f64>) -> Self {
        let mut ranking = Self::default();
        ranking.grow(keys.len(), 1);
        ranking.keys = keys;
        ranking.rank(|_, _| u64::MAX);
        ranking
    }

    fn grow(&mut self, targets: usize, groups: usize) {
        self.keys.resize(targets, NOT_ADMITTING);
        self.words = targets.div_ceil(WORD);
        self.highest = vec![f64::NAN; groups * self.words];
        self.stale = (0..self.highest.len() as u32).collect();
    }

    #[inline]
    fn set(&mut self, at: usize, group: usize, key: f64) {
        let few = self.keys.len() <= FEW;
        let old = std::mem::replace(&mut self.keys[at], key);
        if few {
            return;
        }
        let place = group * self.words + at / WORD;
        let highest = &mut self.highest[place];
        if key >= *highest {
            *highest = key;
        } else if old == *highest {
            *highest = f64::NAN;
            self.stale.push(place as u32);
        }
    }

    /// Works out the highest keys that have to be. `members` gives the targets of a group in a
    /// word.
    pub(super) fn rank(&mut self, members: impl Fn(usize, usize) -> u64) {
        while let Some(place) = self.stale.pop() {
            let (group, word) = (place as usize / self.words, place as usize % self.words);
            let keys = self.of_word(word);
            let all = u64::MAX >> (WORD - keys.len());
            let members = members(group, word) & all;
            self.highest[place as usize] = if members == all {
                highest_of(keys)
            } else {
                let keys = target::members(members).map(|bit| keys[bit as usize]);
                keys.fold(NOT_ADMITTING, higher)
            };
        }
    }

    /// Number of targets.
    #[inline]
    #[must_use]
    pub const fn targets(&self) -> usize {
        self.keys.len()
    }

    /// The key of a target.
    #[inline]
    #[must_use]
    pub fn key(&self, at: usize) -> f64 {
        self.keys[at]
    }

    /// Keys of a word.
    #[inline]
    #[must_use]
    pub fn of_word(&self, word: usize) -> &[f64] {
        let start = word * WORD;
        &self.keys[start..self.keys.len().min(start + WORD)]
    }

    /// Highest keys of the admitting targets of a group, by word.
    #[inline]
    #[must_use]
    pub fn highest(&self, group: usize) -> &[f64] {
        &self.highest[group * self.words..][..self.words]
    }
}

/// The higher of two keys.
#[inline]
pub const fn higher(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// Highest of some keys, in eight lanes.
#[inline]
pub fn highest_of(keys: &[f64]) -> f64 {
    let mut lanes = [f64::NEG_INFINITY; 8];
    let mut chunks = keys.chunks_exact(8);
    for chunk in &mut chunks {
        for (lane, key) in lanes.iter_mut().zip(chunk) {
            *lane = higher(*lane, *key);
        }
    }
    let rest = chunks.remainder().iter().copied();
    let rest = rest.fold(f64::NEG_INFINITY, higher);
    lanes.into_iter().fold(rest, higher)
}
