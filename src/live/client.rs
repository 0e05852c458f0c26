//! What clients speak: their request in our words, our answers and errors in theirs.
//!
//! A request is read strictly: what is not understood is refused with the name of the field, in the
//! form in which the client's own library shows errors. An answer is written whole
//! ([`answer`]) or step by step ([`StreamWriter`]); where the provider speaks the client's dialect,
//! neither is needed, and its bytes are passed on.

mod anthropic;
mod fields;
mod openai;

use super::chat::{Answer, ChatRequest, Dialect, StreamPart};
use crate::request::{FailureKind, Usage, words};
use crate::time::Duration;
use serde_json::Value;
use std::fmt;

words! {
    /// What a client is told when it gets no answer.
    ErrorKind {
        /// The request is wrong: 400.
        InvalidRequest = "invalid_request",
        /// The client's key is missing or unknown: 401.
        Authentication = "authentication",
        /// No such path or model: 404.
        NotFound = "not_found",
        /// The path knows no such method: 405.
        MethodNotAllowed = "method_not_allowed",
        /// The client took too long to send its request: 408.
        RequestTimeout = "request_timeout",
        /// The body is not JSON by its own account: 415.
        UnsupportedMediaType = "unsupported_media_type",
        /// The body, or the prompt, is too long: 413.
        TooLarge = "too_large",
        /// All accounts that could answer have run into their limits: 429.
        RateLimited = "rate_limited",
        /// The upstream failed: 500.
        Internal = "internal",
        /// The upstream's answer was none, or its account is not in order: 502.
        BadGateway = "bad_gateway",
        /// Nobody is available, or the proxy itself has too much to do: 503.
        Unavailable = "unavailable",
        /// Nobody answered in time: 504.
        Timeout = "timeout",
        /// The upstream is overloaded: 529 in Anthropic's dialect, else 503.
        Overloaded = "overloaded",
    }
}

/// An error as a client is told it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientError {
    /// Of what kind.
    pub kind: ErrorKind,
    /// What is wrong, and what to do.
    pub message: String,
    /// The field that is wrong, where it is one.
    pub field: Option<String>,
    /// When to come back, for a `Retry-After` header.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ClientError {}

impl ClientError {
    /// An error without a field or a time to come back.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            field: None,
            retry_after: None,
        }
    }

    /// What a client is told when a request ends with that failure. The provider's own words are
    /// repeated where the client can mend the cause; what is wrong with the owner's accounts is not
    /// its business, and a 401 would make it doubt its own key.
    #[must_use]
    pub fn of_failure(kind: FailureKind, message: &str) -> Self {
        use FailureKind as K;
        let told = |kind| Self::new(kind, message);
        match kind {
            K::BadRequest => told(ErrorKind::InvalidRequest),
            K::ModelNotFound => told(ErrorKind::NotFound),
            K::TooLarge => told(ErrorKind::TooLarge),
            K::RateLimited => told(ErrorKind::RateLimited),
            K::InternalError => told(ErrorKind::Internal),
            K::Unavailable => told(ErrorKind::Unavailable),
            K::Overloaded => told(ErrorKind::Overloaded),
            K::BadGateway | K::Connection | K::BrokenStream => told(ErrorKind::BadGateway),
            K::Unauthorized | K::PaymentRequired | K::Forbidden | K::SpendCap => Self::new(
                ErrorKind::BadGateway,
                "the gateway's account at the provider is out of order; its owner is told",
            ),
            K::GatewayTimeout
            | K::AttemptTimeout
            | K::FirstTokenTimeout
            | K::IdleTimeout
            | K::DeadlineExceeded
            | K::Cancelled => Self::new(ErrorKind::Timeout, "no answer came in time"),
        }
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self, dialect: Dialect) -> u16 {
        match (self.kind, dialect) {
            (ErrorKind::InvalidRequest, _) => 400,
            (ErrorKind::Authentication, _) => 401,
            (ErrorKind::NotFound, _) => 404,
            (ErrorKind::MethodNotAllowed, _) => 405,
            (ErrorKind::RequestTimeout, _) => 408,
            (ErrorKind::UnsupportedMediaType, _) => 415,
            (ErrorKind::TooLarge, _) => 413,
            (ErrorKind::RateLimited, _) => 429,
            (ErrorKind::Internal, _) => 500,
            (ErrorKind::BadGateway, _) => 502,
            (ErrorKind::Unavailable, _) | (ErrorKind::Overloaded, Dialect::OpenAi) => 503,
            (ErrorKind::Timeout, _) => 504,
            (ErrorKind::Overloaded, Dialect::Anthropic) => 529,
        }
    }

    /// The body. `request_id` is the proxy's name for the request.
    #[must_use]
    pub fn body(&self, dialect: Dialect, request_id: &str) -> Vec<u8> {
        let body = match dialect {
            Dialect::Anthropic => anthropic::error(self, request_id),
            Dialect::OpenAi => openai::error(self),
        };
        body.to_string().into_bytes()
    }

    /// Seconds for a `Retry-After` header: whole ones, never too early.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        let wait = self.retry_after?;
        Some(wait.as_nanos().div_ceil(1_000_000_000))
    }
}

/// Reads a request.
///
/// # Errors
/// If it is no JSON, or a field is missing, wrong, or not understood.
pub fn request(dialect: Dialect, body: &[u8]) -> Result<ChatRequest, ClientError> {
    let invalid = |message| ClientError::new(ErrorKind::InvalidRequest, message);
    let body = match serde_json::from_slice(body) {
        Ok(Value::Object(body)) => body,
        Ok(_) => return Err(invalid("the body must be a JSON object".to_owned())),
        Err(error) => return Err(invalid(format!("the body is not JSON: {error}"))),
    };
    match dialect {
        Dialect::Anthropic => anthropic::request(body),
        Dialect::OpenAi => openai::request(body),
    }
}

/// Writes a whole answer. `created` is the time in seconds since 1970.
#[must_use]
pub fn answer(dialect: Dialect, answer: &Answer, created: u64) -> Vec<u8> {
    let body = match dialect {
        Dialect::Anthropic => anthropic::answer(answer),
        Dialect::OpenAi => openai::answer(answer, created),
    };
    body.to_string().into_bytes()
}

/// Writes a streamed answer.
#[derive(Clone, Debug)]
pub struct StreamWriter {
    dialect: Dialect,
    id: String,
    model: String,
    created: u64,
    tells_usage: bool,
    usage: Usage,
    begun: bool,
    finish: Option<super::chat::Finish>,
}

impl StreamWriter {
    /// A writer for the answer to `request`. `created` is the time in seconds since 1970.
    #[must_use]
    pub fn new(request: &ChatRequest, created: u64) -> Self {
        Self {
            dialect: request.dialect,
            id: String::new(),
            model: request.model.clone(),
            created,
            tells_usage: request.stream_usage,
            usage: Usage::default(),
            begun: false,
            finish: None,
        }
    }

    /// Appends what the client reads of this step. A failure ends the stream with an error in the
    /// client's dialect.
    pub fn write(&mut self, part: &StreamPart, out: &mut Vec<u8>) {
        match part {
            StreamPart::Begin { id, model } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
            }
            StreamPart::Usage(usage) => self.usage = *usage,
            StreamPart::Finish(finish) => self.finish = Some(*finish),
            StreamPart::Beyond => {}
            StreamPart::Text(text) => {
                self.begin(out);
                match self.dialect {
                    Dialect::Anthropic => Self::anthropic_text(text, out),
                    Dialect::OpenAi => self.openai_text(text, out),
                }
            }
            StreamPart::End => {
                self.begin(out);
                match self.dialect {
                    Dialect::Anthropic => self.anthropic_end(out),
                    Dialect::OpenAi => self.openai_end(out),
                }
            }
            StreamPart::Failed(error) => {
                let error = ClientError::of_failure(error.failure.kind, &error.message);
                self.write_error(&error, out);
            }
        }
    }

    /// Ends the stream with an error.
    pub fn write_error(&self, error: &ClientError, out: &mut Vec<u8>) {
        match self.dialect {
            Dialect::Anthropic => anthropic::error_event(error, out),
            Dialect::OpenAi => openai::error_event(error, out),
        }
    }

    /// The frames that open an answer, once.
    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        match self.dialect {
            Dialect::Anthropic => self.anthropic_begin(out),
            Dialect::OpenAi => self.openai_begin(out),
        }
    }
}

#[cfg(test)]
mod tests;
