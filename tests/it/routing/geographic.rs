//! `geographic` by hand: the nearest region, the least loaded in it, and the spill to the next.

use crate::stage::{Stage, accounts, at, features, ms, once};
use routelab::record::Strategy;
use routelab::request::{RegionIndex, RequestFeatures};
use routelab::routing::account::{Account, Availability};
use routelab::routing::geography::Geography;

/// Regions 0, 1, 2 in a row, 50 ms apart.
fn in_a_row() -> Geography {
    let matrix = [5, 50, 100, 50, 5, 50, 100, 50, 5].map(ms);
    Geography::new(&matrix, 3)
}

/// Two accounts in region 0, one in 1, one in 2; 20 in flight each.
fn pool() -> Vec<Account> {
    let mut pool = accounts(4);
    for (account, region) in pool.iter_mut().zip([0, 0, 1, 2]) {
        account.region = Some(RegionIndex(region));
        account.max_in_flight = 20;
    }
    pool
}

fn from(region: u16) -> RequestFeatures {
    RequestFeatures {
        user_region: Some(RegionIndex(region)),
        ..features()
    }
}

fn stage(pool: &[Account]) -> Stage {
    Stage::seeded(&once(Strategy::Geographic), pool, in_a_row(), 1)
}

fn loads(stage: &Stage) -> [u32; 4] {
    [0, 1, 2, 3].map(|account| stage.in_flight(account))
}

/// Region 0 takes 37 of its 40: until the 36th it is at 90 % or below. Then the next region takes
/// 19 of its 20, then the last, and when all are above 90 % the least loaded wherever it is.
#[test]
fn a_region_spills_over_above_nine_tenths() {
    let mut stage = stage(&pool());
    stage.burst(36, at(0), &from(0));
    assert_eq!(loads(&stage), [18, 18, 0, 0]);
    stage.burst(1, at(0), &from(0));
    assert_eq!(
        loads(&stage)[2..],
        [0, 0],
        "exactly nine tenths is not above"
    );
    stage.burst(19, at(0), &from(0));
    assert_eq!(loads(&stage)[2..], [19, 0]);
    stage.burst(19, at(0), &from(0));
    assert_eq!(loads(&stage)[2..], [19, 19]);
    stage.burst(5, at(0), &from(0));
    assert_eq!(loads(&stage), [20, 20, 20, 20]);
    assert_eq!(stage.request(at(0), &from(0)).sent(), None);
}

/// What a full account carries is load of its region, although it can take nothing: 20 of 23 is
/// room for one more, 21 of 23 is not. By its candidates alone region 0 would look idle.
#[test]
fn full_accounts_are_load_of_their_region() {
    let mut pool = pool();
    pool[1].max_in_flight = 3;
    let mut alone = pool.clone();
    for account in &mut alone[1..] {
        account.availability = Availability::Disabled;
    }
    let mut stage = stage(&alone);
    stage.burst(20, at(0), &from(0));
    for account in pool {
        stage.gateway.upsert(at(0), account);
    }
    stage.burst(1, at(0), &from(0));
    assert_eq!(loads(&stage), [20, 1, 0, 0]);
    stage.burst(19, at(0), &from(0));
    assert_eq!(loads(&stage), [20, 1, 19, 0]);
}

#[test]
fn a_region_without_candidates_is_passed_over() {
    let mut pool = pool();
    pool[3].availability = Availability::Disabled;
    let mut stage = stage(&pool);
    stage.burst(10, at(0), &from(2));
    assert_eq!(loads(&stage), [0, 0, 10, 0], "the nearest of the others");
}

/// Regions equally far are one group: from the middle, when the middle is gone.
#[test]
fn equally_near_regions_share_by_load() {
    let mut pool = pool();
    pool[2].availability = Availability::Disabled;
    let mut stage = stage(&pool);
    stage.burst(12, at(0), &from(1));
    assert_eq!(loads(&stage), [4, 4, 0, 4]);
}

/// Nobody knows where the user is: the least loaded, by share of its own limit.
#[test]
fn an_unknown_region_gets_the_least_loaded() {
    let mut pool = pool();
    pool[0].max_in_flight = 40;
    let mut stage = stage(&pool);
    stage.burst(50, at(0), &features());
    assert_eq!(loads(&stage), [20, 10, 10, 10]);
}
