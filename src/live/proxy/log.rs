//! What is told of a request when it has ended.

use crate::record::{AttemptRecord, RequestRecord};
use crate::routing::breaker::BreakerState;
use crate::time::Timestamp;
use hyper::header::HeaderValue;
use std::sync::Arc;

/// A request and the decisions that were made for it.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// The request.
    pub record: &'a RequestRecord,
    /// Its attempts, in order.
    pub attempts: &'a [AttemptRecord],
    /// Names of all accounts, by their index.
    pub accounts: &'a [String],
    /// Clients' names for the models, by their index.
    pub models: &'a [String],
    /// What the request is called outside.
    pub tag: &'a Tag,
}

/// A breaker that has changed its state.
#[derive(Clone, Copy, Debug)]
pub struct BreakerChange<'a> {
    /// The account's name.
    pub account: &'a str,
    /// The model that the breaker is for; `None` if it is for the whole account.
    pub model: Option<&'a str>,
    /// When, in the core's time.
    pub at: Timestamp,
    /// Its state from then on.
    pub to: BreakerState,
}

impl BreakerChange<'_> {
    /// Whether it refuses from then on.
    #[must_use]
    pub fn opens(&self) -> bool {
        self.to == BreakerState::Open
    }
}

/// What a request is called by those who know more of it than the core.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Tag {
    /// Who asked.
    pub client: Option<Arc<str>>,
    /// The client's name for it.
    pub request_id: Option<HeaderValue>,
}

/// Who is told. It is called while the core is locked: it hands on what it is told, and waits for
/// nobody.
pub trait Log: Send {
    /// A request has ended.
    fn request_ended(&mut self, trace: &Trace);

    /// A breaker has changed its state.
    fn breaker_changed(&mut self, change: &BreakerChange);
}
