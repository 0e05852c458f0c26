//! What follows from each kind of failure: one table, read by everybody.
//!
//! The alternative, a decision where each failure is met, is how a client's own 400 comes to open a
//! breaker, or a 429 without `Retry-After` to be retried on the same account at once.

use crate::request::FailureKind;

/// What follows from a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Consequence {
    /// Whether another attempt may help.
    pub retry: bool,
    /// Whether it speaks against the target: breaker, error streak and success window count it. A
    /// kind that does not count releases a half-open probe slot without judging it.
    pub counts: bool,
    /// Whether the time waited is a sample of the response time, at least the estimate so far.
    pub latency_sample: bool,
    /// Whether the tokens consumed so far are paid for.
    pub charged: bool,
    /// What it does to the account.
    pub account: AccountEffect,
}

/// What a failure does to the account as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountEffect {
    /// Nothing.
    None,
    /// It cools down: for its Retry-After, else for a time that doubles on repetition.
    CoolDown,
    /// It is disabled for a longer time and reported: a person has to repair it.
    Disable,
}

const SERVER_FAULT: Consequence = Consequence {
    retry: true,
    counts: true,
    latency_sample: false,
    charged: false,
    account: AccountEffect::None,
};
const TIMEOUT: Consequence = Consequence {
    latency_sample: true,
    charged: true,
    ..SERVER_FAULT
};
const CLIENT_FAULT: Consequence = Consequence {
    retry: false,
    counts: false,
    ..SERVER_FAULT
};

/// The row of the table for `kind`.
///
/// Retries are further bounded by attempts, budget and deadline, and no request is retried once its
/// first token has reached the client.
#[must_use]
pub const fn consequence(kind: FailureKind) -> Consequence {
    use FailureKind as K;
    match kind {
        K::InternalError
        | K::BadGateway
        | K::Unavailable
        | K::GatewayTimeout
        | K::Overloaded
        | K::Connection => SERVER_FAULT,
        K::AttemptTimeout | K::FirstTokenTimeout | K::IdleTimeout => TIMEOUT,
        K::DeadlineExceeded => Consequence {
            retry: false,
            ..TIMEOUT
        },
        K::BrokenStream => Consequence {
            charged: true,
            ..SERVER_FAULT
        },
        K::RateLimited => Consequence {
            counts: false,
            account: AccountEffect::CoolDown,
            ..SERVER_FAULT
        },
        K::Unauthorized | K::PaymentRequired | K::Forbidden | K::SpendCap => Consequence {
            counts: false,
            account: AccountEffect::Disable,
            ..SERVER_FAULT
        },
        K::BadRequest | K::ModelNotFound | K::TooLarge => CLIENT_FAULT,
        K::Cancelled => Consequence {
            charged: true,
            ..CLIENT_FAULT
        },
    }
}
