//! The adapters against the published shapes of answers and errors, where these are there.

use crate::support::{data, skipped};
use routelab::live::chat::{Finish, StreamPart};
use routelab::live::provider::{Head, Shape, StreamReader};
use routelab::request::{FailureKind, Usage};
use serde_json::Value;

fn shapes() -> Option<Value> {
    let Some(file) = data("shapes/responses.json") else {
        skipped("the published shapes");
        return None;
    };
    let text = std::fs::read(file).expect("a readable file");
    Some(serde_json::from_slice(&text).expect("the published shapes are JSON"))
}

fn failure_of(status: u64) -> FailureKind {
    match status {
        401 => FailureKind::Unauthorized,
        402 => FailureKind::PaymentRequired,
        403 => FailureKind::Forbidden,
        404 => FailureKind::ModelNotFound,
        413 => FailureKind::TooLarge,
        429 => FailureKind::RateLimited,
        // Google's word for a call that somebody on the way has cancelled.
        499 => FailureKind::BadGateway,
        500 => FailureKind::InternalError,
        503 => FailureKind::Unavailable,
        504 => FailureKind::GatewayTimeout,
        529 => FailureKind::Overloaded,
        _ => FailureKind::BadRequest,
    }
}

/// Every published error is the failure that its status says, but for the two that say otherwise:
/// the spending cap and the invalid key. A wait is read wherever one is told, and nowhere else.
#[test]
fn every_published_error() {
    let Some(shapes) = shapes() else { return };
    for (provider, shape) in [("anthropic", Shape::Anthropic), ("gemini", Shape::Gemini)] {
        for error in shapes[provider]["errors"].as_array().expect("a list") {
            let status = error["status"].as_u64().expect("a status");
            let body = error["body"].to_string();
            // The file describes the header instead of giving a value.
            let retry_after = error["headers"].get("retry-after").map(|_| "7");
            let head = Head {
                status: status as u16,
                retry_after,
                date: None,
            };
            let read = shape.error(head, body.as_bytes());
            let expected = if body.contains("enforced_spend_limit_reached") {
                FailureKind::SpendCap
            } else if body.contains("API_KEY_INVALID") {
                FailureKind::Unauthorized
            } else {
                failure_of(status)
            };
            assert_eq!(read.failure.kind, expected, "{provider}: {body}");
            let told = retry_after.is_some() || body.contains("retryDelay");
            assert_eq!(
                read.failure.retry_after.is_some(),
                told,
                "{provider}: {body}"
            );
        }
    }
}

#[test]
fn the_published_answers() {
    let Some(shapes) = shapes() else { return };
    let read = |provider: &str, shape: Shape| {
        let body = shapes[provider]["ok_nonstream"]["body"].to_string();
        let answer = shape.answer(body.as_bytes()).expect("an answer");
        assert_eq!(answer.finish, Finish::Done);
        (answer.usage.input, answer.usage.output)
    };
    assert_eq!(read("anthropic", Shape::Anthropic), (28, 93));
    assert_eq!(read("gemini", Shape::Gemini), (11, 193));
}

/// The parts of a published stream, pushed a byte at a time.
fn stream(file: &str, shape: Shape) -> Option<Vec<StreamPart>> {
    let Some(path) = data(&format!("shapes/{file}")) else {
        skipped(file);
        return None;
    };
    let bytes = std::fs::read(path).expect("a readable file");
    let mut reader = StreamReader::new(shape);
    bytes.iter().for_each(|byte| reader.push(&[*byte]));
    reader.end();
    Some(std::iter::from_fn(|| reader.next_part()).collect())
}

fn text(parts: &[StreamPart]) -> String {
    let text = |part: &StreamPart| match part {
        StreamPart::Text(text) => Some(text.clone()),
        _ => None,
    };
    parts.iter().filter_map(text).collect()
}

fn last_usage(parts: &[StreamPart]) -> Option<Usage> {
    parts.iter().rev().find_map(|part| match part {
        StreamPart::Usage(usage) => Some(*usage),
        _ => None,
    })
}

#[test]
fn the_published_streams() {
    let usage = |input, output| {
        Some(Usage {
            input,
            cached_input: 0,
            output,
        })
    };
    if let Some(parts) = stream("anthropic_stream_ok.sse", Shape::Anthropic) {
        assert_eq!(text(&parts), "Hello, world, in several tokens per frame.");
        assert_eq!(last_usage(&parts), usage(28, 93));
        assert_eq!(parts.last(), Some(&StreamPart::End));
    }
    if let Some(parts) = stream("gemini_stream_ok.sse", Shape::Gemini) {
        assert_eq!(text(&parts), "Hello, some forty tokens later end.");
        assert_eq!(last_usage(&parts), usage(11, 143));
        assert_eq!(parts.last(), Some(&StreamPart::End));
    }
    if let Some(parts) = stream("anthropic_stream_midstream_error.sse", Shape::Anthropic) {
        assert_eq!(text(&parts), "Hel");
        let Some(StreamPart::Failed(error)) = parts.last() else {
            panic!("it ended with {:?}", parts.last());
        };
        assert_eq!(error.failure.kind, FailureKind::BrokenStream);
    }
}
