//! Made-up results for the tests of the report: shaped like those of a real run, computed in a
//! blink. An outage of the first third of the accounts lasts from 40 % to 55 % of the run.

use crate::distribution::Distribution;
use crate::experiment::metric::{Metric, Metrics};
use crate::experiment::results::{
    AccountDescription, AccountTotals, BreakerSpan, Counts, Description, FaultDescription,
    FaultImpact, LatencyHistograms, Observed, ReplicationResults, ScenarioResults, SegmentTotals,
    StrategyResults, Timeline, Window,
};
use crate::histogram::Histogram;
use crate::record::Strategy;
use crate::report::Environment;
use crate::request::{FailureKind, Provider};
use crate::rng::{Purpose, Rng, Streams};
use crate::time::{Duration, Timestamp};
use crate::units::NanoUsd;

/// What the made-up results look like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Name and strategy of the arms.
    pub arms: Vec<(&'static str, Strategy)>,
    /// Accounts.
    pub accounts: usize,
    /// Lanes, at most as many.
    pub lanes: usize,
    /// Replications.
    pub replications: u32,
    /// Windows of 5 s.
    pub windows: usize,
    /// Requests per window and replication.
    pub per_window: u64,
    /// Whether any request succeeds.
    pub successes: bool,
    /// Whether answers are streamed.
    pub streaming: bool,
    /// Whether there is an outage.
    pub outage: bool,
}

impl Shape {
    /// Ten arms, ten accounts, 600 s with an outage from 240 to 330 s.
    pub fn realistic() -> Self {
        Self {
            arms: vec![
                ("round_robin", Strategy::RoundRobin),
                ("weighted_round_robin", Strategy::WeightedRoundRobin),
                ("least_connections", Strategy::LeastConnections),
                ("fastest_response", Strategy::FastestResponse),
                ("health_based", Strategy::HealthBased),
                ("adaptive", Strategy::Adaptive),
                ("geographic", Strategy::Geographic),
                ("random", Strategy::Random),
                ("naive", Strategy::RoundRobin),
                ("smart", Strategy::Smart),
            ],
            accounts: 10,
            lanes: 10,
            replications: 10,
            windows: 120,
            per_window: 200,
            successes: true,
            streaming: true,
            outage: true,
        }
    }

    /// Two arms and few requests: small enough to read its files.
    pub fn small() -> Self {
        Self {
            arms: vec![
                ("round_robin", Strategy::RoundRobin),
                ("smart", Strategy::Smart),
            ],
            accounts: 2,
            lanes: 2,
            replications: 6,
            windows: 4,
            per_window: 20,
            ..Self::realistic()
        }
    }

    const WINDOW: Duration = Duration::from_secs(5);

    fn at(&self, share: f64) -> Timestamp {
        let length = Self::WINDOW.as_nanos() * self.windows as u64;
        Timestamp::ZERO + Duration::from_nanos(length).scale(share)
    }

    /// The results.
    pub fn results(&self) -> ScenarioResults {
        let arms = self.arms.iter().enumerate();
        ScenarioResults {
            description: self.description(),
            strategies: arms
                .map(|(at, &(name, strategy))| Arm::new(self, at).results(name, strategy))
                .collect(),
            interrupted: false,
        }
    }

    fn description(&self) -> Description {
        let faults = [FaultDescription {
            name: "outage of provider anthropic".into(),
            start: self.at(0.40),
            end: self.at(0.55),
        }];
        Description {
            name: "outage".into(),
            question: "What do users notice when a provider is down for 90 s?".into(),
            expectation: "Strategies with a breaker recover within a window.".into(),
            resolved_toml: "duration = \"600s\"\n".into(),
            seed: 42,
            policy_seed: 7,
            replications: self.replications,
            duration: self.at(1.0).since(Timestamp::ZERO),
            warmup: Duration::ZERO,
            deadline: Some(Duration::from_secs(30)),
            latency_objective: Duration::from_secs(10),
            accounts: (0..self.accounts).map(|at| self.account(at)).collect(),
            lanes: (0..self.lanes).map(|at| self.lane(at)).collect(),
            faults: faults.into_iter().filter(|_| self.outage).collect(),
            baseline: 0,
            inputs: vec![("trace.csv".into(), "00".repeat(32))],
        }
    }

    fn provider(&self, account: usize) -> Provider {
        Provider::ALL[(account * 3 / self.accounts).min(2)]
    }

    fn account(&self, at: usize) -> AccountDescription {
        AccountDescription {
            id: format!("{}-{at}", self.provider(at)),
            provider: self.provider(at),
            region: ["us-east", "eu-west"][at % 2].into(),
            lane: at * self.lanes / self.accounts,
        }
    }

    fn lane(&self, at: usize) -> String {
        let first = (0..self.accounts).find(|account| account * self.lanes / self.accounts == at);
        format!("{}-{at}", self.provider(first.unwrap_or(0)))
    }
}

/// One arm in the making: the higher its number, the sooner it turns away from the outage.
struct Arm<'a> {
    shape: &'a Shape,
    at: usize,
    rng: Rng,
    total: Vec<Counts>,
    latency: LatencyHistograms,
    timeline: Timeline,
}

impl<'a> Arm<'a> {
    fn new(shape: &'a Shape, at: usize) -> Self {
        let fine = Histogram::fine;
        Self {
            shape,
            at,
            rng: Streams::new(3, at as u32).stream(Purpose::Arrivals, 0),
            total: vec![Counts::default(); shape.replications as usize],
            latency: LatencyHistograms {
                ok: fine(),
                all: fine(),
                first_token_ok: fine(),
                first_token_all: fine(),
            },
            timeline: Timeline {
                window: Shape::WINDOW,
                windows: Vec::new(),
                dispatches: Vec::new(),
                open_nanos: Vec::new(),
                lane_targets: vec![1; shape.lanes],
            },
        }
    }

    fn results(mut self, name: &str, strategy: Strategy) -> StrategyResults {
        (0..self.shape.windows).for_each(|window| self.window(window));
        let latency = self.latency.all.clone();
        let total = self.total.first().copied().unwrap_or_default();
        StrategyResults {
            name: name.to_owned(),
            strategy,
            replications: self.replications(),
            accounts: vec![self.account(&latency); self.shape.accounts],
            segments: vec![SegmentTotals {
                dimension: "priority",
                value: "high".into(),
                requests: total.requests,
                successes: total.successes,
                cost: total.cost,
                latency_all: latency,
            }],
            faults: self.impacts(),
            breaker_spans: self.spans(),
            latency: self.latency,
            timeline: self.timeline,
        }
    }

    /// Share of requests that fail in a window.
    fn trouble(&self, window: usize) -> f64 {
        let place = window as f64 / self.shape.windows as f64;
        let calm = 0.002;
        if !self.shape.outage || !(0.40..0.55).contains(&place) {
            return calm;
        }
        let blind = 0.15 / (1.0 + self.at as f64 * 0.8);
        if place < 0.40 + blind {
            0.2
        } else {
            calm * 3.0
        }
    }

    fn window(&mut self, window: usize) {
        let shape = self.shape;
        let trouble = self.trouble(window);
        let median = 2.2 - 0.07 * self.at as f64 + 3.0 * trouble;
        let latency = Distribution::lognormal(median, 0.75).unwrap();
        let first_token = Distribution::lognormal(0.4 + trouble, 0.6).unwrap();
        let mut sum = Window {
            requests: 0,
            successes: 0,
            within_objective: 0,
            rejections: 0,
            attempts: 0,
            cost: NanoUsd(0),
            latency_all: Histogram::coarse(),
        };
        for replication in 0..shape.replications as usize {
            for _ in 0..shape.per_window {
                let ok = shape.successes && self.rng.uniform() > trouble;
                let time = latency.sample_duration(&mut self.rng);
                let token = first_token.sample_duration(&mut self.rng);
                self.request(replication, ok, time, token, &mut sum);
            }
        }
        let outage = trouble > 0.01;
        for lane in 0..shape.lanes {
            let open = outage && lane * 3 < shape.lanes && self.at > 0;
            let per_lane = sum.attempts / shape.lanes as u64;
            let tilt = per_lane * (lane * self.at) as u64 / 60;
            self.timeline
                .dispatches
                .push(if open { per_lane / 20 } else { per_lane + tilt });
            let nanos = Shape::WINDOW.as_nanos() * u64::from(shape.replications);
            self.timeline.open_nanos.push(if open { nanos } else { 0 });
        }
        self.timeline.windows.push(sum);
    }

    fn request(
        &mut self,
        replication: usize,
        ok: bool,
        time: Duration,
        token: Duration,
        window: &mut Window,
    ) {
        let late = Duration::from_secs(30);
        let (time, token) = if ok {
            (time.min(late), token)
        } else {
            (late, late)
        };
        let cost = NanoUsd(9_000_000 - 350_000 * self.at as u64 + time.as_nanos() / 9_000);
        let counts = &mut self.total[replication];
        counts.simulated += 1;
        counts.requests += 1;
        counts.successes += u64::from(ok);
        counts.failures += u64::from(!ok);
        counts.attempts += 1 + u64::from(!ok);
        counts.failed_attempts[FailureKind::Unavailable.at()] += u64::from(!ok) * 2;
        counts.input_tokens += 900;
        counts.output_tokens += 200;
        counts.cost += cost;
        counts.wasted += if ok { NanoUsd(0) } else { cost };
        window.requests += 1;
        window.successes += u64::from(ok);
        window.within_objective += u64::from(ok && time < Duration::from_secs(10));
        window.attempts += 1 + u64::from(!ok);
        window.cost += cost;
        window.latency_all.record(time);
        self.latency.all.record(time);
        if self.shape.streaming {
            self.latency.first_token_all.record(token);
        }
        if ok {
            self.latency.ok.record(time);
            if self.shape.streaming {
                self.latency.first_token_ok.record(token);
            }
        }
    }

    fn replications(&mut self) -> Vec<ReplicationResults> {
        let totals = self.total.clone();
        let finish = |counts: Counts| ReplicationResults {
            metrics: self.metrics(&counts),
            counts,
        };
        totals.into_iter().map(finish).collect()
    }

    fn metrics(&mut self, counts: &Counts) -> Metrics {
        let mut metrics = Metrics::default();
        let seconds = self.shape.windows as f64 * 5.0;
        let successes = counts.successes as f64;
        metrics[Metric::SuccessRate] = successes / counts.requests as f64;
        metrics[Metric::Goodput] = 0.97 * successes / seconds;
        metrics[Metric::RejectedRate] = 0.0;
        metrics[Metric::AttemptsPerRequest] = counts.attempts as f64 / counts.requests as f64;
        metrics[Metric::CostPer1kSuccesses] = counts.cost.as_usd_f64() * 1e3 / successes;
        metrics[Metric::WastedCostShare] = counts.wasted.0 as f64 / counts.cost.0 as f64;
        metrics[Metric::BreakerOpenings] = f64::from(self.rng.below(4)) + self.at as f64;
        let noise = 0.97 + 0.06 * self.rng.uniform();
        let quantile = |histogram: &Histogram, q| {
            let length = histogram.quantile(q);
            length.map_or(f64::NAN, |length| length.as_secs_f64() * noise)
        };
        metrics[Metric::LatencyP50All] = quantile(&self.latency.all, 0.5);
        metrics[Metric::LatencyP99All] = quantile(&self.latency.all, 0.99);
        metrics[Metric::LatencyP99Ok] = quantile(&self.latency.ok, 0.99);
        metrics[Metric::FirstTokenP99All] = quantile(&self.latency.first_token_all, 0.99);
        if !self.shape.successes {
            metrics[Metric::CostPer1kSuccesses] = f64::NAN;
        }
        metrics
    }

    fn account(&self, latency: &Histogram) -> AccountTotals {
        let total = self.total.first().copied().unwrap_or_default();
        AccountTotals {
            attempts: total.attempts,
            successes: total.successes,
            failed_attempts: total.failed_attempts,
            input_tokens: total.input_tokens,
            output_tokens: total.output_tokens,
            cost: total.cost,
            latency: latency.clone(),
            breaker_openings: 2,
            breaker_open: Duration::from_millis(61_500),
            cooling: Duration::from_secs(5),
            disabled: 0,
        }
    }

    fn impacts(&self) -> Vec<FaultImpact> {
        if !self.shape.outage {
            return Vec::new();
        }
        let times = |scale: u64| -> Vec<Observed> {
            let observe = |r: u64| {
                let length = Duration::from_millis(1_000 + scale * r / (1 + self.at as u64));
                if r % 4 == 3 && self.at == 0 {
                    Observed::NotWithin(length)
                } else {
                    Observed::After(length)
                }
            };
            (0..u64::from(self.shape.replications))
                .map(observe)
                .collect()
        };
        vec![FaultImpact {
            detect: times(100),
            mitigate: times(3_000),
            restore: times(9_000),
            success_rate_during: vec![0.9; self.shape.replications as usize],
        }]
    }

    fn spans(&self) -> Vec<BreakerSpan> {
        if !self.shape.outage || self.at == 0 {
            return Vec::new();
        }
        let concerned = 0..self.shape.accounts.div_ceil(3);
        let spans = concerned.flat_map(|account| {
            let start = self.shape.at(0.403 + account as f64 * 0.002);
            let probe = start + Duration::from_secs(60);
            let open = [(start, probe, false)];
            let half = probe + Duration::from_millis(900);
            let again = [
                (probe, half, true),
                (half, half + Duration::from_secs(60), false),
            ];
            let end = [(
                half + Duration::from_secs(60),
                half + Duration::from_secs(63),
                true,
            )];
            open.into_iter()
                .chain(again)
                .chain(end)
                .map(move |(start, end, half_open)| BreakerSpan {
                    account,
                    half_open,
                    start,
                    end,
                })
        });
        spans.collect()
    }
}

/// An environment.
pub fn environment() -> Environment {
    Environment {
        host: "bench".into(),
        os: "linux x86_64".into(),
        cpus: 2,
        git_commit: None,
        started: "2026-01-01T00:00:00Z".into(),
        finished: "2026-01-01T00:00:02Z".into(),
        elapsed: Duration::from_millis(2_000),
    }
}
