//! From a request to an answer.

use super::body::{self, ServerBody, Unread};
use super::{Shared, hints, metrics};
use crate::live::chat::Dialect;
use crate::live::client::{self, ClientError, ErrorKind};
use crate::live::proxy::{ProxyBody, ProxyRequest, ProxyResponse};
use crate::routing::account::Availability;
use crate::time::Duration;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue,
    RETRY_AFTER, TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::OwnedSemaphorePermit;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

const EXPOSITION: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The name of a request: the client's, or ours.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The same, where Anthropic's client libraries look for it.
const ANTHROPICS_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// When a client may come back who was one too many.
const COME_BACK: Duration = Duration::from_secs(1);

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    Chat(Dialect),
    Models,
    Health,
    Ready,
    Metrics,
    Unknown,
}

/// What every answer to a request needs to know of it.
struct Asked {
    path: Path,
    /// In what errors are told.
    dialect: Dialect,
    /// The name of the request.
    id: HeaderValue,
    client: Option<Arc<str>>,
}

/// Answers a request.
pub(super) async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<ServerBody>, Infallible> {
    let (head, body) = request.into_parts();
    let mut asked = Asked::new(&head, &shared);
    let answered = respond(&shared, &head, body, &mut asked).await;
    let mut response = answered.unwrap_or_else(|error| asked.error(&error));
    let headers = response.headers_mut();
    if asked.dialect == Dialect::Anthropic {
        headers.insert(ANTHROPICS_REQUEST_ID, asked.id.clone());
    }
    headers.insert(REQUEST_ID, asked.id);
    // A request with both a length and chunks is hyper's to read, by its chunks, without a word of
    // the other. Whoever stands before us may have read it otherwise, so that nothing that follows
    // can be trusted (RFC 9112, 6.1).
    if head.headers.contains_key(TRANSFER_ENCODING) && head.version < Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let status = response.status().as_u16();
    let counts = &shared.counts;
    counts.answered(asked.path.name(), asked.client, status);
    Ok(response)
}

async fn respond(
    shared: &Arc<Shared>,
    head: &Parts,
    body: Incoming,
    asked: &mut Asked,
) -> Result<Response<ServerBody>, ClientError> {
    if asked.path == Path::Unknown {
        let message = format!("there is no {}", head.uri.path());
        return Err(ClientError::new(ErrorKind::NotFound, message));
    }
    if !asked.path.allows(&head.method) {
        let message = format!("{} takes {}", asked.path.name(), asked.path.methods());
        return Err(ClientError::new(ErrorKind::MethodNotAllowed, message));
    }
    if matches!(asked.path, Path::Chat(_) | Path::Models) {
        asked.client = known(shared, &head.headers)?;
    }
    match asked.path {
        Path::Chat(dialect) => chat(shared, dialect, head, body, asked).await,
        Path::Models => Ok(whole(JSON, models(shared, asked.dialect))),
        Path::Health => Ok(whole(TEXT, "alive\n")),
        Path::Ready => Ok(ready(shared)),
        Path::Metrics | Path::Unknown => Ok(whole(EXPOSITION, metrics::page(shared))),
    }
}

/// The client, by its key; `None` where everyone may ask.
fn known(shared: &Shared, headers: &HeaderMap) -> Result<Option<Arc<str>>, ClientError> {
    let keys = shared.keys();
    let client = keys.client(headers);
    if client.is_none() && !keys.is_open() {
        let message = "the key in `x-api-key` or `authorization: Bearer` is missing or unknown";
        return Err(ClientError::new(ErrorKind::Authentication, message));
    }
    Ok(client)
}

async fn chat(
    shared: &Arc<Shared>,
    dialect: Dialect,
    head: &Parts,
    body: Incoming,
    asked: &Asked,
) -> Result<Response<ServerBody>, ClientError> {
    json_or_refuse(&head.headers)?;
    let Ok(place) = Arc::clone(&shared.room).try_acquire_owned() else {
        let mut error = ClientError::new(
            ErrorKind::Unavailable,
            "the gateway has as many requests under way as it may; try again",
        );
        error.retry_after = Some(COME_BACK);
        return Err(error);
    };
    let limits = &shared.limits;
    let body = body::read(body, limits.max_body_bytes, limits.body_timeout).await;
    let body = body.map_err(|unread| unread.told(limits.max_body_bytes))?;
    let mut request = ProxyRequest::new(client::request(dialect, &body)?);
    drop(body);
    hints::read(&head.headers, &shared.proxy.regions(), &mut request)?;
    request.client.clone_from(&asked.client);
    request.request_id = Some(asked.id.clone());
    request.anthropic_beta = head.headers.get("anthropic-beta").cloned();
    let response = shared.proxy.handle(request).await;
    let response = response.map_err(|error| error.error)?;
    Ok(told(response, place))
}

fn told(response: ProxyResponse, place: OwnedSemaphorePermit) -> Response<ServerBody> {
    match response.body {
        ProxyBody::Whole { bytes, .. } => whole(JSON, bytes).map(|body| body.holding(place)),
        ProxyBody::Stream(stream) => {
            let body = ServerBody::stream(stream).holding(place);
            let mut response = Response::new(body);
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, EVENTS);
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        }
    }
}

/// A body that says of itself that it is something else than JSON is not read.
fn json_or_refuse(headers: &HeaderMap) -> Result<(), ClientError> {
    let refuse = |message: &str| Err(ClientError::new(ErrorKind::UnsupportedMediaType, message));
    if headers.contains_key(CONTENT_ENCODING) {
        return refuse("the body must not be compressed");
    }
    let Some(stated) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let kind = stated.as_bytes().split(|byte| *byte == b';').next();
    let kind = kind.unwrap_or_default().trim_ascii();
    if kind.eq_ignore_ascii_case(b"application/json") {
        return Ok(());
    }
    refuse("the body must be application/json")
}

fn models(shared: &Shared, dialect: Dialect) -> String {
    let names = shared.proxy.models();
    let list = |model: fn(&String) -> Value| names.iter().map(model).collect::<Vec<_>>();
    let body = match dialect {
        Dialect::Anthropic => json!({
            "data": list(|name| json!({
                "type": "model",
                "id": name,
                "display_name": name,
                "created_at": "1970-01-01T00:00:00Z",
            })),
            "first_id": names.first(),
            "last_id": names.last(),
            "has_more": false,
        }),
        Dialect::OpenAi => json!({
            "object": "list",
            "data": list(|name| json!({
                "id": name,
                "object": "model",
                "created": 0,
                "owned_by": "routelab",
            })),
        }),
    };
    body.to_string()
}

/// Whether requests should be sent here.
fn ready(shared: &Shared) -> Response<ServerBody> {
    let enabled = shared.proxy.look(|gateway, _| {
        let pool = gateway.balancer().pool();
        let mut accounts = pool.account_indices();
        accounts.any(|account| pool.account(account).availability == Availability::Enabled)
    });
    let why_not = if shared.draining.load(Ordering::Relaxed) {
        "draining\n"
    } else if !enabled {
        "no account is enabled\n"
    } else {
        return whole(TEXT, "ready\n");
    };
    let mut response = whole(TEXT, why_not);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

fn whole(kind: HeaderValue, bytes: impl Into<Bytes>) -> Response<ServerBody> {
    let mut response = Response::new(ServerBody::whole(bytes.into()));
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

impl Unread {
    fn told(self, most: usize) -> ClientError {
        match self {
            Self::TooLarge => {
                let message = format!("the body is longer than {most} bytes");
                ClientError::new(ErrorKind::TooLarge, message)
            }
            Self::TooSlow => {
                let message = "the body did not come in time";
                ClientError::new(ErrorKind::RequestTimeout, message)
            }
            Self::Broken => {
                let message = "the body broke off, or its framing is wrong";
                ClientError::new(ErrorKind::InvalidRequest, message)
            }
        }
    }
}

impl Path {
    fn of(path: &str) -> Self {
        match path {
            "/v1/messages" => Self::Chat(Dialect::Anthropic),
            "/v1/chat/completions" => Self::Chat(Dialect::OpenAi),
            "/v1/models" => Self::Models,
            "/health" => Self::Health,
            "/ready" => Self::Ready,
            "/metrics" => Self::Metrics,
            _ => Self::Unknown,
        }
    }

    /// For people and metrics. What a client made up stands in neither.
    const fn name(self) -> &'static str {
        match self {
            Self::Chat(Dialect::Anthropic) => "/v1/messages",
            Self::Chat(Dialect::OpenAi) => "/v1/chat/completions",
            Self::Models => "/v1/models",
            Self::Health => "/health",
            Self::Ready => "/ready",
            Self::Metrics => "/metrics",
            Self::Unknown => "other",
        }
    }

    const fn methods(self) -> &'static str {
        match self {
            Self::Chat(_) => "POST",
            _ => "GET, HEAD",
        }
    }

    fn allows(self, method: &Method) -> bool {
        match self {
            Self::Chat(_) => method == Method::POST,
            _ => method == Method::GET || method == Method::HEAD,
        }
    }
}

impl Asked {
    fn new(head: &Parts, shared: &Shared) -> Self {
        let path = Path::of(head.uri.path());
        let dialect = match path {
            Path::Chat(dialect) => dialect,
            // Elsewhere by the header that only one of them has.
            _ if head.headers.contains_key("anthropic-version") => Dialect::Anthropic,
            _ => Dialect::OpenAi,
        };
        let own = || {
            let number = shared.counts.unnamed.fetch_add(1, Ordering::Relaxed);
            HeaderValue::try_from(format!("{}{number:x}", shared.counts.prefix))
        };
        let given = head.headers.get(REQUEST_ID).filter(|id| printable(id));
        let id = given.cloned().map_or_else(own, Ok);
        Self {
            path,
            dialect,
            id: id.unwrap_or(HeaderValue::from_static("req_0")),
            client: None,
        }
    }

    fn error(&self, error: &ClientError) -> Response<ServerBody> {
        let id = self.id.to_str().unwrap_or_default();
        let mut response = whole(JSON, error.body(self.dialect, id));
        let status = StatusCode::from_u16(error.status(self.dialect));
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(seconds) = error.retry_after_seconds() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        match error.kind {
            ErrorKind::MethodNotAllowed => {
                headers.insert(ALLOW, HeaderValue::from_static(self.path.methods()));
            }
            ErrorKind::Authentication => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// Whether a client's name for its request can be repeated everywhere, a log among it.
fn printable(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    (1..=200).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}
