//! Anthropic Messages, as its own servers write it.
//!
//! Two frames are at the provider's discretion and chosen here: a stream that breaks off tells in a
//! `message_delta` what it has produced before it says `overloaded_error`, as in the published
//! recording of such an end; and there is no `ping`, which would only be another frame to skip.

use super::{Reply, Writer, json};
use crate::live::sse;
use crate::request::{Failure, FailureKind, Usage};
use crate::time::Duration;
use crate::upstream::QuotaLeft;
use serde_json::{Value, json};

impl Writer {
    pub(super) fn anthropic_answer(&self, text: &str, usage: Usage) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [{"type": "text", "text": text}],
            "stop_reason": self.stop_reason(usage),
            "stop_sequence": null,
            "usage": tokens(usage, usage.output),
        })
    }

    /// The count of output tokens in the first event is a placeholder, as with the real one.
    pub(super) fn anthropic_start(&self, usage: Usage, out: &mut Vec<u8>) {
        let message = json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": tokens(usage, 1),
        });
        event(&json!({"type": "message_start", "message": message}), out);
        let block = json!({"type": "text", "text": ""});
        let start = json!({"type": "content_block_start", "index": 0, "content_block": block});
        event(&start, out);
    }

    pub(super) fn anthropic_end(&self, usage: Usage, out: &mut Vec<u8>) {
        event(&json!({"type": "content_block_stop", "index": 0}), out);
        delta(json!(self.stop_reason(usage)), usage, out);
        event(&json!({"type": "message_stop"}), out);
    }

    fn stop_reason(&self, usage: Usage) -> &'static str {
        if self.is_cut_short(usage) {
            "max_tokens"
        } else {
            "end_turn"
        }
    }
}

pub(super) fn text(text: &str, out: &mut Vec<u8>) {
    let delta = json!({"type": "text_delta", "text": text});
    let event_body = json!({"type": "content_block_delta", "index": 0, "delta": delta});
    event(&event_body, out);
}

pub(super) fn broken(usage: Usage, out: &mut Vec<u8>) {
    delta(Value::Null, usage, out);
    let error = json!({"type": "overloaded_error", "message": "Overloaded"});
    event(&json!({"type": "error", "error": error}), out);
}

/// Its usage counts from the beginning of the stream.
fn delta(stop_reason: Value, usage: Usage, out: &mut Vec<u8>) {
    let delta = json!({"stop_reason": stop_reason, "stop_sequence": null});
    let usage = tokens(usage, usage.output);
    event(
        &json!({"type": "message_delta", "delta": delta, "usage": usage}),
        out,
    );
}

fn event(event: &Value, out: &mut Vec<u8>) {
    let name = event["type"].as_str().unwrap_or_default();
    sse::write(out, name, &event.to_string());
}

fn tokens(usage: Usage, output: u32) -> Value {
    json!({
        "input_tokens": usage.input.saturating_sub(usage.cached_input),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_input,
        "output_tokens": output,
    })
}

pub(super) fn error(failure: Failure, message: &str, number: u64) -> Reply {
    let (status, kind) = form(failure.kind);
    let details = match failure.kind {
        FailureKind::SpendCap => json!({"error_code": "enforced_spend_limit_reached"}),
        _ => Value::Null,
    };
    let error = json!({"type": kind, "message": message, "details": details});
    let request_id = format!("req_{number:022}");
    let body = json!({"type": "error", "error": error, "request_id": request_id});
    let mut reply = json(status, &body);
    reply.headers.push(("request-id", request_id));
    if let Some(wait) = failure.retry_after {
        let seconds = wait.as_nanos().div_ceil(1_000_000_000);
        reply.headers.push(("retry-after", seconds.to_string()));
    }
    reply
}

/// Status and type. Kinds that have no form of their own do not come here.
const fn form(kind: FailureKind) -> (u16, &'static str) {
    use FailureKind as K;
    match kind {
        K::BadRequest => (400, "invalid_request_error"),
        K::Unauthorized => (401, "authentication_error"),
        K::PaymentRequired => (402, "billing_error"),
        K::Forbidden => (403, "permission_error"),
        K::ModelNotFound => (404, "not_found_error"),
        K::TooLarge => (413, "request_too_large"),
        K::RateLimited | K::SpendCap => (429, "rate_limit_error"),
        K::GatewayTimeout => (504, "timeout_error"),
        K::Overloaded => (529, "overloaded_error"),
        _ => (500, "api_error"),
    }
}

pub(super) fn quota_headers(left: &QuotaLeft, now: u64) -> Vec<(&'static str, String)> {
    let limits = [
        (
            left.requests,
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
        ),
        (
            left.input,
            "anthropic-ratelimit-input-tokens-limit",
            "anthropic-ratelimit-input-tokens-remaining",
            "anthropic-ratelimit-input-tokens-reset",
        ),
        (
            left.output,
            "anthropic-ratelimit-output-tokens-limit",
            "anthropic-ratelimit-output-tokens-remaining",
            "anthropic-ratelimit-output-tokens-reset",
        ),
    ];
    let mut headers = vec![];
    for (left, limit, remaining, reset) in limits {
        let Some(left) = left else { continue };
        headers.push((limit, left.limit.to_string()));
        headers.push((remaining, left.remaining.to_string()));
        if left.full_in != Duration::MAX {
            let seconds = left.full_in.as_nanos().div_ceil(1_000_000_000);
            headers.push((reset, rfc_3339(now.saturating_add(seconds))));
        }
    }
    headers
}

/// Seconds since 1970 as `2026-01-01T00:00:30Z`. The date is Howard Hinnant's `civil_from_days`.
fn rfc_3339(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Counted from March, so that the leap day is the last of the year.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year_of_era + later;
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    /// The oracle is another crate's date, in another form.
    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(rfc_3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc_3339(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(rfc_3339(951_782_400), "2000-02-29T00:00:00Z");
        const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
        for step in 0..4_000_u64 {
            let seconds = step * 1_234_567;
            let then = UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            let other = httpdate::fmt_http_date(then);
            let month = MONTHS.find(&other[8..11]).unwrap() / 3 + 1;
            let (day, year, time) = (&other[5..7], &other[12..16], &other[17..25]);
            let expected = format!("{year}-{month:02}-{day}T{time}Z");
            assert_eq!(rfc_3339(seconds), expected);
        }
    }
}
