//! From a socket to requests.

use super::first_bytes::FirstBytes;
use super::{Shared, service};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// How often a silent HTTP/2 client is asked whether it is still there, and how long it may take to
/// say so.
const PING: Duration = Duration::from_secs(20);

/// hyper's least buffer of HTTP/1, in bytes.
const LEAST_BUFFER: usize = 8 << 10;

/// What a connection needs.
pub(super) struct Speaker {
    pub(super) shared: Arc<Shared>,
    pub(super) acceptor: Option<TlsAcceptor>,
    /// Tells of the shutdown, and is waited for.
    pub watcher: Watcher,
}

impl Speaker {
    /// Answers the requests that come on a connection, to its end.
    pub(super) async fn speak(self, stream: TcpStream) {
        let patience = self.shared.limits.header_timeout;
        match self.acceptor.clone() {
            None => self.answer(FirstBytes::new(stream, patience)).await,
            Some(acceptor) => {
                let handshake = tokio::time::timeout(patience, acceptor.accept(stream));
                if let Ok(Ok(stream)) = handshake.await {
                    self.answer(FirstBytes::new(stream, patience)).await;
                }
            }
        }
    }

    async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let Self {
            shared, watcher, ..
        } = self;
        let builder = builder(&shared);
        let service = service_fn(move |request| service::answer(Arc::clone(&shared), request));
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        // How it ended, if by an error, is the client's doing: there is nobody to tell.
        let _ = watcher.watch(connection).await;
    }
}

fn builder(shared: &Shared) -> Builder<TokioExecutor> {
    let limits = &shared.limits;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(limits.max_headers)
        .max_buf_size(limits.max_header_bytes.max(LEAST_BUFFER));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX));
    builder
}
