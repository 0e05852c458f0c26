//! What a call asks for: its path, and as much of its body as the model needs.
//!
//! The body is not read as strictly as the proxy reads its clients: it is the proxy's own words, or
//! those of an official library. It has to be JSON, and to have what the provider demands. Of texts
//! only the length counts, so that they are counted where they stand and never kept.

use crate::live::provider::Shape;
use crate::request::FailureKind;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Error;
use std::fmt;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Question {
    pub(super) model: String,
    pub(super) streaming: bool,
    /// Most tokens of the answer.
    pub(super) limit: Option<u32>,
    /// Input tokens, by the usual rule of thumb.
    pub(super) input: u32,
}

/// Why a call is refused before it reaches the account's model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub(super) kind: FailureKind,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(FailureKind::BadRequest, message)
    }
}

/// What a path calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Endpoint {
    /// `/v1/messages`.
    Messages,
    /// `/v1beta/models/MODEL:generateContent`, or `:streamGenerateContent`.
    Generate { model: String, streaming: bool },
}

impl Endpoint {
    /// What a path, after the account's name, calls at a provider of that shape.
    pub(super) fn of(shape: Shape, path: &str, query: &str) -> Result<Self, Refusal> {
        let unknown = || {
            let served = match shape {
                Shape::Anthropic => "/v1/messages",
                Shape::Gemini => {
                    "/v1beta/models/MODEL:generateContent and :streamGenerateContent?alt=sse"
                }
            };
            let message = format!("no such path: {path}; this account serves {served}");
            Refusal::new(FailureKind::ModelNotFound, message)
        };
        if shape == Shape::Anthropic {
            return match path {
                "/v1/messages" => Ok(Self::Messages),
                _ => Err(unknown()),
            };
        }
        let called = path.strip_prefix("/v1beta/models/");
        let (model, method) = called
            .and_then(|called| called.rsplit_once(':'))
            .ok_or_else(unknown)?;
        let streaming = match method {
            "generateContent" => false,
            "streamGenerateContent" if query.split('&').any(|pair| pair == "alt=sse") => true,
            "streamGenerateContent" => {
                return Err(Refusal::bad("streams are emulated with ?alt=sse only"));
            }
            _ => return Err(unknown()),
        };
        let model = decoded(model).ok_or_else(unknown)?;
        Ok(Self::Generate { model, streaming })
    }

    /// What a body asks for there.
    pub(super) fn question(self, body: &[u8]) -> Result<Question, Refusal> {
        let not_json = |error: Error| Refusal::bad(format!("the body cannot be read: {error}"));
        let missing = |field| Refusal::bad(format!("{field}: Field required"));
        match self {
            Self::Messages => {
                let body: Messages = serde_json::from_slice(body).map_err(not_json)?;
                let messages = body.messages.ok_or_else(|| missing("messages"))?;
                Ok(Question {
                    model: body.model.ok_or_else(|| missing("model"))?,
                    streaming: body.stream.unwrap_or(false),
                    limit: Some(body.max_tokens.ok_or_else(|| missing("max_tokens"))?),
                    input: tokens(messages.0 + body.system.0),
                })
            }
            Self::Generate { model, streaming } => {
                let body: Generate = serde_json::from_slice(body).map_err(not_json)?;
                let contents = body.contents.ok_or_else(|| missing("contents"))?;
                Ok(Question {
                    model,
                    streaming,
                    limit: body.generation_config.max_output_tokens,
                    input: tokens(contents.0 + body.system_instruction.0),
                })
            }
        }
    }
}

#[derive(serde::Deserialize)]
struct Messages {
    model: Option<String>,
    stream: Option<bool>,
    max_tokens: Option<u32>,
    messages: Option<TextLength>,
    #[serde(default)]
    system: TextLength,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Generate {
    contents: Option<TextLength>,
    #[serde(default, alias = "system_instruction")]
    system_instruction: TextLength,
    #[serde(default, alias = "generation_config")]
    generation_config: Generation,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Generation {
    #[serde(alias = "max_output_tokens")]
    max_output_tokens: Option<u32>,
}

/// Bytes of all texts in a part of a body, however deep they stand.
#[derive(Clone, Copy, Default, Debug)]
struct TextLength(usize);

/// Fields whose texts a model does not read as text.
const NO_TEXT: [&str; 6] = ["data", "id", "media_type", "mime_type", "role", "type"];

/// Bytes of text for each token, as a rule of thumb for English.
const BYTES_PER_TOKEN: usize = 4;

fn tokens(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(BYTES_PER_TOKEN)).unwrap_or(u32::MAX)
}

impl<'de> Deserialize<'de> for TextLength {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Counter)
    }
}

struct Counter;

impl<'de> Visitor<'de> for Counter {
    type Value = TextLength;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a list, or an object")
    }

    fn visit_str<E>(self, text: &str) -> Result<TextLength, E> {
        Ok(TextLength(text.len()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<TextLength, E> {
        Ok(TextLength(0))
    }

    fn visit_u64<E>(self, _: u64) -> Result<TextLength, E> {
        Ok(TextLength(0))
    }

    fn visit_i64<E>(self, _: i64) -> Result<TextLength, E> {
        Ok(TextLength(0))
    }

    fn visit_f64<E>(self, _: f64) -> Result<TextLength, E> {
        Ok(TextLength(0))
    }

    fn visit_unit<E>(self) -> Result<TextLength, E> {
        Ok(TextLength(0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<TextLength, A::Error> {
        let mut sum = 0;
        while let Some(TextLength(length)) = list.next_element()? {
            sum += length;
        }
        Ok(TextLength(sum))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<TextLength, A::Error> {
        let mut sum = 0;
        while let Some(name) = object.next_key::<std::borrow::Cow<'_, str>>()? {
            if NO_TEXT.contains(&name.as_ref()) {
                object.next_value::<IgnoredAny>()?;
            } else {
                sum += object.next_value::<TextLength>()?.0;
            }
        }
        Ok(TextLength(sum))
    }
}

/// A piece of a path as it was meant (RFC 3986, 2.1); `None` if it is none.
pub(super) fn decoded(piece: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(piece.len());
    let mut rest = piece.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(*rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::chat::Dialect;
    use crate::live::client;
    use proptest::prelude::*;
    use serde_json::json;

    fn ask(shape: Shape, path: &str, body: &str) -> Result<Question, Refusal> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Endpoint::of(shape, path, query)?.question(body.as_bytes())
    }

    /// What the proxy's own adapters write for a request is understood as that request.
    #[test]
    fn what_the_adapters_write_is_understood() {
        for stream in [false, true] {
            let asked = json!({
                "model": "any", "max_tokens": 77, "stream": stream, "system": "Be\nbrief.",
                "messages": [
                    {"role": "user", "content": "Hëllo"},
                    {"role": "assistant", "content": [{"type": "text", "text": "What?"}]},
                    {"role": "user", "content": "Nothing."},
                ],
            });
            let asked = client::request(Dialect::Anthropic, asked.to_string().as_bytes()).unwrap();
            for shape in [Shape::Anthropic, Shape::Gemini] {
                let call = shape.request(&asked, "a/b:c").unwrap();
                let body = std::str::from_utf8(&call.body).unwrap();
                let expected = Question {
                    model: "a/b:c".into(),
                    streaming: stream,
                    limit: Some(77),
                    input: tokens("Be\nbrief.HëlloWhat?Nothing.".len()),
                };
                assert_eq!(ask(shape, &call.path, body), Ok(expected));
            }
        }
    }

    #[test]
    fn what_a_provider_would_not_take_is_refused() {
        let kind = |shape, path, body| ask(shape, path, body).unwrap_err().kind;
        let (messages, good) = ("/v1/messages", r#"{"contents": []}"#);
        for body in [
            "",
            "[]",
            "{}",
            r#"{"model": "m", "messages": []}"#,
            r#"{"model": 5, "max_tokens": 1, "messages": []}"#,
            r#"{"model": "m", "max_tokens": 1, "messages": [{"#,
        ] {
            let kind = kind(Shape::Anthropic, messages, body);
            assert_eq!(kind, FailureKind::BadRequest, "{body}");
        }
        for (path, expected) in [
            (messages, FailureKind::ModelNotFound),
            ("/v1beta/models/m", FailureKind::ModelNotFound),
            ("/v1beta/models/m:countTokens", FailureKind::ModelNotFound),
            (
                "/v1beta/models/%zz:generateContent",
                FailureKind::ModelNotFound,
            ),
            (
                "/v1beta/models/m:streamGenerateContent",
                FailureKind::BadRequest,
            ),
        ] {
            assert_eq!(kind(Shape::Gemini, path, good), expected, "{path}");
        }
        let no_contents = kind(Shape::Gemini, "/v1beta/models/m:generateContent", "{}");
        assert_eq!(no_contents, FailureKind::BadRequest);
    }

    proptest! {
        #[test]
        fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Endpoint::Messages.question(&body);
            let generate = Endpoint::Generate { model: String::new(), streaming: false };
            let _ = generate.question(&body);
        }

        #[test]
        fn no_path_panics(path in "/?[a-z0-9/:%.é]{0,40}") {
            let _ = Endpoint::of(Shape::Gemini, &path, "");
            let _ = decoded(&path);
        }
    }
}
