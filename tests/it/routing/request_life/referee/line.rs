//! What is to be done with a request that nobody can take.

use super::{
    Duration, Event, Outcome, Referee, Rejection, RequestHandle, Timestamp, WhenNoneAvailable,
};

impl Referee {
    pub(super) fn nobody(&mut self, now: Timestamp, handle: RequestHandle) {
        let request = &self.requests[&handle.0];
        let (features, last_failure) = (request.features, request.last_failure);
        let all = 0..self.book.accounts.len();
        let mut reason = Rejection::NotServed;
        if all
            .into_iter()
            .any(|account| self.serves(account, &features))
        {
            reason = Rejection::NoneAvailable;
            match self.config.when_none_available {
                WhenNoneAvailable::Reject => {}
                WhenNoneAvailable::Wait => match self.line_up(now, handle) {
                    None => return,
                    Some(why) => reason = why,
                },
                WhenNoneAvailable::LeastBad => {
                    let least = self.least_bad(now, handle);
                    if !least.is_empty() {
                        return self.dispatched(now, handle, &least, true);
                    }
                }
            }
        }
        let outcome = last_failure.map_or(Outcome::Rejected(reason), Outcome::Failed);
        self.ends(now, handle, outcome);
    }

    /// The end of the line, or why not.
    fn line_up(&mut self, now: Timestamp, handle: RequestHandle) -> Option<Rejection> {
        let request = &self.requests[&handle.0];
        let in_time = |account: &usize| {
            let back = self.back(now, *account, request.features.model);
            !request.barred.contains(account) && (back <= now || back < request.deadline)
        };
        if !self.could_take(&request.features).iter().any(in_time) {
            return Some(Rejection::NoneAvailable);
        }
        if self.line.len() >= self.config.max_waiting as usize {
            return Some(Rejection::TooManyWaiting);
        }
        assert_eq!(self.told.pop_front(), Some(Event::Waits(handle)));
        let request = self.requests.get_mut(&handle.0).unwrap();
        request.waited = true;
        request.backing_off = None;
        self.line.push(handle.0);
        None
    }

    /// Enabled, not full, not at fault; among them by limit, load, return and health.
    fn least_bad(&self, now: Timestamp, handle: RequestHandle) -> Vec<usize> {
        let request = &self.requests[&handle.0];
        let model = request.features.model;
        let target = |account: usize| self.book.target(account, model).unwrap();
        let mut choices = self.could_take(&request.features);
        choices.retain(|account| {
            let (cooling, disabled) = self.book.out_until(*account);
            let full = self.book.in_flight(*account) >= self.book.accounts[*account].max_in_flight;
            let limited_here = cooling.max(disabled) > now && request.tried.contains(account);
            !full && disabled <= now && !request.barred.contains(account) && !limited_here
        });
        let key = |account: usize| {
            let (cooling, _) = self.book.out_until(account);
            let most = self.book.accounts[account].max_in_flight;
            // Of limits up to 4, twelfths are exact.
            let share = self.book.in_flight(account) * 12 / most;
            let back = self.back(now, account, model);
            (cooling > now, share, Some(back).filter(|back| *back > now))
        };
        let least = choices.iter().map(|account| key(*account)).min();
        choices.retain(|account| Some(key(*account)) == least);
        let health = |account: &usize| self.book.health(target(*account), now);
        let best = choices.iter().map(health).fold(0.0, f64::max);
        choices.retain(|account| health(account) >= best - 1e-9);
        choices
    }

    /// Whoever in line can be served is, in order, each by what those before left.
    pub(super) fn wake(&mut self, now: Timestamp) {
        for waiting in self.line.clone() {
            let handle = RequestHandle(waiting);
            let candidates = self.candidates(now, handle);
            if self.has_time(now, handle) && !candidates.is_empty() {
                self.line.retain(|other| *other != waiting);
                let model = self.requests[&waiting].features.model;
                let allowed = self.allowed(now, model, &candidates);
                self.dispatched(now, handle, &allowed, false);
            }
        }
    }

    /// Half of its time is left, or three times as much as the fastest is expected to take.
    pub(super) fn has_time(&self, now: Timestamp, handle: RequestHandle) -> bool {
        let request = &self.requests[&handle.0];
        let left = request.deadline.since(now);
        let half = self.config.deadline.unwrap().as_nanos() / 2;
        let reference = self.config.metrics.response_reference.as_secs_f64();
        let target = |account| {
            let target = self.book.target(account, request.features.model);
            target.unwrap()
        };
        let expected = |account: usize| {
            let response = self.book.response(target(account), now);
            response.unwrap_or(reference)
        };
        let eligible = self.eligible(now, &request.features).into_iter();
        let soonest = eligible.map(expected).reduce(f64::min).unwrap_or(0.0);
        let surely = Duration::from_secs_f64(soonest)
            .as_nanos()
            .saturating_mul(3);
        let enough = left.as_nanos() >= half || left.as_nanos() >= surely;
        now < request.deadline && enough
    }

    /// Nobody in line is forgotten: a timer is set for the first time at which somebody with room
    /// comes back.
    pub(super) fn look_at_line(&self, timer: Timestamp) {
        for waiting in &self.line {
            let request = &self.requests[waiting];
            for account in self.could_take(&request.features) {
                let back = self.back(self.now, account, request.features.model);
                let full =
                    self.book.in_flight(account) >= self.book.accounts[account].max_in_flight;
                let barred = request.barred.contains(&account);
                assert!(barred || full || back <= self.now || timer <= back);
            }
        }
    }
}
