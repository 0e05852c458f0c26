//! `round_robin`: the next candidate after the one last picked, in account order.
//!
//! The cursor is a place in the account order, not a count of requests: `count % candidates`
//! restarts or skips whenever the set of candidates changes, and sends the traffic of a failed
//! account to one neighbour. Requests that choose from different sets (another model, another
//! required provider) have a cursor of their own: with a common one, two alternating kinds of
//! request would pull it back and forth, and each would hit the same account for ever.

use super::View;
use crate::request::{Provider, RequestFeatures};
use crate::routing::target::TargetIndex;

/// Cursors by model and by the provider preferred.
#[derive(Clone, Debug, Default)]
pub(super) struct RoundRobin {
    next: Vec<u32>,
}

impl RoundRobin {
    /// Picks one of the candidates.
    pub fn pick(&mut self, view: &View) -> Option<TargetIndex> {
        let cursor = cursor_of(view.features);
        if self.next.len() <= cursor {
            self.next.resize(cursor + 1, 0);
        }
        let pick = view.candidates.first_from(TargetIndex(self.next[cursor]))?;
        self.next[cursor] = pick.0 + 1;
        Some(pick)
    }
}

fn cursor_of(features: &RequestFeatures) -> usize {
    let preferred = features
        .preferences
        .provider
        .map_or(0, |provider| 1 + provider.at());
    features.model.at() * (Provider::ALL.len() + 1) + preferred
}
