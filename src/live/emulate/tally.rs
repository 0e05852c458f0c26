//! What the emulator did, counted.

use crate::histogram::Histogram;
use crate::request::FailureKind;
use crate::upstream::UpstreamEvent;

/// What became of all attempts so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tally {
    /// By [`crate::request::AccountIndex`].
    pub accounts: Vec<AccountTally>,
    /// Attempts that were no request of the workload: they said no number, or one that it does not
    /// have, and so had draws of their own.
    pub strangers: u64,
    /// Calls that never reached an account: a wrong path, key, or body.
    pub refused: u64,
    /// Real time by which whatever the model says was passed on after its instant. It is the
    /// emulator's own share of a measured latency, beside that of the sockets.
    pub late: Histogram,
}

/// What became of the attempts at one account: `begun` is the sum of the others and of those still
/// in flight.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AccountTally {
    /// Attempts that came to its door.
    pub begun: u64,
    /// Those that were answered in full.
    pub finished: u64,
    /// Those that failed, by [`FailureKind::at`].
    pub failed: [u64; FailureKind::ALL.len()],
    /// Those whose client left first.
    pub cancelled: u64,
}

impl AccountTally {
    /// Those that failed, in whatever way.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.iter().sum()
    }

    /// Those that have not ended.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.begun - self.finished - self.failures() - self.cancelled
    }

    pub(super) fn count(&mut self, event: &UpstreamEvent) {
        match event {
            UpstreamEvent::FirstToken { .. } | UpstreamEvent::Progress { .. } => {}
            UpstreamEvent::Finished { .. } => self.finished += 1,
            UpstreamEvent::Failed { failure, .. } => self.failed[failure.kind.at()] += 1,
        }
    }
}

impl Tally {
    pub(super) fn new(accounts: usize) -> Self {
        Self {
            accounts: vec![AccountTally::default(); accounts],
            strangers: 0,
            refused: 0,
            late: Histogram::fine(),
        }
    }
}
