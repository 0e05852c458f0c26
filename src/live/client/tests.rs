//! Requests, answers and errors in both dialects; what is written in Anthropic's is read back by
//! the reader of Anthropic's own answers.

use super::*;
use crate::live::chat::{Finish, Message, Part, Role, UpstreamError};
use crate::live::provider::{Shape, StreamReader};
use crate::live::sse::{Event, Parser};
use proptest::prelude::*;
use serde_json::json;

fn read(dialect: Dialect, body: &Value) -> Result<ChatRequest, ClientError> {
    request(dialect, body.to_string().as_bytes())
}

#[test]
fn the_same_question_in_both_dialects_is_one_request() {
    let ours = read(
        Dialect::Anthropic,
        &json!({
            "model": "m", "max_tokens": 9, "temperature": 0, "top_p": 0.5, "system": "Brief.",
            "stop_sequences": ["a", "b"], "metadata": {"user_id": "u"},
            "messages": [{"role": "user", "content": "Hi"}],
        }),
    )
    .unwrap();
    let theirs = read(
        Dialect::OpenAi,
        &json!({
            "model": "m", "max_completion_tokens": 9, "temperature": 0.0, "top_p": 0.5,
            "stop": ["a", "b"], "user": "u", "n": 1, "stream": true,
            "messages": [
                {"role": "developer", "content": "Brief."},
                {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            ],
        }),
    )
    .unwrap();
    let said = |request: &ChatRequest| {
        let ChatRequest {
            model,
            system,
            messages,
            max_output_tokens,
            ..
        } = request.clone();
        let sampling = (request.temperature, request.top_p, request.stop.clone());
        (model, system, messages, max_output_tokens, sampling)
    };
    assert_eq!(said(&ours), said(&theirs));
    assert_eq!(ours.cache_key(), theirs.cache_key());
    assert!(ours.is_repeatable());
}

#[test]
fn what_bears_on_the_answer_bears_on_the_cache_key() {
    let base = json!({
        "model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}],
    });
    let key = |change: &Value| {
        let mut body = base.clone();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        read(Dialect::Anthropic, &body).unwrap().cache_key()
    };
    let same = key(&json!({}));
    for change in [
        json!({"stream": true}),
        json!({"metadata": {"user_id": "x"}}),
    ] {
        assert_eq!(key(&change), same, "{change}");
    }
    for change in [
        json!({"model": "n"}),
        json!({"max_tokens": 10}),
        json!({"temperature": 0.0}),
        json!({"system": "Hi"}),
        json!({"messages": [{"role": "assistant", "content": "Hi"}]}),
        json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "H"}, {"type": "text", "text": "i"},
        ]}]}),
        json!({"tools": [{"name": "look"}]}),
        json!({"top_k": 3}),
    ] {
        assert_ne!(key(&change), same, "{change}");
    }
}

fn refused(dialect: Dialect, body: &Value) -> String {
    let error = read(dialect, body).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    error.message
}

#[test]
fn an_error_names_its_field() {
    let anthropic = |body| refused(Dialect::Anthropic, &body);
    let hi = json!([{"role": "user", "content": "Hi"}]);
    let cases = [
        (
            json!({"max_tokens": 1, "messages": hi}),
            "model: is required",
        ),
        (
            json!({"model": "m", "messages": hi}),
            "max_tokens: is required",
        ),
        (
            json!({"model": "m", "max_tokens": 0, "messages": hi}),
            "max_tokens: must be a whole number of at least 1",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": []}),
            "messages: must have at least one message",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": "Hi"}),
            "messages: must be a list",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "tool", "content": ""}]}),
            "messages.0.role: must be \"user\" or \"assistant\"",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "temperature": 2, "messages": hi}),
            "temperature: must be a number from 0 to 1",
        ),
        (
            json!({"model": 7, "max_tokens": 1, "messages": hi}),
            "model: must be a string",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "stream": "yes", "messages": hi}),
            "stream: must be true or false",
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [
                {"role": "user", "content": [{"type": "text"}]},
            ]}),
            "messages.0.content.0.text: is required",
        ),
    ];
    for (body, message) in cases {
        assert_eq!(anthropic(body), message);
    }
    let error = request(Dialect::OpenAi, b"{\"model\": ").unwrap_err();
    assert!(
        error.message.starts_with("the body is not JSON: "),
        "{error:?}"
    );
    assert_eq!(
        request(Dialect::OpenAi, b"[]").unwrap_err().message,
        "the body must be a JSON object"
    );
}

#[test]
fn what_cannot_be_carried_over_is_refused_by_name() {
    let with = |name: &str, value: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
        body[name] = value;
        read(Dialect::OpenAi, &body)
    };
    for (name, value) in [
        ("tools", json!([{"type": "function"}])),
        ("n", json!(2)),
        ("logprobs", json!(true)),
        ("response_format", json!({"type": "json_object"})),
        ("a_field_of_tomorrow", json!(1)),
        ("presence_penalty", json!(0.5)),
    ] {
        assert_eq!(with(name, value).unwrap_err().field.as_deref(), Some(name));
    }
    for (name, value) in [
        ("tools", json!([])),
        ("n", json!(1)),
        ("logprobs", json!(false)),
        ("response_format", json!({"type": "text"})),
        ("seed", json!(null)),
        ("user", json!("u")),
        ("presence_penalty", json!(0)),
    ] {
        assert!(with(name, value).is_ok(), "{name}");
    }
}

#[test]
fn the_gateway_fetches_nothing_at_a_clients_word() {
    let image = |url: &str| {
        let part = json!({"type": "image_url", "image_url": {"url": url}});
        let messages = json!([{"role": "user", "content": [part]}]);
        read(
            Dialect::OpenAi,
            &json!({"model": "m", "messages": messages}),
        )
    };
    let (media_type, data) = ("image/png".into(), "AAAA".into());
    let parts = vec![Part::Image { media_type, data }];
    let role = Role::User;
    let read = image("data:image/png;base64,AAAA").unwrap();
    assert_eq!(read.messages, [Message { role, parts }]);
    for url in [
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "data:x",
    ] {
        let error = image(url).unwrap_err();
        let field = "messages.0.content.0.image_url.url";
        assert_eq!(error.field.as_deref(), Some(field));
    }
}

fn an_answer() -> Answer {
    Answer {
        id: "a".into(),
        model: "m".into(),
        text: "Hi".into(),
        finish: Finish::Length,
        usage: Usage {
            input: 30,
            cached_input: 10,
            output: 7,
        },
    }
}

/// A whole answer in Anthropic's dialect is read by the reader of Anthropic's own answers.
#[test]
fn an_answer_in_anthropics_dialect_is_one_of_anthropics() {
    let written = answer(Dialect::Anthropic, &an_answer(), 0);
    assert_eq!(Shape::Anthropic.answer(&written).unwrap(), an_answer());
}

#[test]
fn an_answer_in_openais_dialect() {
    let written: Value = serde_json::from_slice(&answer(Dialect::OpenAi, &an_answer(), 5)).unwrap();
    assert_eq!(written["object"], "chat.completion");
    assert_eq!(written["created"], 5);
    assert_eq!(written["choices"][0]["message"]["content"], "Hi");
    assert_eq!(written["choices"][0]["finish_reason"], "length");
    assert_eq!(
        written["usage"],
        json!({
            "prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37,
            "prompt_tokens_details": {"cached_tokens": 10},
        })
    );
}

fn asked(dialect: Dialect, stream_usage: bool) -> ChatRequest {
    ChatRequest {
        model: "m".into(),
        system: None,
        messages: vec![],
        max_output_tokens: None,
        temperature: None,
        top_p: None,
        top_k: None,
        stop: vec![],
        stream: true,
        stream_usage,
        beyond: vec![],
        dialect,
        body: serde_json::Map::new(),
    }
}

fn written(request: &ChatRequest, parts: &[StreamPart]) -> Vec<u8> {
    let (mut writer, mut out) = (StreamWriter::new(request, 5), vec![]);
    parts.iter().for_each(|part| writer.write(part, &mut out));
    out
}

fn stream_parts() -> Vec<StreamPart> {
    let usage = |output| {
        StreamPart::Usage(Usage {
            input: 30,
            cached_input: 10,
            output,
        })
    };
    vec![
        StreamPart::Begin {
            id: "a".into(),
            model: "m".into(),
        },
        usage(0),
        StreamPart::Text("Hé\n".into()),
        StreamPart::Text("llo".into()),
        usage(7),
        StreamPart::Finish(Finish::Length),
        StreamPart::End,
    ]
}

/// A stream in Anthropic's dialect, read by the reader of Anthropic's own streams, is what was
/// written.
#[test]
fn a_stream_in_anthropics_dialect_is_one_of_anthropics() {
    let stream = written(&asked(Dialect::Anthropic, true), &stream_parts());
    let mut reader = StreamReader::new(Shape::Anthropic);
    reader.push(&stream);
    reader.end();
    let read: Vec<StreamPart> = std::iter::from_fn(|| reader.next_part()).collect();
    assert_eq!(read, stream_parts());
}

fn frames(stream: &[u8]) -> Vec<String> {
    let mut parser = Parser::default();
    parser.push(stream).unwrap();
    let events = std::iter::from_fn(|| parser.next_event());
    events.map(|Event { data, .. }| data).collect()
}

#[test]
fn a_stream_in_openais_dialect() {
    let told = frames(&written(&asked(Dialect::OpenAi, true), &stream_parts()));
    let json: Vec<Value> = told[..told.len() - 1]
        .iter()
        .map(|frame| serde_json::from_str(frame).unwrap())
        .collect();
    let delta = |at: usize| json[at]["choices"][0]["delta"].clone();
    assert_eq!(delta(0), json!({"role": "assistant", "content": ""}));
    assert_eq!(delta(1), json!({"content": "Hé\n"}));
    assert_eq!(delta(2), json!({"content": "llo"}));
    assert_eq!(json[3]["choices"][0]["finish_reason"], "length");
    assert_eq!(json[4]["choices"], json!([]));
    assert_eq!(json[4]["usage"]["total_tokens"], 37);
    assert_eq!(told.last().unwrap(), "[DONE]");
    assert!(
        json.iter()
            .all(|frame| frame["id"] == "a" && frame["created"] == 5)
    );
    let silent = frames(&written(&asked(Dialect::OpenAi, false), &stream_parts()));
    assert_eq!(silent.len(), told.len() - 1, "usage is told on demand");
}

#[test]
fn a_failure_in_the_middle_is_an_error_in_the_clients_dialect() {
    let failed = StreamPart::Failed(UpstreamError {
        failure: FailureKind::BrokenStream.into(),
        message: "gone".into(),
    });
    let parts = [StreamPart::Text("Hi".into()), failed];
    let last = |dialect| {
        let frames = frames(&written(&asked(dialect, false), &parts));
        serde_json::from_str::<Value>(frames.last().unwrap()).unwrap()
    };
    let error = json!({"type": "api_error", "message": "gone"});
    assert_eq!(
        last(Dialect::Anthropic),
        json!({"type": "error", "error": error})
    );
    assert_eq!(last(Dialect::OpenAi)["error"]["type"], "server_error");
}

/// What is wrong with an account is never told as if it were the client's key.
#[test]
fn every_failure_has_an_answer_and_accounts_are_nobodys_business() {
    for kind in FailureKind::ALL {
        let error = ClientError::of_failure(*kind, "sk-secret organisation 42");
        for dialect in [Dialect::Anthropic, Dialect::OpenAi] {
            let status = error.status(dialect);
            assert!((400..=599).contains(&status) && ![401, 402, 403].contains(&status));
            let body: Value = serde_json::from_slice(&error.body(dialect, "req_1")).unwrap();
            assert!(body["error"]["message"].is_string());
        }
    }
    let fault = ClientError::of_failure(FailureKind::SpendCap, "organisation 42");
    assert!(!fault.message.contains("42"));
}

/// An error that the proxy writes in Anthropic's dialect is read back as the failure it stands for.
#[test]
fn errors_in_anthropics_dialect_are_anthropics() {
    use FailureKind as K;
    for kind in [
        K::BadRequest,
        K::ModelNotFound,
        K::TooLarge,
        K::RateLimited,
        K::InternalError,
        K::Overloaded,
        K::GatewayTimeout,
    ] {
        let error = ClientError::of_failure(kind, "why");
        let head = crate::live::provider::Head {
            status: error.status(Dialect::Anthropic),
            ..Default::default()
        };
        let body = error.body(Dialect::Anthropic, "req_1");
        assert_eq!(Shape::Anthropic.error(head, &body).failure.kind, kind);
    }
}

#[test]
fn a_client_never_comes_back_too_early() {
    let mut error = ClientError::new(ErrorKind::RateLimited, "later");
    assert_eq!(error.retry_after_seconds(), None);
    for (nanos, seconds) in [(0, 0), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2)] {
        error.retry_after = Some(Duration::from_nanos(nanos));
        assert_eq!(error.retry_after_seconds(), Some(seconds));
    }
}

proptest! {
    #[test]
    fn no_body_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = request(Dialect::Anthropic, &bytes);
        let _ = request(Dialect::OpenAi, &bytes);
    }
}
