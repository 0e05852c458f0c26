//! Division of an integer by a float, without rounding.
//!
//! A finite float *is* a fraction of two integers, so `1e9 / rate` and `offset / scale` have exact
//! values. Computed in floats they would be off by a nanosecond here and there, and such an error
//! repeated a million times is a drift.

/// `whole + rest / unit`, with `rest < unit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quotient {
    /// The integer part.
    pub whole: u64,
    /// Numerator of what remains.
    pub rest: u128,
    /// Denominator of what remains; at most 2^127.
    pub unit: u128,
}

impl Quotient {
    const fn integer(whole: u64) -> Self {
        Self {
            whole,
            rest: 0,
            unit: 1,
        }
    }

    /// `dividend / divisor`. It is `u64::MAX` where the true value is larger, and where the divisor
    /// is not above 0.
    pub fn new(dividend: u64, divisor: f64) -> Self {
        let Some((odd, exponent)) = odd_and_exponent(divisor) else {
            return Self::integer(u64::MAX);
        };
        let places = exponent.unsigned_abs();
        if dividend == 0 || exponent > 74 {
            return Self::integer(0); // Beyond 2^74 the quotient is below a thousandth.
        }
        let (numerator, unit) = if exponent >= 0 {
            (u128::from(dividend), u128::from(odd) << places)
        } else if places <= u128::from(dividend).leading_zeros() {
            (u128::from(dividend) << places, u128::from(odd))
        } else {
            return Self::integer(u64::MAX); // At least 2^128 / 2^53.
        };
        u64::try_from(numerator / unit).map_or(Self::integer(u64::MAX), |whole| Self {
            whole,
            rest: numerator % unit,
            unit,
        })
    }

    /// The nearest integer; a half goes up.
    pub const fn rounded(self) -> u64 {
        let up = self.rest >= self.unit - self.rest;
        self.whole.saturating_add(up as u64)
    }
}

/// `x = odd * 2^exponent`, for `x` above 0; infinity is like the largest float.
fn odd_and_exponent(x: f64) -> Option<(u64, i32)> {
    const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    if x.is_nan() || x <= 0.0 {
        return None;
    }
    let bits = x.min(f64::MAX).to_bits();
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    let (mantissa, exponent) = match (bits >> FRACTION_BITS) as i32 {
        0 => (fraction, -1074),
        biased => (fraction | 1 << FRACTION_BITS, biased - 1075),
    };
    let zeros = mantissa.trailing_zeros();
    Some((mantissa >> zeros, exponent + zeros as i32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_quotients() {
        let rounded = |dividend, divisor| Quotient::new(dividend, divisor).rounded();
        assert_eq!(rounded(1_000_000_000, 3.0), 333_333_333);
        assert_eq!(rounded(5, 2.0), 3);
        assert_eq!(rounded(1, 0.25), 4);
        assert_eq!(rounded(u64::MAX, 1.0), u64::MAX);
        assert_eq!(rounded(u64::MAX - 1, 1.0), u64::MAX - 1);
        // The float nearest to 0.1 is a little more than 0.1.
        assert_eq!(Quotient::new(1, 0.1).whole, 9);
        assert_eq!(rounded(1, 0.1), 10);
    }

    #[test]
    fn extremes() {
        for divisor in [0.0, -0.0, -1.0, f64::NAN, f64::MIN_POSITIVE, 5e-324] {
            assert_eq!(Quotient::new(7, divisor).rounded(), u64::MAX, "{divisor}");
        }
        for divisor in [f64::INFINITY, f64::MAX, 1e30] {
            assert_eq!(Quotient::new(u64::MAX, divisor).rounded(), 0, "{divisor}");
        }
        assert_eq!(Quotient::new(0, f64::MIN_POSITIVE).rounded(), 0);
    }

    proptest! {
        /// Divisors of the form `above / 2^places` have a naive quotient in integers.
        #[test]
        fn agrees_with_integer_division(dividend: u64, above in 1u32.., places in 0u32..=20) {
            let q = Quotient::new(dividend, f64::from(above) / f64::from(1u32 << places));
            let (numerator, above) = (u128::from(dividend) << places, u128::from(above));
            let saturated = |naive: u128| u64::try_from(naive).unwrap_or(u64::MAX);
            prop_assert_eq!(q.whole, saturated(numerator / above));
            prop_assert_eq!(q.rounded(), saturated((2 * numerator + above) / (2 * above)));
        }

        #[test]
        fn any_float_is_divided_by(dividend: u64, bits: u64) {
            let q = Quotient::new(dividend, f64::from_bits(bits));
            prop_assert!(q.rest < q.unit && q.unit <= 1 << 127);
            q.rounded();
        }
    }
}
