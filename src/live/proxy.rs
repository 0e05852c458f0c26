//! The proxy: one asynchronous entry point over all accounts, a thin shell around the routing core.
//!
//! The core ([`crate::routing::gateway::Gateway`]) decides, the same code that the simulator runs;
//! the shell reads clocks and sockets and reports. Where a request is sent, whether and when it is
//! sent again, what a failure means, when time is up, what it costs and whether it is in the cache:
//! none of it is decided here.
//!
//! ```text
//! proxy_request ─▶ core (locked): where to ─▶ mailbox ─▶ exchange ─▶ provider
//!        ◀─ answer, or its pieces as they come ◀──────────┘  │ first token, end, failure
//!                                                   core ◀──┘
//! ```
//!
//! - `core`: the routing core behind a mutex, with a mailbox for each request
//! - `exchange`: one request's talk with providers and client
//! - `passage`: a stream on its way through
//! - `http`: the pooled connections

mod account;
mod core;
mod exchange;
mod http;
mod log;
mod passage;
mod reply;

pub use self::account::{AccountError, ProxyAccount, ProxyModel, Secret};
pub use self::exchange::ExchangeLimits;
pub use self::http::HttpConfig;
pub use self::log::{BreakerChange, Log, Tag, Trace};
pub use self::reply::{ProxyBody, ProxyError, ProxyResponse, ProxyStream};

use self::core::{Core, CoreConfig};
use self::exchange::{Client, Exchange, Work};
use self::http::{Http, PassedOn};
use crate::live::chat::{ChatRequest, Dialect};
use crate::live::client::{ClientError, ErrorKind};
use crate::live::clock::Clock;
use crate::request::{
    ClassIndex, ModelIndex, Provider, RequestFeatures, RequestPriority, RequestType, Usage,
    UserPreferences,
};
use crate::routing::config::RoutingConfig;
use crate::routing::gateway::Gateway;
use crate::routing::metrics::{AccountMetrics, GatewayStats};
use crate::time::{Duration, Timestamp};
use hyper::header::HeaderValue;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::oneshot;

/// Settings of a proxy.
pub struct ProxyConfig {
    /// The routing code's.
    pub routing: RoutingConfig,
    /// Names of the regions that users and accounts are in.
    pub regions: Vec<String>,
    /// Round trip between each two of `regions`, row by row; empty without regions.
    pub round_trips: Vec<Duration>,
    /// Seed of the routing code's own random choices. Default 0: draws decide between equals only.
    pub seed: u64,
    /// Requests that arrive earlier after the clock's start are not in the statistics. Default 0.
    pub warmup: Duration,
    /// Connections to providers.
    pub http: HttpConfig,
    /// Bounds on what is taken from others.
    pub limits: ExchangeLimits,
    /// Who is told of every request's end.
    pub log: Option<Box<dyn Log>>,
    /// The time that the core counts in.
    pub clock: Clock,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            routing: RoutingConfig::default(),
            regions: vec![],
            round_trips: vec![],
            seed: 0,
            warmup: Duration::ZERO,
            http: HttpConfig::default(),
            limits: ExchangeLimits::default(),
            log: None,
            clock: Clock::new(1.0),
        }
    }
}

/// A request with all that routing may look at.
#[derive(Clone, Debug)]
pub struct ProxyRequest {
    /// What is asked.
    pub chat: ChatRequest,
    /// How urgent it is.
    pub priority: RequestPriority,
    /// What kind of work it is.
    pub request_type: RequestType,
    /// Where the user is, by name; one that is not known counts as none.
    pub region: Option<String>,
    /// The user's wishes.
    pub preferences: UserPreferences,
    /// Whether its answer may be repeated although it is sampled; at temperature 0 it may be
    /// anyhow.
    pub cacheable: bool,
    /// Who asks, for the log.
    pub client: Option<Arc<str>>,
    /// The client's name for it, passed on as `x-request-id`.
    pub request_id: Option<HeaderValue>,
    /// Anthropic's switches for features, passed on to providers of that dialect.
    pub anthropic_beta: Option<HeaderValue>,
}

impl ProxyRequest {
    /// A request of normal priority without wishes.
    #[must_use]
    pub fn new(chat: ChatRequest) -> Self {
        Self {
            chat,
            priority: RequestPriority::default(),
            request_type: RequestType::default(),
            region: None,
            preferences: UserPreferences::default(),
            cacheable: false,
            client: None,
            request_id: None,
            anthropic_beta: None,
        }
    }
}

/// Routes requests to accounts at several providers.
///
/// It needs a `tokio` runtime when a request is made. Dropped, it lets the requests that are under
/// way come to their end.
///
/// # Examples
/// ```
/// use routelab::live::chat::{ChatRequest, Dialect};
/// use routelab::live::client;
/// use routelab::live::proxy::{IntelligentProxy, ProxyAccount, ProxyRequest, Secret};
/// use routelab::request::Provider;
/// use routelab::units::Prices;
///
/// # // A provider that answers one request, so that the example runs without an account.
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let base_url = format!("http://{}", listener.local_addr()?);
/// # let upstream = std::thread::spawn(move || {
/// #     use std::io::{Read, Write};
/// #     let (mut socket, _) = listener.accept().unwrap();
/// #     let mut asked = Vec::new();
/// #     while !asked.ends_with(b"}") {
/// #         let mut buffer = [0; 1024];
/// #         let read = socket.read(&mut buffer).unwrap();
/// #         assert_ne!(read, 0);
/// #         asked.extend(&buffer[..read]);
/// #     }
/// #     let body = r#"{"id": "msg_1", "type": "message", "role": "assistant",
/// #         "model": "claude-sonnet",
/// #         "content": [{"type": "text", "text": "Hello to you!"}], "stop_reason": "end_turn",
/// #         "usage": {"input_tokens": 9, "output_tokens": 5}}"#;
/// #     let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
/// #     write!(socket, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
/// # });
/// # let key = "a-key";
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let proxy = IntelligentProxy::new();
/// let available_accounts = [
///     ProxyAccount::new("claude-1", Provider::Anthropic, &base_url, Secret::new(key))
///         .serving("claude-sonnet", Prices::default()),
/// ];
/// let body = br#"{"model": "claude-sonnet", "max_tokens": 64,
///                 "messages": [{"role": "user", "content": "Hello!"}]}"#;
/// let request = ProxyRequest::new(client::request(Dialect::Anthropic, body)?);
///
/// let response = proxy.proxy_request(request, &available_accounts).await?;
/// assert_eq!(response.answer().expect("a whole one").text, "Hello to you!");
///
/// let stats = proxy.get_stats().await;
/// assert_eq!((stats.successful_requests, stats.total_requests), (1, 1));
/// println!("{} of {}", stats.successful_requests, stats.total_requests);
/// for (account, metrics) in proxy.get_all_metrics().await {
///     println!("{account}: health {:.2}", metrics.calculate_health_score());
/// }
/// # upstream.join().expect("the provider answered");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct IntelligentProxy {
    core: Arc<Core>,
    http: Http,
    limits: ExchangeLimits,
    caches: bool,
    /// Whether the core's timers have their task.
    timed: AtomicBool,
}

impl IntelligentProxy {
    /// A proxy with default settings and no accounts.
    #[must_use]
    pub fn new() -> Self {
        let config = ProxyConfig::default();
        let http = default_http().clone();
        Self::assemble(config, http)
    }

    /// A proxy with these settings, and no accounts.
    ///
    /// # Errors
    /// If an extra root is no certificate.
    pub fn with_config(config: ProxyConfig) -> Result<Self, String> {
        let http = Http::new(&config.http)?;
        Ok(Self::assemble(config, http))
    }

    fn assemble(config: ProxyConfig, http: Http) -> Self {
        let caches = config.routing.cache.is_some();
        let core = Core::new(CoreConfig {
            routing: config.routing,
            regions: config.regions,
            round_trips: config.round_trips,
            seed: config.seed,
            warmup: config.warmup,
            log: config.log,
            clock: config.clock,
        });
        Self {
            core: Arc::new(core),
            http,
            limits: config.limits,
            caches,
            timed: AtomicBool::new(false),
        }
    }

    /// Makes `accounts` the pool. Known ones, by their names, keep what was learned about them;
    /// those that are not in the list finish what they are at and take no more.
    ///
    /// # Errors
    /// If one of them cannot be used. Nothing has changed then.
    pub fn set_accounts(&self, accounts: &[ProxyAccount]) -> Result<(), AccountError> {
        self.core.set_accounts(accounts)
    }

    /// Answers a request by one of `available_accounts`, which become the pool for all requests
    /// ([`Self::set_accounts`]). Dropped before it is done, it leaves: what is in flight for it is
    /// cancelled.
    ///
    /// # Errors
    /// If an account cannot be used, nobody serves the model, nobody is available, or all attempts
    /// failed.
    pub async fn proxy_request(
        &self,
        request: ProxyRequest,
        available_accounts: &[ProxyAccount],
    ) -> Result<ProxyResponse, ProxyError> {
        self.set_accounts(available_accounts)
            .map_err(|error| ClientError::new(ErrorKind::Internal, error.to_string()))?;
        self.handle(request).await
    }

    /// Answers a request by one of the accounts in the pool.
    ///
    /// # Errors
    /// If nobody serves the model, nobody is available, or all attempts failed.
    pub async fn handle(&self, request: ProxyRequest) -> Result<ProxyResponse, ProxyError> {
        self.start_timers();
        let (model, features) = self.features(&request)?;
        let (reply, answer) = oneshot::channel();
        let (here, gone) = oneshot::channel();
        let tag = Tag {
            client: request.client,
            request_id: request.request_id.clone(),
        };
        let place = self.core.arrived(ClassIndex(0), &features, tag);
        let exchange = Exchange {
            place,
            gone,
            has_left: false,
            work: Work {
                core: Arc::clone(&self.core),
                http: self.http.clone(),
                chat: Arc::new(request.chat),
                model,
                passed_on: PassedOn {
                    request_id: request.request_id,
                    anthropic_beta: request.anthropic_beta,
                },
                limits: self.limits.clone(),
                shared: features.cache_key.is_some(),
                client: Client::Waiting(reply),
                usage: Usage::default(),
                waits_for_client: false,
                error: None,
            },
        };
        exchange.begin(here, answer).await
    }

    /// Counts, latency and cost so far.
    #[expect(clippy::unused_async, reason = "the name and form that its users know")]
    pub async fn get_stats(&self) -> GatewayStats {
        self.look(Gateway::get_stats)
    }

    /// What is known of every account, with its name.
    #[expect(clippy::unused_async, reason = "the name and form that its users know")]
    pub async fn get_all_metrics(&self) -> Vec<(String, AccountMetrics)> {
        self.look(Gateway::get_all_metrics)
    }

    /// Looks at the core, and keeps all requests waiting meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&Gateway, Timestamp) -> T) -> T {
        let state = self.core.lock();
        look(&state.gateway, self.core.now())
    }

    /// Clients' names for the models, in the order of their numbers in the core.
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        self.core.lock().models().to_vec()
    }

    /// Names of the regions, as configured.
    #[must_use]
    pub fn regions(&self) -> Vec<String> {
        self.core.lock().regions().to_vec()
    }

    /// Requests that have arrived and not ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.core.lock().gateway.in_flight()
    }

    fn start_timers(&self) {
        if !self.timed.swap(true, Ordering::Relaxed) {
            tokio::spawn(Core::run_timers(Arc::downgrade(&self.core)));
        }
    }

    /// What routing sees of a request.
    fn features(
        &self,
        request: &ProxyRequest,
    ) -> Result<(ModelIndex, RequestFeatures), ProxyError> {
        let chat = &request.chat;
        let preferences = bound_by_dialect(chat, request.preferences)?;
        let state = self.core.lock();
        let Some(model) = state.model(&chat.model) else {
            let known = state.models().join(", ");
            let message = format!(
                "no account serves model `{}`; served are: {known}",
                chat.model
            );
            return Err(ClientError::new(ErrorKind::NotFound, message).into());
        };
        let region = request
            .region
            .as_deref()
            .and_then(|name| state.region(name));
        drop(state);
        // What only one dialect can say cannot be replayed in another.
        let repeatable = chat.beyond.is_empty() && (request.cacheable || chat.is_repeatable());
        let features = RequestFeatures {
            model,
            estimated_tokens: chat.estimated_tokens(),
            max_output_tokens: chat.max_output_tokens,
            priority: request.priority,
            request_type: request.request_type,
            streaming: chat.stream,
            user_region: region,
            preferences,
            cache_key: (self.caches && repeatable).then(|| chat.cache_key()),
        };
        Ok((model, features))
    }
}

impl Default for IntelligentProxy {
    fn default() -> Self {
        Self::new()
    }
}

/// A request with fields that only one dialect has goes to providers of that dialect.
fn bound_by_dialect(
    chat: &ChatRequest,
    mut preferences: UserPreferences,
) -> Result<UserPreferences, ProxyError> {
    if chat.beyond.is_empty() {
        return Ok(preferences);
    }
    let elsewhere = preferences.provider_required
        && preferences
            .provider
            .is_some_and(|provider| provider != Provider::Anthropic);
    if chat.dialect != Dialect::Anthropic || elsewhere {
        let cannot = crate::live::provider::CannotSay {
            fields: chat.beyond.clone(),
        };
        let mut error = ClientError::new(ErrorKind::InvalidRequest, cannot.to_string());
        error.field = chat.beyond.first().cloned();
        return Err(error.into());
    }
    preferences.provider = Some(Provider::Anthropic);
    preferences.provider_required = true;
    Ok(preferences)
}

/// A client with default settings, which cannot fail to be made; shared by all that have them.
fn default_http() -> &'static Http {
    static HTTP: OnceLock<Http> = OnceLock::new();
    HTTP.get_or_init(|| {
        #[expect(
            clippy::expect_used,
            reason = "there is no extra root that could be wrong"
        )]
        Http::new(&HttpConfig::default()).expect("no extra roots")
    })
}
