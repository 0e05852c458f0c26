//! `routelab warmup`: whether the time that a queue needs to fill is found, and where there is
//! none.

use crate::cli::{empty_folder, run, shipped};
use crate::support::{files, scenario};
use routelab::experiment::run::RunError;
use routelab::experiment::scenario::Scenario;
use routelab::experiment::warmup::{Advice, Options, PILOTS, Pilot, Refusal, WarmupResults, find};
use routelab::time::Duration;
use serde_json::Value;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// One server with exponential services of 1 s, started empty.
const QUEUE: &str = r#"
    question = "How long does a queue take to fill?"
    expectation = "Some relaxation times."
    duration = "DURATION"
    warmup = "10s"
    replications = 1
    strategies = ["round_robin", "random"]
    [routing]
    breaker = false
    attempt_timeout = "none"
    deadline = "none"
    max_attempts = 1
    [models.m]
    service = { total = { kind = "exponential", mean = "1s" } }
    [[accounts]]
    id = "a"
    provider = "custom"
    max_in_flight = 4294967295
    models = ["m"]
    capacity = { slots = 1 }
    [workload]
    ARRIVALS
    [[workload.classes]]
    name = "all"
    model = "m"
    input_tokens = 10
    output_tokens = 10
"#;

const AT_90: &str = "arrivals = \"poisson\"\nrate = \"0.9rps\"";

fn queue(duration: &str, arrivals: &str) -> String {
    let text = QUEUE.replace("DURATION", duration);
    text.replace("ARRIVALS", arrivals)
}

fn refused(text: &str) -> Option<Refusal> {
    Pilot::of(scenario("s", text), None).err()
}

fn found(scenario: &Scenario, pilots: u32, jobs: usize) -> WarmupResults {
    let pilot = Pilot::of(scenario.clone(), None).unwrap();
    let options = Options {
        pilots,
        jobs,
        stop: &AtomicBool::new(false),
        progress: &|_| {},
    };
    find(&pilot, &options).unwrap()
}

#[test]
fn a_busy_queue_takes_some_relaxation_times_to_fill() {
    // The slowest mode of an M/M/1 queue with services of 1 s falls like exp(-t / tau), with tau =
    // 1 / (1 - sqrt(0.9))^2 = 380 s (P. M. Morse, 1958). After ten of them a bias of e^-10 is left,
    // which nobody sees. Five pilots of so busy a queue are too noisy to show the bias at all: a
    // hundred.
    let tau = 1.0 / (1.0 - 0.9f64.sqrt()).powi(2);
    let found = found(&scenario("queue", &queue("20000s", AT_90)), 100, 2);
    let (_, cut) = found
        .longest()
        .expect("a run of 50 relaxation times settles");
    let time = cut.time.as_secs_f64();
    assert!(
        (0.2 * tau..10.0 * tau).contains(&time),
        "{time} s, tau {tau} s"
    );
    // 0.9 requests a second; of all pilots the one in which they come latest.
    let rate = cut.requests as f64 / time;
    assert!((0.6..0.95).contains(&rate), "{rate} per s");
    assert!(matches!(found.advice(), Advice::TooShort(write) if write >= cut.time));
    assert_ne!(found.seed, found.scenario_seed);
    assert_eq!(found.stated, Duration::from_secs(10));
}

#[test]
fn a_queue_that_grows_for_ever_has_none() {
    let overloaded = queue("2000s", "arrivals = \"poisson\"\nrate = \"1.5rps\"");
    let found = found(&scenario("queue", &overloaded), 5, 1);
    assert_eq!(found.advice(), Advice::Unsettled);
}

#[test]
fn only_what_is_the_same_at_all_times_has_a_warm_up() {
    let steady = [
        AT_90,
        "arrivals = \"constant\"\nrate = \"0.9rps\"",
        "arrivals = \"closed_loop\"\nusers = 3\nthink_time = \"5s\"",
        "arrivals = \"piecewise\"\nsegments = [{ start = \"0s\", rate = \"0.5rps\" }]",
    ];
    for arrivals in steady {
        assert_eq!(refused(&queue("1h", arrivals)), None, "{arrivals}");
    }
    let crowd = "arrivals = \"piecewise\"\nsegments = [{ start = \"0s\", rate = \"0.5rps\" }, \
                 { start = \"1min\", rate = \"0.8rps\" }]";
    assert_eq!(refused(&queue("1h", crowd)), Some(Refusal::Rate));
    let outage = "[[faults]]\nkind = \"outage\"\nprovider = \"custom\"\n\
                  start = \"10min\"\nduration = \"1min\"";
    let broken = format!("{}\n{outage}", queue("1h", AT_90));
    assert_eq!(refused(&broken), Some(Refusal::Faults));
    let sound = scenario("s", &queue("1h", AT_90));
    let same = Pilot::of(sound.clone(), Some(sound.seed)).err();
    assert_eq!(same, Some(Refusal::SameSeed(sound.seed)));
}

#[test]
fn pilots_share_no_random_numbers_with_the_run() {
    let text = queue("1h", AT_90).replace(
        "\"random\"]",
        "{ name = \"other\", strategy = \"random\", policy_seed = 9 }]",
    );
    let own = scenario("s", &text);
    let pilot = Pilot::of(own.clone(), Some(77)).unwrap();
    let ran = pilot.scenario();
    assert_eq!((ran.seed, ran.warmup), (77, Duration::ZERO));
    assert_ne!(ran.policy_seed, own.policy_seed);
    assert_ne!(ran.arms[1].policy_seed, own.arms[1].policy_seed);
}

#[test]
fn no_number_depends_on_the_threads() {
    let folder = empty_folder();
    fs::write(folder.path().join("q.toml"), queue("2h", AT_90)).unwrap();
    let with = |jobs: &str, more: &[&str]| {
        let args = "warmup q.toml --quiet --replications 5 --jobs";
        let args = args.split(' ').chain([jobs]);
        run(folder.path(), args.chain(more.iter().copied())).expect(0)
    };
    let one = with("1", &["--json"]).stdout;
    assert_eq!(with("5", &["--json"]).stdout, one);
    assert_ne!(with("2", &["--json", "--seed", "3"]).stdout, one);
    let json: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(json["pilots"], 5);
    assert_eq!(json["stated_s"], 10.0);
    assert_eq!(json["advice"], "too_short");
    assert_eq!(json["strategies"].as_array().unwrap().len(), 2);
    let table = with("2", &["--set", "warmup=1h"]).stdout;
    assert!(
        table.contains("\nEnough, as far as 5 pilots can tell: the stated warm-up of"),
        "{table}"
    );
    for line in table.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    insta::assert_snapshot!(table);
    // It writes nothing.
    assert_eq!(files(folder.path()).len(), 1);
}

/// The flag that Ctrl-C raises. A part of the pilots sees less than all of them, so that none is
/// shown.
#[test]
fn a_search_can_be_stopped() {
    let pilot = Pilot::of(scenario("queue", &queue("1h", AT_90)), None).unwrap();
    let (stop, ended) = (AtomicBool::new(false), AtomicU32::new(0));
    let options = Options {
        pilots: PILOTS,
        jobs: 2,
        stop: &stop,
        progress: &|_| {
            if ended.fetch_add(1, Ordering::Relaxed) + 1 == 3 {
                stop.store(true, Ordering::Relaxed);
            }
        },
    };
    let outcome = find(&pilot, &options);
    assert!(matches!(outcome, Err(RunError::InterruptedTooEarly)));
    // The other worker may have been at the end of its pilot.
    assert!(ended.into_inner() <= 4);
}

/// A hundred pilots unless something else is asked for: see `PILOTS`.
#[test]
fn a_hundred_pilots_are_run() {
    let folder = empty_folder();
    fs::write(folder.path().join("q.toml"), queue("2min", AT_90)).unwrap();
    let json = run(folder.path(), ["warmup", "q.toml", "--json"]).expect(0);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["pilots"], 100);
}

#[test]
fn what_cannot_be_answered_is_refused_with_the_reason() {
    let folder = empty_folder();
    let [outage, crowd, steady] = ["outage", "flash-crowd", "steady"].map(shipped);
    for (args, code, why) in [
        (vec!["warmup", &outage], 104, "terminating"),
        (vec!["warmup", &crowd], 104, "more is asked at some times"),
        (vec!["warmup", &steady, "--seed", "1"], 2, "own root seed"),
        (
            vec!["warmup", &steady, "--set", "duraton=1h"],
            104,
            "duration",
        ),
        (vec!["warmup", "nowhere.toml"], 104, "no such file"),
    ] {
        let run = run(folder.path(), args.iter().copied()).expect(code);
        assert_eq!(run.stdout, "", "{args:?}");
        assert!(run.stderr.contains(why), "{args:?}: {}", run.stderr);
    }
    // The pool of an outage in calm weather, too short to tell.
    let calm = [
        "warmup",
        &outage,
        "--set",
        "faults=[]",
        "--set",
        "duration=1s",
    ];
    let short = ["--set", "warmup=0s", "--set", "output.timeline_window=1s"];
    let run = run(folder.path(), calm.into_iter().chain(short)).expect(0);
    assert!(run.stdout.contains("MSER-5 found none"), "{}", run.stdout);
}
