//! Scenario files that are right: the shipped ones, overrides, and what the format can say.

use routelab::experiment::claim::Expectation;
use routelab::experiment::scenario::{self, Loaded, Overrides, Scenario};
use routelab::record::Strategy;
use routelab::request::{FailureKind, RequestPriority};
use routelab::routing::config::{CacheConfig, HealthScope, WhenNoneAvailable};
use routelab::time::Duration;
use routelab::upstream::config::{Abandoned, Capacity, FaultKind, Speeds};
use routelab::workload::config::{Arrivals, Repeats, Zipf};
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.toml"))
}

fn load(name: &str, overrides: &Overrides) -> Loaded {
    scenario::load(&shipped(name), overrides).unwrap_or_else(|found| panic!("{found}"))
}

fn set(arguments: &[&str]) -> Overrides {
    Overrides {
        set: arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect(),
        ..Overrides::default()
    }
}

/// Everything but the text that it was read from.
fn facts(scenario: &Scenario) -> String {
    let mut scenario = scenario.clone();
    scenario.resolved_toml.clear();
    format!("{scenario:#?}")
}

/// Those that share one pool and one workload, and differ in what goes wrong.
const OF_ONE_POOL: [&str; 4] = ["steady", "outage", "blackhole", "brownout"];

/// All that need no other file.
fn self_contained() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !FROM_A_PATH.contains(&name.as_str()) && name != MEASURED)
        .collect();
    names.sort();
    names
}

/// What is measured, not simulated.
const MEASURED: &str = "live-throughput";

/// Those that replay a file which their user gives.
const FROM_A_PATH: [&str; 2] = ["azure-conversation", "mooncake-conversation"];

#[test]
fn what_is_measured_is_without_findings() {
    let loaded = load(MEASURED, &Overrides::default());
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let throughput = loaded.scenario.throughput.expect("a section");
    assert!(throughput.rates_rps.contains(&throughput.claimed_rps));
}

#[test]
fn shipped_scenarios_are_without_findings() {
    for name in self_contained() {
        let loaded = load(&name, &Overrides::default());
        assert!(loaded.warnings.is_empty(), "{name}: {}", loaded.warnings);
        let scenario = loaded.scenario;
        assert_eq!(scenario.name, name);
        assert_eq!(scenario.arms[scenario.baseline].name, "round_robin");
    }
}

/// Claims alone, and without `expect`: a run with few replications, which can tell nothing, is no
/// failure. Ten replications are the first look.
#[test]
fn shipped_expectations_are_stated_as_claims_that_can_be_judged() {
    for name in self_contained() {
        let scenario = load(&name, &Overrides::default()).scenario;
        assert!((1..=3).contains(&scenario.claims.len()), "{name}");
        assert!(
            scenario.claims.iter().all(|claim| claim.expect.is_none()),
            "{name}"
        );
        assert!(
            scenario.thresholds.is_empty() && scenario.replications >= 10,
            "{name}"
        );
    }
}

#[test]
fn the_shipped_pool_is_what_its_files_say() {
    for name in OF_ONE_POOL {
        let scenario = load(name, &Overrides::default()).scenario;
        assert_eq!(scenario.accounts.len(), 10);
        assert_eq!(scenario.lanes.len(), 10);
        assert_eq!(scenario.arms.len(), 10);
        assert_eq!(scenario.faults.len(), usize::from(name != "steady"));
        let naive = &scenario.arms[9];
        assert_eq!(naive.routing.strategy, Strategy::RoundRobin);
        assert_eq!(naive.routing.breaker, None);
        assert_eq!(naive.routing.retry.max_attempts, 1);
    }
}

#[test]
fn the_trace_scenario_takes_its_path_from_the_user() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "TIMESTAMP,ContextTokens,GeneratedTokens").unwrap();
    for minute in 10..40 {
        writeln!(file, "2023-11-16 18:{minute}:46.6805900,374,44").unwrap();
    }
    let path = format!("workload.path={}", file.path().display());
    let loaded = load("azure-conversation", &set(&[&path]));
    let scenario = loaded.scenario;
    assert!(matches!(scenario.workload.arrivals, Arrivals::Trace(_)));
    assert!(scenario.duration > Duration::ZERO);
    assert_eq!(scenario.inputs.len(), 1);
    assert_eq!(scenario.inputs[0].1.len(), 64);
    assert_eq!(scenario.inputs[0].0, file.path().display().to_string());
}

#[test]
fn the_mooncake_scenario_spreads_what_it_replays() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for (at, input) in (0..60_000).step_by(3000).zip(500..) {
        let row = format!("\"timestamp\": {at}, \"input_length\": {input}, \"output_length\": 1");
        writeln!(file, "{{{row}}}\n{{{row}, \"hash_ids\": [1]}}").unwrap();
    }
    let path = format!("workload.path={}", file.path().display());
    let scenario = load("mooncake-conversation", &set(&[&path])).scenario;
    let Arrivals::Trace(trace) = &scenario.workload.arrivals else {
        panic!("not a trace");
    };
    assert_eq!(trace.spreading().unwrap().quantum, Duration::from_secs(3));
    assert_eq!(scenario.duration, Duration::from_secs(60));
}

#[test]
fn the_resolved_text_gives_the_same_scenario() {
    let overrides = Overrides {
        set: vec![
            "workload.rate=33rps".into(),
            "accounts[0].weight=3".into(),
            "accounts.\"gemini-eu-{n}\".count=5".into(),
            "routing.breaker.open_time=30s".into(),
            "models.\"a model: x.y\".service={ total = \"1s\" }".into(),
            "strategies.naive.max_attempts=2".into(),
        ],
        vary: vec![],
        seed: Some(u64::MAX),
        replications: Some(3),
        strategies: Some(vec!["naive".into(), "smart".into()]),
    };
    for name in self_contained() {
        let of_one_pool = OF_ONE_POOL.contains(&name.as_str());
        let also = of_one_pool.then_some(&overrides);
        for overrides in [Some(&Overrides::default()), also].into_iter().flatten() {
            let first = load(&name, overrides).scenario;
            let text = &first.resolved_toml;
            let source = format!("{name}.toml");
            let again = scenario::parse(&source, text, Path::new(""), &Overrides::default());
            let again = again
                .unwrap_or_else(|found| panic!("{found}\n{text}"))
                .scenario;
            assert_eq!(facts(&first), facts(&again), "{text}");
            assert_eq!(*text, again.resolved_toml);
        }
    }
}

#[test]
fn overrides_apply() {
    let loaded = load(
        "outage",
        &Overrides {
            set: vec![
                "workload.rate = 80rps".into(),
                "duration=20min".into(),
                "faults[0].duration=2min".into(),
                "accounts.\"claude-us-{n}\".max_in_flight=7".into(),
                "routing.breaker=false".into(),
                "workload.classes.completion.weight=0.5".into(),
                "output={ requests = true }".into(),
            ],
            vary: vec![],
            seed: Some(77),
            replications: Some(2),
            strategies: Some(vec!["naive".into(), "random".into()]),
        },
    );
    let scenario = loaded.scenario;
    let Arrivals::Poisson { rate } = scenario.workload.arrivals else {
        panic!("not poisson");
    };
    assert_eq!(rate.as_per_second(), 80.0);
    assert_eq!(scenario.duration, Duration::from_secs(1200));
    assert_eq!(scenario.output.timeline_window, Duration::from_secs(2));
    assert!(scenario.output.requests);
    let fault = &scenario.upstream.faults[0];
    assert_eq!(fault.end.since(fault.start), Duration::from_secs(120));
    assert_eq!(scenario.accounts[0].max_in_flight, 7);
    assert_eq!(scenario.accounts[3].max_in_flight, 20);
    assert_eq!(scenario.workload.classes[2].weight, 0.5);
    assert_eq!((scenario.seed, scenario.replications), (77, 2));
    let names: Vec<&str> = scenario.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(names, ["naive", "random"]);
    assert!(
        scenario
            .arms
            .iter()
            .all(|arm| arm.routing.breaker.is_none())
    );
    assert_eq!(scenario.arms[scenario.baseline].name, "naive");
    // Of the baseline, and of the claims about strategies that are left out.
    assert_eq!(loaded.warnings.len(), 2, "{}", loaded.warnings);
}

/// Every key of the format, at least once, with a value that is not its default.
const EVERYTHING: &str = include_str!("everything.toml");

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
    let text = format!("\u{feff}{}", EVERYTHING.replace('\n', "\r\n"));
    let none = Overrides::default();
    let read = scenario::parse("everything.toml", &text, Path::new(""), &none);
    let read = read.unwrap_or_else(|found| panic!("{found}")).scenario;
    assert_eq!(facts(&read), facts(&everything()));
}

/// Errors of several sections come together, also those that only show when sections meet.
#[test]
fn a_late_check_does_not_wait_for_an_early_one() {
    let text = EVERYTHING
        .replace(
            "strategy = \"smart\", policy_seed",
            "strategy = \"smrat\", policy_seed",
        )
        .replace("models = [\"small\"]", "models = [\"big\"]")
        .replace("models = [\"big\", \"small\"]", "models = [\"big\"]");
    let none = Overrides::default();
    let found = scenario::parse("everything.toml", &text, Path::new(""), &none).unwrap_err();
    let message = found.render(false);
    assert_eq!(found.errors(), 2, "{message}");
    assert!(message.contains("unknown strategy `smrat`"), "{message}");
    assert!(
        message.contains("no account serves the model `small`"),
        "{message}"
    );
}

/// The documentation of the format names every key that exists.
#[test]
fn the_documentation_knows_every_key() {
    let documentation = include_str!("../../docs/scenario-format.md");
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (before, _) in EVERYTHING
        .match_indices(" = ")
        .map(|(at, _)| EVERYTHING.split_at(at))
    {
        let start = before.rfind(|c| !word(c)).map_or(0, |at| at + 1);
        let key = &before[start..];
        if ["big", "small", "us", "eu", "urgent", "rest"].contains(&key) {
            continue; // a name of the scenario's own
        }
        let named = documentation.split(|c| !word(c)).any(|known| known == key);
        assert!(named, "`{key}` is not documented");
    }
}

fn everything() -> Scenario {
    let parsed = scenario::parse(
        "everything.toml",
        EVERYTHING,
        Path::new(""),
        &Overrides::default(),
    );
    let loaded = parsed.unwrap_or_else(|found| panic!("{found}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    loaded.scenario
}

#[test]
fn claims_and_thresholds_say_what_the_file_says() {
    let scenario = everything();
    let claims: Vec<_> = scenario.claims.iter().map(ToString::to_string).collect();
    assert_eq!(
        claims,
        [
            "smart reduces latency_all_mean_s by 20 % to 30 % against patient",
            "success_rate of smart differs from same by -3 points, give or take 0.5 points",
            "cost_per_1k_successes_usd of same is below $4",
        ]
    );
    let first = &scenario.claims[0];
    assert!((first.alpha.value() - 0.02).abs() < 1e-12);
    assert_eq!(first.expect, Some(Expectation::Refuted));
    assert_eq!(scenario.claims[1].expect, None);
    let thresholds: Vec<_> = scenario
        .thresholds
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        thresholds,
        [
            "smart: latency_all_p99_s < 2.5 s",
            "success_rate >= 99.5 %",
            "patient: goodput_rps > 10/s",
        ]
    );
}

#[test]
fn accounts_and_upstreams_say_what_the_file_says() {
    let scenario = everything();
    assert_eq!(scenario.accounts.len(), 1007);
    assert_eq!(
        scenario.lanes,
        [
            "pool-{n}", "eu", "asia", "spare", "shared", "batch", "measured", "crowded"
        ]
    );
    let ids: Vec<&str> = scenario.accounts.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(ids[0], "pool-1");
    assert_eq!(ids[999], "pool-1000");
    let (pool, eu) = (&scenario.accounts[0], &scenario.accounts[1000]);
    assert_eq!(pool.weight, 2);
    assert_eq!(pool.max_in_flight, 50);
    assert_eq!(pool.organisation.as_deref(), Some("org-1"));
    assert_eq!(eu.models[0].quality, 5);
    assert_eq!(eu.models[0].context_window, 123_456);
    assert_eq!(eu.limits.requests_per_minute, Some(600));
    let upstream = &scenario.upstream;
    assert_eq!(upstream.accounts[0].capacity, Capacity::Unlimited);
    assert_eq!(upstream.accounts[0].failures.len(), 3);
    let quota = upstream.quotas[upstream.accounts[1000].quota.unwrap()];
    assert_eq!(quota.requests_per_minute, Some(500));
    assert_eq!(quota.input_tokens_per_minute, Some(70_000));
    assert_eq!(quota.output_tokens_per_minute, None);
    assert!(!quota.retry_after);
    assert_eq!(upstream.accounts[1000].quota, upstream.accounts[1001].quota);
    assert_eq!(upstream.accounts[1002].quota, None);
    assert_eq!(upstream.network.regions, 2);
    assert_eq!(upstream.network.matrix[1], Duration::from_millis(80));
    assert_eq!(
        upstream
            .network
            .gateway
            .map(routelab::request::RegionIndex::at),
        Some(1)
    );
}

#[test]
fn capacities_say_what_the_file_says() {
    let scenario = everything();
    let accounts = &scenario.upstream.accounts[1003..];
    let refusal = FailureKind::Overloaded;
    let batch = |speeds, limit, queue| Capacity::Shared {
        speeds,
        limit,
        queue,
        refusal,
    };
    let [base, per_request] = [9, 1].map(Duration::from_millis);
    let expected = [
        Capacity::Shared {
            speeds: Speeds::servers(2),
            limit: 20,
            queue: 5,
            refusal: FailureKind::Unavailable,
        },
        batch(Speeds::iteration(base, per_request, 11), 11, 7),
        batch(
            Speeds::measured(&[(1, 4.0), (4, 1.0)]).unwrap(),
            4,
            u32::MAX,
        ),
        Capacity::LoadDependent {
            threshold: 8,
            at_threshold: 1.5,
            above: 4.0,
            limit: 30,
            refusal,
        },
    ];
    for (account, expected) in accounts.iter().zip(expected) {
        assert_eq!(account.capacity, expected);
    }
    let fates: Vec<Abandoned> = accounts.iter().map(|a| a.abandoned).collect();
    let mut others = vec![Abandoned::Frees; 4];
    others[0] = Abandoned::Continues;
    assert_eq!(fates, others);
}

#[test]
fn faults_say_what_the_file_says() {
    let scenario = everything();
    let names: Vec<&str> = scenario
        .faults
        .iter()
        .map(|fault| fault.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "outage of provider google",
            "blackhole of pool-{n} in us",
            "brownout of model big",
            "errors of all accounts",
            "fast_errors of all accounts",
            "rate_limit of eu",
            "flapping of provider google",
            "partition of region us from eu",
            "cold_start of model big",
            "price_change of provider google",
            "account_removed of all accounts",
            "account_added of pool-1",
            "outage of all accounts at anthropic",
            "outage of all accounts at google",
            "outage of all accounts at custom",
        ]
    );
    let faults = &scenario.upstream.faults;
    let hit: Vec<usize> = faults.iter().map(|fault| fault.accounts.len()).collect();
    assert_eq!(hit[..4], [2, 1000, 1006, 1007]);
    assert_eq!(faults.len(), 12);
    assert_eq!(faults[4].ramp, Duration::from_secs(5));
    let entry = &scenario.upstream.incidents[0];
    assert_eq!(entry.sources.len(), 3);
    assert_eq!(entry.gap.mean().round(), 300.0);
    assert!(
        (entry.length.mean() - 60.0).abs() < 1e-9,
        "{}",
        entry.length.mean()
    );
    let links = &scenario.upstream.network.links;
    assert_eq!(
        (links.len(), links[0].loss, links[1].loss),
        (2, 0.002, 0.001)
    );
    assert!(
        links
            .iter()
            .all(|link| link.lost_after.is_some() && link.delay.is_some())
    );
    assert!(matches!(faults[2].kind, FaultKind::Brownout { factor } if factor == 2.5));
    assert!(faults[2].model.is_some());
}

#[test]
fn clients_say_what_the_file_says() {
    let scenario = everything();
    let Arrivals::Clients(clients) = &scenario.workload.arrivals else {
        panic!("no clients");
    };
    let names: Vec<&str> = clients.iter().map(|client| client.name.as_str()).collect();
    assert_eq!(names, ["steps", "clumps", "bursts", "days", "people"]);
    let chosen: Vec<Vec<(u16, f64)>> = clients
        .iter()
        .map(|client| {
            client
                .classes
                .iter()
                .map(|(class, weight)| (class.0, *weight))
                .collect()
        })
        .collect();
    let (all, urgent, rest) = (vec![(0, 2.0), (1, 1.0)], vec![(0, 2.0)], vec![(1, 1.0)]);
    assert_eq!(
        chosen,
        [all.clone(), urgent, vec![(0, 1.0), (1, 3.0)], all, rest]
    );
    let Arrivals::Piecewise(segments) = &clients[0].arrivals else {
        panic!("not piecewise");
    };
    assert_eq!(segments.len(), 3);
    assert_eq!(segments[1].to.as_per_second(), 90.0);
    let Arrivals::Mmpp(bursts) = &clients[2].arrivals else {
        panic!("no bursts");
    };
    assert_eq!(
        (bursts.factor, bursts.burst_time),
        (20.0, Duration::from_secs(10))
    );
    let Arrivals::Diurnal(cycle) = &clients[3].arrivals else {
        panic!("no days");
    };
    assert_eq!(
        (cycle.amplitude, cycle.period),
        (0.8, Duration::from_secs(300))
    );
    let Arrivals::ClosedLoop(users) = &clients[4].arrivals else {
        panic!("no users");
    };
    assert_eq!((users.count, users.think_time.mean().round()), (20, 15.0));
}

#[test]
fn classes_and_routing_say_what_the_file_says() {
    let scenario = everything();
    let class = &scenario.workload.classes[0];
    assert_eq!(class.priority, RequestPriority::Critical);
    assert_eq!(class.cached_input_share, 0.5);
    let popularity = Zipf::new(10_000, 0.8).unwrap();
    assert_eq!(
        class.repeats,
        Some(Repeats {
            share: 0.3,
            popularity
        })
    );
    assert_eq!(class.regions.len(), 2);
    assert!(class.preferences.provider_required);
    let base = &scenario.arms[0].routing;
    assert_eq!(base.deadline, None);
    assert_eq!(base.first_token_timeout, Some(Duration::from_secs(9)));
    assert_eq!(base.health_scope, HealthScope::AccountModel);
    let seconds = Duration::from_secs;
    let breaker = base.breaker.unwrap();
    assert_eq!(breaker.failures_to_open, 7);
    let rate = breaker.failure_rate.unwrap();
    assert_eq!(
        (rate.share, rate.window, rate.least_attempts),
        (0.4, seconds(15), 9)
    );
    let growth = breaker.open_time_growth.unwrap();
    assert_eq!(
        (growth.factor, growth.cap, growth.reset_after),
        (1.5, seconds(120), seconds(60))
    );
    let start = breaker.slow_start.unwrap();
    assert_eq!((start.window, start.floor), (seconds(20), 0.25));
    assert_eq!(base.when_none_available, WhenNoneAvailable::Wait);
    assert_eq!(base.max_waiting, 77);
    let cache = CacheConfig {
        max_entries: 500,
        max_output_tokens: Some(100_000),
        ttl: Duration::from_secs(180),
    };
    assert_eq!(base.cache, Some(cache));
    assert_eq!(base.quota_aware, Some(true));
    assert_eq!(base.health.success, 0.5);
    let [patient, same] = &scenario.arms[1..3] else {
        panic!("three arms");
    };
    let breaker = patient.routing.breaker.unwrap();
    assert_eq!(breaker.failures_to_open, 7, "kept from [routing]");
    assert_eq!(breaker.open_time, Duration::from_secs(5), "overridden");
    assert_eq!(breaker.slow_start, None, "switched off");
    let growth = breaker.open_time_growth.unwrap();
    assert_eq!(
        (growth.factor, growth.cap),
        (1.5, seconds(180)),
        "one of them overridden"
    );
    assert_eq!(
        breaker.failure_rate,
        base.breaker.unwrap().failure_rate,
        "kept"
    );
    assert_eq!(patient.routing.quota_aware, None);
    assert_eq!(same.policy_seed, Some(99));
    assert_eq!(scenario.baseline, 2);
    assert_eq!(scenario.warmup, Duration::from_secs(30));
}
