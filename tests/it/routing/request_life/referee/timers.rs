//! What has to happen because time has passed, and nothing else has.

use super::{Live, Referee};
use crate::stage::Event;
use routelab::record::Outcome;
use routelab::request::{AttemptId, FailureKind};
use routelab::routing::gateway::{Action, RequestHandle};
use routelab::time::{Duration, Timestamp};
use std::collections::BTreeMap;

impl Referee {
    /// When which limit of an attempt is reached.
    pub(super) fn limits(&self, live: &Live) -> Vec<(Timestamp, FailureKind)> {
        let sent = self.book.attempts[live.number].sent;
        let request = &self.requests[&live.request];
        let after = |from: Timestamp, limit: Option<Duration>| limit.map(|limit| from + limit);
        let waits = live.heard.is_none() && request.features.streaming;
        let first = self.config.first_token_timeout.filter(|_| waits);
        let idle = live
            .heard
            .and_then(|heard| after(heard, self.config.idle_timeout));
        let limits = [
            (Some(request.deadline), FailureKind::DeadlineExceeded),
            (
                after(sent, self.config.attempt_timeout),
                FailureKind::AttemptTimeout,
            ),
            (after(sent, first), FailureKind::FirstTokenTimeout),
            (idle, FailureKind::IdleTimeout),
        ];
        let set = limits
            .into_iter()
            .filter_map(|(at, kind)| Some((at?, kind)));
        set.collect()
    }

    /// Timers have expired: exactly the attempts at a limit are cancelled, and whoever backed off
    /// is sent if anybody is eligible, best of all where it has not been.
    pub fn timers(
        &mut self,
        now: Timestamp,
        events: &[Event],
    ) -> (Vec<(AttemptId, FailureKind)>, Vec<AttemptId>) {
        let mut due: BTreeMap<u32, Vec<FailureKind>> = BTreeMap::new();
        for (attempt, live) in &self.live {
            let reached = self.limits(live).into_iter().filter(|(at, _)| *at <= now);
            let kinds: Vec<_> = reached.map(|(_, kind)| kind).collect();
            if !kinds.is_empty() {
                due.insert(*attempt, kinds);
            }
        }
        let (mut cancels, mut sent) = (vec![], vec![]);
        // What has ended is told before what is asked for, so somebody who found nobody may come
        // before the one who took the last place: the dispatches first.
        let is_end = |event: &&Event| matches!(event, Event::RequestEnded(..));
        let (ends, others): (Vec<&Event>, Vec<&Event>) = events.iter().partition(is_end);
        for event in others.into_iter().chain(ends) {
            match *event {
                Event::Asked(Action::Cancel { attempt, failure }) => {
                    let kinds = due.remove(&attempt.0).expect("cancelled before its time");
                    let deadline = kinds.contains(&FailureKind::DeadlineExceeded);
                    assert!(kinds.contains(&failure));
                    assert_eq!(deadline, failure == FailureKind::DeadlineExceeded);
                    cancels.push((attempt, failure));
                }
                Event::Asked(Action::Dispatch { request, .. })
                | Event::RequestEnded(request, _) => {
                    sent.extend(self.backed_off(now, request, event));
                }
                Event::AttemptEnded(_) => panic!("ended by nobody"),
            }
        }
        assert!(due.is_empty(), "not cancelled in time: {due:?}");
        (cancels, sent)
    }

    fn backed_off(
        &mut self,
        now: Timestamp,
        handle: RequestHandle,
        event: &Event,
    ) -> Option<AttemptId> {
        let request = self.requests.get_mut(&handle.0).unwrap();
        let (_, latest) = request.backing_off.take().expect("it was not waiting");
        assert!(now <= latest);
        let mut candidates = self.eligible(now, &self.requests[&handle.0].features);
        let request = &self.requests[&handle.0];
        candidates.retain(|account| !request.barred.contains(account));
        let tried = |account: &usize| request.tried.contains(account);
        if !candidates.iter().all(tried) {
            candidates.retain(|account| !request.tried.contains(account));
        }
        if candidates.is_empty() {
            let kind = request.last_failure.unwrap();
            return self.must_end(now, handle, Some(event), Outcome::Failed(kind));
        }
        Some(self.dispatched(now, handle, *event, &candidates))
    }
}
