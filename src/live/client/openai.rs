//! `OpenAI` chat completions, as a client speaks it.
//!
//! No provider here speaks it, so every request is translated, and what cannot be is refused by
//! name. A field that asks for what happens anyway (`n = 1`, `logprobs = false`) is let pass.

use super::fields::Field;
use super::{ClientError, ErrorKind, StreamWriter};
use crate::live::chat::{Answer, ChatRequest, Dialect, Finish, Message, Part, Role};
use crate::live::sse;
use crate::request::Usage;
use serde_json::{Map, Value, json};

const UNDERSTOOD: [&str; 9] = [
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
];

/// Fields that say nothing about the answer.
const WITHOUT_EFFECT: [&str; 6] = [
    "metadata",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
];

/// Highest temperature of this dialect.
const HIGHEST_TEMPERATURE: f64 = 2.0;

pub(super) fn request(body: Map<String, Value>) -> Result<ChatRequest, ClientError> {
    let field = |name| Field::of(&body, name);
    refuse_unknown(&body)?;
    let (mut systems, mut messages) = (vec![], vec![]);
    for item in field("messages").items()? {
        match message(&item)? {
            Said::System(text) => systems.push(text),
            Said::Turn(message) => messages.push(message),
        }
    }
    if messages.is_empty() {
        let what = "must have at least one message of a user";
        return Err(field("messages").wrong(what));
    }
    let options = field("stream_options");
    let stream_usage = match options.value {
        Some(_) => options.field("include_usage")?.flag()?,
        None => false,
    };
    let limit = field("max_completion_tokens").count()?;
    Ok(ChatRequest {
        model: field("model").required_text()?.to_owned(),
        system: (!systems.is_empty()).then(|| systems.join("\n\n")),
        messages,
        max_output_tokens: limit.or(field("max_tokens").count()?),
        temperature: field("temperature").number(0.0, HIGHEST_TEMPERATURE)?,
        top_p: field("top_p").number(0.0, 1.0)?,
        top_k: None,
        stop: field("stop").texts()?,
        stream: field("stream").flag()?,
        stream_usage,
        beyond: vec![],
        dialect: Dialect::OpenAi,
        body,
    })
}

fn refuse_unknown(body: &Map<String, Value>) -> Result<(), ClientError> {
    let known = |name: &str| UNDERSTOOD.contains(&name) || WITHOUT_EFFECT.contains(&name);
    let unknown = body
        .iter()
        .find(|(name, value)| !known(name.as_str()) && !is_neutral(name, value));
    match unknown {
        Some((name, _)) => Err(Field::of(body, name).wrong(
            "is not carried over to the providers behind this gateway; leave it out, or speak \
             Anthropic Messages to a model of Anthropic",
        )),
        None => Ok(()),
    }
}

/// Whether a field asks for what happens anyway.
fn is_neutral(name: &str, value: &Value) -> bool {
    match name {
        _ if value.is_null() => true,
        "n" => value == 1,
        "logprobs" | "parallel_tool_calls" => value == false,
        "frequency_penalty" | "presence_penalty" => value.as_f64() == Some(0.0),
        "logit_bias" => value.as_object().is_some_and(Map::is_empty),
        "tools" => value.as_array().is_some_and(Vec::is_empty),
        "tool_choice" => value == "none",
        "response_format" => value["type"] == "text",
        "modalities" => *value == json!(["text"]),
        _ => false,
    }
}

enum Said {
    System(String),
    Turn(Message),
}

fn message(item: &Field) -> Result<Said, ClientError> {
    let role = item.field("role")?;
    let content = item.field("content")?;
    let turn = |role| -> Result<Said, ClientError> {
        let parts = parts(&content)?;
        Ok(Said::Turn(Message { role, parts }))
    };
    match role.required_text()? {
        "system" | "developer" => {
            let texts: Vec<String> = parts(&content)?
                .into_iter()
                .map(|part| match part {
                    Part::Text(text) => Ok(text),
                    Part::Image { .. } => Err(content.wrong("must be text")),
                })
                .collect::<Result<_, _>>()?;
            Ok(Said::System(texts.join("\n\n")))
        }
        "user" => turn(Role::User),
        "assistant" => {
            for name in ["tool_calls", "function_call", "audio"] {
                let field = item.field(name)?;
                if field.value.is_some() {
                    return Err(field.wrong("is not carried over to the providers"));
                }
            }
            turn(Role::Assistant)
        }
        _ => Err(role.wrong("must be \"system\", \"developer\", \"user\" or \"assistant\"")),
    }
}

fn parts(content: &Field) -> Result<Vec<Part>, ClientError> {
    if let Some(Value::String(text)) = content.value {
        return Ok(vec![Part::Text(text.clone())]);
    }
    let part = |part: &Field| {
        let kind = part.field("type")?;
        match kind.required_text()? {
            "text" => {
                let text = part.field("text")?.required_text()?;
                Ok(Part::Text(text.to_owned()))
            }
            "image_url" => image(&part.field("image_url")?.field("url")?),
            _ => Err(kind.wrong("must be \"text\" or \"image_url\"")),
        }
    };
    content.items()?.iter().map(part).collect()
}

/// A picture comes in the request itself: the gateway fetches nothing at a client's word.
fn image(url: &Field) -> Result<Part, ClientError> {
    let text = url.required_text()?;
    let data = text
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    match data {
        Some((media_type, data)) => Ok(Part::Image {
            media_type: media_type.to_owned(),
            data: data.to_owned(),
        }),
        None => Err(url.wrong("must be a data URL: data:image/png;base64,...")),
    }
}

pub(super) fn answer(answer: &Answer, created: u64) -> Value {
    json!({
        "id": answer.id,
        "object": "chat.completion",
        "created": created,
        "model": answer.model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": answer.text, "refusal": null},
            "logprobs": null,
            "finish_reason": finish_reason(answer.finish),
        }],
        "usage": usage(answer.usage),
    })
}

fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": u64::from(usage.input) + u64::from(usage.output),
        "prompt_tokens_details": {"cached_tokens": usage.cached_input},
    })
}

const fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Done | Finish::StopText | Finish::Other => "stop",
        Finish::Length => "length",
        Finish::Refused => "content_filter",
    }
}

pub(super) fn error(error: &ClientError) -> Value {
    let (kind, code) = match error.kind {
        ErrorKind::InvalidRequest | ErrorKind::RequestTimeout | ErrorKind::UnsupportedMediaType => {
            ("invalid_request_error", None)
        }
        ErrorKind::Authentication => ("invalid_request_error", Some("invalid_api_key")),
        ErrorKind::NotFound => ("invalid_request_error", Some("model_not_found")),
        ErrorKind::MethodNotAllowed => ("invalid_request_error", Some("method_not_supported")),
        ErrorKind::TooLarge => ("invalid_request_error", Some("context_length_exceeded")),
        ErrorKind::RateLimited => ("rate_limit_error", Some("rate_limit_exceeded")),
        ErrorKind::Internal
        | ErrorKind::BadGateway
        | ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::Overloaded => ("server_error", None),
    };
    json!({"error": {
        "message": error.message,
        "type": kind,
        "param": error.field,
        "code": code,
    }})
}

pub(super) fn error_event(failed: &ClientError, out: &mut Vec<u8>) {
    sse::write(out, "", &error(failed).to_string());
}

impl StreamWriter {
    pub(super) fn openai_begin(&self, out: &mut Vec<u8>) {
        let delta = json!({"role": "assistant", "content": ""});
        self.chunk(out, &delta, None);
    }

    pub(super) fn openai_text(&self, text: &str, out: &mut Vec<u8>) {
        self.chunk(out, &json!({"content": text}), None);
    }

    pub(super) fn openai_end(&self, out: &mut Vec<u8>) {
        let finish = self.finish.unwrap_or(Finish::Done);
        self.chunk(out, &json!({}), Some(finish_reason(finish)));
        if self.tells_usage {
            let mut last = self.frame(json!([]));
            last["usage"] = usage(self.usage);
            sse::write(out, "", &last.to_string());
        }
        sse::write(out, "", "[DONE]");
    }

    fn chunk(&self, out: &mut Vec<u8>, delta: &Value, finish: Option<&str>) {
        let choice = json!({
            "index": 0,
            "delta": delta,
            "logprobs": null,
            "finish_reason": finish,
        });
        sse::write(out, "", &self.frame(json!([choice])).to_string());
    }

    fn frame(&self, choices: Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }
}
