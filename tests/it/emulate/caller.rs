//! A client of emulated providers, which reads answers as the proxy does.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use routelab::live::chat::StreamPart;
use routelab::live::provider::{Head, Shape, StreamReader};
use routelab::request::{Failure, FailureKind, Usage};
use serde_json::json;

/// What is asked.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) shape: Shape,
    /// Base URL of the account.
    pub(super) url: String,
    pub(super) model: &'static str,
    pub(super) streaming: bool,
    pub(super) number: Option<u64>,
    pub(super) key: Option<String>,
}

/// What came back.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Heard {
    pub(super) outcome: Result<(), Failure>,
    /// As far as it was told.
    pub(super) usage: Usage,
    /// Pieces of text.
    pub(super) texts: usize,
    pub(super) headers: HeaderMap,
}

#[derive(Clone)]
pub(super) struct Caller(Client<HttpConnector, Full<Bytes>>);

impl Question {
    pub(super) fn new(shape: Shape, url: &str, model: &'static str) -> Self {
        Self {
            shape,
            url: url.to_owned(),
            model,
            streaming: false,
            number: None,
            key: None,
        }
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let (path, body) = match self.shape {
            Shape::Anthropic => {
                let messages = [json!({"role": "user", "content": "Hello"})];
                let body = json!({"model": self.model, "max_tokens": 4096,
                    "stream": self.streaming, "messages": messages});
                ("/v1/messages".to_owned(), body)
            }
            Shape::Gemini => {
                let method = if self.streaming {
                    "streamGenerateContent?alt=sse"
                } else {
                    "generateContent"
                };
                let contents = [json!({"role": "user", "parts": [{"text": "Hello"}]})];
                let path = format!("/v1beta/models/{}:{method}", self.model);
                (path, json!({"contents": contents}))
            }
        };
        let mut request = Request::post(format!("{}{path}", self.url));
        if let Some(number) = self.number {
            request = request.header("x-request-id", number);
        }
        if let Some(key) = &self.key {
            request = request.header(self.shape.key_header(), key);
        }
        let body = Full::new(Bytes::from(body.to_string()));
        request.body(body).expect("a sound request")
    }
}

impl Caller {
    /// Over HTTP/1.1, or HTTP/2 without negotiation.
    pub(super) fn new(http2: bool) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.http2_only(http2).retry_canceled_requests(false);
        Self(builder.build_http())
    }

    pub(super) async fn ask(&self, question: &Question) -> Heard {
        let Ok(response) = self.0.request(question.request()).await else {
            return Heard::failed(FailureKind::Connection, HeaderMap::new());
        };
        let (head, mut body) = response.into_parts();
        let (mut bytes, mut whole) = (vec![], true);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
        let (shape, headers) = (question.shape, head.headers);
        if !head.status.is_success() {
            let retry_after = headers.get("retry-after").and_then(|v| v.to_str().ok());
            let error_head = Head {
                status: head.status.as_u16(),
                retry_after,
                date: None,
            };
            let failure = shape.error(error_head, &bytes).failure;
            return Heard {
                outcome: Err(failure),
                ..Heard::failed(failure.kind, headers)
            };
        }
        if question.streaming {
            return streamed(shape, &bytes, headers);
        }
        if !whole {
            return Heard::failed(FailureKind::BrokenStream, headers);
        }
        let answer = shape.answer(&bytes).expect("a whole answer");
        Heard {
            outcome: Ok(()),
            usage: answer.usage,
            texts: 1,
            headers,
        }
    }

    /// A call with any path, method and body; the status and the whole body.
    pub(super) async fn raw(&self, method: &str, url: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let body = Full::new(Bytes::copy_from_slice(body));
        let request = Request::builder().method(method).uri(url).body(body);
        let response = self.0.request(request.expect("a sound request")).await;
        let response: Response<_> = response.expect("an answer");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a whole body");
        (status, body.to_bytes().to_vec())
    }
}

impl Heard {
    fn failed(kind: FailureKind, headers: HeaderMap) -> Self {
        Self {
            outcome: Err(kind.into()),
            usage: Usage::default(),
            texts: 0,
            headers,
        }
    }

    pub(super) fn kind(&self) -> Option<FailureKind> {
        self.outcome.err().map(|failure| failure.kind)
    }
}

fn streamed(shape: Shape, bytes: &[u8], headers: HeaderMap) -> Heard {
    let mut reader = StreamReader::new(shape);
    reader.push(bytes);
    reader.end();
    let usage = reader.usage();
    let (mut outcome, mut texts) = (Ok(()), 0);
    while let Some(part) = reader.next_part() {
        match part {
            StreamPart::Text(text) if !text.is_empty() => texts += 1,
            StreamPart::Failed(error) => outcome = Err(error.failure),
            _ => {}
        }
    }
    Heard {
        outcome,
        usage,
        texts,
        headers,
    }
}
