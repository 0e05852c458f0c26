//! Anthropic Messages, as a client speaks it.

use super::fields::Field;
use super::{ClientError, ErrorKind, StreamWriter};
use crate::live::chat::{Answer, ChatRequest, Dialect, Finish, Message, Part, Role};
use crate::live::sse;
use crate::request::Usage;
use serde_json::{Map, Value, json};

/// Fields that the unified request has a word for.
const UNDERSTOOD: [&str; 9] = [
    "max_tokens",
    "messages",
    "model",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "top_k",
    "top_p",
];

/// Fields that say nothing about the answer.
const WITHOUT_EFFECT: [&str; 2] = ["metadata", "service_tier"];

pub(super) fn request(body: Map<String, Value>) -> Result<ChatRequest, ClientError> {
    let field = |name| Field::of(&body, name);
    let (mut beyond, mut messages) = (vec![], vec![]);
    let mut understood = true;
    for item in field("messages").items()? {
        messages.push(message(&item, &mut understood)?);
    }
    if messages.is_empty() {
        return Err(field("messages").wrong("must have at least one message"));
    }
    if !understood {
        beyond.push("messages".to_owned());
    }
    let mut plain = true;
    let system = text_of(&field("system"), &mut plain)?;
    if !plain {
        beyond.push("system".to_owned());
    }
    let known = |name: &str| UNDERSTOOD.contains(&name) || WITHOUT_EFFECT.contains(&name);
    let unknown = body
        .iter()
        .filter(|(name, value)| !known(name.as_str()) && !value.is_null());
    beyond.extend(unknown.map(|(name, _)| name.clone()));
    beyond.sort();
    let limit = field("max_tokens");
    Ok(ChatRequest {
        model: field("model").required_text()?.to_owned(),
        system,
        messages,
        max_output_tokens: Some(limit.required(limit.count()?)?),
        temperature: field("temperature").number(0.0, 1.0)?,
        top_p: field("top_p").number(0.0, 1.0)?,
        top_k: field("top_k").count()?,
        stop: field("stop_sequences").texts()?,
        stream: field("stream").flag()?,
        stream_usage: true,
        beyond,
        dialect: Dialect::Anthropic,
        body,
    })
}

fn message(item: &Field, understood: &mut bool) -> Result<Message, ClientError> {
    let role = item.field("role")?;
    let role = match role.required_text()? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => return Err(role.wrong("must be \"user\" or \"assistant\"")),
    };
    let content = item.field("content")?;
    if let Some(Value::String(text)) = content.value {
        let parts = vec![Part::Text(text.clone())];
        return Ok(Message { role, parts });
    }
    let mut parts = vec![];
    for block in content.items()? {
        match part(&block)? {
            Some(part) => parts.push(part),
            None => *understood = false,
        }
    }
    Ok(Message { role, parts })
}

/// `None` where only the provider knows what the block is.
fn part(block: &Field) -> Result<Option<Part>, ClientError> {
    let kind = block.field("type")?;
    Ok(match kind.required_text()? {
        "text" => {
            let text = block.field("text")?.required_text()?.to_owned();
            Some(Part::Text(text))
        }
        "image" => {
            let source = block.field("source")?;
            match source.field("type")?.text()? {
                Some("base64") => Some(Part::Image {
                    media_type: source.field("media_type")?.required_text()?.to_owned(),
                    data: source.field("data")?.required_text()?.to_owned(),
                }),
                _ => None,
            }
        }
        _ => None,
    })
}

/// A system prompt: a string, or text blocks, which are joined by blank lines.
fn text_of(field: &Field, plain: &mut bool) -> Result<Option<String>, ClientError> {
    if !matches!(field.value, Some(Value::Array(_))) {
        return Ok(field.text()?.map(str::to_owned));
    }
    let mut texts = vec![];
    for block in field.items()? {
        match part(&block)? {
            Some(Part::Text(text)) => texts.push(text),
            _ => *plain = false,
        }
    }
    Ok(Some(texts.join("\n\n")))
}

pub(super) fn answer(answer: &Answer) -> Value {
    json!({
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [{"type": "text", "text": answer.text}],
        "stop_reason": stop_reason(answer.finish),
        "stop_sequence": null,
        "usage": usage(answer.usage),
    })
}

fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input.saturating_sub(usage.cached_input),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_input,
        "output_tokens": usage.output,
    })
}

const fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Done | Finish::Other => "end_turn",
        Finish::Length => "max_tokens",
        Finish::StopText => "stop_sequence",
        Finish::Refused => "refusal",
    }
}

const fn error_type(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::MethodNotAllowed
        | ErrorKind::UnsupportedMediaType => "invalid_request_error",
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::NotFound => "not_found_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::Internal | ErrorKind::BadGateway | ErrorKind::Unavailable => "api_error",
        ErrorKind::Timeout | ErrorKind::RequestTimeout => "timeout_error",
        ErrorKind::Overloaded => "overloaded_error",
    }
}

pub(super) fn error(error: &ClientError, request_id: &str) -> Value {
    json!({
        "type": "error",
        "error": {"type": error_type(error.kind), "message": error.message},
        "request_id": request_id,
    })
}

pub(super) fn error_event(error: &ClientError, out: &mut Vec<u8>) {
    let data = json!({
        "type": "error",
        "error": {"type": error_type(error.kind), "message": error.message},
    });
    sse::write(out, "error", &data.to_string());
}

/// An event is named after its own type.
fn event(out: &mut Vec<u8>, name: &str, mut data: Value) {
    data["type"] = json!(name);
    sse::write(out, name, &data.to_string());
}

impl StreamWriter {
    pub(super) fn anthropic_begin(&self, out: &mut Vec<u8>) {
        let message = json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage(Usage { output: 1, ..self.usage }),
        });
        event(out, "message_start", json!({"message": message}));
        let block = json!({"type": "text", "text": ""});
        let start = json!({"index": 0, "content_block": block});
        event(out, "content_block_start", start);
    }

    pub(super) fn anthropic_text(text: &str, out: &mut Vec<u8>) {
        let delta = json!({"type": "text_delta", "text": text});
        event(
            out,
            "content_block_delta",
            json!({"index": 0, "delta": delta}),
        );
    }

    pub(super) fn anthropic_end(&self, out: &mut Vec<u8>) {
        event(out, "content_block_stop", json!({"index": 0}));
        let reason = stop_reason(self.finish.unwrap_or(Finish::Done));
        let delta = json!({"stop_reason": reason, "stop_sequence": null});
        let data = json!({"delta": delta, "usage": usage(self.usage)});
        event(out, "message_delta", data);
        event(out, "message_stop", json!({}));
    }
}
