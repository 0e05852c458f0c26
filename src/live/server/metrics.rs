//! `/metrics`: what the core knows, in the text format of Prometheus.
//!
//! Nothing is counted for it: every number is read from the core's own statistics when it is asked
//! for, so that it cannot disagree with the results of a simulation, and costs nothing in between.
//! The one thing that only the server sees, its answers by path, client and status, is counted
//! there. Each family counts each thing once: sums over all its labels are totals.
//!
//! All of the core is read under one lock, so that the numbers of one page belong together; the
//! text is written after it is free again.

mod accounts;
mod exposition;
mod steps;

use self::exposition::Exposition;
use self::steps::Steps;
use super::Shared;
use crate::record::Strategy;
use crate::request::Provider;
use crate::routing::cost_rate::CostPerHour;
use crate::routing::gateway::Gateway;
use crate::routing::statistics::{Dimension, Segment, Totals};
use crate::time::Timestamp;
use std::sync::PoisonError;

/// The page.
pub(super) fn page(shared: &Shared) -> String {
    let seen = shared.proxy.look(Seen::new);
    let models = shared.proxy.models();
    let mut out = Exposition::default();
    let version = env!("CARGO_PKG_VERSION");
    out.gauge("routelab_build_info", "The version; always 1.")
        .sample(&[("version", version)], 1);
    requests(&mut out, &seen);
    cache(&mut out, &seen);
    money(&mut out, &seen);
    groups(&mut out, "strategy", &seen.strategies);
    groups(&mut out, "provider", &seen.providers);
    accounts::write(&mut out, &seen.accounts, &models);
    answers(&mut out, shared);
    out.finish()
}

/// What is read of the core.
struct Seen {
    totals: Totals,
    in_flight: usize,
    waiting: u32,
    latency: Steps,
    first_token: Steps,
    cost: CostPerHour,
    strategies: Vec<Group>,
    providers: Vec<Group>,
    accounts: accounts::Seen,
    cached: Option<(u32, u64)>,
}

/// Requests that have something in common.
struct Group {
    name: &'static str,
    segment: Segment,
}

impl Seen {
    fn new(gateway: &Gateway, now: Timestamp) -> Self {
        let statistics = gateway.statistics();
        let latency = statistics.latency();
        Self {
            totals: *statistics.totals(),
            in_flight: gateway.in_flight(),
            waiting: gateway.waiting(),
            latency: Steps::exact(&latency.ok),
            first_token: Steps::exact(&latency.first_token_ok),
            cost: statistics.cost_per_hour(now),
            strategies: Group::all(statistics.by(Dimension::Strategy), |at| {
                Strategy::ALL.get(at).map(|strategy| strategy.name())
            }),
            providers: Group::all(statistics.by(Dimension::Provider), |at| {
                Provider::ALL.get(at).map(|provider| provider.name())
            }),
            accounts: accounts::Seen::new(gateway, now),
            cached: gateway.cache().map(|cache| (cache.len(), cache.tokens())),
        }
    }
}

impl Group {
    /// `none` is what no account was chosen for: refused, or answered by the cache.
    fn all(segments: Vec<(usize, Segment)>, name: fn(usize) -> Option<&'static str>) -> Vec<Self> {
        let segments = segments.into_iter();
        let each = segments.map(|(at, segment)| Self {
            name: name(at).unwrap_or("none"),
            segment,
        });
        each.collect()
    }
}

fn requests(out: &mut Exposition, seen: &Seen) {
    let totals = &seen.totals;
    let mut family = out.counter("routelab_requests_total", "Requests that have ended.");
    for (outcome, count) in [
        ("success", totals.successes),
        ("failure", totals.failures),
        ("rejection", totals.rejections),
    ] {
        family.sample(&[("outcome", outcome)], count);
    }
    out.gauge("routelab_requests_in_flight", "Requests under way.")
        .sample(&[], seen.in_flight);
    out.gauge(
        "routelab_requests_waiting",
        "Of them in line for an account.",
    )
    .sample(&[], seen.waiting);
    let help = "Time from arrival to the end of answered requests.";
    out.histogram("routelab_request_duration_seconds", help)
        .steps(&[], &seen.latency);
    let help = "Time from arrival to the first token of answered streams.";
    out.histogram("routelab_request_first_token_seconds", help)
        .steps(&[], &seen.first_token);
    let attempted = totals.requests - totals.unattempted;
    let retries = totals.attempts.saturating_sub(attempted);
    for (name, help, count) in [
        (
            "routelab_retries_total",
            "Attempts after the first, of requests that have ended.",
            retries,
        ),
        (
            "routelab_retry_budget_exhausted_total",
            "Requests that wanted a retry when the budget was empty.",
            totals.budget_exhausted,
        ),
        (
            "routelab_requests_waited_total",
            "Requests that were in line because nobody was available.",
            totals.waited,
        ),
        (
            "routelab_least_bad_attempts_total",
            "Attempts sent although nobody was available.",
            totals.least_bad_attempts,
        ),
    ] {
        out.counter(name, help).sample(&[], count);
    }
}

fn cache(out: &mut Exposition, seen: &Seen) {
    let totals = &seen.totals;
    let help = "Requests that were looked up in the response cache.";
    let mut family = out.counter("routelab_cache_requests_total", help);
    for (result, count) in [
        ("hit", totals.cache_hits),
        ("miss", totals.cache_misses),
        ("coalesced", totals.coalesced),
    ] {
        family.sample(&[("result", result)], count);
    }
    if let Some((entries, tokens)) = seen.cached {
        out.gauge("routelab_cache_entries", "Answers in the response cache.")
            .sample(&[], entries);
        out.gauge("routelab_cache_tokens", "Output tokens of these answers.")
            .sample(&[], tokens);
    }
}

fn money(out: &mut Exposition, seen: &Seen) {
    out.counter("routelab_cost_usd_total", "Money charged, in USD.")
        .sample(&[], seen.totals.cost.as_usd_f64());
    let help = "Part of it spent on attempts that delivered no answer.";
    out.counter("routelab_wasted_cost_usd_total", help)
        .sample(&[], seen.totals.wasted.as_usd_f64());
    let cost = &seen.cost;
    let help = "What is spent per hour at present, in USD.";
    out.gauge("routelab_cost_usd_per_hour", help)
        .sample(&[], cost.now_usd);
    if let Some(trend) = cost.trend_usd {
        let help = "Where that is going: USD per hour, more each hour.";
        out.gauge("routelab_cost_usd_per_hour_trend", help)
            .sample(&[], trend);
    }
    if let Some(projected) = cost.projected_usd {
        let help = "What the trend makes of it in an hour, in USD.";
        out.gauge("routelab_cost_usd_per_hour_projected", help)
            .sample(&[], projected);
    }
}

/// Requests by the strategy, or the provider, of their last attempt.
fn groups(out: &mut Exposition, what: &'static str, groups: &[Group]) {
    let name = |rest: &str| format!("routelab_{what}_{rest}");
    let of = format!("by the {what} of their last attempt");
    let mut family = out.counter(&name("requests_total"), &format!("Ended requests {of}."));
    for Group { name, segment } in groups {
        let failures = segment.requests - segment.successes;
        for (outcome, count) in [("success", segment.successes), ("failure", failures)] {
            family.sample(&[(what, name), ("outcome", outcome)], count);
        }
    }
    let help = format!("Tokens charged for ended requests, {of}.");
    let mut family = out.counter(&name("tokens_total"), &help);
    for Group { name, segment } in groups {
        for (direction, count) in [
            ("input", segment.input_tokens),
            ("output", segment.output_tokens),
        ] {
            family.sample(&[(what, name), ("direction", direction)], count);
        }
    }
    let help = format!("Money charged for ended requests in USD, {of}.");
    let mut family = out.counter(&name("cost_usd_total"), &help);
    for Group { name, segment } in groups {
        family.sample(&[(what, name)], segment.cost.as_usd_f64());
    }
    let help = format!("Time of ended requests, failures at least at the deadline, {of}.");
    let mut family = out.histogram(&name("request_duration_seconds"), &help);
    for Group { name, segment } in groups {
        family.steps(&[(what, name)], &Steps::rounded(&segment.latency_all));
    }
    let help = format!("Time to first token of ended streams, the same, {of}.");
    let mut family = out.histogram(&name("first_token_seconds"), &help);
    for Group { name, segment } in groups {
        family.steps(&[(what, name)], &Steps::rounded(&segment.first_token_all));
    }
}

fn answers(out: &mut Exposition, shared: &Shared) {
    let counts = &shared.counts;
    let answers = counts.answers.lock();
    let answers = answers.unwrap_or_else(PoisonError::into_inner).clone();
    let help = "Answers of the server, by path, client and status.";
    let mut family = out.counter("routelab_http_responses_total", help);
    for ((path, client, status), count) in &answers {
        let client = client.as_deref().unwrap_or_default();
        let code = status.to_string();
        family.sample(
            &[("path", path), ("client", client), ("code", &code)],
            count,
        );
    }
    if let Some(dropped) = &shared.dropped_log_lines {
        let help = "Lines of the log that were dropped because nobody took them in time.";
        out.counter("routelab_log_lines_dropped_total", help)
            .sample(&[], dropped.load(std::sync::atomic::Ordering::Relaxed));
    }
}
