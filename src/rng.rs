//! Random numbers: named, portable, seeded streams.
//!
//! Every draw is a function of (root seed, replication, purpose, entity). A stream is found by
//! mixing that key, never by taking numbers from a generator that others share, so one consumer can
//! draw more or fewer numbers without moving anybody else's: two strategies see the same arrivals,
//! requests, faults and service demands (common random numbers).
//!
//! The generator is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
//! generators", OOPSLA 2014): one word of state, so that opening a stream for each request costs a
//! few multiplications. Larger generators cost more to seed than the handful of numbers drawn here.
//! It passes `BigCrush`; the test module holds published vectors.

use rand_core::TryRng;
use std::convert::Infallible;

/// What a stream is for. Streams of different purposes are independent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Purpose {
    /// Gaps between arrivals; entity = client.
    Arrivals = 1,
    /// Attributes of one request; entity = the request's key.
    Attributes = 2,
    /// Noise of one attempt; entity = (the request's key, account, how many times this request was
    /// sent there before).
    Upstream = 3,
    /// Fault schedules; entity = a key made of the names of accounts or providers.
    Faults = 4,
    /// Network delay and loss of one attempt; entity as for `Upstream`.
    Network = 5,
    /// Choices of the routing code: ties, random picks, jitter. Seeded by `policy_seed`, not by the
    /// root seed.
    Policy = 6,
    /// What requests that repeat each other have in common; entity = what they ask for.
    Content = 7,
}

/// The family of streams of one replication.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Streams(u64);

impl Streams {
    /// All streams of replication `replication` (counted from 0) under `seed`.
    #[must_use]
    pub fn new(seed: u64, replication: u32) -> Self {
        Self(mix(mix(seed)
            .wrapping_add(u64::from(replication))
            .wrapping_add(GAMMA)))
    }

    /// The stream of one purpose and entity.
    #[must_use]
    pub fn stream(self, purpose: Purpose, entity: u64) -> Rng {
        Rng(mix(mix(self.0 ^ purpose as u64).wrapping_add(entity)))
    }

    /// The stream of one attempt: the `nth` time (from 0) that `request` is sent to `account`.
    #[must_use]
    pub fn attempt(self, request: u64, account: u32, nth: u32) -> Rng {
        self.of_attempt(Purpose::Upstream, request, account, nth)
    }

    /// The stream of one attempt's way through the network: apart from [`Self::attempt`], so that a
    /// disturbed network changes nothing at the far end.
    #[must_use]
    pub fn passage(self, request: u64, account: u32, nth: u32) -> Rng {
        self.of_attempt(Purpose::Network, request, account, nth)
    }

    #[inline]
    fn of_attempt(self, purpose: Purpose, request: u64, account: u32, nth: u32) -> Rng {
        let place = u64::from(account) << 32 | u64::from(nth);
        Rng(mix(
            self.stream(purpose, request).0 ^ mix(place.wrapping_add(GAMMA))
        ))
    }
}

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub struct Rng(u64);

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The output function of SplitMix64 (variant 13 of Stafford's mixers), a bijection on 64-bit
/// words.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Rng {
    /// A generator in the given state, as in the published vectors; elsewhere streams come from
    /// [`Streams`].
    #[must_use]
    pub const fn from_state(state: u64) -> Self {
        Self(state)
    }

    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A stream of its own, seeded by the next word of this one: whoever draws from it, however
    /// often, moves this one by a single word.
    #[inline]
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self(self.next_u64())
    }

    /// Uniform in [0, 1), 53 bits.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in 0..n; 0 if n is 0. Unbiased (Lemire, "Fast random integer generation in an
    /// interval", 2019).
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        loop {
            let product = u64::from((self.next_u64() >> 32) as u32) * u64::from(n);
            if (product as u32) >= n || product as u32 >= n.wrapping_neg() % n.max(1) {
                return (product >> 32) as u32;
            }
        }
    }
}

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next_u64() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First outputs for seed 1234567 as published with the reference implementation
    /// (prng.di.unimi.it, splitmix64.c).
    #[test]
    fn published_vectors() {
        let mut rng = Rng::from_state(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        for value in expected {
            assert_eq!(rng.next_u64(), value);
        }
    }

    #[test]
    fn streams_of_different_keys_differ() {
        let mut first = Vec::new();
        for seed in 0..4 {
            for replication in 0..4 {
                let streams = Streams::new(seed, replication);
                for entity in 0..4 {
                    first.push(streams.stream(Purpose::Arrivals, entity).next_u64());
                    first.push(streams.stream(Purpose::Attributes, entity).next_u64());
                    for nth in 0..3 {
                        first.push(streams.attempt(entity, 0, nth).next_u64());
                        first.push(streams.attempt(entity, 1, nth).next_u64());
                    }
                }
            }
        }
        let count = first.len();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), count);
    }

    #[test]
    fn a_split_moves_its_parent_by_one_word() {
        let (mut parent, mut twin) = (Rng::from_state(3), Rng::from_state(3));
        let mut child = parent.split();
        let first = child.next_u64();
        for _ in 0..10 {
            child.next_u64();
        }
        twin.next_u64();
        assert_eq!(parent.next_u64(), twin.next_u64());
        assert_ne!(first, twin.next_u64());
    }

    #[test]
    fn below_is_within_and_even() {
        let mut rng = Rng::from_state(7);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[rng.below(7) as usize] += 1;
        }
        // Chi-square with 6 degrees of freedom: 22.46 is its 99.9 % point.
        let chi: f64 = counts
            .iter()
            .map(|&c| (f64::from(c) - 10_000.0).powi(2) / 10_000.0)
            .sum();
        assert!(chi < 22.46, "{counts:?}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }
}
