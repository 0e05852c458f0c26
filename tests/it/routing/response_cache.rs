//! The response cache and coalescing, case by case. That they agree with plain lists under random
//! circumstances is the referee's business (`request_life`).

use crate::stage::{Event, Sent, Stage, account, accounts, at, features, ms, once, retrying};
use routelab::record::{CacheUse, Outcome, Rejection, RequestRecord, Strategy};
use routelab::request::{CacheKey, FailureKind, RequestFeatures};
use routelab::routing::config::{BreakerConfig, CacheConfig, RoutingConfig};
use routelab::routing::gateway::{Action, AnswerSource, RequestHandle};
use routelab::time::Timestamp;
use routelab::units::NanoUsd;

fn caching(config: RoutingConfig) -> RoutingConfig {
    RoutingConfig {
        cache: Some(CacheConfig::default()),
        ..config
    }
}

/// A stage with a cache, and so many accounts.
fn stage(count: usize) -> Stage {
    let config = caching(retrying(Strategy::RoundRobin));
    Stage::new(&config, &accounts(count))
}

fn asking(key: u64) -> RequestFeatures {
    RequestFeatures {
        cache_key: Some(CacheKey::new(key)),
        streaming: true,
        ..features()
    }
}

/// The requests that ended, in order.
fn ended(events: &[Event]) -> Vec<RequestRecord> {
    let records = events.iter().filter_map(|event| match event {
        Event::RequestEnded(_, record) => Some(*record),
        _ => None,
    });
    records.collect()
}

/// The attempts sent, in order.
fn sent(events: &[Event]) -> Vec<Sent> {
    let dispatches = events.iter().filter_map(|event| match *event {
        Event::Asked(Action::Dispatch {
            attempt,
            request,
            account,
            ..
        }) => Some(Sent {
            attempt,
            request,
            account: account.at(),
        }),
        _ => None,
    });
    dispatches.collect()
}

/// A request that must not be sent anywhere, nor end.
fn follow(stage: &mut Stage, now: Timestamp, features: &RequestFeatures) {
    assert_eq!(stage.request(now, features).0, []);
}

/// Five ask for the same within a second; one attempt answers them all, each with its own latency.
/// Whoever asks later has the answer at once and free of charge.
#[test]
fn one_attempt_answers_all_who_ask_meanwhile() {
    let mut stage = stage(2);
    let first = stage.send(at(0), &asking(1));
    (1..5).for_each(|i| follow(&mut stage, at(i * 200), &asking(1)));
    stage.gateway.on_first_token(at(850), first.attempt);
    let other = stage.send(at(900), &asking(2));
    let events = stage.succeed(at(1_000), first).0;
    let answered = ended(&events);
    let (leader, followers) = answered.split_last().unwrap();
    assert_eq!((leader.cache, leader.attempts), (CacheUse::Miss, 1));
    assert_eq!(leader.first_token, Some(at(850)));
    assert!(leader.cost > NanoUsd(0));
    assert_eq!(followers.len(), 4);
    for (follower, i) in followers.iter().zip(1..) {
        assert_eq!(follower.cache, CacheUse::Coalesced);
        assert_eq!(follower.outcome, Outcome::Success);
        assert_eq!(follower.sojourn(), ms(1_000 - i * 200));
        assert_eq!(follower.first_token, Some(at(1_000)));
        assert_eq!((follower.attempts, follower.account), (0, None));
        assert_eq!((follower.cost, follower.output_tokens), (NanoUsd(0), 0));
    }
    let kept = events.iter().find_map(|event| match event {
        Event::Kept(handle, place) if *handle == first.request => Some(*place),
        _ => None,
    });
    let hit = stage.request(at(9_000), &asking(1)).0;
    assert!(matches!(
        hit[0],
        Event::Copied(AnswerSource::Cache(place), _) if Some(place) == kept
    ));
    let hit = ended(&hit)[0];
    assert_eq!((hit.cache, hit.outcome), (CacheUse::Hit, Outcome::Success));
    assert_eq!((hit.sojourn(), hit.first_token), (ms(0), Some(at(9_000))));
    assert_eq!((hit.attempts, hit.cost), (0, NanoUsd(0)));
    let totals = *stage.gateway.statistics().totals();
    assert_eq!((totals.cache_hits, totals.coalesced), (1, 4));
    assert_eq!((totals.attempts, totals.unattempted), (1, 5));
    stage.succeed(at(9_000), other);
    assert_eq!(stage.gateway.in_flight(), 0);
}

/// Followers get the leader's answer before the leader's own end is told: while its handle, and so
/// the body behind it, is still there.
#[test]
fn an_answer_is_shared_while_it_is_there() {
    let mut stage = stage(1);
    let first = stage.send(at(0), &asking(1));
    follow(&mut stage, at(1), &asking(1));
    let events = stage.succeed(at(10), first).0;
    let position = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    let source = AnswerSource::Request(first.request);
    let copied = position(&|event| matches!(event, Event::Copied(from, _) if *from == source));
    let kept = position(&|event| matches!(event, Event::Kept(..)));
    let ends = |handle: RequestHandle| {
        position(&|event| matches!(event, Event::RequestEnded(whose, _) if *whose == handle))
    };
    assert!(kept < ends(first.request) && copied < ends(first.request));
}

/// Three accounts are down and the leader runs out of attempts: the next one leads, alone, and the
/// others go on waiting. It finds a fourth account, and everybody left is answered.
#[test]
fn a_failure_fails_one_and_releases_one() {
    let mut stage = stage(3);
    let mut attempt = stage.send(at(0), &asking(1));
    (1..=10).for_each(|i| follow(&mut stage, at(i), &asking(1)));
    for now in [100, 200] {
        let events = stage.fail(at(now), attempt, FailureKind::Unavailable).0;
        attempt = sent(&events)[0];
        assert_eq!(ended(&events), []);
    }
    stage.gateway.upsert(at(250), account(3));
    let events = stage.fail(at(300), attempt, FailureKind::Unavailable).0;
    let failed = ended(&events);
    assert_eq!(failed.len(), 1, "one failure does not fail them all");
    assert_eq!((failed[0].cache, failed[0].attempts), (CacheUse::Miss, 3));
    let [second] = sent(&events)[..] else {
        panic!("exactly one asks in its place: {events:?}");
    };
    let answered = ended(&stage.succeed(at(400), second).0);
    assert_eq!(answered.len(), 10);
    let uses = |wanted: CacheUse| answered.iter().filter(|r| r.cache == wanted).count();
    assert_eq!((uses(CacheUse::Miss), uses(CacheUse::Coalesced)), (1, 9));
    assert!(answered.iter().all(RequestRecord::succeeded));
}

/// A request at fault is at fault for all who make it: one attempt tells them.
#[test]
fn a_bad_request_is_bad_for_all() {
    for kind in [
        FailureKind::BadRequest,
        FailureKind::ModelNotFound,
        FailureKind::TooLarge,
    ] {
        let mut stage = stage(2);
        let first = stage.send(at(0), &asking(1));
        (0..4).for_each(|_| follow(&mut stage, at(0), &asking(1)));
        let events = stage.fail(at(10), first, kind).0;
        assert_eq!(sent(&events), []);
        let outcomes: Vec<_> = ended(&events).iter().map(|r| r.outcome).collect();
        assert_eq!(outcomes, [Outcome::Failed(kind); 5]);
        stage.send(at(20), &asking(1));
    }
}

/// The leader's client leaves: its attempt is cancelled, and the next one asks. A follower that
/// leaves is nobody's concern; one whose time is over ends at its own deadline.
#[test]
fn who_leaves_leaves_the_others() {
    let mut stage = stage(1);
    let first = stage.send(at(0), &asking(1));
    (1..=3).for_each(|i| follow(&mut stage, at(i * 1_000), &asking(1)));
    let follower = RequestHandle(2);
    let notes = &mut stage.notes;
    stage.gateway.on_client_gone(at(5_000), follower, notes);
    let gone = stage.drain().ended().unwrap();
    assert_eq!(gone.outcome, Outcome::Failed(FailureKind::Cancelled));
    assert_eq!((gone.cache, gone.attempts), (CacheUse::Coalesced, 0));
    let notes = &mut stage.notes;
    stage
        .gateway
        .on_client_gone(at(6_000), first.request, notes);
    let cancel = stage.drain().cancels();
    assert_eq!(cancel, [(first.attempt, FailureKind::Cancelled)]);
    let events = stage.fail(at(6_000), first, FailureKind::Cancelled).0;
    assert_eq!(sent(&events).len(), 1);
    // The leader came at 1 s, its follower at 3 s.
    let second = sent(&events)[0];
    assert_eq!(stage.gateway.next_timer(), at(31_000));
    let cancel = stage.timer(at(31_000)).cancels();
    assert_eq!(cancel, [(second.attempt, FailureKind::DeadlineExceeded)]);
    let events = stage
        .fail(at(31_000), second, FailureKind::DeadlineExceeded)
        .0;
    let third = sent(&events)[0];
    assert_eq!(stage.gateway.next_timer(), at(33_000), "its own deadline");
    assert!(
        stage
            .succeed(at(32_000), third)
            .ended()
            .unwrap()
            .succeeded()
    );
    assert_eq!(stage.gateway.in_flight(), 0);
    assert_eq!(stage.gateway.cache().unwrap().pending(), 0);
}

/// The leader is held until its deadline; ten more a second have come since, and each answer takes
/// half a second. Were the first of them to lead, with a tenth of a second left, it would be cut
/// short, and so the next one, for ever. The first with three times half a second left leads, and
/// all who are still there are answered.
#[test]
fn who_has_too_little_time_does_not_lead() {
    let mut stage = stage(1);
    stage.serve(at(0), ms(500));
    let held = stage.send(at(10_000), &asking(1));
    (1..100).for_each(|i| follow(&mut stage, at(10_000 + i * 100), &asking(1)));
    stage.timer(at(40_000));
    // (Not as a timeout, which would teach that answers take thirty seconds.)
    let events = stage.fail(at(40_000), held, FailureKind::Cancelled).0;
    let second = sent(&events)[0];
    assert_eq!(second.request, RequestHandle(15), "1.5 s left");
    let mut late = 0;
    while stage.gateway.next_timer() < at(40_500) {
        let now = stage.gateway.next_timer();
        late += ended(&stage.timer(now).0).len();
    }
    let answered = ended(&stage.succeed(at(40_500), second).0);
    assert_eq!((late, answered.len()), (4, 95));
    assert!(answered.iter().all(RequestRecord::succeeded));
}

/// Ten thousand follow one whose failure opens the only breaker: one after the other finds nobody,
/// in one report, without a thousandfold recursion, and without another attempt.
#[test]
fn a_crowd_that_finds_nobody_ends_in_order() {
    let mut config = caching(once(Strategy::RoundRobin));
    config.breaker = Some(BreakerConfig {
        failures_to_open: 1,
        ..BreakerConfig::default()
    });
    let mut stage = Stage::new(&config, &accounts(1));
    let first = stage.send(at(0), &asking(1));
    (0..10_000).for_each(|_| follow(&mut stage, at(1), &asking(1)));
    let events = stage.fail(at(2), first, FailureKind::Connection).0;
    let ended = ended(&events);
    assert_eq!((ended.len(), sent(&events).len()), (10_001, 0));
    assert!(
        ended
            .windows(2)
            .all(|pair| pair[0].request < pair[1].request)
    );
    let refused = Outcome::Rejected(Rejection::NoneAvailable);
    assert!(ended[1..].iter().all(|record| record.outcome == refused));
    assert_eq!(stage.gateway.in_flight(), 0);
}

/// An answer is used for its time to live, counted from when it came.
#[test]
fn an_answer_is_kept_for_its_time() {
    let mut stage = stage(1);
    let first = stage.send(at(0), &asking(1));
    stage.succeed(at(1_000), first);
    let ttl = CacheConfig::default().ttl;
    let last = at(1_000) + ttl - ms(1);
    let hit = stage.request(last, &asking(1)).ended().unwrap();
    assert_eq!(hit.cache, CacheUse::Hit);
    let again = stage.send(at(1_000) + ttl, &asking(1));
    stage.succeed(at(1_000) + ttl, again);
}

/// Without a key, or without a cache, everybody asks for itself.
#[test]
fn nothing_is_shared_unless_it_is_asked_for() {
    let off = retrying(Strategy::RoundRobin);
    let plain = features();
    for (config, features) in [(&off, asking(1)), (&caching(off.clone()), plain)] {
        let mut stage = Stage::new(config, &accounts(1));
        let sent = stage.burst(3, at(0), &features);
        for sent in sent {
            let record = stage.succeed(at(1), sent).ended().unwrap();
            assert_eq!((record.cache, record.attempts), (CacheUse::None, 1));
        }
        stage.send(at(2), &features);
    }
}

/// What makes no attempt adds no retry to the budget: hits would else pay for a storm of retries.
#[test]
fn a_hit_pays_for_no_retry() {
    let mut config = caching(retrying(Strategy::RoundRobin));
    config.retry.budget_per_second = 0.0;
    config.retry.budget_per_request = 0.2;
    let mut stage = Stage::new(&config, &accounts(2));
    let first = stage.send(at(0), &asking(1));
    stage.succeed(at(0), first);
    (0..1_000).for_each(|_| drop(stage.request(at(1), &asking(1))));
    let failing = stage.send(at(2), &asking(2));
    let record = stage.fail(at(2), failing, FailureKind::Unavailable);
    assert!(
        record.ended().unwrap().budget_exhausted,
        "two requests earn 0.4"
    );
}
