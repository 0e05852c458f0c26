//! The load generator: the simulator's workload, sent over the network.
//!
//! It is an *open loop*: each request is sent at the instant that the workload intends, whatever
//! became of those before, and its latency counts from that instant and not from the one at which
//! it was sent. A generator that waits for answers before it asks again sends least while the
//! system is slowest, and so leaves out the very latencies that matter: coordinated omission, as
//! Gil Tene calls it ("How NOT to Measure Latency", 2013; his `wrk2` and `HdrHistogram` are the
//! answer that is followed here). Where a scenario has users who wait for answers, they do wait, by
//! the workload's own rules, since that is what is modelled; the clock of each request still starts
//! when its user wanted it.
//!
//! What the generator itself cannot hold is counted and shown: sends later than a tolerance, and
//! requests that were not sent at all because too many were under way. A report without these two
//! numbers cannot be told from one of a generator that was the bottleneck.
//!
//! - `pacer`: one thread that sleeps until the next request is due; `timer` sharpens its sleep
//! - `schedule`: what is due when; `question`: a request in bytes; `target`: where it goes
//! - `exchange`: one request's talk with the server; `answer`: what came back, sans-I/O
//! - `record`: what became of one request; `tally`: of all

mod answer;
mod exchange;
mod pacer;
mod question;
mod record;
mod schedule;
mod tally;
mod target;
mod timer;

pub use record::{LoadRecord, Outcome};
pub use tally::{Lengths, LoadReport, Sending};
pub use target::{Target, TargetError};

use super::clock::Clock;
use super::proxy::Secret;
use crate::request::words;
use crate::rng::Streams;
use crate::time::Duration;
use crate::workload::Workload;
use crate::workload::config::WorkloadConfig;
use exchange::Line;
use pacer::Pacer;
use question::Questions;
use schedule::Schedule;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::runtime::Handle;

words! {
    /// What the generator speaks.
    LoadDialect {
        /// Anthropic Messages, `POST /v1/messages`.
        Anthropic = "anthropic",
        /// `OpenAI` chat completions, `POST /v1/chat/completions`.
        OpenAi = "openai",
        /// Gemini `generateContent`: for a provider itself, to be measured without a proxy.
        Gemini = "gemini",
    }
}

/// What to send, where to, and what to make of it.
#[derive(Clone, Debug)]
pub struct LoadConfig {
    /// Where to.
    pub target: Target,
    /// In which dialect.
    pub dialect: LoadDialect,
    /// HTTP/2 from the first byte (h2c), all requests over one connection, instead of HTTP/1.1 over
    /// as many as are needed.
    pub http2: bool,
    /// The client's key, sent as its dialect does.
    pub key: Secret,
    /// Who asks.
    pub workload: WorkloadConfig,
    /// Root seed of arrivals and requests.
    pub seed: u64,
    /// Number of the replication, from 0.
    pub replication: u32,
    /// Names of models by [`crate::request::ModelIndex`].
    pub models: Vec<String>,
    /// Names of regions by [`crate::request::RegionIndex`].
    pub regions: Vec<String>,
    /// When the workload begins, and its pace.
    pub clock: Clock,
    /// Arrivals come this many times as fast, above 0; 1 for a closed loop.
    pub rate_scale: f64,
    /// Nothing arrives at or after this, in model time; `None`: the workload's own end.
    pub duration: Option<Duration>,
    /// No more than so many arrive.
    pub requests: Option<u64>,
    /// Requests that arrive before this are sent, but not measured.
    pub warmup: Duration,
    /// A request is given up this long after its intended start, in model time.
    pub timeout: Duration,
    /// A request that falls due while so many are under way is dropped, at least 1.
    pub most_in_flight: usize,
    /// Sends later than this are counted as late, in real time.
    pub late_after: std::time::Duration,
}

/// Real time that a request is given beyond the scenario's deadline, so that the gateway's own
/// verdict on the deadline arrives.
pub const MARGIN: std::time::Duration = std::time::Duration::from_secs(2);

/// Time that a request is given where the scenario has no deadline: ten minutes, the default of the
/// providers' own client libraries.
pub const WITHOUT_DEADLINE: Duration = Duration::from_secs(600);

/// Requests under way at which further ones are dropped, unless stated.
pub const MOST_IN_FLIGHT: usize = 10_000;

/// Sends later than this are late, unless stated: 1 ms, the granularity of a runtime's timer, which
/// the generator's own pacing has to beat.
pub const LATE_AFTER: std::time::Duration = std::time::Duration::from_millis(1);

/// Why nothing is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// Users who wait for answers set their own rate.
    ScaledClosedLoop,
    /// The rate is to be multiplied by something that is no positive number.
    Scale,
    /// A text cannot stand in a header or in a path: what it is, and the text; none for a key.
    Unspeakable(&'static str, String),
    /// TLS cannot be set up.
    Tls(String),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ScaledClosedLoop => write!(
                f,
                "the workload has users who wait for answers, so its rate follows from the answers \
                 and cannot be scaled"
            ),
            Self::Scale => write!(f, "the rate can be multiplied by a number above 0 only"),
            Self::Unspeakable(what, text) => {
                write!(f, "{what} cannot be sent in HTTP: {text:?}")
            }
            Self::Tls(why) => write!(f, "TLS cannot be set up: {why}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// Whether users wait for answers before they ask again, so that what is asked depends on them.
#[must_use]
pub fn waits_for_answers(workload: &WorkloadConfig) -> bool {
    Workload::new(workload, Streams::new(0, 0)).follows_ends()
}

impl LoadConfig {
    /// The time to give requests for a scenario with this deadline: [`MARGIN`] more, or
    /// [`WITHOUT_DEADLINE`].
    #[must_use]
    pub fn timeout_for(deadline: Option<Duration>, clock: Clock) -> Duration {
        let margin = Duration::from_secs_f64(MARGIN.as_secs_f64() * clock.pace());
        deadline.map_or(WITHOUT_DEADLINE, |deadline| deadline + margin)
    }
}

/// Sends the whole workload and waits for all answers. The calling thread paces, so it must not be
/// one of `runtime`'s workers; `runtime` does the talking. Every request is shown to `observe`
/// once: when it has ended, or was dropped.
///
/// Once `stop` is set, nothing more is sent, and what is under way is abandoned.
///
/// # Errors
/// If the configuration cannot be carried out. Nothing has been sent then.
pub fn run(
    config: &LoadConfig,
    runtime: &Handle,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(&LoadRecord),
) -> Result<LoadReport, LoadError> {
    let schedule = Schedule::new(config)?;
    let questions = Questions::new(config)?;
    let (line, ended) = Line::new(config, questions)?;
    timer::sharpen();
    Ok(Pacer::new(config, schedule, Arc::new(line), ended, runtime).run(stop, observe))
}
