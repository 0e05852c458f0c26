//! Every kind of fault at its boundaries, alone and overlapping.

use super::*;
use routelab::upstream::config::{CalmFailure, Fault, FaultKind, Trouble};

fn outage() -> FaultKind {
    FaultKind::Outage {
        failure: FailureKind::Unavailable,
        time_to_fail: constant(0.005),
    }
}

fn fault(kind: FaultKind, start: u64, end: u64) -> Fault {
    Fault {
        kind,
        accounts: vec![AccountIndex(0)],
        model: None,
        start: ms(start),
        end: ms(end),
        ramp: Duration::ZERO,
    }
}

fn faulty(capacity: Capacity, faults: Vec<Fault>) -> UpstreamConfig {
    UpstreamConfig {
        faults,
        ..config(two_hundred_millis(), vec![account(capacity); 2])
    }
}

#[test]
fn an_outage_fails_fast_and_breaks_off_what_is_in_flight_in_order() {
    let mut bench = Bench::new(&faulty(slots(3, 9), vec![fault(outage(), 150, 400)]));
    bench.begin(0, 4, true);
    bench.begin(10, 2, false);
    bench.begin(60, 3, true);
    bench.begin(70, 0, true);
    bench.begin_request(80, 1, 1, &request(1, true));
    // Begun at the start: fails fast, and is not broken off as well.
    bench.begin(150, 5, true);
    bench.begin(399, 6, true);
    // Begun at the end: the fault is over, and every slot is free again.
    for id in 7..10 {
        bench.begin(400, id, false);
    }
    let expected = [
        "100 #4 first",
        "150 #4 broken_stream 1000+5",
        "150 #2 connection 0+0",
        "150 #3 connection 0+0",
        "150 #0 connection 0+0",
        "155 #5 unavailable 0+0",
        "180 #1 first",
        "280 #1 finished 1000+10",
        "404 #6 unavailable 0+0",
        "600 #7 finished 1000+10",
        "600 #8 finished 1000+10",
        "600 #9 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn an_answer_due_at_the_very_start_of_an_outage_is_lost() {
    let mut bench = Bench::new(&faulty(
        Capacity::Unlimited,
        vec![fault(outage(), 200, 300)],
    ));
    bench.begin(0, 0, false);
    assert_eq!(bench.finish(), ["200 #0 connection 0+0"]);
}

#[test]
fn a_retry_while_breaks_are_being_reported_meets_the_outage_and_cancels_hold() {
    let mut bench = Bench::new(&faulty(slots(2, 9), vec![fault(outage(), 50, 400)]));
    for id in 0..4 {
        bench.begin(0, id, false);
    }
    let first = bench.fleet.advance(ms(50)).map(describe);
    assert_eq!(first.as_deref(), Some("#0 connection 0+0"));
    assert_eq!(bench.fleet.next_event(), Some(ms(50)));
    let again = request(9, false);
    bench
        .fleet
        .begin(ms(50), AttemptId(0), AccountIndex(0), 0, &again);
    // The next to be reported, and the last.
    assert_eq!(bench.fleet.cancel(ms(50), AttemptId(1)), Usage::default());
    assert_eq!(bench.fleet.cancel(ms(50), AttemptId(3)), Usage::default());
    bench
        .fleet
        .begin(ms(50), AttemptId(3), AccountIndex(1), 0, &again);
    let expected = [
        "50 #2 connection 0+0",
        "55 #0 unavailable 0+0",
        "250 #3 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn an_outage_of_one_model_leaves_the_others_and_gives_them_the_slots() {
    let mut config = faulty(slots(1, 9), vec![fault(outage(), 50, 400)]);
    config.accounts[0].service_of_model = vec![Some(0), Some(0)];
    config.faults[0].model = Some(ModelIndex(1));
    let mut bench = Bench::new(&config);
    let mut other = request(0, false);
    other.features.model = ModelIndex(1);
    bench.begin_request(0, 0, 0, &other);
    bench.begin_request(1, 1, 0, &other);
    bench.begin(2, 2, false);
    bench.begin_request(60, 3, 0, &other);
    let expected = [
        "50 #0 connection 0+0",
        "50 #1 connection 0+0",
        "65 #3 unavailable 0+0",
        "250 #2 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn a_blackhole_swallows_what_is_in_flight_and_what_comes() {
    let faults = vec![fault(FaultKind::Blackhole, 150, 400)];
    let mut bench = Bench::new(&faulty(slots(1, 1), faults));
    bench.begin(0, 0, true);
    bench.begin(1, 1, true);
    bench.begin(150, 2, true);
    bench.begin(399, 3, true);
    // Slot and queue are still held by those that nobody will hear of.
    bench.begin(400, 4, false);
    bench.run_to(900);
    assert_eq!(bench.log, ["100 #0 first", "400 #4 overloaded 0+0"]);
    assert_eq!(bench.fleet.in_flight(), 4);
    // Lost on the way: nothing consumed. Swallowed in flight: worked on and charged.
    assert_eq!(bench.cancel(900, 2), (0, 0));
    assert_eq!(bench.cancel(900, 3), (0, 0));
    assert_eq!(bench.cancel(900, 0), (1_000, 10));
    // The next in line took the slot, silently.
    bench.begin(1_000, 5, false);
    assert_eq!(bench.cancel(1_050, 1), (1_000, 5));
    assert_eq!(bench.fleet.in_flight(), 1);
    assert_eq!(bench.finish()[2..], ["1250 #5 finished 1000+10"]);
}

#[test]
fn a_brownout_slows_those_that_begin_during_it() {
    let brownout = |factor| FaultKind::Brownout { factor };
    let faults = vec![
        fault(brownout(3.0), 100, 300),
        fault(brownout(2.0), 200, 300),
    ];
    let mut bench = Bench::new(&faulty(Capacity::Unlimited, faults));
    bench.begin(99, 0, false);
    bench.begin(100, 1, true);
    bench.begin(200, 2, false);
    bench.begin(300, 3, false);
    let expected = [
        "299 #0 finished 1000+10",
        "400 #1 first",
        "500 #3 finished 1000+10",
        "700 #1 finished 1000+10",
        "1400 #2 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn error_faults_answer_at_the_door_of_an_account_that_has_room() {
    let errors = FaultKind::Errors {
        rate: 1.0,
        failure: FailureKind::InternalError,
        time_to_fail: constant(0.02),
    };
    let mut bench = Bench::new(&faulty(slots(1, 1), vec![fault(errors, 10, 50)]));
    bench.begin(0, 0, false);
    // It would have to wait, but is answered without taking the place in the queue.
    bench.begin(10, 1, false);
    bench.begin(50, 2, false);
    bench.begin(50, 3, false);
    let expected = [
        "30 #1 internal_error 0+0",
        "50 #3 overloaded 0+0",
        "200 #0 finished 1000+10",
        "400 #2 finished 1000+10",
    ];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn a_blackhole_beats_an_outage() {
    let faults = vec![
        fault(outage(), 100, 500),
        fault(FaultKind::Blackhole, 100, 300),
    ];
    let mut bench = Bench::new(&faulty(Capacity::Unlimited, faults));
    bench.begin(0, 0, false);
    bench.begin(100, 1, false);
    bench.begin(300, 2, false);
    assert_eq!(bench.fleet.in_flight(), 3);
    assert_eq!(bench.finish(), ["305 #2 unavailable 0+0"]);
}

fn always(trouble: Trouble) -> UpstreamConfig {
    let mut config = faulty(slots(1, 9), Vec::new());
    config.accounts[0].failures = vec![CalmFailure {
        trouble,
        rate: 1.0,
        time_to_fail: constant(0.03),
    }];
    config
}

#[test]
fn calm_failures_hold_the_slot_until_they_come() {
    let mut bench = Bench::new(&always(Trouble::Fails(FailureKind::InternalError)));
    bench.begin(0, 0, true);
    bench.begin(0, 1, true);
    bench.begin(0, 2, true);
    assert_eq!(bench.cancel(40, 2), (0, 0));
    let expected = ["30 #0 internal_error 0+0", "60 #1 internal_error 0+0"];
    assert_eq!(bench.finish(), expected);
}

#[test]
fn a_hang_holds_its_slot_until_the_client_gives_up() {
    let mut config = always(Trouble::Hangs);
    config.faults = vec![fault(outage(), 5_000, 6_000)];
    let mut bench = Bench::new(&config);
    bench.begin(0, 0, true);
    bench.begin(0, 1, true);
    assert_eq!(bench.cancel(3_000, 0), (1_000, 0));
    assert_eq!(bench.fleet.next_event(), Some(ms(5_000)));
    // It hangs, but the connection still stands, and breaks.
    assert_eq!(bench.finish(), ["5000 #1 connection 0+0"]);
}

#[test]
fn a_broken_stream_delivers_and_charges_a_part() {
    let mut bench = Bench::new(&always(Trouble::Fails(FailureKind::BrokenStream)));
    bench.begin(0, 0, true);
    let log = bench.finish();
    assert_eq!(log[0], "100 #0 first");
    let (time, rest) = log[1].split_once(" #0 broken_stream 1000+").unwrap();
    let (time, output): (f64, u32) = (time.parse().unwrap(), rest.parse().unwrap());
    assert!((100.0..200.0).contains(&time), "{time}");
    // One token with the first, nine more over the 100 ms that follow.
    assert_eq!(output, 1 + ((time - 100.0) * 0.09) as u32);
}
