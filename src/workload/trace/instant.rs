//! Points in time written as date and time of day.

use super::calendar::{FIRST_YEAR, LAST_YEAR, days_since_1970};
use super::error::quoted;
use super::number::{digits, fraction};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Why a text is no point in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoInstant {
    /// It is not written like one.
    Shape,
    /// There is no such date, or it is out of range.
    Date,
    /// There is no such time of day.
    Time,
}

impl NoInstant {
    /// The message about `text` in the column `name`.
    pub fn message(self, name: &str, text: &str, example: &str) -> String {
        let found = quoted(text);
        match self {
            Self::Shape => format!("{name} {found} is not a time such as {example}"),
            Self::Date => format!(
                "{name} {found} is on no valid date; allowed are the dates of {FIRST_YEAR} to \
                 {LAST_YEAR}"
            ),
            Self::Time => format!(
                "{name} {found} is at no valid time; the last time of a day is \
                 23:59:59.999999999"
            ),
        }
    }
}

/// Nanoseconds since 1970 of a time such as `2023-11-16 18:15:46.6805900`, up to nine decimals,
/// with `separator` between date and time of day.
pub fn instant(text: &[u8], separator: u8) -> Result<u64, NoInstant> {
    let parts = Parts::of(text, separator).ok_or(NoInstant::Shape)?;
    let days = days_since_1970(parts.year, parts.month, parts.day).ok_or(NoInstant::Date)?;
    if parts.hour > 23 || parts.minute > 59 || parts.second > 59 {
        return Err(NoInstant::Time);
    }
    let seconds = ((days * 24 + parts.hour) * 60 + parts.minute) * 60 + parts.second;
    Ok(seconds * NANOS_PER_SECOND + parts.nanos)
}

/// The same as in RFC 3339: `T` or a space between date and time, and at the end `Z` or an offset
/// such as `+02:00`. Without either the time counts as UTC.
pub fn rfc3339(text: &[u8]) -> Result<u64, NoInstant> {
    let separator = match text.get(10) {
        Some(b'T' | b't') => text[10],
        _ => b' ',
    };
    if let Some(text) = text.strip_suffix(b"Z").or(text.strip_suffix(b"z")) {
        return instant(text, separator);
    }
    let Some((local, offset)) = text.split_last_chunk::<6>() else {
        return Err(NoInstant::Shape);
    };
    let (sign, minutes) = match (offset[0], offset[3]) {
        (sign @ (b'+' | b'-'), b':') => {
            let pair = |at: usize| digits(&offset[at..at + 2]).ok_or(NoInstant::Shape);
            let (hours, minutes) = (pair(1)?, pair(4)?);
            if hours > 23 || minutes > 59 {
                return Err(NoInstant::Time);
            }
            (sign, hours * 60 + minutes)
        }
        _ => return instant(text, separator),
    };
    let (local, offset) = (instant(local, separator)?, minutes * 60 * NANOS_PER_SECOND);
    let utc = match sign {
        b'+' => local.checked_sub(offset),
        _ => local.checked_add(offset),
    };
    utc.ok_or(NoInstant::Date)
}

struct Parts {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    nanos: u64,
}

impl Parts {
    fn of(text: &[u8], separator: u8) -> Option<Self> {
        let (whole, decimals) = text.split_at_checked("2023-11-16 18:15:46".len())?;
        let separators = [
            (4, b'-'),
            (7, b'-'),
            (10, separator),
            (13, b':'),
            (16, b':'),
        ];
        if separators.iter().any(|&(at, mark)| whole[at] != mark) {
            return None;
        }
        Some(Self {
            year: digits(&whole[..4])?,
            month: digits(&whole[5..7])?,
            day: digits(&whole[8..10])?,
            hour: digits(&whole[11..13])?,
            minute: digits(&whole[14..16])?,
            second: digits(&whole[17..])?,
            nanos: fraction(decimals, 9)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_taken_off() {
        let utc = rfc3339(b"2026-08-01T18:15:46.25Z").unwrap();
        for same in [
            "2026-08-01T18:15:46.25",
            "2026-08-01 18:15:46.250",
            "2026-08-01t18:15:46.25z",
            "2026-08-01T18:15:46.25+00:00",
            "2026-08-01T20:15:46.25+02:00",
            "2026-08-01T12:45:46.25-05:30",
            "2026-08-02T00:00:46.25+05:45",
        ] {
            assert_eq!(rfc3339(same.as_bytes()), Ok(utc), "{same}");
        }
        let summer = instant(b"2026-08-01 18:15:46.25", b' ').unwrap();
        assert_eq!(utc, summer);
    }

    #[test]
    fn what_only_resembles_one_is_refused() {
        for (bad, why) in [
            ("", NoInstant::Shape),
            ("Z", NoInstant::Shape),
            ("2026-08-01", NoInstant::Shape),
            ("2026-08-01T18:15Z", NoInstant::Shape),
            ("2026-08-01T18:15:46+2:00", NoInstant::Shape),
            ("2026-08-01T18:15:46+aa:00", NoInstant::Shape),
            ("2026-08-01T18:15:46Z+02:00", NoInstant::Shape),
            ("2026-08-01T18:15:46+24:00", NoInstant::Time),
            ("2026-08-01T24:15:46Z", NoInstant::Time),
            ("2026-02-29T18:15:46Z", NoInstant::Date),
            ("1970-01-01T00:00:00+00:01", NoInstant::Date),
        ] {
            assert_eq!(rfc3339(bad.as_bytes()), Err(why), "{bad}");
        }
    }
}
