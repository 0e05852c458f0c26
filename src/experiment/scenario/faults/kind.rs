//! The kinds of faults, and the keys that each has of its own.

use super::target::Target;
use super::{Context, cold_start, parameters};
use crate::experiment::results::Observable;
use crate::experiment::scenario::decode;
use crate::experiment::scenario::diagnostics::Finding;
use crate::experiment::scenario::section::Section;
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
    let fault = parameters::read(section, word, context);
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
