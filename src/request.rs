//! Requests, and the small words that every layer uses to speak of them.

use crate::time::Duration;
use std::num::NonZeroU64;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
        pub struct $name(pub $int);

        impl $name {
            /// The index as a position in a slice.
            #[must_use]
            #[inline]
            pub const fn at(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index!(
    /// Position of an account in the order in which accounts were given; dense from 0.
    AccountIndex(u32)
);
index!(
    /// Position of a model in the list of models known to the run; dense from 0.
    ModelIndex(u16)
);
index!(
    /// Position of a region in the list of regions known to the run; dense from 0.
    RegionIndex(u16)
);
index!(
    /// Position of a request class in the workload; dense from 0.
    ClassIndex(u16)
);
index!(
    /// Number of a user in the closed loops of a workload; dense from 0.
    UserIndex(u32)
);
index!(
    /// Number of an attempt among those in flight. Given by the gateway, reused after the attempt
    /// has ended.
    AttemptId(u32)
);

/// Number of a request, in order of arrival, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct RequestId(pub u64);

/// What a request asks for, as far as a cache of answers looks at it: requests with the same key
/// are the same, and one may be given the answer to another. Equal or not is all that it says: in a
/// proxy it is a hash of the normalised request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CacheKey(pub NonZeroU64);

impl CacheKey {
    /// The key for a hash; 0 is taken for the highest number.
    #[must_use]
    pub const fn new(hash: u64) -> Self {
        match NonZeroU64::new(hash) {
            Some(hash) => Self(hash),
            None => Self(NonZeroU64::MAX),
        }
    }

    /// The hash.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

/// An enum of unit variants with a fixed spelling for scenario files, columns and charts.
macro_rules! words {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every variant, in declared order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it in files, columns and charts.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The variant with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.name() == name)
            }

            /// Position in [`Self::ALL`].
            #[must_use]
            #[inline]
            pub const fn at(self) -> usize {
                self as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// The company behind an account.
    Provider {
        /// Anthropic (Claude).
        Anthropic = "anthropic",
        /// Google (Gemini).
        Google = "google",
        /// `OpenAI`.
        OpenAi = "openai",
        /// Any other.
        Custom = "custom",
    }
}

words! {
    /// How urgent a request is; the router chooses the strategy by it.
    RequestPriority {
        /// A user is waiting and every second counts.
        Critical = "critical",
        /// Above the ordinary.
        High = "high",
        /// The ordinary.
        Normal = "normal",
        /// Batch and background work.
        Low = "low",
    }
}

words! {
    /// What kind of work is asked for.
    RequestType {
        /// A conversation.
        Chat = "chat",
        /// A plain completion.
        Completion = "completion",
        /// An embedding.
        Embedding = "embedding",
        /// Writing code.
        Code = "code",
        /// Analysis of a document or of data.
        Analysis = "analysis",
    }
}

/// What a user would like beyond an answer. `None` means no wish.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct UserPreferences {
    /// Provider wished for.
    pub provider: Option<Provider>,
    /// Whether `provider` is a condition instead of a wish.
    pub provider_required: bool,
    /// Longest expected latency that the user accepts.
    pub latency_tolerance: Option<Duration>,
    /// In (0, 1]: accounts dearer than (the cheapest / this) are avoided; 1 accepts the cheapest
    /// only.
    pub cost_sensitivity: Option<f64>,
    /// Least quality tier of the model, 1 to 5.
    pub minimum_quality: Option<u8>,
}

impl Default for RequestPriority {
    /// `normal`.
    fn default() -> Self {
        Self::Normal
    }
}

impl Default for RequestType {
    /// `chat`.
    fn default() -> Self {
        Self::Chat
    }
}

/// What the gateway can see of a request before it is answered.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct RequestFeatures {
    /// Model asked for.
    pub model: ModelIndex,
    /// Input length in tokens, estimated before sending.
    pub estimated_tokens: u32,
    /// The request's own limit on output tokens, if it states one.
    pub max_output_tokens: Option<u32>,
    /// Urgency.
    pub priority: RequestPriority,
    /// Kind of work.
    pub request_type: RequestType,
    /// Whether the answer is streamed, so that its first token counts.
    pub streaming: bool,
    /// Region the user is in; `None` when unknown.
    pub user_region: Option<RegionIndex>,
    /// Wishes of the user.
    pub preferences: UserPreferences,
    /// What it asks for; `None` where its answer must not be kept (it is sampled, or not marked).
    pub cache_key: Option<CacheKey>,
}

/// One request as the workload makes it: what the gateway sees, and what only the upstream finds
/// out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Request {
    /// Number in order of arrival.
    pub id: RequestId,
    /// What its random numbers hang on: its attributes, and how long each account takes for it. It
    /// is the number in order of arrival where that order never depends on anything else; where
    /// several clients meet, or users wait for answers, it is (client, how many before) or (user,
    /// how many before), mixed, so that neither another client nor another strategy changes it.
    pub key: u64,
    /// The class of the workload that it came from.
    pub class: ClassIndex,
    /// The user who asks again after its end, in a closed loop.
    pub user: Option<UserIndex>,
    /// Visible to the gateway.
    pub features: RequestFeatures,
    /// True tokens of a complete answer; the gateway must never be shown this.
    pub tokens: Usage,
}

/// Tokens consumed, as a provider reports them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Input tokens, those read from the provider's prompt cache included.
    pub input: u32,
    /// The part of `input` read from the provider's prompt cache.
    pub cached_input: u32,
    /// Output tokens.
    pub output: u32,
}

words! {
    /// Why an attempt, or a request, failed. What follows from each is the table in
    /// `routing::failure`.
    FailureKind {
        /// HTTP 500.
        InternalError = "internal_error",
        /// HTTP 502.
        BadGateway = "bad_gateway",
        /// HTTP 503.
        Unavailable = "unavailable",
        /// HTTP 504, sent by the upstream.
        GatewayTimeout = "gateway_timeout",
        /// HTTP 529, Anthropic's `overloaded_error`.
        Overloaded = "overloaded",
        /// No connection, or it was reset before an answer.
        Connection = "connection",
        /// The whole time allowed to the attempt passed.
        AttemptTimeout = "attempt_timeout",
        /// The first token did not come in its time.
        FirstTokenTimeout = "first_token_timeout",
        /// A stream paused for too long.
        IdleTimeout = "idle_timeout",
        /// The request's own deadline passed during the attempt.
        DeadlineExceeded = "deadline_exceeded",
        /// The stream broke off, or carried an error event.
        BrokenStream = "broken_stream",
        /// HTTP 429 by a rate limit.
        RateLimited = "rate_limited",
        /// HTTP 401, or a key that the provider calls invalid.
        Unauthorized = "unauthorized",
        /// HTTP 402: no credit.
        PaymentRequired = "payment_required",
        /// HTTP 403.
        Forbidden = "forbidden",
        /// A 429 that says that the account's spending cap is reached.
        SpendCap = "spend_cap",
        /// HTTP 400 by the client's doing.
        BadRequest = "bad_request",
        /// HTTP 404: no such model.
        ModelNotFound = "model_not_found",
        /// HTTP 413, or a prompt longer than the context window.
        TooLarge = "too_large",
        /// The client left, or a hedge lost its race.
        Cancelled = "cancelled",
    }
}

/// A failure as the upstream reports it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// How long the upstream asks to wait, where it says so.
    pub retry_after: Option<Duration>,
}

impl From<FailureKind> for Failure {
    fn from(kind: FailureKind) -> Self {
        Self {
            kind,
            retry_after: None,
        }
    }
}
