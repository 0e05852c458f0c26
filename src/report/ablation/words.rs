//! What the metrics of an ablation are called, in which unit they are shown, and the sentence that
//! says whose gain it is.

use crate::experiment::ablation::{AblationResults, Factor, Gain};
use crate::experiment::metric::{Better, Metric};
use crate::report::table::signed;
use crate::stats::Interval;
use crate::stats::mean::Estimate;

/// How a metric is shown.
#[derive(Clone, Copy)]
pub(super) struct Measure {
    pub(super) metric: Metric,
    /// In a sentence.
    pub(super) name: &'static str,
    /// Of a difference.
    pub(super) unit: &'static str,
    /// From the metric's unit to that.
    pub(super) factor: f64,
    /// Digits after the point.
    pub(super) digits: usize,
}

/// How the metrics of an ablation are shown.
pub(super) const MEASURES: [Measure; 4] = [
    Measure {
        metric: Metric::SuccessRate,
        name: "success rate",
        unit: "points",
        factor: 100.0,
        digits: 2,
    },
    Measure {
        metric: Metric::LatencyMeanAll,
        name: "mean latency",
        unit: "s",
        factor: 1.0,
        digits: 3,
    },
    Measure {
        metric: Metric::LatencyP99All,
        name: "P99 latency",
        unit: "s",
        factor: 1.0,
        digits: 2,
    },
    Measure {
        metric: Metric::CostPer1kSuccesses,
        name: "cost per 1,000 successes",
        unit: "$",
        factor: 1.0,
        digits: 3,
    },
];

impl Measure {
    /// A difference with its interval: `+8.14 [+8.05, +8.22]`.
    pub(super) fn change(&self, estimate: Estimate) -> String {
        let show = |value: f64| signed(value * self.factor, self.digits);
        let ends = |i: Interval| format!(" [{}, {}]", show(i.low), show(i.high));
        let interval = estimate.interval.map(ends);
        format!("{}{}", show(estimate.mean), interval.unwrap_or_default())
    }

    /// A level: `99.48 %`.
    pub(super) fn level(&self, value: f64) -> String {
        let number = format!("{:.*}", self.digits, value * self.factor);
        match self.unit {
            "points" => format!("{number} %"),
            "$" => format!("${number}"),
            unit => format!("{number} {unit}"),
        }
    }

    /// Whether a change is one for the better.
    pub(super) fn is_better(&self, change: f64) -> bool {
        match self.metric.better() {
            Better::Higher => change > 0.0,
            _ => change < 0.0,
        }
    }
}

/// Whether a change is more than chance explains.
pub(super) fn clear(estimate: Estimate) -> bool {
    estimate
        .interval
        .is_some_and(|i| i.low > 0.0 || i.high < 0.0)
}

/// A factor in a sentence.
pub(super) const fn spoken(factor: Factor) -> &'static str {
    match factor {
        Factor::Strategy => "the strategy",
        Factor::Breaker => "the breaker",
        Factor::Retries => "the retries",
        Factor::Cache => "the cache",
    }
}

/// What is laid beside what. Of round robin there is no strategy to credit: it is compared with
/// itself.
pub(super) fn contest(results: &AblationResults) -> String {
    let own = |factor: &&Factor| **factor != Factor::Strategy;
    let extras = results.factors.iter().filter(own);
    let extras: Vec<&str> = extras.map(|factor| factor.name()).collect();
    let with = match extras.split_last() {
        None => String::new(),
        Some((last, [])) => format!(" with {last}"),
        Some((last, others)) => format!(" with {} and {last}", others.join(", ")),
    };
    let name = &results.name;
    if results.factors.contains(&Factor::Strategy) {
        let without = if extras.is_empty() { "" } else { " without" };
        return format!("{name}{with} against round robin{without}");
    }
    format!("{name}{with} against itself without, so that no gain is the strategy's")
}

/// Whose gain it is, in a sentence.
pub(super) fn sentence(results: &AblationResults, measure: &Measure) -> String {
    let gains = results.gains(measure.metric);
    let name = capital(measure.name);
    let (Some(total), [Some(bare), Some(full)]) = (
        gains.last().and_then(|all| all.gain),
        results.ends(measure.metric),
    ) else {
        return format!("{name}: not defined everywhere (no success in some replication).");
    };
    let course = format!(
        "{} to {}",
        measure.level(bare.mean),
        measure.level(full.mean)
    );
    if total.interval.is_none() {
        return format!("{name}: {course}; one replication, so chance may explain anything.");
    }
    if gains.iter().any(|gain| gain.gain.is_none()) {
        return format!("{name}: {course}; some combinations leave it undefined.");
    }
    let verdict = match (clear(total), measure.is_better(total.mean)) {
        (false, _) => "no change that chance does not explain",
        (true, true) => "better",
        (true, false) => "worse",
    };
    format!("{name}: {course}, {verdict}{}.", parts(measure, &gains))
}

/// What of the change is whose, the largest first; what has no effect at all, and what might have
/// none; and what the strategy adds to all the others, which is what is left to its choice.
fn parts(measure: &Measure, gains: &[Gain]) -> String {
    let known = gains
        .iter()
        .filter_map(|gain| Some((gain.factor?, gain.gain?)));
    let (mut sure, mut unsure, mut idle) = (vec![], vec![], vec![]);
    for (factor, gain) in known {
        match gain.interval {
            Some(i) if i.low == 0.0 && i.high == 0.0 => idle.push(spoken(factor)),
            _ if clear(gain) => sure.push((factor, gain.mean * measure.factor)),
            _ => unsure.push(spoken(factor)),
        }
    }
    sure.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let sure = sure.into_iter().map(|(factor, gain)| {
        let gain = signed(gain, measure.digits);
        format!("{} {gain}", spoken(factor))
    });
    let sure: Vec<String> = sure.collect();
    let mut text = String::new();
    if !sure.is_empty() {
        text += &format!(": {} {}", sure.join(", "), measure.unit);
    }
    for (names, what) in [(unsure, "not told from nothing"), (idle, "no effect")] {
        if !names.is_empty() {
            text += &format!("; {what}: {}", names.join(", "));
        }
    }
    let mut strategy = gains
        .iter()
        .filter(|gain| gain.factor == Some(Factor::Strategy));
    if gains.len() > 2
        && let Some(last) = strategy.next().and_then(|gain| gain.last)
    {
        let added = measure.change(last);
        text += &format!("; on top of all else, the strategy adds {added}");
    }
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::ablation::two_factors;

    fn success(replications: &[[f64; 4]]) -> String {
        let shares: Vec<[f64; 4]> = replications.iter().map(|r| r.map(|x| x / 100.0)).collect();
        sentence(&two_factors(&shares), &MEASURES[0])
    }

    #[test]
    fn a_sentence_says_whose_gain_it_is() {
        let clear = [
            [70.0, 74.0, 78.0, 84.0],
            [70.0, 74.0, 78.0, 84.5],
            [71.0, 75.0, 79.0, 85.0],
        ];
        assert_eq!(
            success(&clear),
            "Success rate: 70.33 % to 84.50 %, better: the retries +9.08, the breaker +5.08 points."
        );
        let idle = clear.map(|[none, _, retries, _]| [none, none, retries, retries]);
        assert!(success(&idle).ends_with("the retries +8.00 points; no effect: the breaker."));
        let noise = [[70.0, 60.0, 78.0, 84.0], [70.0, 74.0, 60.0, 60.5]];
        let said = success(&noise);
        assert!(
            said.contains("no change that chance does not explain; not told"),
            "{said}"
        );
    }

    #[test]
    fn what_cannot_be_said_is_not_said() {
        assert!(success(&[[70.0, 74.0, 78.0, 84.0]]).contains("one replication"));
        let nan = f64::NAN;
        let inner = success(&[[70.0, nan, 78.0, 84.0], [70.0, 74.0, 78.0, 84.5]]);
        assert!(
            inner.contains("some combinations leave it undefined"),
            "{inner}"
        );
        let bare = success(&[[nan, 74.0, 78.0, 84.0], [70.0, 74.0, 78.0, 84.5]]);
        assert!(bare.contains("not defined everywhere"), "{bare}");
    }
}
