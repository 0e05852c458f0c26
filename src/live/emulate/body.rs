//! The body of an answer: whole, streamed as the model produces it, or broken off.

use super::board::Stage;
use super::wire::Writer;
use super::world::Attempt;
use crate::request::Usage;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an answer.
pub(super) enum Answer {
    /// All of it at once, then nothing.
    Whole(Option<Bytes>),
    /// As it is produced.
    Stream(Box<Streaming>),
    /// So much of it, and then the end of the connection.
    Broken(Breaking),
}

/// A stream, as far as it has been written.
pub(super) struct Streaming {
    attempt: Attempt,
    writer: Writer,
    /// What has become of it, not written yet.
    ready: Option<Stage>,
    begun: bool,
    /// Output tokens written.
    shown: u32,
    ending: Option<Breaking>,
}

/// What is still to be sent of a body that breaks off.
#[derive(Default)]
pub(super) struct Breaking {
    /// Before the end.
    rest: Option<Bytes>,
    /// Whether the end is the connection's too.
    cut: bool,
    /// Whether the connection has had the time to send what it was given.
    sent: bool,
}

/// The connection ends here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the emulated failure is the end of the connection")
    }
}

impl std::error::Error for Cut {}

type Next = Poll<Option<Result<Frame<Bytes>, Cut>>>;

impl Answer {
    /// A stream of which something has come.
    pub(super) fn stream(attempt: Attempt, writer: Writer, ready: Stage) -> Self {
        Self::Stream(Box::new(Streaming {
            attempt,
            writer,
            ready: Some(ready),
            begun: false,
            shown: 0,
            ending: None,
        }))
    }

    /// The first half of these bytes, and no more.
    pub(super) fn broken(mut whole: Vec<u8>) -> Self {
        whole.truncate(whole.len() / 2);
        Self::Broken(Breaking {
            rest: Some(Bytes::from(whole)),
            cut: true,
            sent: false,
        })
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Next {
        match &mut *self {
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Stream(stream) => stream.poll(context),
            Self::Broken(breaking) => breaking.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(_) | Self::Broken(_) => SizeHint::default(),
        }
    }
}

impl Streaming {
    fn poll(&mut self, context: &mut Context<'_>) -> Next {
        loop {
            if let Some(ending) = &mut self.ending {
                return ending.poll(context);
            }
            let stage = match self.ready.take() {
                Some(stage) => stage,
                None => std::task::ready!(self.attempt.poll(context)),
            };
            let mut out = vec![];
            self.write(stage, &mut out);
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from(out)))));
            }
        }
    }

    /// What the client reads of a stage.
    fn write(&mut self, stage: Stage, out: &mut Vec<u8>) {
        match stage {
            Stage::Awaited => {}
            Stage::Flowing(usage) => self.text(usage, out),
            Stage::Finished(usage) => {
                self.text(usage, out);
                self.writer.stream_end(usage, out);
                self.ending = Some(Breaking::default());
            }
            Stage::Failed(_, usage) => {
                self.text(usage, out);
                let cut = self.writer.stream_broken(usage, out);
                self.ending = Some(Breaking {
                    cut,
                    ..Breaking::default()
                });
            }
        }
    }

    fn text(&mut self, usage: Usage, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            self.writer.stream_start(usage, out);
        }
        self.writer.stream_text(self.shown, usage, out);
        self.shown = self.shown.max(usage.output);
    }
}

impl Breaking {
    /// A connection that is cut loses what it has not sent yet, so the cut waits until it has had
    /// its turn to send.
    fn poll(&mut self, context: &mut Context<'_>) -> Next {
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        if !self.cut {
            return Poll::Ready(None);
        }
        if !std::mem::replace(&mut self.sent, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Cut)))
    }
}
