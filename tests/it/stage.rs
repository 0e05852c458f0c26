//! A gateway on a stage: accounts, requests and answers made by hand, every action in view.
//!
//! What tests need to know of the pool's inside is read here and nowhere else, so that the inside
//! may change without the tests.

pub mod book;
pub mod table;

use routelab::record::{AttemptRecord, RequestRecord, Strategy};
use routelab::request::{
    AccountIndex, AttemptId, ClassIndex, Failure, FailureKind, ModelIndex, Provider,
    RequestFeatures, RequestId, RequestPriority, RequestType, Usage, UserPreferences,
};
use routelab::rng::Rng;
use routelab::routing::account::{Account, Availability, RateLimits, ServedModel};
use routelab::routing::cache::CachePlace;
use routelab::routing::config::RoutingConfig;
use routelab::routing::gateway::{Action, AnswerSource, Gateway, Observer, RequestHandle};
use routelab::routing::geography::Geography;
use routelab::routing::pool::TargetTransition;
use routelab::routing::statistics::{Statistics, StatisticsConfig};
use routelab::routing::target::TargetIndex;
use routelab::time::{Duration, Timestamp};
use routelab::units::{Price, Prices};

/// Every strategy that picks targets itself.
pub const PLAIN: [Strategy; 8] = [
    Strategy::RoundRobin,
    Strategy::WeightedRoundRobin,
    Strategy::LeastConnections,
    Strategy::FastestResponse,
    Strategy::HealthBased,
    Strategy::Adaptive,
    Strategy::Geographic,
    Strategy::Random,
];

/// What an answer consumes unless a test says otherwise: 1,000 in, 100 out.
pub const USAGE: Usage = Usage {
    input: 1_000,
    cached_input: 0,
    output: 100,
};

pub fn at(millis: u64) -> Timestamp {
    Timestamp::ZERO + ms(millis)
}

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Account `a{n}`: Anthropic's, serving model 0 at $1 in and $2 out, weight 1, 100 in flight.
pub fn account(n: usize) -> Account {
    Account {
        id: format!("a{n}"),
        provider: Provider::Anthropic,
        region: None,
        models: vec![served(0, 1.0)],
        weight: 1,
        max_in_flight: 100,
        limits: RateLimits::default(),
        organisation: None,
        availability: Availability::Enabled,
    }
}

/// A model at `usd` per million input tokens and twice that for output.
pub fn served(model: u16, usd: f64) -> ServedModel {
    let price = |usd| Price::usd_per_mtok(usd).unwrap();
    ServedModel {
        model: ModelIndex(model),
        prices: Prices {
            input: price(usd),
            output: price(2.0 * usd),
            cached_input: price(usd),
        },
        quality: 3,
        context_window: 200_000,
    }
}

pub fn accounts(count: usize) -> Vec<Account> {
    (0..count).map(account).collect()
}

/// A plain request for model 0: normal priority, no wishes.
pub fn features() -> RequestFeatures {
    RequestFeatures {
        model: ModelIndex(0),
        estimated_tokens: 1_000,
        max_output_tokens: None,
        priority: RequestPriority::Normal,
        request_type: RequestType::Chat,
        streaming: false,
        user_region: None,
        preferences: UserPreferences::default(),
        cache_key: None,
    }
}

pub fn streaming() -> RequestFeatures {
    RequestFeatures {
        streaming: true,
        ..features()
    }
}

/// The defaults with this strategy, and one attempt a request.
pub fn once(strategy: Strategy) -> RoutingConfig {
    let mut config = retrying(strategy);
    config.retry.max_attempts = 1;
    config
}

/// The defaults with this strategy.
pub fn retrying(strategy: Strategy) -> RoutingConfig {
    RoutingConfig {
        strategy,
        ..RoutingConfig::default()
    }
}

/// An attempt as sent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sent {
    pub attempt: AttemptId,
    pub request: RequestHandle,
    pub account: usize,
}

/// Something that the gateway asks for or tells.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Event {
    AttemptEnded(AttemptRecord),
    RequestEnded(RequestHandle, RequestRecord),
    Waits(RequestHandle),
    Kept(RequestHandle, CachePlace),
    Copied(AnswerSource, RequestHandle),
    Dropped(CachePlace),
    Asked(Action),
}

/// Notes what the gateway tells.
#[derive(Clone, Default)]
pub struct Notes {
    events: Vec<Event>,
    /// What the last request to end counts with.
    pub latency: Option<Duration>,
}

impl Observer for Notes {
    fn attempt_ended(&mut self, record: &AttemptRecord) {
        self.events.push(Event::AttemptEnded(*record));
    }

    fn request_ended(&mut self, request: RequestHandle, record: &RequestRecord, latency: Duration) {
        self.events.push(Event::RequestEnded(request, *record));
        self.latency = Some(latency);
    }

    fn request_waits(&mut self, request: RequestHandle) {
        self.events.push(Event::Waits(request));
    }

    fn answer_kept(&mut self, request: RequestHandle, place: CachePlace) {
        self.events.push(Event::Kept(request, place));
    }

    fn answer_copied(&mut self, source: AnswerSource, request: RequestHandle) {
        self.events.push(Event::Copied(source, request));
    }

    fn answer_dropped(&mut self, place: CachePlace) {
        self.events.push(Event::Dropped(place));
    }
}

impl Notes {
    /// What was told since the last time, then what is asked for: each in order.
    pub fn drain(&mut self, gateway: &mut Gateway) -> Vec<Event> {
        let mut all = std::mem::take(&mut self.events);
        all.extend(std::iter::from_fn(|| gateway.poll_action()).map(Event::Asked));
        all
    }
}

/// What came of one report to the gateway.
#[derive(Clone, PartialEq, Debug)]
pub struct Actions(pub Vec<Event>);

impl Actions {
    /// The attempt sent; at most one is expected.
    pub fn sent(&self) -> Option<Sent> {
        let mut all = self.0.iter().filter_map(|action| match *action {
            Event::Asked(Action::Dispatch {
                attempt,
                request,
                account: AccountIndex(account),
                ..
            }) => Some(Sent {
                attempt,
                request,
                account: account as usize,
            }),
            _ => None,
        });
        let first = all.next();
        assert_eq!(all.next(), None, "one attempt at a time");
        first
    }

    /// The request that has ended; at most one is expected.
    pub fn ended(&self) -> Option<RequestRecord> {
        let mut all = self.0.iter().filter_map(|action| match action {
            Event::RequestEnded(_, record) => Some(*record),
            _ => None,
        });
        let first = all.next();
        assert_eq!(all.next(), None, "one request ends at a time");
        first
    }

    /// The attempt that has ended; at most one is expected.
    pub fn attempt(&self) -> Option<AttemptRecord> {
        self.0.iter().find_map(|action| match action {
            Event::AttemptEnded(record) => Some(*record),
            _ => None,
        })
    }

    /// The attempts to be given up.
    pub fn cancels(&self) -> Vec<(AttemptId, FailureKind)> {
        let cancels = self.0.iter().filter_map(|action| match *action {
            Event::Asked(Action::Cancel { attempt, failure }) => Some((attempt, failure)),
            _ => None,
        });
        cancels.collect()
    }
}

/// A gateway, driven by hand.
#[derive(Clone)]
pub struct Stage {
    pub gateway: Gateway,
    pub notes: Notes,
    requests: u64,
}

impl Stage {
    pub fn new(config: &RoutingConfig, accounts: &[Account]) -> Self {
        Self::seeded(config, accounts, Geography::default(), 1)
    }

    pub fn seeded(
        config: &RoutingConfig,
        accounts: &[Account],
        geography: Geography,
        seed: u64,
    ) -> Self {
        let statistics = StatisticsConfig {
            since: Timestamp::ZERO,
            deadline: config.deadline,
            failure_latency: config.deadline,
            latency_objective: secs(10),
        };
        let statistics = Statistics::new(statistics, geography.regions(), 4);
        let policy = Rng::from_state(seed);
        let mut gateway = Gateway::new(config, geography, statistics, policy);
        for account in accounts {
            gateway.upsert(Timestamp::ZERO, account.clone());
        }
        Self {
            gateway,
            notes: Notes::default(),
            requests: 0,
        }
    }

    /// Everything that the gateway has to say now.
    pub fn drain(&mut self) -> Actions {
        Actions(self.notes.drain(&mut self.gateway))
    }

    /// A request arrives.
    pub fn request(&mut self, now: Timestamp, features: &RequestFeatures) -> Actions {
        let id = RequestId(self.requests);
        self.requests += 1;
        let notes = &mut self.notes;
        self.gateway
            .on_request(now, id, ClassIndex(0), features, notes);
        self.drain()
    }

    /// A request arrives that somebody is expected to take.
    pub fn send(&mut self, now: Timestamp, features: &RequestFeatures) -> Sent {
        let actions = self.request(now, features);
        actions.sent().unwrap_or_else(|| panic!("{actions:?}"))
    }

    /// So many requests at one instant, all of them expected to be taken.
    pub fn burst(&mut self, count: u32, now: Timestamp, features: &RequestFeatures) -> Vec<Sent> {
        (0..count).map(|_| self.send(now, features)).collect()
    }

    /// An attempt ends after consuming [`USAGE`].
    pub fn end(&mut self, now: Timestamp, sent: Sent, failure: Option<Failure>) -> Actions {
        self.end_using(now, sent, failure, USAGE)
    }

    /// An attempt ends after consuming `usage`.
    pub fn end_using(
        &mut self,
        now: Timestamp,
        sent: Sent,
        failure: Option<Failure>,
        usage: Usage,
    ) -> Actions {
        let notes = &mut self.notes;
        self.gateway
            .on_ended(now, sent.attempt, failure, usage, notes);
        self.drain()
    }

    pub fn succeed(&mut self, now: Timestamp, sent: Sent) -> Actions {
        self.end(now, sent, None)
    }

    pub fn fail(&mut self, now: Timestamp, sent: Sent, kind: FailureKind) -> Actions {
        self.end(now, sent, Some(kind.into()))
    }

    /// A 429 that names `wait`.
    pub fn limit(&mut self, now: Timestamp, sent: Sent, wait: Option<Duration>) -> Actions {
        let failure = Failure {
            kind: FailureKind::RateLimited,
            retry_after: wait,
        };
        self.end(now, sent, Some(failure))
    }

    /// Timers expire; nothing is carried out.
    pub fn timer(&mut self, now: Timestamp) -> Actions {
        self.gateway.on_timer(now, &mut self.notes);
        self.drain()
    }

    /// Transitions of breakers since the last call.
    pub fn transitions(&mut self) -> Vec<TargetTransition> {
        std::iter::from_fn(|| self.gateway.poll_transition()).collect()
    }

    /// One whole request: sent at `now`, answered `took` later. Returns the account.
    pub fn serve(&mut self, now: Timestamp, took: Duration) -> usize {
        let sent = self.send(now, &features());
        self.succeed(now + took, sent);
        sent.account
    }

    /// Measures every account, whatever the strategy: as many requests at once as it takes to have
    /// sent one to each, answered by account `i` after `took[i]`.
    pub fn measure(&mut self, now: Timestamp, took: &[Duration]) {
        let mut sent: Vec<Sent> = vec![];
        while (0..took.len()).any(|i| sent.iter().all(|sent| sent.account != i)) {
            sent.push(self.send(now, &features()));
            assert!(sent.len() < 10_000, "some account is never chosen");
        }
        sent.sort_by_key(|sent| took[sent.account]);
        for sent in sent {
            self.succeed(now + took[sent.account], sent);
        }
    }

    pub fn in_flight(&self, account: usize) -> u32 {
        let pool = self.gateway.balancer().pool();
        pool.in_flight(AccountIndex(account as u32))
    }

    /// Estimated response time in seconds.
    pub fn response(&self, account: usize) -> Option<f64> {
        let pool = self.gateway.balancer().pool();
        pool.response_seconds(TargetIndex(account as u32))
    }

    /// The health score as of the last event.
    pub fn health(&self, account: usize) -> f64 {
        let (_, metrics) = &self.gateway.get_all_metrics(Timestamp::ZERO)[account];
        metrics.calculate_health_score()
    }
}
