//! Attempts that share an account: sequences worked out by hand, slots as a special case, and a
//! naive model that keeps what is left of each.

use super::*;
use routelab::request::RegionIndex;
use routelab::rng::Rng;
use routelab::upstream::config::{CalmFailure, Fault, FaultKind, Trouble};

/// One server that all share: two run at half speed each.
fn one_server() -> UpstreamConfig {
    let capacity = shared(Speeds::servers(1), u32::MAX, 0);
    config(two_hundred_millis(), vec![account(capacity); 2])
}

#[test]
fn each_slows_the_others_down() {
    let mut bench = Bench::new(&one_server());
    bench.begin(0, 0, true);
    // From 100 ms on each has half: the first token of 1 comes after 200 ms, the end of 0 too.
    bench.begin(100, 1, true);
    // From 200 ms on a third: 0 has 50 ms left of its 200, 1 has 50 ms left of its first 100.
    bench.begin(200, 2, false);
    let expected = [
        "100 #0 first",
        "350 #0 finished 1000+10",
        "350 #1 first",
        // 100 ms left of 1, 150 ms of 2.
        "550 #1 finished 1000+10",
        "600 #2 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn who_leaves_gives_its_share_to_the_others() {
    let mut bench = Bench::new(&one_server());
    bench.begin(0, 0, true);
    bench.begin(0, 1, true);
    bench.begin(0, 2, false);
    // 120 ms of work each, by a third of the time.
    assert_eq!(bench.cancel(360, 1), (1_000, 2));
    // 20 ms more each, and half the time.
    assert_eq!(bench.cancel(400, 2), (1_000, 4));
    let expected = ["300 #0 first", "300 #1 first", "460 #0 finished 1000+10"];
    assert_eq!(bench.finish(), expected);
}

/// The fourth waits, the fifth is refused; the answer's way does not occupy anything.
#[test]
fn a_full_batch_lets_others_wait() {
    let speeds = Speeds::measured(&[(1, 100.0), (3, 50.0)]).unwrap();
    let mut config = config(two_hundred_millis(), vec![account(shared(speeds, 3, 1))]);
    config.network.matrix = vec![Duration::from_millis(60)];
    config.network.regions = 1;
    config.accounts[0].region = Some(RegionIndex(0));
    let mut bench = Bench::new(&config);
    let mut from_afar = request(0, true);
    from_afar.features.user_region = Some(RegionIndex(0));
    for id in 0..5 {
        bench.begin_request(0, id, 0, &from_afar);
    }
    let expected = [
        "60 #4 overloaded 0+0",
        "260 #0 first",
        "260 #1 first",
        "260 #2 first",
        "460 #0 finished 1000+10",
        "460 #1 finished 1000+10",
        "460 #2 finished 1000+10",
        "560 #3 first",
        "660 #3 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

fn fault(kind: FaultKind, start: u64, end: u64) -> Fault {
    Fault {
        ramp: Duration::ZERO,
        kind,
        accounts: vec![AccountIndex(0)],
        model: None,
        start: ms(start),
        end: ms(end),
    }
}

#[test]
fn an_outage_breaks_off_what_was_produced_by_then() {
    let mut config = one_server();
    config.faults = vec![fault(
        FaultKind::Outage {
            failure: FailureKind::Unavailable,
            time_to_fail: constant(0.005),
        },
        300,
        400,
    )];
    let mut bench = Bench::new(&config);
    bench.begin(0, 0, true);
    bench.begin(0, 1, false);
    bench.begin_request(0, 2, 1, &request(2, false));
    // The account is empty again: this one runs alone.
    bench.begin(400, 3, false);
    let expected = [
        "200 #0 first",
        "200 #2 finished 1000+10",
        // 150 ms of work done, half way through the tokens.
        "300 #0 broken_stream 1000+5",
        "300 #1 connection 0+0",
        "600 #3 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn a_blackhole_silences_but_what_it_silences_keeps_its_share() {
    let mut config = one_server();
    config.faults = vec![fault(FaultKind::Blackhole, 50, 60)];
    let mut bench = Bench::new(&config);
    bench.begin(0, 0, true);
    bench.begin(60, 1, false);
    // 45 ms of work of each by 150 ms, then 155 more alone.
    assert_eq!(bench.cancel(150, 0), (1_000, 1));
    bench.run_to(1_000);
    assert_eq!(bench.log, ["305 #1 finished 1000+10"]);
}

#[test]
fn a_brownout_makes_more_work_of_it() {
    let mut config = one_server();
    config.faults = vec![fault(FaultKind::Brownout { factor: 2.0 }, 0, 10)];
    let mut bench = Bench::new(&config);
    bench.begin(0, 0, true);
    bench.begin(10, 1, true);
    let expected = [
        // 200 ms of work to the first token, 400 in all; the other 100 and 200.
        "210 #1 first",
        "390 #0 first",
        "410 #1 finished 1000+10",
        "600 #0 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn failures_and_hangs_take_their_share() {
    let mut config = one_server();
    let failure = |trouble| CalmFailure {
        trouble,
        rate: 1.0,
        time_to_fail: constant(0.03),
    };
    config.accounts[0].failures = vec![failure(Trouble::Fails(FailureKind::InternalError))];
    let mut bench = Bench::new(&config);
    bench.begin(0, 0, true);
    bench.begin(0, 1, false);
    let expected = ["60 #0 internal_error 0+0", "60 #1 internal_error 0+0"];
    assert_eq!(bench.finish(), expected);
    config.accounts[0].failures = vec![failure(Trouble::Hangs)];
    let mut bench = Bench::new(&config);
    bench.begin(0, 0, true);
    assert_eq!(bench.fleet.next_event(), None);
    assert_eq!(bench.cancel(500, 0), (1_000, 0));
    assert_eq!(bench.fleet.in_flight(), 0);
}

/// Ten tokens, 10 ms apart alone: 20 ms apart for two, so a report every 15 ms waits for the token.
#[test]
fn progress_is_reported_with_the_tokens_there_are() {
    let mut bench = Bench::new(&one_server());
    bench.fleet.report_progress(Duration::from_millis(15));
    bench.begin(0, 0, true);
    bench.begin(100, 1, false);
    // A pause: 0 stays at 6 of 10 tokens while the share is next to nothing.
    for id in 2..2_000 {
        bench.begin(200, id, false);
    }
    for id in 1..2_000 {
        bench.cancel(1_700, id);
    }
    let log = bench.finish();
    let at = |line: &String| line.split_once(' ').unwrap().0.parse::<f64>().unwrap();
    let progress: Vec<f64> = log
        .iter()
        .filter(|l| l.ends_with("progress"))
        .map(at)
        .collect();
    assert_eq!(log[0], "100 #0 first");
    // 11.11 ms of work between tokens: 22.22 ms.
    let expected = [122.222224, 144.444446, 166.666668, 188.88889];
    assert_eq!(progress[..4], expected);
    // Then nothing, until all the others have left.
    assert!(progress[4] > 1_700.0, "{progress:?}");
    assert!(progress.windows(2).all(|two| two[1] - two[0] >= 15.0));
    assert!(log.last().unwrap().ends_with("finished 1000+10"));
}

/// A random history of one account: every line of its log.
fn history(seed: u64, capacity: Capacity) -> Vec<String> {
    let mut rng = Rng::from_state(seed);
    let service = Service::Tokens {
        first_token: Distribution::exponential(0.1).unwrap(),
        first_token_per_1k_input: Duration::ZERO,
        per_output_token: Distribution::exponential(0.01).unwrap(),
    };
    let mut config = config(service, vec![account(capacity)]);
    config.accounts[0].failures = vec![CalmFailure {
        trouble: Trouble::Fails(FailureKind::BrokenStream),
        rate: 0.2,
        time_to_fail: constant(0.0),
    }];
    config.faults = vec![
        fault(FaultKind::Brownout { factor: 1.7 }, 400, 600),
        fault(FaultKind::Blackhole, 1_000, 1_050),
        fault(
            FaultKind::Outage {
                failure: FailureKind::Unavailable,
                time_to_fail: constant(0.01),
            },
            2_000,
            2_100,
        ),
    ];
    let mut bench = Bench::new(&config);
    let mut now = 0;
    for id in 0..200 {
        now += u64::from(rng.below(40));
        bench.begin(now, id, rng.below(2) == 0);
        if rng.below(4) == 0 {
            let other = rng.below(id + 1);
            let (input, output) = bench.cancel(now, other);
            bench
                .log
                .push(format!("cancelled #{other} {input}+{output}"));
        }
    }
    bench.finish()
}

#[test]
fn at_full_speed_it_is_slots() {
    let constant = Speeds::measured(&[(1, 3.0), (4, 3.0)]).unwrap();
    for seed in 0..50 {
        let expected = history(seed, slots(4, 3));
        assert_eq!(expected, history(seed, shared(constant.clone(), 4, 3)));
        let servers = shared(Speeds::servers(4), 4, 3);
        assert_eq!(expected, history(seed, servers), "seed {seed}");
    }
}

/// The naive model: what is left of each attempt, brought up to date at every event. In the units
/// of the station, 2^-63 ns, so that it must agree to the nanosecond.
struct Naive {
    speeds: Speeds,
    limit: usize,
    now: u64,
    /// Attempt, and what is left of it.
    running: Vec<(u32, u128)>,
    waiting: Vec<(u32, u64)>,
    ends: Vec<(u64, u32)>,
}

impl Naive {
    fn speed(&self) -> u128 {
        // The public face of a speed is a comparison; its value follows from the definition.
        let n = self.running.len() as u128;
        match self.speeds == Speeds::servers(2) {
            true if n <= 2 => 1 << 63,
            true => (2u128 << 63).div_ceil(n),
            false => (10u128 << 63).div_ceil(9 + n),
        }
    }

    fn run_to(&mut self, until: u64) {
        loop {
            let speed = if self.running.is_empty() {
                1
            } else {
                self.speed()
            };
            let least = self.running.iter().map(|(_, left)| *left).min();
            let next = least.map(|left| self.now + left.div_ceil(speed) as u64);
            let to = next.map_or(until, |next| next.min(until));
            for (_, left) in &mut self.running {
                *left = left.saturating_sub(u128::from(to - self.now) * speed);
            }
            self.now = to;
            let place = self.running.iter().position(|(_, left)| *left == 0);
            let Some(place) = place.filter(|_| next == Some(to)) else {
                return;
            };
            let (attempt, _) = self.running.remove(place);
            self.ends.push((to, attempt));
            self.admit();
        }
    }

    fn admit(&mut self) {
        while self.running.len() < self.limit && !self.waiting.is_empty() {
            let (attempt, demand) = self.waiting.remove(0);
            self.running.push((attempt, u128::from(demand) << 63));
        }
    }
}

#[test]
fn it_agrees_with_a_naive_model_to_the_nanosecond() {
    let law = Distribution::exponential(0.1).unwrap();
    let service = Service::Total(law);
    let batch = Speeds::iteration(Duration::from_millis(9), Duration::from_millis(1), 6);
    for seed in 0..40 {
        let mut rng = Rng::from_state(seed);
        let (speeds, limit) = match seed % 2 {
            0 => (Speeds::servers(2), u32::MAX),
            _ => (batch.clone(), 6),
        };
        let mean = if seed % 2 == 0 { 0.06 } else { 0.02 };
        let gap = Distribution::exponential(mean).unwrap();
        let capacity = shared(speeds.clone(), limit, u32::MAX);
        let config = config(service.clone(), vec![account(capacity)]);
        let mut fleet = Fleet::new(&config, Streams::new(seed, 0));
        let mut naive = Naive {
            speeds,
            limit: limit as usize,
            now: 0,
            running: Vec::new(),
            waiting: Vec::new(),
            ends: Vec::new(),
        };
        let mut ends = Vec::new();
        let mut run_to = |fleet: &mut Fleet, until: Timestamp| {
            while let Some(time) = fleet.next_event().filter(|time| *time <= until) {
                while let Some(event) = fleet.advance(time) {
                    if let UpstreamEvent::Finished { attempt, .. } = event {
                        ends.push((time.as_nanos(), attempt.0));
                    }
                }
            }
        };
        let demands = demands(&service, seed);
        let mut now = Timestamp::ZERO;
        for (id, demand) in (0..300).zip(demands) {
            now += gap.sample_duration(&mut rng);
            run_to(&mut fleet, now);
            naive.run_to(now.as_nanos());
            let request = request(u64::from(id), false);
            fleet.begin(now, AttemptId(id), AccountIndex(0), 0, &request);
            naive.waiting.push((id, demand));
            naive.admit();
        }
        run_to(&mut fleet, Timestamp::NEVER);
        naive.run_to(u64::MAX / 4);
        assert_eq!(ends, naive.ends, "seed {seed}");
    }
}

/// What each of 300 requests demands of account 0: what it takes where nobody is in the way.
fn demands(service: &Service, seed: u64) -> Vec<u64> {
    let alone = config(service.clone(), vec![account(Capacity::Unlimited)]);
    let mut fleet = Fleet::new(&alone, Streams::new(seed, 0));
    let demand = |id: u32| {
        let now = Timestamp::from_nanos(u64::from(id) << 50);
        fleet.begin(
            now,
            AttemptId(0),
            AccountIndex(0),
            0,
            &request(u64::from(id), false),
        );
        let end = fleet.next_event().unwrap();
        assert!(fleet.advance(end).is_some());
        end.since(now).as_nanos()
    };
    (0..300).map(demand).collect()
}

/// The time is settled at arrival, by how many are there then.
#[test]
fn load_dependent_times_agree_with_a_naive_model() {
    for seed in 0..40 {
        let mut rng = Rng::from_state(seed);
        let service = Service::Total(Distribution::exponential(0.1).unwrap());
        let capacity = Capacity::LoadDependent {
            threshold: 4,
            at_threshold: 2.0,
            above: 5.0,
            limit: 8,
            refusal: FailureKind::Overloaded,
        };
        let config = config(service.clone(), vec![account(capacity)]);
        let mut bench = Bench::new(&config);
        bench.fleet = Fleet::new(&config, Streams::new(seed, 0));
        let mut ends: Vec<u64> = Vec::new();
        let mut expected = Vec::new();
        let mut now = 0;
        for (id, demand) in (0..300u32).zip(demands(&service, seed)) {
            now += u64::from(rng.below(60));
            bench.begin(now, id, false);
            let there = ends.iter().filter(|end| **end > now * 1_000_000).count();
            let factor = match there {
                0..=4 => 1.0 + there as f64 / 4.0,
                5..=7 => 5.0,
                _ => {
                    expected.push((now * 1_000_000, id, false));
                    continue;
                }
            };
            let end = now * 1_000_000 + (demand as f64 * factor + 0.5) as u64;
            ends.push(end);
            expected.push((end, id, true));
        }
        expected.sort_unstable();
        let line = |&(end, id, good): &(u64, u32, bool)| {
            let what = if good {
                "finished 1000+10"
            } else {
                "overloaded 0+0"
            };
            format!("{} #{id} {what}", end as f64 / 1e6)
        };
        let mut log = bench.finish();
        let mut expected: Vec<String> = expected.iter().map(line).collect();
        log.sort_unstable();
        expected.sort_unstable();
        assert_eq!(log, expected, "seed {seed}");
    }
}
