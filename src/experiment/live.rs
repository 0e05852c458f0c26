//! A scenario over sockets: its accounts as emulated providers, the real proxy behind its server,
//! and its workload from the load generator, all on this machine, with one clock.
//!
//! It is the one place where a scenario is handed to what is live; what comes of it is a
//! [`Side`] of a [`Parity`], as the simulation is. Providers, proxy and generator share the
//! processors, which is why the load has to be moderate, and why the generator's lateness is told.

use super::gateway_file::proxy_account;
use super::parity::{ArmParity, ByRequest, Parity, REFERENCES, Sending, Served, Side, Sides};
use super::run::{self, RunError};
use super::scenario::gateway::ReachedAccount;
use super::scenario::{Arm, Scenario};
use crate::distribution::Distribution;
use crate::live::clock::Clock;
use crate::live::emulate::{self, AccountTally, Emulator, StartError};
use crate::live::load::{self, LoadConfig, LoadDialect, LoadError, LoadRecord, Target};
use crate::live::proxy::{
    AccountError, BreakerChange, IntelligentProxy, Log, ProxyAccount, ProxyConfig, Secret, Trace,
};
use crate::live::server::{Server, ServerConfig, ServerError};
use crate::record::RequestRecord;
use crate::request::{AccountIndex, RequestId};
use crate::routing::account::Account;
use crate::sim::Changes;
use crate::time::{Duration, Timestamp};
use crate::units::NanoUsd;
use crate::upstream::config::Link;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;

/// How to measure, as opposed to what.
pub struct LiveOptions<'a> {
    /// Model seconds per real second, above 0. What being real costs counts this many times.
    pub pace: f64,
    /// Which replication, from 0.
    pub replication: u32,
    /// Strategies that are measured at a time, at least 1. They share the processors.
    pub jobs: usize,
    /// How often a stream says more, in real time.
    pub chunk: std::time::Duration,
    /// What the generator speaks; not Gemini's dialect, which no gateway takes.
    pub dialect: LoadDialect,
    /// Set from outside to stop early: strategies that were measured to their end are kept.
    pub stop: &'a AtomicBool,
    /// Called with the part of a strategy that is done, 0 to 1, from any thread.
    pub progress: &'a (dyn Fn(usize, f64) + Sync),
}

/// Why nothing was measured.
#[derive(Debug)]
pub enum LiveError {
    /// Users who wait for answers make other requests in each world.
    ClosedLoop,
    /// The providers cannot be emulated.
    Emulate(StartError),
    /// The proxy does not take an account.
    Account(AccountError),
    /// The proxy or its server cannot be started.
    Start(String),
    /// The load cannot be sent.
    Load(LoadError),
    /// The simulation beside it came to nothing.
    Simulation(RunError),
    /// Stopped before one strategy was measured.
    InterruptedTooEarly,
}

impl std::fmt::Display for LiveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ClosedLoop => write!(
                f,
                "the workload has users who wait for answers: each world would ask other requests, \
                 and nothing could be laid side by side; workloads with arrivals of their own can"
            ),
            Self::Emulate(error) => error.fmt(f),
            Self::Account(error) => write!(f, "account \"{}\": {error}", error.account),
            Self::Start(error) => write!(f, "cannot start: {error}"),
            Self::Load(error) => error.fmt(f),
            Self::Simulation(error) => error.fmt(f),
            Self::InterruptedTooEarly => {
                write!(f, "interrupted before the first strategy was measured")
            }
        }
    }
}

impl std::error::Error for LiveError {}

/// Real time between the making of a clock and the first instant of the workload: providers, proxy
/// and generator are set up in it.
const LEAD: std::time::Duration = std::time::Duration::from_millis(300);

/// Real time that what is in flight at the end is given.
const GRACE: std::time::Duration = std::time::Duration::from_secs(2);

/// Measures every strategy of the scenario, and simulates it beside.
///
/// # Errors
/// If the scenario cannot be run over sockets, something cannot be started, or it is stopped before
/// one strategy was measured.
pub fn run(scenario: &Scenario, options: &LiveOptions) -> Result<Parity, LiveError> {
    if load::waits_for_answers(&scenario.workload) {
        return Err(LiveError::ClosedLoop);
    }
    let runtime = Runtime::new().map_err(|error| LiveError::Start(error.to_string()))?;
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<ArmParity>>> = Mutex::new(vec![None; scenario.arms.len()]);
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, scenario.arms.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let arm = next.fetch_add(1, Ordering::Relaxed);
                    if arm >= scenario.arms.len() || options.stop.load(Ordering::Relaxed) {
                        return;
                    }
                    match compared(scenario, arm, options, runtime.handle()) {
                        Ok(parity) => lock(&done)[arm] = parity,
                        Err(error) => {
                            lock(&failed).get_or_insert(error);
                            return;
                        }
                    }
                }
            });
        }
    });
    runtime.shutdown_background();
    if let Some(error) = lock(&failed).take() {
        return Err(error);
    }
    let arms: Vec<ArmParity> = lock(&done).drain(..).flatten().collect();
    if arms.is_empty() {
        return Err(LiveError::InterruptedTooEarly);
    }
    Ok(Parity {
        scenario: scenario.name.clone(),
        question: scenario.question.clone(),
        resolved_toml: scenario.resolved_toml.clone(),
        seed: scenario.seed,
        replication: options.replication,
        pace: options.pace,
        duration: scenario.duration,
        warmup: scenario.warmup,
        accounts: scenario.accounts.iter().map(|one| one.id.clone()).collect(),
        interrupted: arms.len() < scenario.arms.len(),
        arms,
    })
}

/// One strategy in both worlds; `None` if it was stopped meanwhile.
fn compared(
    scenario: &Scenario,
    arm: usize,
    options: &LiveOptions,
    runtime: &Handle,
) -> Result<Option<ArmParity>, LiveError> {
    let Some((measured, sending)) = measured(scenario, arm, options, runtime)? else {
        return Ok(None);
    };
    let own = scenario.arms[arm].policy_seed;
    let own = own.unwrap_or(scenario.policy_seed);
    let simulated = simulated(scenario, arm, options)?;
    let sides = Sides {
        simulated: &simulated,
        measured: &measured,
    };
    let overhead = sides.overhead().map_or(0.0, |overhead| overhead.p50);
    let references = (1..=REFERENCES).map(|nth| {
        let seed = own.wrapping_add(u64::from(nth));
        // Another mean makes other delays of the same draws.
        let part = f64::from(nth) * 2.0 / f64::from(REFERENCES);
        let mean = overhead.max(LEAST_DELAY) * part;
        self::simulated(&disturbed(scenario, arm, seed, mean), arm, options)
    });
    let references = references.collect::<Result<Vec<_>, _>>()?;
    let name = scenario.arms[arm].name.clone();
    Ok(Some(ArmParity::of(name, &sides, &references, sending)))
}

/// What a failure counts, at least, in latencies over all requests.
fn latency(scenario: &Scenario, arm: &Arm, took: Duration, succeeded: bool) -> Duration {
    let least = run::failure_latency(scenario, arm).filter(|_| !succeeded);
    took.max(least.unwrap_or(Duration::ZERO))
}

/// Least mean delay of a disturbed simulation, in seconds.
const LEAST_DELAY: f64 = 1e-4;

/// The scenario in a world in which ties fall otherwise, and answers come later by exponential
/// delays of this mean in seconds: so much as being real adds, which is enough to change the order
/// of events. Ways that the scenario disturbs itself stay as they are.
fn disturbed(scenario: &Scenario, arm: usize, policy_seed: u64, mean: f64) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.arms[arm].policy_seed = Some(policy_seed);
    scenario.upstream.network.links.push(Link {
        between: None,
        loss: 0.0,
        lost_after: None,
        delay: Distribution::exponential(mean).ok(),
    });
    scenario
}

fn simulated(scenario: &Scenario, arm: usize, options: &LiveOptions) -> Result<Side, LiveError> {
    let since = Timestamp::ZERO + scenario.warmup;
    let mut served = ByRequest::new();
    let mut note = |record: &RequestRecord| {
        if record.arrived >= since {
            let succeeded = record.succeeded();
            let one = Served {
                latency: latency(scenario, &scenario.arms[arm], record.sojourn(), succeeded),
                succeeded,
                account: record.account,
                attempts: record.attempts,
            };
            served.insert(record.request, one);
        }
    };
    let run = run::replication(scenario, arm, options.replication, options.stop, &mut note);
    let run = run.map_err(LiveError::Simulation)?;
    let accounts = run.statistics.accounts().iter();
    let attempts = accounts.map(|account| account.attempts).collect();
    let openings = run.breakers.iter().map(|breaker| breaker.openings).sum();
    let cost = run.statistics.totals().cost;
    Ok(Side::new(served, attempts, openings, cost))
}

/// What the proxy tells of a run.
#[derive(Default)]
struct Notes {
    /// Account of the last attempt, and attempts.
    requests: ByRequest<(Option<AccountIndex>, u8)>,
    openings: u64,
}

/// Writes the notes.
struct Notebook {
    notes: Arc<Mutex<Notes>>,
    since: Timestamp,
}

impl Log for Notebook {
    fn request_ended(&mut self, trace: &Trace) {
        let name = trace.tag.request_id.as_ref();
        let number = name.and_then(|name| name.to_str().ok()?.parse().ok());
        if let Some(number) = number {
            let record = trace.record;
            let facts = (record.account, record.attempts);
            lock(&self.notes).requests.insert(RequestId(number), facts);
        }
    }

    fn breaker_changed(&mut self, change: &BreakerChange) {
        let opened = change.opens() && change.at >= self.since;
        lock(&self.notes).openings += u64::from(opened);
    }
}

/// All that a strategy is measured with.
struct Stage {
    emulator: Emulator,
    proxy: Arc<IntelligentProxy>,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<crate::live::server::Drained>,
    owner: tokio::task::JoinHandle<()>,
    notes: Arc<Mutex<Notes>>,
}

/// One strategy over sockets; `None` if it was stopped meanwhile.
fn measured(
    scenario: &Scenario,
    arm: usize,
    options: &LiveOptions,
    runtime: &Handle,
) -> Result<Option<(Side, Sending)>, LiveError> {
    let clock = Clock::starting_in(options.pace, LEAD);
    let stage = runtime.block_on(Stage::set(scenario, arm, options, clock))?;
    let config = load_config(scenario, arm, options, clock, stage.address)?;
    let mut records = ByRequest::new();
    let length = scenario.duration.as_secs_f64();
    let since = Timestamp::ZERO + scenario.warmup;
    let mut note = |record: &LoadRecord| {
        if record.intended >= since {
            let succeeded = record.outcome == load::Outcome::Ok;
            records.insert(record.id, (record.latency(), succeeded));
        }
        let now = record.intended.since(Timestamp::ZERO).as_secs_f64();
        (options.progress)(arm, now / length);
    };
    let report = load::run(&config, runtime, options.stop, &mut note).map_err(LiveError::Load)?;
    (options.progress)(arm, 1.0);
    let run = runtime.block_on(stage.strike());
    if report.stopped {
        return Ok(None);
    }
    let arm = &scenario.arms[arm];
    let served = records.into_iter().map(|(id, (took, succeeded))| {
        let (account, attempts) = run.notes.requests.get(&id).copied().unwrap_or((None, 0));
        let one = Served {
            latency: latency(scenario, arm, took, succeeded),
            succeeded,
            account,
            attempts,
        };
        (id, one)
    });
    let side = Side::new(served.collect(), run.attempts, run.notes.openings, run.cost);
    let sending = Sending {
        late: report.late,
        dropped: report.dropped,
        strangers: run.strangers,
        left_over: run.left_over,
    };
    Ok(Some((side, sending)))
}

/// What the proxy knows when all is over.
struct Known {
    notes: Notes,
    attempts: Vec<u64>,
    cost: NanoUsd,
    /// Attempts that were no request of the workload.
    strangers: u64,
    /// Requests and attempts that had not ended.
    left_over: u64,
}

impl Stage {
    async fn set(
        scenario: &Scenario,
        arm: usize,
        options: &LiveOptions<'_>,
        clock: Clock,
    ) -> Result<Self, LiveError> {
        let setup = emulate::Setup {
            accounts: &scenario.accounts,
            models: &scenario.models,
            workload: &scenario.workload,
            upstream: &scenario.upstream,
            seed: scenario.seed,
            replication: options.replication,
            clock,
            listen: loopback(),
            require_keys: true,
            chunk: options.chunk,
        };
        let emulator = Emulator::start(&setup).await;
        let emulator = emulator.map_err(LiveError::Emulate)?;
        let notes = Arc::<Mutex<Notes>>::default();
        let book = Notebook {
            notes: Arc::clone(&notes),
            since: Timestamp::ZERO + scenario.warmup,
        };
        let proxy = Arc::new(proxy(scenario, arm, clock, book)?);
        let owner = Owner {
            scenario: scenario.clone(),
            base_urls: emulator.base_urls(),
            proxy: Arc::clone(&proxy),
            clock,
        };
        let owner = owner.begin()?;
        let server = Server::bind(ServerConfig::new(loopback()), Arc::clone(&proxy));
        let server = server
            .await
            .map_err(|error: ServerError| LiveError::Start(error.to_string()))?;
        let address = server.addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(async {
            // Its other end being gone is an order to stop, too.
            let _ = stopped.await;
        }));
        Ok(Self {
            emulator,
            proxy,
            address,
            stop,
            serving,
            owner,
            notes,
        })
    }

    /// Ends it.
    async fn strike(self) -> Known {
        self.owner.abort();
        let _ = self.stop.send(());
        let _ = self.serving.await;
        let tally = self.emulator.stop(GRACE).await;
        let (attempts, cost) = self.proxy.look(|gateway, _| {
            let statistics = gateway.statistics();
            let accounts = statistics.accounts().iter();
            let attempts = accounts.map(|account| account.attempts).collect();
            (attempts, statistics.totals().cost)
        });
        let unfinished = tally.accounts.iter().map(AccountTally::in_flight);
        Known {
            notes: std::mem::take(&mut *lock(&self.notes)),
            attempts,
            cost,
            strangers: tally.strangers,
            left_over: unfinished.sum::<u64>() + self.proxy.in_flight() as u64,
        }
    }
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn proxy(
    scenario: &Scenario,
    arm: usize,
    clock: Clock,
    book: Notebook,
) -> Result<IntelligentProxy, LiveError> {
    let arm = &scenario.arms[arm];
    let config = ProxyConfig {
        routing: arm.routing.clone(),
        regions: scenario.regions.clone(),
        round_trips: scenario.upstream.network.matrix.clone(),
        seed: arm.policy_seed.unwrap_or(scenario.policy_seed),
        warmup: scenario.warmup,
        log: Some(Box::new(book)),
        clock,
        ..ProxyConfig::default()
    };
    IntelligentProxy::with_config(config).map_err(LiveError::Start)
}

fn load_config(
    scenario: &Scenario,
    arm: usize,
    options: &LiveOptions,
    clock: Clock,
    address: SocketAddr,
) -> Result<LoadConfig, LiveError> {
    let target = Target::parse(&format!("http://{address}"));
    Ok(LoadConfig {
        target: target.map_err(|error| LiveError::Start(error.to_string()))?,
        dialect: options.dialect,
        http2: false,
        key: Secret::new("none"),
        workload: scenario.workload.clone(),
        seed: scenario.seed,
        replication: options.replication,
        models: scenario.models.clone(),
        regions: scenario.regions.clone(),
        clock,
        rate_scale: 1.0,
        duration: Some(scenario.duration),
        requests: None,
        warmup: scenario.warmup,
        timeout: LoadConfig::timeout_for(scenario.arms[arm].routing.deadline, clock),
        most_in_flight: load::MOST_IN_FLIGHT,
        late_after: load::LATE_AFTER,
    })
}

/// Who owns the accounts, and tells the proxy what becomes of them: prices, removals, additions.
struct Owner {
    scenario: Scenario,
    base_urls: Vec<String>,
    proxy: Arc<IntelligentProxy>,
    clock: Clock,
}

impl Owner {
    /// Tells the proxy of its accounts, and from then on of every change, at its time.
    fn begin(self) -> Result<tokio::task::JoinHandle<()>, LiveError> {
        let changes = Changes::new(&self.scenario.accounts, &self.scenario.upstream.faults);
        let accounts = changes.at_start();
        self.tell(&accounts).map_err(LiveError::Account)?;
        Ok(tokio::spawn(self.follow(accounts)))
    }

    async fn follow(self, mut accounts: Vec<Account>) {
        let mut changes = Changes::new(&self.scenario.accounts, &self.scenario.upstream.faults);
        while let Some(at) = self.clock.instant(changes.next()) {
            tokio::time::sleep_until(at.into()).await;
            for changed in changes.take() {
                if let Some(account) = accounts.iter_mut().find(|one| one.id == changed.id) {
                    *account = changed;
                }
            }
            // These accounts were taken before; only prices and availability have changed.
            let _ = self.tell(&accounts);
        }
    }

    fn tell(&self, accounts: &[Account]) -> Result<(), AccountError> {
        let described = accounts.iter().zip(&self.base_urls).map(|(account, url)| {
            let reached = ReachedAccount {
                account: account.clone(),
                base_url: url.clone(),
                key: emulate::key(&account.id),
                upstream_names: vec![],
            };
            proxy_account(reached, &self.scenario.models, &self.scenario.regions)
        });
        self.proxy
            .set_accounts(&described.collect::<Vec<ProxyAccount>>())
    }
}

/// No panic leaves any of these half-written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
