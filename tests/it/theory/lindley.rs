//! Every single wait, not only their mean.
//!
//! The service demand of a request at an account does not depend on what else happens there, so a
//! run with unlimited capacity shows all demands, and from them each response time with a first
//! come, first served line follows by arithmetic (Lindley 1952; with several servers Kiefer and
//! Wolfowitz 1955: the next in line takes the server that is free first). The simulator must agree
//! to the nanosecond.

use super::{EXPONENTIAL, System};
use crate::support::results;
use routelab::record::RequestRecord;

const ACCOUNTS: u32 = 3;

/// All requests of a run in order of arrival, arm after arm.
fn requests(system: System) -> Vec<RequestRecord> {
    let results = results(&system.scenario(1), 1);
    let arms = results.strategies.into_iter();
    arms.flat_map(|mut arm| {
        arm.requests.sort_by_key(|record| record.request);
        arm.requests
    })
    .collect()
}

/// Runs strategies that do not look at the load with `servers` at each account, and compares.
fn compare(servers: u32, service: &str) {
    let rate = 0.95 * f64::from(ACCOUNTS * servers);
    let unlimited = System {
        accounts: ACCOUNTS,
        capacity: r#""unlimited""#,
        service,
        load: 0.5,
        rate,
        strategies: r#""round_robin", "random""#,
        requests: 10_000,
        more: "[output]\nrequests = true",
    };
    let limited = format!("{{ slots = {servers} }}");
    let limited = System {
        capacity: &limited,
        ..unlimited
    };
    let (demands, waited) = (requests(unlimited), requests(limited));
    assert!(demands.len() > 19_000, "{}", demands.len());
    assert_eq!(demands.len(), waited.len());
    let idle = || vec![0; servers as usize];
    let mut free = [(); ACCOUNTS as usize].map(|()| idle());
    for (demand, waited) in demands.iter().zip(&waited) {
        let both = |f: fn(&RequestRecord) -> u64| (f(demand), f(waited));
        let (id, same_id) = both(|record| record.request.0);
        assert_eq!(id, same_id);
        if id == 0 {
            free = free.map(|_| idle());
        }
        let account = demand.account.expect("a place").at();
        assert_eq!(demand.account, waited.account, "request {id}");
        let (arrived, same_arrived) = both(|record| record.arrived.as_nanos());
        assert_eq!(arrived, same_arrived, "request {id}");
        let first_free = free[account].iter_mut().min().expect("a server");
        *first_free = arrived.max(*first_free) + demand.sojourn().as_nanos();
        assert_eq!(waited.ended.as_nanos(), *first_free, "request {id}");
    }
}

#[test]
fn one_server_an_account() {
    compare(1, EXPONENTIAL);
    compare(1, r#""1s""#);
}

#[test]
fn several_servers_an_account() {
    compare(3, EXPONENTIAL);
    compare(2, r#"{ kind = "gamma", mean = "1s", cv = 2 }"#);
}
