//! The proxy as an HTTP server, in the dialects of Anthropic and of `OpenAI`.
//!
//! It stands before [`IntelligentProxy`] and takes from clients only what it can bear: every limit
//! is checked before the cost is incurred that it is to bound (the key before the body is read, the
//! stated length before the first byte of it, the number of requests before any memory). What is
//! refused is told in the dialect of the path, so that a client's own library shows it.
//!
//! - `connection`: from a socket to requests, HTTP/1.1 or HTTP/2, with TLS or without
//! - `service`: from a request to an answer
//! - `hints`: what a client may say about routing
//! - `keys`: who may ask
//! - `metrics`: what the core knows, for Prometheus
//!
//! Why hyper and no framework on top: there are six paths, and what a gateway must get right (that
//! a client has left, back-pressure, time-outs, draining) is the connection's business, where a
//! framework is in the way.

mod body;
mod connection;
mod first_bytes;
mod hints;
mod keys;
mod metrics;
mod service;
mod tls;

pub use self::hints::HINTS;
pub use self::keys::{ClientKey, KeyError};
pub use self::tls::TlsFiles;

use self::connection::Speaker;
use self::keys::Keys;
use crate::live::clock::unix_seconds;
use crate::live::proxy::{AccountError, IntelligentProxy, ProxyAccount};
use hyper_util::server::graceful::GracefulShutdown;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Settings of a server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where it listens; port 0 = any free one.
    pub listen: SocketAddr,
    /// Certificate and key; `None` = without TLS.
    pub tls: Option<TlsFiles>,
    /// Who may ask. Without any, everyone who can reach the address.
    pub clients: Vec<ClientKey>,
    /// What is taken from clients.
    pub limits: ServerLimits,
    /// Where the log counts the lines that it drops, to be shown in `/metrics`.
    pub dropped_log_lines: Option<Arc<AtomicU64>>,
}

/// Bounds on what is taken from clients.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerLimits {
    /// Most bytes of a request's body; 413 beyond. Default 32 MiB, as Anthropic's.
    pub max_body_bytes: usize,
    /// Most bytes of a request's head; 431 beyond. At least 8 KiB; default 64 KiB.
    pub max_header_bytes: usize,
    /// Most headers of a request; 431 beyond. Default 100.
    pub max_headers: usize,
    /// Most requests under way; 503 beyond. Default 4,096.
    pub max_requests: usize,
    /// Most connections; further ones wait to be accepted. Default 16,384.
    pub max_connections: usize,
    /// Longest that a client may take for a handshake, and for the head of a request; the
    /// connection is then closed. It is also how long an unused one is kept. Default 30 s.
    pub header_timeout: Duration,
    /// Longest that a client may take for the body of a request; 408 then. Default 30 s.
    pub body_timeout: Duration,
    /// How long connections are still accepted after the order to shut down, while `/ready` says
    /// no, so that a load balancer sees it first. Default 0.
    pub ready_delay: Duration,
    /// How long requests under way may then take to end. Default 30 s.
    pub drain_timeout: Duration,
}

/// A server that listens.
pub struct Server {
    addr: SocketAddr,
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
}

/// A hand on a server while it serves.
#[derive(Clone)]
pub struct ServerControl(Arc<Shared>);

/// How a server ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Drained {
    /// Connections that were cut because their time to drain was over.
    pub cut: usize,
}

/// Why a server cannot start.
#[derive(Debug)]
pub enum ServerError {
    /// The address cannot be listened on.
    Listen(SocketAddr, std::io::Error),
    /// The certificate or its key is unusable.
    Tls(String),
    /// A client's key is unusable.
    Key(KeyError),
}

/// What all requests share.
struct Shared {
    proxy: Arc<IntelligentProxy>,
    keys: RwLock<Arc<Keys>>,
    limits: ServerLimits,
    /// Room for requests.
    room: Arc<Semaphore>,
    /// Room for connections.
    sockets: Arc<Semaphore>,
    draining: AtomicBool,
    counts: Counts,
    dropped_log_lines: Option<Arc<AtomicU64>>,
}

/// A path, the client's name if keys are asked for, and the status that was answered.
type Answered = (&'static str, Option<Arc<str>>, u16);

/// What only the server sees. What the core counts is not counted here again.
struct Counts {
    /// Answers by path, client and status.
    answers: Mutex<BTreeMap<Answered, u64>>,
    /// Numbers requests that come without a name.
    unnamed: AtomicU64,
    /// What their names begin with: not what those of the last start began with.
    prefix: String,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_body_bytes: 32 << 20,
            max_header_bytes: 64 << 10,
            max_headers: 100,
            max_requests: 4_096,
            max_connections: 16_384,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            ready_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl ServerConfig {
    /// A server on `listen` with default limits, without TLS, for everyone.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            clients: vec![],
            limits: ServerLimits::default(),
            dropped_log_lines: None,
        }
    }
}

impl Server {
    /// Listens. From here on clients can connect; they are answered once [`Self::serve`] runs.
    ///
    /// # Errors
    /// If the address cannot be listened on, the certificate cannot be used, or two clients have
    /// one name or key.
    pub async fn bind(
        config: ServerConfig,
        proxy: Arc<IntelligentProxy>,
    ) -> Result<Self, ServerError> {
        let keys = Keys::new(&config.clients).map_err(ServerError::Key)?;
        let acceptor = config.tls.as_ref().map(tls::acceptor).transpose();
        let acceptor = acceptor.map_err(ServerError::Tls)?;
        let fail = |error| ServerError::Listen(config.listen, error);
        let listener = TcpListener::bind(config.listen).await.map_err(fail)?;
        let addr = listener.local_addr().map_err(fail)?;
        let room = |number: usize| Arc::new(Semaphore::new(number.min(Semaphore::MAX_PERMITS)));
        let shared = Shared {
            proxy,
            keys: RwLock::new(Arc::new(keys)),
            room: room(config.limits.max_requests),
            sockets: room(config.limits.max_connections),
            limits: config.limits,
            draining: AtomicBool::new(false),
            counts: Counts::new(),
            dropped_log_lines: config.dropped_log_lines,
        };
        Ok(Self {
            addr,
            listener,
            acceptor,
            shared: Arc::new(shared),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A hand on it for the time when it serves.
    #[must_use]
    pub fn control(&self) -> ServerControl {
        ServerControl(Arc::clone(&self.shared))
    }

    /// Serves until `shutdown` is ready, then drains: `/ready` says no, after
    /// [`ServerLimits::ready_delay`] no connection is accepted any more, requests under way come to
    /// their end, and what has not after [`ServerLimits::drain_timeout`] is cut.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Drained {
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let limits = self.shared.limits.clone();
        self.accept_until(shutdown, &graceful, &mut connections)
            .await;
        self.shared.draining.store(true, Ordering::Relaxed);
        let delay = tokio::time::sleep(limits.ready_delay);
        self.accept_until(delay, &graceful, &mut connections).await;
        let Self {
            listener, shared, ..
        } = self;
        drop(listener);
        let drained = tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await;
        while connections.try_join_next().is_some() {}
        let cut = if drained.is_ok() {
            0
        } else {
            connections.len()
        };
        connections.shutdown().await;
        shared.settle().await;
        Drained { cut }
    }

    async fn accept_until(
        &self,
        end: impl Future<Output = ()>,
        graceful: &GracefulShutdown,
        connections: &mut JoinSet<()>,
    ) {
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => return,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                (stream, socket) = self.accept() => {
                    let speaker = Speaker {
                        shared: Arc::clone(&self.shared),
                        acceptor: self.acceptor.clone(),
                        watcher: graceful.watcher(),
                    };
                    connections.spawn(async move {
                        speaker.speak(stream).await;
                        drop(socket);
                    });
                }
            }
        }
    }

    async fn accept(&self) -> (TcpStream, Option<OwnedSemaphorePermit>) {
        let sockets = Arc::clone(&self.shared.sockets);
        let socket = sockets.acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    // Pieces of a stream are small, and each is wanted at once.
                    let _ = stream.set_nodelay(true);
                    return (stream, socket);
                }
                // The client was gone already, or the machine is out of files: neither is the
                // server's end, and for the latter it helps to let others finish.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

impl ServerControl {
    /// Makes `accounts` the pool and `clients` those who may ask. Requests under way are not
    /// touched: they end where they are.
    ///
    /// # Errors
    /// If an account or a client cannot be used. Nothing has changed then.
    pub fn reload(
        &self,
        accounts: &[ProxyAccount],
        clients: &[ClientKey],
    ) -> Result<(), ReloadError> {
        let keys = Keys::new(clients).map_err(ReloadError::Key)?;
        let accounts = self.0.proxy.set_accounts(accounts);
        accounts.map_err(ReloadError::Account)?;
        let mut present = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        *present = Arc::new(keys);
        Ok(())
    }
}

/// Why new accounts or clients are not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReloadError {
    /// An account cannot be used.
    Account(AccountError),
    /// A client's key cannot be used.
    Key(KeyError),
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReloadError {}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(addr, error) => write!(f, "cannot listen on {addr}: {error}"),
            Self::Tls(why) => f.write_str(why),
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServerError {}

impl Shared {
    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until requests whose clients were cut off are reported too, a second at most: their
    /// tasks only have to be told.
    async fn settle(&self) {
        for _ in 0..100 {
            if self.proxy.in_flight() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Counts {
    fn new() -> Self {
        Self {
            answers: Mutex::default(),
            unnamed: AtomicU64::new(0),
            prefix: format!("req_{:x}_", unix_seconds()),
        }
    }

    fn answered(&self, path: &'static str, client: Option<Arc<str>>, status: u16) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((path, client, status)).or_default() += 1;
    }
}
