//! The forms of answers and errors that are documented or were seen by users, in our own words
//! where they are long.

use super::*;
use crate::live::chat::{Finish, Message, Part, Role};
use crate::live::client;
use crate::time::Duration;
use proptest::prelude::*;
use serde_json::{Value, json};

fn head(status: u16) -> Head<'static> {
    Head {
        status,
        ..Head::default()
    }
}

fn anthropic_error(kind: &str, message: &str) -> Vec<u8> {
    let error = json!({"type": kind, "message": message});
    let body = json!({"type": "error", "error": error, "request_id": "req_1"});
    body.to_string().into_bytes()
}

/// Status, type, and the kind of failure that it is.
#[test]
fn each_error_of_anthropic_is_its_kind() {
    let forms = [
        (400, "invalid_request_error", FailureKind::BadRequest),
        (401, "authentication_error", FailureKind::Unauthorized),
        (402, "billing_error", FailureKind::PaymentRequired),
        (403, "permission_error", FailureKind::Forbidden),
        (404, "not_found_error", FailureKind::ModelNotFound),
        (413, "request_too_large", FailureKind::TooLarge),
        (429, "rate_limit_error", FailureKind::RateLimited),
        (500, "api_error", FailureKind::InternalError),
        (504, "timeout_error", FailureKind::GatewayTimeout),
        (529, "overloaded_error", FailureKind::Overloaded),
    ];
    for (status, kind, expected) in forms {
        let typed = Shape::Anthropic.error(head(status), &anthropic_error(kind, "why"));
        assert_eq!(typed.failure.kind, expected, "{status} {kind}");
        assert_eq!(typed.message, "why");
        let untyped = Shape::Anthropic.error(head(status), b"<html>Error</html>");
        assert_eq!(untyped.failure.kind, expected, "{status} by itself");
        assert_eq!(
            untyped.message,
            format!("status {status}: <html>Error</html>")
        );
    }
}

#[test]
fn the_wait_of_anthropic_is_in_a_header() {
    let limited = |retry_after| {
        let head = Head {
            status: 429,
            retry_after,
            date: None,
        };
        let body = anthropic_error("rate_limit_error", "30,000 input tokens per minute");
        Shape::Anthropic.error(head, &body).failure.retry_after
    };
    assert_eq!(limited(Some("17")), Some(Duration::from_secs(17)));
    assert_eq!(limited(None), None);
}

#[test]
fn a_spending_cap_of_anthropic_does_not_pass_by_waiting() {
    let body = br#"{"type": "error", "error": {"type": "rate_limit_error", "message": "cap",
        "details": {"error_code": "enforced_spend_limit_reached"}}}"#;
    let head = Head {
        status: 429,
        retry_after: Some("5"),
        date: None,
    };
    let error = Shape::Anthropic.error(head, body);
    assert_eq!(error.failure, FailureKind::SpendCap.into());
}

#[test]
fn details_may_be_null() {
    let body = br#"{"type": "error", "error": {"details": null, "type": "overloaded_error",
        "message": "Overloaded"}}"#;
    let error = Shape::Anthropic.error(head(529), body);
    assert_eq!(error.failure.kind, FailureKind::Overloaded);
}

#[test]
fn what_only_the_message_of_a_400_tells() {
    let forms = [
        (
            "Your credit balance is too low",
            FailureKind::PaymentRequired,
        ),
        (
            "You have reached your specified API usage limits",
            FailureKind::SpendCap,
        ),
        (
            "prompt is too long: 210000 tokens > 200000",
            FailureKind::TooLarge,
        ),
        (
            "messages: at least one is required",
            FailureKind::BadRequest,
        ),
    ];
    for (message, expected) in forms {
        let body = anthropic_error("invalid_request_error", message);
        let error = Shape::Anthropic.error(head(400), &body);
        assert_eq!(error.failure.kind, expected, "{message}");
    }
}

fn gemini_error(code: u16, status: &str, details: &Value) -> Value {
    json!({"error": {"code": code, "message": "why", "status": status, "details": details}})
}

fn read_gemini(status: u16, body: &Value) -> Failure {
    let body = body.to_string();
    Shape::Gemini.error(head(status), body.as_bytes()).failure
}

#[test]
fn each_error_of_gemini_is_its_kind() {
    let forms = [
        (400, "INVALID_ARGUMENT", FailureKind::BadRequest),
        (400, "FAILED_PRECONDITION", FailureKind::BadRequest),
        (401, "UNAUTHENTICATED", FailureKind::Unauthorized),
        (403, "PERMISSION_DENIED", FailureKind::Forbidden),
        (404, "NOT_FOUND", FailureKind::ModelNotFound),
        (429, "RESOURCE_EXHAUSTED", FailureKind::RateLimited),
        (499, "CANCELLED", FailureKind::BadGateway),
        (500, "INTERNAL", FailureKind::InternalError),
        (503, "UNAVAILABLE", FailureKind::Unavailable),
        (504, "DEADLINE_EXCEEDED", FailureKind::GatewayTimeout),
        (502, "", FailureKind::BadGateway),
    ];
    for (code, status, expected) in forms {
        let failure = read_gemini(code, &gemini_error(code, status, &json!([])));
        assert_eq!(failure, expected.into(), "{code} {status}");
    }
}

/// The four forms of a 429 that users have shown: quota with a wait, bare, help only, and the
/// shared capacity of Vertex, in a list.
#[test]
fn each_429_of_gemini() {
    let quota = json!([
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{}]},
        {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "26s"},
    ]);
    let help = json!([{"@type": "type.googleapis.com/google.rpc.Help", "links": []}]);
    let bare = json!({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}});
    let limited = |body| {
        let failure = read_gemini(429, body);
        assert_eq!(failure.kind, FailureKind::RateLimited, "{body}");
        failure.retry_after
    };
    let with_wait = gemini_error(429, "RESOURCE_EXHAUSTED", &quota);
    assert_eq!(limited(&with_wait), Some(Duration::from_secs(26)));
    assert_eq!(limited(&bare), None);
    let without = gemini_error(429, "RESOURCE_EXHAUSTED", &help);
    assert_eq!(limited(&without), None);
    assert_eq!(limited(&json!([bare])), None);
}

#[test]
fn a_key_that_gemini_calls_invalid_is_an_account_fault() {
    let details = json!([{"@type": "x/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
    let failure = read_gemini(400, &gemini_error(400, "INVALID_ARGUMENT", &details));
    assert_eq!(failure.kind, FailureKind::Unauthorized);
}

#[test]
fn tokens_of_anthropic_hold_what_was_read_from_and_written_to_its_cache() {
    let body = br#"{"id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi"},
        {"type": "text", "text": "!"}], "stop_reason": "end_turn", "usage": {"input_tokens": 28,
        "cache_creation_input_tokens": 100, "cache_read_input_tokens": 50, "output_tokens": 93}}"#;
    let answer = Shape::Anthropic.answer(body).unwrap();
    assert_eq!((answer.text.as_str(), answer.finish), ("Hi!", Finish::Done));
    assert_eq!(answer.usage, usage(178, 50, 93));
}

#[test]
fn tokens_of_gemini_hold_thoughts_and_tools() {
    let body = br#"{"candidates": [{"content": {"parts": [{"text": "hm", "thought": true},
        {"text": "Hi"}], "role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}],
        "usageMetadata": {"promptTokenCount": 971, "cachedContentTokenCount": 300,
        "candidatesTokenCount": 2204, "thoughtsTokenCount": 2486, "toolUsePromptTokenCount": 7},
        "modelVersion": "gemini", "responseId": "r"}"#;
    let answer = Shape::Gemini.answer(body).unwrap();
    assert_eq!(
        (answer.text.as_str(), answer.finish),
        ("Hi", Finish::Length)
    );
    assert_eq!(answer.usage, usage(978, 300, 4690));
}

#[test]
fn a_blocked_prompt_is_an_answer() {
    let body = br#"{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata":
        {"promptTokenCount": 4}}"#;
    let answer = Shape::Gemini.answer(body).unwrap();
    assert_eq!((answer.text.as_str(), answer.finish), ("", Finish::Refused));
}

#[test]
fn a_body_that_is_no_answer_is_the_upstreams_fault() {
    let bodies: [&[u8]; 6] = [
        b"",
        b"{",
        b"[]",
        b"<html>",
        b"{\"candidates\": []}",
        b"\xff\xfe",
    ];
    for shape in [Shape::Anthropic, Shape::Gemini] {
        for body in bodies {
            let error = shape.answer(body).unwrap_err();
            assert_eq!(
                error.failure.kind,
                FailureKind::BadGateway,
                "{shape:?} {body:?}"
            );
        }
    }
    let cut = br#"{"candidates": [{"content": {"parts": [{"text": "Hi"}]}}]}"#;
    assert!(
        Shape::Gemini.answer(cut).is_err(),
        "without a finishReason it was cut short"
    );
}

/// A stream of Anthropic: its events, named after their types. Real ones pad their lines.
fn anthropic_stream() -> String {
    let usage = json!({"input_tokens": 28, "cache_read_input_tokens": 2, "output_tokens": 1});
    let message = json!({"id": "msg_1", "model": "claude", "usage": usage});
    let delta = |delta| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let events = [
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}),
        json!({"type": "ping"}),
        delta(json!({"type": "text_delta", "text": "Héllo"})),
        delta(json!({"type": "thinking_delta", "thinking": "hm"})),
        json!({"type": "content_block_stop", "index": 0}),
        json!({
            "type": "message_delta", "delta": {"stop_reason": "max_tokens"},
            "usage": {"output_tokens": 93},
        }),
        json!({"type": "message_stop"}),
    ];
    let frame = |event: &Value| {
        let name = event["type"].as_str().unwrap_or_default();
        format!("event: {name}\ndata: {event}   \n\n")
    };
    events.iter().map(frame).collect()
}

fn gemini_stream() -> String {
    let frame = |candidate: Value, output: Value| {
        let usage = json!({"promptTokenCount": 11, "candidatesTokenCount": output});
        let frame = json!({
            "candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini",
            "responseId": "r",
        });
        format!("data: {frame}\r\n\r\n")
    };
    let text = |text| json!({"content": {"parts": [{"text": text}], "role": "model"}, "index": 0});
    let last = json!({"finishReason": "STOP", "index": 0});
    [
        frame(text("Hel"), json!(0)),
        frame(text("lö"), json!(66)),
        frame(last, json!(143)),
    ]
    .concat()
}

const fn usage(input: u32, cached_input: u32, output: u32) -> Usage {
    Usage {
        input,
        cached_input,
        output,
    }
}

fn parts<'a>(shape: Shape, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<StreamPart> {
    let mut reader = StreamReader::new(shape);
    pieces.into_iter().for_each(|piece| reader.push(piece));
    reader.end();
    std::iter::from_fn(|| reader.next_part()).collect()
}

fn begin(id: &str, model: &str) -> StreamPart {
    let (id, model) = (id.to_owned(), model.to_owned());
    StreamPart::Begin { id, model }
}

#[test]
fn a_stream_of_anthropic() {
    assert_eq!(
        parts(Shape::Anthropic, [anthropic_stream().as_bytes()]),
        [
            begin("msg_1", "claude"),
            StreamPart::Usage(usage(30, 2, 0)),
            StreamPart::Text("Héllo".into()),
            StreamPart::Beyond,
            StreamPart::Usage(usage(30, 2, 93)),
            StreamPart::Finish(Finish::Length),
            StreamPart::End,
        ]
    );
}

#[test]
fn a_stream_of_gemini() {
    assert_eq!(
        parts(Shape::Gemini, [gemini_stream().as_bytes()]),
        [
            begin("r", "gemini"),
            StreamPart::Usage(usage(11, 0, 0)),
            StreamPart::Text("Hel".into()),
            StreamPart::Usage(usage(11, 0, 66)),
            StreamPart::Text("lö".into()),
            StreamPart::Usage(usage(11, 0, 143)),
            StreamPart::Finish(Finish::Done),
            StreamPart::End,
        ]
    );
}

fn failure(shape: Shape, stream: &str) -> (bool, FailureKind) {
    let parts = parts(shape, [stream.as_bytes()]);
    let content = |part: &StreamPart| matches!(part, StreamPart::Text(_) | StreamPart::Beyond);
    match parts.last() {
        Some(StreamPart::Failed(error)) => (parts.iter().any(content), error.failure.kind),
        last => panic!("it ended with {last:?}"),
    }
}

#[test]
fn an_error_event_before_anything_is_that_error_and_later_a_broken_stream() {
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\
        \"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let first = failure(Shape::Anthropic, error);
    assert_eq!(first, (false, FailureKind::Overloaded));
    let stream = anthropic_stream();
    let at = stream.find("event: content_block_stop").unwrap();
    let late = failure(Shape::Anthropic, &format!("{}{error}", &stream[..at]));
    assert_eq!(late, (true, FailureKind::BrokenStream));
    let error = "data: {\"error\": {\"code\": 503, \"status\": \"UNAVAILABLE\"}}\n\n";
    let first = failure(Shape::Gemini, error);
    assert_eq!(first, (false, FailureKind::Unavailable));
}

proptest! {
    #[test]
    fn a_stream_may_be_cut_into_any_pieces(cuts in prop::collection::vec(0usize..2000, 0..30)) {
        for (shape, stream) in [
            (Shape::Anthropic, anthropic_stream()),
            (Shape::Gemini, gemini_stream()),
        ] {
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % bytes.len()).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let cut = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            prop_assert_eq!(parts(shape, cut), parts(shape, [bytes]));
        }
    }

    /// Whatever the place at which a stream ends too early, it ends with a failure, and exactly
    /// one: never as a whole answer.
    #[test]
    fn a_stream_cut_short_is_never_a_whole_answer(share in 0.0..1.0f64) {
        for (shape, stream, last) in [
            (Shape::Anthropic, anthropic_stream(), "data: {\"type\":\"message_stop\"}"),
            (Shape::Gemini, gemini_stream(), "\"finishReason\""),
        ] {
            let end = (stream.rfind(last).unwrap() as f64 * share) as usize;
            let parts = parts(shape, [&stream.as_bytes()[..end]]);
            let over = |part: &StreamPart| matches!(part, StreamPart::End | StreamPart::Failed(_));
            prop_assert!(matches!(parts.last(), Some(StreamPart::Failed(_))));
            prop_assert_eq!(parts.iter().filter(|part| over(part)).count(), 1);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), status in 0u16..1000) {
        for shape in [Shape::Anthropic, Shape::Gemini] {
            let _ = shape.answer(&bytes);
            let _ = shape.error(head(status), &bytes);
            let framed = [b"data: ", &bytes[..], b"\n\n"].concat();
            parts(shape, [&framed[..]]);
        }
    }

    #[test]
    fn any_json_is_read_without_panic(json in json_value()) {
        let text = json.to_string();
        for shape in [Shape::Anthropic, Shape::Gemini] {
            let _ = shape.answer(text.as_bytes());
            let _ = shape.error(head(500), text.as_bytes());
            let framed = format!("data: {text}\n\n");
            parts(shape, [framed.as_bytes()]);
        }
    }
}

/// JSON whose keys are those that the readers look for.
fn json_value() -> impl Strategy<Value = Value> {
    const KEYS: [&str; 17] = [
        "type",
        "error",
        "message",
        "details",
        "usage",
        "content",
        "text",
        "delta",
        "candidates",
        "parts",
        "finishReason",
        "usageMetadata",
        "code",
        "status",
        "id",
        "model",
        "stop_reason",
    ];
    let words = [
        "message_start",
        "message_delta",
        "error",
        "message",
        "STOP",
        "26s",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let key = prop::sample::select(KEYS.to_vec()).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn from_openai(body: &Value) -> ChatRequest {
    client::request(Dialect::OpenAi, body.to_string().as_bytes()).unwrap()
}

fn sent(shape: Shape, request: &ChatRequest, model: &str) -> (String, Value) {
    let ProviderRequest { path, body, .. } = shape.request(request, model).unwrap();
    (path, serde_json::from_slice(&body).unwrap())
}

#[test]
fn one_request_in_the_shape_of_each_provider() {
    let request = from_openai(&json!({
        "model": "fast",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ]},
            {"role": "assistant", "content": "A cat."},
            {"role": "user", "content": "Sure?"},
        ],
        "max_tokens": 100, "temperature": 1.5, "stop": "END", "stream": true,
    }));
    let (path, body) = sent(Shape::Anthropic, &request, "claude-sonnet-5");
    assert_eq!(path, "/v1/messages");
    let image = json!({"type": "base64", "media_type": "image/png", "data": "AAAA"});
    assert_eq!(
        body,
        json!({
            "model": "claude-sonnet-5", "system": "Be brief.", "max_tokens": 100,
            "temperature": 1.0, "stop_sequences": ["END"], "stream": true,
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "What is it?"}, {"type": "image", "source": image},
                ]},
                {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]},
                {"role": "user", "content": [{"type": "text", "text": "Sure?"}]},
            ],
        })
    );
    let (path, body) = sent(Shape::Gemini, &request, "gemini-2.5-flash");
    let streamed = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse";
    assert_eq!(path, streamed);
    let image = json!({"inline_data": {"mime_type": "image/png", "data": "AAAA"}});
    assert_eq!(
        body,
        json!({
            "system_instruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "What is it?"}, image]},
                {"role": "model", "parts": [{"text": "A cat."}]},
                {"role": "user", "parts": [{"text": "Sure?"}]},
            ],
            "generationConfig": {
                "maxOutputTokens": 100, "temperature": 1.5, "stopSequences": ["END"],
            },
        })
    );
}

#[test]
fn the_clients_own_words_go_to_a_provider_of_its_dialect() {
    let body = json!({
        "model": "smart", "max_tokens": 5, "tools": [{"name": "look", "input_schema": {}}],
        "thinking": {"type": "enabled", "budget_tokens": 2000}, "a_field_of_tomorrow": [1, 2],
        "messages": [{"role": "user", "content": [
            {"type": "document", "source": {"type": "url", "url": "https://example.org"}},
        ]}],
    });
    let request = client::request(Dialect::Anthropic, body.to_string().as_bytes()).unwrap();
    let (_, upstream) = sent(Shape::Anthropic, &request, "claude-opus");
    let mut expected = body;
    expected["model"] = json!("claude-opus");
    assert_eq!(upstream, expected);
    let error = Shape::Gemini.request(&request, "gemini").unwrap_err();
    let fields = ["a_field_of_tomorrow", "messages", "thinking", "tools"];
    assert_eq!(error.fields, fields);
}

#[test]
fn a_models_name_cannot_name_another_path() {
    let text = Part::Text("Hi".into());
    let mut request = from_openai(&json!({
        "model": "m", "messages": [{"role": "user", "content": "Hi"}],
    }));
    let (path, _) = sent(Shape::Gemini, &request, "../x?key=1#é");
    assert_eq!(
        path,
        "/v1beta/models/..%2Fx%3Fkey%3D1%23%C3%A9:generateContent"
    );
    let role = Role::User;
    assert_eq!(
        request.messages,
        [Message {
            role,
            parts: vec![text]
        }]
    );
    request.max_output_tokens = None;
    let (_, body) = sent(Shape::Anthropic, &request, "m");
    assert_eq!(body["max_tokens"], 4096, "the interface demands a limit");
}
