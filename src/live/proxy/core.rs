//! The one routing core behind a mutex, and what passes between it and the requests' tasks.
//!
//! A task reports what happens to its request; whatever the core decides on, for this request or
//! for another, is put into the mailbox of the request that it concerns while the lock is held. So
//! no decision is made outside of the core, and none is lost. The lock is never held across a wait.
//!
//! Why a lock and not a task that owns the core: a decision takes well under a microsecond, less
//! than a message there and back (`routelab decide` measures both kinds of cost).

use super::account::{AccountError, Endpoint, ProxyAccount};
use super::log::{BreakerChange, Log, Tag, Trace};
use crate::live::chat::Answer;
use crate::live::clock::Clock;
use crate::record::{AttemptRecord, RequestRecord};
use crate::request::{
    AttemptId, ClassIndex, Failure, FailureKind, ModelIndex, RegionIndex, RequestFeatures,
    RequestId, Usage,
};
use crate::rng::{Purpose, Streams};
use crate::routing::account::Availability;
use crate::routing::cache::CachePlace;
use crate::routing::config::RoutingConfig;
use crate::routing::gateway::{Action, AnswerSource, Gateway, Observer, RequestHandle};
use crate::routing::geography::Geography;
use crate::routing::pool::TargetTransition;
use crate::routing::statistics::{Statistics, StatisticsConfig};
use crate::time::{Duration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Most models that one proxy tells apart in its statistics.
pub(super) const MOST_MODELS: usize = 256;

/// What the core has decided for a request.
#[derive(Debug)]
pub(super) enum Order {
    /// Send it.
    Dispatch(Dispatch),
    /// Give this attempt up, and report its end with this failure.
    Cancel(AttemptId, FailureKind),
    /// It is over.
    Ended(Box<Ending>),
}

/// An attempt to be made.
#[derive(Clone, Debug)]
pub(super) struct Dispatch {
    /// Its name in reports.
    pub attempt: AttemptId,
    /// Where to.
    pub endpoint: Arc<Endpoint>,
}

/// How a request ended.
#[derive(Debug)]
pub(super) struct Ending {
    /// All about it.
    pub record: RequestRecord,
    /// The answer, where it is the cache's or another's.
    pub answer: Option<Arc<Answer>>,
}

/// A request's place with the core: its number, and where its orders come.
pub(super) struct Place {
    pub(super) id: RequestId,
    pub(super) handle: RequestHandle,
    pub(super) orders: UnboundedReceiver<Order>,
}

/// What a core is made of; the fields are those of [`super::ProxyConfig`].
pub(super) struct CoreConfig {
    pub(super) routing: RoutingConfig,
    pub(super) regions: Vec<String>,
    pub(super) round_trips: Vec<Duration>,
    pub(super) seed: u64,
    pub(super) warmup: Duration,
    pub(super) log: Option<Box<dyn Log>>,
    pub(super) clock: Clock,
}

/// The core, and all that is shared between requests.
pub(super) struct Core {
    clock: Clock,
    state: Mutex<State>,
    /// The core's next timer has come closer.
    closer: Arc<Notify>,
}

pub(super) struct State {
    pub(super) gateway: Gateway,
    desk: Desk,
    /// The request behind each of the gateway's handles.
    requests: Vec<RequestId>,
    next_id: u64,
    endpoints: Vec<Arc<Endpoint>>,
    /// The accounts as last described, in the core's order.
    described: Vec<ProxyAccount>,
    models: Vec<String>,
    regions: Vec<String>,
    /// What the timer's task sleeps towards.
    armed: Timestamp,
}

/// Mailboxes, and answers that are kept for others.
struct Desk {
    mail: BTreeMap<RequestId, UnboundedSender<Order>>,
    /// What is told to the log, where there is one.
    traces: BTreeMap<RequestId, (Tag, Vec<AttemptRecord>)>,
    kept: BTreeMap<u32, Arc<Answer>>,
    /// The answer with which the present report ends an attempt.
    finishing: Option<Arc<Answer>>,
    /// The answer that the request is about to end with.
    copied: Option<(RequestHandle, Arc<Answer>)>,
    names: Vec<String>,
    models: Vec<String>,
    log: Option<Box<dyn Log>>,
}

impl Observer for Desk {
    fn attempt_ended(&mut self, record: &AttemptRecord) {
        if self.log.is_some() {
            let trace = self.traces.entry(record.request).or_default();
            trace.1.push(*record);
        }
    }

    fn request_ended(&mut self, request: RequestHandle, record: &RequestRecord, _: Duration) {
        let copied = self.copied.take_if(|(whose, _)| *whose == request);
        if let Some(log) = &mut self.log {
            let (tag, attempts) = self.traces.remove(&record.request).unwrap_or_default();
            log.request_ended(&Trace {
                record,
                attempts: &attempts,
                accounts: &self.names,
                models: &self.models,
                tag: &tag,
            });
        }
        let Some(mail) = self.mail.remove(&record.request) else {
            return;
        };
        // Nobody reads it if the client has left.
        let _ = mail.send(Order::Ended(Box::new(Ending {
            record: *record,
            answer: copied.map(|(_, answer)| answer),
        })));
    }

    fn answer_kept(&mut self, _: RequestHandle, place: CachePlace) {
        if let Some(answer) = &self.finishing {
            self.kept.insert(place.0, Arc::clone(answer));
        }
    }

    fn answer_copied(&mut self, source: AnswerSource, request: RequestHandle) {
        let answer = match source {
            AnswerSource::Cache(place) => self.kept.get(&place.0),
            AnswerSource::Request(_) => self.finishing.as_ref(),
        };
        self.copied = answer.map(|answer| (request, Arc::clone(answer)));
    }

    fn answer_dropped(&mut self, place: CachePlace) {
        self.kept.remove(&place.0);
    }
}

impl Core {
    /// A core without accounts.
    pub fn new(config: CoreConfig) -> Self {
        let CoreConfig {
            routing,
            regions,
            log,
            clock,
            ..
        } = config;
        let statistics = StatisticsConfig {
            since: Timestamp::ZERO + config.warmup,
            deadline: routing.deadline,
            failure_latency: routing.deadline,
            latency_objective: routing.deadline.unwrap_or(Duration::MAX),
        };
        let gateway = Gateway::new(
            &routing,
            Geography::new(&config.round_trips, regions.len()),
            Statistics::new(statistics, regions.len(), MOST_MODELS),
            Streams::new(config.seed, 0).stream(Purpose::Policy, 0),
        );
        let desk = Desk {
            mail: BTreeMap::new(),
            traces: BTreeMap::new(),
            kept: BTreeMap::new(),
            finishing: None,
            copied: None,
            names: vec![],
            models: vec![],
            log,
        };
        Self {
            clock,
            state: Mutex::new(State {
                gateway,
                desk,
                requests: vec![],
                next_id: 0,
                endpoints: vec![],
                described: vec![],
                models: vec![],
                regions,
                armed: Timestamp::NEVER,
            }),
            closer: Arc::new(Notify::new()),
        }
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The state. A panic elsewhere while it was held leaves it usable: no invariant of the core
    /// is broken between two of its calls.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `accounts` the pool. Known ones keep what was learned about them; those that are not
    /// in the list take no more requests. On an error, nothing has changed.
    pub fn set_accounts(&self, accounts: &[ProxyAccount]) -> Result<(), AccountError> {
        let mut state = self.lock();
        if state.described == accounts {
            return Ok(());
        }
        state.set_accounts(self.now(), accounts)?;
        self.carry_out(&mut state);
        Ok(())
    }

    /// A request has arrived. `features` of it are made by who knows the names of models.
    pub fn arrived(&self, class: ClassIndex, features: &RequestFeatures, tag: Tag) -> Place {
        let (send, orders) = unbounded_channel();
        let mut state = self.lock();
        let now = self.now();
        let id = RequestId(state.next_id);
        state.next_id += 1;
        state.desk.mail.insert(id, send);
        if state.desk.log.is_some() {
            state.desk.traces.insert(id, (tag, vec![]));
        }
        let State { gateway, desk, .. } = &mut *state;
        let handle = gateway.on_request(now, id, class, features, desk);
        if state.requests.len() <= handle.0 as usize {
            state.requests.resize(handle.0 as usize + 1, id);
        }
        state.requests[handle.0 as usize] = id;
        self.carry_out(&mut state);
        Place { id, handle, orders }
    }

    /// The first token of a streamed attempt has come.
    pub fn first_token(&self, attempt: AttemptId) {
        let mut state = self.lock();
        let now = self.now();
        state.gateway.on_first_token(now, attempt);
        self.carry_out(&mut state);
    }

    /// More of a stream has come.
    pub fn progress(&self, attempt: AttemptId) {
        let mut state = self.lock();
        let now = self.now();
        state.gateway.on_progress(now, attempt);
        self.carry_out(&mut state);
    }

    /// An attempt has ended. `answer` is for others who ask the same.
    pub fn ended(
        &self,
        attempt: AttemptId,
        failure: Option<Failure>,
        usage: Usage,
        answer: Option<Arc<Answer>>,
    ) {
        let mut state = self.lock();
        let now = self.now();
        let State { gateway, desk, .. } = &mut *state;
        desk.finishing = answer;
        gateway.on_ended(now, attempt, failure, usage, desk);
        desk.finishing = None;
        self.carry_out(&mut state);
    }

    /// The client has left. What becomes of the attempt in flight comes as an order.
    pub fn client_gone(&self, id: RequestId, handle: RequestHandle) {
        let mut state = self.lock();
        if !state.desk.mail.contains_key(&id) {
            // It had just ended, and its handle may be another's.
            return;
        }
        let now = self.now();
        let State { gateway, desk, .. } = &mut *state;
        gateway.on_client_gone(now, handle, desk);
        self.carry_out(&mut state);
    }

    /// Puts what the core asks for into the mailboxes. A cancelled attempt is reported by its own
    /// task, which knows what it has consumed.
    fn carry_out(&self, state: &mut State) {
        while let Some(change) = state.gateway.poll_transition() {
            state.tell(change);
        }
        while let Some(action) = state.gateway.poll_action() {
            let (request, order) = match action {
                Action::Dispatch {
                    attempt,
                    request,
                    account,
                    ..
                } => {
                    let endpoint = Arc::clone(&state.endpoints[account.at()]);
                    (request.0, Order::Dispatch(Dispatch { attempt, endpoint }))
                }
                Action::Cancel { attempt, failure } => (attempt.0, Order::Cancel(attempt, failure)),
            };
            let id = state.requests[request as usize];
            let mail = state.desk.mail.get(&id);
            if mail.is_none_or(|mail| mail.send(order).is_err()) {
                // Its task is no more; without a report the account would stay occupied.
                let (now, State { gateway, desk, .. }) = (self.now(), &mut *state);
                let failure = Some(FailureKind::Cancelled.into());
                gateway.on_ended(now, AttemptId(request), failure, Usage::default(), desk);
            }
        }
        let next = state.gateway.next_timer();
        if next < state.armed {
            state.armed = next;
            self.closer.notify_one();
        }
    }

    /// Lets the core's timers expire, until nobody uses the core any more.
    pub async fn run_timers(core: Weak<Self>) {
        loop {
            let (sleep, closer) = {
                let Some(core) = core.upgrade() else { return };
                let mut state = core.lock();
                let now = core.now();
                let State { gateway, desk, .. } = &mut *state;
                if gateway.next_timer() <= now {
                    gateway.on_timer(now, desk);
                }
                state.armed = state.gateway.next_timer();
                core.carry_out(&mut state);
                (core.clock.instant(state.armed), Arc::clone(&core.closer))
            };
            match sleep {
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at.into()) => {}
                    () = closer.notified() => {}
                },
                None => closer.notified().await,
            }
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // The timers' task finds nobody left.
        self.closer.notify_one();
    }
}

impl State {
    fn set_accounts(
        &mut self,
        now: Timestamp,
        accounts: &[ProxyAccount],
    ) -> Result<(), AccountError> {
        let mut models = self.models.clone();
        let mut endpoints = vec![];
        for (at, account) in accounts.iter().enumerate() {
            let fail = |message: String| AccountError {
                account: account.id.clone(),
                message,
            };
            if accounts[..at].iter().any(|other| other.id == account.id) {
                return Err(fail("there is another account of this name".to_owned()));
            }
            endpoints.push(Endpoint::new(account, |name| number(&mut models, name))?);
            if models.len() > MOST_MODELS {
                return Err(fail(format!("more than {MOST_MODELS} models in all")));
            }
            if let Some(region) = &account.region
                && !self.regions.contains(region)
            {
                return Err(fail(format!(
                    "region `{region}` is unknown; known are: {}",
                    self.regions.join(", ")
                )));
            }
        }
        self.desk.models.clone_from(&models);
        self.models = models;
        for (account, endpoint) in accounts.iter().zip(endpoints) {
            self.upsert(now, account, endpoint);
        }
        let gone = |known: &&ProxyAccount| !accounts.iter().any(|account| account.id == known.id);
        let gone: Vec<ProxyAccount> = self.described.iter().filter(gone).cloned().collect();
        for mut account in gone {
            account.availability = Availability::Draining;
            let account = self.for_routing(&account);
            self.gateway.upsert(now, account);
        }
        self.described = accounts.to_vec();
        Ok(())
    }

    /// Tells the log of a breaker.
    fn tell(&mut self, change: TargetTransition) {
        let model = self.gateway.balancer().pool().model_of(change.target);
        let desk = &mut self.desk;
        if let Some(log) = &mut desk.log {
            log.breaker_changed(&BreakerChange {
                account: &desk.names[change.account.at()],
                model: model.map(|model| &*desk.models[model.at()]),
                at: change.transition.at,
                to: change.transition.to,
            });
        }
    }

    fn upsert(&mut self, now: Timestamp, account: &ProxyAccount, endpoint: Endpoint) {
        let described = self.for_routing(account);
        let index = self.gateway.upsert(now, described).at();
        let endpoint = Arc::new(endpoint);
        if index == self.endpoints.len() {
            self.desk.names.push(account.id.clone());
            self.endpoints.push(endpoint);
        } else {
            self.endpoints[index] = endpoint;
        }
    }

    fn for_routing(&self, account: &ProxyAccount) -> crate::routing::account::Account {
        let region = account.region.as_deref().and_then(|name| self.region(name));
        let model = |name: &str| self.model(name).unwrap_or_default();
        account.for_routing(model, region)
    }

    /// The number of a model, by the clients' name for it.
    pub fn model(&self, name: &str) -> Option<ModelIndex> {
        let at = self.models.iter().position(|known| known == name)?;
        Some(ModelIndex(at as u16))
    }

    /// The number of a region.
    pub fn region(&self, name: &str) -> Option<RegionIndex> {
        let at = self.regions.iter().position(|known| known == name)?;
        Some(RegionIndex(at as u16))
    }

    /// The names of regions, in the order of their numbers.
    pub fn regions(&self) -> &[String] {
        &self.regions
    }

    /// The clients' names for models, in the order of their numbers.
    pub fn models(&self) -> &[String] {
        &self.models
    }
}

/// The number of a name, which is given one if it has none.
fn number(models: &mut Vec<String>, name: &str) -> ModelIndex {
    let known = models.iter().position(|known| known == name);
    let at = known.unwrap_or_else(|| {
        models.push(name.to_owned());
        models.len() - 1
    });
    ModelIndex(at as u16)
}
