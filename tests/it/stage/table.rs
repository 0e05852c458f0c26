//! The table of failure kinds, a second time: as the design states it, row by row.

use routelab::request::FailureKind;
use routelab::routing::failure::AccountEffect;

/// One row.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Row {
    /// Another attempt may be made, before the first token has reached the client.
    pub retry: bool,
    /// Breaker, streak and success window count it.
    pub counts: bool,
    /// The time waited is a sample of the response time.
    pub sample: bool,
    /// What was consumed is paid for.
    pub charged: bool,
    /// What happens to the account.
    pub effect: AccountEffect,
}

/// retry, counts, sample, charged, effect.
const fn row(columns: [bool; 4], effect: AccountEffect) -> Row {
    let [retry, counts, sample, charged] = columns;
    Row {
        retry,
        counts,
        sample,
        charged,
        effect,
    }
}

/// The row of a kind.
pub const fn row_of(kind: FailureKind) -> Row {
    use AccountEffect as E;
    use FailureKind as K;
    const Y: bool = true;
    const N: bool = false;
    match kind {
        // 500, 502, 503, 504, 529, and no connection
        K::InternalError => row([Y, Y, N, N], E::None),
        K::BadGateway => row([Y, Y, N, N], E::None),
        K::Unavailable => row([Y, Y, N, N], E::None),
        K::GatewayTimeout => row([Y, Y, N, N], E::None),
        K::Overloaded => row([Y, Y, N, N], E::None),
        K::Connection => row([Y, Y, N, N], E::None),
        // Timeouts: retried if the deadline allows, which it never does once it has passed.
        K::AttemptTimeout => row([Y, Y, Y, Y], E::None),
        K::FirstTokenTimeout => row([Y, Y, Y, Y], E::None),
        K::IdleTimeout => row([Y, Y, Y, Y], E::None),
        K::DeadlineExceeded => row([N, Y, Y, Y], E::None),
        K::BrokenStream => row([Y, Y, N, Y], E::None),
        // 429
        K::RateLimited => row([Y, N, N, N], E::CoolDown),
        // Account faults
        K::Unauthorized => row([Y, N, N, N], E::Disable),
        K::PaymentRequired => row([Y, N, N, N], E::Disable),
        K::Forbidden => row([Y, N, N, N], E::Disable),
        K::SpendCap => row([Y, N, N, N], E::Disable),
        // The client's own
        K::BadRequest => row([N, N, N, N], E::None),
        K::ModelNotFound => row([N, N, N, N], E::None),
        K::TooLarge => row([N, N, N, N], E::None),
        K::Cancelled => row([N, N, N, Y], E::None),
    }
}
