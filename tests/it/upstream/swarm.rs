//! Random far ends under random use: nothing is lost, nothing comes twice, nothing stays behind.
//!
//! Every failure prints its seed; `run(seed)` replays it.

use super::*;
use routelab::request::RegionIndex;
use routelab::rng::Rng;
use routelab::upstream::config::{CalmFailure, Fault, FaultKind, Quota, Trouble};
use std::collections::BTreeMap;

const MODELS: u32 = 2;

fn maybe(rng: &mut Rng) -> bool {
    rng.below(2) == 0
}

fn some_service(rng: &mut Rng) -> Service {
    if maybe(rng) {
        return Service::Total(Distribution::exponential(0.3).unwrap());
    }
    Service::Tokens {
        first_token: Distribution::uniform(0.0, 0.4).unwrap(),
        first_token_per_1k_input: Duration::from_millis(u64::from(rng.below(50))),
        per_output_token: Distribution::exponential(0.01).unwrap(),
    }
}

fn some_failure(rng: &mut Rng) -> CalmFailure {
    let kinds = [
        Trouble::Fails(FailureKind::BrokenStream),
        Trouble::Fails(FailureKind::InternalError),
        Trouble::Hangs,
    ];
    CalmFailure {
        trouble: kinds[rng.below(3) as usize],
        rate: rng.uniform() * 0.3,
        time_to_fail: Distribution::uniform(0.0, 0.2).unwrap(),
    }
}

fn some_account(rng: &mut Rng) -> AccountBehaviour {
    let capacity = match rng.below(6) {
        0 => Capacity::Unlimited,
        1 => Capacity::LoadDependent {
            threshold: 1 + rng.below(4),
            at_threshold: 2.0,
            above: 5.0,
            limit: 1 + rng.below(8),
            refusal: FailureKind::Overloaded,
        },
        2 | 3 => shared(
            match rng.below(2) {
                0 => Speeds::servers(1 + rng.below(3)),
                _ => Speeds::measured(&[(1, 1.0), (4, 0.5), (6, 0.4)]).unwrap(),
            },
            1 + rng.below(8),
            rng.below(8),
        ),
        _ => slots(1 + rng.below(4), rng.below(8)),
    };
    AccountBehaviour {
        region: maybe(rng).then_some(RegionIndex(0)),
        service_of_model: (0..MODELS)
            .map(|_| (rng.below(8) > 0).then_some(0))
            .collect(),
        capacity,
        abandoned: match rng.below(2) {
            0 => Abandoned::Frees,
            _ => Abandoned::Continues,
        },
        quota: (rng.below(3) == 0).then_some(0),
        failures: (0..rng.below(4)).map(|_| some_failure(rng)).collect(),
    }
}

fn some_fault(rng: &mut Rng, accounts: u32) -> Fault {
    let time_to_fail = Distribution::uniform(0.0, 0.05).unwrap();
    let failure = FailureKind::Unavailable;
    let kind = match rng.below(4) {
        0 => FaultKind::Outage {
            failure,
            time_to_fail,
        },
        1 => FaultKind::Blackhole,
        2 => FaultKind::Brownout {
            factor: 0.5 + rng.uniform() * 4.0,
        },
        _ => FaultKind::Errors {
            rate: rng.uniform(),
            failure,
            time_to_fail,
        },
    };
    // Few different times, so that boundaries and work often fall together.
    let start = u64::from(rng.below(12)) * 500;
    Fault {
        kind,
        accounts: (0..accounts)
            .filter(|_| maybe(rng))
            .map(AccountIndex)
            .collect(),
        model: maybe(rng).then_some(ModelIndex(rng.below(MODELS) as u16)),
        start: ms(start),
        end: ms(start + u64::from(rng.below(6)) * 500),
        ramp: Duration::ZERO,
    }
}

fn some_config(rng: &mut Rng) -> UpstreamConfig {
    let accounts = 1 + rng.below(4);
    UpstreamConfig {
        accounts: (0..accounts).map(|_| some_account(rng)).collect(),
        services: vec![some_service(rng)],
        quotas: vec![Quota {
            requests_per_minute: maybe(rng).then_some(200),
            input_tokens_per_minute: maybe(rng).then_some(100_000),
            output_tokens_per_minute: maybe(rng).then_some(1_000),
            retry_after: maybe(rng),
        }],
        network: RoundTrips {
            matrix: vec![Duration::from_millis(40)],
            regions: 1,
            gateway: maybe(rng).then_some(RegionIndex(0)),
            links: Vec::new(),
        },
        faults: (0..rng.below(5))
            .map(|_| some_fault(rng, accounts))
            .collect(),
        incidents: Vec::new(),
    }
}

/// What is known of an attempt in flight.
struct Known {
    request: Request,
    first_token: bool,
}

/// Drives one random fleet, checking every event. Returns a digest of all that was reported.
struct World {
    fleet: Fleet,
    flying: BTreeMap<u32, Known>,
    now: Timestamp,
    digest: Vec<String>,
}

impl World {
    fn run_to(&mut self, until: Timestamp) {
        while let Some(time) = self.fleet.next_event().filter(|time| *time <= until) {
            assert!(time >= self.now, "time went back");
            self.now = time;
            while let Some(event) = self.fleet.advance(time) {
                self.check(event);
                assert_eq!(self.fleet.in_flight(), self.flying.len());
            }
            assert!(self.fleet.next_event().is_none_or(|next| next > time));
        }
        if until != Timestamp::NEVER {
            self.now = until;
        }
    }

    fn check(&mut self, event: UpstreamEvent) {
        self.digest
            .push(format!("{} {}", self.now, describe(event)));
        match event {
            UpstreamEvent::FirstToken { attempt } => {
                let known = self.flying.get_mut(&attempt.0).expect("a token of nobody");
                assert!(known.request.features.streaming && !known.first_token);
                known.first_token = true;
            }
            UpstreamEvent::Progress { attempt } => {
                let known = self.flying.get(&attempt.0).expect("progress of nobody");
                assert!(known.first_token, "progress before the first token");
            }
            UpstreamEvent::Finished { attempt, usage } => {
                let known = self.flying.remove(&attempt.0).expect("an end of nobody");
                assert_eq!(known.first_token, known.request.features.streaming);
                assert_eq!(usage, known.request.tokens);
            }
            UpstreamEvent::Failed {
                attempt,
                failure,
                usage,
            } => {
                let known = self.flying.remove(&attempt.0).expect("an end of nobody");
                assert!(usage.output <= known.request.tokens.output);
                if failure.kind != FailureKind::BrokenStream {
                    assert_eq!(usage, Usage::default());
                }
            }
        }
    }

    fn begin(&mut self, id: u32, account: u32, request: Request) {
        if self.flying.contains_key(&id) {
            return;
        }
        let (attempt, to) = (AttemptId(id), AccountIndex(account));
        self.fleet.begin(self.now, attempt, to, 0, &request);
        let first_token = false;
        self.flying.insert(
            id,
            Known {
                request,
                first_token,
            },
        );
    }

    fn cancel(&mut self, id: u32) {
        let usage = self.fleet.cancel(self.now, AttemptId(id));
        self.digest
            .push(format!("{} cancel #{id} {usage:?}", self.now));
        match self.flying.remove(&id) {
            None => assert_eq!(usage, Usage::default()),
            Some(known) => assert!(usage.output <= known.request.tokens.output),
        }
        assert_eq!(self.fleet.in_flight(), self.flying.len());
    }
}

fn run(seed: u64) -> Vec<String> {
    let mut rng = Rng::from_state(seed);
    let config = some_config(&mut rng);
    let accounts = config.accounts.len() as u32;
    let mut world = World {
        fleet: fleet(&config, seed),
        flying: BTreeMap::new(),
        now: Timestamp::ZERO,
        digest: Vec::new(),
    };
    for number in 0..400 {
        let gap = u64::from(rng.below(3)) * u64::from(rng.below(60));
        world.run_to(world.now + Duration::from_millis(gap));
        let id = rng.below(60);
        if rng.below(4) == 0 {
            world.cancel(id);
        } else {
            let mut request = request(number, maybe(&mut rng));
            request.tokens.output = rng.below(80);
            request.features.model = ModelIndex(rng.below(MODELS) as u16);
            request.features.user_region = maybe(&mut rng).then_some(RegionIndex(0));
            world.begin(id, rng.below(accounts), request);
        }
    }
    // What is left after everything has happened hangs, or waits behind what hangs.
    world.run_to(Timestamp::NEVER);
    for id in 0..60 {
        world.cancel(id);
        world.run_to(Timestamp::NEVER);
    }
    assert_eq!(world.fleet.in_flight(), 0);
    assert_eq!(world.fleet.next_event(), None);
    world.digest
}

#[test]
fn every_attempt_ends_once_and_twice_gives_the_same() {
    for seed in 0..1_500 {
        let first = std::panic::catch_unwind(|| run(seed));
        let Ok(first) = first else {
            panic!("seed {seed}");
        };
        assert_eq!(first, run(seed), "seed {seed}");
    }
}

#[test]
fn nothing_stays_behind_where_nothing_hangs() {
    for seed in 0..300 {
        let mut rng = Rng::from_state(seed);
        let mut config = some_config(&mut rng);
        config
            .faults
            .retain(|fault| !matches!(fault.kind, FaultKind::Blackhole));
        for account in &mut config.accounts {
            account
                .failures
                .retain(|failure| failure.trouble != Trouble::Hangs);
        }
        let mut bench = Bench::new(&config);
        let accounts = config.accounts.len() as u32;
        for id in 0..200 {
            let request = request(u64::from(id), maybe(&mut rng));
            bench.begin_request(u64::from(id) * 20, id, rng.below(accounts), &request);
        }
        bench.run_to(100_000_000);
        assert_eq!(bench.fleet.in_flight(), 0, "seed {seed}");
        let ends = bench
            .log
            .iter()
            .filter(|line| !line.ends_with("first"))
            .count();
        assert_eq!(ends, 200, "seed {seed}");
    }
}

/// Every other fleet reports the progress of its streams.
fn fleet(config: &UpstreamConfig, seed: u64) -> Fleet {
    let mut fleet = Fleet::new(config, Streams::new(seed, 0));
    if seed % 2 == 1 {
        fleet.report_progress(Duration::from_millis(1 + seed % 50));
    }
    fleet
}
