//! What has to happen because time has passed, and nothing else has.

use super::{Live, Referee, Request, Wanted};
use crate::stage::Event;
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

    /// Timers have expired. First the deadlines, in order of arrival; then exactly the attempts at
    /// another limit are cancelled; then whoever backed off goes on; then whoever waits in line and
    /// can be served is.
    pub fn timers(&mut self, now: Timestamp, events: Vec<Event>) -> Wanted {
        self.open(now, events);
        let late = |(_, request): &(&u32, &Request)| request.deadline <= now;
        let late = self.requests.iter().filter(late);
        let late: BTreeMap<u64, u32> = late
            .map(|(handle, request)| (request.id, *handle))
            .collect();
        for (id, handle) in late {
            let failure = FailureKind::DeadlineExceeded;
            let handle = RequestHandle(handle);
            match self.requests.get(&handle.0).filter(|r| r.id == id) {
                Some(Request {
                    live: Some(attempt),
                    ..
                }) => self.is_cancelled(*attempt, failure),
                Some(_) => self.goes(now, handle, failure),
                None => {}
            }
            self.start_promoted(now);
        }
        self.other_limits(now);
        while let Some(handle) = self.next_of_those_backing_off() {
            let (_, latest) = self.requests[&handle.0].backing_off.unwrap();
            assert!(now <= latest);
            self.start(now, handle);
            self.start_promoted(now);
        }
        self.wake(now);
        self.close()
    }

    fn is_cancelled(&mut self, attempt: AttemptId, failure: FailureKind) {
        let cancel = Some(Action::Cancel { attempt, failure });
        assert_eq!(self.asked.pop_front(), cancel);
        self.wanted.cancels.push((attempt, failure));
    }

    fn other_limits(&mut self, now: Timestamp) {
        let cancelled: Vec<u32> = self.wanted.cancels.iter().map(|(a, _)| a.0).collect();
        let mut due: BTreeMap<u32, Vec<FailureKind>> = BTreeMap::new();
        for (attempt, live) in &self.live {
            let reached = self.limits(live).into_iter().filter(|(at, _)| *at <= now);
            let kinds: Vec<_> = reached.map(|(_, kind)| kind).collect();
            if !kinds.is_empty() && !cancelled.contains(attempt) {
                due.insert(*attempt, kinds);
            }
        }
        while let Some(Action::Cancel { attempt, failure }) = self.asked.front().copied() {
            let kinds = due.remove(&attempt.0).expect("cancelled before its time");
            assert!(kinds.contains(&failure));
            self.is_cancelled(attempt, failure);
        }
        assert!(due.is_empty(), "not cancelled in time: {due:?}");
    }

    /// When a back-off ends is known to the gateway alone: whose has ended is seen by what happens
    /// to it.
    fn next_of_those_backing_off(&self) -> Option<RequestHandle> {
        let asked = self.asked.front().and_then(|action| match action {
            Action::Dispatch { request, .. } => Some(*request),
            Action::Cancel { .. } => None,
        });
        let told = self.told.front().and_then(|event| match event {
            Event::RequestEnded(request, _) | Event::Waits(request) => Some(*request),
            _ => None,
        });
        let backs_off = |handle: &RequestHandle| {
            let request = self.requests.get(&handle.0);
            request.is_some_and(|request| request.backing_off.is_some())
        };
        asked.filter(backs_off).or(told.filter(backs_off))
    }
}
