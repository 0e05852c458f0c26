//! What a workload is: valid by construction, made by the scenario parser.

mod expected;

pub use super::arrivals::GammaGaps;
pub use super::zipf::Zipf;

use super::trace::Trace;
use crate::distribution::Distribution;
use crate::request::{
    ClassIndex, ModelIndex, RegionIndex, RequestPriority, RequestType, UserPreferences,
};
use crate::time::{Duration, Timestamp};
use crate::units::Rate;
use std::sync::Arc;

/// Who asks, when, for what.
#[derive(Clone, Debug)]
pub struct WorkloadConfig {
    /// When requests arrive.
    pub arrivals: Arrivals,
    /// What they ask for; at least one, with a positive sum of weights. With
    /// [`Arrivals::Clients`], what the clients can choose from: their own weights count.
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
    /// Independent gaps with a gamma distribution.
    Gamma {
        /// Mean rate, above 0.
        rate: Rate,
        /// How unequal gaps are.
        gaps: GammaGaps,
    },
    /// A Poisson process that changes between a calm rate and bursts.
    Mmpp(Bursts),
    /// A Poisson process whose rate follows a cosine.
    Diurnal(Cycle),
    /// Arrivals and token counts of a recorded trace.
    Trace(Arc<Trace>),
    /// Users who wait for an answer, think, and ask again.
    ClosedLoop(Users),
    /// Several clients side by side, each with its own arrivals and requests.
    Clients(Vec<Client>),
}

/// Users of a closed loop.
#[derive(Clone, Debug)]
pub struct Users {
    /// How many.
    pub count: u32,
    /// Time in seconds from the end of a request to the user's next one; mean above 0.
    pub think_time: Distribution,
}

/// One of several clients.
#[derive(Clone, Debug)]
pub struct Client {
    /// Name, unique: the client's random numbers hang on it, and not on its place in the list.
    pub name: String,
    /// When its requests arrive. Clients of clients are not meant: they never ask.
    pub arrivals: Arrivals,
    /// What they ask for: classes with their weights.
    pub classes: Vec<(ClassIndex, f64)>,
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

/// A calm rate and a high one, in turn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bursts {
    /// Mean rate over both, above 0.
    pub rate: Rate,
    /// Rate in a burst as a multiple of the calm rate, at least 1.
    pub factor: f64,
    /// Mean time between bursts, above 0.
    pub calm_time: Duration,
    /// Mean length of a burst, above 0.
    pub burst_time: Duration,
}

impl Bursts {
    /// Share of the time that bursts take.
    #[must_use]
    pub fn share_of_time(&self) -> f64 {
        let (calm, burst) = (self.calm_time.as_secs_f64(), self.burst_time.as_secs_f64());
        burst / (calm + burst)
    }

    /// Rate between bursts, per second.
    #[must_use]
    pub fn calm_rate(&self) -> f64 {
        let share = self.share_of_time();
        self.rate.as_per_second() / (1.0 - share + self.factor * share)
    }

    /// Rate in a burst, per second.
    #[must_use]
    pub fn burst_rate(&self) -> f64 {
        self.calm_rate() * self.factor
    }
}

/// A rate with a rhythm: `rate (1 + amplitude cos(2 pi (t - peak) / period))`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cycle {
    /// Mean rate over a period, above 0.
    pub rate: Rate,
    /// How far the rate goes above and below its mean, as a share of it, 0 to 1.
    pub amplitude: f64,
    /// Length of the cycle, above 0.
    pub period: Duration,
    /// A time at which the rate is highest.
    pub peak: Timestamp,
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
    /// How requests repeat each other; `None` if their answers must not be kept.
    pub repeats: Option<Repeats>,
}

/// How the requests of a class repeat each other.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Repeats {
    /// Share of the requests whose answers may be kept, 0 to 1.
    pub share: f64,
    /// Which of the things to ask for each of them asks for.
    pub popularity: Zipf,
}
