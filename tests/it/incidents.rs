//! Faults that come by chance, through the ordinary engine.

use crate::support::{results, scenario};
use routelab::experiment::results::ScenarioResults;
use routelab::record::Outcome;
use std::collections::BTreeSet;

/// Two providers, each with a class of its own that nobody else may answer; a day.
fn day(incidents: &str, strategies: &str) -> ScenarioResults {
    let account = |provider: &str| {
        format!(
            "[[accounts]]\nid = \"{provider}-{{n}}\"\ncount = 2\nprovider = \"{provider}\"\n\
             models = [\"{provider}\"]\n"
        )
    };
    let class = |provider: &str| {
        format!(
            "[[workload.classes]]\nname = \"{provider}\"\nmodel = \"{provider}\"\n\
             input_tokens = 1\noutput_tokens = 1\n"
        )
    };
    let text = format!(
        r#"
        question = "Do incidents come as drawn?"
        expectation = "Yes."
        duration = "24h"
        replications = 3
        strategies = [{strategies}]
        output = {{ requests = true }}
        [routing]
        breaker = false
        max_attempts = 1
        [models.anthropic]
        service = {{ total = "10ms" }}
        [models.openai]
        service = {{ total = "10ms" }}
        {}{}
        [workload]
        arrivals = "poisson"
        rate = "0.5rps"
        {}{}
        [[faults]]
        kind = "outage"
        accounts = "all"
        incidents = {{ {incidents} }}
        "#,
        account("anthropic"),
        account("openai"),
        class("anthropic"),
        class("openai"),
    );
    results(&scenario("incidents", &text), 1)
}

const OFTEN: &str = "mean_gap = \"2h\", shape = 0.7, median_duration = \"10min\", sigma = 1";

/// In replication 0, just those requests fail that come while an incident of their provider lasts,
/// or that it cuts off; and every strategy sees the same incidents.
#[test]
fn requests_fail_while_an_incident_lasts() {
    let results = day(OFTEN, "\"round_robin\", \"random\"");
    let faults = &results.description.faults;
    assert!(
        faults
            .iter()
            .all(|fault| fault.by_chance && fault.windows.len() > 3)
    );
    for arm in &results.strategies {
        for record in &arm.requests {
            let windows = &faults[record.model.at()].windows;
            let during = |&(start, end)| start <= record.arrived && record.arrived < end;
            let cut = |&(start, _)| record.arrived < start && start <= record.ended;
            let expected = windows.iter().any(|w| during(w) || cut(w));
            assert_eq!(record.outcome != Outcome::Success, expected, "{record:?}");
        }
    }
    let [one, other] = &results.strategies[..] else {
        panic!("two strategies");
    };
    for (one, other) in one.faults.iter().zip(&other.faults) {
        assert_eq!(
            (one.incidents, one.watched),
            (other.incidents, other.watched)
        );
        assert!(one.incidents > 15, "{}", one.incidents);
        // Nobody routes around an incident here, so it is neither noticed nor mitigated.
        assert_eq!(one.detect.len() as u64, one.watched);
        // All requests count, and about half of them ask for the other provider.
        let rates = &one.success_rate_during;
        let mean = rates.iter().sum::<f64>() / rates.len() as f64;
        assert!((0.25..0.75).contains(&mean), "{mean}");
    }
}

#[test]
fn whole_overlap_makes_providers_fail_together() {
    let results = day(&format!("{OFTEN}, overlap = 1"), "\"random\"");
    let starts = |at: usize| -> BTreeSet<_> {
        let windows = results.description.faults[at].windows.iter();
        windows.map(|window| window.0).collect()
    };
    assert_eq!(starts(0), starts(1));
    let apart = day(OFTEN, "\"random\"").description.faults;
    assert!(apart[0].windows[0] != apart[1].windows[0]);
}
