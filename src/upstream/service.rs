//! How long an answer takes, once work on it has begun.
//!
//! Time to first token and time per output token are drawn apart because they are apart in the
//! world: the first grows with the prompt and with whatever else is being prefilled, the second
//! with the length of the answer. A single latency distribution cannot say what a first-token
//! timeout does, nor how latency follows from the tokens; it is kept for theory, where the service
//! time *is* one law, and for accounts of which only the total is known.

use super::config::Service;
use crate::request::Usage;
use crate::rng::Rng;
use crate::time::Duration;

/// When a complete answer's first token and its end come, counted from the start of service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Demand {
    /// Time to first token; never longer than `end`. With [`Service::Total`] it equals `end`, so
    /// that nothing is produced before: how the time divides is just what is not known there.
    pub(super) first_token: Duration,
    /// Time to the end of the answer.
    pub(super) end: Duration,
}

impl Service {
    /// Draws the demand of one attempt: the first token, then the time per token.
    #[inline]
    pub(super) fn demand(&self, tokens: Usage, rng: &mut Rng) -> Demand {
        match self {
            Self::Tokens {
                first_token,
                first_token_per_1k_input,
                per_output_token,
            } => {
                let prefill = per_thousand(*first_token_per_1k_input, tokens.input);
                let first_token = first_token.sample_duration(rng) + prefill;
                let decode = per_output_token.sample(rng) * f64::from(tokens.output);
                Demand {
                    first_token,
                    end: first_token + Duration::from_secs_f64(decode),
                }
            }
            Self::Total(total) => {
                let end = total.sample_duration(rng);
                Demand {
                    first_token: end,
                    end,
                }
            }
        }
    }
}

/// `time * tokens / 1000`, rounded down; [`Duration::MAX`] if the product passes 584 years.
fn per_thousand(time: Duration, tokens: u32) -> Duration {
    match time.as_nanos().checked_mul(u64::from(tokens)) {
        Some(product) => Duration::from_nanos(product / 1_000),
        None => Duration::MAX,
    }
}

impl Demand {
    /// The same work, `factor` times slower.
    pub(super) fn scale(self, factor: f64) -> Self {
        Self {
            first_token: self.first_token.scale(factor),
            end: self.end.scale(factor),
        }
    }

    /// When a stream that breaks off does so, for `u` uniform in [0, 1): between its first token
    /// and its end; anywhere if the time of the first token is not known apart.
    pub(super) fn break_point(self, u: f64) -> Duration {
        if self.first_token == self.end {
            return self.end.scale(u);
        }
        let rest = self.end.saturating_sub(self.first_token);
        self.first_token + rest.scale(u)
    }

    /// Output tokens produced after `elapsed`, of `total`: none before the first token, one with
    /// it, then evenly up to all of them at the end.
    pub(super) fn produced(self, elapsed: Duration, total: u32) -> u32 {
        if elapsed >= self.end {
            return total;
        }
        if elapsed < self.first_token || total == 0 {
            return 0;
        }
        let passed = u128::from(elapsed.saturating_sub(self.first_token).as_nanos());
        let whole = u128::from(self.end.saturating_sub(self.first_token).as_nanos());
        let more = u128::from(total - 1) * passed / whole.max(1);
        1 + u32::try_from(more).unwrap_or(u32::MAX - 1)
    }

    /// The least work after which so many of `total` tokens, 2 or more, are produced; all of it if
    /// there are not so many.
    pub(super) fn work_of(self, tokens: u32, total: u32) -> Duration {
        if tokens >= total {
            return self.end;
        }
        let whole = u128::from(self.end.saturating_sub(self.first_token).as_nanos());
        let more = (u128::from(tokens.max(1) - 1) * whole).div_ceil(u128::from(total - 1));
        self.first_token + Duration::from_nanos(u64::try_from(more).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Distribution;

    fn constant(value: f64) -> Distribution {
        Distribution::constant(value).unwrap()
    }

    fn tokens(input: u32, output: u32) -> Usage {
        Usage {
            input,
            cached_input: 0,
            output,
        }
    }

    #[test]
    fn tokens_add_up() {
        let service = Service::Tokens {
            first_token: constant(0.4),
            first_token_per_1k_input: Duration::from_millis(30),
            per_output_token: constant(0.02),
        };
        let demand = service.demand(tokens(1_500, 100), &mut Rng::from_state(1));
        assert_eq!(demand.first_token, Duration::from_millis(445));
        assert_eq!(demand.end, Duration::from_millis(2_445));
        let slow = demand.scale(3.0);
        assert_eq!(slow.first_token, Duration::from_millis(1_335));
        assert_eq!(slow.end, Duration::from_millis(7_335));
    }

    #[test]
    fn output_grows_evenly_from_the_first_token_to_the_end() {
        let demand = Demand {
            first_token: Duration::from_nanos(100),
            end: Duration::from_nanos(200),
        };
        let by = |nanos| demand.produced(Duration::from_nanos(nanos), 11);
        assert_eq!([by(0), by(99), by(100), by(109), by(110)], [0, 0, 1, 1, 2]);
        assert_eq!([by(199), by(200), by(u64::MAX)], [10, 11, 11]);
        assert_eq!(demand.produced(Duration::from_nanos(150), 0), 0);
    }

    #[test]
    fn the_work_of_a_token_is_the_least_that_produces_it() {
        let demand = Demand {
            first_token: Duration::from_nanos(100),
            end: Duration::from_nanos(1_117),
        };
        for total in [2, 3, 7, 100] {
            for tokens in 2..=total {
                let work = demand.work_of(tokens, total);
                let just_before = Duration::from_nanos(work.as_nanos() - 1);
                assert_eq!(demand.produced(work, total), tokens);
                assert_eq!(demand.produced(just_before, total), tokens - 1);
            }
        }
        assert_eq!(demand.work_of(2, 1), demand.end);
        assert_eq!(demand.work_of(2, 0), demand.end);
    }

    #[test]
    fn a_total_gives_every_token_at_its_end() {
        let service = Service::Total(constant(2.0));
        let demand = service.demand(tokens(10, 50), &mut Rng::from_state(1));
        assert_eq!(demand.produced(Duration::from_nanos(1_999_999_999), 50), 0);
        assert_eq!(demand.produced(Duration::from_secs(2), 50), 50);
    }

    #[test]
    fn streams_break_within_the_answer() {
        let demand = Demand {
            first_token: Duration::from_nanos(100),
            end: Duration::from_nanos(200),
        };
        assert_eq!(demand.break_point(0.0), Duration::from_nanos(100));
        assert_eq!(demand.break_point(0.25), Duration::from_nanos(125));
        let total = Demand {
            first_token: demand.end,
            ..demand
        };
        assert_eq!(total.break_point(0.25), Duration::from_nanos(50));
    }

    #[test]
    fn absurd_lengths_saturate() {
        let service = Service::Tokens {
            first_token: constant(1e30),
            first_token_per_1k_input: Duration::MAX,
            per_output_token: constant(1e30),
        };
        let demand = service.demand(tokens(u32::MAX, u32::MAX), &mut Rng::from_state(1));
        assert_eq!(demand.end, Duration::MAX);
        assert_eq!(demand.scale(1e300).end, Duration::MAX);
    }
}
