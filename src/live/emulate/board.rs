//! Where the model posts what has become of an attempt, for the one task that waits for it.
//!
//! Only the latest is kept. A channel would keep every step of a stream whose client reads slowly,
//! without bound; here such a client gets what has come together since, as from a real provider.

use crate::request::{Failure, Usage};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// How far an attempt has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Nothing has come yet.
    Awaited,
    /// It streams, and has consumed so much.
    Flowing(Usage),
    /// A complete answer.
    Finished(Usage),
    /// It failed, having consumed so much.
    Failed(Failure, Usage),
}

impl Stage {
    pub(super) const fn is_end(self) -> bool {
        matches!(self, Self::Finished(_) | Self::Failed(..))
    }
}

/// The latest stage, and who waits for the next.
pub(super) struct Board(Mutex<Posted>);

struct Posted {
    stage: Stage,
    /// Whether `stage` has not been read yet.
    new: bool,
    reader: Option<Waker>,
}

impl Board {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Posted {
            stage: Stage::Awaited,
            new: false,
            reader: None,
        }))
    }

    /// Puts a stage in the place of the last, and wakes the reader. What was consumed never goes
    /// back.
    pub(super) fn post(&self, stage: Stage) {
        let mut posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        posted.stage = match (posted.stage, stage) {
            (Stage::Flowing(before), Stage::Flowing(mut usage)) => {
                usage.output = usage.output.max(before.output);
                Stage::Flowing(usage)
            }
            _ => stage,
        };
        posted.new = true;
        let reader = posted.reader.take();
        drop(posted);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The latest stage, if it has not been read yet.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Stage> {
        let mut posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut posted.new) {
            return Poll::Ready(posted.stage);
        }
        match &mut posted.reader {
            Some(reader) => reader.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flowing(output: u32) -> Stage {
        Stage::Flowing(Usage {
            output,
            ..Usage::default()
        })
    }

    #[test]
    fn only_the_latest_is_read_and_once() {
        let board = Board::new();
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(board.poll(&mut context), Poll::Pending);
        board.post(flowing(3));
        board.post(flowing(7));
        board.post(flowing(5));
        assert_eq!(board.poll(&mut context), Poll::Ready(flowing(7)));
        assert_eq!(board.poll(&mut context), Poll::Pending);
        board.post(Stage::Finished(Usage::default()));
        let Poll::Ready(end) = board.poll(&mut context) else {
            panic!("posted");
        };
        assert!(end.is_end());
    }
}
