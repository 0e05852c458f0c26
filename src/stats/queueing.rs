//! Queueing theory: what a simulator of queues must agree with.
//!
//! Closed forms and stationary distributions of the systems that `routelab validate` runs. Times
//! are in units of the mean service time and `load` is per server, so that a number here is a
//! number of the literature. The functions are tested against the table of reference numbers, which
//! others have computed; so a mistake in a formula cannot hide behind the same one in a simulator.

/// Mean response time of one server with Poisson arrivals and any service law, first come, first
/// served; `scv` is the variance of the service time over its squared mean (Pollaczek 1930,
/// Khinchine 1932).
#[must_use]
pub fn mean_of_single_server(load: f64, scv: f64) -> f64 {
    1.0 + load * (1.0 + scv) / (2.0 * (1.0 - load))
}

/// Probability that all of `servers` are busy and a request is refused, when `offered` requests
/// arrive per mean service time (Erlang 1917). By the recursion, which is stable; the quotient of
/// powers and factorials overflows.
#[must_use]
pub fn erlang_b(servers: u32, offered: f64) -> f64 {
    (1..=servers).fold(1.0, |blocked, n| {
        offered * blocked / (f64::from(n) + offered * blocked)
    })
}

/// Probability that a request has to wait at `servers` with one line (Erlang's second formula).
#[must_use]
pub fn erlang_c(servers: u32, load: f64) -> f64 {
    let blocked = erlang_b(servers, load * f64::from(servers));
    blocked / (1.0 - load * (1.0 - blocked))
}

/// Mean response time of `servers` exponential servers with one line.
#[must_use]
pub fn mean_of_servers(servers: u32, load: f64) -> f64 {
    1.0 + erlang_c(servers, load) / (f64::from(servers) * (1.0 - load))
}

/// Probability that a response of `servers` exponential servers with one line takes longer than
/// `time`: service alone, or service after an exponential wait at rate `servers (1 - load)`.
#[must_use]
pub fn survival_of_servers(servers: u32, load: f64, time: f64) -> f64 {
    let waits = erlang_c(servers, load);
    let rate = f64::from(servers) * (1.0 - load);
    let served = libm::exp(-time);
    let both = if (rate - 1.0).abs() < 1e-9 {
        (1.0 + time) * served
    } else {
        (rate * served - libm::exp(-rate * time)) / (rate - 1.0)
    };
    (1.0 - waits) * served + waits * both
}

/// Rate of the exponential response time of exponential servers that requests go to in turn, each
/// with a line of its own: between two requests at one server lie `queues` exponential gaps, so it
/// is `E_n/M/1`, with rate `1 - sigma` where `sigma` solves
/// `sigma = (n load / (n load + 1 - sigma))^n` (D. G. Kendall 1953).
#[must_use]
pub fn response_rate_in_turn(queues: u32, load: f64) -> f64 {
    let offered = f64::from(queues) * load;
    let next = |sigma: f64| libm::pow(offered / (offered + 1.0 - sigma), f64::from(queues));
    let mut sigma = 0.0;
    // It rises to the root from below, by a constant factor at each step.
    for _ in 0..10_000 {
        let better = next(sigma);
        if better - sigma < 1e-16 {
            break;
        }
        sigma = better;
    }
    1.0 - sigma
}

/// Stationary probabilities of a birth-and-death process with the states 0 to `last`: births at
/// rate `birth(n)` from `n`, deaths at rate `death(n)` from `n`.
#[must_use]
pub fn birth_and_death(
    last: usize,
    birth: impl Fn(usize) -> f64,
    death: impl Fn(usize) -> f64,
) -> Vec<f64> {
    let mut states = vec![1.0];
    for n in 1..=last {
        states.push(states[n - 1] * birth(n - 1) / death(n));
    }
    let sum: f64 = states.iter().sum();
    states.iter().map(|state| state / sum).collect()
}

/// Mean of the number in the system.
#[must_use]
pub fn mean_number(states: &[f64]) -> f64 {
    let weighted = states.iter().enumerate().map(|(n, p)| n as f64 * p);
    weighted.sum()
}

/// Mean number of independent attempts until `in_a_row` of them have failed one after the other.
#[must_use]
pub fn attempts_to_trip(failing: f64, in_a_row: u32) -> f64 {
    (libm::pow(failing, -f64::from(in_a_row)) - 1.0) / (1.0 - failing)
}

/// Mean number of attempts of a request that is given up after `most` of them.
#[must_use]
pub fn attempts_per_request(failing: f64, most: u32) -> f64 {
    (1.0 - libm::pow(failing, f64::from(most))) / (1.0 - failing)
}

/// Share of the requests that go to one slow server beside `fast` ones when each goes where the
/// fewest are in progress and nobody waits: numbers in progress are then equal, and a server's
/// share is inverse to its answer time. The fluid limit, of many requests in progress.
#[must_use]
pub fn share_of_slow_server(fast: u32, fast_time: f64, slow_time: f64) -> f64 {
    1.0 / (1.0 + f64::from(fast) * slow_time / fast_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a / b - 1.0).abs() < 1e-9, "{a}, not {b}");
    }

    #[test]
    fn one_server_is_the_same_by_every_road() {
        for load in [0.1, 0.5, 0.9, 0.99] {
            let mean = 1.0 / (1.0 - load);
            close(mean_of_single_server(load, 1.0), mean);
            close(mean_of_servers(1, load), mean);
            close(1.0 / response_rate_in_turn(1, load), mean);
            close(erlang_c(1, load), load);
            close(survival_of_servers(1, load, 3.0), libm::exp(-3.0 / mean));
            let endless = birth_and_death(9_000, |_| load, |_| 1.0);
            close(mean_number(&endless) / load, mean);
        }
    }

    #[test]
    fn servers_are_a_birth_and_death_process() {
        let states = birth_and_death(10, |_| 8.0, |n| n as f64);
        close(states[10], erlang_b(10, 8.0));
        let waiting = birth_and_death(2_000, |_| 2.8, |n| n.min(4) as f64);
        close(mean_number(&waiting) / 2.8, mean_of_servers(4, 0.7));
        close(waiting[4..].iter().sum(), erlang_c(4, 0.7));
    }

    /// The mean of a positive variable is the integral of its survival function.
    #[test]
    fn the_survival_function_has_the_mean() {
        for (servers, load) in [(4, 0.5), (4, 0.9), (2, 0.5), (10, 0.8)] {
            let step = 1e-3;
            let all = (0..400_000).map(|i| survival_of_servers(servers, load, f64::from(i) * step));
            let area = step * (all.sum::<f64>() - 0.5);
            assert!((area / mean_of_servers(servers, load) - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn trips_and_attempts_by_first_steps() {
        // From k failures in a row: one attempt, then k + 1 or none.
        let (p, mut expected) = (0.2, 0.0);
        for _ in 0..5 {
            expected = (1.0 + expected) / p;
        }
        close(attempts_to_trip(p, 5), expected);
        close(attempts_per_request(0.5, 3), 1.0 + 0.5 + 0.25);
    }

    #[test]
    fn equal_servers_have_equal_shares() {
        close(share_of_slow_server(10, 1.0, 1.0), 1.0 / 11.0);
        close(
            share_of_slow_server(10, 0.167, 2.0) / 2.0,
            0.004_140_427_430_951_555,
        );
    }
}
