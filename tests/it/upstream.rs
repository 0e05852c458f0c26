//! The far ends through their public interface.

mod abandoned;
mod faults;
mod noise;
mod sharing;
mod slots;
mod swarm;

use routelab::distribution::Distribution;
use routelab::request::{
    AccountIndex, AttemptId, ClassIndex, FailureKind, ModelIndex, Request, RequestFeatures,
    RequestId, RequestPriority, RequestType, Usage, UserPreferences,
};
use routelab::rng::Streams;
use routelab::time::{Duration, Timestamp};
use routelab::upstream::config::{
    Abandoned, AccountBehaviour, Capacity, RoundTrips, Service, Speeds, UpstreamConfig,
};
use routelab::upstream::{Fleet, UpstreamEvent};

fn constant(value: f64) -> Distribution {
    Distribution::constant(value).unwrap()
}

fn ms(millis: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_millis(millis)
}

/// A request for model 0 with 1000 input tokens, 200 of them cached, and 10 output tokens.
fn request(id: u64, streaming: bool) -> Request {
    Request {
        id: RequestId(id),
        key: id,
        class: ClassIndex(0),
        user: None,
        features: RequestFeatures {
            model: ModelIndex(0),
            estimated_tokens: 1_000,
            max_output_tokens: None,
            priority: RequestPriority::Normal,
            request_type: RequestType::Chat,
            streaming,
            user_region: None,
            preferences: UserPreferences::default(),
            cache_key: None,
        },
        tokens: Usage {
            input: 1_000,
            cached_input: 200,
            output: 10,
        },
    }
}

/// First token after 100 ms, then ten tokens of 10 ms: 200 ms in all.
fn two_hundred_millis() -> Service {
    Service::Tokens {
        first_token: constant(0.1),
        first_token_per_1k_input: Duration::ZERO,
        per_output_token: constant(0.01),
    }
}

fn account(capacity: Capacity) -> AccountBehaviour {
    AccountBehaviour {
        region: None,
        service_of_model: vec![Some(0)],
        capacity,
        abandoned: Abandoned::Frees,
        quota: None,
        failures: Vec::new(),
    }
}

fn config(service: Service, accounts: Vec<AccountBehaviour>) -> UpstreamConfig {
    UpstreamConfig {
        accounts,
        services: vec![service],
        quotas: Vec::new(),
        network: RoundTrips::default(),
        faults: Vec::new(),
        incidents: Vec::new(),
    }
}

fn slots(servers: u32, queue: u32) -> Capacity {
    Capacity::Slots {
        servers,
        queue,
        refusal: FailureKind::Overloaded,
    }
}

fn shared(speeds: Speeds, limit: u32, queue: u32) -> Capacity {
    Capacity::Shared {
        speeds,
        limit,
        queue,
        refusal: FailureKind::Overloaded,
    }
}

/// A fleet, and a log of what it reports: one line an event, time in milliseconds.
struct Bench {
    fleet: Fleet,
    log: Vec<String>,
}

impl Bench {
    fn new(config: &UpstreamConfig) -> Self {
        Self {
            fleet: Fleet::new(config, Streams::new(1, 0)),
            log: Vec::new(),
        }
    }

    /// Everything due up to and including `millis`.
    fn run_to(&mut self, millis: u64) {
        while let Some(time) = self.fleet.next_event().filter(|time| *time <= ms(millis)) {
            while let Some(event) = self.fleet.advance(time) {
                let at = time.as_nanos() as f64 / 1e6;
                self.log.push(format!("{at} {}", describe(event)));
            }
        }
    }

    /// Begins attempt `id`, for the request of the same number, on account 0.
    fn begin(&mut self, millis: u64, id: u32, streaming: bool) {
        let request = request(u64::from(id), streaming);
        self.begin_request(millis, id, 0, &request);
    }

    fn begin_request(&mut self, millis: u64, id: u32, account: u32, request: &Request) {
        self.run_to(millis);
        let (attempt, to) = (AttemptId(id), AccountIndex(account));
        self.fleet.begin(ms(millis), attempt, to, 0, request);
    }

    fn cancel(&mut self, millis: u64, id: u32) -> (u32, u32) {
        self.run_to(millis);
        let usage = self.fleet.cancel(ms(millis), AttemptId(id));
        (usage.input, usage.output)
    }

    /// Runs to the end and gives the log.
    fn finish(mut self) -> Vec<String> {
        self.run_to(1_000_000);
        self.log
    }
}

fn describe(event: UpstreamEvent) -> String {
    match event {
        UpstreamEvent::FirstToken { attempt } => format!("#{} first", attempt.0),
        UpstreamEvent::Progress { attempt } => format!("#{} progress", attempt.0),
        UpstreamEvent::Finished { attempt, usage } => {
            format!("#{} finished {}+{}", attempt.0, usage.input, usage.output)
        }
        UpstreamEvent::Failed {
            attempt,
            failure,
            usage,
        } => {
            let wait = failure
                .retry_after
                .map_or(String::new(), |w| format!(" after {w}"));
            let tokens = format!("{}+{}", usage.input, usage.output);
            format!("#{} {}{wait} {tokens}", attempt.0, failure.kind)
        }
    }
}
