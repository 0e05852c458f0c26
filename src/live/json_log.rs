//! The log: a line of JSON for each request, with the decisions that were made for it, and one for
//! each change of a breaker.
//!
//! The core tells of a request's end while it is locked, so nothing is written there, and nothing
//! formatted: the facts go through a bounded queue to a thread of its own. When that cannot keep
//! up, because nobody reads what it writes, lines are dropped and counted; requests do not wait for
//! their log. No line holds a word of what was asked or answered, nor any key.

use super::clock::unix_seconds;
use super::proxy::{BreakerChange, Log, Trace};
use crate::record::{AttemptRecord, Confidence, Outcome, RequestRecord};
use crate::request::FailureKind;
use crate::routing::breaker::BreakerState;
use crate::time::{Duration, Timestamp};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Writes a line for each request.
pub struct JsonLog {
    lines: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

/// The thread that writes. It ends when its [`JsonLog`] is gone and all is written.
pub struct LogWriter {
    dropped: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

/// What is to be written, unformatted.
enum Line {
    Request(Box<RequestLine>),
    Breaker(BreakerLine),
}

/// A breaker's new state.
struct BreakerLine {
    unix: u64,
    account: String,
    model: Option<String>,
    to: BreakerState,
}

/// What is known of a request.
struct RequestLine {
    unix: u64,
    record: RequestRecord,
    attempts: Vec<AttemptRecord>,
    /// The accounts of the attempts.
    accounts: Vec<String>,
    model: String,
    client: Option<Arc<str>>,
    request_id: Option<String>,
}

impl JsonLog {
    /// A log into `out`, and its thread. At most `queue` lines wait to be written.
    ///
    /// # Errors
    /// If there can be no further thread.
    pub fn start(
        out: impl Write + Send + 'static,
        queue: usize,
    ) -> std::io::Result<(Self, LogWriter)> {
        let (lines, received) = sync_channel(queue);
        let dropped = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&dropped);
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(out, &received, &count))?;
        let log = Self {
            lines,
            dropped: Arc::clone(&dropped),
        };
        Ok((log, LogWriter { dropped, thread }))
    }

    fn write(&self, line: Line) {
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Log for JsonLog {
    fn request_ended(&mut self, trace: &Trace) {
        let account = |attempt: &AttemptRecord| trace.accounts[attempt.account.at()].clone();
        let model = trace.models.get(trace.record.model.at());
        let id = trace.tag.request_id.as_ref();
        self.write(Line::Request(Box::new(RequestLine {
            unix: unix_seconds(),
            record: *trace.record,
            attempts: trace.attempts.to_vec(),
            accounts: trace.attempts.iter().map(account).collect(),
            model: model.cloned().unwrap_or_default(),
            client: trace.tag.client.clone(),
            request_id: id.and_then(|id| id.to_str().ok()).map(str::to_owned),
        })));
    }

    fn breaker_changed(&mut self, change: &BreakerChange) {
        self.write(Line::Breaker(BreakerLine {
            unix: unix_seconds(),
            account: change.account.to_owned(),
            model: change.model.map(str::to_owned),
            to: change.to,
        }));
    }
}

impl LogWriter {
    /// Lines that were dropped, counted on.
    #[must_use]
    pub fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    /// Waits until all is written. The proxy that holds the log must be gone, or this never ends.
    pub fn finish(self) {
        // It does not panic; and if it did, it has said so.
        let _ = self.thread.join();
    }
}

/// Writes lines until there can be no more. What cannot be written is dropped.
fn write(mut out: impl Write, lines: &Receiver<Line>, dropped: &AtomicU64) {
    while let Ok(line) = lines.recv() {
        let mut text = line.json().to_string();
        text.push('\n');
        if out.write_all(text.as_bytes()).is_err() {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
    let _ = out.flush();
}

impl Line {
    fn json(&self) -> Value {
        match self {
            Self::Request(line) => line.json(),
            Self::Breaker(line) => json!({
                "unix": line.unix,
                "event": "breaker",
                "account": line.account,
                "model": line.model,
                "state": line.to.name(),
            }),
        }
    }
}

impl RequestLine {
    fn json(&self) -> Value {
        let record = &self.record;
        let arrived = record.arrived;
        let after = |at: Timestamp| millis(at.since(arrived));
        let (outcome, why) = match record.outcome {
            Outcome::Success => ("success", None),
            Outcome::Failed(kind) => ("failure", Some(kind.name())),
            Outcome::Rejected(why) => ("rejection", Some(why.name())),
        };
        let attempts = self.attempts.iter().zip(&self.accounts);
        let attempts: Vec<Value> = attempts
            .map(|(attempt, account)| {
                json!({
                    "account": account,
                    "strategy": attempt.strategy.name(),
                    "confidence": attempt.confidence.map(confidence),
                    "probe": attempt.probe,
                    "least_bad": attempt.least_bad,
                    "sent_ms": after(attempt.dispatched),
                    "first_token_ms": attempt.first_token.map(after),
                    "ended_ms": after(attempt.ended),
                    "failure": attempt.failure.map(FailureKind::name),
                    "input_tokens": attempt.usage.input,
                    "output_tokens": attempt.usage.output,
                    "cost_usd": attempt.cost.as_usd_f64(),
                })
            })
            .collect();
        json!({
            "unix": self.unix,
            "event": "request",
            "request_id": self.request_id,
            "client": self.client.as_deref(),
            "model": self.model,
            "priority": record.priority.name(),
            "streaming": record.streaming,
            "outcome": outcome,
            "why": why,
            "cache": record.cache.name(),
            "waited": record.waited,
            "first_token_ms": record.first_token.map(after),
            "duration_ms": millis(record.sojourn()),
            "cost_usd": record.cost.as_usd_f64(),
            "attempts": attempts,
        })
    }
}

/// As a number in [0, 1], in as few digits as it takes.
fn confidence(Confidence(parts): Confidence) -> f64 {
    f64::from(parts) / 1e4
}

/// Milliseconds, to the microsecond.
fn millis(time: Duration) -> f64 {
    (time.as_nanos() / 1_000) as f64 / 1_000.0
}
