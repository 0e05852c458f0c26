//! What an emulated provider puts on the wire: answers, streams and errors, in bytes.
//!
//! The counterpart of [`crate::live::provider`], which reads these forms: its tests are the proof
//! that a failure of the model arrives as that very failure. Every kind of failure has the form in
//! which the provider publishes it. Where a provider has none for a kind, it takes the nearest that
//! it does have, as the provider itself would, and the kind that is read is another one:
//!
//! | kind | Gemini says | read as |
//! |---|---|---|
//! | `overloaded` | 503 "The model is overloaded" | `unavailable` |
//! | `spend_cap` | 429, see plan and billing, no delay | `rate_limited` |
//!
//! A web server in front of the provider, and not the provider, sends 502, and at Anthropic 503: a
//! page of HTML.

mod anthropic;
mod gemini;

use crate::live::provider::Shape;
use crate::request::{Failure, FailureKind, Usage};
use crate::upstream::QuotaLeft;

/// A head and a body; without `content-length`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// How an attempt's failure reaches the client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wire {
    /// As an answer that says so.
    Reply(Reply),
    /// The connection is reset before an answer.
    Reset,
    /// It begins as an answer, and the connection ends in the middle of it.
    Broken,
}

/// Writes the answer to one request.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    shape: Shape,
    /// Names the answer.
    id: String,
    /// The model by the name that it was asked for.
    model: String,
    /// The request's own limit on output tokens.
    limit: Option<u32>,
}

impl Writer {
    pub(super) fn new(shape: Shape, number: u64, model: String, limit: Option<u32>) -> Self {
        let id = match shape {
            Shape::Anthropic => format!("msg_{number:022}"),
            Shape::Gemini => format!("{number:022}"),
        };
        Self {
            shape,
            id,
            model,
            limit,
        }
    }

    /// A whole answer.
    pub(super) fn answer(&self, usage: Usage) -> Vec<u8> {
        let mut text = String::new();
        super::text::push(0, usage.output, &mut text);
        let body = match self.shape {
            Shape::Anthropic => self.anthropic_answer(&text, usage),
            Shape::Gemini => self.gemini_frame(&text, usage, true),
        };
        body.to_string().into_bytes()
    }

    /// What opens a stream.
    pub(super) fn stream_start(&self, usage: Usage, out: &mut Vec<u8>) {
        match self.shape {
            Shape::Anthropic => self.anthropic_start(usage, out),
            Shape::Gemini => {}
        }
    }

    /// More of a stream: the tokens after the first `from`, up to what `usage` counts.
    pub(super) fn stream_text(&self, from: u32, usage: Usage, out: &mut Vec<u8>) {
        if from >= usage.output {
            return;
        }
        let mut text = String::new();
        super::text::push(from, usage.output, &mut text);
        match self.shape {
            Shape::Anthropic => anthropic::text(&text, out),
            Shape::Gemini => gemini::event(&self.gemini_frame(&text, usage, false), out),
        }
    }

    /// The end of a stream whose text has been written.
    pub(super) fn stream_end(&self, usage: Usage, out: &mut Vec<u8>) {
        match self.shape {
            Shape::Anthropic => self.anthropic_end(usage, out),
            Shape::Gemini => gemini::event(&self.gemini_frame("", usage, true), out),
        }
    }

    /// What a stream says when it breaks off, after its text. Returns whether the connection then
    /// breaks off too: Anthropic says it in an event, after which the body ends as it should;
    /// Gemini, and a stream that has said nothing yet, just stop.
    ///
    /// What was produced is told first, so that the gateway counts what the simulator's counts.
    pub(super) fn stream_broken(&self, usage: Usage, out: &mut Vec<u8>) -> bool {
        match self.shape {
            Shape::Anthropic if usage.output > 0 => {
                anthropic::broken(usage, out);
                false
            }
            Shape::Anthropic | Shape::Gemini => true,
        }
    }

    fn is_cut_short(&self, usage: Usage) -> bool {
        self.limit.is_some_and(|limit| usage.output >= limit)
    }
}

/// The form in which a failure before the answer reaches the client.
pub(super) fn failure(shape: Shape, failure: Failure, number: u64) -> Wire {
    use FailureKind as K;
    let told = |message| error(shape, failure, message, number);
    Wire::Reply(match failure.kind {
        K::BrokenStream => return Wire::Broken,
        // No upstream says that a client's own time is over.
        K::Connection
        | K::AttemptTimeout
        | K::FirstTokenTimeout
        | K::IdleTimeout
        | K::DeadlineExceeded
        | K::Cancelled => return Wire::Reset,
        K::InternalError => told("Internal server error"),
        K::BadGateway => page(502, "Bad Gateway"),
        K::Unavailable => match shape {
            Shape::Anthropic => page(503, "Service Unavailable"),
            Shape::Gemini => told("The service is currently unavailable."),
        },
        K::GatewayTimeout => told("The request timed out before it could be answered."),
        K::Overloaded => told(match shape {
            Shape::Anthropic => "Overloaded",
            Shape::Gemini => "The model is overloaded. Please try again later.",
        }),
        K::RateLimited => told("This request would exceed your rate limit."),
        K::Unauthorized => told("API key not valid. Please pass a valid API key."),
        K::PaymentRequired => told("There is a problem with your billing or payment details."),
        K::Forbidden => told("Your API key may not use this resource."),
        K::SpendCap => told("Your spending limit is reached; please check your plan."),
        K::BadRequest => told("The request is not valid."),
        K::ModelNotFound => told("The requested model could not be found."),
        K::TooLarge => told(match shape {
            Shape::Anthropic => "Request exceeds the maximum size",
            Shape::Gemini => "The input exceeds the maximum number of tokens allowed.",
        }),
    })
}

/// A failure that the provider has a form of its own for.
pub(super) fn error(shape: Shape, failure: Failure, message: &str, number: u64) -> Reply {
    match shape {
        Shape::Anthropic => anthropic::error(failure, message, number),
        Shape::Gemini => gemini::error(failure, message),
    }
}

/// Headers that an answer or a 429 has beside its own: what is left of the quota, where the
/// provider tells it. `now` is in seconds since 1970.
pub(super) fn quota_headers(
    shape: Shape,
    left: &QuotaLeft,
    now: u64,
) -> Vec<(&'static str, String)> {
    match shape {
        Shape::Anthropic => anthropic::quota_headers(left, now),
        Shape::Gemini => vec![],
    }
}

/// What a web server says when the provider behind it does not.
fn page(status: u16, title: &str) -> Reply {
    let title = format!("{status} {title}");
    let body =
        format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n");
    Reply {
        status,
        headers: vec![("content-type", "text/html".to_owned())],
        body: body.into_bytes(),
    }
}

fn json(status: u16, body: &serde_json::Value) -> Reply {
    Reply {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests;
