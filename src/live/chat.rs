//! One request and one answer, whoever asks and whoever answers.
//!
//! It says what all dialects can say: text and images, a system prompt, limits and sampling. What a
//! client says beyond that stays in [`ChatRequest::beyond`] and in its own body, which a provider
//! of the same dialect is sent as it is; no other provider can serve such a request, and the client
//! is told which field stands in the way. To drop the field without a word would answer another
//! question than the one that was asked.

use crate::request::{CacheKey, Failure, Usage};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// What a client asks.
#[derive(Clone, PartialEq, Debug)]
pub struct ChatRequest {
    /// Model, by the client's name for it.
    pub model: String,
    /// Instructions that stand before the conversation.
    pub system: Option<String>,
    /// The conversation; at least one message.
    pub messages: Vec<Message>,
    /// Most tokens of the answer.
    pub max_output_tokens: Option<u32>,
    /// Sampling temperature, 0 or more.
    pub temperature: Option<f64>,
    /// Nucleus sampling, in [0, 1].
    pub top_p: Option<f64>,
    /// Sampling from the likeliest so many tokens.
    pub top_k: Option<u32>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Whether a stream tells the usage at its end; dialects in which it always does say true.
    pub stream_usage: bool,
    /// Top-level fields that only a provider of the client's dialect understands, or whose
    /// contents hold something that only it does. Sorted.
    pub beyond: Vec<String>,
    /// The dialect that it was asked in.
    pub dialect: Dialect,
    /// The client's own words.
    pub body: Map<String, Value>,
}

/// What a client speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// Anthropic Messages.
    Anthropic,
    /// `OpenAI` chat completions.
    OpenAi,
}

/// A turn of the conversation.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// Whose.
    pub role: Role,
    /// What was said, in order.
    pub parts: Vec<Part>,
}

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The client's user.
    User,
    /// The model.
    Assistant,
}

/// A piece of a message.
#[derive(Clone, PartialEq, Debug)]
pub enum Part {
    /// Text.
    Text(String),
    /// A picture.
    Image {
        /// Such as `image/png`.
        media_type: String,
        /// Its bytes in base64.
        data: String,
    },
}

/// A whole answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// The provider's name for it.
    pub id: String,
    /// The model that answered, as the provider calls it.
    pub model: String,
    /// Its text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens consumed.
    pub usage: Usage,
}

/// Why an answer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finish {
    /// The model was done.
    Done,
    /// The limit of tokens was reached.
    Length,
    /// One of the texts that end it came up.
    StopText,
    /// The provider would not answer, or not go on.
    Refused,
    /// A tool is called, or something else that only the provider's dialect can say.
    Other,
}

/// A step of a streamed answer.
#[derive(Clone, PartialEq, Debug)]
pub enum StreamPart {
    /// It begins.
    Begin {
        /// The provider's name for it.
        id: String,
        /// The model that answers, as the provider calls it.
        model: String,
    },
    /// Tokens consumed so far: the sum, never a difference.
    Usage(Usage),
    /// More text.
    Text(String),
    /// More of the answer that is not text: a thought, or a tool's arguments.
    Beyond,
    /// Why it ends; nothing but [`Self::Usage`] and [`Self::End`] follow.
    Finish(Finish),
    /// It is whole.
    End,
    /// The provider gives up in the middle; nothing follows.
    Failed(UpstreamError),
}

/// Why a provider did not answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpstreamError {
    /// The kind of failure, and how long to wait.
    pub failure: Failure,
    /// The provider's words, for a log and for a client whose own fault it is.
    pub message: String,
}

/// Output tokens when neither the client nor the configuration sets a limit, for a provider that
/// demands one.
pub const DEFAULT_MAX_OUTPUT_TOKENS: u32 = 4_096;

/// Bytes of text for each token, as a rule of thumb for English.
const BYTES_PER_TOKEN: usize = 4;

/// Tokens of a picture: Anthropic's upper end for one of about a megapixel.
const TOKENS_PER_IMAGE: usize = 1_600;

impl ChatRequest {
    /// Input tokens, by a rule of thumb: a token for each four bytes of text and of what is
    /// beyond, 1,600 for a picture. The gateway corrects its quotas by what the answer reports.
    #[must_use]
    pub fn estimated_tokens(&self) -> u32 {
        let parts = self.messages.iter().flat_map(|message| &message.parts);
        let of_part = |part: &Part| match part {
            Part::Text(text) => text.len().div_ceil(BYTES_PER_TOKEN),
            Part::Image { .. } => TOKENS_PER_IMAGE,
        };
        let beyond = self.beyond.iter().filter_map(|field| self.body.get(field));
        let beyond: usize = beyond.map(|value| value.to_string().len()).sum();
        let system = self.system.as_ref().map_or(0, String::len);
        let rest = (system + beyond).div_ceil(BYTES_PER_TOKEN);
        u32::try_from(parts.map(of_part).sum::<usize>() + rest).unwrap_or(u32::MAX)
    }

    /// Whether equal requests have equal answers, so that one may stand for another.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.temperature == Some(0.0)
    }

    /// What it asks for: equal where two requests ask the same, in whatever dialect, streamed or
    /// not. The first 64 bits of a SHA-256 of all that bears on the answer.
    #[must_use]
    pub fn cache_key(&self) -> CacheKey {
        let beyond = self.beyond.iter();
        let beyond: Map<String, Value> = beyond
            .filter_map(|field| Some((field.clone(), self.body.get(field)?.clone())))
            .collect();
        let messages: Vec<Value> = self.messages.iter().map(Message::canonical).collect();
        let canonical = json!([
            self.model,
            self.system,
            messages,
            self.max_output_tokens,
            self.temperature,
            self.top_p,
            self.top_k,
            self.stop,
            beyond,
        ]);
        let hash = Sha256::digest(canonical.to_string());
        CacheKey::new(u64::from_be_bytes(
            hash.first_chunk().copied().unwrap_or_default(),
        ))
    }
}

impl Message {
    fn canonical(&self) -> Value {
        let part = |part: &Part| match part {
            Part::Text(text) => json!(text),
            Part::Image { media_type, data } => json!([media_type, data]),
        };
        let parts: Vec<Value> = self.parts.iter().map(part).collect();
        json!([self.role == Role::User, parts])
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Anthropic => "Anthropic Messages",
            Self::OpenAi => "OpenAI chat completions",
        })
    }
}
