//! An ablation on one screen, and as JSON.

use super::words::{MEASURES, Measure, clear, contest, sentence};
use crate::experiment::ablation::{AblationResults, Gain};
use crate::report::json::{ends, estimate, number};
use crate::report::manifest::RESULT_FORMAT;
use crate::report::table::{aligned, signed, wrapped};
use crate::stats::mean::Estimate;
use crate::stats::ratio::Range;
use serde_json::{Value, json as value};

const HEADER: [&str; 5] = ["", "gain [95 %]", "share", "added first", "added last"];

/// The ablation as text, each line ended by a newline.
#[must_use]
pub fn render(results: &AblationResults) -> String {
    let mut text = String::new();
    for measure in &MEASURES {
        text += &format!("{}, {}\n", measure.name, measure.unit);
        let gains = results.gains(measure.metric);
        let rows = gains.iter().map(|gain| row(measure, gain)).collect();
        text += &aligned(&HEADER.map(str::to_owned), rows, 3);
        text += "\n";
    }
    for measure in &MEASURES {
        text += &format!("{}\n", wrapped(&sentence(results, measure)));
    }
    text + &footer(results)
}

fn row(measure: &Measure, gain: &Gain) -> Vec<String> {
    let change = |estimate: Option<Estimate>| {
        let blank = if gain.factor.is_none() { "" } else { "-" };
        estimate.map_or_else(|| blank.to_owned(), |e| measure.change(e))
    };
    let mark = match gain.gain {
        Some(e) if clear(e) && measure.is_better(e.mean) => "✓",
        Some(e) if clear(e) => "✗",
        _ => " ",
    };
    vec![
        gain.factor.map_or("all", |factor| factor.name()).to_owned(),
        gain.gain.map_or_else(
            || "- ".to_owned(),
            |e| format!("{}{mark}", measure.change(e)),
        ),
        share(gain),
        change(gain.first),
        change(gain.last),
    ]
}

/// The part of the whole change, in per cent; nothing where the whole is not clear of zero.
fn share(gain: &Gain) -> String {
    let Some(share) = gain.share else {
        return String::new();
    };
    let percent = |less_one: f64| signed((less_one + 1.0) * 100.0, 0);
    match share.range {
        Range::Bounded(i) if gain.factor.is_some() => format!(
            "{} % [{}, {}]",
            percent(share.change),
            percent(i.low),
            percent(i.high)
        ),
        Range::Bounded(_) => "100 %".to_owned(),
        Range::Unknown | Range::Outside(_) | Range::Anything => String::new(),
    }
}

fn footer(results: &AblationResults) -> String {
    let replications = results.replications();
    let plural = if replications == 1 { "" } else { "s" };
    let about = format!(
        "{}: {}; {} combinations, {replications} replication{plural} of each, seed {}.",
        results.scenario,
        contest(results),
        results.cells.len(),
        results.seed
    );
    let marks = "Gain: averaged over all orders of adding (Shapley), so that the gains add up. \
                 ✓ better, ✗ worse by more than chance. Each interval holds with 95 % by itself, \
                 not all of them together: of 20 gains that are nothing, one gets a mark by \
                 chance.";
    let mut text = format!("\n{}\n{}\n", wrapped(&about), wrapped(marks));
    if results.interrupted {
        text += &format!(
            "INTERRUPTED after {replications} of {} replications; the results rest on those \
             finished.\n",
            results.asked
        );
    }
    text
}

/// The ablation as JSON; `null` where a number does not apply.
#[must_use]
pub fn json(results: &AblationResults) -> Value {
    let metrics = MEASURES.iter().map(|measure| {
        let gains = results.gains(measure.metric);
        let [bare, full] = results.ends(measure.metric);
        let value = value!({
            "bare": bare.map(estimate),
            "full": full.map(estimate),
            "gains": gains.iter().map(gain).collect::<Vec<_>>(),
            "conclusion": sentence(results, measure),
        });
        (measure.metric.to_string(), value)
    });
    value!({
        "result_format": RESULT_FORMAT,
        "scenario": results.scenario,
        "strategy": results.name,
        "seed": results.seed,
        "replications": results.replications(),
        "interrupted": results.interrupted,
        "metrics": metrics.collect::<serde_json::Map<_, _>>(),
    })
}

fn gain(gain: &Gain) -> Value {
    value!({
        "factor": gain.factor.map_or("all", |factor| factor.name()),
        "gain": gain.gain.map(estimate),
        "share": gain.share.map(|share| value!({
            "mean": number(share.change + 1.0),
            "ci95": share.range.interval().map(|i| ends(i.map(|x| x + 1.0))),
        })),
        "first": gain.first.map(estimate),
        "last": gain.last.map(estimate),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::ablation::two_factors;

    #[test]
    fn an_interrupted_run_says_so_and_shows_what_is_there() {
        let mut results = two_factors(&[[0.70, 0.74, 0.78, 0.84], [0.80, 0.82, 0.86, 0.90]]);
        results.interrupted = true;
        results.asked = 5;
        let text = render(&results);
        assert!(
            text.contains("INTERRUPTED after 2 of 5 replications"),
            "{text}"
        );
        assert!(text.contains("+8.00 [-4.71, +20.71]"), "{text}");
        assert_eq!(json(&results)["interrupted"], true);
        // The cost was not measured here.
        assert!(
            text.contains("Cost per 1,000 successes: not defined everywhere"),
            "{text}"
        );
    }

    #[test]
    fn the_rows_of_the_table_are_those_of_the_json() {
        let results = two_factors(&[[0.70, 0.74, 0.78, 0.84], [0.80, 0.82, 0.86, 0.90]]);
        let json = json(&results);
        let gains = &json["metrics"]["success_rate"]["gains"];
        assert_eq!(gains[1]["factor"], "retries");
        assert_eq!(gains[1]["gain"]["mean"], 0.08);
        assert_eq!(gains[2]["share"]["mean"], 1.0);
        assert_eq!(
            json["metrics"]["cost_per_1k_successes_usd"]["bare"],
            Value::Null
        );
    }
}
