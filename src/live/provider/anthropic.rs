//! Anthropic Messages (`POST /v1/messages`, version 2023-06-01).
//!
//! - An error is `{"type": "error", "error": {"type", "message", "details"?}}`; the type is asked
//!   before the status, because an error event in a stream has none.
//! - A 429 with `details.error_code = "enforced_spend_limit_reached"` is the monthly spend cap: it
//!   has no `retry-after`, and does not pass by waiting.
//! - A spend limit that the owner has set comes as a 400, as does an empty credit balance: only
//!   the message tells. So does a prompt that is too long.
//! - `usage` in a stream counts from its beginning, and the `output_tokens` of `message_start` is a
//!   placeholder.

use super::{
    Head, ProviderRequest, StreamReader, broken, kind_of_status, no_answer, parse, unknown_body,
    upstream_error,
};
use crate::live::chat::{
    Answer, ChatRequest, DEFAULT_MAX_OUTPUT_TOKENS, Dialect, Finish, Message, Part, Role,
    StreamPart, UpstreamError,
};
use crate::live::retry_after;
use crate::live::sse::Event;
use crate::request::{FailureKind, Usage};
use serde::Deserialize;
use serde_json::{Map, Value, json};

const HEADERS: &[(&str, &str)] = &[("anthropic-version", "2023-06-01")];

/// Highest temperature that the interface takes; `OpenAI`'s goes to 2.
const HIGHEST_TEMPERATURE: f64 = 1.0;

pub(super) fn request(request: &ChatRequest, model: &str) -> ProviderRequest {
    let mut body = match request.dialect {
        Dialect::Anthropic => request.body.clone(),
        Dialect::OpenAi => translated(request),
    };
    body.insert("model".into(), json!(model));
    ProviderRequest {
        path: "/v1/messages".into(),
        headers: HEADERS,
        body: Value::Object(body).to_string().into_bytes(),
    }
}

fn translated(request: &ChatRequest) -> Map<String, Value> {
    let messages: Vec<Value> = request.messages.iter().map(message).collect();
    let limit = request.max_output_tokens;
    let temperature = request.temperature.map(|t| t.min(HIGHEST_TEMPERATURE));
    let stop = (!request.stop.is_empty()).then_some(&request.stop);
    let fields = [
        ("messages", json!(messages)),
        (
            "max_tokens",
            json!(limit.unwrap_or(DEFAULT_MAX_OUTPUT_TOKENS)),
        ),
        ("system", json!(request.system)),
        ("temperature", json!(temperature)),
        ("top_p", json!(request.top_p)),
        ("top_k", json!(request.top_k)),
        ("stop_sequences", json!(stop)),
        ("stream", json!(request.stream)),
    ];
    let said = fields.into_iter().filter(|(_, value)| !value.is_null());
    said.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn message(message: &Message) -> Value {
    let part = |part: &Part| match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image { media_type, data } => json!({
            "type": "image",
            "source": {"type": "base64", "media_type": media_type, "data": data},
        }),
    };
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    json!({"role": role, "content": message.parts.iter().map(part).collect::<Vec<_>>()})
}

#[derive(Deserialize)]
struct WireAnswer {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    model: String,
    #[serde(default)]
    content: Vec<Block>,
    stop_reason: Option<String>,
    #[serde(default)]
    usage: WireUsage,
}

#[derive(Deserialize)]
struct Block {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize, Default, Clone, Copy)]
struct WireUsage {
    input_tokens: Option<u32>,
    cache_creation_input_tokens: Option<u32>,
    cache_read_input_tokens: Option<u32>,
    output_tokens: Option<u32>,
}

#[derive(Deserialize)]
struct WireError {
    error: ErrorBody,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    message: String,
    details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    error_code: Option<String>,
}

pub(super) fn answer(body: &[u8]) -> Result<Answer, UpstreamError> {
    let answer: WireAnswer = parse(body).map_err(|what| no_answer(&what))?;
    if answer.kind != "message" {
        return Err(no_answer(&format!("its type is \"{}\"", answer.kind)));
    }
    Ok(Answer {
        id: answer.id,
        model: answer.model,
        text: answer.content.into_iter().map(|block| block.text).collect(),
        finish: finish(answer.stop_reason.as_deref().unwrap_or_default()),
        usage: answer.usage.over(Usage::default()),
    })
}

pub(super) fn error(head: Head, body: &[u8]) -> UpstreamError {
    let wait = head
        .retry_after
        .and_then(|value| retry_after::header(value, head.date));
    match parse::<WireError>(body) {
        Ok(WireError { error }) => {
            let kind = error.kind().unwrap_or(kind_of_status(head.status));
            let wait = wait.filter(|_| kind != FailureKind::SpendCap);
            upstream_error(kind, wait, error.message)
        }
        Err(_) => {
            let message = unknown_body(head.status, body);
            upstream_error(kind_of_status(head.status), wait, message)
        }
    }
}

impl ErrorBody {
    /// The kind of failure that the error's type stands for, where it is a known one.
    fn kind(&self) -> Option<FailureKind> {
        let code = self.details.as_ref().and_then(|d| d.error_code.as_deref());
        Some(match self.kind.as_str() {
            "rate_limit_error" if code == Some("enforced_spend_limit_reached") => {
                FailureKind::SpendCap
            }
            "rate_limit_error" => FailureKind::RateLimited,
            "overloaded_error" => FailureKind::Overloaded,
            "api_error" => FailureKind::InternalError,
            "timeout_error" => FailureKind::GatewayTimeout,
            "invalid_request_error" => self.invalid(),
            "authentication_error" => FailureKind::Unauthorized,
            "billing_error" => FailureKind::PaymentRequired,
            "permission_error" => FailureKind::Forbidden,
            "not_found_error" => FailureKind::ModelNotFound,
            "request_too_large" => FailureKind::TooLarge,
            _ => return None,
        })
    }

    fn invalid(&self) -> FailureKind {
        let says = |text: &str| self.message.contains(text);
        if says("credit balance is too low") {
            FailureKind::PaymentRequired
        } else if says("usage limits") || says("spend limit") {
            FailureKind::SpendCap
        } else if says("prompt is too long") {
            FailureKind::TooLarge
        } else {
            FailureKind::BadRequest
        }
    }
}

impl WireUsage {
    /// Tokens in all, where what is not said here is as it was before.
    fn over(self, before: Usage) -> Usage {
        let cached = self.cache_read_input_tokens;
        let created = self.cache_creation_input_tokens.unwrap_or(0);
        let input = self.input_tokens.map(|fresh| {
            let all = fresh.saturating_add(created);
            all.saturating_add(cached.unwrap_or(before.cached_input))
        });
        Usage {
            input: input.unwrap_or(before.input),
            cached_input: cached.unwrap_or(before.cached_input),
            output: self.output_tokens.unwrap_or(before.output),
        }
    }
}

fn finish(stop_reason: &str) -> Finish {
    match stop_reason {
        "end_turn" => Finish::Done,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "stop_sequence" => Finish::StopText,
        "refusal" => Finish::Refused,
        _ => Finish::Other,
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireEvent {
    MessageStart {
        message: StartedMessage,
    },
    ContentBlockDelta {
        delta: BlockDelta,
    },
    MessageDelta {
        delta: MessageDelta,
        #[serde(default)]
        usage: WireUsage,
    },
    MessageStop,
    Error {
        error: ErrorBody,
    },
    /// `ping`, the frames around a block, and what will be invented.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct StartedMessage {
    id: String,
    model: String,
    #[serde(default)]
    usage: WireUsage,
}

#[derive(Deserialize)]
struct BlockDelta {
    text: Option<String>,
}

#[derive(Deserialize)]
struct MessageDelta {
    stop_reason: Option<String>,
}

impl StreamReader {
    pub(super) fn read_anthropic(&mut self, event: &Event) {
        let event = match serde_json::from_str(&event.data) {
            Ok(event) => event,
            Err(what) => return self.fail(broken(&format!("event {}: {what}", event.name))),
        };
        match event {
            WireEvent::MessageStart { message } => {
                let StartedMessage { id, model, usage } = message;
                self.state.begun = true;
                self.parts.push_back(StreamPart::Begin { id, model });
                // Its count of output is a placeholder.
                let usage = usage.over(Usage::default());
                self.set_usage(Usage { output: 0, ..usage });
            }
            WireEvent::ContentBlockDelta { delta } => self.content(match delta.text {
                Some(text) => StreamPart::Text(text),
                None => StreamPart::Beyond,
            }),
            WireEvent::MessageDelta { delta, usage } => {
                self.set_usage(usage.over(self.state.usage));
                if let Some(reason) = delta.stop_reason {
                    self.state.finished = true;
                    self.parts.push_back(StreamPart::Finish(finish(&reason)));
                }
            }
            WireEvent::MessageStop if self.state.finished => self.complete(),
            WireEvent::MessageStop => self.fail(broken("message_stop without a stop reason")),
            WireEvent::Error { error } => {
                let kind = error.kind().unwrap_or(FailureKind::BrokenStream);
                self.fail(upstream_error(kind, None, error.message));
            }
            WireEvent::Other => {}
        }
    }
}
