//! Every end that an answer can have, fed byte by byte.

use super::*;

fn read(status: u16, dialect: LoadDialect, streaming: bool, body: &str) -> (Outcome, Usage) {
    let mut reader = AnswerReader::new(status, dialect, streaming);
    for byte in body.as_bytes() {
        reader.push(&[*byte]);
    }
    let outcome = reader.end();
    (outcome, reader.usage())
}

fn told(status: u16, dialect: LoadDialect, streaming: bool, body: &str) -> String {
    read(status, dialect, streaming, body).0.to_string()
}

const CHUNK: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\\n\"}}]}\n\n";

#[test]
fn an_openai_stream_ends_with_done() {
    let of = |body: &str| told(200, LoadDialect::OpenAi, true, body);
    let usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n";
    let whole = format!("{CHUNK}{usage}data: [DONE]\n\n");
    let (outcome, tokens) = read(200, LoadDialect::OpenAi, true, &whole);
    assert_eq!(outcome, Outcome::Ok);
    assert_eq!((tokens.input, tokens.output), (9, 4));
    assert_eq!(of(CHUNK), "broken answer: cut short");
    assert_eq!(of(""), "broken answer: cut short");
    let error = "data: {\"error\":{\"type\":\"server_error\",\"message\":\"m\"}}\n\n";
    assert_eq!(
        of(&format!("{CHUNK}{error}")),
        "broken answer: server_error"
    );
    // An error is one, whatever follows.
    let both = format!("{error}data: [DONE]\n\n");
    assert_eq!(of(&both), "broken answer: server_error");
    assert!(of("data: nonsense\n\ndata: [DONE]\n\n").starts_with("broken"));
}

#[test]
fn the_first_token_is_content_and_not_a_frame() {
    let mut reader = AnswerReader::new(200, LoadDialect::OpenAi, true);
    reader.push(b"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n");
    assert!(!reader.has_content());
    reader.push(CHUNK.as_bytes());
    assert!(reader.has_content());
    let mut reader = AnswerReader::new(200, LoadDialect::Anthropic, true);
    reader.push(b"event: ping\ndata: {\"type\": \"ping\"}\n\n");
    assert!(!reader.has_content());
}

#[test]
fn a_whole_answer_must_be_one() {
    let of = |body: &str| told(200, LoadDialect::OpenAi, false, body);
    let choice = r#"{"choices":[{"message":{"role":"assistant","content":"x"}}]}"#;
    assert_eq!(of(choice), "ok");
    for body in [
        "",
        "{",
        r#"{"choices":[]}"#,
        r#"{"choices":[{}]}"#,
        r#"{"error":{}}"#,
    ] {
        assert!(of(body).starts_with("broken answer"), "{body}");
    }
    let error = r#"{"type":"error","error":{"type":"api_error","message":"m"}}"#;
    let of = |body| told(200, LoadDialect::Anthropic, false, body);
    assert!(of(error).starts_with("broken answer"));
}

#[test]
fn errors_are_named_in_every_dialect() {
    let of = |body| told(529, LoadDialect::Anthropic, true, body);
    let anthropic = r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#;
    assert_eq!(of(anthropic), "status 529 overloaded_error");
    let google = r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#;
    assert_eq!(of(google), "status 529 UNAVAILABLE");
    assert_eq!(of("<html>"), "status 529");
    let long = format!(r#"{{"error":{{"type":"{}"}}}}"#, "x".repeat(1000));
    assert_eq!(of(&long).len(), "status 529 ".len() + MOST_OF_KIND);
}
