//! Bodies: a client's is read under limits, ours is whole or comes piece by piece.

use crate::live::proxy::ProxyStream;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// The body of an answer. A request counts as under way until it is dropped.
pub(super) struct ServerBody {
    /// Free before the proxy is told that the client has left, so that whoever sees nothing in
    /// flight also finds room.
    _place: Option<OwnedSemaphorePermit>,
    content: Content,
}

enum Content {
    /// Nothing more when empty.
    Whole(Bytes),
    Stream(ProxyStream),
}

/// Why a client's body was not read.
pub(super) enum Unread {
    TooLarge,
    TooSlow,
    /// The client broke off, or its framing was wrong.
    Broken,
}

impl ServerBody {
    pub(super) const fn whole(bytes: Bytes) -> Self {
        Self {
            content: Content::Whole(bytes),
            _place: None,
        }
    }

    pub(super) const fn stream(stream: ProxyStream) -> Self {
        Self {
            content: Content::Stream(stream),
            _place: None,
        }
    }

    /// The same, with the request's place, which is free again when all has been sent.
    pub(super) fn holding(self, place: OwnedSemaphorePermit) -> Self {
        Self {
            _place: Some(place),
            ..self
        }
    }
}

impl Body for ServerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.content {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Content::Stream(stream) => stream
                .poll_next(context)
                .map(|piece| piece.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

/// Reads a client's body, at most so many bytes, in at most this time.
pub(super) async fn read(body: Incoming, most: usize, within: Duration) -> Result<Bytes, Unread> {
    // What is stated to be too long is not read at all.
    if body.size_hint().lower() > most as u64 {
        return Err(Unread::TooLarge);
    }
    let read = tokio::time::timeout(within, collect(body, most)).await;
    read.unwrap_or(Err(Unread::TooSlow))
}

async fn collect(mut body: Incoming, most: usize) -> Result<Bytes, Unread> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unread::Broken)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.len() > most - whole.len() {
            return Err(Unread::TooLarge);
        }
        // Most come in one piece, which needs no copy.
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
