//! What a workload is: valid by construction, made by the scenario parser.

use super::trace::Trace;
use crate::distribution::Distribution;
use crate::request::{ModelIndex, RegionIndex, RequestPriority, RequestType, UserPreferences};
use crate::time::Timestamp;
use crate::units::Rate;
use std::sync::Arc;

/// Who asks, when, for what.
#[derive(Clone, Debug)]
pub struct WorkloadConfig {
    /// When requests arrive.
    pub arrivals: Arrivals,
    /// What they ask for; at least one, with a positive sum of weights.
    pub classes: Vec<RequestClass>,
    /// No arrival at or after this time. For a trace, after its last row.
    pub end: Timestamp,
}

/// The arrival process.
#[derive(Clone, Debug)]
pub enum Arrivals {
    /// Independent exponential gaps.
    Poisson {
        /// Mean rate, above 0.
        rate: Rate,
    },
    /// Equal gaps of exactly `1 / rate`, the first after one gap.
    Constant {
        /// Rate, above 0.
        rate: Rate,
    },
    /// A Poisson process whose rate changes along straight lines.
    Piecewise(Vec<RateSegment>),
    /// Arrivals and token counts of a recorded trace.
    Trace(Arc<Trace>),
}

/// A stretch of a piecewise rate, up to the start of the next one (the last: to the end).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RateSegment {
    /// Start; the first is 0, and they rise strictly.
    pub start: Timestamp,
    /// Rate at the start.
    pub from: Rate,
    /// Rate at the end of the segment; equal to `from` for a step.
    pub to: Rate,
}

/// One kind of request.
#[derive(Clone, Debug)]
pub struct RequestClass {
    /// Name, for messages.
    pub name: String,
    /// Relative frequency, 0 or more.
    pub weight: f64,
    /// Model asked for.
    pub model: ModelIndex,
    /// Input tokens; ignored with a trace, which states its own.
    pub input_tokens: Distribution,
    /// Output tokens, at least 1 in each answer; ignored with a trace, which states its own.
    pub output_tokens: Distribution,
    /// Share of the input tokens that the provider's prompt cache holds, 0 to 1.
    pub cached_input_share: f64,
    /// The request's own limit on output tokens, at least 1. The answer is cut to it, a recorded
    /// one too.
    pub max_output_tokens: Option<u32>,
    /// Urgency.
    pub priority: RequestPriority,
    /// Kind of work.
    pub request_type: RequestType,
    /// Probability that the answer is streamed, 0 to 1.
    pub streaming_share: f64,
    /// Where users are: weights by region; empty = unknown region.
    pub regions: Vec<(RegionIndex, f64)>,
    /// Wishes of the users.
    pub preferences: UserPreferences,
}
