//! `timeline.csv` and `timeline_lanes.csv`: the course over time.
//!
//! Requests are counted in the window of their intended arrival; dispatches and breaker time in the
//! window in which they happened.

use super::{FEWEST_FOR_P50, FEWEST_FOR_P99, Row, file as csv_file, header, quantile_s};
use crate::experiment::results::{ScenarioResults, StrategyResults, Window};
use crate::report::directory::File;
use crate::report::number::{derived, derived_or_empty, dollars, seconds, share};
use crate::report::timeline::Course;

pub(super) fn file(results: &ScenarioResults) -> File {
    let names = header(&[
        "strategy",
        "window_start_s",
        "requests",
        "rate_rps",
        "success_rate",
        "goodput_rps",
        "rejected",
        "attempts_per_request",
        "latency_all_p50_s",
        "latency_all_p99_s",
        "cost_usd",
        "breaker_not_closed_share",
    ]);
    let rows = results.strategies.iter().flat_map(|arm| {
        let course = Course::of(results, arm);
        let windows = arm.timeline.windows.iter().enumerate();
        windows.map(move |(at, window)| row(arm, &course, at, window))
    });
    csv_file("timeline.csv", names, rows)
}

fn row(arm: &StrategyResults, course: &Course, at: usize, window: &Window) -> Row {
    let latency = &window.latency_all;
    vec![
        arm.name.clone(),
        seconds(course.start(at)),
        window.requests.to_string(),
        derived(course.per_second(at, window.requests)),
        derived(share(window.successes, window.requests)),
        derived(course.per_second(at, window.within_objective)),
        window.rejections.to_string(),
        derived(share(window.attempts, window.requests)),
        derived_or_empty(quantile_s(latency, 0.5, FEWEST_FOR_P50)),
        derived_or_empty(quantile_s(latency, 0.99, FEWEST_FOR_P99)),
        dollars(window.cost),
        derived(course.open_share(at)),
    ]
}

pub(super) fn lanes_file(results: &ScenarioResults) -> File {
    let names = header(&[
        "strategy",
        "window_start_s",
        "lane",
        "dispatches",
        "share",
        "breaker_not_closed_share",
    ]);
    let rows = results.strategies.iter().flat_map(|arm| {
        let course = Course::of(results, arm);
        let windows = 0..arm.timeline.windows.len();
        windows.flat_map(move |at| {
            let lanes = results.description.lanes.iter().enumerate();
            lanes.map(move |(lane, name)| {
                vec![
                    arm.name.clone(),
                    seconds(course.start(at)),
                    name.clone(),
                    course.dispatches(at, lane).to_string(),
                    derived(course.share(at, lane)),
                    derived(course.lane_open_share(at, lane)),
                ]
            })
        })
    });
    csv_file("timeline_lanes.csv", names, rows)
}
