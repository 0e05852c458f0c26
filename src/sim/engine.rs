//! The event loop.
//!
//! In-flight work waits in the fleet's heap; the next arrival and the gateway's timers stay outside
//! of it, so the heap stays small, and the loop takes the earliest of the three. At one instant the
//! order is: fault, upstream, timer, arrival. Within each it is the order of their causes. So the
//! order of events is total and owes nothing to chance.

use crate::record::{AttemptRecord, RequestRecord};
use crate::request::{Failure, Request};
use crate::rng::{Purpose, Streams};
use crate::routing::account::Account;
use crate::routing::cache::ResponseCache;
use crate::routing::config::RoutingConfig;
use crate::routing::gateway::{Action, Gateway, Observer, RequestHandle};
use crate::routing::geography::Geography;
use crate::routing::pool::TargetTransition;
use crate::routing::statistics::{Statistics, StatisticsConfig};
use crate::sim::breakers::Breakers;
use crate::sim::changes::Changes;
use crate::sim::faults::FaultProbes;
use crate::sim::invariants::Invariants;
use crate::sim::timeline::Recorder;
use crate::sim::{BreakerSpan, BreakerTotals, FaultObservation, FaultWatch, Lanes, Timeline};
use crate::time::{Duration, Timestamp};
use crate::upstream::config::UpstreamConfig;
use crate::upstream::{Fleet, UpstreamEvent};
use crate::workload::Workload;
use crate::workload::config::WorkloadConfig;
use std::sync::atomic::{AtomicBool, Ordering};

/// One replication of one strategy.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// What routing is told of the accounts.
    pub accounts: &'a [Account],
    /// Number of models.
    pub models: usize,
    /// Who asks.
    pub workload: &'a WorkloadConfig,
    /// Who answers.
    pub upstream: &'a UpstreamConfig,
    /// The routing code's settings.
    pub routing: &'a RoutingConfig,
    /// Root seed of arrivals, requests, upstream noise and faults.
    pub seed: u64,
    /// Seed of the routing code's own random choices.
    pub policy_seed: u64,
    /// Number of the replication, from 0.
    pub replication: u32,
    /// Requests that arrive before this are not measured.
    pub warmup: Duration,
    /// Arrivals stop here.
    pub duration: Duration,
    /// A failed request counts at least this much in latencies over all requests.
    pub failure_latency: Option<Duration>,
    /// Latency within which a success counts as goodput.
    pub latency_objective: Duration,
    /// Length of a timeline window.
    pub timeline_window: Duration,
    /// What the timeline shows apart.
    pub lanes: Lanes<'a>,
    /// Faults to observe the effect of.
    pub faults: &'a [FaultWatch],
}

/// What one replication came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// Requests that arrived, warm-up included.
    pub simulated: u64,
    /// What the gateway counted.
    pub statistics: Statistics,
    /// Course over time.
    pub timeline: Timeline,
    /// Breakers, by account.
    pub breakers: Vec<BreakerTotals>,
    /// When breakers were not closed.
    pub breaker_spans: Vec<BreakerSpan>,
    /// Time spent cooling down and times disabled, by account.
    pub cool_downs: Vec<(Duration, u64)>,
    /// What each fault did.
    pub faults: Vec<FaultObservation>,
    /// When the last request had ended.
    pub end: Timestamp,
}

/// Why a replication came to nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Broken {
    /// It was asked to stop.
    Stopped,
    /// So many requests would never end: nothing more happens to them, and no timeout is set.
    Endless(u64),
    /// An invariant does not hold: a defect of routelab.
    Invariant(Box<str>),
}

/// Requests between two looks at the stop flag.
const STOP_CHECK: u64 = 4096;

/// Runs one replication to the end of its last request. `observe` gets every request's record, in
/// order of their end.
///
/// # Errors
/// If `stop` is set meanwhile, or an invariant of the simulation does not hold.
pub fn run(
    setup: &Setup,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(&RequestRecord),
) -> Result<Run, Broken> {
    let mut engine = Engine::new(setup, observe);
    while engine.step()? {
        if engine
            .books
            .invariants
            .arrivals()
            .is_multiple_of(STOP_CHECK)
            && stop.load(Ordering::Relaxed)
        {
            return Err(Broken::Stopped);
        }
    }
    engine.finish()
}

struct Engine<'a> {
    workload: Workload,
    gateway: Gateway,
    fleet: Fleet,
    changes: Changes<'a>,
    /// The request behind each of the gateway's handles.
    requests: Vec<Request>,
    books: Books<'a>,
}

/// What is written down of a run.
struct Books<'a> {
    invariants: Invariants,
    timeline: Recorder<'a>,
    breakers: Breakers,
    faults: FaultProbes<'a>,
    /// Requests whose end the workload must be told of; `None` if it does not wait for any.
    ended: Option<Vec<RequestHandle>>,
    observe: &'a mut dyn FnMut(&RequestRecord),
}

impl Observer for Books<'_> {
    #[inline]
    fn attempt_ended(&mut self, record: &AttemptRecord) {
        self.invariants.attempt_ended(record);
        self.faults.attempt_ended(record);
    }

    #[inline]
    fn request_ended(&mut self, handle: RequestHandle, record: &RequestRecord, latency: Duration) {
        if let Some(ended) = &mut self.ended {
            ended.push(handle);
        }
        self.invariants.request_ended(record);
        self.timeline.request_ended(record, latency);
        self.faults.request_ended(record, latency);
        (self.observe)(record);
    }
}

impl<'a> Engine<'a> {
    fn new(setup: &'a Setup, observe: &'a mut dyn FnMut(&RequestRecord)) -> Self {
        let streams = Streams::new(setup.seed, setup.replication);
        let policy = Streams::new(setup.policy_seed, setup.replication);
        let network = &setup.upstream.network;
        let statistics = StatisticsConfig {
            since: Timestamp::ZERO + setup.warmup,
            deadline: setup.routing.deadline,
            failure_latency: setup.failure_latency,
            latency_objective: setup.latency_objective,
        };
        let mut gateway = Gateway::new(
            setup.routing,
            Geography::new(&network.matrix, network.regions),
            Statistics::new(statistics, network.regions, setup.models),
            policy.stream(Purpose::Policy, 0),
        );
        let changes = Changes::new(setup.accounts, &setup.upstream.faults);
        for account in changes.at_start() {
            gateway.upsert(Timestamp::ZERO, account);
        }
        let workload = Workload::new(setup.workload, streams);
        let pool = gateway.balancer().pool();
        let books = Books {
            invariants: Invariants::default(),
            timeline: Recorder::new(setup, pool),
            breakers: Breakers::new(pool, Timestamp::ZERO + setup.warmup),
            faults: FaultProbes::new(
                setup.faults,
                setup.accounts,
                setup.duration,
                setup.routing.deadline,
            ),
            ended: workload.follows_ends().then(Vec::new),
            observe,
        };
        let mut fleet = Fleet::new(setup.upstream, streams);
        if let Some(limit) = setup.routing.idle_timeout {
            fleet.report_progress(Duration::from_nanos(limit.as_nanos() / 2));
        }
        Self {
            gateway,
            fleet,
            changes,
            requests: vec![],
            books,
            workload,
        }
    }

    /// Carries out the next event; false when all is over. Faults that are still to come do not
    /// count once nobody is left to notice them.
    #[inline]
    fn step(&mut self) -> Result<bool, Broken> {
        let arrival = self.workload.next_arrival().unwrap_or(Timestamp::NEVER);
        let upstream = self.fleet.next_event().unwrap_or(Timestamp::NEVER);
        let timer = self.gateway.next_timer();
        let now = arrival.min(upstream).min(timer).min(self.changes.next());
        if arrival == Timestamp::NEVER && self.gateway.in_flight() == 0 {
            return Ok(false);
        }
        if now == Timestamp::NEVER {
            return Err(Broken::Endless(self.gateway.in_flight() as u64));
        }
        self.books.invariants.time(now)?;
        if self.changes.next() == now {
            self.change(now)?;
        } else if upstream == now {
            if let Some(event) = self.fleet.advance(now) {
                self.on_upstream(now, event)?;
            }
        } else if timer == now {
            self.gateway.on_timer(now, &mut self.books);
            self.act(now)?;
        } else if let Some((_, request)) = self.workload.take() {
            self.on_arrival(now, &request)?;
        }
        self.tell_ends(now);
        Ok(true)
    }

    /// Tells the gateway what its owner changes now.
    #[cold]
    fn change(&mut self, now: Timestamp) -> Result<(), Broken> {
        for account in self.changes.take() {
            self.gateway.upsert(now, account);
        }
        self.act(now)
    }

    #[inline]
    fn on_arrival(&mut self, now: Timestamp, request: &Request) -> Result<(), Broken> {
        self.books.invariants.arrived();
        let Request { id, class, .. } = *request;
        let RequestHandle(handle) =
            self.gateway
                .on_request(now, id, class, &request.features, &mut self.books);
        match self.requests.get_mut(handle as usize) {
            Some(place) => *place = *request,
            None => self.requests.resize(handle as usize + 1, *request),
        }
        self.act(now)
    }

    /// Tells the workload whose requests have ended, before their handles are given to others.
    #[inline]
    fn tell_ends(&mut self, now: Timestamp) {
        for RequestHandle(handle) in self
            .books
            .ended
            .iter_mut()
            .flat_map(|ended| ended.drain(..))
        {
            self.workload
                .request_ended(now, &self.requests[handle as usize]);
        }
    }

    #[inline]
    fn on_upstream(&mut self, now: Timestamp, event: UpstreamEvent) -> Result<(), Broken> {
        let (attempt, failure, usage) = match event {
            UpstreamEvent::FirstToken { attempt } => {
                // Nothing to do follows from it.
                self.gateway.on_first_token(now, attempt);
                return Ok(());
            }
            UpstreamEvent::Progress { attempt } => {
                self.gateway.on_progress(now, attempt);
                return Ok(());
            }
            UpstreamEvent::Finished { attempt, usage } => (attempt, None, usage),
            UpstreamEvent::Failed {
                attempt,
                failure,
                usage,
            } => (attempt, Some(failure), usage),
        };
        self.gateway
            .on_ended(now, attempt, failure, usage, &mut self.books);
        self.act(now)
    }

    /// Carries out what the gateway asks for, if anything.
    #[inline(always)]
    fn act(&mut self, now: Timestamp) -> Result<(), Broken> {
        if self.gateway.is_quiet() {
            return Ok(());
        }
        self.carry_out(now)
    }

    fn carry_out(&mut self, now: Timestamp) -> Result<(), Broken> {
        loop {
            self.note_transitions();
            let Some(action) = self.gateway.poll_action() else {
                return Ok(());
            };
            match action {
                Action::Dispatch {
                    attempt,
                    request,
                    account,
                    target,
                    nth,
                    least_bad,
                } => {
                    let books = &mut self.books;
                    let open = !least_bad && books.breakers.was_open(now, target);
                    books.invariants.dispatched(open, account)?;
                    books.timeline.dispatched(now, account);
                    let request = &self.requests[request.0 as usize];
                    let model = request.features.model;
                    books.faults.dispatched(now, account, model);
                    self.fleet.begin(now, attempt, account, nth, request);
                }
                Action::Cancel { attempt, failure } => {
                    let usage = self.fleet.cancel(now, attempt);
                    let failure = Some(Failure::from(failure));
                    self.gateway
                        .on_ended(now, attempt, failure, usage, &mut self.books);
                }
            }
        }
    }

    #[inline]
    fn note_transitions(&mut self) {
        while let Some(TargetTransition {
            target,
            account,
            transition,
        }) = self.gateway.poll_transition()
        {
            let model = self.gateway.balancer().pool().model_of(target);
            self.books.timeline.transition(target, transition);
            self.books.faults.transition(account, model, transition);
            self.books.breakers.transition(target, transition);
        }
    }

    fn finish(self) -> Result<Run, Broken> {
        let books = self.books;
        let end = books.invariants.now();
        let pool = self.gateway.balancer().pool();
        let left = (self.gateway.in_flight(), self.fleet.in_flight());
        let pending = self.gateway.cache().map_or(0, ResponseCache::pending);
        let in_flight = pool
            .account_indices()
            .map(|account| pool.in_flight(account))
            .sum();
        let waiting = pending + self.gateway.waiting();
        books.invariants.at_end(left, in_flight, waiting)?;
        let (breakers, breaker_spans) = books.breakers.finish(pool.accounts(), end);
        Ok(Run {
            simulated: books.invariants.arrivals(),
            timeline: books.timeline.finish(end),
            breakers,
            breaker_spans,
            cool_downs: pool
                .account_indices()
                .map(|account| pool.cool_downs(account))
                .collect(),
            faults: books.faults.finish(),
            end,
            statistics: self.gateway.statistics().clone(),
        })
    }
}
