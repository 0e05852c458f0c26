//! What becomes of a request that nobody can take, case by case. Random circumstances: the referee
//! (`request_life`).

mod taken_out;

use crate::stage::{Event, Sent, Stage, account, accounts, at, features, ms, once, retrying, secs};
use routelab::record::{Outcome, Rejection, Strategy};
use routelab::request::{AccountIndex, FailureKind, Provider};
use routelab::routing::account::RateLimits;
use routelab::routing::breaker::BreakerState;
use routelab::routing::config::{RoutingConfig, WhenNoneAvailable};
use routelab::routing::gateway::{Action, RequestHandle};
use routelab::time::Timestamp;

fn when(when_none_available: WhenNoneAvailable, config: RoutingConfig) -> RoutingConfig {
    RoutingConfig {
        when_none_available,
        ..config
    }
}

fn waiting(strategy: Strategy) -> RoutingConfig {
    when(WhenNoneAvailable::Wait, once(strategy))
}

fn least_bad(strategy: Strategy) -> RoutingConfig {
    when(WhenNoneAvailable::LeastBad, once(strategy))
}

/// A request that gets in line.
fn line_up(stage: &mut Stage, millis: u64) -> RequestHandle {
    let told = stage.request(at(millis), &features()).0;
    let [Event::Waits(handle)] = told[..] else {
        panic!("it does not wait: {told:?}");
    };
    handle
}

/// Attempts sent, with whether as the least bad.
fn sent(events: &[Event]) -> Vec<(Sent, bool)> {
    let dispatches = events.iter().filter_map(|event| match *event {
        Event::Asked(Action::Dispatch {
            attempt,
            request,
            account: AccountIndex(account),
            least_bad,
            ..
        }) => {
            let account = account as usize;
            let sent = Sent {
                attempt,
                request,
                account,
            };
            Some((sent, least_bad))
        }
        _ => None,
    });
    dispatches.collect()
}

fn whose(events: &[Event]) -> Vec<RequestHandle> {
    sent(events).iter().map(|(sent, _)| sent.request).collect()
}

/// Opens the breakers of all accounts.
fn break_all(stage: &mut Stage, millis: u64) {
    let mut failed = 0;
    while let Some(sent) = stage.request(at(millis), &features()).sent() {
        stage.fail(at(millis), sent, FailureKind::Unavailable);
        failed += 1;
        assert!(failed < 100, "they do not open");
    }
}

/// The breaker of the only account opens for 5 s. Who comes meanwhile waits. Half-open, it gets the
/// first of them as its probe and nobody else, though twenty wait; each answered probe lets the
/// next one through; closed, it gets the rest in order.
#[test]
fn the_line_is_let_in_one_by_one_while_half_open() {
    let mut config = waiting(Strategy::RoundRobin);
    config.breaker.as_mut().unwrap().open_time = secs(5);
    let mut stage = Stage::new(&config, &accounts(1));
    for _ in 0..5 {
        let sent = stage.send(at(0), &features());
        stage.fail(at(0), sent, FailureKind::Unavailable);
    }
    let line: Vec<_> = (1..=20).map(|i| line_up(&mut stage, i * 100)).collect();
    assert_eq!(stage.gateway.waiting(), 20);
    assert_eq!(stage.gateway.next_timer(), at(5_000));
    let mut events = stage.timer(at(5_000)).0;
    for (i, probe) in line[..3].iter().enumerate() {
        assert_eq!(whose(&events), [*probe], "one probe at a time");
        assert_eq!(stage.gateway.waiting() as usize, 19 - i);
        events = stage.succeed(at(5_100 + i as u64), sent(&events)[0].0).0;
    }
    assert_eq!(whose(&events), line[3..], "closed: everybody, in order");
    assert_eq!(stage.gateway.waiting(), 0);
    assert_eq!(stage.gateway.next_timer(), at(30_400), "only deadlines");
}

/// A failed probe opens the breaker again, and the line goes on waiting.
#[test]
fn a_failed_probe_costs_one() {
    let mut config = waiting(Strategy::RoundRobin);
    config.breaker.as_mut().unwrap().open_time = secs(5);
    let mut stage = Stage::new(&config, &accounts(1));
    break_all(&mut stage, 0);
    for i in 1..=9 {
        line_up(&mut stage, i);
    }
    let probe = sent(&stage.timer(at(5_000)).0)[0].0;
    let events = stage.fail(at(5_200), probe, FailureKind::Unavailable).0;
    assert_eq!(whose(&events), []);
    assert_eq!(stage.gateway.waiting(), 9);
    while stage.gateway.next_timer() < at(10_200) {
        let now = stage.gateway.next_timer();
        assert_eq!(
            stage.timer(now).0,
            [],
            "a look at the pool, and nothing new"
        );
    }
    assert_eq!(stage.gateway.next_timer(), at(10_200));
    assert_eq!(whose(&stage.timer(at(10_200)).0).len(), 1);
}

/// First come, first served: places that get free go to the line, and a newcomer stands at its
/// end.
#[test]
fn a_free_place_goes_to_the_first_in_line() {
    let mut pool = accounts(1);
    pool[0].max_in_flight = 2;
    let mut stage = Stage::new(&waiting(Strategy::LeastConnections), &pool);
    let mut busy = stage.burst(2, at(0), &features());
    let mut line: Vec<_> = (1..=10).map(|i| line_up(&mut stage, i)).collect();
    for i in 0..20 {
        let done = busy.remove(0);
        let now = 100 + i * 10;
        let events = stage.succeed(at(now), done).0;
        assert_eq!(whose(&events), [line.remove(0)]);
        busy.push(sent(&events)[0].0);
        line.push(line_up(&mut stage, now + 5));
    }
}

/// Who waits leaves at its own deadline, and makes room in the line. The line is bounded, and
/// beyond that a request is refused, and told when somebody is expected back.
#[test]
fn the_line_is_bounded_and_so_is_the_wait() {
    let mut config = waiting(Strategy::RoundRobin);
    config.max_waiting = 3;
    let mut stage = Stage::new(&config, &accounts(1));
    let limited = stage.send(at(0), &features());
    stage.limit(at(0), limited, Some(secs(10)));
    let line: Vec<_> = [1, 2, 3].map(|i| line_up(&mut stage, i)).into();
    let refused = stage.request(at(4), &features()).ended().unwrap();
    assert_eq!(
        refused.outcome,
        Outcome::Rejected(Rejection::TooManyWaiting)
    );
    assert_eq!(refused.retry_at, Some(at(10_000)));
    let notes = &mut stage.notes;
    stage.gateway.on_client_gone(at(5), line[1], notes);
    let gone = stage.drain().ended().unwrap();
    assert_eq!(gone.outcome, Outcome::Failed(FailureKind::Cancelled));
    assert!(gone.waited);
    let last = line_up(&mut stage, 6);
    let served = stage.timer(at(10_000)).0;
    assert_eq!(whose(&served), [line[0], line[2], last]);
    // Full, and nobody gets done: one waits for its deadline.
    let mut full = account(0);
    full.max_in_flight = 3;
    stage.gateway.upsert(at(10_000), full);
    let handle = line_up(&mut stage, 10_001);
    for now in [30_001, 30_003, 30_006] {
        stage.timer(at(now));
    }
    let ended = stage.timer(at(40_001)).0;
    let [Event::RequestEnded(whose, record)] = ended[..] else {
        panic!("{ended:?}");
    };
    assert_eq!((whose, record.attempts), (handle, 0));
    assert_eq!(
        record.outcome,
        Outcome::Failed(FailureKind::DeadlineExceeded)
    );
}

/// Whoever waits for an attempt that never ends, without a deadline, sets no timer for ever: so a
/// driver can see that nothing more will happen.
#[test]
fn who_waits_for_what_never_ends_sets_no_timer() {
    let mut config = waiting(Strategy::RoundRobin);
    config.deadline = None;
    let mut pool = accounts(1);
    pool[0].max_in_flight = 1;
    let mut stage = Stage::new(&config, &pool);
    stage.send(at(0), &features());
    line_up(&mut stage, 1);
    let mut left = 10;
    while stage.gateway.next_timer() != Timestamp::NEVER {
        assert!(left > 0, "it is woken again and again");
        left -= 1;
        stage.timer(stage.gateway.next_timer());
    }
    assert_eq!(stage.gateway.waiting(), 1);
}

/// Where nobody comes back before the deadline there is nothing to wait for.
#[test]
fn nobody_waits_in_vain() {
    let mut stage = Stage::new(&waiting(Strategy::RoundRobin), &accounts(1));
    break_all(&mut stage, 0);
    // Open until 60 s; the deadline is 30 s after the arrival.
    let refused = stage.request(at(30_000), &features()).ended().unwrap();
    assert_eq!(refused.outcome, Outcome::Rejected(Rejection::NoneAvailable));
    assert_eq!(refused.retry_at, Some(at(60_000)));
    assert!(!refused.waited);
    line_up(&mut stage, 30_001);
}

/// A probe goes to the first in line that surely has the time for an answer, three times what one
/// is expected to take. The reference for an account that is not measured is 5 s: who has not quite
/// 15 s left is passed over. Were it probed with, the probe might be cut short, as the next one's,
/// and nobody would close the breaker: in `p13_everything_fails_for_ten_seconds` that is what the
/// whole line would do.
#[test]
fn who_has_too_little_time_is_passed_over() {
    let mut config = waiting(Strategy::RoundRobin);
    config.breaker.as_mut().unwrap().open_time = secs(29);
    let mut stage = Stage::new(&config, &accounts(1));
    for _ in 0..5 {
        let sent = stage.send(at(0), &features());
        stage.fail(at(0), sent, FailureKind::Unavailable);
    }
    let short = line_up(&mut stage, 13_999);
    let probe = line_up(&mut stage, 14_001);
    line_up(&mut stage, 20_000);
    let mut events = vec![];
    while events.is_empty() {
        let now = stage.gateway.next_timer();
        assert!(now <= at(29_000));
        events = stage.timer(now).0;
    }
    let (first, _) = sent(&events)[0];
    assert_eq!(first.request, probe);
    // Measured at half a second, it takes the one with 14.5 s left too.
    let events = stage.succeed(at(29_500), first).0;
    assert_eq!(whose(&events), [short]);
    assert_eq!(stage.gateway.waiting(), 1);
}

/// Whoever has half of its time left is sent, however long an answer is expected to take; and if
/// the deadline then cuts the attempt short, that says nothing about the account.
#[test]
fn a_wait_is_not_held_against_the_account() {
    let mut pool = accounts(1);
    pool[0].max_in_flight = 1;
    let mut stage = Stage::new(&waiting(Strategy::RoundRobin), &pool);
    let first = stage.send(at(0), &features());
    line_up(&mut stage, 4_999);
    let half = line_up(&mut stage, 5_000);
    let events = stage.succeed(at(20_000), first).0;
    assert_eq!(whose(&events), [half], "20 s are expected, 15 s are left");
    stage.timer(at(34_999));
    assert_eq!(stage.timer(at(35_000)).cancels().len(), 1);
    let late = sent(&events)[0].0;
    stage.fail(at(35_000), late, FailureKind::DeadlineExceeded);
    let (_, metrics) = &stage.gateway.get_all_metrics(at(35_000))[0];
    assert_eq!(metrics.learned.error_streak, 0);
}

/// A declared quota without room: the request goes when there is room, to the nanosecond and a
/// rounding.
#[test]
fn the_line_waits_for_a_quota() {
    let mut pool = accounts(1);
    pool[0].limits = RateLimits {
        requests_per_minute: Some(60),
        ..RateLimits::default()
    };
    let mut stage = Stage::new(&waiting(Strategy::Smart), &pool);
    let burst = stage.burst(60, at(0), &features());
    let line: Vec<_> = (1..=3).map(|i| line_up(&mut stage, i * 100)).collect();
    for (second, handle) in [1_000, 2_000, 3_000].into_iter().zip(line) {
        while stage.gateway.next_timer() < at(second) {
            let now = stage.gateway.next_timer();
            assert_eq!(whose(&stage.timer(now).0), []);
        }
        let now = stage.gateway.next_timer();
        assert!(now <= at(second) + ms(1), "{now}");
        assert_eq!(whose(&stage.timer(now).0), [handle]);
    }
    drop(burst);
}

/// A quota with room at an account that cannot take the request is nothing to wake up for.
#[test]
fn somebody_elses_quota_wakes_nobody() {
    let mut pool = accounts(2);
    pool[0].max_in_flight = 1;
    pool[1].provider = Provider::Google;
    pool[1].limits.requests_per_minute = Some(60);
    let mut stage = Stage::new(&waiting(Strategy::Smart), &pool);
    let mut wish = features();
    wish.preferences.provider = Some(Provider::Anthropic);
    wish.preferences.provider_required = true;
    stage.send(at(0), &wish);
    let told = stage.request(at(1), &wish).0;
    assert!(matches!(told[..], [Event::Waits(_)]), "{told:?}");
    assert_eq!(stage.gateway.next_timer(), at(30_000), "a deadline");
}

/// An account that is added serves the line.
#[test]
fn a_new_account_serves_the_line() {
    let mut pool = accounts(1);
    pool[0].max_in_flight = 1;
    let mut stage = Stage::new(&waiting(Strategy::RoundRobin), &pool);
    stage.send(at(0), &features());
    let line: Vec<_> = (1..=3).map(|i| line_up(&mut stage, i)).collect();
    stage.gateway.upsert(at(10), account(1));
    assert_eq!(stage.gateway.next_timer(), at(10));
    assert_eq!(whose(&stage.timer(at(10)).0), line);
}

/// A retry that finds nobody after its back-off waits too, instead of failing.
#[test]
fn a_retry_waits_too() {
    let config = when(WhenNoneAvailable::Wait, retrying(Strategy::RoundRobin));
    let mut stage = Stage::new(&config, &accounts(1));
    let sent = stage.send(at(0), &features());
    assert_eq!(stage.limit(at(10), sent, Some(secs(10))).ended(), None);
    let back_off = stage.gateway.next_timer();
    assert!(back_off < at(1_000));
    assert_eq!(stage.timer(back_off).0, [Event::Waits(sent.request)]);
    let again = stage.timer(at(10_010)).sent().unwrap();
    let record = stage.succeed(at(10_100), again).ended().unwrap();
    assert_eq!((record.attempts, record.waited), (2, true));
}

/// Two accounts are open and one cools down: the least bad is the open one with less to do, however
/// often one asks, and never the cooling one before those are full.
#[test]
fn the_least_bad_is_spread_by_load() {
    let mut config = least_bad(Strategy::RoundRobin);
    config.breaker.as_mut().unwrap().failures_to_open = 1;
    let mut pool = accounts(3);
    pool[0].max_in_flight = 2;
    pool[1].max_in_flight = 4;
    let mut stage = Stage::new(&config, &pool);
    let first = stage.burst(3, at(0), &features());
    stage.fail(at(1), first[0], FailureKind::Unavailable);
    stage.fail(at(2), first[1], FailureKind::Unavailable);
    stage.limit(at(3), first[2], Some(secs(1)));
    let mut accounts = vec![];
    for _ in 0..8 {
        let events = stage.request(at(10), &features()).0;
        let (sent, least_bad) = sent(&events)[0];
        assert!(least_bad);
        accounts.push(sent.account);
    }
    // By share of the limit, at equal shares who opened first; then whoever still has room.
    assert_eq!(accounts, [0, 1, 1, 0, 1, 1, 2, 2]);
}

/// What is sent against the breaker's advice does not move it: neither do successes close it, nor
/// do failures prolong it, nor is anything a probe. It learns from its own probes alone.
#[test]
fn the_breaker_does_not_judge_what_it_advised_against() {
    for failure in [None, Some(FailureKind::Unavailable.into())] {
        let mut stage = Stage::new(&least_bad(Strategy::LeastConnections), &accounts(1));
        for _ in 0..5 {
            let sent = stage.send(at(0), &features());
            stage.fail(at(0), sent, FailureKind::Unavailable);
        }
        for i in 1..50 {
            let sent = stage.send(at(i * 1_000), &features());
            let record = stage
                .end(at(i * 1_000 + 10), sent, failure)
                .attempt()
                .unwrap();
            assert_eq!((record.least_bad, record.probe), (true, false));
        }
        let late = stage.send(at(59_000), &features());
        let probe = stage.send(at(60_000), &features());
        let beside = stage.send(at(60_000), &features());
        stage.end(at(60_001), late, failure);
        stage.end(at(60_001), beside, failure);
        let record = stage.succeed(at(60_002), probe).attempt().unwrap();
        assert_eq!((record.least_bad, record.probe), (false, true));
        let states: Vec<_> = stage
            .transitions()
            .iter()
            .map(|t| t.transition.to)
            .collect();
        assert_eq!(states, [BreakerState::Open, BreakerState::HalfOpen]);
        assert_eq!(stage.in_flight(0), 0);
    }
}

/// An account fault and a full account are facts, not guesses: nothing is sent there.
#[test]
fn the_least_bad_is_neither_disabled_nor_full() {
    let mut pool = accounts(2);
    pool[1].max_in_flight = 1;
    let mut stage = Stage::new(&least_bad(Strategy::RoundRobin), &pool);
    let first = stage.burst(2, at(0), &features());
    stage.fail(at(1), first[0], FailureKind::Unauthorized);
    let refused = stage.request(at(2), &features()).ended().unwrap();
    assert_eq!(refused.outcome, Outcome::Rejected(Rejection::NoneAvailable));
}

/// A retry never goes back to an account that named a time, before it.
#[test]
fn a_retry_does_not_return_to_a_limited_account() {
    let config = when(WhenNoneAvailable::LeastBad, retrying(Strategy::RoundRobin));
    let mut stage = Stage::new(&config, &accounts(1));
    let sent = stage.send(at(0), &features());
    assert_eq!(stage.limit(at(10), sent, Some(secs(10))).ended(), None);
    let back_off = stage.gateway.next_timer();
    let record = stage.timer(back_off).ended().unwrap();
    assert_eq!(record.outcome, Outcome::Failed(FailureKind::RateLimited));
    // Another request has not been there: it goes.
    let other = stage.send(at(2_000), &features());
    assert_eq!(other.account, 0);
}

/// The router is less sure of it: one doubt less 0.1, as of a half-open probe.
#[test]
fn the_least_bad_is_a_doubt() {
    let config = least_bad(Strategy::Smart);
    let mut stage = Stage::new(&config, &accounts(1));
    let confidence = |stage: &mut Stage, millis: u64| {
        let sent = stage.send(at(millis), &features());
        let ended = stage.succeed(at(millis), sent).attempt().unwrap();
        (ended.confidence.unwrap().as_f64(), ended.least_bad)
    };
    let sent = stage.send(at(0), &features());
    stage.succeed(at(1), sent);
    let (before, _) = confidence(&mut stage, 2);
    let limited = stage.send(at(3), &features());
    stage.limit(at(3), limited, Some(secs(10)));
    let (after, least_bad) = confidence(&mut stage, 4);
    assert!(least_bad);
    assert!((before - after - 0.1).abs() < 2e-4, "{before} {after}");
}
