//! Recorded traces.

/// A recorded trace.
#[derive(Clone, Debug)]
pub struct Trace {}
