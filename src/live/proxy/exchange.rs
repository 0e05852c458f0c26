//! One request's talk with providers and with its client: all that is done, and nothing that is
//! decided.
//!
//! It has a task of its own, so that it goes on to its end when the client has stopped reading, or
//! has left: only so is every attempt reported. It takes the core's orders one at a time; while an
//! attempt is under way it listens for its cancellation, and for the client leaving.
//!
//! Nothing of a stream goes to the client before the first piece of its content has come: until
//! then another account may still be tried. From there on every event is handed on as it comes, and
//! a client that reads slowly slows down the reading from the provider, by a short queue.

use super::core::{Core, Dispatch, Ending, Order, Place};
use super::http::{Http, PassedOn};
use super::passage::{Passage, Said};
use super::reply::{ProxyBody, ProxyError, ProxyResponse, ProxyStream};
use crate::live::chat::{Answer, ChatRequest, UpstreamError};
use crate::live::client::{self, ClientError, ErrorKind, StreamWriter};
use crate::live::clock::unix_seconds;
use crate::live::provider::Head;
use crate::record::Outcome;
use crate::request::{Failure, FailureKind, ModelIndex, Usage};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, DATE, HeaderName, RETRY_AFTER};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Pieces of a stream that wait for the client to read them.
const QUEUE: usize = 16;

/// Most bytes of an error's body that are read.
const MOST_ERROR_BYTES: usize = 64 << 10;

/// Bounds on what is taken from others.
#[derive(Clone, Debug)]
pub struct ExchangeLimits {
    /// Most bytes of a whole answer. Default 32 MiB.
    pub most_answer_bytes: usize,
    /// Longest that a client may take to read a piece of a stream before it counts as gone. Default
    /// 30 s.
    pub client_stall: Duration,
}

impl Default for ExchangeLimits {
    fn default() -> Self {
        Self {
            most_answer_bytes: 32 << 20,
            client_stall: Duration::from_secs(30),
        }
    }
}

/// A request under way.
pub(super) struct Exchange {
    pub(super) place: Place,
    /// Ends when the client has left.
    pub gone: oneshot::Receiver<()>,
    pub(super) has_left: bool,
    pub(super) work: Work,
}

/// What an attempt works with.
pub(super) struct Work {
    pub(super) core: Arc<Core>,
    pub(super) http: Http,
    pub(super) chat: Arc<ChatRequest>,
    pub(super) model: ModelIndex,
    pub(super) passed_on: PassedOn,
    pub(super) limits: ExchangeLimits,
    /// Whether others may be given the answer too.
    pub shared: bool,
    pub(super) client: Client,
    /// What the attempt has consumed so far.
    pub usage: Usage,
    /// Whether it is the client that is waited for.
    pub waits_for_client: bool,
    /// The last error's words, and how long it asks to wait.
    pub error: Option<UpstreamError>,
}

/// How far the client has been answered.
pub(super) enum Client {
    /// Not at all.
    Waiting(oneshot::Sender<Replied>),
    /// A whole answer is ready for it.
    Ready(oneshot::Sender<Replied>, Bytes, Arc<Answer>),
    /// It reads a stream.
    Reading(mpsc::Sender<Bytes>, StreamWriter),
    /// It has had all.
    Done,
}

/// What the client is told first. The pieces of a stream come by the receiver.
pub(super) type Replied = Result<Told, ProxyError>;

/// A whole answer, or where it comes from piece by piece.
pub(super) enum Told {
    Whole(ProxyResponse),
    Stream(mpsc::Receiver<Bytes>),
}

type Attempted = Result<Option<Arc<Answer>>, UpstreamError>;

impl Exchange {
    /// Starts the request's task and waits until the client can be told something. `here` ends with
    /// the client's interest.
    pub async fn begin(
        self,
        here: oneshot::Sender<()>,
        told: oneshot::Receiver<Replied>,
    ) -> Result<ProxyResponse, ProxyError> {
        tokio::spawn(self.run());
        let told = told.await.unwrap_or_else(|_| Err(lost()))?;
        Ok(match told {
            Told::Whole(response) => response,
            Told::Stream(pieces) => ProxyResponse {
                body: ProxyBody::Stream(ProxyStream::new(pieces, here)),
            },
        })
    }

    /// Carries the request to its end.
    async fn run(mut self) {
        while let Some(order) = self.next_order().await {
            match order {
                Order::Dispatch(dispatch) => self.attempt(&dispatch).await,
                // Of an attempt that has been reported meanwhile.
                Order::Cancel(..) => {}
                Order::Ended(ending) => return self.work.finish(&ending).await,
            }
        }
    }

    async fn next_order(&mut self) -> Option<Order> {
        loop {
            tokio::select! {
                biased;
                order = self.place.orders.recv() => return order,
                _ = &mut self.gone, if !self.has_left => self.client_left(),
            }
        }
    }

    fn client_left(&mut self) {
        self.has_left = true;
        self.work.core.client_gone(self.place.id, self.place.handle);
    }

    async fn attempt(&mut self, dispatch: &Dispatch) {
        let core = Arc::clone(&self.work.core);
        let (id, handle) = (self.place.id, self.place.handle);
        self.work.usage = Usage::default();
        let attempted = {
            let work = self.work.attempt(dispatch);
            tokio::pin!(work);
            loop {
                tokio::select! {
                    biased;
                    order = self.place.orders.recv() => match order {
                        Some(Order::Cancel(attempt, kind)) if attempt == dispatch.attempt => {
                            break Err(error_of(kind, "given up"));
                        }
                        _ => {}
                    },
                    _ = &mut self.gone, if !self.has_left => {
                        self.has_left = true;
                        core.client_gone(id, handle);
                    }
                    attempted = &mut work => break attempted,
                }
            }
        };
        let (failure, answer) = match attempted {
            Ok(answer) => (None, answer),
            Err(error) => {
                let failure = self.work.whose_fault(error.failure);
                self.work.error = Some(error);
                (Some(failure), None)
            }
        };
        core.ended(dispatch.attempt, failure, self.work.usage, answer);
    }
}

impl Work {
    /// A timeout that passed while the client did not read is not the provider's.
    fn whose_fault(&self, failure: Failure) -> Failure {
        if self.waits_for_client {
            return FailureKind::Cancelled.into();
        }
        failure
    }

    async fn attempt(&mut self, dispatch: &Dispatch) -> Attempted {
        let endpoint = &dispatch.endpoint;
        let name = endpoint.name_of(self.model).unwrap_or(&self.chat.model);
        let request = endpoint
            .shape
            .request(&self.chat, name)
            .map_err(|cannot| error_of(FailureKind::BadRequest, &cannot.to_string()))?;
        let mut passed_on = self.passed_on.clone();
        if !endpoint.shape.speaks(self.chat.dialect) {
            passed_on.anthropic_beta = None;
        }
        let response = self
            .http
            .send(endpoint, request, &passed_on)
            .await
            .map_err(|(kind, message)| error_of(kind, &message))?;
        if !response.status().is_success() {
            return Err(read_error(dispatch, response).await);
        }
        if self.chat.stream {
            self.stream(dispatch, response).await
        } else {
            self.whole(dispatch, response).await
        }
    }

    async fn whole(&mut self, dispatch: &Dispatch, response: Response<Incoming>) -> Attempted {
        let shape = dispatch.endpoint.shape;
        let (body, cut) = read(response.into_body(), self.limits.most_answer_bytes).await;
        match cut {
            None => {}
            Some(Cut::Broken(message)) => return Err(error_of(FailureKind::Connection, &message)),
            Some(Cut::TooLong) => {
                let most = self.limits.most_answer_bytes;
                let message = format!("the upstream's answer is longer than {most} bytes");
                return Err(error_of(FailureKind::BadGateway, &message));
            }
        }
        let answer = Arc::new(shape.answer(&body)?);
        self.usage = answer.usage;
        let bytes = if shape.speaks(self.chat.dialect) {
            body
        } else {
            client::answer(self.chat.dialect, &answer, unix_seconds()).into()
        };
        if let Client::Waiting(reply) = std::mem::replace(&mut self.client, Client::Done) {
            self.client = Client::Ready(reply, bytes, Arc::clone(&answer));
        }
        Ok(self.shared.then_some(answer))
    }

    async fn stream(&mut self, dispatch: &Dispatch, response: Response<Incoming>) -> Attempted {
        let kind = response.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("text/event-stream")
        {
            let message = format!("the upstream's answer to a streamed request is {kind:?}");
            return Err(error_of(FailureKind::BadGateway, &message));
        }
        let mut passage = Passage::new(dispatch.endpoint.shape, &self.chat, self.shared);
        let mut body = response.into_body();
        loop {
            let frame = body.frame().await;
            let said = match &frame {
                Some(Ok(frame)) => match frame.data_ref() {
                    Some(data) => passage.push(data),
                    None => continue,
                },
                Some(Err(_)) | None => passage.end(),
            };
            self.usage = passage.usage();
            match said {
                Said::Nothing => {}
                Said::More { bytes, first } => {
                    self.tell(dispatch, &passage, bytes, first).await?;
                }
                Said::Whole { bytes, answer } => {
                    self.tell(dispatch, &passage, bytes, false).await?;
                    return Ok(answer.map(Arc::new));
                }
                Said::Failed(error) => return Err(error),
            }
        }
    }

    /// Hands a piece of a stream to the client, and waits while it has too many unread.
    async fn tell(
        &mut self,
        dispatch: &Dispatch,
        passage: &Passage,
        bytes: Bytes,
        first: bool,
    ) -> Result<(), UpstreamError> {
        if first {
            self.core.first_token(dispatch.attempt);
        } else {
            self.core.progress(dispatch.attempt);
        }
        self.open(passage);
        let Client::Reading(sender, _) = &self.client else {
            return Ok(());
        };
        if bytes.is_empty() {
            return Ok(());
        }
        self.waits_for_client = true;
        let sent = tokio::time::timeout(self.limits.client_stall, sender.send(bytes)).await;
        match sent {
            Ok(Ok(())) => {
                self.waits_for_client = false;
                Ok(())
            }
            Ok(Err(_)) | Err(_) => Err(error_of(FailureKind::Cancelled, "the client left")),
        }
    }

    /// Begins the answer to the client, if it is not begun.
    fn open(&mut self, passage: &Passage) {
        if !matches!(self.client, Client::Waiting(..)) {
            return;
        }
        if let Client::Waiting(reply) = std::mem::replace(&mut self.client, Client::Done) {
            let (sender, receiver) = mpsc::channel(QUEUE);
            let _ = reply.send(Ok(Told::Stream(receiver)));
            self.client = Client::Reading(sender, passage.writer().clone());
        }
    }

    /// Tells the client how it ended.
    async fn finish(self, ending: &Ending) {
        let error = match ending.record.outcome {
            Outcome::Success => return self.answer(ending).await,
            Outcome::Failed(kind) => {
                let error = self.error.as_ref();
                let message = error.map_or("no answer came", |error| &error.message);
                let mut told = ClientError::of_failure(kind, message);
                told.retry_after = error.and_then(|error| error.failure.retry_after);
                told
            }
            Outcome::Rejected(why) => {
                let wait = ending.record.retry_at;
                super::reply::refusal(why, wait.map(|at| at.since(ending.record.ended)))
            }
        };
        match self.client {
            Client::Waiting(reply) | Client::Ready(reply, ..) => {
                let _ = reply.send(Err(ProxyError {
                    error,
                    outcome: Some(ending.record.outcome),
                }));
            }
            Client::Reading(sender, writer) => {
                let mut bytes = vec![];
                writer.write_error(&error, &mut bytes);
                let sent = sender.send(bytes.into());
                let _ = tokio::time::timeout(self.limits.client_stall, sent).await;
            }
            Client::Done => {}
        }
    }

    /// The end of a success: a stream is whole already.
    async fn answer(self, ending: &Ending) {
        match (self.client, &ending.answer) {
            (Client::Ready(reply, bytes, answer), _) => {
                let body = ProxyBody::Whole { bytes, answer };
                let _ = reply.send(Ok(Told::Whole(ProxyResponse { body })));
            }
            (Client::Waiting(reply), Some(answer)) if self.chat.stream => {
                let (sender, receiver) = mpsc::channel(1);
                let _ = reply.send(Ok(Told::Stream(receiver)));
                let bytes = super::passage::replay(&self.chat, answer);
                // The queue has room for it.
                let _ = sender.send(bytes).await;
            }
            (Client::Waiting(reply), Some(answer)) => {
                let bytes = client::answer(self.chat.dialect, answer, unix_seconds()).into();
                let answer = Arc::clone(answer);
                let body = ProxyBody::Whole { bytes, answer };
                let _ = reply.send(Ok(Told::Whole(ProxyResponse { body })));
            }
            _ => {}
        }
    }
}

/// What cannot happen: the task ended without a word.
fn lost() -> ProxyError {
    ClientError::new(ErrorKind::Internal, "the request was lost in the proxy").into()
}

fn error_of(kind: FailureKind, message: &str) -> UpstreamError {
    UpstreamError {
        failure: kind.into(),
        message: message.to_owned(),
    }
}

async fn read_error(dispatch: &Dispatch, response: Response<Incoming>) -> UpstreamError {
    let (head, body) = response.into_parts();
    // What was read of a long or broken one still tells what is wrong.
    let (body, _) = read(body, MOST_ERROR_BYTES).await;
    let header = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    dispatch.endpoint.shape.error(
        Head {
            status: head.status.as_u16(),
            retry_after: header(RETRY_AFTER),
            date: header(DATE),
        },
        &body,
    )
}

/// Why a body was not read to its end.
enum Cut {
    Broken(String),
    TooLong,
}

async fn read(mut body: Incoming, most: usize) -> (Bytes, Option<Cut>) {
    let mut whole = BytesMut::new();
    let mut only = None;
    while let Some(frame) = body.frame().await {
        let data = match frame.map(Frame::into_data) {
            Ok(Ok(data)) => data,
            Ok(Err(_)) => continue,
            Err(error) => {
                let cut = Cut::Broken(format!("the answer broke off: {error}"));
                return (only.unwrap_or_else(|| whole.freeze()), Some(cut));
            }
        };
        if data.len() + whole.len() + only.as_ref().map_or(0, Bytes::len) > most {
            return (only.unwrap_or_else(|| whole.freeze()), Some(Cut::TooLong));
        }
        // Most come in one piece, which needs no copy.
        match only.take() {
            None if whole.is_empty() => only = Some(data),
            first => {
                whole.extend_from_slice(&first.unwrap_or_default());
                whole.extend_from_slice(&data);
            }
        }
    }
    (only.unwrap_or_else(|| whole.freeze()), None)
}
