//! Several clients side by side, and users who wait for answers.

use super::{after, all, config, rate};
use routelab::distribution::Distribution;
use routelab::request::{ClassIndex, Request};
use routelab::rng::{Rng, Streams};
use routelab::time::{Duration, Timestamp};
use routelab::workload::Workload;
use routelab::workload::config::{
    Arrivals, Bursts, Client, Cycle, GammaGaps, Users, WorkloadConfig,
};
use std::collections::BTreeMap;

fn client(name: &str, arrivals: Arrivals, class: u16) -> Client {
    Client {
        name: name.into(),
        arrivals,
        classes: vec![(ClassIndex(class), 1.0)],
    }
}

fn of(clients: &[Client], secs: u64) -> WorkloadConfig {
    config(Arrivals::Clients(clients.to_vec()), after(secs))
}

fn gamma(per_second: f64, cv: f64) -> Arrivals {
    Arrivals::Gamma {
        rate: rate(per_second),
        gaps: GammaGaps::new(cv).unwrap(),
    }
}

fn bursts() -> Arrivals {
    Arrivals::Mmpp(Bursts {
        rate: rate(5.0),
        factor: 20.0,
        calm_time: Duration::from_secs(20),
        burst_time: Duration::from_secs(2),
    })
}

/// What a request is, apart from its number.
fn facts((at, request): &(Timestamp, Request)) -> (Timestamp, Request) {
    let mut request = *request;
    request.id = routelab::request::RequestId(0);
    (*at, request)
}

fn of_class(all: &[(Timestamp, Request)], class: u16) -> Vec<(Timestamp, Request)> {
    let mine = |(_, request): &&(Timestamp, Request)| request.class == ClassIndex(class);
    all.iter().filter(mine).map(facts).collect()
}

#[test]
fn a_client_more_or_less_moves_no_other() {
    let streams = Streams::new(3, 1);
    let mine = client("mine", gamma(9.0, 3.0), 0);
    let alone = all(&of(std::slice::from_ref(&mine), 300), streams);
    let (first, second) = (
        client("a", bursts(), 1),
        client("b", Arrivals::Poisson { rate: rate(30.0) }, 1),
    );
    for clients in [
        vec![mine.clone(), first.clone()],
        vec![first.clone(), mine.clone()],
        vec![second, first, mine],
    ] {
        let together = all(&of(&clients, 300), streams);
        assert!(together.len() > alone.len() + 500);
        let alone: Vec<_> = alone.iter().map(facts).collect();
        assert_eq!(of_class(&together, 0), alone);
    }
    let other = client("other name", gamma(9.0, 3.0), 0);
    assert_ne!(all(&of(&[other], 300), streams)[0].0, alone[0].0);
}

/// Independent clients add up: the mean of the counts, and their variance too.
#[test]
fn counts_are_the_sums_of_those_of_the_clients() {
    const RUNS: u32 = 4_000;
    let cycle = Cycle {
        rate: rate(20.0),
        amplitude: 0.5,
        period: Duration::from_secs(1),
        peak: Timestamp::ZERO,
    };
    let clients = [
        client("calm", Arrivals::Poisson { rate: rate(30.0) }, 0),
        client("clumps", gamma(40.0, 2.0), 0),
        client("days", Arrivals::Diurnal(cycle), 1),
        client("clock", Arrivals::Constant { rate: rate(10.0) }, 1),
    ];
    // Over 10 s: Poisson, then `cv^2 m + (1 - cv^4) / 6`, whole periods, and clockwork (whose last
    // arrival falls on the end, and is left out).
    let (mean, variance) = (300.0 + 400.0 + 200.0 + 99.0, 300.0 + 1600.0 - 2.5 + 200.0);
    let config = of(&clients, 10);
    let counts: Vec<f64> = (0..RUNS)
        .map(|run| all(&config, Streams::new(1, run)).len() as f64)
        .collect();
    let n = f64::from(RUNS);
    let found = counts.iter().sum::<f64>() / n;
    assert!(
        (found - mean).abs() < 4.5 * (variance / n).sqrt(),
        "{found}, not {mean}"
    );
    let spread = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / n;
    let error = variance * (2.0 / n).sqrt() * 1.2;
    assert!(
        (spread - variance).abs() < 4.5 * error,
        "{spread}, not {variance}"
    );
}

#[test]
fn clients_ask_for_their_classes_by_their_own_weights() {
    let mut picky = client("picky", Arrivals::Poisson { rate: rate(200.0) }, 0);
    picky.classes = vec![(ClassIndex(0), 1.0), (ClassIndex(1), 3.0)];
    let mut nobody = client("nobody", Arrivals::Poisson { rate: rate(200.0) }, 0);
    nobody.classes.clear();
    let all = all(&of(&[nobody, picky], 100), Streams::new(2, 0));
    assert!(all.len().abs_diff(20_000) < 700, "{}", all.len());
    let share = of_class(&all, 1).len() as f64 / all.len() as f64;
    assert!((share - 0.75).abs() < 0.015, "{share}");
}

/// A user's requests: when each arrived, when it ended, and what it was.
type Course = BTreeMap<u32, Vec<(Timestamp, Timestamp, Request)>>;

/// Runs the workload against answers that take a random time of this mean.
fn answered(config: &WorkloadConfig, streams: Streams, mean: f64, seed: u64) -> Course {
    let mut workload = Workload::new(config, streams);
    assert!(workload.follows_ends());
    let time = Distribution::exponential(mean).unwrap();
    let mut rng = Rng::from_state(seed);
    let mut waiting: BTreeMap<(Timestamp, u64), Request> = BTreeMap::new();
    let mut course = Course::new();
    loop {
        let arrival = workload.next_arrival().unwrap_or(Timestamp::NEVER);
        let end = waiting.keys().next().copied();
        if let Some((now, id)) = end.filter(|(at, _)| *at <= arrival) {
            let request = waiting.remove(&(now, id)).unwrap();
            workload.request_ended(now, &request);
        } else if let Some((at, request)) = workload.take() {
            assert!(at < config.end && end.is_none_or(|(end, _)| at < end));
            let ended = at + time.sample_duration(&mut rng);
            waiting.insert((ended, request.id.0), request);
            if let Some(user) = request.user {
                course.entry(user.0).or_default().push((at, ended, request));
            }
        } else {
            assert!(waiting.is_empty());
            return course;
        }
    }
}

fn users(count: u32) -> Arrivals {
    Arrivals::ClosedLoop(Users {
        count,
        think_time: Distribution::lognormal(3.0, 1.0).unwrap(),
    })
}

/// Whatever becomes of the answers, and whoever else is there, a user's n-th request is the same
/// and is thought about for as long.
#[test]
fn users_think_and_ask_alike_under_every_strategy() {
    let streams = Streams::new(5, 0);
    let alone = of(&[client("people", users(8), 0)], 2_000);
    let fast = answered(&alone, streams, 0.5, 1);
    let beside = [
        client("others", users(5), 1),
        client("jobs", Arrivals::Poisson { rate: rate(2.0) }, 1),
        client("people", users(12), 0),
    ];
    let slow = answered(&of(&beside, 2_000), streams, 20.0, 2);
    assert_eq!((fast.len(), slow.len()), (8, 17));
    for (user, course) in &fast {
        // The others come first in the list, and take the first five numbers.
        let other = &slow[&(user + 5)];
        assert!(other.len() > 50 && course.len() > 2 * other.len());
        assert_eq!(course[0].0, other[0].0, "the first think time");
        for (a, b) in course.windows(2).zip(other.windows(2)) {
            let thought = |pair: &[(Timestamp, Timestamp, Request)]| pair[1].0.since(pair[0].1);
            assert_eq!(thought(a), thought(b));
        }
        for (a, b) in course.iter().zip(other) {
            let (mut a, b) = (a.2, b.2);
            (a.id, a.user) = (b.id, b.user);
            assert_eq!(a, b);
        }
    }
}

#[test]
fn a_user_has_one_request_at_a_time_and_none_after_the_end() {
    let config = config(users(20), after(500));
    let course = answered(&config, Streams::new(6, 0), 4.0, 3);
    assert_eq!(course.len(), 20);
    for requests in course.values() {
        for pair in requests.windows(2) {
            assert!(pair[0].1 < pair[1].0, "asked before the answer had come");
        }
        // Only a user who would ask after the end is silent at the end.
        let (_, last, _) = requests.last().unwrap();
        assert!(*last + Duration::from_secs(60) > config.end);
    }
}

/// Users with a constant think time do not begin in step: first arrivals are uniform within it.
#[test]
fn users_do_not_begin_in_step() {
    let constant = Arrivals::ClosedLoop(Users {
        count: 10_000,
        think_time: Distribution::constant(10.0).unwrap(),
    });
    let config = config(constant, after(100));
    let mut workload = Workload::new(&config, Streams::new(7, 0));
    let mut firsts: Vec<f64> = vec![];
    while let Some((at, _)) = workload.take() {
        firsts.push(at.as_secs_f64() / 10.0);
    }
    assert_eq!(firsts.len(), 10_000);
    let distances = firsts
        .iter()
        .enumerate()
        .map(|(rank, x)| (x - rank as f64 / 1e4).abs());
    let greatest = distances.fold(0.0, f64::max);
    assert!(greatest < 1.95 / 100.0, "{greatest}");
}

#[test]
fn open_arrivals_need_not_be_told_of_ends() {
    for arrivals in [bursts(), Arrivals::Clients(vec![client("a", bursts(), 0)])] {
        let workload = Workload::new(&config(arrivals, after(10)), Streams::new(8, 0));
        assert!(!workload.follows_ends());
    }
}
