//! The pooled connections to providers.
//!
//! hyper's client with rustls: connections are kept and used again, HTTP/2 where the provider
//! offers it in the handshake, else HTTP/1.1. Roots are Mozilla's, compiled in, plus those that the
//! owner adds, so that it runs in an empty container.

use super::account::Endpoint;
use crate::live::provider::ProviderRequest;
use crate::request::FailureKind;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

/// How connections to providers are made and kept.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Longest that making a connection may take, the TLS handshake included. Default 5 s.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept. Default 60 s: below what providers' front ends keep
    /// them, so that a request seldom meets one that is being closed.
    pub pool_idle_timeout: Duration,
    /// Most unused connections kept to one host. Default 1,024.
    pub pool_max_idle_per_host: usize,
    /// Certificates to trust beside Mozilla's, in DER.
    pub extra_roots: Vec<Vec<u8>>,
    /// Speak HTTP/2 from the first byte, without TLS too. Default false.
    pub http2_prior_knowledge: bool,
}

/// The client of all accounts.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client<Bounded<HttpsConnector<HttpConnector>>, Full<Bytes>>,
}

/// Headers of the client's that go to the provider as they are.
#[derive(Clone, Default, Debug)]
pub(super) struct PassedOn {
    /// The client's name for the request.
    pub request_id: Option<HeaderValue>,
    /// Anthropic's switches for features; to a provider of that dialect only.
    pub anthropic_beta: Option<HeaderValue>,
}

/// A connector that gives up after a while: one that bounds TCP alone waits for ever for a server
/// that takes the connection and never answers the handshake.
#[derive(Clone, Debug)]
struct Bounded<C> {
    connector: C,
    limit: Duration,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<C> Service<Uri> for Bounded<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
    C::Response: 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(self.limit, self.connector.call(uri));
        Box::pin(async {
            match connecting.await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err("no connection in time".into()),
            }
        })
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            pool_idle_timeout: Duration::from_secs(60),
            pool_max_idle_per_host: 1_024,
            extra_roots: vec![],
            http2_prior_knowledge: false,
        }
    }
}

impl Http {
    /// A client without connections.
    ///
    /// # Errors
    /// If an extra root is no certificate.
    pub fn new(config: &HttpConfig) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(&config.extra_roots)?)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.pool_idle_timeout)
            .pool_max_idle_per_host(config.pool_max_idle_per_host)
            .http2_only(config.http2_prior_knowledge);
        Ok(Self {
            client: builder.build(Bounded {
                connector,
                limit: config.connect_timeout,
            }),
        })
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// If there is no connection, or it breaks before the head.
    pub async fn send(
        &self,
        endpoint: &Endpoint,
        request: ProviderRequest,
        passed_on: &PassedOn,
    ) -> Result<Response<Incoming>, (FailureKind, String)> {
        let request = build(endpoint, request, passed_on)
            .map_err(|error| (FailureKind::BadRequest, error.to_string()))?;
        self.client
            .request(request)
            .await
            .map_err(|error| (FailureKind::Connection, in_full(&error)))
    }
}

fn build(
    endpoint: &Endpoint,
    request: ProviderRequest,
    passed_on: &PassedOn,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let shape = endpoint.shape;
    let mut built = Request::post(endpoint.uri(&request.path)?)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        )
        .header(
            USER_AGENT,
            HeaderValue::from_static(concat!("routelab/", env!("CARGO_PKG_VERSION"))),
        )
        .header(HeaderName::from_static(shape.key_header()), &endpoint.key);
    for &(name, value) in request.headers {
        built = built.header(name, value);
    }
    if let Some(id) = &passed_on.request_id {
        built = built.header("x-request-id", id);
    }
    if let Some(beta) = &passed_on.anthropic_beta {
        built = built.header("anthropic-beta", beta);
    }
    built.body(Full::new(Bytes::from(request.body)))
}

fn tls(extra_roots: &[Vec<u8>]) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    if extra_roots.is_empty() {
        return Ok(builder.with_webpki_roots().with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for root in extra_roots {
        roots
            .add(CertificateDer::from_slice(root))
            .map_err(|error| format!("an extra root certificate is none: {error}"))?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// An error with all its causes: "client error (Connect): tcp connect error: refused".
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
