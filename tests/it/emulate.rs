//! Emulated providers over real sockets: the model is the oracle.
//!
//! Nothing here waits for a length of time, and none is asserted but that no answer comes before
//! the model has it.

mod caller;

use crate::cli::{empty_folder, run, shipped};
use crate::support::scenario;
use caller::{Caller, Heard, Question};
use routelab::experiment::scenario::Scenario;
use routelab::live::clock::Clock;
use routelab::live::emulate::{AccountTally, Emulator, Setup, StartError, Tally, key};
use routelab::live::provider::Shape;
use routelab::request::{AccountIndex, AttemptId, FailureKind, Provider, Request, Usage};
use routelab::rng::Streams;
use routelab::time::{Duration, Timestamp};
use routelab::upstream::{Fleet, UpstreamEvent};
use routelab::workload::Workload;
use std::io::{Read, Write};
use tokio::task::JoinSet;

const HEAD: &str = r#"
question = "Does it do what the model does?"
expectation = "Yes."
duration = "60s"
seed = 7
replications = 1
strategies = ["round_robin"]

[workload]
arrivals = "constant"
rate = "100rps"
[[workload.classes]]
name = "chat"
weight = 1
model = "fast"
streaming_share = 0.5
input_tokens = { kind = "uniform", low = 1, high = 900 }
output_tokens = { kind = "uniform", low = 1, high = 200 }

[models.fast.service]
first_token = { kind = "lognormal", median = "3ms", sigma = 0.5 }
per_output_token = { kind = "uniform", low = "20us", high = "80us" }
"#;

/// Two accounts that fail in every way that both providers have a form for.
const FAILING: &str = r#"
[templates.failing]
models = ["fast"]
failures = [
    { kind = "internal_error", rate = 0.05, time_to_fail = "1ms" },
    { kind = "bad_gateway", rate = 0.05, time_to_fail = "1ms" },
    { kind = "unavailable", rate = 0.05, time_to_fail = "1ms" },
    { kind = "gateway_timeout", rate = 0.05, time_to_fail = "1ms" },
    { kind = "connection", rate = 0.05, time_to_fail = "1ms" },
    { kind = "rate_limited", rate = 0.05, time_to_fail = "1ms" },
    { kind = "unauthorized", rate = 0.05, time_to_fail = "1ms" },
    { kind = "payment_required", rate = 0.05, time_to_fail = "1ms" },
    { kind = "forbidden", rate = 0.05, time_to_fail = "1ms" },
    { kind = "bad_request", rate = 0.05, time_to_fail = "1ms" },
    { kind = "too_large", rate = 0.05, time_to_fail = "1ms" },
    { kind = "broken_stream", rate = 0.15 },
]
[[accounts]]
id = "claude eu/1"
provider = "anthropic"
template = "failing"
[[accounts]]
id = "gemini"
provider = "google"
template = "failing"
"#;

fn world(accounts: &str) -> Scenario {
    scenario("emulated", &format!("{HEAD}{accounts}"))
}

async fn start(scenario: &Scenario, require_keys: bool) -> Result<Emulator, StartError> {
    let setup = Setup {
        accounts: &scenario.accounts,
        models: &scenario.models,
        workload: &scenario.workload,
        upstream: &scenario.upstream,
        seed: scenario.seed,
        replication: 0,
        clock: Clock::new(1.0),
        listen: "127.0.0.1:0".parse().expect("an address"),
        require_keys,
        chunk: std::time::Duration::from_millis(1),
    };
    Emulator::start(&setup).await
}

async fn emulate(accounts: &str) -> Emulator {
    start(&world(accounts), false).await.expect("a free port")
}

const AT_ONCE: std::time::Duration = std::time::Duration::ZERO;

/// What the model makes of a request at an idle account: when it ends, and how.
fn modelled(
    scenario: &Scenario,
    account: AccountIndex,
    nth: u32,
    request: &Request,
) -> (Duration, Option<FailureKind>, Usage) {
    let mut fleet = Fleet::new(&scenario.upstream, Streams::new(scenario.seed, 0));
    fleet.begin(Timestamp::ZERO, AttemptId(0), account, nth, request);
    loop {
        let at = fleet.next_event().expect("an end");
        let took = at.since(Timestamp::ZERO);
        match fleet.advance(at) {
            Some(UpstreamEvent::Finished { usage, .. }) => return (took, None, usage),
            Some(UpstreamEvent::Failed { failure, usage, .. }) => {
                return (took, Some(failure.kind), usage);
            }
            _ => {}
        }
    }
}

/// Sends a request twice to every account, and compares each time with the model.
async fn twice_everywhere(
    caller: Caller,
    scenario: std::sync::Arc<Scenario>,
    urls: Vec<String>,
    request: Request,
    loses_frames: bool,
) -> usize {
    let (clock, mut ended) = (Clock::new(1.0), 0);
    for (at, url) in (0..).zip(&urls) {
        let shape = Shape::of(scenario.accounts[at as usize].provider).expect("a shape");
        let question = Question {
            streaming: request.features.streaming,
            number: Some(request.id.0),
            ..Question::new(shape, url, "fast")
        };
        for nth in 0..2 {
            let (took, kind, usage) = modelled(&scenario, AccountIndex(at), nth, &request);
            let sent = clock.now();
            let heard = caller.ask(&question).await;
            let waited = clock.now().since(sent);
            let what = format!("request {} at {at}, {nth} before: {heard:?}", request.id.0);
            assert_eq!(heard.kind(), kind, "{what}");
            assert!(waited >= took, "{what}: after {waited} instead of {took}");
            let broken = kind == Some(FailureKind::BrokenStream);
            let told = kind.is_none() || (broken && question.streaming && !loses_frames);
            if told {
                assert_eq!(heard.usage, usage, "{what}");
            }
            ended += 1;
        }
    }
    ended
}

/// Over HTTP/2 a broken stream is reset, and frames that were not sent yet go with it.
#[tokio::test]
async fn every_attempt_ends_as_in_the_model_and_never_earlier() {
    let scenario = std::sync::Arc::new(world(FAILING));
    for http2 in [false, true] {
        let emulator = start(&scenario, false).await.expect("a free port");
        let mut workload = Workload::new(&scenario.workload, Streams::new(scenario.seed, 0));
        let (caller, mut calls) = (Caller::new(http2), JoinSet::new());
        let requests = std::iter::from_fn(|| workload.take()).take(60);
        for (_, request) in requests {
            let (caller, scenario) = (caller.clone(), scenario.clone());
            let urls = emulator.base_urls();
            calls.spawn(twice_everywhere(caller, scenario, urls, request, http2));
        }
        let ended: usize = calls.join_all().await.into_iter().sum();
        assert_eq!(ended, 240);
        let tally = emulator.stop(AT_ONCE).await;
        assert_eq!((tally.strangers, tally.refused), (0, 0));
        let all = |count: fn(&AccountTally) -> u64| tally.accounts.iter().map(count).sum::<u64>();
        assert_eq!(all(|a| a.begun), 240);
        assert_eq!(all(|a| a.finished + a.failures()), 240);
        assert!(all(|a| a.finished) > 0 && all(AccountTally::failures) > 0);
    }
}

const SLOW: &str = r#"
[models.slow]
service = { total = "1h" }
[[accounts]]
id = "one"
provider = "anthropic"
models = ["fast", "slow"]
capacity = { slots = 1, queue = 0 }
"#;

/// Lets others run until something holds of the tally.
async fn until(emulator: &Emulator, holds: impl Fn(&Tally) -> bool) {
    while !holds(&emulator.tally()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_slot_back() {
    for http2 in [false, true] {
        let emulator = emulate(SLOW).await;
        let url = &emulator.base_urls()[0];
        let slow = Question::new(Shape::Anthropic, url, "slow");
        let fast = Question::new(Shape::Anthropic, url, "fast");
        let caller = Caller::new(http2);
        let patient = tokio::spawn({
            let caller = caller.clone();
            async move { caller.ask(&slow).await }
        });
        until(&emulator, |tally| tally.accounts[0].begun == 1).await;
        let refused = caller.ask(&fast).await;
        assert_eq!(
            refused.kind(),
            Some(FailureKind::Overloaded),
            "http2: {http2}"
        );
        patient.abort();
        until(&emulator, |tally| tally.accounts[0].cancelled == 1).await;
        assert_eq!(caller.ask(&fast).await.kind(), None, "http2: {http2}");
        let tally = emulator.stop(AT_ONCE).await;
        assert_eq!(tally.accounts[0].in_flight(), 0);
        assert_eq!(tally.strangers, 3);
    }
}

#[tokio::test]
async fn what_never_ends_is_cut_off_by_a_stop() {
    for http2 in [false, true] {
        let emulator = emulate(SLOW).await;
        let slow = Question::new(Shape::Anthropic, &emulator.base_urls()[0], "slow");
        let waits = tokio::spawn(async move { Caller::new(http2).ask(&slow).await });
        until(&emulator, |tally| tally.accounts[0].begun == 1).await;
        let tally = emulator.stop(AT_ONCE).await;
        assert_eq!(tally.accounts[0].cancelled, 1);
        let heard = waits.await.expect("no panic");
        assert_eq!(heard.kind(), Some(FailureKind::Connection));
    }
}

const QUOTA: &str = r#"
[templates.limited]
models = ["fast"]
quota = { requests_per_minute = 2 }
[[accounts]]
id = "claude"
provider = "anthropic"
template = "limited"
[[accounts]]
id = "gemini"
provider = "google"
template = "limited"
"#;

fn header<'a>(heard: &'a Heard, name: &str) -> Option<&'a str> {
    heard.headers.get(name)?.to_str().ok()
}

/// Three calls within the half minute in which one is refilled.
#[tokio::test]
async fn a_quota_that_is_used_up_says_how_long_to_wait() {
    let emulator = emulate(QUOTA).await;
    let caller = Caller::new(false);
    for (shape, url) in [Shape::Anthropic, Shape::Gemini]
        .into_iter()
        .zip(emulator.base_urls())
    {
        let question = Question::new(shape, &url, "fast");
        let tells = shape == Shape::Anthropic;
        for left in ["1", "0"] {
            let heard = caller.ask(&question).await;
            assert_eq!(heard.kind(), None, "{heard:?}");
            let told = header(&heard, "anthropic-ratelimit-requests-remaining");
            assert_eq!(told, tells.then_some(left));
        }
        let heard = caller.ask(&question).await;
        let failure = heard.outcome.expect_err("a 429");
        assert_eq!(failure.kind, FailureKind::RateLimited);
        let wait = failure.retry_after.expect("a wait");
        assert!(
            wait > Duration::ZERO && wait <= Duration::from_secs(30),
            "{wait}"
        );
        assert_eq!(header(&heard, "retry-after").is_some(), tells);
        let reset = header(&heard, "anthropic-ratelimit-requests-reset");
        assert_eq!(reset.is_some_and(|reset| reset.ends_with('Z')), tells);
    }
}

const STREAM: &str = r#"
[models.steady]
service = { first_token = "1ms", per_output_token = "4ms" }
[templates.plain]
models = ["fast", "steady"]
[[accounts]]
id = "claude"
provider = "anthropic"
template = "plain"
[[accounts]]
id = "gemini"
provider = "google"
template = "plain"
"#;

/// Without a number and a limit below it, an answer has 256 tokens: over a second, and in many
/// pieces, not one at the end.
#[tokio::test]
async fn a_stream_flows_at_the_pace_of_the_model() {
    let emulator = emulate(STREAM).await;
    let caller = Caller::new(false);
    for (shape, url) in [Shape::Anthropic, Shape::Gemini]
        .into_iter()
        .zip(emulator.base_urls())
    {
        let question = Question {
            streaming: true,
            ..Question::new(shape, &url, "steady")
        };
        let heard = caller.ask(&question).await;
        assert_eq!(heard.kind(), None);
        assert_eq!((heard.usage.input, heard.usage.output), (2, 256));
        // A machine that is held up makes fewer of them; there is no telling how few.
        assert!(heard.texts > 1, "{} pieces", heard.texts);
        assert!(heard.texts <= 256);
    }
}

const RESET: &str = r#"
[[accounts]]
id = "gone"
provider = "anthropic"
models = ["fast"]
failures = [{ kind = "connection", rate = 1, time_to_fail = "0s" }]
"#;

#[tokio::test]
async fn a_connection_failure_is_a_reset() {
    let emulator = emulate(RESET).await;
    let address = emulator.address();
    let told = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address).expect("it listens");
        let body = r#"{"model": "fast", "max_tokens": 1, "messages": []}"#;
        let length = body.len();
        let head =
            format!("POST /gone/v1/messages HTTP/1.1\r\nhost: a\r\ncontent-length: {length}");
        write!(socket, "{head}\r\n\r\n{body}").expect("a connection");
        socket.read_to_end(&mut vec![])
    });
    let error = told.await.expect("no panic").expect_err("no good end");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn only_its_own_key_opens_an_account() {
    let both = "[[accounts]]\nid = \"claude\"\nprovider = \"anthropic\"\nmodels = [\"fast\"]\n\
                [[accounts]]\nid = \"gemini\"\nprovider = \"google\"\nmodels = [\"fast\"]\n";
    let emulator = start(&world(both), true).await.expect("a free port");
    let caller = Caller::new(false);
    let ids = ["claude", "gemini"];
    for (at, (shape, url)) in [Shape::Anthropic, Shape::Gemini]
        .into_iter()
        .zip(emulator.base_urls())
        .enumerate()
    {
        let with = |key: Option<String>| Question {
            key,
            ..Question::new(shape, &url, "fast")
        };
        for wrong in [None, Some(String::new()), Some(key(ids[1 - at]))] {
            let heard = caller.ask(&with(wrong)).await;
            assert_eq!(heard.kind(), Some(FailureKind::Unauthorized));
        }
        assert_eq!(caller.ask(&with(Some(key(ids[at])))).await.kind(), None);
    }
    assert_eq!(emulator.tally().refused, 6);
}

/// Method, path, body and status.
type Bad = (&'static str, &'static str, &'static [u8], u16);

#[tokio::test]
async fn calls_that_are_wrong_are_told_so_in_the_providers_form() {
    let emulator = emulate(QUOTA).await;
    let (caller, root) = (Caller::new(false), format!("http://{}", emulator.address()));
    let good: &[u8] = br#"{"model": "fast", "max_tokens": 5, "messages": [], "contents": []}"#;
    let other: &[u8] = br#"{"model": "none", "max_tokens": 5, "messages": []}"#;
    let bad: [Bad; 12] = [
        ("POST", "/", good, 404),
        ("POST", "/nobody/v1/messages", good, 404),
        ("POST", "/claude", good, 404),
        ("POST", "/claude/v1/message", good, 404),
        ("GET", "/claude/v1/messages", b"", 404),
        ("POST", "/claude/v1/messages", b"{", 400),
        ("POST", "/claude/v1/messages", b"\xff\x00", 400),
        ("POST", "/claude/v1/messages", b"{}", 400),
        ("POST", "/claude/v1/messages", other, 404),
        (
            "POST",
            "/gemini/v1beta/models/none:generateContent",
            good,
            404,
        ),
        (
            "POST",
            "/gemini/v1beta/models/fast:streamGenerateContent",
            good,
            400,
        ),
        (
            "POST",
            "/gemini/v1beta/models/fast:generateContent",
            b"[",
            400,
        ),
    ];
    for (method, path, body, expected) in bad {
        let (status, body) = caller.raw(method, &format!("{root}{path}"), body).await;
        let what = format!("{method} {path}: {}", String::from_utf8_lossy(&body));
        assert_eq!(status, expected, "{what}");
        let body: serde_json::Value = serde_json::from_slice(&body).expect(&what);
        let message = body["error"]["message"].as_str().expect(&what);
        assert!(!message.is_empty());
        let form = if path.starts_with("/gemini") {
            "status"
        } else {
            "type"
        };
        assert!(body["error"][form].is_string(), "{what}");
    }
    assert_eq!(emulator.tally().refused, 10);
}

#[tokio::test]
async fn a_provider_without_a_shape_is_refused() {
    let own = "[[accounts]]\nid = \"own\"\nprovider = \"custom\"\nmodels = [\"fast\"]\n";
    let error = start(&world(own), false).await.expect_err("no adapter");
    let StartError::NoAdapter { account, provider } = error else {
        panic!("{error}");
    };
    assert_eq!((account.as_str(), provider), ("own", Provider::Custom));
}

#[test]
fn the_command_refuses_what_it_cannot_emulate() {
    let folder = empty_folder();
    let own = "[[accounts]]\nid = \"own\"\nprovider = \"custom\"\nmodels = [\"fast\"]\n";
    std::fs::write(folder.path().join("own.toml"), format!("{HEAD}{own}")).expect("a disk");
    let refused = run(folder.path(), ["emulate", "own.toml"]).expect(104);
    assert!(refused.stderr.contains("\"own\""), "{}", refused.stderr);
    assert!(refused.stderr.contains("custom"), "{}", refused.stderr);
    run(folder.path(), ["emulate", "none.toml"]).expect(104);
    let steady = shipped("steady");
    for wrong in ["--pace=0", "--chunk=0", "--listen=here", "--replication=-1"] {
        run(folder.path(), ["emulate", &steady, wrong]).expect(2);
    }
}

/// A line when it begins, one when it has ended, and no error: to be stopped is its only end.
#[cfg(unix)]
#[test]
fn the_command_tells_where_it_listens_and_what_it_did() {
    use crate::cli::interrupted::{handles_it, interrupt_when};
    use std::process::Stdio;
    let (folder, steady) = (empty_folder(), shipped("steady"));
    let args = ["emulate", &steady, "--listen", "127.0.0.1:0", "--json"];
    let mut command = crate::cli::routelab(folder.path(), args);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let run = interrupt_when(child.expect("the program starts"), handles_it).expect(0);
    let lines: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let [started, ended] = &lines[..] else {
        panic!("two lines: {}", run.stdout);
    };
    let first = &started["accounts"][0];
    let url = format!(
        "http://{}/claude-us-1",
        started["address"].as_str().expect("one")
    );
    assert_eq!(
        (&first["base_url"], &first["provider"]),
        (&url.into(), &"anthropic".into())
    );
    assert_eq!(ended["accounts"].as_array().map(Vec::len), Some(10));
    assert_eq!(ended["accounts"][9]["begun"], 0);
}
