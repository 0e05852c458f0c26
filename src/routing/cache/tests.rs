//! The cache beside a list of everything that it should know.

use super::*;
use crate::time::Duration;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn at(secs: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(secs)
}

fn config(max_entries: u32, max_output_tokens: Option<u64>, ttl: u64) -> CacheConfig {
    CacheConfig {
        max_entries,
        max_output_tokens,
        ttl: Duration::from_secs(ttl),
    }
}

/// An answer kept.
struct Kept {
    key: u64,
    tokens: u64,
    since: u64,
    place: CachePlace,
}

/// The same rules on plain lists, looked through from end to end each time.
struct Naive {
    config: CacheConfig,
    /// By last use, the oldest first.
    kept: Vec<Kept>,
    /// Who leads and who follows, by key.
    asked: BTreeMap<u64, (u32, Vec<u32>)>,
    dropped: BTreeSet<CachePlace>,
}

impl Naive {
    fn drop_where(&mut self, gone: impl Fn(&Kept) -> bool) {
        let places = self.kept.iter().filter(|kept| gone(kept));
        self.dropped.extend(places.map(|kept| kept.place));
        self.kept.retain(|kept| !gone(kept));
    }

    fn expire(&mut self, now: u64) {
        let ttl = self.config.ttl.as_secs_f64() as u64;
        self.drop_where(|kept| kept.since + ttl <= now);
    }

    fn ask(&mut self, now: u64, key: u64, who: u32) -> Found {
        self.expire(now);
        if let Some(found) = self.kept.iter().position(|kept| kept.key == key) {
            let kept = self.kept.remove(found);
            self.kept.push(kept);
            return Found::Kept(self.kept[self.kept.len() - 1].place);
        }
        if let Some((_, followers)) = self.asked.get_mut(&key) {
            followers.push(who);
            return Found::Awaited;
        }
        self.asked.insert(key, (who, vec![]));
        Found::Nothing
    }

    fn answered(&mut self, now: u64, key: u64, tokens: u64, place: Option<CachePlace>) -> Vec<u32> {
        self.expire(now);
        let (_, followers) = self.asked.remove(&key).unwrap();
        let most = self.config.max_output_tokens.unwrap_or(u64::MAX);
        assert_eq!(place.is_some(), tokens <= most);
        if let Some(place) = place {
            assert!(self.kept.iter().all(|kept| kept.place != place), "in use");
            self.kept.push(Kept {
                key,
                tokens,
                since: now,
                place,
            });
        }
        let sum = |kept: &[Kept]| kept.iter().map(|kept| kept.tokens).sum::<u64>();
        while self.kept.len() > self.config.max_entries as usize || sum(&self.kept) > most {
            self.dropped.insert(self.kept.remove(0).place);
        }
        followers
    }
}

/// One step: seconds to wait, what to do, the key, and which of several.
type Step = (u64, u8, u64, prop::sample::Index, u32);

fn drain(cache: &mut ResponseCache, mut list: SlotList) -> Vec<u32> {
    std::iter::from_fn(|| cache.next_of(&mut list)).collect()
}

fn follow(config: CacheConfig, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut cache = ResponseCache::new(config);
    let mut naive = Naive {
        config,
        kept: vec![],
        asked: BTreeMap::new(),
        dropped: BTreeSet::new(),
    };
    let (mut secs, mut people) = (0, 0);
    for (wait, what, key, which, tokens) in steps {
        secs += wait;
        let (now, name) = (at(secs), CacheKey::new(key));
        let leads = naive.asked.contains_key(&key);
        match what {
            0..=3 => {
                let found = cache.ask(now, name, people);
                prop_assert_eq!(found, naive.ask(secs, key, people));
                people += 1;
            }
            4 | 5 if leads => {
                let (place, followers) = cache.answered(now, name, tokens);
                let expected = naive.answered(secs, key, u64::from(tokens), place);
                prop_assert_eq!(drain(&mut cache, followers), expected);
            }
            6 if leads => {
                let fit = |who: u32| who % 3 < tokens % 4;
                let next = cache.not_answered(name, fit);
                let (leader, followers) = naive.asked.get_mut(&key).unwrap();
                let first = followers.iter().position(|who| fit(*who));
                let at = first.or(followers.len().checked_sub(1));
                prop_assert_eq!(next, at.map(|at| followers.remove(at)));
                match next {
                    Some(next) => *leader = next,
                    None => drop(naive.asked.remove(&key)),
                }
            }
            7 if leads => {
                let followers = cache.dismiss(name);
                let (_, expected) = naive.asked.remove(&key).unwrap();
                prop_assert_eq!(drain(&mut cache, followers), expected);
            }
            _ => {
                if let Some((_, followers)) = naive.asked.get_mut(&key)
                    && !followers.is_empty()
                {
                    let who = followers.remove(which.index(followers.len()));
                    cache.leave(name, who);
                }
            }
        }
        let dropped: BTreeSet<_> = std::iter::from_fn(|| cache.next_dropped()).collect();
        prop_assert_eq!(dropped, std::mem::take(&mut naive.dropped));
        prop_assert_eq!(cache.len() as usize, naive.kept.len());
        prop_assert_eq!(cache.is_empty(), naive.kept.is_empty());
        prop_assert_eq!(cache.pending() as usize, naive.asked.len());
        let tokens: u64 = naive.kept.iter().map(|kept| kept.tokens).sum();
        prop_assert_eq!(cache.tokens(), tokens);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn agrees_with_a_naive_model(
        max_entries in 1u32..6,
        max_output_tokens in prop::option::of(1u64..40),
        ttl in 1u64..40,
        steps in prop::collection::vec(
            (0u64..4, 0u8..9, 0u64..12, any::<prop::sample::Index>(), 0u32..15),
            1..300,
        ),
    ) {
        follow(config(max_entries, max_output_tokens, ttl), steps)?;
    }

    /// Many keys at a time, so that the table grows.
    #[test]
    fn grows_with_the_keys(
        steps in prop::collection::vec(
            (0u64..2, 0u8..6, 0u64..500, any::<prop::sample::Index>(), 0u32..15),
            1..2_000,
        ),
    ) {
        follow(config(200, None, 600), steps)?;
    }
}

/// However keys are made, in a row, in steps of a power of two or at random, chains stay short.
#[test]
fn chains_stay_short() {
    for step in [1, 1 << 20, 1 << 48, 0x1234_5678_9abc_def1] {
        let mut cache = ResponseCache::new(config(u32::MAX, None, 1));
        for key in 1..=50_000u64 {
            cache.ask(at(0), CacheKey::new(key.wrapping_mul(step)), 0);
        }
        let length = |head: &u32| {
            let node = |at: u32| (at != NONE).then(|| cache.nodes[at as usize].after);
            std::iter::successors(Some(*head), |at| node(*at)).count() - 1
        };
        let longest = cache.heads.iter().map(length).max().unwrap();
        assert!(longest <= 9, "step {step}: a chain of {longest}");
    }
}

/// An answer is served for its whole time to live and not a nanosecond longer, however often.
#[test]
fn a_hit_does_not_prolong() {
    let mut cache = ResponseCache::new(config(10, None, 60));
    let key = CacheKey::new(7);
    assert_eq!(cache.ask(at(0), key, 0), Found::Nothing);
    let (place, _) = cache.answered(at(5), key, 100);
    for secs in 5..65 {
        assert_eq!(Some(cache.ask(at(secs), key, 0)), place.map(Found::Kept));
    }
    assert_eq!(cache.ask(at(65), key, 0), Found::Nothing);
    assert_eq!(cache.next_dropped(), place);
}
