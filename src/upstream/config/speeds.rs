//! How fast each of `n` attempts runs that an account works on at the same time.
//!
//! This is the whole of generalised processor sharing (Cohen, "The multiple phase service network
//! with generalized processor sharing", Acta Informatica 12, 1979): an account is given by the
//! speed at which each of `n` runs, relative to one that runs alone. Servers that are shared
//! equally, and batches that slow down as they grow, are two such functions and one model. Whatever
//! the law of the service times, the number in the system then has the product form
//! `p(n) ~ (rate * mean service time)^n / (phi(1) ... phi(n))`, where `phi(n)` is `n` times the
//! speed of each; that is what the model is tested against.
//!
//! A speed is a whole number of 2^-63: a product of a speed and a time in nanoseconds is then exact
//! in 128 bits, so that attained service does not depend on how often one looks at it. A speed that
//! is no such number is rounded up, so an attempt attains up to 2^-63 of the time more than it
//! should: less than a nanosecond in 292 years. (Up and not down, so that work which takes a whole
//! number of nanoseconds at the exact speed is done by then, and not one later.)

use crate::time::Duration;
use std::sync::Arc;

/// Speed of each of `n` attempts, for every `n`. Never above that of one alone, and never rising.
#[derive(Clone, PartialEq, Debug)]
pub struct Speeds(Law);

#[derive(Clone, PartialEq, Debug)]
enum Law {
    /// So many servers are shared by all.
    Servers(u32),
    /// By number, from 1 on; beyond the last entry the last.
    Table(Arc<[Speed]>),
}

/// Work done in a time, relative to an attempt that runs alone: a whole number of 2^-63, at most 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Speed(u64);

/// Why measured speeds cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvalidSpeeds {
    /// There is none, or the first is not that of one attempt alone.
    NotFromOne,
    /// The sizes do not rise, from the entry at this position on.
    SizesDoNotRise(usize),
    /// A speed, the one at this position, is not a number above 0.
    NotPositive(usize),
    /// A speed, the one at this position, is above the one before.
    Rises(usize),
    /// The largest size is above [`Speeds::LARGEST`].
    TooLarge,
}

impl Speed {
    /// Fractional bits.
    pub(in crate::upstream) const BITS: u32 = 63;
    /// As fast as alone.
    const ONE: u64 = 1 << Self::BITS;
    /// No work is done.
    pub(in crate::upstream) const ZERO: Self = Self(0);

    /// `part / whole`, rounded up, so never 0: all work ends.
    fn ratio(part: u64, whole: u64) -> Self {
        let speed = (u128::from(part) << Self::BITS).div_ceil(u128::from(whole.max(1)));
        Self(
            u64::try_from(speed)
                .unwrap_or(Self::ONE)
                .clamp(1, Self::ONE),
        )
    }

    /// In units of 2^-63.
    #[inline]
    pub(in crate::upstream) const fn units(self) -> u64 {
        self.0
    }
}

impl Speeds {
    /// Largest batch that a table may describe.
    pub const LARGEST: u32 = 65_536;

    /// `count` servers (at least 1) that all attempts share equally: each runs at full speed while
    /// there are no more than `count`, else with its share `count / n`.
    #[must_use]
    pub const fn servers(count: u32) -> Self {
        Self(Law::Servers(if count == 0 { 1 } else { count }))
    }

    /// A batch whose iteration, one token for each, takes `base + n * per_request`: each of `n`
    /// runs at the speed `iteration(1) / iteration(n)`. For batches of up to `largest` (at most
    /// [`Self::LARGEST`]), above which the speed is that of `largest`.
    ///
    /// The straight line is what measurements of decoding show: an iteration reads the weights once
    /// for all, and each request adds its own share (vLLM: Kwon et al., "Efficient Memory
    /// Management for Large Language Model Serving with `PagedAttention`", SOSP 2023).
    #[must_use]
    pub fn iteration(base: Duration, per_request: Duration, largest: u32) -> Self {
        let time = |n: u32| {
            let all = per_request.as_nanos().saturating_mul(u64::from(n));
            all.saturating_add(base.as_nanos())
        };
        let alone = time(1);
        let sizes = 1..=largest.clamp(1, Self::LARGEST);
        let speeds = sizes.map(|n| match alone {
            0 => Speed(Speed::ONE),
            alone => Speed::ratio(alone, time(n)),
        });
        Self(Law::Table(speeds.collect()))
    }

    /// Speeds as measured, by (size of the batch, speed of each in it), such as tokens per second;
    /// only their ratios count. Sizes rise from 1 and speeds never do. Between two sizes the speed
    /// lies on a straight line; above the last it is that of the last.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn measured(points: &[(u32, f64)]) -> Result<Self, InvalidSpeeds> {
        let (&(first, alone), &(last, _)) = points
            .first()
            .zip(points.last())
            .ok_or(InvalidSpeeds::NotFromOne)?;
        for (at, &(size, speed)) in points.iter().enumerate() {
            if !(speed > 0.0 && speed.is_finite()) {
                return Err(InvalidSpeeds::NotPositive(at));
            }
            let before = at.checked_sub(1).map(|before| points[before]);
            if before.is_some_and(|before| before.0 >= size) {
                return Err(InvalidSpeeds::SizesDoNotRise(at));
            }
            if before.is_some_and(|before| before.1 < speed) {
                return Err(InvalidSpeeds::Rises(at));
            }
        }
        if first != 1 {
            return Err(InvalidSpeeds::NotFromOne);
        }
        if last > Self::LARGEST {
            return Err(InvalidSpeeds::TooLarge);
        }
        let mut table = vec![fixed(1.0)];
        for pair in points.windows(2) {
            let [(from, fast), (to, slow)] = [pair[0], pair[1]];
            for size in from + 1..=to {
                let way = f64::from(size - from) / f64::from(to - from);
                table.push(fixed((fast + (slow - fast) * way) / alone));
            }
        }
        Ok(Self(Law::Table(table.into())))
    }

    /// The speed of each of `n`.
    #[inline]
    #[must_use]
    pub fn of(&self, n: u32) -> Speed {
        match &self.0 {
            Law::Servers(count) if n <= *count => Speed(Speed::ONE),
            Law::Servers(1) => Speed(Speed::ONE.div_ceil(u64::from(n))),
            Law::Servers(count) => Speed::ratio(u64::from(*count), u64::from(n)),
            Law::Table(table) => {
                let at = (n.max(1) as usize).min(table.len()) - 1;
                table[at]
            }
        }
    }

    /// Work that `n` attempts do together in a unit of time, relative to one that runs alone.
    #[must_use]
    pub fn together(&self, n: u32) -> f64 {
        f64::from(n) * (self.of(n).units() as f64 / Speed::ONE as f64)
    }
}

/// A speed from 0 to 1 as a whole number; a floating-point number has fewer digits than that.
fn fixed(speed: f64) -> Speed {
    Speed(((speed * Speed::ONE as f64) as u64).clamp(1, Speed::ONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(speeds: &Speeds, n: u32) -> f64 {
        speeds.of(n).units() as f64 / Speed::ONE as f64
    }

    #[test]
    fn servers_are_shared_equally() {
        let three = Speeds::servers(3);
        assert_eq!([1, 2, 3, 6].map(|n| of(&three, n)), [1.0, 1.0, 1.0, 0.5]);
        assert_eq!(three.of(7).units(), (3u128 << 63).div_ceil(7) as u64);
        assert_eq!(Speeds::servers(0), Speeds::servers(1));
        assert_eq!(Speeds::servers(1).of(3).units(), (1u64 << 63).div_ceil(3));
        assert_eq!(Speeds::servers(u32::MAX).of(u32::MAX).units(), 1 << 63);
    }

    #[test]
    fn work_done_together() {
        let three = Speeds::servers(3);
        let found = [1, 3, 6, u32::MAX].map(|n| three.together(n).round());
        assert_eq!(found, [1.0, 3.0, 3.0, 3.0]);
        let [base, each] = [9, 1].map(Duration::from_millis);
        assert_eq!(Speeds::iteration(base, each, 11).together(11), 5.5);
    }

    #[test]
    fn iterations_grow_on_a_straight_line() {
        let [base, each] = [9, 1].map(Duration::from_millis);
        let speeds = Speeds::iteration(base, each, 11);
        assert_eq!([1, 11, 500].map(|n| of(&speeds, n)), [1.0, 0.5, 0.5]);
        assert!((of(&speeds, 2) - 10.0 / 11.0).abs() < 1e-15);
        let free = Speeds::iteration(Duration::ZERO, Duration::ZERO, 4);
        assert_eq!(of(&free, 4), 1.0);
        let absurd = Speeds::iteration(Duration::MAX, Duration::MAX, 4);
        assert_eq!(of(&absurd, 4), 1.0);
    }

    #[test]
    fn measured_speeds_lie_on_straight_lines() {
        let speeds = Speeds::measured(&[(1, 80.0), (3, 40.0), (5, 40.0)]).unwrap();
        let found = [1, 2, 3, 4, 5, 6].map(|n| of(&speeds, n));
        assert_eq!(found, [1.0, 0.75, 0.5, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn what_is_no_speed_function_is_refused() {
        use InvalidSpeeds::{NotFromOne, NotPositive, Rises, SizesDoNotRise, TooLarge};
        let cases: [(&[(u32, f64)], InvalidSpeeds); 8] = [
            (&[], NotFromOne),
            (&[(2, 1.0)], NotFromOne),
            (&[(1, 0.0)], NotPositive(0)),
            (&[(1, 1.0), (2, f64::NAN)], NotPositive(1)),
            (&[(1, f64::INFINITY)], NotPositive(0)),
            (&[(1, 1.0), (4, 0.5), (4, 0.4)], SizesDoNotRise(2)),
            (&[(1, 1.0), (4, 0.5), (5, 0.6)], Rises(2)),
            (&[(1, 1.0), (65_537, 0.5)], TooLarge),
        ];
        for (points, expected) in cases {
            assert_eq!(Speeds::measured(points), Err(expected), "{points:?}");
        }
    }

    #[test]
    fn no_speed_is_zero() {
        let speeds = Speeds::measured(&[(1, 1e300), (2, 1e-300)]).unwrap();
        assert_eq!(speeds.of(2), Speed(1));
        let slow = Speeds::iteration(Duration::ZERO, Duration::MAX, 2);
        assert!(slow.of(2).units() > 0);
    }
}
