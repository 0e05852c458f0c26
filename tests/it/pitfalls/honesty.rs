//! Benchmarks and simulators that deceive: what is left out, copied, or random by accident.

use super::{arm, results};
use crate::stage::{Stage, accounts, at, features, retrying};
use routelab::experiment::metric::Metric;
use routelab::experiment::scenario::{Overrides, parse};
use routelab::record::Strategy;
use routelab::request::FailureKind;
use routelab::time::Timestamp;
use std::collections::BTreeSet;
use std::path::Path;

/// 35: dropped requests go unreported, and the mock never queues.
///
/// Twice as much is asked as two servers can do, and there is no line. Every arrival is in the
/// counts, half of them as failures; where only answers count, the pool looks instant, and the
/// latency over all shows the deadline instead. With a line the mock queues: nobody is refused, and
/// waiting shows.
#[test]
fn p35_dropped_requests_are_reported() {
    let text = |queue: &str| {
        format!(
            r#"
            duration = "10min"
            strategies = ["round_robin"]
            workload = {{ arrivals = "poisson", rate = "4rps", classes = ALL }}
            [routing]
            max_attempts = 1
            breaker = false
            [[accounts]]
            id = "a"
            provider = "custom"
            models = ["m"]
            max_in_flight = 10000
            service = {{ total = "1s" }}
            capacity = {{ slots = 2, queue = {queue} }}
            "#
        )
    };
    let refused = results(&text("0"));
    let run = &arm(&refused, "round_robin").replications[0];
    let counts = run.counts;
    assert_eq!(counts.simulated, counts.requests);
    assert_eq!(
        counts.requests,
        counts.successes + counts.failures + counts.rejections
    );
    assert!(counts.failures * 10 > counts.requests * 4, "{counts:?}");
    assert!((run.metrics[Metric::LatencyP99Ok] - 1.0).abs() < 0.01);
    assert!(run.metrics[Metric::LatencyP99All] >= 29.9);
    let waiting = results(&text("50"));
    let metrics = &arm(&waiting, "round_robin").replications[0].metrics;
    assert!(metrics[Metric::LatencyP50Ok] > 10.0, "it queues");
}

/// 35: a figure from four traces. Less than it takes for the percentiles shown is warned of.
#[test]
fn p35_too_few_requests_are_warned_of() {
    let warned = |duration: &str| {
        let text = format!(
            r#"
            question = "?"
            expectation = "!"
            duration = "{duration}"
            strategies = ["random"]
            [models.m]
            [[accounts]]
            id = "a"
            provider = "custom"
            models = ["m"]
            service = {{ total = "1s" }}
            [workload]
            arrivals = "constant"
            rate = "1rps"
            [[workload.classes]]
            name = "all"
            model = "m"
            input_tokens = 1
            output_tokens = 1
            "#
        );
        let loaded = parse("few.toml", &text, Path::new("."), &Overrides::default());
        let loaded = loaded.unwrap_or_else(|found| panic!("{found}"));
        loaded
            .warnings
            .render(false)
            .contains("needs 10000 of them")
    };
    assert!(warned("4s"));
    assert!(!warned("10000s"));
}

/// 37: a simulator with a copy of the policy drifts from it and dies.
///
/// There is no copy: the only places that name a strategy are the routing code, the words of
/// records, and the layers that read scenarios and show results. Nothing in virtual time, in the
/// workload or among the upstreams knows that there are strategies.
#[test]
fn p37_the_simulator_has_no_policy_of_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut asks_the_gateway = false;
    for folder in ["sim", "workload", "upstream"] {
        let single = root.join(format!("{folder}.rs"));
        let text = std::fs::read_to_string(single).expect("a module");
        assert!(!text.contains("Strategy::"), "{folder}.rs");
        for (path, bytes) in crate::support::files(&root.join(folder)) {
            let text = String::from_utf8(bytes).expect("sources are UTF-8");
            // Statements only: tests at the end of a file may set up what they like.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let name = path.display();
            assert!(!code.contains("Strategy::"), "{folder}/{name} decides");
            asks_the_gateway |= code.contains(".on_request(");
        }
    }
    assert!(asks_the_gateway, "and the engine asks the gateway");
}

/// When a request that has failed at one instant comes back, at a gateway with this policy seed.
fn comes_back(seed: u64) -> Timestamp {
    let config = retrying(Strategy::RoundRobin);
    let geography = routelab::routing::geography::Geography::default();
    let mut stage = Stage::seeded(&config, &accounts(1), geography, seed);
    let sent = stage.send(at(0), &features());
    assert_eq!(
        stage.fail(at(0), sent, FailureKind::Connection).sent(),
        None
    );
    stage.gateway.next_timer()
}

/// 38: retries of all clients are seeded alike, so they come back together.
///
/// A hundred gateways see the same failure at the same instant. With a seed each, they come back at
/// a hundred different times, spread over the whole back-off; with one seed all at the same
/// nanosecond, which is why a replication and an arm's `policy_seed` each have a stream of their
/// own.
#[test]
fn p38_gateways_do_not_retry_in_step() {
    let times: BTreeSet<Timestamp> = (0..100).map(comes_back).collect();
    assert_eq!(times.len(), 100);
    let (first, last) = (times.first().unwrap(), times.last().unwrap());
    assert!(*first < at(10) && *last > at(90) && *last <= at(100));
    let alike: BTreeSet<Timestamp> = (0..100).map(|_| comes_back(7)).collect();
    assert_eq!(alike.len(), 1, "the fault shows");
}
