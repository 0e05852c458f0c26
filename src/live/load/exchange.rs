//! One request's talk with the server.
//!
//! hyper's pooled client: a connection serves one request at a time in HTTP/1.1, and as many are
//! opened as requests are under way, so that the generator never queues what should be sent.

use super::answer::AnswerReader;
use super::question::Questions;
use super::record::{LoadRecord, Outcome};
use super::{LoadConfig, LoadDialect, LoadError};
use crate::live::clock::Clock;
use crate::request::{Request, Usage};
use crate::time::{Duration, Timestamp};
use bytes::Bytes;
use bytes::buf::Chain;
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A body in three pieces: what is the request's own, the shared text, and the closing brackets.
pub(super) type Body = Full<Chain<Chain<Bytes, Bytes>, Bytes>>;

/// Longest that making a connection may take; the request's own time goes on meanwhile.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// An end, and the place of the request among those under way.
pub(super) struct Ended {
    /// The place that it frees.
    pub place: u32,
    /// What became of the request.
    pub record: LoadRecord,
}

/// What all requests share.
pub(super) struct Line {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    questions: Questions,
    dialect: LoadDialect,
    clock: Clock,
    timeout: Duration,
    ends: Sender<Ended>,
}

impl Line {
    /// A line without connections, and where ends are told.
    pub fn new(
        config: &LoadConfig,
        questions: Questions,
    ) -> Result<(Self, Receiver<Ended>), LoadError> {
        let (ends, ended) = channel();
        let line = Self {
            client: client(config)?,
            questions,
            dialect: config.dialect,
            clock: config.clock,
            timeout: config.timeout,
            ends,
        };
        Ok((line, ended))
    }

    /// Sends a request that was meant to be sent at `intended`, and reads the answer to its end.
    /// However this future ends, dropped before its first step or in the middle, one end is told.
    pub fn send(
        self: &Arc<Self>,
        place: u32,
        intended: Timestamp,
        request: Request,
    ) -> impl Future<Output = ()> + Send + use<> {
        let ticket = Ticket {
            place,
            record: LoadRecord {
                id: request.id,
                class: request.class,
                intended,
                sent: None,
                first_token: None,
                ended: intended,
                usage: Usage::default(),
                outcome: Outcome::Abandoned,
            },
            line: Arc::clone(self),
        };
        ticket.talk(request)
    }

    async fn exchange(&self, request: &Request, record: &mut LoadRecord) -> Outcome {
        let Some(asked) = self.questions.ask(request) else {
            return Outcome::NoAnswer("a model without a name".into());
        };
        record.sent = Some(self.clock.now());
        let response = match self.client.request(asked).await {
            Ok(response) => response,
            Err(error) => return Outcome::NoAnswer(cause(&error)),
        };
        let status = response.status().as_u16();
        let streaming = request.features.streaming;
        let mut reader = AnswerReader::new(status, self.dialect, streaming);
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                record.usage = reader.usage();
                return reader.lost();
            };
            if let Some(piece) = frame.data_ref() {
                reader.push(piece);
                if record.first_token.is_none() && reader.has_content() {
                    record.first_token = Some(self.clock.now());
                }
            }
        }
        let outcome = reader.end();
        record.usage = reader.usage();
        outcome
    }
}

/// Tells the end of its request, whatever that is.
struct Ticket {
    place: u32,
    record: LoadRecord,
    line: Arc<Line>,
}

impl Ticket {
    async fn talk(mut self, request: Request) {
        let line = Arc::clone(&self.line);
        let until = line.clock.instant(self.record.intended + line.timeout);
        let exchange = line.exchange(&request, &mut self.record);
        self.record.outcome = match until {
            Some(until) => tokio::time::timeout_at(until.into(), exchange)
                .await
                .unwrap_or(Outcome::TimedOut),
            None => exchange.await,
        };
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.record.ended = self.line.clock.now();
        let placeholder = LoadRecord {
            outcome: Outcome::Abandoned,
            ..self.record
        };
        let record = std::mem::replace(&mut self.record, placeholder);
        let place = self.place;
        // Nobody listens only where the pacing thread has panicked.
        let _ = self.line.ends.send(Ended { place, record });
    }
}

fn client(config: &LoadConfig) -> Result<Client<HttpsConnector<HttpConnector>, Body>, LoadError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let builder = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| LoadError::Tls(error.to_string()))?
        .https_or_http();
    let connector = if config.http2 {
        builder.enable_http2().wrap_connector(tcp)
    } else {
        builder.enable_http1().wrap_connector(tcp)
    };
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(config.most_in_flight)
        .http2_only(config.http2)
        .http2_adaptive_window(true)
        .build(connector))
}

/// The last cause of an error: what the system or the protocol says.
fn cause(error: &Error) -> Box<str> {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string().into()
}
