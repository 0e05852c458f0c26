//! What counts as a regression: `p99:+5%`, `success:-0.5pp`.
//!
//! A rule names the direction that is bad, although the metric knows it: `success:+1pp` is a slip
//! of the mind that a tool should not turn into its opposite in silence, so it is refused.

use crate::experiment::metric::{Better, Metric};
use std::fmt;

/// How far a metric may move before it is a regression.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// What is looked at.
    pub metric: Metric,
    /// Whether rising is bad; else falling is.
    pub rising: bool,
    /// By how much.
    pub margin: Margin,
    /// As typed, for messages.
    pub text: String,
}

/// An amount, never negative.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Margin {
    /// A share of the old mean: 0.05 for 5 %.
    Relative(f64),
    /// A difference of shares: 0.005 for half a percentage point.
    Points(f64),
}

/// Why a text is no rule, and where in it.
#[derive(Clone, PartialEq, Debug)]
pub struct RuleError {
    text: String,
    start: usize,
    end: usize,
    label: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |text: &str| text.chars().count();
        let before = width(&self.text[..self.start]);
        let marked = width(&self.text[self.start..self.end]).max(1);
        write!(
            f,
            "not a rule\n    {}\n    {:before$}{} {}",
            self.text,
            "",
            "^".repeat(marked),
            self.label
        )
    }
}

impl std::error::Error for RuleError {}

/// Short names of what is asked for most.
const SHORT: [(&str, Metric); 11] = [
    ("success", Metric::SuccessRate),
    ("rejected", Metric::RejectedRate),
    ("goodput", Metric::Goodput),
    ("mean", Metric::LatencyMeanAll),
    ("p50", Metric::LatencyP50All),
    ("p90", Metric::LatencyP90All),
    ("p95", Metric::LatencyP95All),
    ("p99", Metric::LatencyP99All),
    ("p999", Metric::LatencyP999All),
    ("ttft99", Metric::FirstTokenP99All),
    ("cost", Metric::CostPer1kSuccesses),
];

/// Metrics that are shares of something, from 0 to 1, so that points of per cent mean something.
const SHARES: [Metric; 7] = [
    Metric::SuccessRate,
    Metric::RejectedRate,
    Metric::CacheHitRate,
    Metric::CoalescedRate,
    Metric::WaitedRate,
    Metric::LeastBadShare,
    Metric::WastedCostShare,
];

const FORM: &str = "expected METRIC:+5% or METRIC:-5%, for shares also METRIC:-0.5pp";

impl Rule {
    /// What is judged where nothing else is asked for: whatever makes success rate, mean latency,
    /// P99 or cost per success worse than it was, by any amount.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        let rule = |metric: Metric| Self {
            metric,
            rising: metric.better() != Better::Higher,
            margin: Margin::Relative(0.0),
            text: metric.to_string(),
        };
        [
            Metric::SuccessRate,
            Metric::LatencyMeanAll,
            Metric::LatencyP99All,
            Metric::CostPer1kSuccesses,
        ]
        .map(rule)
        .into()
    }

    /// Reads `METRIC:+5%`, `METRIC:-5%`, or with `pp` for percentage points of a share.
    ///
    /// # Errors
    /// If the text has another form, names no metric, or the direction is an improvement.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let fail = |start: usize, end: usize, label: &str| RuleError {
            text: text.to_owned(),
            start,
            end,
            label: label.to_owned(),
        };
        let colon = text
            .find(':')
            .ok_or_else(|| fail(0, text.len(), &format!("there is no `:`; {FORM}")))?;
        let metric = metric(&text[..colon]).map_err(|label| fail(0, colon, &label))?;
        let (at, amount) = (colon + 1, &text[colon + 1..]);
        let rising = match amount.chars().next() {
            Some('+') => true,
            Some('-') => false,
            _ => {
                let label = format!("begin with + (a rise is bad) or - (a fall is bad); {FORM}");
                return Err(fail(at, text.len(), &label));
            }
        };
        if let Some(label) = wrong_way(metric, rising) {
            return Err(fail(at, at + 1, &label));
        }
        let margin = margin(&amount[1..]).map_err(|label| fail(at + 1, text.len(), label))?;
        if matches!(margin, Margin::Points(_)) && !is_share(metric) {
            let label = format!("`{metric}` is no share: give per cent of its old mean, `%`");
            return Err(fail(at + 1, text.len(), &label));
        }
        Ok(Self {
            metric,
            rising,
            margin,
            text: text.to_owned(),
        })
    }

    /// How far beyond its margin a metric went, replication by replication: positive is bad. The
    /// factor of the old value and the number added make it a linear form of both values, whose
    /// mean has a t interval.
    #[must_use]
    pub fn form(&self) -> (f64, f64, f64) {
        let sign = if self.rising { 1.0 } else { -1.0 };
        match self.margin {
            Margin::Relative(share) => (sign, -sign * (1.0 + sign * share), 0.0),
            Margin::Points(points) => (sign, -sign, -points),
        }
    }

    /// Whether it allows some change for the worse.
    #[must_use]
    pub fn has_margin(&self) -> bool {
        !matches!(self.margin, Margin::Relative(0.0) | Margin::Points(0.0))
    }
}

/// Whether a metric is a share of something, from 0 to 1.
#[must_use]
pub fn is_share(metric: Metric) -> bool {
    SHARES.contains(&metric)
}

fn metric(name: &str) -> Result<Metric, String> {
    let short = SHORT.iter().find(|(short, _)| *short == name);
    let known = short.map(|(_, metric)| *metric);
    known.or_else(|| Metric::from_name(name)).ok_or_else(|| {
        let full = Metric::ALL.iter().map(|metric| metric.name());
        let names = SHORT.iter().map(|(short, _)| *short).chain(full);
        let near = names
            .map(|known| {
                (
                    strsim::damerau_levenshtein(&name.to_lowercase(), known),
                    known,
                )
            })
            .min_by_key(|(distance, _)| *distance)
            .filter(|(distance, known)| *distance <= name.len().max(known.len()).div_ceil(3));
        match near {
            Some((_, near)) if !name.is_empty() => {
                format!("unknown metric; did you mean `{near}`?")
            }
            _ => {
                let short: Vec<&str> = SHORT.iter().map(|(short, _)| *short).collect();
                format!(
                    "unknown metric; one of {}, or a column of replications.csv",
                    short.join(", ")
                )
            }
        }
    })
}

/// What to say where the direction asked for is the good one.
fn wrong_way(metric: Metric, rising: bool) -> Option<String> {
    let (word, other) = match (metric.better(), rising) {
        (Better::Higher, true) => ("a rise", '-'),
        (Better::Lower, false) => ("a fall", '+'),
        _ => return None,
    };
    Some(format!(
        "{word} of `{metric}` is no regression; write `{other}`"
    ))
}

fn margin(text: &str) -> Result<Margin, &'static str> {
    let (number, points) = match text.strip_suffix("pp") {
        Some(number) => (number, true),
        None => (
            text.strip_suffix('%')
                .ok_or("the unit is missing: `%` or `pp`")?,
            false,
        ),
    };
    let plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let value: f64 = number.parse().unwrap_or(f64::NAN);
    if !plain || !(0.0..=1000.0).contains(&value) {
        return Err("not a number from 0 to 1000, such as 5 or 0.5");
    }
    Ok(if points {
        Margin::Points(value / 100.0)
    } else {
        Margin::Relative(value / 100.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules_are_read() {
        for (text, metric, rising, margin) in [
            (
                "p99:+5%",
                Metric::LatencyP99All,
                true,
                Margin::Relative(0.05),
            ),
            (
                "success:-0.5pp",
                Metric::SuccessRate,
                false,
                Margin::Points(0.005),
            ),
            (
                "success_rate:-1%",
                Metric::SuccessRate,
                false,
                Margin::Relative(0.01),
            ),
            (
                "cost:+0%",
                Metric::CostPer1kSuccesses,
                true,
                Margin::Relative(0.0),
            ),
            // Neither direction is bad in itself: whoever asks decides.
            (
                "fairness_jain:-10%",
                Metric::FairnessJain,
                false,
                Margin::Relative(0.1),
            ),
            (
                "breaker_openings:+50%",
                Metric::BreakerOpenings,
                true,
                Margin::Relative(0.5),
            ),
        ] {
            let rule = Rule::parse(text).unwrap();
            assert_eq!(
                (rule.metric, rule.rising, rule.margin),
                (metric, rising, margin)
            );
        }
    }

    #[test]
    fn what_is_no_rule_is_pointed_at() {
        for (text, marks, label) in [
            ("p99", "^^^", "there is no `:`"),
            ("p98:+5%", "^^^", "did you mean `p9"),
            ("sucess:-1pp", "^^^^^^", "did you mean `success`?"),
            ("latency:+5%", "^^^^^^^", "one of success, rejected"),
            (":+5%", "^", "one of success"),
            ("p99:5%", "    ^^", "begin with +"),
            ("p99:", "    ^", "begin with +"),
            (
                "p99:-5%",
                "    ^",
                "a fall of `latency_all_p99_s` is no regression; write `+`",
            ),
            ("success:+1pp", "        ^", "write `-`"),
            ("p99:+5", "     ^", "the unit is missing"),
            ("p99:+x%", "     ^^", "not a number"),
            ("p99:+-5%", "     ^^^", "not a number"),
            ("p99:+1e9%", "     ^^^^", "not a number"),
            ("p99:+5pp", "     ^^^", "is no share"),
        ] {
            let message = Rule::parse(text).unwrap_err().to_string();
            let lines: Vec<&str> = message.lines().collect();
            assert_eq!(lines[1], format!("    {text}"));
            assert!(lines[2].starts_with(&format!("    {marks} ")), "{message}");
            assert!(lines[2].contains(label), "{message}");
        }
    }

    #[test]
    fn beyond_the_margin_is_positive() {
        let beyond = |rule: &str, old: f64, new: f64| {
            let (of_new, of_old, added) = Rule::parse(rule).unwrap().form();
            of_new * new + of_old * old + added
        };
        assert!(beyond("p99:+5%", 10.0, 10.4) < 0.0);
        assert!(beyond("p99:+5%", 10.0, 10.6) > 0.0);
        assert!(beyond("success:-1pp", 0.9, 0.891) < 0.0);
        assert!(beyond("success:-1pp", 0.9, 0.889) > 0.0);
        assert!(beyond("goodput:-10%", 30.0, 28.0) < 0.0);
        assert!(beyond("goodput:-10%", 30.0, 26.0) > 0.0);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".*", tail in "(p99|success):[+-]?.{0,6}") {
            for text in [text, tail] {
                if let Err(error) = Rule::parse(&text) {
                    prop_assert!(error.to_string().contains('^'));
                }
            }
        }
    }
}
