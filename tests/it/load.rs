//! The load generator against a server that the test controls. Nothing here waits for a length of
//! time: servers hold answers back until something has been *seen*, so that a generator that waited
//! for answers would never come to an end.

mod server;

use crate::support::scenario;
use routelab::experiment::scenario::Scenario;
use routelab::live::chat::Dialect;
use routelab::live::client;
use routelab::live::clock::Clock;
use routelab::live::load::{
    LoadConfig, LoadDialect, LoadError, LoadRecord, LoadReport, MOST_IN_FLIGHT, Outcome, Target,
    run,
};
use routelab::live::proxy::Secret;
use routelab::request::Request;
use routelab::rng::Streams;
use routelab::time::{Duration, Timestamp};
use routelab::workload::Workload;
use server::{Reply, Seen, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const POOL: &str = r#"
question = "q"
expectation = "e"
duration = "60s"
replications = 1
seed = 11
strategies = ["round_robin"]

[models.large]
quality = 4
[models.large.service]
first_token = "1s"
per_output_token = "10ms"
[models.small]
quality = 3
[models.small.service]
first_token = "1s"
per_output_token = "10ms"

[regions]
names = ["here", "there"]
round_trips = [["1ms", "2ms"], ["2ms", "1ms"]]

[[accounts]]
id = "a"
provider = "anthropic"
region = "here"
models = { large = {}, small = {} }

[[accounts]]
id = "b"
provider = "google"
region = "there"
models = { small = {} }
"#;

const MIXED: &str = r#"
[workload]
arrivals = "poisson"
rate = "5rps"

[[workload.classes]]
name = "talk"
model = "large"
priority = "critical"
request_type = "code"
streaming_share = 0.5
max_output_tokens = 300
input_tokens = { kind = "lognormal", mean = 1155, cv = 0.96 }
output_tokens = 20
regions = { here = 1, there = 1 }
preferences = { provider = "anthropic", latency_tolerance = "1500ms", cost_sensitivity = 0.5 }
repeats = { share = 0.5, keys = 20 }

[[workload.classes]]
name = "batch"
model = "small"
priority = "low"
input_tokens = { kind = "uniform", low = 0, high = 9 }
output_tokens = 20
preferences = { provider = "google", provider_required = true, minimum_quality = 3 }
"#;

const USERS: &str = r#"
[workload]
arrivals = "closed_loop"
users = 3
think_time = "100ms"

[[workload.classes]]
name = "talk"
model = "large"
input_tokens = 10
output_tokens = 20
"#;

fn mixed() -> Scenario {
    scenario("load", &format!("{POOL}{MIXED}"))
}

/// Sixty seconds of the scenario in sixty milliseconds.
fn config(scenario: &Scenario, server: &Server) -> LoadConfig {
    LoadConfig {
        target: Target::parse(&server.address()).expect("an address"),
        dialect: LoadDialect::Anthropic,
        http2: false,
        key: Secret::new("sk-test"),
        workload: scenario.workload.clone(),
        seed: scenario.seed,
        replication: 0,
        models: scenario.models.clone(),
        regions: scenario.regions.clone(),
        clock: Clock::new(1_000.0),
        rate_scale: 1.0,
        duration: None,
        requests: None,
        warmup: Duration::ZERO,
        timeout: Duration::MAX,
        most_in_flight: MOST_IN_FLIGHT,
        late_after: std::time::Duration::MAX,
    }
}

/// The workload itself: what must be sent, and when.
fn intended(scenario: &Scenario) -> Vec<(Timestamp, Request)> {
    let mut workload = Workload::new(&scenario.workload, Streams::new(scenario.seed, 0));
    std::iter::from_fn(|| workload.take()).collect()
}

fn sent(config: &LoadConfig, server: &Server) -> (LoadReport, Vec<LoadRecord>) {
    let mut records = vec![];
    let stop = AtomicBool::new(false);
    let mut keep = |record: &LoadRecord| records.push(record.clone());
    let report = run(config, server.runtime(), &stop, &mut keep).expect("a sound configuration");
    (report, records)
}

/// One record, and one arrival at the server, for each request of the workload; whichever protocol
/// and dialect.
#[test]
fn every_request_arrives_once() {
    let scenario = mixed();
    let all = intended(&scenario);
    for (dialect, http2) in [
        (LoadDialect::Anthropic, false),
        (LoadDialect::OpenAi, false),
        (LoadDialect::Gemini, false),
        (LoadDialect::Anthropic, true),
    ] {
        let server = Server::start(|_| async { Reply::Answer });
        let config = LoadConfig {
            dialect,
            http2,
            ..config(&scenario, &server)
        };
        let (report, mut records) = sent(&config, &server);
        assert_eq!(report.failed, BTreeMap::new(), "{dialect} {http2}");
        assert_eq!(report.scheduled, all.len() as u64);
        assert_eq!(report.sent, all.len() as u64);
        assert_eq!(report.succeeded, all.len() as u64);
        assert_eq!((report.dropped, report.late, report.warming_up), (0, 0, 0));
        records.sort_by_key(|record| record.id);
        for (record, (at, request)) in records.iter().zip(&all) {
            assert_eq!((record.id, record.intended), (request.id, *at));
            assert!(record.sent.is_some_and(|sent| sent >= *at));
            assert_eq!(record.first_token.is_some(), request.features.streaming);
            assert_eq!(record.usage.output, server::OUTPUT);
        }
        let seen: Vec<u64> = server.seen().iter().map(|seen| seen.id).collect();
        assert_eq!(seen.len(), all.len());
        assert_eq!(BTreeSet::from_iter(seen).len(), all.len());
    }
}

/// The proxy, which reads the request as any client's, must see the features that routing sees in
/// simulation.
#[test]
fn a_request_says_what_the_workload_says() {
    let scenario = mixed();
    let all = intended(&scenario);
    for (dialect, spoken) in [
        (LoadDialect::Anthropic, Dialect::Anthropic),
        (LoadDialect::OpenAi, Dialect::OpenAi),
    ] {
        let server = Server::start(|_| async { Reply::Answer });
        let config = LoadConfig {
            dialect,
            ..config(&scenario, &server)
        };
        sent(&config, &server);
        let mut seen = server.seen();
        seen.sort_by_key(|seen| seen.id);
        let mut keys = BTreeMap::new();
        for (seen, (_, request)) in seen.iter().zip(&all) {
            let chat = client::request(spoken, &seen.body).expect("a request");
            let features = &request.features;
            assert_eq!(chat.model, scenario.models[features.model.at()]);
            assert_eq!(chat.stream, features.streaming);
            let keyed = features.cache_key.is_some();
            assert_eq!(chat.is_repeatable(), keyed);
            let least = if keyed { 4 } else { 1 };
            assert_eq!(
                chat.estimated_tokens(),
                features.estimated_tokens.max(least)
            );
            match features.max_output_tokens {
                Some(limit) => assert_eq!(chat.max_output_tokens, Some(limit)),
                None => assert!(chat.max_output_tokens.is_none_or(|most| most >= 10_000)),
            }
            if let Some(key) = features.cache_key {
                let told = keys.entry(key).or_insert_with(|| chat.cache_key());
                assert_eq!(*told, chat.cache_key());
            }
        }
        let told: BTreeSet<_> = keys.values().collect();
        assert!(keys.len() > 5);
        assert_eq!(told.len(), keys.len());
    }
}

#[test]
fn wishes_stand_in_headers() {
    let scenario = mixed();
    let server = Server::start(|_| async { Reply::Answer });
    sent(&config(&scenario, &server), &server);
    let seen = server.seen();
    let header = |seen: &Seen, name: &str| -> String {
        let value = seen.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    };
    let mut regions = BTreeSet::new();
    for seen in &seen {
        assert_eq!(header(seen, "x-api-key"), "sk-test");
        let told = [
            "priority",
            "type",
            "provider",
            "provider-required",
            "latency-tolerance",
            "cost-sensitivity",
            "minimum-quality",
        ]
        .map(|name| header(seen, &format!("x-routelab-{name}")));
        let expected = match told[0].as_str() {
            "critical" => ["critical", "code", "anthropic", "", "1500ms", "0.5", ""],
            _ => ["low", "chat", "google", "true", "", "", "3"],
        };
        assert_eq!(told, expected);
        regions.insert(header(seen, "x-routelab-region"));
    }
    assert_eq!(regions, ["", "here", "there"].map(str::to_owned).into());
}

/// The property of an open loop: no answer comes before the last request has arrived. And no
/// omission: what was held back shows in the latency of each, from its intended start.
#[test]
fn a_stall_stops_no_send_and_shows_in_every_latency() {
    let scenario = mixed();
    let all = intended(&scenario);
    let expected = all.len() as u64;
    let (count, gate) = (Arc::new(AtomicU64::new(0)), server::Gate::default());
    let opener = gate.clone();
    let server = Server::start(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) + 1 == expected {
            opener.open();
        }
        let gate = gate.clone();
        async move {
            gate.passed().await;
            Reply::Answer
        }
    });
    let (report, records) = sent(&config(&scenario, &server), &server);
    assert_eq!(report.succeeded, expected);
    assert_eq!(report.most_in_flight as u64, expected);
    let last = records
        .iter()
        .filter_map(|record| record.sent)
        .max()
        .unwrap();
    for record in &records {
        assert!(record.ended >= last);
        assert!(record.latency() >= last.since(record.intended));
    }
    assert_eq!(report.latency.histogram.count(), expected);
    assert!(report.latency.histogram.max() >= last.since(all[0].0));
}

/// With room for three and no answers, all others are dropped, counted, and never sent.
#[test]
fn what_is_beyond_the_bound_is_dropped_and_counted() {
    const ROOM: u64 = 3;
    let scenario = mixed();
    let expected = intended(&scenario).len() as u64;
    let gate = server::Gate::default();
    let passing = gate.clone();
    let server = Server::start(move |_| {
        let gate = passing.clone();
        async move {
            gate.passed().await;
            Reply::Answer
        }
    });
    let config = LoadConfig {
        most_in_flight: ROOM as usize,
        ..config(&scenario, &server)
    };
    let (mut dropped, mut others) = (0, 0);
    let mut watch = |record: &LoadRecord| {
        match record.outcome {
            Outcome::Dropped => dropped += 1,
            _ => others += 1,
        }
        if dropped == expected - ROOM {
            gate.open();
        }
    };
    let stop = AtomicBool::new(false);
    let report = run(&config, server.runtime(), &stop, &mut watch).expect("sound");
    assert_eq!((dropped, others), (expected - ROOM, ROOM));
    assert_eq!(report.dropped, expected - ROOM);
    assert_eq!((report.sent, report.succeeded), (ROOM, ROOM));
    assert_eq!(report.most_in_flight as u64, ROOM);
    assert_eq!(server.seen().len() as u64, ROOM);
}

/// Every way to fail is counted as what it is; a status of 200 does not make an answer.
#[test]
fn failures_are_told_apart() {
    let scenario = mixed();
    let server = Server::start(|seen| {
        let reply = Reply::ALL[(seen.id as usize) % Reply::ALL.len()];
        async move { reply }
    });
    let config = config(&scenario, &server);
    let (report, records) = sent(&config, &server);
    assert_eq!(records.len(), intended(&scenario).len());
    for record in &records {
        let reply = Reply::ALL[(record.id.0 as usize) % Reply::ALL.len()];
        let outcome = record.outcome.to_string();
        match reply {
            Reply::Answer => assert_eq!(outcome, "ok"),
            Reply::Refused => assert_eq!(outcome, "status 429 rate_limit_error"),
            Reply::Bare => assert_eq!(outcome, "status 502"),
            Reply::ErrorEvent | Reply::CutShort | Reply::EndsEarly | Reply::NoJson => {
                assert!(
                    matches!(record.outcome, Outcome::Broken(_)),
                    "{reply:?}: {outcome}"
                );
            }
            Reply::Close => {
                assert!(matches!(record.outcome, Outcome::NoAnswer(_)), "{outcome}");
            }
        }
    }
    let ok = records
        .iter()
        .filter(|record| record.outcome == Outcome::Ok);
    assert_eq!(report.succeeded, ok.count() as u64);
    assert_eq!(report.failures() + report.succeeded, report.scheduled);
    assert_eq!(report.latency.histogram.count(), report.succeeded);
    assert_eq!(report.failed_latency.histogram.count(), report.failures());
    // Nothing was sent again.
    assert_eq!(server.seen().len(), records.len());
}

#[test]
fn nobody_there_is_no_answer() {
    let scenario = mixed();
    let server = Server::start(|_| async { Reply::Answer });
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("its address");
    drop(free);
    let config = LoadConfig {
        target: Target::parse(&format!("http://{address}")).expect("an address"),
        requests: Some(20),
        ..config(&scenario, &server)
    };
    let (report, records) = sent(&config, &server);
    assert_eq!(
        (report.scheduled, report.sent, report.succeeded),
        (20, 20, 0)
    );
    let no_answer = |record: &LoadRecord| matches!(record.outcome, Outcome::NoAnswer(_));
    assert!(records.iter().all(no_answer), "{:?}", report.failed);
}

/// A server that never answers hangs nothing.
#[test]
fn silence_times_out() {
    let scenario = mixed();
    let server = Server::start(|_| std::future::pending());
    let config = LoadConfig {
        timeout: Duration::from_secs(20),
        ..config(&scenario, &server)
    };
    let (report, records) = sent(&config, &server);
    assert_eq!(
        report.failed.get(&Outcome::TimedOut),
        Some(&report.scheduled)
    );
    for record in &records {
        assert!(record.latency() >= config.timeout);
    }
}

/// Stopped, it sends nothing more, and accounts for what was under way.
#[test]
fn a_stop_abandons_what_is_under_way() {
    let scenario = mixed();
    let stop = Arc::new(AtomicBool::new(false));
    let stopper = Arc::clone(&stop);
    let count = Arc::new(AtomicU64::new(0));
    let server = Server::start(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) + 1 == 10 {
            stopper.store(true, Ordering::SeqCst);
        }
        std::future::pending()
    });
    let records = Mutex::new(vec![]);
    let mut keep = |record: &LoadRecord| records.lock().unwrap().push(record.clone());
    // Users would ask no more once three of them wait, so this needs an open loop.
    let config = config(&scenario, &server);
    let report = run(&config, server.runtime(), &stop, &mut keep).expect("sound");
    let records = records.into_inner().unwrap();
    assert!(report.stopped);
    assert!(records.len() >= 10);
    assert!(
        records
            .iter()
            .all(|record| record.outcome == Outcome::Abandoned)
    );
    let ids: BTreeSet<_> = records.iter().map(|record| record.id).collect();
    assert_eq!(ids.len(), records.len());
    assert_eq!(report.scheduled, records.len() as u64);
}

/// Users wait for their answers: never more at a time than there are users, and each of one user's
/// requests begins a think time after the end of the one before.
#[test]
fn a_closed_loop_waits_for_its_users() {
    for users in [1, 3] {
        let text = USERS.replace("users = 3", &format!("users = {users}"));
        // However slow the machine, the forty come before the end.
        let pool = POOL.replace("duration = \"60s\"", "duration = \"1000h\"");
        let scenario = scenario("users", &format!("{pool}{text}"));
        let server = Server::start(|_| async { Reply::Answer });
        let config = LoadConfig {
            clock: Clock::new(100.0),
            requests: Some(40),
            ..config(&scenario, &server)
        };
        let (report, records) = sent(&config, &server);
        assert_eq!((report.scheduled, report.succeeded), (40, 40));
        assert!(report.most_in_flight <= users, "{}", report.most_in_flight);
        if users == 1 {
            for pair in records.windows(2) {
                let think = pair[1].intended.since(pair[0].ended);
                assert_eq!(think, Duration::from_millis(100));
            }
        }
        let scaled = LoadConfig {
            rate_scale: 2.0,
            ..config
        };
        let stop = AtomicBool::new(false);
        let refused = run(&scaled, server.runtime(), &stop, &mut |_| {});
        assert_eq!(refused, Err(LoadError::ScaledClosedLoop));
    }
}

/// A send is late or not by the tolerance alone, and late ones are sent all the same.
#[test]
fn late_sends_are_counted() {
    let scenario = mixed();
    let server = Server::start(|_| async { Reply::Answer });
    // All is due at once: nothing can be sent in time to the nanosecond.
    let config = LoadConfig {
        clock: Clock::new(1e6),
        late_after: std::time::Duration::ZERO,
        ..config(&scenario, &server)
    };
    let (report, _) = sent(&config, &server);
    assert_eq!((report.late, report.succeeded), (report.sent, report.sent));
    assert_eq!(report.lateness.histogram.count(), report.sent);
}

/// Twice the rate is the same requests in half the time; the warm-up is sent but not counted.
#[test]
fn the_rate_the_length_and_the_warm_up_are_as_asked() {
    let scenario = mixed();
    let all = intended(&scenario);
    let server = Server::start(|_| async { Reply::Answer });
    let config = LoadConfig {
        rate_scale: 2.0,
        duration: Some(Duration::from_secs(20)),
        warmup: Duration::from_secs(5),
        ..config(&scenario, &server)
    };
    let (report, records) = sent(&config, &server);
    let before = |limit: u64| {
        let limit = Timestamp::ZERO + Duration::from_secs(limit);
        all.iter().filter(|(at, _)| *at < limit).count() as u64
    };
    assert_eq!(records.len() as u64, before(40));
    assert_eq!(report.warming_up, before(10));
    assert_eq!(report.scheduled, before(40) - before(10));
    let rate = report.intended.rate().expect("several");
    assert!((rate - 10.0).abs() < 3.0, "{rate}");
    let nothing = LoadConfig {
        rate_scale: 0.0,
        ..config
    };
    let stop = AtomicBool::new(false);
    let refused = run(&nothing, server.runtime(), &stop, &mut |_| {});
    assert_eq!(refused, Err(LoadError::Scale));
}
