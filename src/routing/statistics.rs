//! Statistics of a gateway: always on, readable at any time.
//!
//! One flat record per attempt and per request comes in, counters and histograms stay. Requests are
//! counted once, in the segment of their (priority, region, model, provider, strategy); the totals
//! of one dimension are added up when somebody reads them, which is rare, instead of being kept
//! five times at every request.

use crate::histogram::Histogram;
use crate::record::{AttemptRecord, CacheUse, Outcome, RequestRecord, Strategy};
use crate::request::{FailureKind, ModelIndex, Provider, RegionIndex, RequestPriority};
use crate::routing::cost_rate::{CostPerHour, CostRate};
use crate::routing::router::Calibration;
use crate::time::{Duration, Timestamp};
use crate::units::NanoUsd;

/// What is counted, and how.
#[derive(Clone, Copy, Debug)]
pub struct StatisticsConfig {
    /// Requests that arrived before this are left out (warm-up).
    pub since: Timestamp,
    /// Longest that a request may take: what a stated confidence is about.
    pub deadline: Option<Duration>,
    /// A failed request counts at least this much in latencies over all requests.
    pub failure_latency: Option<Duration>,
    /// Latency within which a success counts as goodput.
    pub latency_objective: Duration,
}

/// Statistics since the start.
#[derive(Clone, Debug)]
pub struct Statistics {
    config: StatisticsConfig,
    totals: Totals,
    /// Of answered requests.
    ok: Both,
    /// Of the others.
    failed: Both,
    accounts: Vec<AccountStatistics>,
    segments: Segments,
    calibration: Calibration,
    cost_rate: CostRate,
}

/// Exact counts of requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Requests that ended.
    pub requests: u64,
    /// Of them answered.
    pub successes: u64,
    /// Of them answered within the latency objective.
    pub within_objective: u64,
    /// Of them failed after an attempt, or while waiting for one.
    pub failures: u64,
    /// Of them refused without an attempt.
    pub rejections: u64,
    /// Attempts made for them.
    pub attempts: u64,
    /// Requests for which none was made: refused, answered by the cache or by another's attempt, or
    /// out of time before anybody was available.
    pub unattempted: u64,
    /// Requests whose answer the response cache had.
    pub cache_hits: u64,
    /// Requests that it was asked by in vain.
    pub cache_misses: u64,
    /// Requests that followed another which asked for the same.
    pub coalesced: u64,
    /// Requests that waited because nobody was available.
    pub waited: u64,
    /// Attempts sent as the least bad choice, because nobody was available.
    pub least_bad_attempts: u64,
    /// Requests that wanted a retry when the retry budget was empty.
    pub budget_exhausted: u64,
    /// Money charged.
    pub cost: NanoUsd,
    /// Part of it spent on attempts that delivered no answer.
    pub wasted: NanoUsd,
}

/// A distribution of times with its exact sum.
#[derive(Clone, Debug)]
pub struct Times {
    /// The distribution.
    pub histogram: Histogram,
    /// Exact sum in nanoseconds.
    pub sum_nanos: u128,
}

/// Latency distributions.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// Of successful requests.
    pub ok: Times,
    /// Of all requests, failures at max(their time, the deadline).
    pub all: Times,
    /// Time to first token of successful streaming requests.
    pub first_token_ok: Times,
    /// Time to first token of all streaming requests, failures at max(their time, the deadline).
    pub first_token_all: Times,
}

/// Latency and time to first token of some requests.
#[derive(Clone, Debug)]
struct Both {
    latency: Times,
    first_token: Times,
}

/// Statistics of one account.
#[derive(Clone, Debug)]
pub struct AccountStatistics {
    /// Attempts ended.
    pub attempts: u64,
    /// Of them successful.
    pub successes: u64,
    /// Failed attempts by kind, in the order of [`FailureKind::ALL`].
    pub failures: [u64; FailureKind::ALL.len()],
    /// Input tokens charged.
    pub input_tokens: u64,
    /// Output tokens charged.
    pub output_tokens: u64,
    /// Money charged.
    pub cost: NanoUsd,
    /// Duration of its successful attempts.
    pub latency: Histogram,
    /// Time to first token of its successful streaming attempts.
    pub first_token: Histogram,
    /// End of the last successful attempt.
    pub last_success: Option<Timestamp>,
}

/// Statistics of some of the requests.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Requests that ended.
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
    /// Latency of all of them, failures at max(their time, the deadline).
    pub latency_all: Histogram,
    /// Time to first token of the streaming ones, failures at max(their time, the deadline).
    pub first_token_all: Histogram,
}

/// By what requests can be divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dimension {
    /// Urgency; values as in [`RequestPriority::ALL`].
    Priority,
    /// Region of the user; values as [`RegionIndex`], and one more for unknown.
    Region,
    /// Model; values as [`ModelIndex`].
    Model,
    /// Provider of the last attempt; values as in [`Provider::ALL`], and one more for none.
    Provider,
    /// Strategy of the last attempt; values as in [`Strategy::ALL`], and one more for none.
    Strategy,
}

impl Statistics {
    /// Nothing counted yet. `regions` and `models` are how many there are.
    #[must_use]
    pub fn new(config: StatisticsConfig, regions: usize, models: usize) -> Self {
        Self {
            config,
            totals: Totals::default(),
            ok: Both::new(),
            failed: Both::new(),
            accounts: vec![],
            segments: Segments::new(regions, models),
            calibration: Calibration::default(),
            cost_rate: CostRate::default(),
        }
    }

    /// Makes room for accounts.
    pub fn grow(&mut self, accounts: usize) {
        if self.accounts.len() < accounts {
            self.accounts.resize_with(accounts, AccountStatistics::new);
        }
    }

    /// Counts the end of an attempt of a request that arrived at `arrived`. `tolerance` is what a
    /// stated confidence was about: success within this time.
    #[inline]
    pub fn attempt(
        &mut self,
        record: &AttemptRecord,
        arrived: Timestamp,
        tolerance: Option<Duration>,
    ) {
        if arrived < self.config.since {
            return;
        }
        let took = record.ended.since(record.dispatched);
        if record.least_bad {
            self.totals.least_bad_attempts += 1;
        }
        self.cost_rate.record(record.ended, record.cost);
        let account = &mut self.accounts[record.account.at()];
        account.attempts += 1;
        account.input_tokens += u64::from(record.usage.input);
        account.output_tokens += u64::from(record.usage.output);
        account.cost += record.cost;
        match record.failure {
            Some(kind) => account.failures[kind.at()] += 1,
            None => {
                account.successes += 1;
                account.last_success = Some(record.ended);
                account.latency.record(took);
                if let Some(first) = record.first_token {
                    account.first_token.record(first.since(record.dispatched));
                }
            }
        }
        if let Some(promised) = record.confidence {
            let in_time = tolerance
                .or(self.config.deadline)
                .is_none_or(|limit| took <= limit);
            self.calibration
                .record(promised, record.failure.is_none() && in_time);
        }
    }

    /// Counts the end of a request. `provider` is that of its last attempt. Returns the latency
    /// that it counts with.
    #[inline]
    pub fn request(&mut self, record: &RequestRecord, provider: Option<Provider>) -> Duration {
        let latency = self.latency_of(record);
        if record.arrived >= self.config.since {
            self.count_request(record, provider, latency);
        }
        latency
    }

    #[inline]
    fn count_request(
        &mut self,
        record: &RequestRecord,
        provider: Option<Provider>,
        latency: Duration,
    ) {
        self.count(record, latency);
        let succeeded = record.succeeded();
        let times = if succeeded {
            &mut self.ok
        } else {
            &mut self.failed
        };
        times.latency.record(latency);
        let segment = self.segments.of(record, provider);
        segment.requests += 1;
        segment.successes += u64::from(succeeded);
        segment.input_tokens += record.input_tokens;
        segment.output_tokens += record.output_tokens;
        segment.cost += record.cost;
        segment.latency_all.record(latency);
        if record.cache.looked() {
            segment.cache_hits += u64::from(record.cache == CacheUse::Hit);
            segment.coalesced += u64::from(record.cache == CacheUse::Coalesced);
        }
        if record.streaming {
            let first = record.first_token.filter(|_| succeeded);
            let first = first.map_or(latency, |at| at.since(record.arrived));
            times.first_token.record(first);
            segment.first_token_all.record(first);
        }
    }

    #[inline]
    fn count(&mut self, record: &RequestRecord, latency: Duration) {
        let totals = &mut self.totals;
        totals.requests += 1;
        totals.attempts += u64::from(record.attempts);
        totals.budget_exhausted += u64::from(record.budget_exhausted);
        totals.cost += record.cost;
        totals.wasted += record.wasted;
        if record.attempts == 0 || record.waited || record.cache.looked() {
            totals.count_detour(record);
        }
        match record.outcome {
            Outcome::Success => {
                totals.successes += 1;
                totals.within_objective += u64::from(latency <= self.config.latency_objective);
            }
            Outcome::Failed(_) => totals.failures += 1,
            Outcome::Rejected(_) => totals.rejections += 1,
        }
    }

    /// The latency that a request counts with: its own, a failure at least as much as stated, so
    /// that failing fast does not look fast.
    #[must_use]
    #[inline]
    pub fn latency_of(&self, record: &RequestRecord) -> Duration {
        match self.config.failure_latency {
            Some(least) if !record.succeeded() => record.sojourn().max(least),
            _ => record.sojourn(),
        }
    }

    /// Counts of requests.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Latency distributions. Those over all requests are added up here, not kept at every request.
    #[must_use]
    pub fn latency(&self) -> Latencies {
        let all = |ok: &Times, failed: &Times| {
            let mut all = ok.clone();
            all.add(failed);
            all
        };
        Latencies {
            all: all(&self.ok.latency, &self.failed.latency),
            first_token_all: all(&self.ok.first_token, &self.failed.first_token),
            ok: self.ok.latency.clone(),
            first_token_ok: self.ok.first_token.clone(),
        }
    }

    /// By account.
    #[must_use]
    pub fn accounts(&self) -> &[AccountStatistics] {
        &self.accounts
    }

    /// How well stated confidences agree with what happened.
    #[must_use]
    pub const fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// What is spent per hour as of `now`, and where that is going.
    #[must_use]
    pub fn cost_per_hour(&self, now: Timestamp) -> CostPerHour {
        self.cost_rate.per_hour(now)
    }

    /// Totals along one dimension: (value, segment) for values that occurred, in rising order.
    #[must_use]
    pub fn by(&self, dimension: Dimension) -> Vec<(usize, Segment)> {
        self.segments.by(dimension)
    }
}

impl Totals {
    /// Counts what only few requests meet.
    #[cold]
    fn count_detour(&mut self, record: &RequestRecord) {
        self.unattempted += u64::from(record.attempts == 0);
        self.waited += u64::from(record.waited);
        match record.cache {
            CacheUse::None => {}
            CacheUse::Hit => self.cache_hits += 1,
            CacheUse::Miss => self.cache_misses += 1,
            CacheUse::Coalesced => self.coalesced += 1,
        }
    }
}

impl Both {
    fn new() -> Self {
        Self {
            latency: Times::new(),
            first_token: Times::new(),
        }
    }
}

impl Times {
    fn new() -> Self {
        Self {
            histogram: Histogram::fine(),
            sum_nanos: 0,
        }
    }

    fn add(&mut self, other: &Self) {
        self.histogram.merge(&other.histogram);
        self.sum_nanos += other.sum_nanos;
    }

    #[inline]
    fn record(&mut self, time: Duration) {
        self.histogram.record(time);
        self.sum_nanos += u128::from(time.as_nanos());
    }

    /// Exact mean in seconds; `None` if nothing was counted.
    #[must_use]
    pub fn mean_seconds(&self) -> Option<f64> {
        let count = self.histogram.count();
        (count > 0).then(|| self.sum_nanos as f64 * 1e-9 / count as f64)
    }
}

impl AccountStatistics {
    fn new() -> Self {
        Self {
            attempts: 0,
            successes: 0,
            failures: [0; FailureKind::ALL.len()],
            input_tokens: 0,
            output_tokens: 0,
            cost: NanoUsd(0),
            latency: Histogram::coarse(),
            first_token: Histogram::coarse(),
            last_success: None,
        }
    }
}

/// One segment for each combination that has occurred.
#[derive(Clone, Debug)]
struct Segments {
    /// Position in `segments` by combination; `u32::MAX` = has not occurred.
    positions: Vec<u32>,
    segments: Vec<([u16; 5], Segment)>,
    /// Values of each dimension.
    sizes: [usize; 5],
}

impl Segments {
    fn new(regions: usize, models: usize) -> Self {
        let sizes = [
            RequestPriority::ALL.len(),
            regions + 1,
            models,
            Provider::ALL.len() + 1,
            Strategy::ALL.len() + 1,
        ];
        Self {
            positions: vec![u32::MAX; sizes.iter().product()],
            segments: vec![],
            sizes,
        }
    }

    #[inline]
    fn of(&mut self, record: &RequestRecord, provider: Option<Provider>) -> &mut Segment {
        let [_, regions, _, providers, strategies] = self.sizes;
        let RequestRecord {
            region,
            model: ModelIndex(model),
            strategy,
            ..
        } = *record;
        let combination = [
            record.priority.at(),
            region.map_or(regions - 1, RegionIndex::at),
            usize::from(model),
            provider.map_or(providers - 1, Provider::at),
            strategy.map_or(strategies - 1, Strategy::at),
        ];
        let [priority, region, model, provider, strategy] = combination;
        let place = (priority * regions + region) * self.sizes[2] + model;
        let place = (place * providers + provider) * strategies + strategy;
        if self.positions[place] == u32::MAX {
            self.positions[place] = self.segments.len() as u32;
            let combination = combination.map(|value| value as u16);
            self.segments.push((combination, Segment::new()));
        }
        &mut self.segments[self.positions[place] as usize].1
    }

    fn by(&self, dimension: Dimension) -> Vec<(usize, Segment)> {
        let mut sums: Vec<Option<Segment>> = vec![None; self.sizes[dimension as usize]];
        for (combination, segment) in &self.segments {
            let value = usize::from(combination[dimension as usize]);
            sums[value].get_or_insert_with(Segment::new).add(segment);
        }
        let numbered = sums.into_iter().enumerate();
        numbered
            .filter_map(|(value, sum)| Some((value, sum?)))
            .collect()
    }
}

impl Segment {
    fn new() -> Self {
        Self {
            requests: 0,
            successes: 0,
            cache_hits: 0,
            coalesced: 0,
            input_tokens: 0,
            output_tokens: 0,
            cost: NanoUsd(0),
            latency_all: Histogram::coarse(),
            first_token_all: Histogram::coarse(),
        }
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.successes += other.successes;
        self.cache_hits += other.cache_hits;
        self.coalesced += other.coalesced;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cost += other.cost;
        self.latency_all.merge(&other.latency_all);
        self.first_token_all.merge(&other.first_token_all);
    }
}
