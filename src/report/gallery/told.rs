//! The metrics that the page tells of, and which strategies may be the best of each.
//!
//! A leader by chance is not named: ten strategies that do not differ have one too. The rule stands
//! in `stats/best.rs`; here it is put into words.

use super::markdown;
use crate::experiment::metric::{Better, Metric};
use crate::experiment::results::{ScenarioResults, StrategyResults};
use crate::report::summary::{metric, sample};
use crate::report::table::{short, success_number};
use crate::stats::best::{Good, candidates};

/// One metric as the page tells it.
pub(super) struct Told {
    pub(super) metric: Metric,
    pub(super) name: &'static str,
    /// Whether differences are told as a share of the baseline, not in points.
    pub(super) relative: bool,
    show: fn(f64) -> String,
}

/// The metrics, in the order of the columns of the index.
pub(super) const TOLD: [Told; 3] = [
    Told {
        metric: Metric::SuccessRate,
        name: "Success rate",
        relative: false,
        show: success,
    },
    Told {
        metric: Metric::LatencyP99All,
        name: "P99 latency",
        relative: true,
        show: |seconds| format!("{} s", short(seconds)),
    },
    Told {
        metric: Metric::CostPer1kSuccesses,
        name: "Cost per 1,000 successes",
        relative: true,
        show: |dollars| format!("${}", short(dollars)),
    },
];

/// A share that was answered. Only what is whole reads 100.00 %.
pub(super) fn success(share: f64) -> String {
    format!("{} %", success_number(share))
}

/// The strategies that may be the best of a metric.
pub(super) struct Leaders<'a> {
    /// Their names, in the scenario's order.
    pub(super) left: Vec<&'a str>,
    /// The names of those that are worse by more than chance.
    pub(super) out: Vec<&'a str>,
    /// Best and worst mean among those left, as shown.
    pub(super) range: (String, String),
    /// Best and worst mean of all, as shown.
    pub(super) whole: (String, String),
}

impl Told {
    /// A level as text.
    pub(super) fn shown(&self, level: f64) -> String {
        (self.show)(level)
    }

    /// Levels of the strategies to which it applies; none where nothing has a price.
    fn levels<'a>(&self, results: &'a ScenarioResults) -> Vec<(&'a StrategyResults, f64)> {
        let arms = results.strategies.iter();
        let levels = arms.filter_map(|arm| Some((arm, metric(arm, self.metric)?.mean)));
        let levels: Vec<_> = levels.collect();
        let free = self.metric == Metric::CostPer1kSuccesses && levels.iter().all(|l| l.1 == 0.0);
        if free { vec![] } else { levels }
    }

    /// Whether it applies to any strategy.
    pub(super) fn applies(&self, results: &ScenarioResults) -> bool {
        !self.levels(results).is_empty()
    }

    /// Who may be the best; `None` if the metric does not apply to any.
    pub(super) fn leaders<'a>(&self, results: &'a ScenarioResults) -> Option<Leaders<'a>> {
        let levels = self.levels(results);
        let named = levels.iter().map(|(arm, _)| arm.name.as_str());
        let samples = levels.iter().map(|(arm, _)| sample(arm, self.metric));
        let good = match self.metric.better() {
            Better::Higher => Good::High,
            Better::Lower | Better::Neither => Good::Low,
        };
        leaders(
            &named.collect::<Vec<_>>(),
            &samples.collect::<Vec<_>>(),
            good,
            self.show,
        )
    }

    /// The cell of the index.
    pub(super) fn cell(&self, results: &ScenarioResults) -> String {
        let Some(leaders) = self.leaders(results) else {
            return "-".to_owned();
        };
        let deadline = self.deadline(results, &leaders.range.0);
        let text = leaders.named(results.strategies.len());
        let text = if deadline {
            text + " (the deadline)"
        } else {
            text
        };
        text + &price(results, &leaders)
    }

    /// Whether a level, as shown, is that of requests which fail.
    pub(super) fn deadline(&self, results: &ScenarioResults, level: &str) -> bool {
        let deadline = results.description.deadline;
        self.metric == Metric::LatencyP99All
            && deadline.is_some_and(|deadline| self.shown(deadline.as_secs_f64()) == level)
    }
}

/// What a single best strategy pays for it in answers, where it is not among the best at them.
fn price(results: &ScenarioResults, leaders: &Leaders) -> String {
    let [best] = leaders.left[..] else {
        return String::new();
    };
    let answered = TOLD[0].leaders(results);
    let Some(answered) = answered.filter(|answered| !answered.left.contains(&best)) else {
        return String::new();
    };
    let arm = results.strategies.iter().find(|arm| arm.name == best);
    let level = arm.and_then(|arm| metric(arm, Metric::SuccessRate));
    let level = level.map_or_else(String::new, |level| success(level.mean));
    format!("; it answers {level}, the best {}", answered.range.0)
}

/// Who may be the best of named samples. Whose means read the same is not told apart.
pub(super) fn leaders<'a>(
    names: &[&'a str],
    samples: &[Vec<f64>],
    good: Good,
    show: impl Fn(f64) -> String,
) -> Option<Leaders<'a>> {
    let alike = |a: f64, b: f64| show(a) == show(b);
    let ranked = candidates(samples, good, alike);
    let level = |&at: &usize| crate::stats::mean::estimate(&samples[at]).map(|e| e.mean);
    let means: Vec<f64> = ranked.iter().filter_map(level).collect();
    let all = (0..samples.len()).filter_map(|at| level(&at));
    let worst = all.reduce(|a, b| match good {
        Good::High => a.min(b),
        Good::Low => a.max(b),
    })?;
    let (first, last) = (show(*means.first()?), show(*means.last()?));
    let (left, out) = (0..names.len()).partition::<Vec<usize>, _>(|at| ranked.contains(at));
    let named = |places: Vec<usize>| places.into_iter().map(|at| names[at]).collect();
    Some(Leaders {
        left: named(left),
        out: named(out),
        whole: (first.clone(), show(worst)),
        range: (first, last),
    })
}

/// Most names in a row.
const MOST_NAMES: usize = 3;

impl Leaders<'_> {
    /// Whether all read the same.
    pub(super) fn is_even(&self) -> bool {
        self.whole.0 == self.whole.1
    }

    /// Their number and names, and their levels.
    fn named(&self, all: usize) -> String {
        let (best, last) = &self.range;
        let range = if best == last {
            best.clone()
        } else {
            format!("{best} to {last}")
        };
        if self.is_even() && self.left.len() == all {
            return format!("{best} for all");
        }
        match self.left[..] {
            [only] => format!("{}, {range}", markdown::text(only)),
            _ if self.out.is_empty() => format!("none told apart: {range}"),
            _ => format!("not told apart: {}, {range}", self.who()),
        }
    }

    /// Who they are, where they are several.
    pub(super) fn who(&self) -> String {
        let (left, out) = (self.left.len(), self.out.len());
        let all = left + out;
        match (left, out) {
            (_, 0) => "all".to_owned(),
            (..=MOST_NAMES, _) => listed(&self.left),
            (_, ..=MOST_NAMES) => format!("all but {}", listed(&self.out)),
            _ => format!("{left} of {all}"),
        }
    }
}

/// Names in a sentence: `a, b and c`.
pub(super) fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| markdown::text(name)).collect();
    match &names[..] {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
