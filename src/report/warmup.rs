//! How long to warm up, for people and for programs. There are no files: what was found is written
//! into the scenario, by its author, before the run.

use super::json::number;
use super::manifest::RESULT_FORMAT;
use super::number::human;
use super::table::{aligned, fitted, short, wrapped};
use crate::experiment::warmup::{Advice, StrategyWarmup, WarmupResults};
use crate::time::Duration;
use serde_json::{Value, json as value};

const HEADER: [&str; 3] = ["", "warm-up", "requests left out"];

/// What was found as text, each line ended by a newline.
#[must_use]
pub fn render(found: &WarmupResults) -> String {
    let rows = found.strategies.iter().map(row).collect();
    let table = aligned(&HEADER.map(str::to_owned), rows, 3);
    let about = format!(
        "{}: MSER-5 on the latencies of {} of each strategy, {} long, nothing left \
         out; root seed {}, not the scenario's {}, for pilots prove nothing about the run that \
         they prepare.",
        found.scenario,
        pilots(found),
        human(found.duration),
        found.seed,
        found.scenario_seed,
    );
    format!(
        "{table}\n{}\n{}\n",
        wrapped(&about),
        wrapped(&conclusion(found))
    )
}

fn row(one: &StrategyWarmup) -> Vec<String> {
    let (time, requests) = match one.found {
        Some(cut) => (
            rough(cut.time),
            format!("{} of {}", cut.requests, one.requests),
        ),
        None => ("none found".to_owned(), format!("- of {}", one.requests)),
    };
    vec![fitted(&one.name), time, requests]
}

/// A length of time to three digits.
fn rough(length: Duration) -> String {
    let seconds = length.as_secs_f64();
    match length {
        Duration::ZERO => "0 s".to_owned(),
        _ if seconds < 1.0 => format!("{} ms", short(seconds * 1e3)),
        _ => format!("{} s", short(seconds)),
    }
}

fn pilots(found: &WarmupResults) -> String {
    let plural = if found.pilots == 1 { "" } else { "s" };
    format!("{} pilot{plural}", found.pilots)
}

/// What to do, in words.
fn conclusion(found: &WarmupResults) -> String {
    let stated = match found.stated {
        Duration::ZERO => "no stated warm-up".to_owned(),
        stated => format!("the stated warm-up of {}", human(stated)),
    };
    let longest = found
        .longest()
        .map_or_else(String::new, |(name, cut)| match cut.time {
            Duration::ZERO => "no strategy needs one".to_owned(),
            time => format!("{name} takes longest, {}", rough(time)),
        });
    match found.advice() {
        Advice::Enough => format!(
            "Enough, as far as {} can tell: {stated}; {longest}.",
            pilots(found)
        ),
        Advice::TooShort(write) => format!(
            "Too short: {stated}; {longest}. Write `warmup = \"{write}\"`, one for all strategies."
        ),
        Advice::Unsettled => unsettled(found),
    }
}

fn unsettled(found: &WarmupResults) -> String {
    let each = found.strategies.iter();
    let restless: Vec<_> = each
        .filter(|one| one.found.is_none())
        .map(|one| &one.name[..])
        .collect();
    format!(
        "MSER-5 found none for {}: it would leave out more than half, or there are fewer than 50 \
         requests. Run longer (`--set duration={}`); a pool that is offered more than it can do \
         never settles.",
        restless.join(", "),
        found.duration + found.duration,
    )
}

/// What was found as JSON; `null` where there is none.
#[must_use]
pub fn json(found: &WarmupResults) -> Value {
    let seconds = |length: Duration| number(length.as_secs_f64());
    let strategies = found.strategies.iter().map(|one| {
        value!({
            "strategy": one.name,
            "requests": one.requests,
            "left_out": one.found.map(|cut| cut.requests),
            "warmup_s": one.found.map(|cut| seconds(cut.time)),
        })
    });
    let (advice, write) = match found.advice() {
        Advice::Enough => ("enough", None),
        Advice::TooShort(write) => ("too_short", Some(write.to_string())),
        Advice::Unsettled => ("unsettled", None),
    };
    value!({
        "result_format": RESULT_FORMAT,
        "scenario": found.scenario,
        "scenario_seed": found.scenario_seed,
        "seed": found.seed,
        "pilots": found.pilots,
        "duration_s": seconds(found.duration),
        "stated_s": seconds(found.stated),
        "found_s": found.longest().map(|(_, cut)| seconds(cut.time)),
        "strategies": strategies.collect::<Vec<_>>(),
        "advice": advice,
        "write": write,
        "conclusion": conclusion(found),
    })
}
