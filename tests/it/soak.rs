//! Everything that can go wrong at once, over sockets: every request has one end, and nothing is
//! left in flight anywhere. The long one, which also looks at memory, is `benches/soak.rs`.

use crate::support::scenario;
use routelab::experiment::live::{self, LiveOptions};
use routelab::live::load::LoadDialect;
use std::sync::atomic::AtomicBool;

#[test]
fn nothing_is_lost() {
    let text = include_str!("soak/rough.toml");
    let text = text.replace("RATE", "200rps").replace("SECONDS", "9s");
    for dialect in [LoadDialect::Anthropic, LoadDialect::OpenAi] {
        let options = LiveOptions {
            pace: 1.0,
            replication: 0,
            jobs: 1,
            chunk: std::time::Duration::from_millis(5),
            dialect,
            stop: &AtomicBool::new(false),
            progress: &|_, _| {},
        };
        let scenario = scenario("soak", &text.replace("THIRD", "3s"));
        let parity = live::run(&scenario, &options).expect("it runs");
        let arm = &parity.arms[0];
        // As many as the workload has, which the simulation tells.
        assert_eq!(arm.requests, arm.simulated_requests);
        assert!(arm.requests > 1_500, "{arm:?}");
        assert_eq!((arm.sending.dropped, arm.sending.strangers), (0, 0));
        assert_eq!(arm.sending.left_over, 0, "in flight after the end");
    }
}
