//! Requests that ask for the same.

use super::{all, assert_share, of_class, poisson, requests};
use routelab::distribution::Distribution;
use routelab::request::{CacheKey, Request};
use routelab::rng::Streams;
use routelab::workload::config::{Repeats, WorkloadConfig, Zipf};
use std::collections::BTreeMap;

const KEYS: u32 = 200;

/// Of the first class 40 % repeat each other, of the second all.
fn repeating() -> WorkloadConfig {
    let mut config = poisson(100.0, 500);
    let repeats = |share| Repeats {
        share,
        popularity: Zipf::new(KEYS, 1.0).unwrap(),
    };
    config.classes[0].repeats = Some(repeats(0.4));
    config.classes[1].repeats = Some(repeats(1.0));
    config.classes[1].input_tokens = Distribution::exponential(3_000.0).unwrap();
    config
}

fn by_key(requests: &[Request]) -> BTreeMap<CacheKey, Vec<Request>> {
    let mut keys: BTreeMap<_, Vec<Request>> = BTreeMap::new();
    for request in requests {
        if let Some(key) = request.features.cache_key {
            keys.entry(key).or_default().push(*request);
        }
    }
    keys
}

#[test]
fn as_many_repeat_as_stated_by_their_popularity() {
    let all = requests(&repeating(), Streams::new(11, 0));
    let (first, second) = (of_class(&all, 0), of_class(&all, 1));
    let keyed = |r: &Request| r.features.cache_key.is_some();
    assert_share("kept", first.iter().map(keyed), 0.4);
    assert!(second.iter().all(keyed));
    let (first, second) = (by_key(&first), by_key(&second));
    assert_eq!(second.len(), KEYS as usize);
    assert!(first.keys().all(|key| !second.contains_key(key)));
    let sum: f64 = (1..=KEYS).map(|k| 1.0 / f64::from(k)).sum();
    for keys in [first, second] {
        let total: usize = keys.values().map(Vec::len).sum();
        let most = keys.values().map(Vec::len).max().unwrap();
        assert_share("the first key", (0..total).map(|i| i < most), 1.0 / sum);
    }
}

/// An answer from the cache saves what the same request would have cost.
#[test]
fn requests_with_one_key_are_equally_long() {
    let all = requests(&repeating(), Streams::new(12, 0));
    let keys = by_key(&all);
    for same in keys.values() {
        assert!(same.iter().all(|r| r.tokens == same[0].tokens));
    }
    // Different keys are as different as different requests.
    let mut lengths: Vec<u32> = keys.values().map(|same| same[0].tokens.input).collect();
    lengths.sort_unstable();
    lengths.dedup();
    assert!(lengths.len() > keys.len() * 8 / 10);
}

#[test]
fn repeating_moves_no_other_attribute() {
    let streams = Streams::new(13, 0);
    let (plain, repeats) = (
        all(&poisson(100.0, 500), streams),
        all(&repeating(), streams),
    );
    assert_eq!(plain.len(), repeats.len());
    for ((at, a), (other, b)) in plain.iter().zip(&repeats) {
        let mut b = *b;
        if b.features.cache_key.take().is_some() || b.class.0 == 1 {
            b.tokens = a.tokens;
            b.features.estimated_tokens = a.features.estimated_tokens;
        }
        assert_eq!((at, *a), (other, b));
    }
}
