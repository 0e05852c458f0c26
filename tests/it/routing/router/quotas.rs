//! Declared quotas, as the smart router minds them.

use super::smart;
use crate::stage::{Stage, USAGE, accounts, at, features};
use routelab::request::Usage;
use routelab::routing::account::Account;
use routelab::time::Timestamp;

/// Sends one after the other until somebody is refused; returns how many were not.
fn until_refused(stage: &mut Stage, now: Timestamp) -> usize {
    let sent = std::iter::from_fn(|| stage.request(now, &features()).sent());
    sent.take(1_000).count()
}

fn per_minute(input_tokens: u64) -> Vec<Account> {
    let mut pool = accounts(1);
    pool[0].limits.input_tokens_per_minute = Some(input_tokens);
    pool
}

/// What a request takes from a declared quota is expected by the share of cached input so far,
/// which quotas do not count: of 2,000 tokens two requests of 1,000, and when these turn out to be
/// cached by nine tenths, the 1,800 left are enough for eighteen.
#[test]
fn quotas_expect_the_usual_share_of_cached_input() {
    let mut stage = Stage::new(&smart(), &per_minute(2_000));
    let sent = stage.burst(2, at(0), &features());
    assert_eq!(until_refused(&mut stage, at(0)), 0);
    for sent in sent {
        let cached = Usage {
            cached_input: 900,
            ..USAGE
        };
        stage.end_using(at(0), sent, None, cached);
    }
    assert_eq!(until_refused(&mut stage, at(0)), 18);
}

/// New limits hold at once, and what has been used stays used.
#[test]
fn changed_quotas_take_effect() {
    let mut stage = Stage::new(&smart(), &per_minute(2_000));
    assert_eq!(until_refused(&mut stage, at(0)), 2);
    stage.gateway.upsert(at(0), per_minute(5_000).remove(0));
    assert_eq!(until_refused(&mut stage, at(0)), 3);
    stage.gateway.upsert(at(0), per_minute(1_000).remove(0));
    // 5,000 used of 1,000: five minutes to a full bucket.
    assert_eq!(until_refused(&mut stage, at(299_000)), 0);
    assert_eq!(until_refused(&mut stage, at(300_000)), 1);
}
