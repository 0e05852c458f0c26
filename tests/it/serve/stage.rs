//! A server with one account, an upstream behind it, and clients.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use routelab::live::proxy::{IntelligentProxy, ProxyAccount, ProxyConfig, Secret};
use routelab::live::server::{ClientKey, Drained, Server, ServerConfig, ServerControl};
use routelab::request::Provider;
use routelab::units::Prices;
use serde_json::Value;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

pub(crate) const CLIENT_KEY: &str = "sk-client-secret-1";
pub(crate) const ACCOUNT_KEY: &str = "sk-account-secret-2";

/// What the upstream answers.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

type Answering = Arc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// Runs a test to its end; only one that hangs meets the limit.
pub(crate) fn live<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let limited = async { tokio::time::timeout(Duration::from_secs(60), test).await };
    runtime.block_on(limited).expect("the test hangs")
}

/// A provider of the tests' own, which speaks Anthropic's dialect.
pub(crate) struct Upstream {
    pub(crate) addr: SocketAddr,
    seen: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Upstream {
    /// One that gives every request the same answer.
    pub(crate) async fn answering(answer: fn() -> Answer) -> Self {
        Self::start(move |_| async move { answer() }).await
    }

    /// One that answers each request once it is let.
    pub(crate) async fn held(gate: Arc<Semaphore>, answer: fn() -> Answer) -> Self {
        Self::start(move |_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.expect("open").forget();
                answer()
            }
        })
        .await
    }

    /// One that answers by the number of the request, from 0.
    pub(crate) async fn start<F>(answer: impl Fn(usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(vec![]));
        let answer: Answering = Arc::new(move |number| Box::pin(answer(number)));
        tokio::spawn(accept(listener, Arc::clone(&seen), answer));
        Self { addr, seen }
    }

    pub(crate) fn seen(&self) -> Vec<(HeaderMap, Bytes)> {
        self.seen.lock().expect("sound").clone()
    }
}

type Seen = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn accept(listener: TcpListener, seen: Seen, answer: Answering) {
    while let Ok((stream, _)) = listener.accept().await {
        let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let number = {
                    let mut seen = seen.lock().expect("sound");
                    seen.push((head.headers, body));
                    seen.len() - 1
                };
                Ok::<_, hyper::Error>(answer(number).await)
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

fn full(status: u16, kind: &str, body: &str) -> Answer {
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(Full::new(Bytes::from(body.to_owned())).boxed_unsync())
        .expect("a response")
}

pub(crate) fn whole_answer() -> Answer {
    full(
        200,
        "application/json",
        r#"{"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
            "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn",
            "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 5}}"#,
    )
}

pub(crate) fn rate_limited() -> Answer {
    let body = r#"{"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}"#;
    let mut answer = full(429, "application/json", body);
    let headers = answer.headers_mut();
    headers.insert("retry-after", "7".parse().expect("a value"));
    answer
}

const BEGINNING: &str = "event: message_start\n\
data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\
\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":[],\"stop_reason\":null,\
\"stop_sequence\":null,\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n\
event: content_block_start\n\
data: {\"type\":\"content_block_start\",\"index\":0,\
\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
event: content_block_delta\n\
data: {\"type\":\"content_block_delta\",\"index\":0,\
\"delta\":{\"type\":\"text_delta\",\"text\":\"Hel\"}}\n\n";

const END: &str = "event: content_block_stop\n\
data: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
event: message_delta\n\
data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\
\"stop_sequence\":null},\"usage\":{\"output_tokens\":5}}\n\n\
event: message_stop\n\
data: {\"type\":\"message_stop\"}\n\n";

pub(crate) fn streamed_answer() -> Answer {
    full(200, "text/event-stream", &format!("{BEGINNING}{END}"))
}

/// A stream that begins, and never goes on.
pub(crate) fn endless_answer() -> Answer {
    struct Endless(Option<Bytes>);
    impl Body for Endless {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut std::task::Context,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.take() {
                Some(bytes) => std::task::Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None => std::task::Poll::Pending,
            }
        }
    }
    let body = Endless(Some(Bytes::from(BEGINNING)));
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(body.boxed_unsync())
        .expect("a response")
}

/// A request, in words that both dialects know.
pub(crate) fn asking(stream: bool) -> String {
    format!(
        r#"{{"model": "claude", "max_tokens": 9, "stream": {stream},
            "messages": [{{"role": "user", "content": "Hi"}}]}}"#
    )
}

/// An account at an upstream.
pub(crate) fn account(name: &str, upstream: SocketAddr) -> ProxyAccount {
    let url = format!("http://{upstream}");
    ProxyAccount::new(name, Provider::Anthropic, url, Secret::new(ACCOUNT_KEY))
        .serving("claude", Prices::default())
}

pub(crate) fn client_key(name: &str, key: &str) -> ClientKey {
    ClientKey {
        name: name.to_owned(),
        key: Secret::new(key),
    }
}

/// A server that serves.
pub(crate) struct Stage {
    pub(crate) upstream: Upstream,
    pub(crate) addr: SocketAddr,
    pub(crate) control: ServerControl,
    pub(crate) proxy: Arc<IntelligentProxy>,
    pub(crate) served: JoinHandle<Drained>,
    pub(crate) shutdown: oneshot::Sender<()>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Stage {
    pub(crate) async fn new(upstream: impl Future<Output = Upstream>) -> Self {
        Self::with(upstream, ProxyConfig::default(), |_| {}).await
    }

    pub(crate) async fn with(
        upstream: impl Future<Output = Upstream>,
        proxy: ProxyConfig,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Self {
        let upstream = upstream.await;
        let proxy = Arc::new(IntelligentProxy::with_config(proxy).expect("sound settings"));
        proxy
            .set_accounts(&[account("a", upstream.addr)])
            .expect("a sound account");
        let mut config = ServerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.clients = vec![client_key("tester", CLIENT_KEY)];
        change(&mut config);
        let server = Server::bind(config, Arc::clone(&proxy))
            .await
            .expect("a port");
        let (addr, control) = (server.addr(), server.control());
        let (shutdown, down) = oneshot::channel::<()>();
        let served = tokio::spawn(server.serve(async {
            let _ = down.await;
        }));
        Self {
            upstream,
            addr,
            control,
            proxy,
            served,
            shutdown,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    pub(crate) fn request(&self, path: &str, body: &str) -> Request<Full<Bytes>> {
        Request::builder()
            .method(Method::POST)
            .uri(format!("http://{}{path}", self.addr))
            .header("content-type", "application/json")
            .header("x-api-key", CLIENT_KEY)
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("a request")
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.client.request(request).await.expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Response<Incoming> {
        self.send(self.request(path, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Incoming> {
        let mut request = self.request(path, "");
        *request.method_mut() = Method::GET;
        self.send(request).await
    }

    /// Sends these bytes on a connection of their own, and reads until the server closes it.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.addr).await.expect("a connection");
        stream.write_all(bytes).await.expect("sent");
        let mut told = vec![];
        // A reset after the answer is as good an end as any.
        let _ = stream.read_to_end(&mut told).await;
        String::from_utf8_lossy(&told).into_owned()
    }

    /// Waits until nothing is in flight.
    pub(crate) async fn is_empty(&self) {
        while self.proxy.in_flight() > 0 {
            tokio::task::yield_now().await;
        }
        let accounts = self.proxy.get_all_metrics().await;
        assert!(
            accounts
                .iter()
                .all(|(_, known)| known.learned.in_flight == 0)
        );
    }

    /// Waits until the upstream has seen so many requests.
    pub(crate) async fn seen(&self, requests: usize) {
        while self.upstream.seen().len() < requests {
            tokio::task::yield_now().await;
        }
    }
}

/// A client that speaks HTTP/2 from the first byte.
pub(crate) fn http2_client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http()
}

pub(crate) async fn bytes_of(response: Response<Incoming>) -> Bytes {
    response
        .into_body()
        .collect()
        .await
        .expect("whole")
        .to_bytes()
}

/// Asserts that an error has the form that the client's library of the path's dialect reads.
pub(crate) async fn assert_error(path: &str, response: Response<Incoming>) {
    assert_eq!(response.headers()["content-type"], "application/json");
    let bytes = bytes_of(response).await;
    let body: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert!(body["error"]["message"].is_string(), "{body}");
    assert!(body["error"]["type"].is_string(), "{body}");
    match path {
        "/v1/messages" => {
            assert_eq!(body["type"], "error", "{body}");
            assert!(body["request_id"].is_string(), "{body}");
        }
        _ => assert!(body["error"].get("code").is_some(), "{body}"),
    }
}
