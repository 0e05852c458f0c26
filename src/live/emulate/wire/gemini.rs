//! Gemini `generateContent`, as its own servers write it: unnamed frames, cumulative usage on each,
//! the wait of a 429 in the body.

use super::{Reply, Writer, json};
use crate::live::sse;
use crate::request::{Failure, FailureKind, Usage};
use crate::time::Duration;
use serde_json::{Value, json};

impl Writer {
    /// A whole answer, or a frame of a stream; the last one says why it ends.
    pub(super) fn gemini_frame(&self, text: &str, usage: Usage, last: bool) -> Value {
        let mut candidate = json!({
            "content": {"parts": [{"text": text}], "role": "model"},
            "index": 0,
        });
        if last {
            let reason = if self.is_cut_short(usage) {
                "MAX_TOKENS"
            } else {
                "STOP"
            };
            candidate["finishReason"] = json!(reason);
        }
        json!({
            "candidates": [candidate],
            "usageMetadata": tokens(usage),
            "modelVersion": self.model,
            "responseId": self.id,
        })
    }
}

pub(super) fn event(frame: &Value, out: &mut Vec<u8>) {
    sse::write(out, "", &frame.to_string());
}

fn tokens(usage: Usage) -> Value {
    let mut tokens = json!({
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output,
        "totalTokenCount": usage.input.saturating_add(usage.output),
    });
    if usage.cached_input > 0 {
        tokens["cachedContentTokenCount"] = json!(usage.cached_input);
    }
    tokens
}

pub(super) fn error(failure: Failure, message: &str) -> Reply {
    let (code, status) = form(failure.kind);
    let mut error = json!({"code": code, "message": message});
    if !status.is_empty() {
        error["status"] = json!(status);
    }
    let details = details(failure);
    if !details.is_empty() {
        error["details"] = json!(details);
    }
    json(code, &json!({"error": error}))
}

fn details(failure: Failure) -> Vec<Value> {
    let mut details = vec![];
    match failure.kind {
        FailureKind::Unauthorized => details.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
        })),
        FailureKind::RateLimited | FailureKind::SpendCap => details.push(json!({
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{
                "description": "Learn more about Gemini API quotas",
                "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
            }],
        })),
        _ => {}
    }
    if let Some(wait) = failure.retry_after {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": proto_duration(wait),
        }));
    }
    details
}

/// The JSON form of `google.protobuf.Duration`, to the nanosecond.
fn proto_duration(wait: Duration) -> String {
    let (seconds, nanos) = (
        wait.as_nanos() / 1_000_000_000,
        wait.as_nanos() % 1_000_000_000,
    );
    if nanos == 0 {
        return format!("{seconds}s");
    }
    format!("{seconds}.{nanos:09}s")
}

/// Code and canonical status; an invalid key is a 400. Google has no canonical status for 402, so
/// the code stands alone. Kinds that have no form of their own do not come here.
const fn form(kind: FailureKind) -> (u16, &'static str) {
    use FailureKind as K;
    match kind {
        K::BadRequest | K::TooLarge | K::Unauthorized => (400, "INVALID_ARGUMENT"),
        K::PaymentRequired => (402, ""),
        K::Forbidden => (403, "PERMISSION_DENIED"),
        K::ModelNotFound => (404, "NOT_FOUND"),
        K::RateLimited | K::SpendCap => (429, "RESOURCE_EXHAUSTED"),
        K::Unavailable | K::Overloaded => (503, "UNAVAILABLE"),
        K::GatewayTimeout => (504, "DEADLINE_EXCEEDED"),
        _ => (500, "INTERNAL"),
    }
}
