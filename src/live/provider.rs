//! What providers speak: a request in their shape, their answers and errors in ours.
//!
//! Three readings of an answer: whole ([`Shape::answer`]), as a stream ([`StreamReader`]), and as
//! an error ([`Shape::error`]), by which each form that a provider is known to send becomes one of
//! our kinds of failure. A form that nobody has seen goes by its status alone; a body that is not
//! what was announced is the upstream's fault, not the client's.
//!
//! Shapes and error forms: the providers' documentation and public reports of users, each noted at
//! its place.

mod anthropic;
mod gemini;

use super::chat::{Answer, ChatRequest, Dialect, StreamPart, UpstreamError};
use super::sse::{Event, Parser};
use crate::request::{Failure, FailureKind, Provider, Usage};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;

/// The shape of a provider's interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Anthropic Messages.
    Anthropic,
    /// Gemini `generateContent`.
    Gemini,
}

/// A request as a provider wants it. The key is not in it: who sends it adds
/// [`Shape::key_header`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderRequest {
    /// Path and query.
    pub path: String,
    /// Headers beside the key, `content-type` and `content-length`.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body, JSON.
    pub body: Vec<u8>,
}

/// Why a request cannot be put into a provider's shape.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CannotSay {
    /// The fields that stand in the way, as the client calls them.
    pub fields: Vec<String>,
}

impl std::fmt::Display for CannotSay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fields = self.fields.join("`, `");
        write!(
            f,
            "`{fields}`: only a provider of the client's own dialect understands this; leave it \
             out, or ask for a model of that provider"
        )
    }
}

impl std::error::Error for CannotSay {}

/// An answer's head, as far as errors need it.
#[derive(Clone, Copy, Default, Debug)]
pub struct Head<'a> {
    /// Status code.
    pub status: u16,
    /// Its `Retry-After` header.
    pub retry_after: Option<&'a str>,
    /// Its `Date` header.
    pub date: Option<&'a str>,
}

impl Shape {
    /// The shape in which a provider's accounts are spoken to; `None` where there is no adapter.
    #[must_use]
    pub const fn of(provider: Provider) -> Option<Self> {
        match provider {
            Provider::Anthropic => Some(Self::Anthropic),
            Provider::Google => Some(Self::Gemini),
            Provider::OpenAi | Provider::Custom => None,
        }
    }

    /// The header that carries the account's key.
    #[must_use]
    pub const fn key_header(self) -> &'static str {
        match self {
            Self::Anthropic => "x-api-key",
            Self::Gemini => "x-goog-api-key",
        }
    }

    /// Whether a client of that dialect understands this provider's answers as they are: they are
    /// passed on untouched.
    #[must_use]
    pub const fn speaks(self, dialect: Dialect) -> bool {
        matches!((self, dialect), (Self::Anthropic, Dialect::Anthropic))
    }

    /// The request for the provider, which calls the model `model`.
    ///
    /// # Errors
    /// If it holds something that the provider's shape has no word for.
    pub fn request(self, request: &ChatRequest, model: &str) -> Result<ProviderRequest, CannotSay> {
        if !self.speaks(request.dialect) && !request.beyond.is_empty() {
            return Err(CannotSay {
                fields: request.beyond.clone(),
            });
        }
        Ok(match self {
            Self::Anthropic => anthropic::request(request, model),
            Self::Gemini => gemini::request(request, model),
        })
    }

    /// Reads a whole answer, status 200.
    ///
    /// # Errors
    /// If the body is no answer: cut short, of another type, or an error after all.
    pub fn answer(self, body: &[u8]) -> Result<Answer, UpstreamError> {
        match self {
            Self::Anthropic => anthropic::answer(body),
            Self::Gemini => gemini::answer(body),
        }
    }

    /// Reads an error: any status but 2xx.
    #[must_use]
    pub fn error(self, head: Head, body: &[u8]) -> UpstreamError {
        match self {
            Self::Anthropic => anthropic::error(head, body),
            Self::Gemini => gemini::error(head, body),
        }
    }
}

/// Reads a streamed answer.
#[derive(Clone, Debug)]
pub struct StreamReader {
    events: Parser,
    shape: Shape,
    parts: VecDeque<StreamPart>,
    state: State,
}

/// What a stream has said so far.
#[derive(Clone, Copy, Default, Debug)]
struct State {
    begun: bool,
    finished: bool,
    /// Whether something of the answer has come.
    content: bool,
    /// Nothing more is expected: it is whole, or has failed.
    over: bool,
    usage: Usage,
}

impl StreamReader {
    /// A reader for an answer of that shape.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self {
            events: Parser::default(),
            shape,
            parts: VecDeque::new(),
            state: State::default(),
        }
    }

    /// Takes the next piece of the body; it may end anywhere.
    pub fn push(&mut self, piece: &[u8]) {
        if self.state.over {
            return;
        }
        let result = self.events.push(piece);
        while let Some(event) = self.events.next_event() {
            self.read(&event);
        }
        if let Err(too_long) = result {
            self.fail(broken(&too_long.to_string()));
        }
    }

    /// The body has ended. Unless the answer was whole, that is a failure.
    pub fn end(&mut self) {
        if self.state.over {
            return;
        }
        if self.shape == Shape::Gemini && self.state.finished {
            return self.complete();
        }
        self.fail(broken("the stream ended before the answer was whole"));
    }

    /// The next step of the answer.
    pub fn next_part(&mut self) -> Option<StreamPart> {
        self.parts.pop_front()
    }

    /// Tokens consumed as far as the stream has told.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.state.usage
    }

    fn read(&mut self, event: &Event) {
        if self.state.over {
            return;
        }
        match self.shape {
            Shape::Anthropic => self.read_anthropic(event),
            Shape::Gemini => self.read_gemini(event),
        }
    }

    fn content(&mut self, part: StreamPart) {
        self.state.content = true;
        self.parts.push_back(part);
    }

    fn set_usage(&mut self, usage: Usage) {
        if usage != self.state.usage {
            self.state.usage = usage;
            self.parts.push_back(StreamPart::Usage(usage));
        }
    }

    fn complete(&mut self) {
        self.state.over = true;
        self.parts.push_back(StreamPart::End);
    }

    /// An error before anything of the answer has come is that error; later, it is a broken
    /// stream, whatever it says.
    fn fail(&mut self, mut error: UpstreamError) {
        if self.state.content {
            error.failure.kind = FailureKind::BrokenStream;
        }
        self.state.over = true;
        self.parts.push_back(StreamPart::Failed(error));
    }
}

/// The kind of failure that a status stands for by itself.
const fn kind_of_status(status: u16) -> FailureKind {
    match status {
        401 => FailureKind::Unauthorized,
        402 => FailureKind::PaymentRequired,
        403 => FailureKind::Forbidden,
        404 => FailureKind::ModelNotFound,
        408 | 504 => FailureKind::GatewayTimeout,
        413 => FailureKind::TooLarge,
        429 => FailureKind::RateLimited,
        400..=499 => FailureKind::BadRequest,
        502 => FailureKind::BadGateway,
        503 => FailureKind::Unavailable,
        529 => FailureKind::Overloaded,
        500..=599 => FailureKind::InternalError,
        // A redirect, or something else that no interface of this kind sends.
        _ => FailureKind::BadGateway,
    }
}

fn broken(message: &str) -> UpstreamError {
    UpstreamError {
        failure: FailureKind::BrokenStream.into(),
        message: message.to_owned(),
    }
}

fn no_answer(what: &str) -> UpstreamError {
    UpstreamError {
        failure: FailureKind::BadGateway.into(),
        message: format!("the upstream's answer cannot be read: {what}"),
    }
}

fn upstream_error(
    kind: FailureKind,
    retry_after: Option<crate::time::Duration>,
    message: String,
) -> UpstreamError {
    UpstreamError {
        failure: Failure { kind, retry_after },
        message,
    }
}

/// Most characters of an unknown body that an error repeats.
const MOST_REPEATED: usize = 200;

/// What to say of an error whose body has no message of a known form.
fn unknown_body(status: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text: String = text.trim().chars().take(MOST_REPEATED).collect();
    if text.is_empty() {
        format!("status {status}")
    } else {
        format!("status {status}: {text}")
    }
}

/// Parses JSON; the error names what is wrong in one line.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
