//! What the accounts' far ends are like: valid by construction, made by the scenario parser.

use crate::distribution::Distribution;
use crate::request::{AccountIndex, FailureKind, ModelIndex, RegionIndex};
use crate::time::{Duration, Timestamp};

/// All accounts' behaviour.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// By [`AccountIndex`].
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
}

/// One account's behaviour.
#[derive(Clone, Debug)]
pub struct AccountBehaviour {
    /// Where it is.
    pub region: Option<RegionIndex>,
    /// Position in [`UpstreamConfig::services`] by [`ModelIndex`]; `None` = 404.
    pub service_of_model: Vec<Option<u16>>,
    /// How many attempts run at a time.
    pub capacity: Capacity,
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
#[derive(Clone, Copy, PartialEq, Debug)]
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

/// Round-trip times between regions.
#[derive(Clone, Debug, Default)]
pub struct RoundTrips {
    /// Square matrix by [`RegionIndex`], row by row: from (client or gateway), to (account).
    pub matrix: Vec<Duration>,
    /// Number of regions.
    pub regions: usize,
    /// Where the gateway is; `None` = beside each client.
    pub gateway: Option<RegionIndex>,
}

/// A scheduled fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Accounts concerned.
    pub accounts: Vec<AccountIndex>,
    /// Only attempts for this model; `None` = all.
    pub model: Option<ModelIndex>,
    /// From this time on.
    pub start: Timestamp,
    /// Until this time, exclusive.
    pub end: Timestamp,
}

/// What a fault does.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// Every new attempt fails, quickly; those in flight break off at the start.
    Outage {
        /// How they fail.
        failure: FailureKind,
        /// Time until a new attempt fails, in seconds.
        time_to_fail: Distribution,
    },
    /// Nothing comes back any more: neither for new attempts nor for those in flight.
    Blackhole,
    /// Attempts that begin during it take `factor` times as long.
    Brownout {
        /// Above 0; 3 = three times slower.
        factor: f64,
    },
    /// A share of the attempts that begin during it fails.
    Errors {
        /// Probability per attempt, 0 to 1.
        rate: f64,
        /// How they fail.
        failure: FailureKind,
        /// Time until it fails, in seconds.
        time_to_fail: Distribution,
    },
}
