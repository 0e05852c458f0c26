//! What the proxy's caller is given.

use crate::live::chat::Answer;
use crate::live::client::{ClientError, ErrorKind};
use crate::record::{Outcome, Rejection};
use crate::time::Duration;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};

/// An answer.
#[derive(Debug)]
pub struct ProxyResponse {
    /// Whole, or as it comes.
    pub body: ProxyBody,
}

/// The body of an answer.
#[derive(Debug)]
pub enum ProxyBody {
    /// All of it.
    Whole {
        /// JSON in the dialect of the request: the provider's own bytes where it speaks that.
        bytes: Bytes,
        /// What it says.
        answer: Arc<Answer>,
    },
    /// Server-sent events in the dialect of the request. To drop it is to leave: what is in flight
    /// is cancelled.
    Stream(ProxyStream),
}

/// A streamed answer.
#[derive(Debug)]
pub struct ProxyStream {
    pieces: mpsc::Receiver<Bytes>,
    /// Dropped with it, which tells that the client has left.
    _here: oneshot::Sender<()>,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Debug)]
pub struct ProxyError {
    /// What the client is told.
    pub error: ClientError,
    /// How the core counted it; `None` if the request never came so far.
    pub outcome: Option<Outcome>,
}

impl ProxyResponse {
    /// What the answer says; `None` of a streamed one.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        match &self.body {
            ProxyBody::Whole { answer, .. } => Some(answer),
            ProxyBody::Stream(_) => None,
        }
    }
}

impl ProxyStream {
    pub(super) const fn new(pieces: mpsc::Receiver<Bytes>, here: oneshot::Sender<()>) -> Self {
        Self {
            pieces,
            _here: here,
        }
    }

    /// The next piece; `None` at the end. A failure on the way is an error event, the last piece.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.pieces.recv().await
    }

    /// The same for who is polled.
    pub fn poll_next(&mut self, context: &mut Context) -> Poll<Option<Bytes>> {
        self.pieces.poll_recv(context)
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error.message)
    }
}

impl std::error::Error for ProxyError {}

impl From<ClientError> for ProxyError {
    /// An error before the core was asked.
    fn from(error: ClientError) -> Self {
        Self {
            error,
            outcome: None,
        }
    }
}

/// What a client is told whom nobody can serve.
pub(super) fn refusal(why: Rejection, wait: Option<Duration>) -> ClientError {
    let (kind, message) = match why {
        Rejection::NotServed => (
            ErrorKind::NotFound,
            "no account serves this model to this request; ask for another model, or for less",
        ),
        Rejection::NoneAvailable => (
            ErrorKind::Unavailable,
            "no account is available now; try again later",
        ),
        Rejection::TooManyWaiting => (
            ErrorKind::Unavailable,
            "no account is available now, and too many wait already; try again later",
        ),
    };
    let mut error = ClientError::new(kind, message);
    error.retry_after = wait;
    error
}
