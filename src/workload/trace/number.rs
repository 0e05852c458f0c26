//! Numbers as the CSV formats write them: digits, and nothing that a float would round.

use super::error::quoted;

/// A whole number from `least` on that fits into 32 bits; `name` is its column.
pub fn whole(name: &str, text: &str, least: u32) -> Result<u32, String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let problem = if is_number(text) {
        match text.parse() {
            Ok(number) if number >= least => return Ok(number),
            Ok(_) => "is too small",
            Err(_) => "is too large",
        }
    } else if text.strip_prefix('-').is_some_and(is_number) {
        "is negative"
    } else {
        "is not a whole number"
    };
    let (found, most) = (quoted(text), u32::MAX);
    Err(format!(
        "{name} {found} {problem}; allowed are {least} to {most}"
    ))
}

/// `12.5` in units of 10^-`places`, exactly; `None` if it is no such number, has more than `places`
/// decimals, or does not fit.
pub fn decimal(text: &[u8], places: usize) -> Option<u64> {
    let point = text.iter().position(|&byte| byte == b'.');
    let (whole, decimals) = text.split_at(point.unwrap_or(text.len()));
    let unit = 10u64.checked_pow(u32::try_from(places).ok()?)?;
    let whole = digits(whole)?.checked_mul(unit)?;
    whole.checked_add(fraction(decimals, places)?)
}

/// `.68059` in units of 10^-`places`; nothing at all is 0.
pub fn fraction(text: &[u8], places: usize) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    let decimals = text.strip_prefix(b".")?;
    let missing = u32::try_from(places.checked_sub(decimals.len())?).ok()?;
    digits(decimals)?.checked_mul(10u64.checked_pow(missing)?)
}

/// The value of at least one digit and nothing else.
pub fn digits(text: &[u8]) -> Option<u64> {
    let value = |sum: u64, &digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    let mut all = text.iter();
    (!text.is_empty()).then(|| all.try_fold(0, value))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let nanos = |text: &str| decimal(text.as_bytes(), 9);
        assert_eq!(nanos("0"), Some(0));
        assert_eq!(
            nanos("1700158546.680590001"),
            Some(1_700_158_546_680_590_001)
        );
        assert_eq!(nanos("0.1"), Some(100_000_000));
        assert_eq!(nanos("18446744073.709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"30535.25", 6), Some(30_535_250_000));
        for bad in [
            "",
            ".",
            ".5",
            "5.",
            "-1",
            "+1",
            "1e9",
            "1,5",
            " 1",
            "1.0000000001",
        ] {
            assert_eq!(nanos(bad), None, "{bad}");
        }
        assert_eq!(nanos("18446744073.709551616"), None);
        assert_eq!(nanos("99999999999999999999999"), None);
    }
}
