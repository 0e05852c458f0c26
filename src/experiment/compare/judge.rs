//! From two samples to verdicts.

use super::{Change, Rule, RunSample, StrategySample};
use crate::stats::welch::Difference;

/// What all rules say of all scenarios.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was judged.
    pub rules: Vec<Rule>,
    /// Scenario by scenario.
    pub scenarios: Vec<ScenarioComparison>,
    /// Scenarios that only the old results have.
    pub only_old: Vec<String>,
    /// Whether the new results may lack scenarios and strategies of the old ones.
    pub may_lack: bool,
    /// Judgements that share the 5 %.
    pub judged: usize,
    /// Confidence level of each of them.
    pub level: f64,
}

/// One scenario, before and after.
#[derive(Clone, Debug)]
pub struct ScenarioComparison {
    /// Its name.
    pub name: String,
    /// Whether replications are pairs; else two independent samples.
    pub paired: bool,
    /// Replications that take part, of the old result and of the new one.
    pub replications: (usize, usize),
    /// Strategies of both.
    pub strategies: Vec<StrategyComparison>,
    /// Strategies that only the old result has.
    pub only_old: Vec<String>,
    /// Strategies that only the new one has.
    pub only_new: Vec<String>,
}

/// One strategy, before and after.
#[derive(Clone, Debug)]
pub struct StrategyComparison {
    /// Its name.
    pub name: String,
    /// Before; replications that take part.
    pub old: StrategySample,
    /// After.
    pub new: StrategySample,
    /// By rule.
    pub findings: Vec<Finding>,
}

/// What a rule says of a strategy.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What has changed.
    pub change: Change,
    /// How that is judged.
    pub verdict: Verdict,
}

/// A judgement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Worse by more than the margin, and by more than chance.
    Regression,
    /// There was something to measure in every replication before, and now there is not: no
    /// success, say, whose cost could be stated. As bad as a regression, since it could not be
    /// seen.
    Lost,
    /// Worse by more than chance, but not surely by more than the margin.
    Worse,
    /// Better by more than chance.
    Better,
    /// Chance could explain it.
    Unclear,
    /// The same number in every pair of replications.
    Identical,
    /// One replication: nothing is known about chance.
    Unknown,
    /// The metric does not apply here, or did not before.
    NotApplicable,
}

impl Verdict {
    /// Whether the comparison fails by it.
    #[must_use]
    pub const fn fails(self) -> bool {
        matches!(self, Self::Regression | Self::Lost)
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Lost => "lost",
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Unclear => "unclear",
            Self::Identical => "identical",
            Self::Unknown => "unknown",
            Self::NotApplicable => "not_applicable",
        }
    }
}

/// Share of comparisons without any change for the worse that may fail.
const FALSE_ALARMS: f64 = 0.05;

/// Largest relative error of a number at six significant digits.
const ROUNDING: f64 = 5e-6;

/// Judges pairs of results, each of one scenario, as if there were no other scenarios.
#[must_use]
pub fn compare(pairs: &[(RunSample, RunSample)], rules: Vec<Rule>) -> Comparison {
    let mut scenarios: Vec<_> = pairs.iter().map(|(old, new)| line_up(old, new)).collect();
    let mut judged = 0;
    for scenario in &mut scenarios {
        let paired = scenario.paired;
        for strategy in &mut scenario.strategies {
            let findings = rules.iter().map(|rule| first_look(strategy, rule, paired));
            strategy.findings = findings.collect();
            let open = |finding: &&Finding| finding.verdict == Verdict::Unclear;
            judged += strategy.findings.iter().filter(open).count();
        }
    }
    let level = 1.0 - FALSE_ALARMS / judged.max(1) as f64;
    for scenario in &mut scenarios {
        let paired = scenario.paired;
        for strategy in &mut scenario.strategies {
            let (old, new) = (&strategy.old, &strategy.new);
            for (finding, rule) in strategy.findings.iter_mut().zip(&rules) {
                if finding.verdict == Verdict::Unclear {
                    finding.verdict = verdict(old, new, rule, paired, level);
                }
            }
        }
    }
    Comparison {
        rules,
        scenarios,
        only_old: vec![],
        may_lack: false,
        judged,
        level,
    }
}

/// Which strategies and replications can be compared.
fn line_up(old: &RunSample, new: &RunSample) -> ScenarioComparison {
    let paired = old.seed == new.seed;
    let count = |run: &RunSample| run.strategies.first().map_or(0, |s| s.replications.len());
    let (mut before, mut after) = (count(old), count(new));
    if paired {
        // Replications are numbered: those that both have are the first ones.
        (before, after) = (before.min(after), before.min(after));
    }
    let named = |run: &RunSample, name: &str| {
        let mut strategies = run.strategies.iter();
        strategies.find(|strategy| strategy.name == name).cloned()
    };
    let cut = |mut sample: StrategySample, count: usize| {
        sample.replications.truncate(count);
        sample
    };
    let strategies = old.strategies.iter().filter_map(|strategy| {
        Some(StrategyComparison {
            name: strategy.name.clone(),
            old: cut(strategy.clone(), before),
            new: cut(named(new, &strategy.name)?, after),
            findings: vec![],
        })
    });
    let missing = |of: &RunSample, from: &RunSample| {
        let names = of.strategies.iter().map(|strategy| strategy.name.clone());
        names.filter(|name| named(from, name).is_none()).collect()
    };
    ScenarioComparison {
        name: new.scenario.clone(),
        paired,
        replications: (before, after),
        strategies: strategies.collect(),
        only_old: missing(old, new),
        only_new: missing(new, old),
    }
}

/// What can be said before it is known how many judgements share the 5 %: [`Verdict::Unclear`]
/// where there is something to judge.
fn first_look(strategy: &StrategyComparison, rule: &Rule, paired: bool) -> Finding {
    let of = |sample: &StrategySample| sample.values(rule.metric, usize::MAX);
    let (old, new) = (of(&strategy.old), of(&strategy.new));
    let change = Change::of(&old, &new, paired);
    let verdict = match (&change.old, &change.new, &change.difference) {
        (Some(_), None, _) => Verdict::Lost,
        (Some(_), Some(_), _) if paired && old == new => Verdict::Identical,
        (Some(_), Some(_), Some(difference)) if difference.freedom > 0.0 => Verdict::Unclear,
        (Some(_), Some(_), Some(_)) => Verdict::Unknown,
        _ => Verdict::NotApplicable,
    };
    Finding { change, verdict }
}

fn verdict(
    old: &StrategySample,
    new: &StrategySample,
    rule: &Rule,
    paired: bool,
    level: f64,
) -> Verdict {
    let side = |(of_new, of_old, added): (f64, f64, f64)| {
        let values = |sample: &StrategySample, factor: f64| -> Vec<f64> {
            let values = sample.values(rule.metric, usize::MAX).into_iter();
            values.map(|value| value * factor).collect()
        };
        // Both as summands: the difference is taken from minus the old one.
        let (after, before) = (values(new, of_new), values(old, -of_old));
        beyond(&after, &before, added, paired, level)
    };
    if side(rule.form()) == Some(Side::Above) {
        return Verdict::Regression;
    }
    let sign = if rule.rising { 1.0 } else { -1.0 };
    match side((sign, -sign, 0.0)) {
        Some(Side::Above) => Verdict::Worse,
        Some(Side::Below) => Verdict::Better,
        None => Verdict::Unclear,
    }
}

#[derive(PartialEq)]
enum Side {
    Above,
    Below,
}

/// On which side of zero the whole interval of mean(a) - mean(b) + `added` lies.
///
/// Result files hold six significant digits. What was rounded away is part of what is not known: it
/// moves every difference by up to `off`, so the mean by as much, and the standard deviation by up
/// to `off` times sqrt(n / (n - 1)). Without that, a change in the sixth digit, the same in every
/// replication, would be significant.
fn beyond(a: &[f64], b: &[f64], added: f64, paired: bool, level: f64) -> Option<Side> {
    let difference = if paired {
        Difference::paired(a, b)
    } else {
        Difference::welch(a, b)
    };
    let difference = difference?;
    let largest = |sample: &[f64]| sample.iter().fold(0.0, |most, x| f64::max(most, x.abs()));
    let off = ROUNDING * (largest(a) + largest(b));
    let t = difference.quantile(level)?;
    let fewest = a.len().min(b.len()) as f64;
    let half = t * difference.error + off * (1.0 + t / (fewest - 1.0).sqrt());
    let mean = difference.mean + added;
    if mean - half > 0.0 {
        Some(Side::Above)
    } else if mean + half < 0.0 {
        Some(Side::Below)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::metric::{Metric, Metrics};
    use crate::rng::Rng;

    fn run(seed: u64, values: &[f64]) -> RunSample {
        let metrics = |&value: &f64| {
            let mut metrics = Metrics::default();
            metrics[Metric::LatencyP99All] = value;
            metrics
        };
        RunSample {
            scenario: "s".into(),
            seed,
            version: String::new(),
            resolved_toml: String::new(),
            inputs: vec![],
            asked: values.len() as u64,
            interrupted: false,
            strategies: vec![StrategySample {
                name: "smart".into(),
                replications: values.iter().map(metrics).collect(),
            }],
        }
    }

    fn of(rule: &str, old: &RunSample, new: &RunSample) -> Verdict {
        let rules = vec![Rule::parse(rule).unwrap()];
        let comparison = compare(&[(old.clone(), new.clone())], rules);
        comparison.scenarios[0].strategies[0].findings[0].verdict
    }

    const OLD: [f64; 5] = [10.0, 14.0, 9.0, 17.0, 11.0];

    #[test]
    fn verdicts_depend_on_the_margin() {
        let old = run(1, &OLD);
        let worse = run(1, &[10.42, 14.5, 9.41, 17.6, 11.5]);
        assert_eq!(of("p99:+0%", &old, &worse), Verdict::Regression);
        assert_eq!(of("p99:+3%", &old, &worse), Verdict::Regression);
        assert_eq!(of("p99:+5%", &old, &worse), Verdict::Worse);
        assert_eq!(of("p99:+0%", &worse, &old), Verdict::Better);
        let noise = run(1, &[10.4, 13.5, 9.41, 16.6, 11.5]);
        assert_eq!(of("p99:+0%", &old, &noise), Verdict::Unclear);
        assert_eq!(of("p99:+0%", &old, &old), Verdict::Identical);
    }

    #[test]
    fn other_seeds_are_not_pairs() {
        // Every pair is worse by 4 %, which is far less than replications differ among themselves.
        let worse: Vec<f64> = OLD.iter().map(|x| x * 1.04).collect();
        assert_eq!(
            of("p99:+0%", &run(1, &OLD), &run(1, &worse)),
            Verdict::Regression
        );
        assert_eq!(
            of("p99:+0%", &run(1, &OLD), &run(2, &worse)),
            Verdict::Unclear
        );
        let far: Vec<f64> = OLD.iter().map(|x| x + 30.0).collect();
        assert_eq!(
            of("p99:+5%", &run(1, &OLD), &run(2, &far)),
            Verdict::Regression
        );
        assert_eq!(
            of("p99:+0%", &run(1, &OLD), &run(2, &OLD)),
            Verdict::Unclear
        );
    }

    #[test]
    fn edges_are_told_apart() {
        let nan = f64::NAN;
        let (old, gone) = (run(1, &OLD), run(1, &[1.0, nan, 1.0, 1.0, 1.0]));
        assert_eq!(of("p99:+5%", &old, &gone), Verdict::Lost);
        assert_eq!(of("p99:+5%", &gone, &old), Verdict::NotApplicable);
        assert_eq!(of("cost:+5%", &old, &old), Verdict::NotApplicable);
        let one = |value| run(1, &[value]);
        assert_eq!(of("p99:+5%", &one(1.0), &one(9.0)), Verdict::Unknown);
        assert_eq!(of("p99:+5%", &one(1.0), &one(1.0)), Verdict::Identical);
        // An interrupted run has the first of the same replications.
        let first = run(1, &OLD[..3]);
        assert_eq!(of("p99:+5%", &old, &first), Verdict::Identical);
    }

    #[test]
    fn what_was_rounded_away_is_no_regression() {
        // One unit in the sixth digit, in every replication alike.
        let old = run(1, &[3.61397; 5]);
        let new = run(1, &[3.61398; 5]);
        assert_eq!(of("p99:+0%", &old, &new), Verdict::Unclear);
        assert_eq!(
            of("p99:+0%", &old, &run(1, &[3.6142; 5])),
            Verdict::Regression
        );
    }

    #[test]
    fn a_zero_that_grows_is_a_regression_by_any_margin() {
        let (none, some) = (run(1, &[0.0; 5]), run(1, &[0.1, 0.12, 0.11, 0.1, 0.09]));
        assert_eq!(of("p99:+50%", &none, &some), Verdict::Regression);
        assert_eq!(of("p99:+50%", &none, &none), Verdict::Identical);
    }

    /// Where nothing changes, at most one comparison of twenty fails, however many are judged.
    #[test]
    fn false_alarms_stay_within_five_per_cent() {
        const TRIES: u32 = 400;
        let seed = 7;
        let mut rng = Rng::from_state(seed);
        let mut normal = || {
            let twelve: f64 = (0..12)
                .map(|_| f64::from(rng.below(1 << 20)) / f64::from(1 << 20))
                .sum();
            100.0 + twelve - 6.0
        };
        for paired in [true, false] {
            let mut alarms = 0;
            for _ in 0..TRIES {
                let pairs: Vec<_> = (0..20)
                    .map(|_| {
                        let mut values = || (0..6).map(|_| normal()).collect::<Vec<f64>>();
                        (
                            run(1, &values()),
                            run(if paired { 1 } else { 2 }, &values()),
                        )
                    })
                    .collect();
                let rules = vec![Rule::parse("p99:+0%").unwrap()];
                let comparison = compare(&pairs, rules);
                let mut all = comparison.scenarios.iter().flat_map(|s| &s.strategies);
                alarms += u32::from(all.any(|s| s.findings[0].verdict.fails()));
            }
            // One-sided: 2.5 % are expected; 4.5 standard errors above that is 6 %.
            assert!(
                alarms <= TRIES * 6 / 100,
                "{alarms} of {TRIES}, seed {seed}"
            );
        }
    }
}
