//! What clients give up and accounts go on with: it holds its place to its natural end, in every
//! kind of station, whatever happens to ids meanwhile.

use super::*;
use routelab::rng::Rng;
use routelab::upstream::config::{CalmFailure, Fault, FaultKind, Trouble};

fn deaf(capacity: Capacity) -> UpstreamConfig {
    let mut account = account(capacity);
    account.abandoned = Abandoned::Continues;
    config(two_hundred_millis(), vec![account])
}

#[test]
fn slots_are_held_and_the_line_is_kept() {
    let mut bench = Bench::new(&deaf(slots(1, 2)));
    for id in 0..3 {
        bench.begin(0, id, true);
    }
    // Charged as ever: what was consumed when the client left.
    assert_eq!(bench.cancel(150, 0), (1_000, 5));
    assert_eq!(bench.cancel(150, 1), (0, 0));
    assert_eq!(bench.cancel(150, 1), (0, 0));
    assert_eq!(bench.fleet.in_flight(), 1);
    // The line is as full as before, and their ids are free.
    bench.begin(150, 0, false);
    bench.begin(200, 1, false);
    let expected = [
        "100 #0 first",
        "150 #0 overloaded 0+0",
        // 0 to 200, its follower to 400, and then those that somebody waits for.
        "500 #2 first",
        "600 #2 finished 1000+10",
        "800 #1 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn a_share_is_kept() {
    let mut bench = Bench::new(&deaf(shared(Speeds::servers(1), u32::MAX, 0)));
    bench.begin(0, 0, true);
    bench.begin(0, 1, false);
    assert_eq!(bench.cancel(300, 0), (1_000, 5));
    bench.begin(300, 0, false);
    // A third each to 450, then 150 ms more of the last.
    let expected = [
        "200 #0 first",
        "450 #1 finished 1000+10",
        "600 #0 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn the_number_in_flight_is_kept() {
    let capacity = Capacity::LoadDependent {
        threshold: 1,
        at_threshold: 2.0,
        above: 5.0,
        limit: 2,
        refusal: FailureKind::Overloaded,
    };
    let mut bench = Bench::new(&deaf(capacity));
    bench.begin(0, 0, false);
    bench.cancel(10, 0);
    bench.begin(20, 0, false);
    bench.begin(199, 1, false);
    bench.begin(200, 2, false);
    let expected = [
        "199 #1 overloaded 0+0",
        "420 #0 finished 1000+10",
        "600 #2 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn what_hangs_goes_with_its_client() {
    for capacity in [slots(1, 9), shared(Speeds::servers(1), 1, 9)] {
        let mut config = deaf(capacity);
        config.accounts[0].service_of_model = vec![Some(0)];
        config.accounts[0].failures = vec![CalmFailure {
            trouble: Trouble::Hangs,
            rate: 1.0,
            time_to_fail: constant(0.0),
        }];
        let mut bench = Bench::new(&config);
        for id in 0..3 {
            bench.begin(0, id, true);
        }
        for id in [1, 0, 2] {
            bench.cancel(100, id);
        }
        assert_eq!(bench.fleet.next_event(), None);
        for id in 0..10 {
            bench.begin(200, id, false);
        }
        // Room for ten again.
        bench.run_to(1_000);
        assert!(bench.log.is_empty(), "{:?}", bench.log);
    }
}

/// What a blackhole has silenced is held until its client leaves, and then to its natural end.
#[test]
fn a_silent_one_is_held_to_its_end_or_its_clients_whichever_is_later() {
    for capacity in [slots(1, 0), shared(Speeds::servers(1), 1, 0)] {
        for (given_up, free) in [(100, 200), (300, 300)] {
            let mut config = deaf(capacity.clone());
            config.faults = vec![Fault {
                ramp: Duration::ZERO,
                kind: FaultKind::Blackhole,
                accounts: vec![AccountIndex(0)],
                model: None,
                start: ms(10),
                end: ms(20),
            }];
            let mut bench = Bench::new(&config);
            bench.begin(0, 0, false);
            if given_up < free {
                bench.cancel(given_up, 0);
            }
            bench.begin(free - 1, 1, false);
            bench.cancel(given_up.max(free - 1), 0);
            bench.begin(free, 2, false);
            let expected = [
                format!("{} #1 overloaded 0+0", free - 1),
                format!("{} #2 finished 1000+10", free + 200),
            ];
            assert_eq!(bench.finish(), expected, "given up at {given_up} ms");
        }
    }
}

#[test]
fn an_outage_clears_them_out() {
    for capacity in [slots(1, 9), shared(Speeds::servers(1), 1, 9)] {
        let mut config = deaf(capacity);
        config.faults = vec![Fault {
            ramp: Duration::ZERO,
            kind: FaultKind::Outage {
                failure: FailureKind::Unavailable,
                time_to_fail: constant(0.005),
            },
            accounts: vec![AccountIndex(0)],
            model: None,
            start: ms(50),
            end: ms(60),
        }];
        let mut bench = Bench::new(&config);
        for id in 0..4 {
            bench.begin(0, id, false);
        }
        bench.cancel(10, 0);
        bench.cancel(10, 2);
        bench.begin(60, 0, false);
        let expected = [
            "50 #1 connection 0+0",
            "50 #3 connection 0+0",
            "260 #0 finished 1000+10",
        ];
        assert_eq!(bench.finish(), expected);
    }
}

/// That a client leaves, and that its id is used again, changes nothing for the others: they end as
/// if it had stayed and heard its answer.
#[test]
fn leaving_changes_nothing_for_the_others() {
    let speeds = Speeds::measured(&[(1, 1.0), (4, 0.4)]).unwrap();
    let capacities = [
        slots(3, 5),
        shared(Speeds::servers(2), u32::MAX, 0),
        shared(speeds, 4, 5),
    ];
    for (seed, capacity) in (0..60).zip(capacities.iter().cycle()) {
        let [stayed, left] = [false, true].map(|leave| {
            let mut rng = Rng::from_state(seed);
            let mut config = deaf(capacity.clone());
            config.services = vec![Service::Total(Distribution::exponential(0.1).unwrap())];
            let mut fleet = Fleet::new(&config, Streams::new(seed, 0));
            // By id: the number of the request, while somebody waits for it.
            let mut ids: Vec<Option<u64>> = Vec::new();
            let (mut ends, mut gone) = (Vec::new(), vec![false; 200]);
            let mut now = Timestamp::ZERO;
            for number in 0..200 {
                now += Duration::from_millis(u64::from(rng.below(60)));
                drain(&mut fleet, now, &mut ids, &mut ends);
                let id = ids.iter().position(Option::is_none).unwrap_or(ids.len());
                ids.resize(ids.len().max(id + 1), None);
                ids[id] = Some(number);
                let attempt = AttemptId(id as u32);
                fleet.begin(now, attempt, AccountIndex(0), 0, &request(number, false));
                // A quarter of them leaves at once or later.
                let quits = rng.below(4) == 0;
                let whom = number.saturating_sub(u64::from(rng.below(4)));
                if quits {
                    gone[whom as usize] = true;
                    let holder = ids.iter().position(|held| *held == Some(whom));
                    if let Some(id) = holder.filter(|_| leave) {
                        fleet.cancel(now, AttemptId(id as u32));
                        ids[id] = None;
                    }
                }
            }
            drain(&mut fleet, Timestamp::NEVER, &mut ids, &mut ends);
            assert_eq!((fleet.in_flight(), fleet.next_event()), (0, None));
            ends.retain(|(_, number, _)| !gone[*number as usize]);
            ends
        });
        assert!(!left.is_empty());
        assert_eq!(stayed, left, "seed {seed}");
    }
}

fn drain(
    fleet: &mut Fleet,
    until: Timestamp,
    ids: &mut [Option<u64>],
    ends: &mut Vec<(Timestamp, u64, bool)>,
) {
    while let Some(time) = fleet.next_event().filter(|time| *time <= until) {
        while let Some(event) = fleet.advance(time) {
            if let UpstreamEvent::Finished { attempt, .. } | UpstreamEvent::Failed { attempt, .. } =
                event
            {
                let number = ids[attempt.at()].take().expect("an end of nobody");
                let good = matches!(event, UpstreamEvent::Finished { .. });
                ends.push((time, number, good));
            }
        }
    }
}
