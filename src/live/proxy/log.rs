//! What is told of a request when it has ended.

use crate::record::{AttemptRecord, RequestRecord};

/// A request and the decisions that were made for it.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// The request.
    pub record: &'a RequestRecord,
    /// Its attempts, in order.
    pub attempts: &'a [AttemptRecord],
    /// Names of all accounts, by their index.
    pub accounts: &'a [String],
}

/// Who is told. It is called while the core is locked: it hands on what it is told, and waits for
/// nobody.
pub trait Log: Send {
    /// A request has ended.
    fn request_ended(&mut self, trace: &Trace);
}
