//! Numbers as text: the one place that decides how many digits a file shows.
//!
//! Derived floats get at most six significant digits: more would claim a precision that no
//! simulation has, and would let the last bit of a platform's arithmetic change the bytes of a
//! file. Counts, nanoseconds and nano-USD are integers and written exactly.

use crate::time::Duration;
use crate::units::NanoUsd;

/// At most six significant digits, shortest form; empty for what is not a finite number, which is
/// how a table says "not applicable".
#[must_use]
pub fn derived(value: f64) -> String {
    let Some(rounded) = six_digits(value) else {
        return String::new();
    };
    if rounded != 0.0 && !(1e-6..1e15).contains(&rounded.abs()) {
        format!("{rounded:e}")
    } else {
        rounded.to_string()
    }
}

/// [`derived`], or empty.
#[must_use]
pub fn derived_or_empty(value: Option<f64>) -> String {
    value.map_or_else(String::new, derived)
}

/// `value` rounded to six significant digits; `None` if it is not finite. Never negative zero.
#[must_use]
pub fn six_digits(value: f64) -> Option<f64> {
    let rounded: f64 = value
        .is_finite()
        .then(|| format!("{value:.5e}"))?
        .parse()
        .ok()?;
    // Adding positive zero turns -0 into 0.
    Some(rounded + 0.0)
}

/// A length of time in seconds, exact.
#[must_use]
pub fn seconds(length: Duration) -> String {
    billionths(length.as_nanos())
}

/// An amount of money in dollars, exact.
#[must_use]
pub fn dollars(amount: NanoUsd) -> String {
    billionths(amount.0)
}

/// A length of time for people: `10 min`, `250 ms`.
#[must_use]
pub fn human(length: Duration) -> String {
    if !length.as_nanos().is_multiple_of(1_000_000) {
        return format!("{} s", derived(length.as_secs_f64()));
    }
    let text = length.to_string();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit()).len();
    format!("{} {}", &text[..digits], &text[digits..])
}

/// `count / of`; NaN if there is nothing to divide by.
#[must_use]
pub fn share(count: u64, of: u64) -> f64 {
    if of == 0 {
        f64::NAN
    } else {
        count as f64 / of as f64
    }
}

/// An integer count of billionths as a decimal number, without trailing zeros.
fn billionths(count: u64) -> String {
    let (whole, part) = (count / 1_000_000_000, count % 1_000_000_000);
    let text = format!("{whole}.{part:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn six_significant_digits_at_most() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (0.1 + 0.2, "0.3"),
            (1.0 / 3.0, "0.333333"),
            (-2.0 / 3.0, "-0.666667"),
            (123_456_789.0, "123457000"),
            (99.999_999, "100"),
            (0.000_123_456_78, "0.000123457"),
            (1.234_567_8e-9, "1.23457e-9"),
            (1e20, "1e20"),
        ];
        for (value, expected) in cases {
            assert_eq!(derived(value), expected, "{value}");
        }
    }

    #[test]
    fn what_is_no_number_is_an_empty_cell() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(derived(value), "");
        }
        assert_eq!(derived_or_empty(None), "");
        assert_eq!(derived(share(1, 0)), "");
    }

    #[test]
    fn lengths_of_time_for_people() {
        assert_eq!(human(Duration::from_secs(600)), "10 min");
        assert_eq!(human(Duration::from_millis(1_500)), "1500 ms");
        assert_eq!(human(Duration::ZERO), "0 s");
        assert_eq!(human(Duration::from_nanos(59_123_456_789)), "59.1235 s");
    }

    #[test]
    fn integers_are_exact() {
        assert_eq!(seconds(Duration::from_nanos(1)), "0.000000001");
        assert_eq!(seconds(Duration::from_secs(90)), "90");
        assert_eq!(seconds(Duration::ZERO), "0");
        assert_eq!(dollars(NanoUsd(1_500_000_000)), "1.5");
        assert_eq!(dollars(NanoUsd(u64::MAX)), "18446744073.709551615");
    }

    proptest! {
        #[test]
        fn the_text_is_within_half_a_digit(value in proptest::num::f64::NORMAL) {
            let read: f64 = derived(value).parse().unwrap();
            prop_assert!((read / value - 1.0).abs() <= 5.1e-6);
        }
    }
}
