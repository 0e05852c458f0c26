//! The rules of the response cache, on plain lists.

use super::{CacheKey, CacheUse, Event, FailureKind, Outcome, Referee, RequestHandle, Timestamp};
use routelab::routing::cache::{CachePlace, ResponseCache};
use routelab::routing::gateway::AnswerSource;

/// What is kept and what is asked for.
#[derive(Default)]
pub(super) struct Cache {
    /// By last use, the oldest first.
    kept: Vec<Kept>,
    asked: Vec<Asked>,
}

struct Kept {
    key: CacheKey,
    place: CachePlace,
    since: Timestamp,
    tokens: u64,
}

struct Asked {
    key: CacheKey,
    leader: u32,
    followers: Vec<u32>,
}

impl Cache {
    pub fn leave(&mut self, who: u32) {
        for asked in &mut self.asked {
            asked.followers.retain(|follower| *follower != who);
        }
    }

    pub fn follows(&self, who: u32) -> bool {
        let follows = |asked: &Asked| asked.followers.contains(&who);
        self.asked.iter().any(follows)
    }

    pub fn look(&self, cache: Option<&ResponseCache>) {
        let Some(cache) = cache else {
            return assert!(self.kept.is_empty() && self.asked.is_empty());
        };
        assert_eq!(cache.len() as usize, self.kept.len());
        assert_eq!(cache.pending() as usize, self.asked.len());
        let tokens: u64 = self.kept.iter().map(|kept| kept.tokens).sum();
        assert_eq!(cache.tokens(), tokens);
    }
}

impl Referee {
    /// A new request is looked up; true if it is answered or follows another.
    pub(super) fn looked_up(&mut self, now: Timestamp, handle: RequestHandle) -> bool {
        let request = self.requests.get_mut(&handle.0).unwrap();
        let (Some(key), Some(_)) = (request.features.cache_key, self.config.cache) else {
            return false;
        };
        let by_key = |asked: &&mut Asked| asked.key == key;
        if let Some(asked) = self.cache.asked.iter_mut().find(by_key) {
            request.cache = CacheUse::Coalesced;
            asked.followers.push(handle.0);
            self.expire(now);
            return true;
        }
        self.expire(now);
        let kept = &mut self.cache.kept;
        let Some(at) = kept.iter().position(|kept| kept.key == key) else {
            self.requests.get_mut(&handle.0).unwrap().cache = CacheUse::Miss;
            let (leader, followers) = (handle.0, vec![]);
            self.cache.asked.push(Asked {
                key,
                leader,
                followers,
            });
            return false;
        };
        let used = kept.remove(at);
        let source = AnswerSource::Cache(used.place);
        kept.push(used);
        self.requests.get_mut(&handle.0).unwrap().cache = CacheUse::Hit;
        self.is_copied(source, handle);
        self.is_told(now, handle, Outcome::Success);
        true
    }

    fn is_copied(&mut self, source: AnswerSource, handle: RequestHandle) {
        let copied = Some(Event::Copied(source, handle));
        assert_eq!(self.told.pop_front(), copied);
    }

    fn expire(&mut self, now: Timestamp) {
        let ttl = self.config.cache.unwrap().ttl;
        self.drop_where(|kept| kept.since + ttl <= now);
    }

    /// Answers leave the cache, and the gateway says so at once, in any order.
    fn drop_where(&mut self, gone: impl Fn(&Kept) -> bool) {
        let leave = self.cache.kept.iter().filter(|kept| gone(kept));
        let mut expected: Vec<CachePlace> = leave.map(|kept| kept.place).collect();
        let found = self.told.drain(..expected.len().min(self.told.len()));
        let place = |event| match event {
            Event::Dropped(place) => place,
            event => panic!("expected {} dropped, not {event:?}", expected.len()),
        };
        let mut found: Vec<CachePlace> = found.map(place).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
        self.cache.kept.retain(|kept| !gone(kept));
    }

    /// A leader ends: its answer is kept and shared, its fault is shared, or the next one leads.
    pub(super) fn hand_on(
        &mut self,
        now: Timestamp,
        handle: RequestHandle,
        outcome: Outcome,
        tokens: u64,
    ) {
        let leads = |asked: &Asked| asked.leader == handle.0;
        let at = self.cache.asked.iter().position(leads).unwrap();
        let own = [
            FailureKind::BadRequest,
            FailureKind::ModelNotFound,
            FailureKind::TooLarge,
        ];
        let shared = match outcome {
            Outcome::Success => true,
            Outcome::Failed(kind) => own.contains(&kind),
            Outcome::Rejected(_) => false,
        };
        let followers = &self.cache.asked[at].followers;
        if !shared && !followers.is_empty() {
            // The first that has the time for an answer, else the last.
            let fit = |who: &u32| self.has_time(now, RequestHandle(*who));
            let first = followers.iter().position(fit);
            let chosen = first.unwrap_or(followers.len() - 1);
            let asked = &mut self.cache.asked[at];
            let next = asked.followers.remove(chosen);
            asked.leader = next;
            let request = self.requests.get_mut(&next).unwrap();
            request.cache = CacheUse::Miss;
            request.followed = true;
            return self.promoted.push_back(next);
        }
        let Asked { key, followers, .. } = self.cache.asked.remove(at);
        if outcome == Outcome::Success {
            self.keep(now, handle, key, tokens);
        }
        for follower in followers.into_iter().map(RequestHandle) {
            self.is_copied(AnswerSource::Request(handle), follower);
            self.is_told(now, follower, outcome);
        }
    }

    fn keep(&mut self, now: Timestamp, handle: RequestHandle, key: CacheKey, tokens: u64) {
        let config = self.config.cache.unwrap();
        let most = config.max_output_tokens.unwrap_or(u64::MAX);
        let ttl = config.ttl;
        let fits = tokens <= most;
        let old = |kept: &&Kept| kept.since + ttl > now;
        let fresh: Vec<(CachePlace, u64)> = self
            .cache
            .kept
            .iter()
            .filter(old)
            .map(|k| (k.place, k.tokens))
            .collect();
        // Of those that are not over, the most recently used that fit beside the new one stay.
        let mut stays = vec![];
        let mut sum = tokens;
        for (place, tokens) in fresh.into_iter().rev() {
            sum += tokens;
            if fits && (stays.len() + 2 > config.max_entries as usize || sum > most) {
                break;
            }
            stays.push(place);
        }
        self.drop_where(|kept| !stays.contains(&kept.place));
        if !fits {
            return;
        }
        let event = self.told.pop_front();
        let Some(Event::Kept(whose, place)) = event else {
            panic!("expected to be kept, not {event:?}");
        };
        assert_eq!(whose, handle);
        let taken = self.cache.kept.iter().any(|kept| kept.place == place);
        assert!(!taken, "a place is given twice");
        self.cache.kept.push(Kept {
            key,
            place,
            since: now,
            tokens,
        });
    }

    /// Those who followed somebody without an answer ask themselves, unless it is too late.
    pub(super) fn start_promoted(&mut self, now: Timestamp) {
        while let Some(next) = self.promoted.pop_front() {
            let handle = RequestHandle(next);
            if now >= self.requests[&next].deadline {
                let late = Outcome::Failed(FailureKind::DeadlineExceeded);
                self.ends(now, handle, late);
                continue;
            }
            self.deposit(now);
            self.start(now, handle);
        }
    }
}
