//! The kinds of faults, and the keys that each has of its own.

use super::target::Target;
use super::{Context, cold_start};
use crate::distribution::Distribution;
use crate::experiment::results::Observable;
use crate::experiment::scenario::decode::{self, Decoded};
use crate::experiment::scenario::diagnostics::{Finding, Findings};
use crate::experiment::scenario::distribution::{self, Measure};
use crate::experiment::scenario::document::{Node, Value};
use crate::experiment::scenario::section::{Field, Section};
use crate::experiment::scenario::service::REFUSALS;
use crate::request::{FailureKind, RegionIndex};
use crate::time::Duration;
use crate::upstream::config::{ColdStart, FaultKind};

/// A kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Word {
    /// Everything fails fast.
    Outage,
    /// Nothing comes back.
    Blackhole,
    /// Slower.
    Brownout,
    /// A share fails.
    Errors,
    /// A share fails at the edge.
    FastErrors,
    /// Quotas are cut.
    RateLimit,
    /// An outage that comes and goes.
    Flapping,
    /// A region cannot be reached.
    Partition,
    /// Slower at first.
    ColdStart,
    /// Prices change.
    PriceChange,
    /// The owner takes accounts out.
    AccountRemoved,
    /// The owner adds accounts.
    AccountAdded,
}

/// Keys of single kinds, and whose they are.
const KEYS: [(&str, &[Word]); 10] = [
    ("failure", FAILING),
    ("time_to_fail", FAILING_LATE),
    (
        "factor",
        &[
            Word::Brownout,
            Word::RateLimit,
            Word::ColdStart,
            Word::PriceChange,
        ],
    ),
    ("rate", &[Word::Errors, Word::FastErrors]),
    ("period", &[Word::Flapping]),
    ("duty", &[Word::Flapping]),
    ("from", &[Word::Partition]),
    ("ramp", RAMPED),
    ("cold_start", &[Word::Outage, Word::Blackhole]),
    ("incidents", BY_CHANCE),
];

const FAILING: &[Word] = &[Word::Outage, Word::Errors, Word::FastErrors, Word::Flapping];

const FAILING_LATE: &[Word] = &[
    Word::Outage,
    Word::Errors,
    Word::FastErrors,
    Word::Flapping,
    Word::Partition,
];

const BY_CHANCE: &[Word] = &[
    Word::Outage,
    Word::Blackhole,
    Word::Brownout,
    Word::Errors,
    Word::FastErrors,
    Word::RateLimit,
    Word::Flapping,
    Word::Partition,
];

const RAMPED: &[Word] = &[
    Word::Outage,
    Word::Blackhole,
    Word::Brownout,
    Word::Errors,
    Word::FastErrors,
    Word::RateLimit,
    Word::Flapping,
    Word::Partition,
    Word::ColdStart,
];

/// Shortest period of flapping: a bound on the number of events.
const SHORTEST_PERIOD: Duration = Duration::from_millis(100);

/// What an entry says of its kind.
pub(super) struct Kind {
    /// The kind.
    pub(super) word: Word,
    /// With its parameters.
    pub(super) fault: FaultKind,
    /// `ramp`.
    pub(super) ramp: Duration,
    /// `cold_start`.
    pub(super) cold_start: Option<ColdStart>,
}

impl Word {
    /// All of them.
    pub(super) const ALL: &'static [Self] = &[
        Self::Outage,
        Self::Blackhole,
        Self::Brownout,
        Self::Errors,
        Self::FastErrors,
        Self::RateLimit,
        Self::Flapping,
        Self::Partition,
        Self::ColdStart,
        Self::PriceChange,
        Self::AccountRemoved,
        Self::AccountAdded,
    ];

    /// The word for it in scenario files.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Blackhole => "blackhole",
            Self::Brownout => "brownout",
            Self::Errors => "errors",
            Self::FastErrors => "fast_errors",
            Self::RateLimit => "rate_limit",
            Self::Flapping => "flapping",
            Self::Partition => "partition",
            Self::ColdStart => "cold_start",
            Self::PriceChange => "price_change",
            Self::AccountRemoved => "account_removed",
            Self::AccountAdded => "account_added",
        }
    }

    /// Whether such faults may come by chance: not what somebody decides, nor what follows another.
    pub(super) fn comes_by_chance(self) -> bool {
        BY_CHANCE.contains(&self)
    }

    /// Why such a fault cannot concern a single model; `None` if it can.
    pub(super) const fn why_no_model(self) -> Option<&'static str> {
        match self {
            Self::RateLimit => Some("a quota counts all models of its accounts"),
            Self::Partition => Some("the network does not know models"),
            Self::AccountRemoved | Self::AccountAdded => {
                Some("an account comes and goes with all its models")
            }
            _ => None,
        }
    }

    /// What can be observed of such a fault.
    pub(super) const fn observed(self) -> Observable {
        match self {
            Self::AccountRemoved => Observable::Effects,
            Self::PriceChange | Self::AccountAdded => Observable::SuccessRate,
            _ => Observable::All,
        }
    }
}

impl Kind {
    /// In words: `partition of region eu-west from us-east`.
    pub(super) fn describe(&self, target: &Target, context: &Context) -> String {
        let name = target.describe(self.word.name(), context);
        let FaultKind::Partition {
            from: Some(from), ..
        } = &self.fault
        else {
            return name;
        };
        let names = context.regions.unwrap_or_default();
        let from = from.iter().filter_map(|region| names.get(region.at()));
        let from: Vec<&str> = from.map(String::as_str).collect();
        format!("{name} from {}", from.join(", "))
    }

    /// The ramp of the fault itself.
    pub(super) fn fault_ramp(&self) -> Duration {
        match self.word {
            Word::ColdStart => Duration::ZERO,
            _ => self.ramp,
        }
    }

    /// Checks it against the length of the fault.
    pub(super) fn fits(&self, section: &Section, length: Duration) {
        if let FaultKind::Flapping { period, .. } = self.fault
            && period > length
        {
            let label = format!("longer than the fault, {length}");
            let finding = Finding::error("the fault ends before it flaps once");
            let help = "a single time down is an \"outage\"";
            section.report(finding.at(section.span("period"), label).help(help));
        }
        if self.ramp >= length {
            let label = format!("it ends after {length}");
            let finding = Finding::warning("the fault is never there in full");
            let help = "its `ramp` takes longer than its `duration`";
            section.report(finding.at(section.span("ramp"), label).help(help));
        }
    }
}

/// Reads what belongs to a kind of fault, and refuses what belongs to another.
pub(super) fn read(section: &mut Section, word: Option<Word>, context: &Context) -> Option<Kind> {
    let Some(word) = word else {
        for (key, _) in KEYS {
            section.node(key);
        }
        return None;
    };
    for (key, words) in KEYS {
        if !words.contains(&word) {
            section.refuse(key, &only(words));
        }
    }
    let findings = context.findings;
    let ramp = match word {
        Word::ColdStart => section.required("ramp", "\"2min\"", decode::positive_duration),
        word if RAMPED.contains(&word) => section.or("ramp", Duration::ZERO, decode::duration),
        _ => Some(Duration::ZERO),
    };
    let cold = match section.node_if(
        "cold_start",
        word == Word::Outage || word == Word::Blackhole,
    ) {
        Some(node) => cold_start(node, findings).map(Some),
        None => Some(None),
    };
    let fault = parameters(section, word, context);
    Some(Kind {
        word,
        fault: fault?,
        ramp: ramp?,
        cold_start: cold?,
    })
}

/// `only of kind "outage" or "errors"`.
fn only(words: &[Word]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("\"{}\"", word.name()))
        .collect();
    match quoted.split_last() {
        Some((last, [])) => format!("only of kind {last}"),
        Some((last, before)) => format!("only of kind {} or {last}", before.join(", ")),
        None => String::new(),
    }
}

fn parameters(section: &mut Section, word: Word, context: &Context) -> Option<FaultKind> {
    let findings = context.findings;
    match word {
        Word::Outage => {
            let failing = failing(section, FailureKind::Unavailable, 0.1, findings);
            failing.map(|(failure, time_to_fail)| FaultKind::Outage {
                failure,
                time_to_fail,
            })
        }
        Word::Blackhole => Some(FaultKind::Blackhole),
        Word::Brownout => {
            let factor = section.required("factor", "3", decode::factor);
            factor.map(|factor| FaultKind::Brownout { factor })
        }
        Word::Errors => {
            let failing = failing(section, FailureKind::InternalError, 0.1, findings);
            let rate = section.required("rate", "0.3", decode::share);
            let ((failure, time_to_fail), rate) = failing.zip(rate)?;
            Some(FaultKind::Errors {
                rate,
                failure,
                time_to_fail,
            })
        }
        Word::FastErrors => {
            let failing = failing(section, FailureKind::InternalError, 0.005, findings);
            let rate = section.or("rate", 1.0, decode::share);
            let ((failure, time_to_fail), rate) = failing.zip(rate)?;
            Some(FaultKind::FastErrors {
                rate,
                failure,
                time_to_fail,
            })
        }
        Word::RateLimit => {
            let factor = section.required("factor", "0.1", decode::share);
            factor.map(|factor| FaultKind::RateLimit { factor })
        }
        Word::Flapping => flapping(section, findings),
        Word::Partition => {
            let from = Field::of(section.node("from").map(|node| from(node, context)));
            let time_to_fail = time_to_fail(section, 10.0, findings);
            let from = from.optional();
            Some(FaultKind::Partition {
                from: from?,
                time_to_fail: time_to_fail?,
            })
        }
        Word::ColdStart => {
            let factor = section.required("factor", "3", decode::factor);
            factor.map(|factor| FaultKind::ColdStart { factor })
        }
        Word::PriceChange => {
            let factor = section.required("factor", "2", decode::number(0.0..=1_000.0));
            factor.map(|factor| FaultKind::PriceChange { factor })
        }
        Word::AccountRemoved | Word::AccountAdded => Some(FaultKind::Absent),
    }
}

fn flapping(section: &mut Section, findings: &Findings) -> Option<FaultKind> {
    let period = section.required("period", "\"20s\"", |node| {
        let period = decode::duration(node)?;
        if period < SHORTEST_PERIOD {
            let help = format!("a duration of {SHORTEST_PERIOD} or more");
            return Err(decode::out_of_bounds("too short", help));
        }
        Ok(period)
    });
    let duty = section.or("duty", 0.5, |node| {
        let duty = decode::share(node)?;
        if duty > 0.0 && duty < 1.0 {
            return Ok(duty);
        }
        let help = "above 0 and below 1; always down is an \"outage\"";
        Err(decode::out_of_bounds("not flapping", help))
    });
    let failing = failing(section, FailureKind::Unavailable, 0.1, findings);
    let (failure, time_to_fail) = failing?;
    Some(FaultKind::Flapping {
        period: period?,
        duty: duty?,
        failure,
        time_to_fail,
    })
}

/// Reads `failure` and `time_to_fail`, with their defaults.
fn failing(
    section: &mut Section,
    default: FailureKind,
    seconds: f64,
    findings: &Findings,
) -> Option<(FailureKind, Distribution)> {
    let failure = decode::word("failure", REFUSALS, FailureKind::name);
    let failure = section.or("failure", default, failure);
    failure.zip(time_to_fail(section, seconds, findings))
}

fn time_to_fail(section: &mut Section, seconds: f64, findings: &Findings) -> Option<Distribution> {
    match section.node("time_to_fail") {
        Some(node) => distribution::read("time_to_fail", node, Measure::Time, findings),
        None => Distribution::constant(seconds).ok(),
    }
}

/// Reads `from`: a region, several in an array, or `"all"`, which is `None`.
fn from(node: &Node, context: &Context) -> Option<Vec<RegionIndex>> {
    let items = match &node.value {
        Value::Array(items) if !items.is_empty() => items,
        _ => std::slice::from_ref(node),
    };
    let names = context.regions?;
    let region = |item: &Node| -> Decoded<RegionIndex> {
        decode::reference("region", names)(item).map(|at| RegionIndex(at as u16))
    };
    let mut good = true;
    let mut regions = Vec::new();
    for item in items {
        match region(item) {
            Ok(region) => regions.push(region),
            Err(problem) => {
                context.findings.push(problem.finding("from", item));
                good = false;
            }
        }
    }
    if good
        && let Some(gateway) = context.gateway
        && !regions.contains(&gateway)
    {
        let name = &names[gateway.at()];
        let finding = Finding::error("the partition cuts nobody off");
        let help = format!("every attempt is sent from the gateway, in `{name}`");
        context.findings.push(
            finding
                .at(node.span, "nothing is sent from there")
                .help(help),
        );
        return None;
    }
    good.then_some(regions)
}
