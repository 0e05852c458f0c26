//! Rate limits: everything cooling at once, and 429s that name no time.

use super::{arm, failed_attempts, results, success_rate};
use crate::stage::{Stage, accounts, at, features, once, retrying, secs};
use routelab::experiment::results::ScenarioResults;
use routelab::record::{Outcome, Rejection, Strategy};
use routelab::request::FailureKind;

/// 13: everything cools down at once, and that is an outage although Retry-After is known.
///
/// Three accounts name 2, 5 and 9 s. The refusal says when to come back (2 s), and whoever does is
/// served at that very instant, by that account; the others return at their own times. A fixed
/// cool-down of, say, 60 s would refuse for a minute.
#[test]
fn p13_all_cooling_ends_when_the_first_comes_back() {
    let mut stage = Stage::new(&once(Strategy::RoundRobin), &accounts(3));
    for wait in [5, 2, 9] {
        let sent = stage.send(at(0), &features());
        stage.limit(at(0), sent, Some(secs(wait)));
    }
    let refused = stage.request(at(1_000), &features()).ended().unwrap();
    assert_eq!(refused.outcome, Outcome::Rejected(Rejection::NoneAvailable));
    assert_eq!(refused.retry_at, Some(at(2_000)));
    for (back, account) in [(2_000, 1), (5_000, 0), (9_000, 2)] {
        let served: Vec<_> = (0..3)
            .map(|_| stage.send(at(back), &features()).account)
            .collect();
        assert!(served.contains(&account), "{back}");
    }
}

/// 13, as a scenario: twice the traffic that three small quotas allow.
///
/// The quotas refill continuously, so in the long run 3 requests a second can be answered, after a
/// minute's worth at the start: 3 (60 + 600) = 1,980. Believing Retry-After gets nearly all of
/// that. With 429s that name no time and a fixed guess of five minutes, most of it is lost.
#[test]
fn p13_known_waits_are_used() {
    let text = |named: bool| {
        format!(
            r#"
            duration = "10min"
            strategies = ["round_robin"]
            workload = {{ arrivals = "poisson", rate = "6rps", classes = ALL }}
            [routing.cool_down]
            base = "5min"
            cap = "5min"
            [[accounts]]
            id = "a{{n}}"
            count = 3
            provider = "anthropic"
            models = ["m"]
            service = {{ total = "200ms" }}
            quota = {{ requests_per_minute = 60, retry_after = {named} }}
            "#
        )
    };
    let answered = |named| {
        let results = results(&text(named));
        arm(&results, "round_robin").replications[0]
            .counts
            .successes
    };
    let (named, guessed) = (answered(true), answered(false));
    assert!(named <= 1_980 && named * 100 > 1_980 * 95, "{named}");
    assert!(guessed < 1_980 / 2, "the guess shows the loss: {guessed}");
}

/// Three accounts, 20 requests a second like clockwork, and from 60 s on everything fails for ten
/// seconds, within 100 ms; three arms that differ in what they do when nobody is available.
fn all_down(open_time: &str) -> ScenarioResults {
    results(&format!(
        r#"
        duration = "4min"
        strategies = [
            {{ name = "reject", strategy = "least_connections" }},
            {{ name = "wait", strategy = "least_connections", when_none_available = "wait" }},
            {{ name = "least_bad", strategy = "least_connections",
               when_none_available = "least_bad" }},
        ]
        workload = {{ arrivals = "constant", rate = "20rps", classes = ALL }}
        [routing.breaker]
        open_time = "{open_time}"
        [[accounts]]
        id = "a{{n}}"
        count = 3
        provider = "anthropic"
        models = ["m"]
        service = {{ total = "200ms" }}
        [[faults]]
        kind = "outage"
        accounts = "all"
        start = "60s"
        duration = "10s"
        "#
    ))
}

/// 13, with breakers for rate limits: everything fails for ten seconds.
///
/// The breakers open within a second and look again after 60 s. To refuse until then makes a minute
/// of outage out of ten seconds: 20 x 60 requests are lost. Those in line lose what came more than
/// a deadline (30 s) before the breakers look again, 20 x 30: for them there is no hope, and they
/// are told at once. The least bad gets through as soon as anybody does, and loses the ten seconds.
#[test]
fn p13_everything_fails_for_ten_seconds() {
    let results = all_down("60s");
    let lost = |name: &str| {
        let counts = &arm(&results, name).replications[0].counts;
        counts.failures + counts.rejections
    };
    let (reject, wait, least_bad) = (lost("reject"), lost("wait"), lost("least_bad"));
    assert!((1_190..=1_215).contains(&reject), "{reject}");
    assert!((590..=640).contains(&wait), "{wait}");
    assert!((185..=210).contains(&least_bad), "{least_bad}");
    let counts = |name: &str| arm(&results, name).replications[0].counts;
    assert!((580..=620).contains(&counts("wait").waited));
    assert_eq!(
        counts("reject").least_bad_attempts + counts("wait").least_bad_attempts,
        0
    );
    // Sixty seconds' worth at least, with the retries of those that failed.
    let sent_anyway = counts("least_bad").least_bad_attempts;
    assert!((1_190..1_700).contains(&sent_anyway), "{sent_anyway}");
}

/// 13, with breakers that look again after 5 s: the line loses next to nobody, and who waits makes
/// no attempt: while everything is down, the accounts see the failures that open their breakers and
/// a probe each, as they do where requests are refused.
#[test]
fn p13_a_short_outage_is_waited_out() {
    let results = all_down("5s");
    let counts = |name: &str| arm(&results, name).replications[0].counts;
    let lost = |name: &str| counts(name).failures + counts(name).rejections;
    assert!(lost("wait") <= 5, "{}", lost("wait"));
    assert!(lost("reject") > 200, "{}", lost("reject"));
    assert!(lost("least_bad") < lost("reject"));
    let failed = |name: &str| {
        let accounts = arm(&results, name).accounts.iter();
        accounts.map(|a| a.attempts - a.successes).sum::<u64>()
    };
    assert!(failed("wait") < 50, "{}", failed("wait"));
    assert!(failed("least_bad") > 190, "{}", failed("least_bad"));
}

/// 21: a 429 without Retry-After gets no failover, or a fixed guess.
///
/// The request goes to the next account at once, and the limited one is left alone for 5 s,
/// doubling on repetition to 60 s; a success makes it 5 s again.
#[test]
fn p21_an_unnamed_rate_limit_fails_over_and_backs_off() {
    let mut stage = Stage::new(&retrying(Strategy::RoundRobin), &accounts(2));
    let mut now = 0;
    let limited_at = |stage: &mut Stage, now: u64| {
        loop {
            let sent = stage.send(at(now), &features());
            if sent.account == 1 {
                stage.succeed(at(now), sent);
                continue;
            }
            let second = stage.limit(at(now), sent, None).sent().unwrap();
            assert_eq!(second.account, 1, "at once, elsewhere");
            stage.succeed(at(now), second);
            return;
        }
    };
    let out_for = |stage: &Stage, now: u64| {
        let mut later = stage.clone();
        let mut gone = 0;
        while (0..2).all(|_| later.serve(at(now + gone), secs(0)) == 1) {
            gone += 500;
        }
        gone
    };
    for expected in [5_000, 10_000, 20_000, 40_000, 60_000, 60_000] {
        limited_at(&mut stage, now);
        assert_eq!(out_for(&stage, now), expected);
        now += expected;
    }
    while stage.serve(at(now), secs(0)) != 0 {}
    limited_at(&mut stage, now);
    assert_eq!(out_for(&stage, now), 5_000, "a success forgives");
}

/// 21, as a scenario: one of two accounts answers nothing but unnamed 429s for ten minutes. Nobody
/// notices, and it is asked as often as its doubling cool-down says: 4 times in the first 75 s,
/// then once a minute.
#[test]
fn p21_nobody_notices_a_limited_account() {
    let results = results(
        r#"
        duration = "10min"
        strategies = ["round_robin", "least_connections", "random", "smart"]
        workload = { arrivals = "poisson", rate = "10rps", classes = ALL }
        [templates.t]
        provider = "google"
        models = ["m"]
        service = { total = "200ms" }
        [[accounts]]
        template = "t"
        id = "good"
        [[accounts]]
        template = "t"
        id = "limited"
        failures = [{ kind = "rate_limited", rate = 1, time_to_fail = "1ms" }]
        "#,
    );
    for arm in &results.strategies {
        assert_eq!(success_rate(arm), 1.0, "{}", arm.name);
        let asked = failed_attempts(arm, 1, FailureKind::RateLimited);
        assert!((8..=15).contains(&asked), "{}: {asked}", arm.name);
        assert_eq!(arm.accounts[1].breaker_openings, 0, "a 429 is no failure");
    }
}

/// 22: keys of one organisation share a quota, so rotating them does not help.
///
/// Three keys of 60 requests a minute each, asked 6 times a second for ten minutes. Of three
/// organisations they answer 3 (60 + 600) = 1,980 requests, of one organisation 660, whether it has
/// three keys or one. Routing that counts a quota for each key, because nobody told it of the
/// organisation, runs into refusals instead of leaving the keys alone; it gets no more.
#[test]
fn p22_keys_of_one_organisation_share_a_quota() {
    let text = |keys: u32, organisation: &str| {
        format!(
            r#"
            duration = "10min"
            strategies = ["round_robin"]
            workload = {{ arrivals = "poisson", rate = "6rps", classes = ALL }}
            [[accounts]]
            id = "key-{{n}}"
            count = {keys}
            provider = "anthropic"
            models = ["m"]
            service = {{ total = "200ms" }}
            quota = {{ requests_per_minute = 60 }}
            organisation = "{organisation}"
            "#
        )
    };
    let answered = |keys, organisation| {
        let results = results(&text(keys, organisation));
        arm(&results, "round_robin").replications[0]
            .counts
            .successes
    };
    let within =
        |count: u64, most: u64| assert!(count <= most && count * 100 > most * 95, "{count}");
    within(answered(3, "org-{n}"), 1_980);
    within(answered(3, "org"), 660);
    within(answered(1, "org"), 660);
}

/// 22, inside of routing: declared limits of one organisation are one count, so that a strategy
/// that is told of the quota leaves all its keys alone at once, and nothing is refused.
#[test]
fn p22_declared_limits_are_counted_by_organisation() {
    let refusals = |organisation: &str| {
        let text = format!(
            r#"
            duration = "10min"
            strategies = [{{ name = "arm", strategy = "round_robin", quota_aware = true }}]
            workload = {{ arrivals = "poisson", rate = "6rps", classes = ALL }}
            [[accounts]]
            id = "key-{{n}}"
            count = 3
            provider = "anthropic"
            models = ["m"]
            service = {{ total = "200ms" }}
            limits = {{ requests_per_minute = 60 }}
            organisation = "{organisation}"
            "#
        );
        let results = results(&text);
        let arm = arm(&results, "arm");
        let refused = (0..3).map(|at| failed_attempts(arm, at, FailureKind::RateLimited));
        refused.sum::<u64>()
    };
    assert!(refusals("org") < 20, "{}", refusals("org"));
    assert!(refusals("org-{n}") < 20);
}
