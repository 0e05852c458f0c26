//! The results of a scenario: plain data between running and reporting.
//!
//! Everything pooled over replications is integer counts, whose sum does not depend on order;
//! everything with an uncertainty is kept per replication, so that the report can state it.

pub use crate::sim::{BreakerSpan, Observable, Observed, Timeline, Window};

use super::metric::Metrics;
use super::verdict::Verdicts;
use crate::histogram::Histogram;
use crate::record::{RequestRecord, Strategy};
use crate::request::Provider;
use crate::time::{Duration, Timestamp};
use crate::units::NanoUsd;

/// All results of one scenario.
#[derive(Clone, Debug)]
pub struct ScenarioResults {
    /// What was run.
    pub description: Description,
    /// A row per strategy, in the scenario's order. All hold the same replications.
    pub strategies: Vec<StrategyResults>,
    /// Whether the run was stopped before all replications were finished.
    pub interrupted: bool,
    /// What became of the scenario's claims and thresholds.
    pub verdicts: Verdicts,
}

impl ScenarioResults {
    /// Adds the replications that follow: their metrics, what they saw of the faults, and the
    /// attempts by account, successful and in all. That is what claims are judged by; pooled
    /// distributions and the course over time stay those of the first part.
    pub fn append(&mut self, more: Self) {
        self.interrupted |= more.interrupted;
        for (mine, theirs) in self.strategies.iter_mut().zip(more.strategies) {
            mine.replications.extend(theirs.replications);
            for (mine, theirs) in mine.faults.iter_mut().zip(theirs.faults) {
                mine.incidents += theirs.incidents;
                mine.watched += theirs.watched;
                mine.detect.extend(theirs.detect);
                mine.mitigate.extend(theirs.mitigate);
                mine.restore.extend(theirs.restore);
                mine.success_rate_during.extend(theirs.success_rate_during);
            }
            for (mine, theirs) in mine.accounts.iter_mut().zip(theirs.accounts) {
                mine.attempts += theirs.attempts;
                mine.successes += theirs.successes;
            }
        }
    }
}

/// What was run: the facts about a scenario that a report needs.
#[derive(Clone, Debug)]
pub struct Description {
    /// File stem of the scenario.
    pub name: String,
    /// The question it asks.
    pub question: String,
    /// What its author expects.
    pub expectation: String,
    /// The scenario as run: TOML with templates and overrides applied. Parsing it gives the same
    /// scenario.
    pub resolved_toml: String,
    /// Root seed.
    pub seed: u64,
    /// Seed of the routing code's own random choices.
    pub policy_seed: u64,
    /// Replications asked for.
    pub replications: u32,
    /// Arrivals stop here; the run then drains. For a trace, the last arrival.
    pub duration: Duration,
    /// Requests that arrive before this are not measured.
    pub warmup: Duration,
    /// Longest a request may take, unless an arm overrides it; a failure counts at least this much
    /// in `_all` latencies.
    pub deadline: Option<Duration>,
    /// Latency within which a success counts as goodput.
    pub latency_objective: Duration,
    /// Models, by [`crate::request::ModelIndex`].
    pub models: Vec<String>,
    /// Regions, by [`crate::request::RegionIndex`].
    pub regions: Vec<String>,
    /// Request classes, by [`crate::request::ClassIndex`].
    pub classes: Vec<String>,
    /// Accounts, by [`crate::request::AccountIndex`].
    pub accounts: Vec<AccountDescription>,
    /// What the timeline shows apart: every account where they are few, else groups of accounts.
    pub lanes: Vec<String>,
    /// Faults: those of the schedule, then those that come by chance.
    pub faults: Vec<FaultDescription>,
    /// Index into `strategies` that the others are compared with.
    pub baseline: usize,
    /// Input files read (traces): path as given, and SHA-256 in hexadecimal.
    pub inputs: Vec<(String, String)>,
}

/// One account.
#[derive(Clone, Debug)]
pub struct AccountDescription {
    /// Its name.
    pub id: String,
    /// Whose it is.
    pub provider: Provider,
    /// Where it is; empty when not stated.
    pub region: String,
    /// Index into [`Description::lanes`].
    pub lane: usize,
}

/// One scheduled fault, or those that come by chance to one target.
#[derive(Clone, Debug)]
pub struct FaultDescription {
    /// Its kind and target, for people: `outage of provider anthropic`.
    pub name: String,
    /// Its kind: `outage`.
    pub kind: &'static str,
    /// Whether its times are drawn anew in every replication.
    pub by_chance: bool,
    /// Start and end: of the one in the schedule, or of all in replication 0.
    pub windows: Vec<(Timestamp, Timestamp)>,
    /// What is observed of it.
    pub observed: Observable,
}

/// The results of one strategy.
#[derive(Clone, Debug)]
pub struct StrategyResults {
    /// Name of the arm in the scenario; equals the strategy's name unless overridden.
    pub name: String,
    /// The strategy it runs.
    pub strategy: Strategy,
    /// Per replication, from 0 without gaps.
    pub replications: Vec<ReplicationResults>,
    /// Latency distributions, pooled.
    pub latency: LatencyHistograms,
    /// Course over time, pooled.
    pub timeline: Timeline,
    /// Totals by account, pooled; by [`crate::request::AccountIndex`].
    pub accounts: Vec<AccountTotals>,
    /// Totals by priority, provider, region, model and strategy used, pooled.
    pub segments: Vec<SegmentTotals>,
    /// Per fault, in the order of [`Description::faults`].
    pub faults: Vec<FaultImpact>,
    /// When breakers were not closed, in replication 0.
    pub breaker_spans: Vec<BreakerSpan>,
    /// Every request of replication 0 in order of its end, where the scenario asks for
    /// `requests.csv`; else empty.
    pub requests: Vec<RequestRecord>,
}

/// The results of one replication of one strategy.
#[derive(Clone, Debug)]
pub struct ReplicationResults {
    /// Exact counts.
    pub counts: Counts,
    /// Metrics derived from them.
    pub metrics: Metrics,
}

/// Exact counts of measured requests (warm-up left out, except `simulated`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Requests that arrived, warm-up included.
    pub simulated: u64,
    /// Requests measured.
    pub requests: u64,
    /// Of them answered.
    pub successes: u64,
    /// Of them those that asked for a stream.
    pub streaming: u64,
    /// Of these answered.
    pub streaming_successes: u64,
    /// Of them failed after an attempt, or while waiting for one.
    pub failures: u64,
    /// Of them refused without an attempt.
    pub rejections: u64,
    /// Attempts made for them.
    pub attempts: u64,
    /// Attempts sent as the least bad choice, because nobody was available.
    pub least_bad_attempts: u64,
    /// Requests that waited because nobody was available.
    pub waited: u64,
    /// Requests whose answer the response cache had.
    pub cache_hits: u64,
    /// Requests that it was asked by in vain.
    pub cache_misses: u64,
    /// Requests that followed another which asked for the same.
    pub coalesced: u64,
    /// Requests that wanted a retry when the retry budget was empty.
    pub budget_exhausted: u64,
    /// Input tokens charged.
    pub input_tokens: u64,
    /// Output tokens charged.
    pub output_tokens: u64,
    /// Money charged.
    pub cost: NanoUsd,
    /// Part of it spent on attempts that delivered no answer.
    pub wasted: NanoUsd,
    /// Failed attempts by [`crate::request::FailureKind`], in the order of `FailureKind::ALL`.
    pub failed_attempts: [u64; crate::request::FailureKind::ALL.len()],
}

/// Latency distributions of one strategy, all replications together.
#[derive(Clone, Debug)]
pub struct LatencyHistograms {
    /// Latency of successful requests.
    pub ok: Histogram,
    /// Latency of all requests, failures at max(their time, the deadline).
    pub all: Histogram,
    /// Time to first token of successful streaming requests.
    pub first_token_ok: Histogram,
    /// Time to first token of all streaming requests, failures at max(their time, the deadline).
    pub first_token_all: Histogram,
}

/// Totals of one account, all replications together.
#[derive(Clone, Debug)]
pub struct AccountTotals {
    /// Attempts sent to it.
    pub attempts: u64,
    /// Of them successful.
    pub successes: u64,
    /// Failed attempts by kind, in the order of `FailureKind::ALL`.
    pub failed_attempts: [u64; crate::request::FailureKind::ALL.len()],
    /// Input tokens charged.
    pub input_tokens: u64,
    /// Output tokens charged.
    pub output_tokens: u64,
    /// Money charged.
    pub cost: NanoUsd,
    /// Duration of its successful attempts.
    pub latency: Histogram,
    /// Times that its breaker opened.
    pub breaker_openings: u64,
    /// Time that its breaker was open, summed over targets.
    pub breaker_open: Duration,
    /// Time that it was cooling down after a 429.
    pub cooling: Duration,
    /// Times that it was disabled by an account fault.
    pub disabled: u64,
}

/// Totals of one segment of the requests, all replications together.
#[derive(Clone, Debug)]
pub struct SegmentTotals {
    /// What the requests are divided by: `priority`, `provider`, `region`, `model`, `strategy`.
    pub dimension: &'static str,
    /// Which part: `high`, `anthropic`, `eu-west`, ...
    pub value: String,
    /// Requests; for `provider` and `strategy`, those whose last attempt it was.
    pub requests: u64,
    /// Of them answered.
    pub successes: u64,
    /// Of them answered from the response cache.
    pub cache_hits: u64,
    /// Of them followers of another that asked for the same.
    pub coalesced: u64,
    /// Input tokens charged.
    pub input_tokens: u64,
    /// Output tokens charged.
    pub output_tokens: u64,
    /// Money charged.
    pub cost: NanoUsd,
    /// Latency over all of them, failures at max(their time, the deadline).
    pub latency_all: Histogram,
    /// Time to first token of the streaming ones, failures at max(their time, the deadline).
    pub first_token_all: Histogram,
}

/// What one fault did to one strategy: a number per replication, or, where it comes by chance, one
/// per incident; where it could not be observed, left out.
#[derive(Clone, Debug, Default)]
pub struct FaultImpact {
    /// Times that it came, in all replications.
    pub incidents: u64,
    /// Of them those that were watched.
    pub watched: u64,
    /// Start of the fault to the first breaker opening, cool-down or share shift below half on a
    /// target concerned.
    pub detect: Vec<Observed>,
    /// Start of the fault to the first window from which on nothing is degraded until the fault
    /// ends.
    pub mitigate: Vec<Observed>,
    /// End of the fault until the targets concerned carry 90 % of their former share.
    pub restore: Vec<Observed>,
    /// Success rate of requests that arrived during the fault.
    pub success_rate_during: Vec<f64>,
}
