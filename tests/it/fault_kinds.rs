//! Every kind of fault, through the ordinary engine, against a naive oracle.
//!
//! Requests come like clockwork, ten a second, and take 10 ms; one account, one attempt, no
//! breaker. So what becomes of the request that arrives at `t` can be said by a few lines that look
//! at `t` alone, without events: the oracle. Times are in milliseconds.

use crate::support::{results, scenario};
use routelab::experiment::results::StrategyResults;
use routelab::record::{Outcome, Rejection, RequestRecord};
use routelab::request::FailureKind;
use routelab::time::{Duration, Timestamp};

/// A world of one account `a-1`; `more` is added to it, `account` to the account.
fn world(account: &str, more: &str) -> StrategyResults {
    world_of(100_000, account, more)
}

/// The same, where routing allows so many attempts in flight.
fn world_of(max_in_flight: u32, account: &str, more: &str) -> StrategyResults {
    let text = format!(
        r#"
        question = "What does the fault do?"
        expectation = "What its definition says."
        duration = "200s"
        replications = 1
        strategies = [
            {{ name = "arm", strategy = "round_robin", breaker = false, max_attempts = 1 }},
        ]
        output = {{ requests = true }}
        [models.m]
        prices = {{ input = "$3/Mtok", output = "$15/Mtok" }}
        service = {{ total = "10ms" }}
        [regions]
        names = ["here", "there"]
        round_trips = [["0s", "0s"], ["0s", "0s"]]
        [[accounts]]
        id = "a-1"
        provider = "anthropic"
        models = ["m"]
        region = "here"
        max_in_flight = {max_in_flight}
        {account}
        [workload]
        arrivals = "constant"
        rate = "10rps"
        [[workload.classes]]
        name = "all"
        model = "m"
        input_tokens = 1000
        output_tokens = 100
        regions = {{ here = 1, there = 1 }}
        {more}
        "#
    );
    results(&scenario("kinds", &text), 1).strategies.remove(0)
}

/// What became of a request: how it failed, and after how many milliseconds.
type Fate = (Option<FailureKind>, f64);

const FINE: Fate = (None, 10.0);

fn fate(record: &RequestRecord) -> Fate {
    let failure = match record.outcome {
        Outcome::Success => None,
        Outcome::Failed(kind) => Some(kind),
        Outcome::Rejected(_) => Some(FailureKind::Cancelled),
    };
    (failure, record.sojourn().as_nanos() as f64 / 1e6)
}

fn secs(secs: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(secs)
}

fn arrival(record: &RequestRecord) -> f64 {
    record.arrived.as_nanos() as f64 / 1e6
}

/// Every request fares as the oracle says, to the microsecond.
fn assert_fates(arm: &StrategyResults, oracle: impl Fn(f64, &RequestRecord) -> Fate) {
    assert!(arm.requests.len() >= 1_999);
    for record in &arm.requests {
        let (found, expected) = (fate(record), oracle(arrival(record), record));
        let same = found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-3;
        assert!(
            same,
            "at {}: {found:?} against {expected:?}",
            arrival(record)
        );
    }
}

fn fault(keys: &str) -> String {
    format!("[[faults]]\naccounts = \"all\"\n{keys}")
}

const DURING: std::ops::Range<f64> = 50_000.0..100_000.0;

#[test]
fn outage() {
    let arm = world(
        "",
        &fault("kind = \"outage\"\nstart = \"50s\"\nduration = \"50s\""),
    );
    assert_fates(&arm, |t, _| match t {
        t if DURING.contains(&t) => (Some(FailureKind::Unavailable), 100.0),
        // In flight when it begins.
        t if (49_990.0 + 1e-3..50_000.0).contains(&t) => {
            (Some(FailureKind::Connection), 50_000.0 - t)
        }
        _ => FINE,
    });
}

#[test]
fn blackhole() {
    let arm = world(
        "",
        &fault("kind = \"blackhole\"\nstart = \"50s\"\nduration = \"50s\""),
    );
    assert_fates(&arm, |t, _| {
        if DURING.contains(&t) {
            (Some(FailureKind::DeadlineExceeded), 30_000.0)
        } else {
            FINE
        }
    });
}

#[test]
fn brownout_with_a_ramp() {
    let keys =
        "kind = \"brownout\"\nfactor = 5\nstart = \"50s\"\nduration = \"50s\"\nramp = \"20s\"";
    assert_fates(&world("", &fault(keys)), |t, _| {
        let there = ((t - 50_000.0) / 20_000.0).clamp(0.0, 1.0);
        let factor = if DURING.contains(&t) {
            1.0 + 4.0 * there
        } else {
            1.0
        };
        (None, 10.0 * factor)
    });
}

#[test]
fn cold_start_alone_and_after_an_outage() {
    let warming = |t: f64| {
        let left = 1.0 - ((t - 100_000.0) / 30_000.0).clamp(0.0, 1.0);
        (
            None,
            if t < 100_000.0 {
                10.0
            } else {
                10.0 * (1.0 + 2.0 * left)
            },
        )
    };
    let alone = "kind = \"cold_start\"\nfactor = 3\nstart = \"100s\"\nramp = \"30s\"";
    assert_fates(&world("", &fault(alone)), |t, _| warming(t));
    let after = "kind = \"outage\"\nstart = \"50s\"\nduration = \"50s\"\n\
                 cold_start = { factor = 3, ramp = \"30s\" }";
    let arm = world("", &fault(after));
    assert_eq!(arm.faults.len(), 2);
    let later: Vec<_> = arm
        .requests
        .iter()
        .filter(|r| arrival(r) >= 100_000.0)
        .collect();
    for record in later {
        let (found, expected) = (fate(record).1, warming(arrival(record)).1);
        assert!(
            (found - expected).abs() < 1e-3,
            "{found} against {expected}"
        );
    }
}

/// Failures among the requests of a stretch of time, and how many there are.
fn failures(arm: &StrategyResults, from: f64, to: f64) -> (f64, f64) {
    let within = arm
        .requests
        .iter()
        .filter(|r| (from..to).contains(&arrival(r)));
    let (mut failed, mut all) = (0.0, 0.0);
    for record in within {
        all += 1.0;
        failed += f64::from(u8::from(record.outcome != Outcome::Success));
    }
    (failed, all)
}

/// Within 4.5 standard deviations of a binomial count.
fn assert_rate((failed, all): (f64, f64), rate: f64) {
    let spread = (all * rate * (1.0 - rate)).sqrt();
    assert!(
        (failed - all * rate).abs() <= 4.5 * spread,
        "{failed} of {all}, not {rate}"
    );
}

/// Ramps of what strikes a share: at full rate after them, at half of it over them.
#[test]
fn errors_fast_errors_and_a_ramped_outage_strike_their_share() {
    let keys = "start = \"50s\"\nduration = \"100s\"\nramp = \"50s\"";
    for (kind, full, takes) in [
        (
            "kind = \"errors\"\nrate = 0.4\ntime_to_fail = \"70ms\"",
            0.4,
            70.0,
        ),
        ("kind = \"fast_errors\"\nrate = 0.4", 0.4, 5.0),
        (
            "kind = \"outage\"\nfailure = \"internal_error\"\ntime_to_fail = \"70ms\"",
            1.0,
            70.0,
        ),
    ] {
        let arm = world("", &fault(&format!("{kind}\n{keys}")));
        assert_eq!(failures(&arm, 0.0, 49_000.0).0, 0.0);
        assert_rate(failures(&arm, 50_000.0, 99_000.0), full * 0.49);
        assert_rate(failures(&arm, 100_000.0, 150_000.0), full);
        assert_eq!(failures(&arm, 150_000.0, 200_000.0).0, 0.0);
        for record in &arm.requests {
            let broken = fate(record).0 == Some(FailureKind::Connection);
            let expected = if fate(record).0.is_some() {
                takes
            } else {
                10.0
            };
            assert!(
                broken || (fate(record).1 - expected).abs() < 1e-3,
                "{record:?}"
            );
        }
    }
}

/// Errors stand behind the quota and take from it; fast errors stand before it. A bucket of 60, of
/// which 10 a second are asked for: it is dry after 6 s and more. Fifty seconds of fast errors let
/// it fill up again, fifty seconds of errors do not.
#[test]
fn fast_errors_take_no_quota() {
    let quota = "quota = { requests_per_minute = 60 }";
    let after = |kind: &str| {
        let keys = "rate = 1\nstart = \"50s\"\nduration = \"50s\"";
        let arm = world(quota, &fault(&format!("kind = \"{kind}\"\n{keys}")));
        let (failed, all) = failures(&arm, 101_000.0, 105_000.0);
        all - failed
    };
    assert!(after("fast_errors") >= 38.0, "{}", after("fast_errors"));
    assert!(after("errors") <= 10.0, "{}", after("errors"));
}

/// A bucket of 480 a minute, refilled by 8 a second, is asked for 10 a second. A cut to a half
/// leaves 240 and 4 a second: once the 240 are gone, 4 of 10 are answered. The oracle is a bucket
/// in integers, millisecond by millisecond.
#[test]
fn rate_limit() {
    let quota = "quota = { requests_per_minute = 480, retry_after = false }";
    let keys = "kind = \"rate_limit\"\nfactor = 0.5\nstart = \"50s\"\nduration = \"100s\"";
    let waits = "[routing.cool_down]\nbase = \"1ms\"\ncap = \"1ms\"\n";
    let arm = world(quota, &format!("{}\n{waits}", fault(keys)));
    // A request is 60,000 units, and a limit of so many a minute refills as many units a
    // millisecond.
    let (mut level, mut last) = (480 * 60_000, 0);
    let mut by_arrival: Vec<_> = arm.requests.iter().collect();
    by_arrival.sort_by_key(|record| record.request);
    for record in by_arrival {
        let t = record.arrived.as_nanos() / 1_000_000;
        for millisecond in last..t {
            let before = if (50_000..150_000).contains(&millisecond) {
                240
            } else {
                480
            };
            let after = if (50_000..150_000).contains(&(millisecond + 1)) {
                240
            } else {
                480
            };
            level = u64::min(level + before, 60_000 * u64::min(before, after));
        }
        last = t;
        let admitted = level >= 60_000;
        level -= if admitted { 60_000 } else { 0 };
        assert_eq!(
            admitted,
            record.outcome == Outcome::Success,
            "at {t}: {level}"
        );
    }
    let (failed, all) = failures(&arm, 110_000.0, 150_000.0);
    assert!(
        (failed / all - 0.6).abs() < 0.01,
        "4 of 10 a second: {failed} of {all}"
    );
    let (failed, all) = failures(&arm, 20_000.0, 50_000.0);
    assert!(failed == 0.0, "{failed} of {all}");
}

#[test]
fn flapping() {
    let keys =
        "kind = \"flapping\"\nperiod = \"8s\"\nduty = 0.25\nstart = \"50s\"\nduration = \"50s\"";
    assert_fates(&world("", &fault(keys)), |t, _| {
        let down = |t: f64| DURING.contains(&t) && (t - 50_000.0) % 8_000.0 < 2_000.0;
        if down(t) {
            (Some(FailureKind::Unavailable), 100.0)
        } else if down(t + 10.0 - 1e-3) {
            unreachable!("requests come every 100 ms and are gone after 10")
        } else {
            FINE
        }
    });
}

/// Only users over there are cut off, and their side gives up connecting after 10 s.
#[test]
fn partition() {
    let keys = "[[faults]]\nkind = \"partition\"\nregion = \"here\"\nfrom = \"there\"\n\
                start = \"50s\"\nduration = \"50s\"";
    let arm = world("", keys);
    assert_fates(&arm, |t, record| {
        let there = record.region.is_some_and(|region| region.at() == 1);
        if there && DURING.contains(&t) {
            (Some(FailureKind::Connection), 10_000.0)
        } else {
            FINE
        }
    });
    let from_all = keys.replace("from = \"there\"\n", "time_to_fail = \"3s\"\n");
    assert_fates(&world("", &from_all), |t, _| {
        if DURING.contains(&t) {
            (Some(FailureKind::Connection), 3_000.0)
        } else {
            FINE
        }
    });
}

/// $3 for a million input tokens and $15 for a million output tokens; at an attempt's end.
#[test]
fn price_change() {
    let keys = "kind = \"price_change\"\nfactor = 2.5\nstart = \"50s\"\nduration = \"50s\"";
    let arm = world("", &fault(keys));
    for record in &arm.requests {
        let ended = record.ended.as_nanos() as f64 / 1e6;
        let factor = if DURING.contains(&ended) { 2.5 } else { 1.0 };
        let nano_usd = (1_000.0 * 3_000.0 + 100.0 * 15_000.0) * factor;
        assert_eq!(record.cost.0 as f64, nano_usd, "at {ended}");
    }
    let impact = &arm.faults[0];
    assert!(impact.detect.is_empty() && impact.mitigate.is_empty() && impact.restore.is_empty());
    assert_eq!(impact.success_rate_during, [1.0]);
}

/// No new attempts while it is gone; those in flight are finished. Answers take 3 s here.
#[test]
fn accounts_removed_and_added() {
    let slow = "service = { total = \"3s\" }";
    let keys = "kind = \"account_removed\"\nstart = \"50s\"\nduration = \"50s\"";
    let arm = world(slow, &fault(keys));
    let gone = (Some(FailureKind::Cancelled), 0.0);
    assert_fates(&arm, |t, _| {
        if DURING.contains(&t) {
            gone
        } else {
            (None, 3_000.0)
        }
    });
    assert!(arm.faults[0].detect.is_empty(), "the gateway was told");
    let arm = world(slow, &fault("kind = \"account_added\"\nstart = \"50s\""));
    assert_fates(
        &arm,
        |t, _| if t < 50_000.0 { gone } else { (None, 3_000.0) },
    );
}

/// Who stands in line when the only account is removed is refused at that moment. Requests come ten
/// a second, each takes 3 s, and one is answered at a time.
#[test]
fn an_account_removed_lets_nobody_wait_for_it() {
    let account = "service = { total = \"3s\" }";
    let removed = fault("kind = \"account_removed\"\nstart = \"50s\"");
    let more = format!("[routing]\nwhen_none_available = \"wait\"\n{removed}");
    let arm = world_of(1, account, &more);
    let waiting = arm.requests.iter().filter(|r| r.waited);
    let refused = waiting.filter(|r| r.outcome == Outcome::Rejected(Rejection::NoneAvailable));
    assert!(refused.clone().count() > 200, "those of nearly 30 s");
    assert!(refused.into_iter().all(|r| r.ended == secs(50)));
    for late in arm.requests.iter().filter(|r| r.ended > secs(50)) {
        let in_flight = late.outcome == Outcome::Success && late.ended <= secs(53);
        let newcomer = !late.waited && late.arrived == late.ended;
        assert!(in_flight || newcomer, "{late:?}");
    }
}

/// Attempts are lost at their rate and noticed after 10 s; the others are late by the delay. The
/// network's draws are its own: what is not lost is the same as in a better network.
#[test]
fn the_network_loses_and_delays() {
    let noisy = "service = { total = { kind = \"lognormal\", median = \"20ms\", sigma = 1 } }";
    let calm = world(noisy, "");
    let arm = world(noisy, "[network]\nloss = 0.05\ndelay = \"40ms\"");
    let at = |arm: &StrategyResults| -> Vec<(u64, Fate)> {
        let mut fates: Vec<_> = arm
            .requests
            .iter()
            .map(|r| (r.request.0, fate(r)))
            .collect();
        fates.sort_by_key(|(request, _)| *request);
        fates
    };
    let mut lost = 0.0;
    for ((_, calm), (_, found)) in at(&calm).into_iter().zip(at(&arm)) {
        if found.0.is_some() {
            assert_eq!(found, (Some(FailureKind::Connection), 10_000.0));
            lost += 1.0;
        } else {
            assert!((found.1 - calm.1 - 40.0).abs() < 1e-3, "{found:?} {calm:?}");
        }
    }
    assert_rate((lost, arm.requests.len() as f64), 0.05);
    let only_there = "[network]\nlinks = [{ between = [\"there\", \"here\"], loss = 1, \
                      lost_after = \"never\" }]";
    assert_fates(&world("", only_there), |_, record| {
        if record.region.is_some_and(|region| region.at() == 1) {
            (Some(FailureKind::DeadlineExceeded), 30_000.0)
        } else {
            FINE
        }
    });
}

/// Each failure of calm weather comes at its rate and takes its own time.
#[test]
fn every_calm_failure_takes_its_own_time() {
    let kinds = [
        ("internal_error", FailureKind::InternalError),
        ("bad_gateway", FailureKind::BadGateway),
        ("unavailable", FailureKind::Unavailable),
        ("gateway_timeout", FailureKind::GatewayTimeout),
        ("overloaded", FailureKind::Overloaded),
        ("connection", FailureKind::Connection),
        ("bad_request", FailureKind::BadRequest),
        ("model_not_found", FailureKind::ModelNotFound),
        ("too_large", FailureKind::TooLarge),
    ];
    let failure = |(at, (word, _)): (usize, &(&str, FailureKind))| {
        format!(
            "{{ kind = \"{word}\", rate = 0.05, time_to_fail = \"{}ms\" }}",
            20 + at
        )
    };
    let mut list: Vec<String> = kinds.iter().enumerate().map(failure).collect();
    list.push("{ kind = \"broken_stream\", rate = 0.05 }".into());
    list.push("{ kind = \"hang\", rate = 0.05 }".into());
    let arm = world(&format!("failures = [{}]", list.join(", ")), "");
    let all = arm.requests.len() as f64;
    for (at, (_, kind)) in kinds.iter().enumerate() {
        let fates = arm
            .requests
            .iter()
            .map(fate)
            .filter(|fate| fate.0 == Some(*kind));
        let times: Vec<f64> = fates.map(|fate| fate.1).collect();
        assert_rate((times.len() as f64, all), 0.05);
        assert!(
            times
                .iter()
                .all(|time| (time - 20.0 - at as f64).abs() < 1e-3),
            "{kind}"
        );
    }
    let of = |kind| {
        arm.requests
            .iter()
            .map(fate)
            .filter(move |fate| fate.0 == Some(kind))
    };
    assert_rate(
        (of(FailureKind::DeadlineExceeded).count() as f64, all),
        0.05,
    );
    assert!(of(FailureKind::DeadlineExceeded).all(|fate| fate.1 == 30_000.0));
    assert_rate((of(FailureKind::BrokenStream).count() as f64, all), 0.05);
    assert!(of(FailureKind::BrokenStream).all(|fate| fate.1 < 10.0));
}
