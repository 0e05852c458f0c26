//! `breaker`, a table within `[routing]`, and its options.
//!
//! What can be off is a table or `false`, so that no number can be written that has no effect.

use super::super::decode;
use super::super::diagnostics::{Finding, Findings};
use super::super::document::{Node, Value};
use super::super::section::Section;
use crate::routing::config::{BreakerConfig, FailureRate, OpenTimeGrowth, SlowStart};
use crate::time::Duration;

/// Reads the key `breaker` of a section on top of `base`. `None` if it is bad.
pub(super) fn read(
    section: &mut Section,
    base: Option<BreakerConfig>,
    findings: &Findings,
) -> Option<Option<BreakerConfig>> {
    switch(section, "breaker", base, findings, breaker)
}

/// Reads a key whose value is a table of settings, or switches its defaults on or off.
pub(super) fn switch<T: Default + Copy>(
    section: &mut Section,
    key: &'static str,
    base: Option<T>,
    findings: &Findings,
    read: impl FnOnce(&mut Section, T, &Findings) -> Option<T>,
) -> Option<Option<T>> {
    let Some(node) = section.node(key) else {
        return Some(base);
    };
    let base = base.unwrap_or_default();
    match node.value {
        Value::Boolean(false) => return Some(None),
        Value::Boolean(true) => return Some(Some(base)),
        Value::Table(_) => {}
        _ => {
            let expected = "a table of settings, or true or false";
            findings.push(decode::wrong_type(node, expected).finding(key, node));
            return None;
        }
    }
    let mut part = Section::of(node, format!("`{key}`"), findings)?;
    let read = read(&mut part, base, findings);
    part.finish();
    read.map(Some)
}

fn breaker(part: &mut Section, base: BreakerConfig, findings: &Findings) -> Option<BreakerConfig> {
    let at_least_1 = || decode::count_u32(1);
    let failures = part.or("failures_to_open", base.failures_to_open, at_least_1());
    let open_time = part.or("open_time", base.open_time, decode::positive_duration);
    let probes = part.or(
        "half_open_max_in_flight",
        base.half_open_max_in_flight,
        at_least_1(),
    );
    let successes = part.or("successes_to_close", base.successes_to_close, at_least_1());
    let rate = switch(
        part,
        "failure_rate",
        base.failure_rate,
        findings,
        failure_rate,
    );
    let growth = switch(
        part,
        "open_time_growth",
        base.open_time_growth,
        findings,
        open_time_growth,
    );
    let start = switch(part, "slow_start", base.slow_start, findings, slow_start);
    let breaker = BreakerConfig {
        failures_to_open: failures?,
        open_time: open_time?,
        half_open_max_in_flight: probes?,
        successes_to_close: successes?,
        failure_rate: rate?,
        open_time_growth: growth?,
        slow_start: start?,
    };
    growth_has_room(part, &breaker, findings).then_some(breaker)
}

/// Whether the first open time is no longer than the longest.
fn growth_has_room(part: &mut Section, breaker: &BreakerConfig, findings: &Findings) -> bool {
    let Some(growth) = breaker.open_time_growth else {
        return true;
    };
    let (first, cap): (Duration, Duration) = (breaker.open_time, growth.cap);
    if first > cap {
        let at = if part.has("open_time_growth") {
            "open_time_growth"
        } else {
            "open_time"
        };
        findings.push(
            Finding::error("`open_time` is longer than the `cap` of its growth")
                .at(
                    part.span(at),
                    format!("`open_time` is {first}, `cap` is {cap}"),
                )
                .help("write a longer `cap` into `open_time_growth`"),
        );
    }
    first <= cap
}

fn failure_rate(part: &mut Section, base: FailureRate, _: &Findings) -> Option<FailureRate> {
    let share = part.or("share", base.share, positive_share);
    let window = part.or("window", base.window, decode::positive_duration);
    let least = part.or("least_attempts", base.least_attempts, decode::count_u32(1));
    Some(FailureRate {
        share: share?,
        window: window?,
        least_attempts: least?,
    })
}

fn open_time_growth(
    part: &mut Section,
    base: OpenTimeGrowth,
    _: &Findings,
) -> Option<OpenTimeGrowth> {
    let factor = part.or("factor", base.factor, decode::number(1.01..=100.0));
    let cap = part.or("cap", base.cap, decode::positive_duration);
    let reset = part.or("reset_after", base.reset_after, decode::positive_duration);
    Some(OpenTimeGrowth {
        factor: factor?,
        cap: cap?,
        reset_after: reset?,
    })
}

fn slow_start(part: &mut Section, base: SlowStart, _: &Findings) -> Option<SlowStart> {
    let window = part.or("window", base.window, decode::positive_duration);
    let floor = part.or("floor", base.floor, positive_share);
    Some(SlowStart {
        window: window?,
        floor: floor?,
    })
}

/// A share that is not 0.
fn positive_share(node: &Node) -> decode::Decoded<f64> {
    decode::number(0.001..=1.0)(node)
}
