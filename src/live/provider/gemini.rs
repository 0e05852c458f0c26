//! Gemini `generateContent` and `streamGenerateContent?alt=sse` (v1beta).
//!
//! - The wait after a 429 is `details[].retryDelay` of a `google.rpc.RetryInfo`; there is no
//!   `Retry-After` header, and three of four forms seen have no wait at all. One form is wrapped in
//!   an array.
//! - A key that is not valid is a 400 with `reason = "API_KEY_INVALID"`.
//! - `promptTokenCount` holds the cached part; `candidatesTokenCount` does not hold thoughts, which
//!   are paid for as output.
//! - `usageMetadata` stands on every frame of a stream and counts from its beginning. No frame says
//!   that it is the last: the one with a `finishReason` is, when the body ends after it.
//! - A prompt that is blocked has no candidate, but a `promptFeedback`.

use super::{
    Head, ProviderRequest, StreamReader, broken, kind_of_status, no_answer, parse, unknown_body,
    upstream_error,
};
use crate::live::chat::{
    Answer, ChatRequest, Finish, Message, Part, Role, StreamPart, UpstreamError,
};
use crate::live::retry_after;
use crate::live::sse::Event;
use crate::request::{FailureKind, Usage};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::fmt::Write;

pub(super) fn request(request: &ChatRequest, model: &str) -> ProviderRequest {
    let method = if request.stream {
        "streamGenerateContent?alt=sse"
    } else {
        "generateContent"
    };
    let mut body = Map::new();
    if let Some(system) = &request.system {
        let instruction = json!({"parts": [{"text": system}]});
        body.insert("system_instruction".into(), instruction);
    }
    let contents: Vec<Value> = request.messages.iter().map(content).collect();
    body.insert("contents".into(), json!(contents));
    let generation = generation(request);
    if !generation.is_empty() {
        body.insert("generationConfig".into(), Value::Object(generation));
    }
    ProviderRequest {
        path: format!("/v1beta/models/{}:{method}", encoded(model)),
        headers: &[],
        body: Value::Object(body).to_string().into_bytes(),
    }
}

fn content(message: &Message) -> Value {
    let part = |part: &Part| match part {
        Part::Text(text) => json!({"text": text}),
        Part::Image { media_type, data } => {
            json!({"inline_data": {"mime_type": media_type, "data": data}})
        }
    };
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "model",
    };
    json!({"role": role, "parts": message.parts.iter().map(part).collect::<Vec<_>>()})
}

fn generation(request: &ChatRequest) -> Map<String, Value> {
    let stop = (!request.stop.is_empty()).then_some(&request.stop);
    let fields = [
        ("maxOutputTokens", json!(request.max_output_tokens)),
        ("temperature", json!(request.temperature)),
        ("topP", json!(request.top_p)),
        ("topK", json!(request.top_k)),
        ("stopSequences", json!(stop)),
    ];
    let said = fields.into_iter().filter(|(_, value)| !value.is_null());
    said.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A model's name as a piece of a path (RFC 3986): it comes from a configuration, and must not be
/// able to name another path.
fn encoded(model: &str) -> String {
    let mut path = String::with_capacity(model.len());
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireAnswer {
    candidates: Vec<Candidate>,
    usage_metadata: Option<WireUsage>,
    model_version: String,
    response_id: String,
    prompt_feedback: Option<PromptFeedback>,
    error: Option<ErrorBody>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Candidate {
    content: Content,
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Content {
    parts: Vec<WirePart>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WirePart {
    text: Option<String>,
    thought: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    block_reason: Option<String>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "camelCase", default)]
struct WireUsage {
    prompt_token_count: u32,
    cached_content_token_count: u32,
    candidates_token_count: u32,
    thoughts_token_count: u32,
    tool_use_prompt_token_count: u32,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireError {
    Bare { error: ErrorBody },
    Wrapped([Wrapped; 1]),
}

#[derive(Deserialize)]
struct Wrapped {
    error: ErrorBody,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorBody {
    code: u16,
    message: String,
    status: String,
    details: Vec<Detail>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Detail {
    reason: String,
    retry_delay: Option<String>,
}

pub(super) fn answer(body: &[u8]) -> Result<Answer, UpstreamError> {
    let answer: WireAnswer = parse(body).map_err(|what| no_answer(&what))?;
    if let Some(error) = answer.error {
        return Err(error.read(500, None));
    }
    let blocked = answer.is_blocked();
    let candidate = match answer.candidates.into_iter().next() {
        Some(candidate) => candidate,
        None if blocked => Candidate::default(),
        None => return Err(no_answer("it has no candidate")),
    };
    let parts = candidate.content.parts.into_iter();
    Ok(Answer {
        id: answer.response_id,
        model: answer.model_version,
        text: parts
            .filter(|part| !part.thought)
            .filter_map(|part| part.text)
            .collect(),
        finish: match candidate.finish_reason {
            Some(reason) => finish(&reason),
            None if blocked => Finish::Refused,
            None => return Err(no_answer("it has no finishReason")),
        },
        usage: answer.usage_metadata.unwrap_or_default().total(),
    })
}

pub(super) fn error(head: Head, body: &[u8]) -> UpstreamError {
    let wait = head
        .retry_after
        .and_then(|value| retry_after::header(value, head.date));
    match parse(body) {
        Ok(WireError::Bare { error } | WireError::Wrapped([Wrapped { error }])) => {
            error.read(head.status, wait)
        }
        Err(_) => {
            let message = unknown_body(head.status, body);
            upstream_error(kind_of_status(head.status), wait, message)
        }
    }
}

impl ErrorBody {
    /// `status` and `wait` are those of the answer's head, for what the body does not say.
    fn read(self, status: u16, wait: Option<crate::time::Duration>) -> UpstreamError {
        let delay = self.details.iter().find_map(|d| d.retry_delay.as_deref());
        let delay = delay.and_then(retry_after::proto_duration);
        let kind = self.kind(status);
        upstream_error(kind, delay.or(wait), self.message)
    }

    fn kind(&self, status: u16) -> FailureKind {
        let says = |text: &str| self.message.contains(text);
        let bad_key = || self.details.iter().any(|d| d.reason == "API_KEY_INVALID");
        match self.status.as_str() {
            "INVALID_ARGUMENT" if bad_key() => FailureKind::Unauthorized,
            "INVALID_ARGUMENT" if says("exceeds the maximum number of tokens") => {
                FailureKind::TooLarge
            }
            "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => FailureKind::BadRequest,
            "UNAUTHENTICATED" => FailureKind::Unauthorized,
            "PERMISSION_DENIED" => FailureKind::Forbidden,
            "NOT_FOUND" => FailureKind::ModelNotFound,
            "RESOURCE_EXHAUSTED" => FailureKind::RateLimited,
            // Not by us: we do not read on after we have cancelled.
            "CANCELLED" => FailureKind::BadGateway,
            "INTERNAL" | "UNKNOWN" => FailureKind::InternalError,
            "UNAVAILABLE" => FailureKind::Unavailable,
            "DEADLINE_EXCEEDED" => FailureKind::GatewayTimeout,
            _ if self.code != 0 => kind_of_status(self.code),
            _ => kind_of_status(status),
        }
    }
}

impl WireUsage {
    const fn total(self) -> Usage {
        let prompt = self.prompt_token_count;
        Usage {
            input: prompt.saturating_add(self.tool_use_prompt_token_count),
            cached_input: self.cached_content_token_count,
            output: self
                .candidates_token_count
                .saturating_add(self.thoughts_token_count),
        }
    }
}

impl WireAnswer {
    fn is_blocked(&self) -> bool {
        let feedback = self.prompt_feedback.as_ref();
        feedback.is_some_and(|feedback| feedback.block_reason.is_some())
    }
}

fn finish(reason: &str) -> Finish {
    match reason {
        "STOP" => Finish::Done,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE"
        | "IMAGE_SAFETY" => Finish::Refused,
        _ => Finish::Other,
    }
}

impl StreamReader {
    pub(super) fn read_gemini(&mut self, event: &Event) {
        let frame: WireAnswer = match serde_json::from_str(&event.data) {
            Ok(frame) => frame,
            Err(what) => return self.fail(broken(&what.to_string())),
        };
        if let Some(error) = frame.error {
            return self.fail(error.read(500, None));
        }
        let blocked = frame.is_blocked();
        if !self.state.begun {
            self.state.begun = true;
            self.parts.push_back(StreamPart::Begin {
                id: frame.response_id,
                model: frame.model_version,
            });
        }
        if let Some(usage) = frame.usage_metadata {
            self.set_usage(usage.total());
        }
        let candidate = frame.candidates.into_iter().next().unwrap_or_default();
        for part in candidate.content.parts {
            match part.text {
                Some(text) if !part.thought => self.content(StreamPart::Text(text)),
                _ => self.content(StreamPart::Beyond),
            }
        }
        let refused = blocked.then_some(Finish::Refused);
        let finish = candidate.finish_reason.map(|reason| finish(&reason));
        if let Some(finish) = finish.or(refused)
            && !self.state.finished
        {
            self.state.finished = true;
            self.parts.push_back(StreamPart::Finish(finish));
        }
    }
}
