//! Human units: reading and writing durations, rates, prices and money.
//!
//! A bare number in a scenario file is a trap (seconds or milliseconds?), so every quantity with a
//! dimension carries its unit in the text: `"250ms"`, `"40rps"`, `"$3/Mtok"`. Money is integer
//! nano-USD, so that costs add up exactly.

use crate::request::Usage;
use crate::time::Duration;
use std::fmt;

/// Why a text is not a quantity, with what would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitError(
    /// The whole message.
    pub String,
);

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnitError {}

/// Splits `"250ms"` into 250 and `"ms"`.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .char_indices()
        .find(|&(at, c)| {
            let exponent = matches!(c, 'e' | 'E')
                && text[at + 1..].starts_with(|d: char| d.is_ascii_digit() || d == '-');
            let sign = c == '-' && (at == 0 || text[..at].ends_with(['e', 'E']));
            !(c.is_ascii_digit() || c == '.' || c == '_' || exponent || sign)
        })
        .map_or(text.len(), |(at, _)| at);
    let number: f64 = text[..end].replace('_', "").parse().ok()?;
    number.is_finite().then(|| (number, text[end..].trim()))
}

const NANOS_PER_UNIT: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("min", 60e9),
    ("h", 3600e9),
    ("d", 86_400e9),
];

impl Duration {
    /// Reads `"250ms"`, `"1.5s"`, `"10min"`; units: ns, us, ms, s, min, h, d.
    ///
    /// # Errors
    /// If there is no number, no unit, an unknown unit, a negative value, or more than 100 years.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let fail = |why: &str| {
            let units = "a number with ns, us, ms, s, min, h or d, such as \"250ms\"";
            Err(UnitError(format!("{why}; expected {units}")))
        };
        let Some((number, unit)) = number_and_unit(text) else {
            return fail("not a duration");
        };
        let Some((_, size)) = NANOS_PER_UNIT.iter().find(|(name, _)| *name == unit) else {
            return fail(&if unit.is_empty() {
                "the unit is missing".to_owned()
            } else {
                format!("unknown unit \"{unit}\"")
            });
        };
        if number < 0.0 {
            return fail("a duration cannot be negative");
        }
        let nanos = number * size;
        if nanos > 100.0 * 365.25 * 86_400e9 {
            return fail("longer than 100 years");
        }
        Ok(Self::from_nanos((nanos + 0.5) as u64))
    }
}

/// Events per second.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Rate(f64);

impl Rate {
    /// A rate of `per_second` events per second.
    ///
    /// # Errors
    /// If it is negative or not finite.
    pub fn per_second(per_second: f64) -> Result<Self, UnitError> {
        if per_second >= 0.0 && per_second.is_finite() {
            Ok(Self(per_second))
        } else {
            Err(UnitError("a rate must be 0 or more, and finite".into()))
        }
    }

    /// Reads `"40rps"`, `"90rpm"`, `"500rph"`, or with a slash: `"40/s"`, `"90/min"`, `"500/h"`.
    ///
    /// # Errors
    /// If there is no number, no known unit, or the value is negative.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let fail = |why: &str| {
            let units = "a number with rps, rpm or rph, such as \"40rps\"";
            Err(UnitError(format!("{why}; expected {units}")))
        };
        let Some((number, unit)) = number_and_unit(text) else {
            return fail("not a rate");
        };
        let seconds = match unit {
            "rps" | "/s" => 1.0,
            "rpm" | "/min" => 60.0,
            "rph" | "/h" => 3600.0,
            "" => return fail("the unit is missing"),
            other => return fail(&format!("unknown unit \"{other}\"")),
        };
        if number < 0.0 {
            return fail("a rate cannot be negative");
        }
        Ok(Self(number / seconds))
    }

    /// Events per second.
    #[must_use]
    pub const fn as_per_second(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}rps", self.0)
    }
}

/// Money in billionths of a US dollar. Integer, so that sums are exact in any order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct NanoUsd(pub u64);

impl NanoUsd {
    /// The amount in dollars, for output only.
    #[must_use]
    pub fn as_usd_f64(self) -> f64 {
        self.0 as f64 * 1e-9
    }
}

impl std::ops::Add for NanoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self(0), std::ops::Add::add)
    }
}

/// Price of tokens: nano-USD per million tokens. The published price lists are in dollars per
/// million tokens with a few decimals, so this is exact where a price per single token would not
/// be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Price(u64);

impl Price {
    /// Dearest price accepted: a million dollars per million tokens.
    const MAX_USD_PER_MTOK: f64 = 1e6;

    /// A price in dollars per million tokens.
    ///
    /// # Errors
    /// If it is negative, not finite, or above a million dollars.
    pub fn usd_per_mtok(usd: f64) -> Result<Self, UnitError> {
        if (0.0..=Self::MAX_USD_PER_MTOK).contains(&usd) {
            Ok(Self((usd * 1e9 + 0.5) as u64))
        } else {
            Err(UnitError(
                "a price must be between $0/Mtok and $1000000/Mtok".into(),
            ))
        }
    }

    /// Reads `"$3/Mtok"` or `"$0.25/ktok"`.
    ///
    /// # Errors
    /// If the dollar sign, the number or the unit is missing or unknown, or the value is out of
    /// range.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let example = "expected dollars per million tokens, such as \"$3/Mtok\"";
        let Some((number, unit)) = text.trim().strip_prefix('$').and_then(number_and_unit) else {
            return Err(UnitError(format!("not a price; {example}")));
        };
        match unit {
            "/Mtok" => Self::usd_per_mtok(number),
            "/ktok" => Self::usd_per_mtok(number * 1e3),
            "" => Err(UnitError(format!("the unit is missing; {example}"))),
            other => Err(UnitError(format!("unknown unit \"{other}\"; {example}"))),
        }
    }
}

impl Price {
    /// This price times `factor`, 0 or more, rounded to the nearest; saturates.
    #[must_use]
    pub fn scale(self, factor: f64) -> Self {
        Self((self.0 as f64 * factor + 0.5) as u64)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}/Mtok", self.0 as f64 * 1e-9)
    }
}

/// What an account charges for a model.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Prices {
    /// Input tokens.
    pub input: Price,
    /// Output tokens.
    pub output: Price,
    /// Input tokens read from the provider's prompt cache.
    pub cached_input: Price,
}

impl Prices {
    /// All of them times `factor`, 0 or more.
    #[must_use]
    pub fn scale(self, factor: f64) -> Self {
        Self {
            input: self.input.scale(factor),
            output: self.output.scale(factor),
            cached_input: self.cached_input.scale(factor),
        }
    }

    /// Cost of `usage`, rounded up to the next nano-USD once per bill (so that a sum of bills is
    /// exact).
    #[must_use]
    #[inline]
    pub fn bill(&self, usage: Usage) -> NanoUsd {
        let fresh = u128::from(usage.input.saturating_sub(usage.cached_input));
        let micro = fresh * u128::from(self.input.0)
            + u128::from(usage.cached_input.min(usage.input)) * u128::from(self.cached_input.0)
            + u128::from(usage.output) * u128::from(self.output.0);
        if let Ok(micro) = u64::try_from(micro) {
            // Nearly every bill: a division by a constant, not by a routine.
            return NanoUsd(micro.div_ceil(1_000_000));
        }
        NanoUsd(u64::try_from(micro.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let nanos = |text| Duration::parse(text).map(Duration::as_nanos);
        assert_eq!(nanos("250ms"), Ok(250_000_000));
        assert_eq!(nanos("1.5 s"), Ok(1_500_000_000));
        assert_eq!(nanos("2min"), Ok(120_000_000_000));
        assert_eq!(nanos("1e3us"), Ok(1_000_000));
        assert_eq!(nanos("0s"), Ok(0));
        for bad in [
            "",
            "s",
            "10",
            "10 parsecs",
            "-1s",
            "nan s",
            "1e30h",
            "１s",
            "1.2.3s",
        ] {
            assert!(nanos(bad).is_err(), "{bad}");
        }
        for text in ["90s", "250ms", "2h", "7us", "1500ms"] {
            let parsed = Duration::parse(text).unwrap();
            assert_eq!(Duration::parse(&parsed.to_string()), Ok(parsed));
        }
    }

    #[test]
    fn rates() {
        let per_second = |text| Rate::parse(text).map(Rate::as_per_second);
        assert_eq!(per_second("40rps"), Ok(40.0));
        assert_eq!(per_second("90 rpm"), Ok(1.5));
        assert_eq!(per_second("0.5/s"), Ok(0.5));
        for bad in ["", "40", "-1rps", "40 rpx", "rps"] {
            assert!(per_second(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bill_is_exact() {
        let prices = Prices {
            input: Price::parse("$3/Mtok").unwrap(),
            output: Price::parse("$15/Mtok").unwrap(),
            cached_input: Price::parse("$0.0375/Mtok").unwrap(),
        };
        let usage = Usage {
            input: 1_000,
            cached_input: 400,
            output: 100,
        };
        // 600 x 3000 + 400 x 37.5 + 100 x 15000 nano-USD.
        assert_eq!(prices.bill(usage), NanoUsd(1_800_000 + 15_000 + 1_500_000));
        let tiny = Usage {
            input: 1,
            cached_input: 1,
            output: 0,
        };
        assert_eq!(prices.bill(tiny), NanoUsd(38));
        let most = Usage {
            input: u32::MAX,
            cached_input: 0,
            output: u32::MAX,
        };
        assert!(prices.bill(most) > NanoUsd(0));
        for bad in ["3/Mtok", "$/Mtok", "$3", "$3/tok", "$-1/Mtok"] {
            assert!(Price::parse(bad).is_err(), "{bad}");
        }
    }
}
