//! Slots, queue, network and quota: sequences worked out by hand, and FIFO against its recursion.

use super::*;
use routelab::request::RegionIndex;
use routelab::rng::Rng;
use routelab::upstream::config::Quota;

#[test]
fn one_server_serves_in_order_and_refuses_beyond_its_queue() {
    let mut bench = Bench::new(&config(two_hundred_millis(), vec![account(slots(1, 2))]));
    for (millis, id) in [(0, 0), (10, 1), (20, 2), (30, 3), (250, 4)] {
        bench.begin(millis, id, false);
    }
    assert_eq!(bench.fleet.in_flight(), 3);
    let expected = [
        "30 #3 overloaded 0+0",
        "200 #0 finished 1000+10",
        "400 #1 finished 1000+10",
        "600 #2 finished 1000+10",
        "800 #4 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn a_stream_has_a_first_token_and_a_plain_answer_has_none() {
    let mut bench = Bench::new(&config(two_hundred_millis(), vec![account(slots(2, 0))]));
    bench.begin(0, 0, true);
    bench.begin(1, 1, false);
    let expected = [
        "100 #0 first",
        "200 #0 finished 1000+10",
        "201 #1 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
    let service = Service::Total(constant(0.2));
    let mut bench = Bench::new(&config(service, vec![account(Capacity::Unlimited)]));
    bench.begin(0, 0, true);
    assert_eq!(bench.finish(), ["200 #0 first", "200 #0 finished 1000+10"]);
}

#[test]
fn who_gives_up_frees_the_place_at_once() {
    let mut bench = Bench::new(&config(two_hundred_millis(), vec![account(slots(1, 2))]));
    for id in 0..3 {
        bench.begin(0, id, true);
    }
    // Waiting: nothing was consumed, and there is room for another.
    assert_eq!(bench.cancel(50, 1), (0, 0));
    bench.begin(50, 3, false);
    // Running, half way through its tokens; the next in line starts.
    assert_eq!(bench.cancel(150, 0), (1_000, 5));
    assert_eq!(bench.cancel(150, 0), (0, 0));
    // Running, before its first token.
    assert_eq!(bench.cancel(249, 2), (1_000, 0));
    assert_eq!(bench.fleet.in_flight(), 1);
    assert_eq!(bench.finish(), ["100 #0 first", "449 #3 finished 1000+10"]);
}

#[test]
fn the_round_trip_delays_every_answer_but_holds_no_slot() {
    let mut config = config(two_hundred_millis(), vec![account(slots(1, 1))]);
    config.network = RoundTrips {
        matrix: vec![Duration::from_millis(60)],
        regions: 1,
        gateway: None,
        links: Vec::new(),
    };
    config.accounts[0].region = Some(RegionIndex(0));
    let mut bench = Bench::new(&config);
    let mut from_afar = request(0, true);
    from_afar.features.user_region = Some(RegionIndex(0));
    for id in 0..3 {
        bench.begin_request(0, id, 0, &from_afar);
    }
    let mut elsewhere = from_afar;
    elsewhere.features.model = ModelIndex(5);
    bench.begin_request(0, 3, 0, &elsewhere);
    bench.begin_request(0, 4, 9, &from_afar);
    let expected = [
        "0 #4 model_not_found 0+0",
        "60 #2 overloaded 0+0",
        "60 #3 model_not_found 0+0",
        "160 #0 first",
        "260 #0 finished 1000+10",
        "360 #1 first",
        "460 #1 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn quota_is_taken_at_the_door_and_shared_by_its_accounts() {
    let mut config = config(
        two_hundred_millis(),
        vec![account(slots(1, 0)), account(Capacity::Unlimited)],
    );
    config.quotas = vec![Quota {
        requests_per_minute: Some(3),
        input_tokens_per_minute: None,
        output_tokens_per_minute: Some(10),
        retry_after: true,
    }];
    for account in &mut config.accounts {
        account.quota = Some(0);
    }
    let mut bench = Bench::new(&config);
    bench.begin_request(0, 0, 0, &request(0, false));
    // Refused by the full station, and yet it counts.
    bench.begin_request(1, 1, 0, &request(1, false));
    bench.begin_request(2, 2, 1, &request(2, false));
    bench.begin_request(3, 3, 1, &request(3, false));
    // 20 output tokens of a minute's 10, one more wanted, 6 s each: room at 66.2 s.
    bench.begin_request(61_000, 4, 0, &request(4, false));
    let expected = [
        "1 #1 overloaded 0+0",
        "3 #3 rate_limited after 20s 0+0",
        "200 #0 finished 1000+10",
        "202 #2 finished 1000+10",
        "61000 #4 rate_limited after 6s 0+0",
    ];
    assert_eq!(bench.finish(), expected);
}

/// Kiefer and Wolfowitz's recursion for first come first served with c servers: each customer takes
/// the server that is free first. With c = 1 it is Lindley's.
fn departures(arrivals: &[u64], services: &[u64], servers: usize) -> Vec<u64> {
    let mut free = vec![0; servers];
    let serve = |(&arrival, &service): (&u64, &u64)| {
        free.sort_unstable();
        free[0] = arrival.max(free[0]) + service;
        free[0]
    };
    arrivals.iter().zip(services).map(serve).collect()
}

#[test]
fn first_come_first_served_agrees_with_its_recursion() {
    let service = Service::Total(Distribution::exponential(0.1).unwrap());
    for seed in 0..20 {
        let mut rng = Rng::from_state(seed);
        let servers = 1 + rng.below(5);
        let gap = Distribution::exponential(0.11 / f64::from(servers)).unwrap();
        let mut now = 0;
        let arrivals: Vec<u64> = (0..300)
            .map(|_| {
                now += gap.sample_duration(&mut rng).as_nanos();
                now
            })
            .collect();
        // The demand of each is what it takes when nobody is in the way.
        let free = sojourns(&service, Capacity::Unlimited, &arrivals);
        let queued = sojourns(&service, slots(servers, u32::MAX), &arrivals);
        let expected = departures(&arrivals, &free, servers as usize);
        let ends: Vec<u64> = arrivals.iter().zip(queued).map(|(a, s)| a + s).collect();
        assert_eq!(ends, expected, "seed {seed}, {servers} servers");
    }
}

fn sojourns(service: &Service, capacity: Capacity, arrivals: &[u64]) -> Vec<u64> {
    let config = config(service.clone(), vec![account(capacity)]);
    let mut fleet = Fleet::new(&config, Streams::new(7, 0));
    let mut ends = vec![0; arrivals.len()];
    let mut run_to = |fleet: &mut Fleet, now: Timestamp| {
        while let Some(time) = fleet.next_event().filter(|time| *time <= now) {
            if let Some(UpstreamEvent::Finished { attempt, .. }) = fleet.advance(time) {
                ends[attempt.at()] = time.as_nanos();
            }
        }
    };
    for (&arrival, id) in arrivals.iter().zip(0..) {
        let now = Timestamp::from_nanos(arrival);
        run_to(&mut fleet, now);
        let request = request(u64::from(id), false);
        fleet.begin(now, AttemptId(id), AccountIndex(0), 0, &request);
    }
    run_to(&mut fleet, Timestamp::NEVER);
    ends.iter()
        .zip(arrivals)
        .map(|(end, arrival)| end - arrival)
        .collect()
}
