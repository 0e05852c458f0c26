//! How long an answer asks to wait.
//!
//! `Retry-After` (RFC 9110, section 10.2.3) is a number of seconds or a date. A date is compared
//! with the answer's own `Date` header and not with our clock, which may differ from theirs: what
//! is left is the wait that was meant. Google says the wait in the body instead, as the JSON form
//! of `google.protobuf.Duration`: `"26s"`, `"1.5s"`.

use crate::time::Duration;

/// Longest wait that is believed: one day. Longer ones are cut to it.
pub const LONGEST: Duration = Duration::from_secs(86_400);

/// The wait that a `Retry-After` header asks for. `date` is the answer's `Date` header. `None` if
/// it is neither a number nor a date, or a date and `date` is missing.
#[must_use]
pub fn header(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    seconds(value).or_else(|| {
        let until = httpdate::parse_http_date(value).ok()?;
        let sent = httpdate::parse_http_date(date?.trim()).ok()?;
        let wait = until.duration_since(sent).unwrap_or_default();
        Some(Duration::from_secs(wait.as_secs()).min(LONGEST))
    })
}

/// The wait that a `RetryInfo.retryDelay` asks for.
#[must_use]
pub fn proto_duration(value: &str) -> Option<Duration> {
    seconds(value.trim().strip_suffix('s')?)
}

/// A number of seconds, whole or with a fraction, not negative.
fn seconds(text: &str) -> Option<Duration> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds: f64 = plain.then(|| text.parse().ok()).flatten()?;
    Some(Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_whole_and_with_a_fraction() {
        assert_eq!(header("30", None), Some(Duration::from_secs(30)));
        assert_eq!(header(" 0 ", None), Some(Duration::ZERO));
        assert_eq!(header("1.5", None), Some(Duration::from_millis(1_500)));
        assert_eq!(header("1e9", None), None);
        assert_eq!(header("99999999999999999999", None), Some(LONGEST));
        for wrong in ["", "-1", "soon", "inf", "NaN", ".", "1.2.3"] {
            assert_eq!(header(wrong, None), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_date_counts_from_the_answers_own() {
        let sent = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let wait = |until| header(until, sent);
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:50:07 GMT"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("Wed, 06 Nov 1996 08:00:00 GMT"), Some(LONGEST));
        assert_eq!(header("Sun, 06 Nov 1994 08:50:07 GMT", None), None);
        assert_eq!(wait("Sun, 06 Foo 1994 08:50:07 GMT"), None);
        assert_eq!(wait("Sun, 06 Nov 1994 25:50:07 GMT"), None);
    }

    #[test]
    fn the_delay_of_google() {
        assert_eq!(proto_duration("26s"), Some(Duration::from_secs(26)));
        assert_eq!(
            proto_duration("39.413s"),
            Some(Duration::from_millis(39_413))
        );
        assert_eq!(proto_duration("26"), None);
        assert_eq!(proto_duration("s"), None);
    }
}
