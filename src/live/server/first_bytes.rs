//! A connection whose first bytes must come in time.
//!
//! Which version of HTTP a client speaks shows in its first bytes, and hyper-util waits for these
//! without a limit: whoever connects and says nothing, or sends the preface of HTTP/2 one byte a
//! day, would hold the connection for ever. The limits of either version begin only after that.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What an HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails to be read if it is not clear in time which version it speaks.
pub(super) struct FirstBytes<S> {
    stream: S,
    /// Gone when it is clear.
    limit: Option<Pin<Box<Sleep>>>,
    /// Bytes of the preface that have come.
    matched: usize,
}

impl<S> FirstBytes<S> {
    pub(super) fn new(stream: S, within: Duration) -> Self {
        Self {
            stream,
            limit: Some(Box::pin(tokio::time::sleep(within))),
            matched: 0,
        }
    }

    fn look_at(&mut self, bytes: &[u8]) {
        let rest = &PREFACE[self.matched..];
        let common = rest.len().min(bytes.len());
        self.matched += common;
        let differs = bytes[..common] != rest[..common];
        if differs || self.matched == PREFACE.len() {
            self.limit = None;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstBytes<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if self.limit.is_none() {
            return read;
        }
        if read.is_ready() {
            self.look_at(&buffer.filled()[before..]);
            return read;
        }
        let over = |limit: &mut Pin<Box<Sleep>>| limit.as_mut().poll(context).is_ready();
        if self.limit.as_mut().is_some_and(over) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstBytes<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        pieces: &[io::IoSlice],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn reading(sent: &[u8]) -> (bool, io::Result<usize>) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut client, server) = tokio::io::duplex(64);
            let mut server = FirstBytes::new(server, Duration::ZERO);
            tokio::io::AsyncWriteExt::write_all(&mut client, sent)
                .await
                .unwrap();
            let mut buffer = [0; 64];
            if !sent.is_empty() {
                let read = server.read(&mut buffer).await.unwrap();
                assert_eq!(read, sent.len());
            }
            let clear = server.limit.is_none();
            if clear {
                drop(client);
            }
            (clear, server.read(&mut buffer).await)
        })
    }

    #[test]
    fn what_is_not_clear_in_time_is_given_up() {
        for unclear in [&b""[..], b"P", b"PRI * HT"] {
            let (clear, read) = reading(unclear);
            assert!(!clear, "{unclear:?}");
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
    }

    #[test]
    fn what_is_clear_is_left_alone() {
        for clear in [&b"G"[..], b"POST / HTTP/1.1\r\n", b"PUT", PREFACE] {
            let (is_clear, read) = reading(clear);
            assert!(is_clear, "{clear:?}");
            assert_eq!(read.unwrap(), 0, "the end, not a time-out");
        }
    }
}
