//! Which request this is.
//!
//! The model draws by request and by how often that request came to that account, so the emulator
//! must know both. A load generator says the number of the request in the workload; the same seed
//! then makes the same request here, with the tokens that its answer will have, which no body could
//! tell. Requests are drawn as they are asked for, and kept for as long as they may come again.
//!
//! A request that says no number, or one that the workload does not have, is a *stranger*: it has
//! draws of its own, from the far end of the numbers, and its tokens are what its body says.

use crate::request::{AccountIndex, Request, RequestId};
use crate::workload::Workload;
use std::collections::VecDeque;

/// Requests kept, and most of them drawn ahead for a single question. Half a minute, the usual
/// deadline, at 8,000 a second; longer ago, nobody asks again.
const WINDOW: u64 = 1 << 18;

/// The requests of the workload, by their numbers, and what has come of them.
pub(super) struct Ledger {
    workload: Workload,
    known: VecDeque<Known>,
    /// Number of the first that is kept.
    first: u64,
    strangers: u64,
}

struct Known {
    request: Request,
    /// How often it came, by account; few accounts ever see one.
    seen: Vec<(AccountIndex, u32)>,
}

impl Ledger {
    pub(super) fn new(workload: Workload) -> Self {
        Self {
            workload,
            known: VecDeque::new(),
            first: 0,
            strangers: 0,
        }
    }

    /// The request of that number, which comes to `account`, and how often it came there before.
    /// `None` if the workload has none of that number, or if it was too long ago. In a closed loop
    /// the workload waits for the ends of requests, which only the load generator knows: there it
    /// has none beyond the first of each user.
    pub(super) fn take(&mut self, number: u64, account: AccountIndex) -> Option<(Request, u32)> {
        self.draw_up_to(number)?;
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let known = self.known.get_mut(at)?;
        let seen = known
            .seen
            .iter_mut()
            .find(|(seen_by, _)| *seen_by == account);
        let nth = match seen {
            Some((_, times)) => {
                *times += 1;
                *times - 1
            }
            None => {
                known.seen.push((account, 1));
                0
            }
        };
        Some((known.request, nth))
    }

    fn draw_up_to(&mut self, number: u64) -> Option<()> {
        let drawn = self.first + self.known.len() as u64;
        if number >= drawn.saturating_add(WINDOW) {
            return None;
        }
        for _ in drawn..=number {
            let (_, request) = self.workload.take()?;
            if self.known.len() as u64 >= WINDOW {
                self.known.pop_front();
                self.first += 1;
            }
            let seen = vec![];
            self.known.push_back(Known { request, seen });
        }
        Some(())
    }

    /// A number that no request of the workload has.
    pub(super) fn stranger(&mut self) -> RequestId {
        self.strangers += 1;
        RequestId(0_u64.wrapping_sub(self.strangers))
    }

    pub(super) const fn strangers(&self) -> u64 {
        self.strangers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Distribution;
    use crate::request::{ModelIndex, RequestPriority, RequestType, UserPreferences};
    use crate::rng::Streams;
    use crate::time::{Duration, Timestamp};
    use crate::units::Rate;
    use crate::workload::config::{Arrivals, RequestClass, WorkloadConfig};

    fn workload(seconds: u64) -> Workload {
        let config = WorkloadConfig {
            arrivals: Arrivals::Constant {
                rate: Rate::per_second(1_000.0).unwrap(),
            },
            classes: vec![RequestClass {
                name: "chat".into(),
                weight: 1.0,
                model: ModelIndex(0),
                input_tokens: Distribution::constant(100.0).unwrap(),
                output_tokens: Distribution::uniform(1.0, 900.0).unwrap(),
                cached_input_share: 0.0,
                max_output_tokens: None,
                priority: RequestPriority::Normal,
                request_type: RequestType::Chat,
                streaming_share: 0.5,
                regions: vec![],
                preferences: UserPreferences::default(),
                repeats: None,
            }],
            end: Timestamp::ZERO + Duration::from_secs(seconds),
        };
        Workload::new(&config, Streams::new(1, 0))
    }

    const A: AccountIndex = AccountIndex(0);
    const B: AccountIndex = AccountIndex(1);

    #[test]
    fn requests_are_those_of_the_workload_in_whatever_order_they_come() {
        let mut ledger = Ledger::new(workload(1));
        let mut order = workload(1);
        let all: Vec<Request> = std::iter::from_fn(|| Some(order.take()?.1)).collect();
        assert!(all.len() > 900);
        for at in [17, 3, 500, 17, 0, all.len() - 1] {
            let (request, _) = ledger.take(at as u64, A).unwrap();
            assert_eq!(request, all[at]);
        }
        assert!(ledger.take(all.len() as u64, A).is_none());
        assert!(ledger.take(u64::MAX, A).is_none());
    }

    #[test]
    fn a_request_is_counted_by_account() {
        let mut ledger = Ledger::new(workload(1));
        let mut nth = |account| ledger.take(5, account).unwrap().1;
        assert_eq!([nth(A), nth(B), nth(A), nth(A), nth(B)], [0, 0, 1, 2, 1]);
    }

    #[test]
    fn what_was_too_long_ago_is_forgotten() {
        let mut ledger = Ledger::new(workload(1_000));
        assert!(ledger.take(WINDOW, A).is_none(), "too far ahead at once");
        assert!(ledger.take(WINDOW - 1, A).is_some());
        assert!(ledger.take(0, A).is_some());
        assert!(ledger.take(WINDOW, A).is_some());
        assert!(ledger.take(0, A).is_none());
        assert!(ledger.take(1, A).is_some());
    }

    #[test]
    fn strangers_have_numbers_of_their_own() {
        let mut ledger = Ledger::new(workload(1));
        let (one, two) = (ledger.stranger(), ledger.stranger());
        assert_ne!(one, two);
        assert!(one.0 > u64::MAX / 2 && two.0 > u64::MAX / 2);
        assert_eq!(ledger.strangers(), 2);
    }
}
