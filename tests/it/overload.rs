//! What overload does where accounts notice that clients leave, and where they do not.
//!
//! A burst passes, and so does all that it left behind, if work for clients that have gone is
//! dropped. If it is not, the line is full of it, whoever joins leaves before its turn comes, and
//! tries again: the overload keeps itself alive, long after its cause is gone. That is metastable
//! failure (Bronson et al., "Metastable failures in distributed systems", `HotOS` 2021).

use crate::support::{results, scenario};
use routelab::time::{Duration, Timestamp};

/// The shares of the requests that succeed: before the burst, and from a minute to ten after it.
fn shares(capacity: &str, more: &str) -> [f64; 2] {
    let text = format!(
        r#"
        question = "Does it recover from a burst?"
        expectation = "Where abandoned work is dropped."
        duration = "800s"
        replications = 1
        strategies = ["round_robin"]
        [models.m]
        service = {{ total = "1s" }}
        [[accounts]]
        id = "a"
        provider = "custom"
        models = ["m"]
        max_in_flight = 100_000
        capacity = {{ {capacity}, {more} }}
        [workload]
        arrivals = "piecewise"
        segments = [
            {{ start = "0s", rate = "7rps" }},
            {{ start = "100s", rate = "60rps" }},
            {{ start = "130s", rate = "7rps" }},
        ]
        [[workload.classes]]
        name = "all"
        model = "m"
        input_tokens = 1
        output_tokens = 1
        [routing]
        deadline = "10s"
        attempt_timeout = "4s"
        max_attempts = 2
        breaker = false
        [output]
        requests = true
        "#
    );
    let results = results(&scenario("overload", &text), 1);
    let requests = &results.strategies[0].requests;
    let share = |from: u64, to: u64| {
        let [from, to] = [from, to].map(|at| Timestamp::ZERO + Duration::from_secs(at));
        let there = requests.iter().filter(|r| (from..to).contains(&r.arrived));
        let (mut all, mut good) = (0.0, 0.0);
        for request in there {
            all += 1.0;
            good += f64::from(u8::from(request.succeeded()));
        }
        good / all
    };
    [share(10, 90), share(190, 730)]
}

/// Ten slots, and ten places in a batch that slows down a little, for 7 requests a second.
const LINES: [&str; 2] = [
    "slots = 10",
    r#"batching = { base = "19ms", per_request = "1ms" }, max_batch = 14"#,
];

#[test]
fn a_burst_passes_where_abandoned_work_is_dropped() {
    for capacity in LINES {
        let [before, after] = shares(capacity, r#"abandoned = "frees""#);
        assert!(
            before > 0.98 && after > 0.98,
            "{capacity}: {before}, {after}"
        );
    }
}

#[test]
fn a_burst_stays_where_abandoned_work_goes_on() {
    for capacity in LINES {
        let [before, after] = shares(capacity, r#"abandoned = "continues""#);
        assert!(
            before > 0.98 && after < 0.01,
            "{capacity}: {before}, {after}"
        );
    }
}

/// The remedy where abandoned work goes on: a line so short that whoever joins is served in time.
#[test]
fn a_short_line_lets_a_burst_pass_all_the_same() {
    for capacity in LINES {
        let more = r#"abandoned = "continues", queue = 20"#;
        let [before, after] = shares(capacity, more);
        assert!(
            before > 0.98 && after > 0.98,
            "{capacity}: {before}, {after}"
        );
    }
}
