//! One call: from its head and body to what the account's model makes of it.

use super::board::Stage;
use super::body::{Answer, Cut};
use super::line::Switch;
use super::question::{Endpoint, Question, Refusal, decoded};
use super::wire::{self, Reply, Wire, Writer};
use super::world::{Attempt, World};
use super::{REQUEST_NUMBER, key};
use crate::live::provider::Shape;
use crate::request::{
    AccountIndex, ClassIndex, FailureKind, ModelIndex, Request as ModelRequest, RequestFeatures,
    RequestId, Usage,
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most bytes of a body, as Anthropic documents it: 32 MB.
const MOST_BYTES: usize = 32 << 20;

/// Output tokens of a request that is not the workload's, unless it asks for fewer.
const DEFAULT_OUTPUT: u32 = 256;

/// All accounts behind one address.
pub(super) struct Service {
    pub(super) world: Arc<World>,
    /// By name.
    pub(super) accounts: BTreeMap<String, (AccountIndex, Shape)>,
    /// By name.
    pub(super) models: BTreeMap<String, ModelIndex>,
    pub(super) require_keys: bool,
}

/// A call whose account is known.
struct Call<'a> {
    account: AccountIndex,
    shape: Shape,
    name: &'a str,
    path: &'a str,
    query: &'a str,
}

impl Service {
    /// Answers a call.
    ///
    /// # Errors
    /// If the connection, or in HTTP/2 the stream, is to end without an answer.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        switch: &Switch,
    ) -> Result<Response<Answer>, Cut> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let named = path.strip_prefix('/').unwrap_or(path);
        let (name, rest) = named.split_at(named.find('/').unwrap_or(named.len()));
        let name = decoded(name).unwrap_or_default();
        let Some(&(account, shape)) = self.accounts.get(&name) else {
            let message = "no such account: the path must begin with an account's id";
            let refusal = Refusal::new(FailureKind::ModelNotFound, message);
            return Ok(self.refuse(Shape::Anthropic, &refusal));
        };
        let call = Call {
            account,
            shape,
            name: &name,
            path: rest,
            query: head.uri.query().unwrap_or_default(),
        };
        let endpoint = match self.admit(&call, &head.method, &head.headers) {
            Ok(endpoint) => endpoint,
            Err(refusal) => return Ok(self.refuse(shape, &refusal)),
        };
        let question = match read(body).await? {
            Ok(body) => endpoint.question(&body),
            Err(refusal) => Err(refusal),
        };
        let question = match question {
            Ok(question) => question,
            Err(refusal) => return Ok(self.refuse(shape, &refusal)),
        };
        let reset = || {
            if head.version <= Version::HTTP_11 {
                switch.reset();
            }
            Cut
        };
        let outcome = self.ask(&call, number(&head.headers), question).await;
        outcome.ok_or_else(reset)
    }

    /// Whether a call has the method, the key and the path that an account takes.
    fn admit(
        &self,
        call: &Call,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Endpoint, Refusal> {
        if self.require_keys {
            let given = headers.get(call.shape.key_header());
            let wanted = key(call.name);
            if given.is_none_or(|given| given.as_bytes() != wanted.as_bytes()) {
                let message = "API key not valid: this account has another";
                return Err(Refusal::new(FailureKind::Unauthorized, message));
            }
        }
        let endpoint = Endpoint::of(call.shape, call.path, call.query)?;
        if method != Method::POST {
            let message = format!("{method} is not a method of this path; use POST");
            return Err(Refusal::new(FailureKind::ModelNotFound, message));
        }
        Ok(endpoint)
    }

    fn refuse(&self, shape: Shape, refusal: &Refusal) -> Response<Answer> {
        self.world.refused();
        let reply = wire::error(shape, refusal.kind.into(), &refusal.message, 0);
        respond(reply, vec![])
    }

    /// Lets the account's model answer; `None` if the connection is to end without an answer.
    async fn ask(
        &self,
        call: &Call<'_>,
        number: Option<u64>,
        question: Question,
    ) -> Option<Response<Answer>> {
        let asked = self.model_request(&question);
        let mut attempt = self.world.begin(call.account, number, asked);
        let shape = call.shape;
        let writer = Writer::new(shape, attempt.number, question.model, question.limit);
        let headers = wire::quota_headers(shape, &attempt.quota, now());
        let stage = if question.streaming {
            attempt.next().await
        } else {
            attempt.end().await
        };
        let failure = match stage {
            Stage::Failed(failure, _) => Some(wire::failure(shape, failure, attempt.number)),
            _ => None,
        };
        match (failure, stage) {
            (Some(Wire::Reset), _) => None,
            (Some(Wire::Reply(reply)), _) => Some(respond(reply, headers)),
            _ if question.streaming => Some(stream(shape, attempt, writer, stage, headers)),
            (Some(Wire::Broken), Stage::Failed(_, usage)) => {
                Some(whole(shape, &attempt, writer.answer(usage), true, headers))
            }
            (_, Stage::Finished(usage)) => {
                Some(whole(shape, &attempt, writer.answer(usage), false, headers))
            }
            // What has not ended does not come here.
            _ => None,
        }
    }

    /// What a body asks for, as the model knows requests. A model that nobody has heard of gets a
    /// number that no account serves.
    fn model_request(&self, question: &Question) -> ModelRequest {
        let model = self.models.get(&question.model);
        let limit = question.limit.unwrap_or(DEFAULT_OUTPUT);
        ModelRequest {
            id: RequestId(0),
            key: 0,
            class: ClassIndex(0),
            user: None,
            features: RequestFeatures {
                model: model.copied().unwrap_or(ModelIndex(u16::MAX)),
                estimated_tokens: question.input,
                max_output_tokens: question.limit,
                streaming: question.streaming,
                ..RequestFeatures::default()
            },
            tokens: Usage {
                input: question.input,
                cached_input: 0,
                output: limit.clamp(1, DEFAULT_OUTPUT),
            },
        }
    }
}

/// Takes a body in; it is refused if it is too long.
///
/// # Errors
/// If the client has left.
async fn read(body: Incoming) -> Result<Result<Bytes, Refusal>, Cut> {
    match Limited::new(body, MOST_BYTES).collect().await {
        Ok(body) => Ok(Ok(body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = "the body exceeds the maximum number of tokens allowed: 32 MB";
            Ok(Err(Refusal::new(FailureKind::TooLarge, message)))
        }
        Err(_) => Err(Cut),
    }
}

/// The number of the request in the workload, if the call says one.
fn number(headers: &HeaderMap) -> Option<u64> {
    headers.get(REQUEST_NUMBER)?.to_str().ok()?.parse().ok()
}

type Headers = Vec<(&'static str, String)>;

fn respond(reply: Reply, headers: Headers) -> Response<Answer> {
    let answer = Answer::Whole(Some(Bytes::from(reply.body)));
    let headers = reply.headers.into_iter().chain(headers);
    response(reply.status, headers, answer)
}

/// An answer at once, or the first half of it.
fn whole(
    shape: Shape,
    attempt: &Attempt,
    body: Vec<u8>,
    broken: bool,
    headers: Headers,
) -> Response<Answer> {
    let own = [
        ("content-type", "application/json".to_owned()),
        ("content-length", body.len().to_string()),
    ];
    let answer = if broken {
        Answer::broken(body)
    } else {
        Answer::Whole(Some(Bytes::from(body)))
    };
    let own = own.into_iter().chain(request_id(shape, attempt));
    response(200, own.chain(headers), answer)
}

fn stream(
    shape: Shape,
    attempt: Attempt,
    writer: Writer,
    stage: Stage,
    headers: Headers,
) -> Response<Answer> {
    let kind = match shape {
        Shape::Anthropic => "text/event-stream; charset=utf-8",
        Shape::Gemini => "text/event-stream",
    };
    let id = request_id(shape, &attempt);
    let own = [("content-type", kind.to_owned())].into_iter().chain(id);
    response(
        200,
        own.chain(headers),
        Answer::stream(attempt, writer, stage),
    )
}

fn request_id(shape: Shape, attempt: &Attempt) -> Option<(&'static str, String)> {
    (shape == Shape::Anthropic).then(|| ("request-id", format!("req_{:022}", attempt.number)))
}

fn response(
    status: u16,
    headers: impl IntoIterator<Item = (&'static str, String)>,
    answer: Answer,
) -> Response<Answer> {
    let mut response = Response::new(answer);
    // Both are ours, and valid; what is not would be left out.
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Seconds since 1970, for headers that tell a date.
#[expect(
    clippy::disallowed_methods,
    reason = "live, a date in a header is what the machine's clock says"
)]
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
