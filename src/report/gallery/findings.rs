//! What results show, in sentences made from numbers. They state what the intervals carry and no
//! more: a difference is named where its interval leaves out zero, and counted among all that were
//! looked at.

use crate::experiment::metric::{Better, Metric};
use crate::experiment::results::{
    FaultDescription, FaultImpact, Observed, ScenarioResults, StrategyResults,
};
use crate::experiment::sweep::SweepResults;
use crate::report::number::{derived, human};
use crate::report::summary::{baseline, compare, compared, metric};
use crate::report::sweep::changes;
use crate::report::table::{percent, points, short};
use crate::stats::mean::estimate;
use crate::stats::order::median;

/// Most differences that a sentence names.
const MOST_NAMED: usize = 3;

/// Most faults that are told of one by one.
const MOST_FAULTS: usize = 3;

/// One metric as the sentences tell it.
struct Told {
    metric: Metric,
    name: &'static str,
    level: fn(f64) -> String,
    relative: bool,
}

const TOLD: [Told; 3] = [
    Told {
        metric: Metric::SuccessRate,
        name: "success rate",
        level: |share| format!("{:.2} %", share * 100.0),
        relative: false,
    },
    Told {
        metric: Metric::LatencyP99All,
        name: "P99 latency",
        level: |seconds| format!("{} s", short(seconds)),
        relative: true,
    },
    Told {
        metric: Metric::CostPer1kSuccesses,
        name: "cost per 1,000 successes",
        level: |dollars| format!("${}", short(dollars)),
        relative: true,
    },
];

/// What a scenario shows, in one paragraph.
pub(super) fn scenario(results: &ScenarioResults) -> String {
    let mut sentences: Vec<String> = TOLD.iter().filter_map(|told| told.of(results)).collect();
    let faults = &results.description.faults;
    if faults.len() > MOST_FAULTS {
        let count = faults.len();
        sentences.push(format!("faults.csv has each of the {count} faults."));
    } else {
        let told = faults.iter().enumerate();
        sentences.extend(told.filter_map(|(at, fault)| of_fault(results, at, fault)));
    }
    sentences.join(" ")
}

impl Told {
    fn of(&self, results: &ScenarioResults) -> Option<String> {
        let base = baseline(results)?;
        let level = |arm: &StrategyResults| Some(metric(arm, self.metric)?.mean);
        let mut levels: Vec<(f64, &str)> = results
            .strategies
            .iter()
            .filter_map(|arm| Some((level(arm)?, arm.name.as_str())))
            .collect();
        levels.sort_by(|a, b| a.0.total_cmp(&b.0));
        if self.metric.better() == Better::Higher {
            levels.reverse();
        }
        let (first, last) = (levels.first()?, levels.last()?);
        let capital = self.name[..1].to_uppercase() + &self.name[1..];
        let (best, worst) = ((self.level)(first.0), (self.level)(last.0));
        if best == worst {
            return Some(format!("{capital}: {best} for all."));
        }
        let range = format!("{capital}: {best} ({}) to {worst} ({})", first.1, last.1);
        let others = compared(results).count();
        let clear = self.clear(results, base);
        let against = &base.name;
        Some(match clear.len() {
            0 => format!("{range}; no difference from {against} is clear of chance."),
            count => format!(
                "{range}; clear of chance against {against}: {count} of {others} ({}).",
                named(&clear)
            ),
        })
    }

    /// Differences from the baseline that chance does not explain, largest first.
    fn clear(&self, results: &ScenarioResults, base: &StrategyResults) -> Vec<String> {
        let mut clear: Vec<(f64, String)> = compared(results)
            .filter_map(|arm| {
                let comparison = compare(arm, base, self.metric);
                let (change, interval, text) = if self.relative {
                    let relative = comparison.relative?;
                    let text = percent(Some(relative)).replacen(" [", " % [", 1);
                    (relative.change, relative.range.interval()?, text)
                } else {
                    let difference = comparison.difference?;
                    let text = points(Some(difference)).replacen(" [", " points [", 1);
                    (difference.mean, difference.interval?, text)
                };
                let chance = interval.low <= 0.0 && interval.high >= 0.0;
                (!chance).then(|| (change, format!("{} {text}", arm.name)))
            })
            .collect();
        clear.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
        clear.into_iter().map(|(_, text)| text).collect()
    }
}

fn named(clear: &[String]) -> String {
    let mut text = clear[..clear.len().min(MOST_NAMED)].join(", ");
    if clear.len() > MOST_NAMED {
        text += &format!(", and {} more", clear.len() - MOST_NAMED);
    }
    text
}

fn of_fault(results: &ScenarioResults, at: usize, fault: &FaultDescription) -> Option<String> {
    let impacts = || {
        let arms = results.strategies.iter();
        arms.filter_map(move |arm| Some((arm.name.as_str(), arm.faults.get(at)?)))
    };
    let during = impacts().filter_map(|(name, impact)| {
        Some((estimate(&impact.success_rate_during)?.mean * 100.0, name))
    });
    let answered = range(during.collect(), |share| format!("{share:.2} %"))?;
    let time = |of: fn(&FaultImpact) -> &[Observed]| {
        let medians = impacts().filter_map(|(name, impact)| {
            let sample: Vec<f64> = of(impact)
                .iter()
                .map(|&observed| seconds(observed))
                .collect();
            Some((median(&sample)?.median, name))
        });
        range(medians.collect(), |seconds| match seconds {
            s if s.is_infinite() => "never while watched".to_owned(),
            s => format!("{} s", derived(s)),
        })
    };
    let mut text = format!(
        "During {}, the share of arriving requests that were answered was {answered}",
        when(fault),
    );
    if let Some(mitigate) = time(|impact| &impact.mitigate) {
        text += &format!("; median time until nothing was degraded any more: {mitigate}");
    }
    if let Some(restore) = time(|impact| &impact.restore) {
        text += &format!("; from its end until traffic was back: {restore}");
    }
    Some(text + ".")
}

/// A fault with its time where that is the same in every replication.
fn when(fault: &FaultDescription) -> String {
    match fault.windows[..] {
        [(start, end)] if !fault.by_chance => format!(
            "the {} ({} long, from {})",
            fault.name,
            human(end.since(start)),
            human(start.since(crate::time::Timestamp::ZERO)),
        ),
        _ => format!("incidents ({})", fault.name),
    }
}

fn seconds(observed: Observed) -> f64 {
    match observed {
        Observed::After(length) => length.as_secs_f64(),
        Observed::NotWithin(_) => f64::INFINITY,
    }
}

/// The lowest and the highest of named values.
fn range(mut values: Vec<(f64, &str)>, show: impl Fn(f64) -> String) -> Option<String> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (low, high) = (values.first()?, values.last()?);
    let (least, most) = (show(low.0), show(high.0));
    Some(if values.len() == 1 {
        format!("{least} ({})", low.1)
    } else if least == most {
        format!("{least} for all")
    } else {
        format!("{least} ({}) to {most} ({})", low.1, high.1)
    })
}

/// A number rounded to two significant digits.
fn two_digits(number: f64) -> String {
    let rounded = format!("{number:.1e}").parse();
    derived(rounded.unwrap_or(number))
}

/// What a sweep over one parameter shows: its last value against its first. `None` for more
/// parameters, whose heat maps a sentence cannot replace.
pub(super) fn sweep(results: &SweepResults) -> Option<String> {
    let [(path, values)] = &results.axes[..] else {
        return None;
    };
    let (first, last) = (values.first()?, values.last()?);
    let (mut sentences, mut same) = (vec![], vec![]);
    for change in changes(results, results.cells.len() - 1) {
        let (label, count) = (change.label.clone(), change.strategies);
        match &change.clear[..] {
            [] => same.push(change.label),
            clear => {
                let named: Vec<(f64, &str)> = clear
                    .iter()
                    .map(|(name, change)| (*change, name.as_str()))
                    .collect();
                let range = range(named, |change| {
                    let sign = if change > 0.0 { "+" } else { "" };
                    format!("{sign}{}", two_digits(change))
                })?;
                sentences.push(format!("{label}: {} of {count} ({range})", clear.len()));
            }
        }
    }
    let mut text = format!(
        "from `{path}` = {first} to {last}, so many strategies change by more \
                            than chance, and by so much: {}.",
        sentences.join("; ")
    );
    if !same.is_empty() {
        text += &format!(" Clear of chance for none: {}.", same.join("; "));
    }
    Some(text)
}
