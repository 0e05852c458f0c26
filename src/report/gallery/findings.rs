//! What results show, in sentences made from numbers. They state what the intervals carry and no
//! more: a best is named where it is told apart from all others (`told.rs`); a difference from the
//! baseline where chance does not explain it, all comparisons of the metric taken together, and
//! where the interval still leaves out zero as it is printed.

use super::markdown;
use super::told::{Leaders, TOLD, Told, leaders, success};
use crate::experiment::results::{
    FaultDescription, FaultImpact, Observed, ScenarioResults, StrategyResults,
};
use crate::report::number::{derived, human};
use crate::report::summary::{baseline, compare, compared, sample};
use crate::report::table::{percent, points};
use crate::stats::best::{Good, apart};
use crate::stats::mean::estimate;
use crate::stats::order::median;
use crate::time::Timestamp;

/// Most differences that a sentence names.
const MOST_NAMED: usize = 3;

/// Most faults that are told of one by one.
const MOST_FAULTS: usize = 3;

/// What a scenario shows, a paragraph each.
pub(super) fn scenario(results: &ScenarioResults) -> Vec<String> {
    let mut paragraphs: Vec<String> = TOLD.iter().filter_map(|told| told.of(results)).collect();
    let faults = &results.description.faults;
    if faults.len() > MOST_FAULTS {
        let count = faults.len();
        paragraphs.push(format!("faults.csv has each of the {count} faults."));
    } else {
        let told = faults.iter().enumerate();
        paragraphs.extend(told.filter_map(|(at, fault)| of_fault(results, at, fault)));
    }
    paragraphs
}

impl Told {
    fn of(&self, results: &ScenarioResults) -> Option<String> {
        let leaders = self.leaders(results)?;
        let (best, worst) = &leaders.whole;
        let name = self.name;
        let at_deadline = |level: &String| match self.deadline(results, level) {
            true => " (the deadline: 1 % or more fail)".to_owned(),
            false => String::new(),
        };
        if leaders.is_even() {
            return Some(format!("{name}: {best} for all{}.", at_deadline(best)));
        }
        let lead = format!(
            "{name}: {best} to {worst}{}; {}.",
            at_deadline(worst),
            best_of(&leaders)
        );
        let base = baseline(results).filter(|_| compared(results).next().is_some());
        Some(base.map_or_else(
            || lead.clone(),
            |base| format!("{lead} {}", self.against(results, base)),
        ))
    }

    /// The differences from the baseline that chance does not explain.
    fn against(&self, results: &ScenarioResults, base: &StrategyResults) -> String {
        let name = markdown::text(&base.name);
        let others = compared(results).count();
        let level = |arm: &StrategyResults| sample(arm, self.metric);
        let clear = compared(results).filter(|arm| apart(&level(arm), &level(base), others));
        let clear: Vec<&StrategyResults> = clear.collect();
        let mut shown: Vec<(f64, String)> = clear
            .iter()
            .filter_map(|arm| self.difference(arm, base))
            .collect();
        shown.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
        let (count, hidden) = (clear.len(), clear.len() - shown.len());
        let differ = if count == 1 { "differs" } else { "differ" };
        let small = "so little that the interval, as printed, reaches zero";
        match (count, shown.len()) {
            (0, _) => format!("No difference from {name} is more than chance."),
            (_, 0) => {
                format!("{count} of {others} {differ} from {name} by more than chance, by {small}.")
            }
            _ => {
                let mut text = shown[..shown.len().min(MOST_NAMED)]
                    .iter()
                    .map(|(_, text)| text.as_str())
                    .collect::<Vec<_>>()
                    .join(", ");
                if let Some(more) = shown.len().checked_sub(MOST_NAMED).filter(|&more| more > 0) {
                    text += &format!(", and {more} more");
                }
                if hidden > 0 {
                    text += &format!("; {hidden} by {small}");
                }
                format!("{count} of {others} {differ} from {name} by more than chance: {text}.")
            }
        }
    }

    /// A difference, if its interval leaves out zero as it is printed.
    fn difference(&self, arm: &StrategyResults, base: &StrategyResults) -> Option<(f64, String)> {
        let comparison = compare(arm, base, self.metric);
        let (change, text, unit) = if self.relative {
            let relative = comparison.relative?;
            (relative.change, percent(Some(relative)), "%")
        } else {
            let difference = comparison.difference?;
            (difference.mean, points(Some(difference)), "points")
        };
        let (level, interval) = text.split_once(" [")?;
        let (low, high) = interval.strip_suffix(']')?.split_once(", ")?;
        let both = |sign: char| low.starts_with(sign) && high.starts_with(sign);
        let name = markdown::text(&arm.name);
        (both('+') || both('-')).then(|| (change, format!("{name} {level} {unit} [{low}, {high}]")))
    }
}

fn best_of(leaders: &Leaders) -> String {
    match leaders.left[..] {
        [only] => format!("best: {}", markdown::text(only)),
        _ if leaders.out.is_empty() => "none told apart from the best".to_owned(),
        _ => format!("the best are not told apart: {}", leaders.who()),
    }
}

fn of_fault(results: &ScenarioResults, at: usize, fault: &FaultDescription) -> Option<String> {
    let impacts: Vec<(&str, &FaultImpact)> = results
        .strategies
        .iter()
        .filter_map(|arm| Some((arm.name.as_str(), arm.faults.get(at)?)))
        .collect();
    let during = impacts
        .iter()
        .filter_map(|(name, impact)| Some((estimate(&impact.success_rate_during)?.mean, *name)));
    let answered = ends(during.collect(), success)?;
    let mut text = format!(
        "During {}, so many of the arriving requests were answered: {answered}",
        when(fault)
    );
    if !fault.by_chance {
        let names: Vec<&str> = impacts.iter().map(|(name, _)| *name).collect();
        let samples: Vec<Vec<f64>> = impacts
            .iter()
            .map(|(_, impact)| impact.success_rate_during.clone())
            .collect();
        let leaders = leaders(&names, &samples, Good::High, success)?;
        if !leaders.is_even() {
            text += &format!("; {}", best_of(&leaders));
        }
    }
    let noticed = |impact: &FaultImpact| middle(&impact.detect).is_some_and(f64::is_finite);
    let of = |of: fn(&FaultImpact) -> &[Observed], all: bool, never: &str| {
        let told = impacts.iter().filter(|(_, impact)| all || noticed(impact));
        let medians = told.filter_map(|(name, impact)| Some((middle(of(impact))?, *name)));
        ends(medians.collect(), |seconds| match seconds {
            s if s.is_infinite() => never.to_owned(),
            s => format!("{} s", derived(s)),
        })
    };
    if let Some(mitigate) = of(|impact| &impact.mitigate, true, "not before it ended") {
        text += &format!(". Median time until nothing was degraded any more: {mitigate}");
    }
    if let Some(restore) = of(|impact| &impact.restore, false, "not while watched") {
        text += &format!(
            ". Median time from its end until the traffic was back, of those that had taken it \
             away: {restore}"
        );
    }
    Some(text + ".")
}

/// The median of what was observed, in seconds; infinite where it was not over in time.
fn middle(observed: &[Observed]) -> Option<f64> {
    let seconds = observed.iter().map(|observed| match observed {
        Observed::After(length) => length.as_secs_f64(),
        Observed::NotWithin(_) => f64::INFINITY,
    });
    Some(median(&seconds.collect::<Vec<_>>())?.median)
}

/// A fault with its time where that is the same in every replication.
fn when(fault: &FaultDescription) -> String {
    let name = markdown::text(&fault.name);
    match fault.windows[..] {
        [(start, end)] if !fault.by_chance => format!(
            "the {name} ({} long, from {})",
            human(end.since(start)),
            human(start.since(Timestamp::ZERO)),
        ),
        _ => format!("incidents ({name})"),
    }
}

/// The lowest and the highest of named values, and whose they are.
fn ends(mut values: Vec<(f64, &str)>, show: impl Fn(f64) -> String) -> Option<String> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (low, high) = (show(values.first()?.0), show(values.last()?.0));
    let whose = |level: &String| {
        let same = values.iter().filter(|(value, _)| show(*value) == *level);
        match same.map(|(_, name)| *name).collect::<Vec<_>>()[..] {
            [only] => markdown::text(only),
            ref some => format!("{} of {}", some.len(), values.len()),
        }
    };
    Some(if low == high {
        match values[..] {
            [(_, only)] => format!("{low} ({})", markdown::text(only)),
            _ => format!("{low} for all"),
        }
    } else {
        format!("{low} ({}) to {high} ({})", whose(&low), whose(&high))
    })
}
