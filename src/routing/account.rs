//! Accounts as their owner describes them: what routing is told, before it has learned anything.

use crate::request::{ModelIndex, Provider, RegionIndex};
use crate::units::Prices;

/// One account at a provider.
#[derive(Clone, PartialEq, Debug)]
pub struct Account {
    /// Its name, unique.
    pub id: String,
    /// Whose it is.
    pub provider: Provider,
    /// Where it is; `None` when not stated.
    pub region: Option<RegionIndex>,
    /// Models that it serves, in rising order of index, each once.
    pub models: Vec<ServedModel>,
    /// Share of the traffic wished for, relative to other accounts; at least 1.
    pub weight: u32,
    /// Most attempts in flight at a time; at least 1.
    pub max_in_flight: u32,
    /// Declared rate limits.
    pub limits: RateLimits,
    /// Owner of the quota, where several accounts share one.
    pub organisation: Option<String>,
    /// Whether it takes new attempts.
    pub availability: Availability,
}

/// A model at an account.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ServedModel {
    /// Which.
    pub model: ModelIndex,
    /// What it costs there.
    pub prices: Prices,
    /// Quality tier, 1 (least) to 5.
    pub quality: u8,
    /// Most input plus output tokens of one request.
    pub context_window: u32,
}

/// Limits per minute that the provider declares; `None` is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RateLimits {
    /// Requests per minute.
    pub requests_per_minute: Option<u64>,
    /// Input tokens per minute, those read from the prompt cache not counted.
    pub input_tokens_per_minute: Option<u64>,
    /// Output tokens per minute.
    pub output_tokens_per_minute: Option<u64>,
}

/// Whether an account takes new attempts, by its owner's will.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Availability {
    /// It does.
    #[default]
    Enabled,
    /// No new ones; those in flight are finished.
    Draining,
    /// It does not.
    Disabled,
}
