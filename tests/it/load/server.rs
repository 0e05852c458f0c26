//! A server of which a test decides when and how it answers.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use routelab::live::chat::{Answer, Dialect, Finish, StreamPart};
use routelab::live::client::{self, ClientError, ErrorKind, StreamWriter};
use routelab::request::Usage;
use serde_json::json;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

/// Output tokens of every answer.
pub(crate) const OUTPUT: u32 = 7;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub id: u64,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// How to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    /// In full, in the dialect of the path, streamed if that was asked for.
    Answer,
    /// 429 with a body of the dialect's.
    Refused,
    /// 502 with a body that is no JSON.
    Bare,
    /// 200 and an error where the answer should be.
    ErrorEvent,
    /// 200, and the connection is lost within the body.
    CutShort,
    /// 200, and a body that ends well, but before the answer is whole.
    EndsEarly,
    /// 200 and something else.
    NoJson,
    /// The connection is closed without an answer.
    Close,
}

impl Reply {
    pub const ALL: [Self; 8] = [
        Self::Answer,
        Self::Refused,
        Self::Bare,
        Self::ErrorEvent,
        Self::CutShort,
        Self::EndsEarly,
        Self::NoJson,
        Self::Close,
    ];
}

/// Something that is waited for until a test opens it.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Gate {
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub async fn passed(&self) {
        let mut receiver = self.0.subscribe();
        receiver.wait_for(|open| *open).await.expect("a sender");
    }
}

pub(crate) struct Server {
    runtime: Runtime,
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// A server on a free port; `decide` is asked once a request is there in full.
    pub fn start<F, R>(decide: F) -> Self
    where
        F: Fn(&Seen) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let seen = Arc::new(Mutex::new(vec![]));
        runtime.spawn(serve(listener, Arc::new(decide), Arc::clone(&seen)));
        Self {
            runtime,
            address,
            seen,
        }
    }

    /// For the generator too.
    pub fn runtime(&self) -> &Handle {
        self.runtime.handle()
    }

    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has arrived so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }
}

async fn serve<F, R>(listener: TcpListener, decide: Arc<F>, seen: Arc<Mutex<Vec<Seen>>>)
where
    F: Fn(&Seen) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    while let Ok((socket, _)) = listener.accept().await {
        socket.set_nodelay(true).expect("a socket");
        let (decide, seen) = (Arc::clone(&decide), Arc::clone(&seen));
        let service = service_fn(move |request: Request<Incoming>| {
            let (decide, seen) = (Arc::clone(&decide), Arc::clone(&seen));
            async move {
                let arrived = arrived(request).await;
                seen.lock().expect("no panic").push(arrived.clone());
                let reply = decide(&arrived).await;
                respond(&arrived, reply)
            }
        });
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            // A connection that the test has cut ends with an error.
            let _ = builder
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

async fn arrived(request: Request<Incoming>) -> Seen {
    let (head, body) = request.into_parts();
    let id = head.headers.get("x-request-id").expect("a number");
    Seen {
        id: id.to_str().expect("digits").parse().expect("a number"),
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body: body.collect().await.expect("a whole body").to_bytes(),
    }
}

fn respond(seen: &Seen, reply: Reply) -> Result<Response<Pieces>, &'static str> {
    let dialect = match seen.path.as_str() {
        "/v1/messages" => Dialect::Anthropic,
        "/v1/chat/completions" => Dialect::OpenAi,
        path => {
            assert!(path.starts_with("/v1beta/models/"), "{path}");
            return Ok(gemini(path));
        }
    };
    let chat = client::request(dialect, &seen.body).expect("a request in its dialect");
    let whole = if chat.stream {
        streamed(StreamWriter::new(&chat, 0))
    } else {
        client::answer(dialect, &answer(), 0)
    };
    let error = ClientError::new(ErrorKind::RateLimited, "later");
    let half = whole[..whole.len() / 2].to_vec();
    Ok(match reply {
        Reply::Answer => response(200, Pieces::whole(whole)),
        Reply::Refused => response(429, Pieces::whole(error.body(dialect, "r"))),
        Reply::Bare => response(502, Pieces::whole(b"<html>".to_vec())),
        Reply::ErrorEvent => {
            let mut text = vec![];
            StreamWriter::new(&chat, 0).write_error(&error, &mut text);
            response(200, Pieces::whole(text))
        }
        Reply::CutShort => response(200, Pieces::cut(half)),
        Reply::EndsEarly => response(200, Pieces::whole(half)),
        Reply::NoJson => response(200, Pieces::whole(b"hello".to_vec())),
        Reply::Close => return Err("closed"),
    })
}

fn response(status: u16, body: Pieces) -> Response<Pieces> {
    let built = Response::builder().status(status).body(body);
    built.expect("a response")
}

fn answer() -> Answer {
    Answer {
        id: "x".to_owned(),
        model: "m".to_owned(),
        text: "words".to_owned(),
        finish: Finish::Done,
        usage: usage(),
    }
}

fn usage() -> Usage {
    Usage {
        input: 5,
        cached_input: 2,
        output: OUTPUT,
    }
}

fn streamed(mut writer: StreamWriter) -> Vec<u8> {
    let mut text = vec![];
    for part in [
        StreamPart::Usage(usage()),
        StreamPart::Text("wo".to_owned()),
        StreamPart::Text("rds".to_owned()),
        StreamPart::Finish(Finish::Done),
        StreamPart::End,
    ] {
        writer.write(&part, &mut text);
    }
    text
}

fn gemini(path: &str) -> Response<Pieces> {
    let body = json!({
        "candidates": [{
            "content": {"parts": [{"text": "words"}], "role": "model"},
            "finishReason": "STOP",
            "index": 0,
        }],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": OUTPUT},
        "modelVersion": "m",
        "responseId": "x",
    });
    let text = match path.ends_with(":streamGenerateContent") {
        true => format!("data: {body}\r\n\r\n"),
        false => body.to_string(),
    };
    response(200, Pieces::whole(text.into_bytes()))
}

/// A body in pieces, which may end in an error. It pauses for a moment before each, so that what
/// came before has left.
struct Pieces {
    left: VecDeque<Result<Bytes, &'static str>>,
    paused: bool,
}

impl Pieces {
    fn whole(bytes: Vec<u8>) -> Self {
        let middle = bytes.len() / 2;
        let bytes = Bytes::from(bytes);
        Self::of([Ok(bytes.slice(..middle)), Ok(bytes.slice(middle..))])
    }

    fn cut(bytes: Vec<u8>) -> Self {
        Self::of([Ok(Bytes::from(bytes)), Err("cut short")])
    }

    fn of<const N: usize>(pieces: [Result<Bytes, &'static str>; N]) -> Self {
        Self {
            left: pieces.into(),
            paused: false,
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.paused = !self.paused;
        if self.paused {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.left.pop_front().map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
