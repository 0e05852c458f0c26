//! Emulated providers: a scenario's accounts as servers on this machine.
//!
//! They speak both providers' shapes, and behave by the very model that the simulator runs, in real
//! time: the same draws for the same request at the same account, the same capacity, quotas,
//! failures and faults. So what a proxy in front of them measures can be laid beside what the
//! simulation computes, and where the two differ it is not because the upstreams did.
//!
//! Why not a mock with a fixed delay: a mock that never queues, refuses or fails measures how fast
//! a proxy copies bytes, and says nothing about how well it routes.
//!
//! All accounts are behind one address, each under a path of its own: a thousand accounts need no
//! thousand ports. One fleet stands behind them, since accounts share quotas, faults and the order
//! of events.
//!
//! - `question`: what a call asks for; `ledger`: which request of the workload it is
//! - `world`: the model in real time; `board`: what it tells the connection that waits
//! - `wire`: answers and errors in bytes, sans-I/O; `text`: what is said
//! - `http`, `body`, `line`: the server; `tally`: what it did

mod board;
mod body;
mod http;
mod ledger;
mod line;
mod question;
mod tally;
mod text;
mod wire;
mod world;

pub use tally::{AccountTally, Tally};

use super::clock::Clock;
use super::provider::Shape;
use crate::request::{AccountIndex, ModelIndex, Provider};
use crate::rng::Streams;
use crate::routing::account::Account;
use crate::upstream::Fleet;
use crate::upstream::config::UpstreamConfig;
use crate::workload::Workload;
use crate::workload::config::WorkloadConfig;
use http::Service;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use ledger::Ledger;
use line::{Line, Switch};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use world::World;

/// The header by which a call says the number of its request in the workload, in decimal digits. A
/// proxy passes it on as it is.
pub const REQUEST_NUMBER: &str = "x-request-id";

/// How often a stream says more, in real time, unless its tokens come further apart.
pub const DEFAULT_CHUNK: Duration = Duration::from_millis(10);

/// What to emulate.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The accounts, in the order in which the model knows them.
    pub accounts: &'a [Account],
    /// Names of models by [`ModelIndex`].
    pub models: &'a [String],
    /// Who asks: what a request of a given number is.
    pub workload: &'a WorkloadConfig,
    /// Who answers.
    pub upstream: &'a UpstreamConfig,
    /// Root seed of requests, upstream noise and faults.
    pub seed: u64,
    /// Number of the replication, from 0.
    pub replication: u32,
    /// When the scenario begins, and its pace. Waits that an answer asks for (`retry-after`) are in
    /// the scenario's time.
    pub clock: Clock,
    /// Where to listen; port 0 is any free one.
    pub listen: SocketAddr,
    /// Whether a call must carry the account's [`key`].
    pub require_keys: bool,
    /// How often a stream says more, in real time.
    pub chunk: Duration,
}

/// Why nothing is emulated.
#[derive(Debug)]
pub enum StartError {
    /// There is no adapter for an account's provider.
    NoAdapter {
        /// The account.
        account: String,
        /// Its provider.
        provider: Provider,
    },
    /// The address cannot be listened at.
    Listen(SocketAddr, std::io::Error),
    /// The machine gives no thread.
    Thread(std::io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoAdapter { account, provider } => write!(
                f,
                "account \"{account}\" cannot be emulated: its provider is `{provider}`, and only \
                 `anthropic` and `google` have a shape of their own"
            ),
            Self::Listen(address, error) => write!(f, "cannot listen at {address}: {error}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// The key that an account takes where keys are required.
#[must_use]
pub fn key(account: &str) -> String {
    format!("emulated-{account}")
}

/// A scenario's accounts, being emulated. Dropped, it ends at once; [`Emulator::stop`] lets what is
/// in flight end.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    paths: Vec<String>,
    world: Arc<World>,
    thread: Option<JoinHandle<()>>,
    stop: oneshot::Sender<Duration>,
    server: tokio::task::JoinHandle<()>,
}

impl Emulator {
    /// Starts to listen. Must be called within a runtime of tokio.
    ///
    /// # Errors
    /// If an account's provider has no shape, or the address or a thread is not to be had.
    pub async fn start(setup: &Setup<'_>) -> Result<Self, StartError> {
        let mut accounts = BTreeMap::new();
        for (index, account) in (0..).zip(setup.accounts) {
            let shape = Shape::of(account.provider).ok_or_else(|| StartError::NoAdapter {
                account: account.id.clone(),
                provider: account.provider,
            })?;
            accounts.insert(account.id.clone(), (AccountIndex(index), shape));
        }
        let refused = |error| StartError::Listen(setup.listen, error);
        let listener = TcpListener::bind(setup.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let streams = Streams::new(setup.seed, setup.replication);
        let world = Arc::new(World::new(
            setup.clock,
            Fleet::new(setup.upstream, streams),
            Ledger::new(Workload::new(setup.workload, streams)),
            setup.accounts.len(),
            setup.chunk,
        ));
        let thread = world.start().map_err(StartError::Thread)?;
        let models = setup.models.iter().cloned().zip((0..).map(ModelIndex));
        let service = Service {
            world: Arc::clone(&world),
            accounts,
            models: models.collect(),
            require_keys: setup.require_keys,
        };
        let (stop, stopped) = oneshot::channel();
        Ok(Self {
            address,
            paths: setup
                .accounts
                .iter()
                .map(|account| encoded(&account.id))
                .collect(),
            world,
            thread: Some(thread),
            stop,
            server: tokio::spawn(listen(listener, Arc::new(service), stopped)),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of every account, in their order: what stands before `/v1/messages` or
    /// `/v1beta/models`.
    #[must_use]
    pub fn base_urls(&self) -> Vec<String> {
        let url = |path| format!("http://{}/{path}", self.address);
        self.paths.iter().map(url).collect()
    }

    /// What it has done so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.world.tally()
    }

    /// Takes no more connections, lets what is in flight end for up to `grace`, cancels the rest,
    /// and tells what became of all.
    pub async fn stop(mut self, grace: Duration) -> Tally {
        let (nobody, _) = oneshot::channel();
        let stop = std::mem::replace(&mut self.stop, nobody);
        // An error means that it has ended already.
        let _ = stop.send(grace);
        let _ = (&mut self.server).await;
        let _ = tokio::time::timeout(LAST_CLEAN_UP, self.cleaned_up()).await;
        self.end_thread();
        self.world.tally()
    }

    /// In HTTP/2 each call has a task of its own, which learns a little later that its connection
    /// is gone.
    async fn cleaned_up(&self) {
        while self.world.in_flight() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn end_thread(&mut self) {
        self.world.stop();
        if let Some(thread) = self.thread.take() {
            // Should it have panicked, it has said so itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.server.abort();
        self.end_thread();
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

/// An account's name as a piece of a path (RFC 3986).
fn encoded(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

/// Longest wait, once all connections are gone, for their calls to notice.
const LAST_CLEAN_UP: Duration = Duration::from_secs(1);

/// Pause after a connection that could not be taken: mostly there are too many, and that passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

async fn listen(
    listener: TcpListener,
    service: Arc<Service>,
    mut stopped: oneshot::Receiver<Duration>,
) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let grace = loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&service), graceful.watcher()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            grace = &mut stopped => break grace.unwrap_or_default(),
        }
    };
    drop(listener);
    // What is left after that is cut off.
    let _ = tokio::time::timeout(grace, graceful.shutdown()).await;
    connections.shutdown().await;
}

/// Serves one connection, HTTP/1.1 or HTTP/2 as the client begins it. Its limits are wide: what
/// limits an account is its model.
async fn connection(
    stream: TcpStream,
    service: Arc<Service>,
    graceful: hyper_util::server::graceful::Watcher,
) {
    // Without it, small frames wait for others.
    let _ = stream.set_nodelay(true);
    let switch = Switch::default();
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new());
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(1 << 16)
        .max_pending_accept_reset_streams(1 << 16)
        .max_local_error_reset_streams(None);
    let line = TokioIo::new(Line::new(stream, switch.clone()));
    let answer = service_fn(move |request| {
        let (service, switch) = (Arc::clone(&service), switch.clone());
        async move { service.answer(request, &switch).await }
    });
    let served = server.serve_connection(line, answer).into_owned();
    // How it ended is the client's to know.
    let _ = graceful.watch(served).await;
}
