//! Requests as the workload makes them, against closed forms and against each other.

mod clients;
mod repeats;

use routelab::distribution::Distribution;
use routelab::request::{
    ClassIndex, ModelIndex, Provider, RegionIndex, Request, RequestPriority, RequestType,
    UserPreferences,
};
use routelab::rng::Streams;
use routelab::time::{Duration, Timestamp};
use routelab::units::Rate;
use routelab::workload::Workload;
use routelab::workload::config::{Arrivals, RateSegment, RequestClass, WorkloadConfig};
use routelab::workload::trace::{Trace, TraceOptions};
use std::sync::Arc;

fn rate(per_second: f64) -> Rate {
    Rate::per_second(per_second).unwrap()
}

fn after(secs: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(secs)
}

fn chat() -> RequestClass {
    RequestClass {
        name: "chat".into(),
        weight: 3.0,
        model: ModelIndex(1),
        input_tokens: Distribution::lognormal_from_mean(1000.0, 1.0).unwrap(),
        output_tokens: Distribution::lognormal_from_mean(200.0, 0.8).unwrap(),
        cached_input_share: 0.25,
        max_output_tokens: None,
        priority: RequestPriority::High,
        request_type: RequestType::Chat,
        streaming_share: 0.7,
        regions: vec![(RegionIndex(0), 1.0), (RegionIndex(4), 4.0)],
        preferences: UserPreferences {
            provider: Some(Provider::Google),
            ..UserPreferences::default()
        },
        repeats: None,
    }
}

fn batch() -> RequestClass {
    RequestClass {
        name: "batch".into(),
        weight: 1.0,
        model: ModelIndex(0),
        input_tokens: Distribution::constant(5000.0).unwrap(),
        output_tokens: Distribution::uniform(0.0, 400.0).unwrap(),
        cached_input_share: 0.0,
        max_output_tokens: Some(300),
        priority: RequestPriority::Low,
        request_type: RequestType::Analysis,
        streaming_share: 0.0,
        regions: vec![],
        preferences: UserPreferences::default(),
        repeats: None,
    }
}

fn config(arrivals: Arrivals, end: Timestamp) -> WorkloadConfig {
    WorkloadConfig {
        arrivals,
        classes: vec![chat(), batch()],
        end,
    }
}

fn poisson(per_second: f64, secs: u64) -> WorkloadConfig {
    config(
        Arrivals::Poisson {
            rate: rate(per_second),
        },
        after(secs),
    )
}

/// The whole workload; what was peeked at is what is taken.
fn all(config: &WorkloadConfig, streams: Streams) -> Vec<(Timestamp, Request)> {
    let mut workload = Workload::new(config, streams);
    let mut taken = Vec::new();
    while let Some(next) = workload.next_arrival() {
        taken.push(workload.take().unwrap());
        assert_eq!(taken.last().unwrap().0, next);
        assert!(next < config.end);
    }
    assert_eq!(workload.take(), None);
    assert_eq!(workload.next_arrival(), None);
    assert!(taken.is_sorted_by_key(|(at, _)| *at));
    let ids = taken.iter().map(|(_, request)| request.id.0);
    assert!(ids.eq(0..taken.len() as u64));
    taken
}

fn requests(config: &WorkloadConfig, streams: Streams) -> Vec<Request> {
    all(config, streams)
        .into_iter()
        .map(|(_, request)| request)
        .collect()
}

/// Mean of `draws` is `expected`, within 4.5 standard errors.
fn assert_mean(what: &str, draws: impl Iterator<Item = f64>, expected: f64, variance: f64) {
    let draws: Vec<f64> = draws.collect();
    let n = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n;
    let allowed = 4.5 * (variance / n).sqrt() + 1e-9;
    assert!(
        (mean - expected).abs() <= allowed,
        "{what}: {mean}, expected {expected}"
    );
}

fn assert_share(what: &str, draws: impl Iterator<Item = bool>, expected: f64) {
    let draws = draws.map(|hit| f64::from(u8::from(hit)));
    assert_mean(what, draws, expected, expected * (1.0 - expected));
}

fn of_class(all: &[Request], class: u16) -> Vec<Request> {
    let mine = |r: &&Request| r.class == ClassIndex(class);
    all.iter().filter(mine).copied().collect()
}

#[test]
fn the_mix_has_the_shares_and_means_that_it_states() {
    let all = requests(&poisson(100.0, 1000), Streams::new(1, 0));
    assert!(all.len() > 90_000);
    assert_share("chat", all.iter().map(|r| r.class == ClassIndex(0)), 0.75);
    let (chats, batches) = (of_class(&all, 0), of_class(&all, 1));
    assert_share("streaming", chats.iter().map(|r| r.features.streaming), 0.7);
    let home = Some(RegionIndex(4));
    assert_share(
        "region",
        chats.iter().map(|r| r.features.user_region == home),
        0.8,
    );
    // Rounding to whole tokens moves these means by far less than a standard error.
    let inputs = chats.iter().map(|r| f64::from(r.tokens.input));
    assert_mean("chat input", inputs, 1000.0, 1000.0f64.powi(2));
    let outputs = chats.iter().map(|r| f64::from(r.tokens.output));
    assert_mean("chat output", outputs, 200.0, 160.0f64.powi(2));
    let outputs = batches.iter().map(|r| f64::from(r.tokens.output));
    // min(U, 300) for U uniform in (0, 400): mean 262.5 - 75, second moment 45,000.
    assert_mean("batch output", outputs, 187.5, 45_000.0 - 187.5f64.powi(2));
}

#[test]
fn a_request_is_what_its_class_says() {
    let all = requests(&poisson(100.0, 100), Streams::new(2, 0));
    for r in of_class(&all, 0) {
        assert_eq!(r.features.model, ModelIndex(1));
        assert_eq!(r.features.priority, RequestPriority::High);
        assert_eq!(r.features.request_type, RequestType::Chat);
        assert_eq!(r.features.max_output_tokens, None);
        assert_eq!(r.features.preferences, chat().preferences);
        assert!(r.features.user_region.is_some());
        assert_eq!(r.tokens.cached_input, r.tokens.input / 4);
    }
    for r in of_class(&all, 1) {
        assert_eq!(r.features.model, ModelIndex(0));
        assert_eq!(r.features.priority, RequestPriority::Low);
        assert_eq!(r.features.max_output_tokens, Some(300));
        assert_eq!(r.features.user_region, None);
        assert!(!r.features.streaming);
        assert_eq!(r.tokens.input, 5000);
        assert_eq!(r.tokens.cached_input, 0);
    }
    for r in all {
        assert_eq!(r.features.estimated_tokens, r.tokens.input);
        assert!(r.tokens.output >= 1);
    }
}

#[test]
fn a_class_without_weight_has_no_requests() {
    let mut config = poisson(100.0, 50);
    config.classes[0].weight = 0.0;
    assert!(
        requests(&config, Streams::new(3, 0))
            .iter()
            .all(|r| r.class == ClassIndex(1))
    );
    config.classes[1].weight = 0.0;
    assert_eq!(all(&config, Streams::new(3, 0)), []);
    config.classes.clear();
    assert_eq!(all(&config, Streams::new(3, 0)), []);
}

#[test]
fn the_key_decides_the_sequence_and_nothing_else() {
    let config = poisson(20.0, 100);
    let first = all(&config, Streams::new(4, 0));
    assert_eq!(first, all(&config, Streams::new(4, 0)));
    for other in [Streams::new(4, 1), Streams::new(5, 0)] {
        let other = all(&config, other);
        assert_ne!(first[0].0, other[0].0);
        assert_ne!(first[0].1.tokens, other[0].1.tokens);
    }
}

fn small_trace(rows: u32) -> Arc<Trace> {
    let mut text = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    for row in 0..rows {
        let (minute, second) = (row / 60 % 60, row % 60);
        text += &format!(
            "2024-02-29 23:{minute:02}:{second:02},{},{}\n",
            row * 3,
            row % 500
        );
    }
    Arc::new(Trace::read_azure_csv(text.as_bytes(), &TraceOptions::default()).unwrap())
}

#[test]
fn attributes_do_not_depend_on_the_arrival_process() {
    let streams = Streams::new(6, 2);
    let reference = requests(&poisson(50.0, 100), streams);
    let ramp = vec![RateSegment {
        start: Timestamp::ZERO,
        from: rate(0.0),
        to: rate(60.0),
    }];
    for arrivals in [
        Arrivals::Poisson { rate: rate(9.0) },
        Arrivals::Constant { rate: rate(33.0) },
        Arrivals::Piecewise(ramp),
    ] {
        let other = requests(&config(arrivals, after(100)), streams);
        assert!(other.len() > 500);
        assert!(reference.iter().zip(&other).all(|(a, b)| a == b));
    }
    let replayed = config(Arrivals::Trace(small_trace(3000)), after(3600));
    for (drawn, recorded) in reference.iter().zip(&requests(&replayed, streams)) {
        let mut recorded = *recorded;
        recorded.tokens = drawn.tokens;
        recorded.features.estimated_tokens = drawn.features.estimated_tokens;
        assert_eq!(*drawn, recorded);
    }
}

/// Another law of the input tokens changes the input tokens, and only them.
#[test]
fn no_attribute_moves_another() {
    let streams = Streams::new(7, 0);
    let reference = requests(&poisson(50.0, 100), streams);
    let mut changed = poisson(50.0, 100);
    changed.classes[0].input_tokens = Distribution::gamma(700.0, 2.0).unwrap();
    changed.classes[0].cached_input_share = 0.0;
    let changed = requests(&changed, streams);
    assert_eq!(reference.len(), changed.len());
    assert!(
        reference
            .iter()
            .zip(&changed)
            .any(|(a, b)| a.tokens.input != b.tokens.input)
    );
    for (a, b) in reference.iter().zip(&changed) {
        let mut b = *b;
        b.tokens.input = a.tokens.input;
        b.tokens.cached_input = a.tokens.cached_input;
        b.features.estimated_tokens = a.features.estimated_tokens;
        assert_eq!(*a, b);
    }
}

#[test]
fn a_replay_yields_every_row_and_cuts_only_to_a_stated_limit() {
    let trace = small_trace(1000);
    let end = Timestamp::ZERO + trace.duration() + Duration::from_nanos(1);
    let replayed = all(
        &config(Arrivals::Trace(Arc::clone(&trace)), end),
        Streams::new(8, 0),
    );
    assert_eq!(replayed.len(), trace.len());
    for ((at, request), row) in replayed.iter().zip(trace.rows()) {
        assert_eq!(*at, row.arrival);
        assert_eq!(request.tokens.input, row.input_tokens);
        let limit = request.features.max_output_tokens.unwrap_or(u32::MAX);
        assert_eq!(request.tokens.output, row.output_tokens.min(limit));
    }
}

/// The byte contract holds for one target; this tells where a platform, or a change, differs.
#[test]
fn pinned_requests() {
    let all = all(&poisson(40.0, 60), Streams::new(1, 0));
    let facts = |&(at, r): &(Timestamp, Request)| {
        let features = r.features;
        let region = features.user_region.map(|region| region.0);
        (
            at.as_nanos(),
            r.class.0,
            r.tokens.input,
            r.tokens.output,
            features.streaming,
            region,
        )
    };
    let first: Vec<_> = all.iter().take(4).map(facts).collect();
    let pinned = [
        (28_593_516, 0, 418, 450, true, Some(0)),
        (35_570_013, 0, 1967, 134, true, Some(4)),
        (84_518_984, 0, 410, 195, true, Some(4)),
        (110_007_959, 0, 230, 171, true, Some(4)),
    ];
    assert_eq!(first, pinned);
}
