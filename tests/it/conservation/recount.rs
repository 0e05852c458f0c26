//! The results of an arm, worked out again from its requests.

use routelab::experiment::metric::Metric;
use routelab::experiment::results::{ReplicationResults, StrategyResults};
use routelab::experiment::scenario::{Arm, Scenario};
use routelab::record::{CacheUse, Outcome, RequestRecord};
use routelab::request::{FailureKind, Request};
use routelab::rng::Streams;
use routelab::time::{Duration, Timestamp};
use routelab::workload::Workload;

/// Fails where a number of the results is not what the requests of replication 0 come to, or where
/// numbers over all replications do not fit each other.
pub(super) fn check(scenario: &Scenario, arm: &Arm, results: &StrategyResults) {
    println!("arm {}", arm.name);
    requests_are_those_that_arrived(scenario, results);
    let measured: Vec<_> = results
        .requests
        .iter()
        .filter(|record| record.arrived >= Timestamp::ZERO + scenario.warmup)
        .collect();
    limits_are_kept(arm, &results.requests);
    counts(&results.replications[0], &measured, results.requests.len());
    metrics(scenario, arm, &results.replications[0], &measured);
    totals_agree(scenario, results);
}

/// Each request ends once, and all of them are what the workload yields by itself: what becomes of
/// a request changes none that come later, but that its user may wait for its end.
fn requests_are_those_that_arrived(scenario: &Scenario, results: &StrategyResults) {
    let mut workload = Workload::new(&scenario.workload, Streams::new(scenario.seed, 0));
    let mut by_arrival: Vec<_> = results.requests.iter().collect();
    by_arrival.sort_by_key(|record| record.request);
    let mut ends = results.requests.iter().peekable();
    let mut taken: Vec<Request> = vec![];
    for record in by_arrival {
        while let Some(end) = ends
            .next_if(|end| end.ended <= record.arrived && (end.request.0 as usize) < taken.len())
        {
            workload.request_ended(end.ended, &taken[end.request.0 as usize]);
        }
        let (arrived, request) = workload.take().expect("as many arrivals as requests");
        taken.push(request);
        let features = &request.features;
        assert_eq!(
            (record.request, record.arrived, record.class, record.model),
            (request.id, arrived, request.class, features.model)
        );
        assert_eq!(
            (record.priority, record.region, record.streaming),
            (features.priority, features.user_region, features.streaming)
        );
    }
    for end in ends {
        workload.request_ended(end.ended, &taken[end.request.0 as usize]);
    }
    assert!(workload.take().is_none(), "an arrival was lost");
    assert!(results.requests.is_sorted_by_key(|record| record.ended));
}

fn limits_are_kept(arm: &Arm, requests: &[RequestRecord]) {
    for record in requests {
        let attempted = record.attempts > 0;
        let (late, copied) = (out_of_time_in_line(record), is_copy(record));
        let refused = matches!(record.outcome, Outcome::Rejected(_));
        assert_eq!(attempted, !refused && !late && !copied, "{record:?}");
        assert_eq!(attempted, record.account.is_some());
        assert!(
            record.attempts <= arm.routing.retry.max_attempts,
            "{record:?}"
        );
        assert!(record.wasted <= record.cost, "{record:?}");
        assert!(
            arm.routing
                .deadline
                .is_none_or(|most| record.sojourn() <= most),
            "{record:?}"
        );
        let first = record.first_token;
        assert!(first.is_none_or(|at| record.arrived <= at && at <= record.ended));
        assert!(first.is_none() || record.streaming);
        if record.streaming && record.succeeded() {
            assert!(first.is_some(), "{record:?}");
        }
    }
}

/// Its deadline passed before anybody was available.
fn out_of_time_in_line(record: &RequestRecord) -> bool {
    let late = Outcome::Failed(FailureKind::DeadlineExceeded);
    record.waited && record.attempts == 0 && record.outcome == late
}

fn is_copy(record: &RequestRecord) -> bool {
    matches!(record.cache, CacheUse::Hit | CacheUse::Coalesced)
}

fn counts(run: &ReplicationResults, measured: &[&RequestRecord], simulated: usize) {
    let of = |outcome: fn(&Outcome) -> bool| {
        measured
            .iter()
            .filter(|record| outcome(&record.outcome))
            .count() as u64
    };
    let counts = &run.counts;
    assert_eq!(counts.simulated, simulated as u64);
    assert_eq!(counts.requests, measured.len() as u64);
    assert_eq!(counts.successes, of(|o| matches!(o, Outcome::Success)));
    assert_eq!(counts.failures, of(|o| matches!(o, Outcome::Failed(_))));
    assert_eq!(counts.rejections, of(|o| matches!(o, Outcome::Rejected(_))));
    let sum = |f: fn(&RequestRecord) -> u64| measured.iter().map(|r| f(r)).sum::<u64>();
    assert_eq!(counts.attempts, sum(|record| record.attempts.into()));
    assert_eq!(counts.cost.0, sum(|record| record.cost.0));
    assert_eq!(counts.wasted.0, sum(|record| record.wasted.0));
    assert_eq!(counts.waited, sum(|record| record.waited.into()));
    let used = |of: CacheUse| measured.iter().filter(|r| r.cache == of).count() as u64;
    assert_eq!(counts.cache_hits, used(CacheUse::Hit));
    assert_eq!(counts.cache_misses, used(CacheUse::Miss));
    assert_eq!(counts.coalesced, used(CacheUse::Coalesced));
    assert_eq!(
        counts.budget_exhausted,
        sum(|record| record.budget_exhausted.into())
    );
}

/// The time that a request counts with: a failure at least the deadline.
fn latency(scenario: &Scenario, arm: &Arm, record: &RequestRecord) -> Duration {
    match scenario.deadline.or(arm.routing.deadline) {
        Some(deadline) if !record.succeeded() => record.sojourn().max(deadline),
        _ => record.sojourn(),
    }
}

fn metrics(scenario: &Scenario, arm: &Arm, run: &ReplicationResults, measured: &[&RequestRecord]) {
    let all = |record: &&RequestRecord| latency(scenario, arm, record);
    let successes = || measured.iter().copied().filter(|record| record.succeeded());
    let streamed = || measured.iter().copied().filter(|record| record.streaming);
    let first = |record: &RequestRecord| {
        let at = record.first_token.filter(|_| record.succeeded());
        at.map(|at| at.since(record.arrived))
    };
    let latencies = [
        (Metric::LatencyMeanAll, measured.iter().map(all).collect()),
        (
            Metric::LatencyMeanOk,
            successes().map(RequestRecord::sojourn).collect(),
        ),
        (
            Metric::FirstTokenMeanAll,
            streamed()
                .map(|r| first(r).unwrap_or_else(|| latency(scenario, arm, r)))
                .collect(),
        ),
        (
            Metric::FirstTokenMeanOk,
            streamed().filter_map(first).collect::<Vec<_>>(),
        ),
    ];
    for (mean, mut values) in latencies {
        values.sort_unstable();
        times(run, mean, &values);
    }
    let seconds = scenario
        .duration
        .saturating_sub(scenario.warmup)
        .as_secs_f64();
    let good = successes()
        .filter(|r| r.sojourn() <= scenario.latency_objective)
        .count() as f64;
    close(run, Metric::Goodput, good / seconds, 1e-9);
    let count = measured.len() as f64;
    if count > 0.0 {
        close(
            run,
            Metric::SuccessRate,
            successes().count() as f64 / count,
            1e-9,
        );
    }
}

/// The metrics of one kind of latency: the mean, and the quantiles that follow it.
fn times(run: &ReplicationResults, mean: Metric, sorted: &[Duration]) {
    let quantiles = [0.5, 0.9, 0.95, 0.99, 0.999];
    let of = |offset: usize| Metric::ALL[mean.at() + offset];
    if sorted.is_empty() {
        assert!(
            (0..=5).all(|offset| run.metrics[of(offset)].is_nan()),
            "{mean:?}"
        );
        return;
    }
    let sum: u128 = sorted.iter().map(|time| u128::from(time.as_nanos())).sum();
    close(run, mean, sum as f64 * 1e-9 / sorted.len() as f64, 1e-9);
    for (q, offset) in quantiles.into_iter().zip(1..) {
        let rank = (q * sorted.len() as f64).ceil() as usize;
        close(run, of(offset), sorted[rank.max(1) - 1].as_secs_f64(), 1e-3);
    }
}

/// Equal within a relative tolerance and a microsecond.
fn close(run: &ReplicationResults, metric: Metric, expected: f64, tolerance: f64) {
    let found = run.metrics[metric];
    let allowed = tolerance * expected + if tolerance < 1e-6 { 1e-9 } else { 1.1e-6 };
    assert!(
        (found - expected).abs() <= allowed,
        "{metric:?}: {found} in the results, {expected} from the requests"
    );
}

/// What is pooled over replications adds up to the same, by whatever it is divided.
fn totals_agree(scenario: &Scenario, results: &StrategyResults) {
    let runs = &results.replications;
    let sum = |f: fn(&ReplicationResults) -> u64| runs.iter().map(f).sum::<u64>();
    assert_eq!(runs.len(), scenario.replications as usize);
    let requests = sum(|run| run.counts.requests);
    let successes = sum(|run| run.counts.successes);
    let ended = sum(|run| run.counts.failures + run.counts.rejections);
    assert_eq!(requests, successes + ended);

    let accounts = &results.accounts;
    assert_eq!(
        accounts.iter().map(|a| a.attempts).sum::<u64>(),
        sum(|run| run.counts.attempts)
    );
    let copied = sum(|run| run.counts.cache_hits + run.counts.coalesced);
    let answered = accounts.iter().map(|a| a.successes).sum::<u64>();
    assert!(answered <= successes && successes <= answered + copied);
    assert_eq!(
        accounts.iter().map(|a| a.cost.0).sum::<u64>(),
        sum(|run| run.counts.cost.0)
    );
    for account in accounts {
        let failed: u64 = account.failed_attempts.iter().sum();
        assert_eq!(account.attempts, account.successes + failed);
        assert_eq!(account.latency.count(), account.successes);
    }

    let latency = &results.latency;
    assert_eq!(latency.all.count(), requests);
    assert_eq!(latency.ok.count(), successes);
    for dimension in ["priority", "provider", "region", "model", "strategy"] {
        let parts = results
            .segments
            .iter()
            .filter(|part| part.dimension == dimension);
        let sums = parts.fold((0, 0, 0, 0), |sums, part| {
            assert_eq!(part.latency_all.count(), part.requests);
            let cost = sums.2 + part.cost.0;
            (
                sums.0 + part.requests,
                sums.1 + part.successes,
                cost,
                sums.3 + 1,
            )
        });
        let cost = sum(|run| run.counts.cost.0);
        assert_eq!(
            (sums.0, sums.1, sums.2),
            (requests, successes, cost),
            "{dimension}"
        );
        assert!(sums.3 > 0 || requests == 0);
    }

    course_agrees(results, sum(|run| run.counts.simulated));
    for impact in &results.faults {
        // What the gateway is told is not detected.
        let detected = impact.detect.len() as u64;
        assert!(detected == 0 || detected == impact.watched);
        assert!(impact.watched <= impact.incidents);
    }
}

/// The timeline holds all arrivals, those of the warm-up too.
fn course_agrees(results: &StrategyResults, simulated: u64) {
    let windows = &results.timeline.windows;
    assert_eq!(
        windows.iter().map(|window| window.requests).sum::<u64>(),
        simulated
    );
    assert!(windows.iter().all(|w| w.latency_all.count() == w.requests));
    assert!(windows.iter().all(|w| w.within_objective <= w.successes));
    assert!(
        windows
            .iter()
            .all(|w| w.successes + w.rejections <= w.requests)
    );
    let dispatched: u64 = results.timeline.dispatches.iter().sum();
    assert!(dispatched <= windows.iter().map(|window| window.attempts).sum());
}
