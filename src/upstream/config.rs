//! What the accounts' far ends are like: valid by construction, made by the scenario parser.

mod fault;
mod speeds;

pub use super::fault::Generated;
pub use fault::{ColdStart, Fault, FaultKind, Incidents, Source};
pub use speeds::{InvalidSpeeds, Speed, Speeds};

use crate::distribution::Distribution;
use crate::request::{FailureKind, RegionIndex};
use crate::time::Duration;

/// All accounts' behaviour.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// By [`crate::request::AccountIndex`].
    pub accounts: Vec<AccountBehaviour>,
    /// Service laws, shared between accounts; referred to by position.
    pub services: Vec<Service>,
    /// Quotas, each with its own buckets; referred to by position. Accounts of one organisation
    /// can name the same.
    pub quotas: Vec<Quota>,
    /// Round-trip times.
    pub network: RoundTrips,
    /// Scheduled faults, in the order of the scenario.
    pub faults: Vec<Fault>,
    /// Faults that are drawn anew in every replication, in the order of the scenario.
    pub incidents: Vec<Incidents>,
}

/// One account's behaviour.
#[derive(Clone, Debug)]
pub struct AccountBehaviour {
    /// Where it is.
    pub region: Option<RegionIndex>,
    /// Position in [`UpstreamConfig::services`] by [`crate::request::ModelIndex`]; `None` = 404.
    pub service_of_model: Vec<Option<u16>>,
    /// How many attempts run at a time.
    pub capacity: Capacity,
    /// What becomes of an attempt that the client gives up.
    pub abandoned: Abandoned,
    /// Position in [`UpstreamConfig::quotas`].
    pub quota: Option<usize>,
    /// What goes wrong in calm weather. Rates add up to at most 1.
    pub failures: Vec<CalmFailure>,
}

/// How long an answer takes, without waiting and network.
#[derive(Clone, Debug)]
pub enum Service {
    /// Time to first token, then output tokens one after the other.
    Tokens {
        /// Time to first token in seconds.
        first_token: Distribution,
        /// Added to it for each 1,000 input tokens.
        first_token_per_1k_input: Duration,
        /// Time per output token in seconds; one draw per attempt.
        per_output_token: Distribution,
    },
    /// The whole time in seconds as one distribution; the first token of a stream comes with the
    /// rest.
    Total(Distribution),
}

/// How many attempts an account works on at a time.
#[derive(Clone, PartialEq, Debug)]
pub enum Capacity {
    /// All of them.
    Unlimited,
    /// `servers` at a time; up to `queue` more wait in order of arrival; beyond that it refuses.
    Slots {
        /// Attempts worked on at a time, at least 1.
        servers: u32,
        /// Longest queue; `u32::MAX` = without bound.
        queue: u32,
        /// How it refuses.
        refusal: FailureKind,
    },
    /// Up to `limit` run at the same time, and each slows the others down; up to `queue` more wait
    /// in order of arrival; beyond that it refuses. Processor sharing and batching.
    Shared {
        /// How fast each of so many runs. All times of a service law are those of an attempt that
        /// runs alone.
        speeds: Speeds,
        /// Attempts that run at the same time, at least 1; `u32::MAX` = without bound.
        limit: u32,
        /// Longest queue; `u32::MAX` = without bound.
        queue: u32,
        /// How it refuses.
        refusal: FailureKind,
    },
    /// All run at once, each for a time that is settled when it comes, by how many are there
    /// already: `n` of them make it longer by a factor from 1 at none to `at_threshold` at
    /// `threshold`, on a straight line, and `above` where there are more.
    LoadDependent {
        /// Attempts in flight up to which the time grows on a straight line, at least 1.
        threshold: u32,
        /// Factor on the time of an answer with `threshold` attempts there, at least 1.
        at_threshold: f64,
        /// Factor on the time of an answer with more, at least `at_threshold`.
        above: f64,
        /// Most attempts in flight, beyond which it refuses, at least 1; `u32::MAX` = without
        /// bound.
        limit: u32,
        /// How it refuses.
        refusal: FailureKind,
    },
}

/// What becomes of an attempt that the client gives up, after a timeout or otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Abandoned {
    /// The account notices, and frees its place at once.
    #[default]
    Frees,
    /// The account does not notice: the attempt keeps its place in the queue, is worked on when its
    /// turn comes, and holds its place until its natural end, all for nobody.
    Continues,
}

/// Token buckets, continuously refilled, each as deep as one minute's worth; `None` = no limit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Quota {
    /// Requests per minute.
    pub requests_per_minute: Option<u64>,
    /// Input tokens per minute, those read from the prompt cache not counted.
    pub input_tokens_per_minute: Option<u64>,
    /// Output tokens per minute.
    pub output_tokens_per_minute: Option<u64>,
    /// Whether its 429 names the time to wait.
    pub retry_after: bool,
}

/// One way in which attempts fail in calm weather.
#[derive(Clone, Debug)]
pub struct CalmFailure {
    /// What happens.
    pub trouble: Trouble,
    /// Probability per attempt, 0 to 1.
    pub rate: f64,
    /// Time until it happens, in seconds; not used for hangs, nor for broken streams, which break
    /// at a uniform point of the answer.
    pub time_to_fail: Distribution,
}

/// What goes wrong with an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// It fails in this way.
    Fails(FailureKind),
    /// It never ends by itself.
    Hangs,
}

/// The network between regions: round trips, and what disturbs them.
#[derive(Clone, Debug, Default)]
pub struct RoundTrips {
    /// Square matrix by [`RegionIndex`], row by row: from (client or gateway), to (account).
    pub matrix: Vec<Duration>,
    /// Number of regions.
    pub regions: usize,
    /// Where the gateway is; `None` = beside each client.
    pub gateway: Option<RegionIndex>,
    /// What disturbs attempts on their way; of several that fit, the first counts.
    pub links: Vec<Link>,
}

/// What happens to attempts on the way between two regions.
#[derive(Clone, Debug)]
pub struct Link {
    /// The two regions, in any order; `None` = between all, unknown places included.
    pub between: Option<[RegionIndex; 2]>,
    /// Probability, 0 to 1, that an attempt is lost before it reaches the account.
    pub loss: f64,
    /// Time until the client's side gives a lost attempt up, in seconds; `None` = never, so that it
    /// hangs until a timeout of the gateway.
    pub lost_after: Option<Distribution>,
    /// Added to the round trip of each attempt, in seconds.
    pub delay: Option<Distribution>,
}
