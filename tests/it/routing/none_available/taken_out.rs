//! The line, when those that it waits for are taken out by their owner.

use super::{line_up, waiting, when, whose};
use crate::stage::{Event, Stage, accounts, at, features, retrying, secs, served};
use routelab::record::{Outcome, Rejection, Strategy};
use routelab::request::{
    CacheKey, ClassIndex, FailureKind, ModelIndex, RequestFeatures, RequestId,
};
use routelab::routing::account::{Account, Availability};
use routelab::routing::config::{CacheConfig, WhenNoneAvailable};
use routelab::routing::gateway::RequestHandle;

/// How the requests that have ended did end, in order.
fn ends(events: &[Event]) -> Vec<(RequestHandle, Outcome)> {
    let ends = events.iter().filter_map(|event| match event {
        Event::RequestEnded(handle, record) => Some((*handle, record.outcome)),
        _ => None,
    });
    ends.collect()
}

/// Two accounts with room for one attempt, each with a model of its own, and a request for the
/// second one's.
fn a_place_for_each_model() -> (Vec<Account>, RequestFeatures) {
    let mut pool = accounts(2);
    pool[1].models = vec![served(1, 1.0)];
    for account in &mut pool {
        account.max_in_flight = 1;
    }
    let other = RequestFeatures {
        model: ModelIndex(1),
        ..features()
    };
    (pool, other)
}

/// When the last account that could take them is taken out, those in line are refused at that
/// moment, as a newcomer is, with or without a deadline. Those whom somebody else may still take
/// stay where they are.
#[test]
fn who_waits_for_one_who_is_taken_out_is_refused() {
    let none_available = Outcome::Rejected(Rejection::NoneAvailable);
    for (availability, deadline) in [
        (Availability::Disabled, Some(secs(30))),
        (Availability::Draining, Some(secs(30))),
        (Availability::Disabled, None),
    ] {
        let mut config = waiting(Strategy::RoundRobin);
        config.deadline = deadline;
        let (mut pool, other) = a_place_for_each_model();
        let mut stage = Stage::new(&config, &pool);
        let served = [features(), other].map(|features| stage.send(at(0), &features));
        let line = [1, 2].map(|i| line_up(&mut stage, i));
        let told = stage.request(at(3), &other).0;
        let [Event::Waits(stays)] = told[..] else {
            panic!("{told:?}");
        };
        pool[0].availability = availability;
        stage.gateway.upsert(at(10), pool[0].clone());
        assert_eq!(stage.gateway.next_timer(), at(10));
        let told = stage.timer(at(10)).0;
        assert_eq!(ends(&told), line.map(|handle| (handle, none_available)));
        let newcomer = stage.request(at(11), &features()).ended();
        assert_eq!(newcomer.map(|record| record.outcome), Some(none_available));
        assert_eq!(stage.succeed(at(20), served[0]).sent(), None);
        let events = stage.succeed(at(30), served[1]).0;
        assert_eq!(whose(&events), [stays]);
    }
}

/// An account that has become unable to serve the model, by a new description, is as good as
/// removed: the reason is then that nobody serves the request.
#[test]
fn who_waits_for_a_model_that_is_taken_out_is_refused() {
    let mut pool = accounts(1);
    pool[0].max_in_flight = 1;
    let mut stage = Stage::new(&waiting(Strategy::RoundRobin), &pool);
    stage.send(at(0), &features());
    let handle = line_up(&mut stage, 1);
    pool[0].models = vec![served(1, 1.0)];
    stage.gateway.upsert(at(10), pool[0].clone());
    let not_served = Outcome::Rejected(Rejection::NotServed);
    assert_eq!(ends(&stage.timer(at(10)).0), [(handle, not_served)]);
}

/// Who is left comes back only after the deadline: as for a newcomer, that is too late. The retry
/// among those in line ends with the failure that it has met; and whoever follows one of them is
/// refused with it, instead of asking next and taking its place in line.
#[test]
fn whoever_is_left_may_be_back_too_late() {
    let mut config = when(WhenNoneAvailable::Wait, retrying(Strategy::RoundRobin));
    config.cache = Some(CacheConfig::default());
    let mut pool = accounts(2);
    pool[0].max_in_flight = 1;
    let mut stage = Stage::new(&config, &pool);
    let keyed = RequestFeatures {
        cache_key: Some(CacheKey::new(7)),
        ..features()
    };
    let busy = stage.send(at(0), &features());
    assert_eq!(busy.account, 0);
    let limited = stage.send(at(0), &features());
    stage.limit(at(5), limited, Some(secs(1_000)));
    let back_off = stage.gateway.next_timer();
    assert_eq!(stage.timer(back_off).0, [Event::Waits(limited.request)]);
    let leader = stage.request(at(1_000), &keyed).0;
    let [Event::Waits(leader)] = leader[..] else {
        panic!("{leader:?}");
    };
    let (id, class) = (RequestId(99), ClassIndex(0));
    let notes = &mut stage.notes;
    let follower = stage
        .gateway
        .on_request(at(1_001), id, class, &keyed, notes);
    assert_eq!(stage.drain().0, []);
    pool[0].availability = Availability::Disabled;
    stage.gateway.upsert(at(2_000), pool[0].clone());
    let refused = Outcome::Rejected(Rejection::NoneAvailable);
    let failed = Outcome::Failed(FailureKind::RateLimited);
    assert_eq!(
        ends(&stage.timer(at(2_000)).0),
        [
            (limited.request, failed),
            (leader, refused),
            (follower, refused)
        ]
    );
    assert_eq!((stage.gateway.waiting(), stage.gateway.in_flight()), (0, 1));
}

/// A newcomer that the driver reports before the timer, at the same instant, finds the line as it
/// then is.
#[test]
fn a_newcomer_finds_no_line_of_the_hopeless() {
    let mut config = waiting(Strategy::RoundRobin);
    config.max_waiting = 1;
    let (mut pool, other) = a_place_for_each_model();
    let mut stage = Stage::new(&config, &pool);
    stage.send(at(0), &features());
    stage.send(at(0), &other);
    let handle = line_up(&mut stage, 1);
    pool[0].availability = Availability::Disabled;
    stage.gateway.upsert(at(10), pool[0].clone());
    let told = stage.request(at(10), &other).0;
    assert!(matches!(told[..], [Event::RequestEnded(h, _), Event::Waits(_)] if h == handle));
}
