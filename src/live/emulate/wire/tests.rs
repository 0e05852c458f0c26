//! What is written is read back as what it was, by the very adapters of the proxy.

use super::*;
use crate::live::chat::{Finish, StreamPart};
use crate::live::provider::{Head, StreamReader};
use crate::time::Duration;
use crate::upstream::LimitLeft;
use proptest::prelude::*;

const SHAPES: [Shape; 2] = [Shape::Anthropic, Shape::Gemini];

const fn usage(input: u32, cached_input: u32, output: u32) -> Usage {
    Usage {
        input,
        cached_input,
        output,
    }
}

fn writer(shape: Shape, limit: Option<u32>) -> Writer {
    Writer::new(shape, 7, "a \"model\"".to_owned(), limit)
}

fn head(reply: &Reply) -> Head<'_> {
    let retry_after = reply
        .headers
        .iter()
        .find(|(name, _)| *name == "retry-after");
    Head {
        status: reply.status,
        retry_after: retry_after.map(|(_, value)| value.as_str()),
        date: None,
    }
}

/// What is read of a kind: the kind itself, but for the two that Gemini has no form for, as in the
/// module's table; `None` where no answer says it.
fn read_as(shape: Shape, kind: FailureKind) -> Option<FailureKind> {
    use FailureKind as K;
    Some(match (shape, kind) {
        (Shape::Gemini, K::Overloaded) => K::Unavailable,
        (Shape::Gemini, K::SpendCap) => K::RateLimited,
        (
            _,
            K::Connection
            | K::BrokenStream
            | K::AttemptTimeout
            | K::FirstTokenTimeout
            | K::IdleTimeout
            | K::DeadlineExceeded
            | K::Cancelled,
        ) => return None,
        _ => kind,
    })
}

#[test]
fn every_kind_of_failure_is_read_back() {
    for shape in SHAPES {
        for &kind in FailureKind::ALL {
            let wire = failure(shape, kind.into(), 7);
            let Some(expected) = read_as(shape, kind) else {
                let breaks = kind == FailureKind::BrokenStream;
                let without = if breaks { Wire::Broken } else { Wire::Reset };
                assert_eq!(wire, without, "{shape:?} {kind}");
                continue;
            };
            let Wire::Reply(reply) = wire else {
                panic!("{shape:?} says nothing of {kind}");
            };
            let read = shape.error(head(&reply), &reply.body);
            assert_eq!(read.failure, expected.into(), "{shape:?} {kind}");
            assert!(!read.message.is_empty());
        }
    }
}

#[test]
fn the_wait_of_a_429_is_read_back() {
    for shape in SHAPES {
        for retry_after in [None, Some(0), Some(1), Some(37)] {
            let limited = Failure {
                kind: FailureKind::RateLimited,
                retry_after: retry_after.map(Duration::from_secs),
            };
            let Wire::Reply(reply) = failure(shape, limited, 7) else {
                panic!("{shape:?} says nothing of a rate limit");
            };
            let read = shape.error(head(&reply), &reply.body);
            assert_eq!(read.failure, limited, "{shape:?}");
        }
    }
}

fn parts(shape: Shape, stream: &[u8]) -> Vec<StreamPart> {
    let mut reader = StreamReader::new(shape);
    reader.push(stream);
    reader.end();
    std::iter::from_fn(|| reader.next_part()).collect()
}

fn text_of(parts: &[StreamPart]) -> String {
    let text = |part: &StreamPart| match part {
        StreamPart::Text(text) => Some(text.clone()),
        _ => None,
    };
    parts.iter().filter_map(text).collect()
}

fn last_usage(parts: &[StreamPart]) -> Option<Usage> {
    let usage = |part: &StreamPart| match part {
        StreamPart::Usage(usage) => Some(*usage),
        _ => None,
    };
    parts.iter().rev().find_map(usage)
}

proptest! {
    #[test]
    fn answers_are_read_back(input in 0..9_000u32, cached in 0..9_000u32, output in 1..900u32,
                             limit in prop::option::of(1..1_000u32)) {
        let usage = usage(input, cached.min(input), output);
        let cut = limit.is_some_and(|limit| output >= limit);
        let finish = if cut { Finish::Length } else { Finish::Done };
        for shape in SHAPES {
            let answer = shape.answer(&writer(shape, limit).answer(usage)).unwrap();
            prop_assert_eq!(answer.usage, usage);
            prop_assert_eq!(answer.finish, finish);
            prop_assert_eq!(answer.model.as_str(), "a \"model\"");
            prop_assert_eq!(answer.text.len(), output as usize * 4);
        }
    }

    /// A stream in pieces, whole or broken off after the last of them.
    #[test]
    fn streams_are_read_back(input in 0..9_000u32, cached in 0..9_000u32,
                             steps in prop::collection::vec(1..60u32, 1..10), breaks: bool) {
        for shape in SHAPES {
            let writer = writer(shape, None);
            let (mut stream, mut shown) = (vec![], 0);
            let mut so_far = usage(input, cached.min(input), 0);
            writer.stream_start(so_far, &mut stream);
            for step in &steps {
                so_far.output += step;
                writer.stream_text(shown, so_far, &mut stream);
                shown = so_far.output;
            }
            let cut = breaks && writer.stream_broken(so_far, &mut stream);
            prop_assert_eq!(cut, breaks && shape == Shape::Gemini);
            if !breaks {
                writer.stream_end(so_far, &mut stream);
            }
            let parts = parts(shape, &stream);
            prop_assert_eq!(last_usage(&parts), Some(so_far));
            prop_assert_eq!(text_of(&parts).len(), shown as usize * 4);
            match parts.last() {
                Some(StreamPart::Failed(error)) => {
                    prop_assert!(breaks);
                    prop_assert_eq!(error.failure.kind, FailureKind::BrokenStream);
                }
                last => prop_assert!(!breaks && last == Some(&StreamPart::End), "{:?}", last),
            }
        }
    }
}

#[test]
fn a_stream_that_breaks_before_it_said_anything_is_a_broken_stream() {
    for shape in SHAPES {
        let (writer, mut stream) = (writer(shape, None), vec![]);
        writer.stream_start(usage(9, 0, 0), &mut stream);
        assert!(writer.stream_broken(usage(9, 0, 0), &mut stream));
        let Some(StreamPart::Failed(error)) = parts(shape, &stream).pop() else {
            panic!("{shape:?}: it must fail");
        };
        assert_eq!(error.failure.kind, FailureKind::BrokenStream);
    }
}

#[test]
fn quotas_are_told_where_the_provider_tells_them() {
    let requests = LimitLeft {
        limit: 50,
        remaining: 49,
        full_in: Duration::from_millis(1_200),
    };
    let left = QuotaLeft {
        requests: Some(requests),
        ..QuotaLeft::default()
    };
    let headers = quota_headers(Shape::Anthropic, &left, 1_767_225_628);
    let expected = [
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "49"),
        ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:30Z"),
    ];
    assert_eq!(
        headers,
        expected.map(|(name, value)| (name, value.to_owned()))
    );
    assert!(quota_headers(Shape::Gemini, &left, 0).is_empty());
    assert!(quota_headers(Shape::Anthropic, &QuotaLeft::default(), 0).is_empty());
}
