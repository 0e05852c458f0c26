//! Days of the Gregorian calendar, counted.
//!
//! Traces state dates; a run counts nanoseconds. That is all that is needed of a calendar here, and
//! too little for a dependency.

/// First year that is counted.
pub const FIRST_YEAR: u64 = 1970;

/// Last year that is counted: up to here, nanoseconds since 1970 fit into a `u64`.
pub const LAST_YEAR: u64 = 2499;

/// Days from 1970-01-01 to the given date; `None` if there is no such day, or it is not within
/// [`FIRST_YEAR`]..=[`LAST_YEAR`].
pub fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(FIRST_YEAR..=LAST_YEAR).contains(&year) || day == 0 {
        return None;
    }
    let mut lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    lengths[1] += leap_years_up_to(year) - leap_years_up_to(year - 1);
    let before = usize::try_from(month).ok()?.checked_sub(1)?;
    if day > *lengths.get(before)? {
        return None;
    }
    let leap_days = leap_years_up_to(year - 1) - leap_years_up_to(FIRST_YEAR - 1);
    let month_days: u64 = lengths[..before].iter().sum();
    Some((year - FIRST_YEAR) * 365 + leap_days + month_days + day - 1)
}

/// Leap years from year 1 to `year`.
const fn leap_years_up_to(year: u64) -> u64 {
    year / 4 - year / 100 + year / 400
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `date -u -d DATE +%s` counts them.
    #[test]
    fn known_dates() {
        let known = [
            ((1970, 1, 1), 0),
            ((1999, 12, 31), 10_956),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((2023, 11, 16), 19_677),
            ((2024, 2, 29), 19_782),
            ((2024, 3, 1), 19_783),
            ((2100, 3, 1), 47_541),
            ((2499, 12, 31), 193_578),
        ];
        for ((year, month, day), days) in known {
            assert_eq!(
                days_since_1970(year, month, day),
                Some(days),
                "{year}-{month}-{day}"
            );
        }
    }

    /// Every date that exists is one day after the one before.
    #[test]
    fn no_day_is_skipped_or_counted_twice() {
        let mut expected = 0;
        for year in FIRST_YEAR..=LAST_YEAR {
            for (month, day) in (1..=12).flat_map(|m| (1..=31).map(move |d| (m, d))) {
                if let Some(days) = days_since_1970(year, month, day) {
                    assert_eq!(days, expected, "{year}-{month}-{day}");
                    expected += 1;
                }
            }
        }
        assert_eq!(expected, 193_579);
    }

    #[test]
    fn days_that_do_not_exist() {
        for (year, month, day) in [
            (2023, 2, 29),
            (2100, 2, 29),
            (2024, 4, 31),
            (2024, 0, 1),
            (2024, 13, 1),
            (2024, 1, 0),
            (1969, 12, 31),
            (2500, 1, 1),
            (2024, u64::MAX, 1),
        ] {
            assert_eq!(
                days_since_1970(year, month, day),
                None,
                "{year}-{month}-{day}"
            );
        }
    }
}
