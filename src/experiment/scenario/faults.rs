//! `[[faults]]`: what goes wrong, where, and when.
//!
//! An entry has a kind with its own keys (`kind`), a target (`target`), and a time: a date of the
//! schedule, or the law by which incidents come (`incidents`).

mod incidents;
mod kind;
mod parameters;
mod target;

use super::accounts::Pool;
use super::decode;
use super::diagnostics::{Finding, Findings};
use super::document::Node;
use super::models::Models;
use super::section::Section;
use crate::experiment::results::FaultDescription;
use crate::request::RegionIndex;
use crate::time::{Duration, Timestamp};
use crate::upstream::config::{ColdStart, Fault, FaultKind, Incidents};
use kind::{Kind, Word};
use std::collections::BTreeMap;
use target::Target;

/// Most faults of a scenario.
const MOST_FAULTS: usize = 1_000;

/// What entries are read against; `None` is unreliable.
pub(super) struct Context<'a> {
    /// All accounts.
    pub(super) pool: Option<&'a Pool>,
    /// Models.
    pub(super) models: Option<&'a Models>,
    /// Names of regions.
    pub(super) regions: Option<&'a [String]>,
    /// Where the gateway is, if it has a place of its own.
    pub(super) gateway: Option<RegionIndex>,
    /// When arrivals stop.
    pub(super) end: Option<Duration>,
    /// Where findings go.
    pub(super) findings: &'a Findings,
}

/// What `[[faults]]` says.
#[derive(Default)]
pub(super) struct Faults {
    /// Those with a date.
    pub(super) scheduled: Vec<Fault>,
    /// Those that come by chance.
    pub(super) incidents: Vec<Incidents>,
    /// What a report is told: of the scheduled ones, then of each row of the others.
    pub(super) descriptions: Vec<FaultDescription>,
}

impl Faults {
    /// Whether a fault of such a kind may come.
    pub(super) fn any(&self, is: impl Fn(&FaultKind) -> bool) -> bool {
        let scheduled = self.scheduled.iter().map(|fault| &fault.kind);
        let by_chance = self.incidents.iter().map(|entry| &entry.kind);
        scheduled.chain(by_chance).any(is)
    }
}

/// What one entry came to.
enum Entry {
    /// The fault, and what follows from it.
    Scheduled(Vec<(Fault, FaultDescription)>),
    /// Incidents, and what their rows are called.
    ByChance(Box<Incidents>, Vec<FaultDescription>),
}

/// Names of random streams already used, with how often.
type Streams = BTreeMap<String, u32>;

/// Reads `[[faults]]`; none if absent, `None` if one is bad.
pub(super) fn read(top: &mut Section, context: &Context) -> Option<Faults> {
    let items = top.list("faults")?;
    if items.len() > MOST_FAULTS {
        let finding = Finding::error(format!("{} faults are too many", items.len()));
        let help = format!("allowed: at most {MOST_FAULTS}");
        context
            .findings
            .push(finding.at(items[MOST_FAULTS].span, "").help(help));
        return None;
    }
    let mut streams = Streams::new();
    let read: Vec<_> = items
        .iter()
        .map(|item| entry(item, context, &mut streams))
        .collect();
    let mut faults = Faults::default();
    let mut rows = Vec::new();
    for entry in read.into_iter().collect::<Option<Vec<_>>>()? {
        match entry {
            Entry::Scheduled(dated) => {
                let (mut dated, mut about): (Vec<_>, Vec<_>) = dated.into_iter().unzip();
                faults.scheduled.append(&mut dated);
                faults.descriptions.append(&mut about);
            }
            Entry::ByChance(incidents, mut about) => {
                faults.incidents.push(*incidents);
                rows.append(&mut about);
            }
        }
    }
    faults.descriptions.append(&mut rows);
    Some(faults)
}

fn entry(node: &Node, context: &Context, streams: &mut Streams) -> Option<Entry> {
    let mut section = Section::of(node, "a fault", context.findings)?;
    let word = section.required(
        "kind",
        "\"outage\"",
        decode::word("kind of fault", Word::ALL, Word::name),
    );
    let kind = kind::read(&mut section, word, context);
    let target = Target::read(&mut section, word, context);
    let by_chance = section.has("incidents") && word.is_none_or(Word::comes_by_chance);
    if by_chance {
        let why = "`incidents` draws the times";
        section.refuse("start", why);
        section.refuse("duration", why);
        let rule = incidents::Rule::read(&mut section, context);
        section.finish();
        let entry = rule?.entry(&kind?, &target?, node.span, context, streams)?;
        return Some(Entry::ByChance(Box::new(entry.0), entry.1));
    }
    let start = section.required("start", "\"4min\"", decode::duration);
    let length = length(&mut section, word, kind.as_ref());
    if let Some((start, end)) = start.zip(context.end) {
        within_the_run(&section, start, length, end, context.findings);
    }
    if word == Some(Word::AccountAdded) && start == Some(Duration::ZERO) {
        let finding = Finding::error("the account is there from the beginning");
        let help = "an account that is added has a `start` above 0; without the fault it is there";
        context
            .findings
            .push(finding.at(section.span("start"), "added at 0").help(help));
        return None;
    }
    section.finish();
    Some(Entry::Scheduled(scheduled(
        &kind?, &target?, start?, length?, context,
    )))
}

/// Reads `duration`, where the kind has one; how long the fault lasts.
fn length(section: &mut Section, word: Option<Word>, kind: Option<&Kind>) -> Option<Duration> {
    match word {
        Some(Word::ColdStart) => {
            section.refuse("duration", "a cold start lasts as long as its `ramp`");
            kind.map(|kind| kind.ramp)
        }
        Some(Word::AccountAdded) => {
            let why = "an account that is added stays; \"account_removed\" removes one";
            section.refuse("duration", why);
            Some(Duration::ZERO)
        }
        Some(Word::AccountRemoved | Word::PriceChange) => {
            section.or("duration", Duration::MAX, decode::positive_duration)
        }
        _ => {
            let length = section.required("duration", "\"90s\"", decode::positive_duration);
            if let (Some(length), Some(kind)) = (length, kind) {
                kind.fits(section, length);
            }
            length
        }
    }
}

/// The fault with its date, and the cold start after it.
fn scheduled(
    kind: &Kind,
    target: &Target,
    start: Duration,
    length: Duration,
    context: &Context,
) -> Vec<(Fault, FaultDescription)> {
    let start = Timestamp::ZERO + start;
    let shown_end = (start + length).min(Timestamp::ZERO + context.end.unwrap_or(Duration::MAX));
    // An account that is added is absent until then.
    let (from, to) = match kind.word {
        Word::AccountAdded => (Timestamp::ZERO, start),
        _ => (start, start + length),
    };
    let shown_end = match kind.word {
        Word::AccountRemoved | Word::PriceChange => shown_end.max(start),
        _ => start + length,
    };
    let fault = Fault {
        kind: kind.fault.clone(),
        accounts: target.accounts.clone(),
        model: target.model,
        start: from,
        end: to,
        ramp: kind.fault_ramp(),
    };
    let name = kind.describe(target, context);
    let about = describe(kind.word, name.clone(), vec![(start, shown_end)], false);
    let cold = kind.cold_start.map(|cold| {
        let cold = cold.after(target.accounts.clone(), target.model, to);
        let window = vec![(cold.start, cold.end)];
        let name = format!("cold start after {name}");
        (cold, describe(Word::ColdStart, name, window, false))
    });
    [Some((fault, about)), cold].into_iter().flatten().collect()
}

fn describe(
    word: Word,
    name: String,
    windows: Vec<(Timestamp, Timestamp)>,
    by_chance: bool,
) -> FaultDescription {
    FaultDescription {
        name,
        kind: word.name(),
        by_chance,
        windows,
        observed: word.observed(),
    }
}

/// Reads `cold_start = { factor = 3, ramp = "2min" }`.
fn cold_start(node: &Node, findings: &Findings) -> Option<ColdStart> {
    let mut section = Section::of(node, "`cold_start`", findings)?;
    let factor = section.required("factor", "3", decode::factor);
    let ramp = section.required("ramp", "\"2min\"", decode::positive_duration);
    section.finish();
    Some(ColdStart {
        factor: factor?,
        ramp: ramp?,
    })
}

fn within_the_run(
    section: &Section,
    start: Duration,
    length: Option<Duration>,
    end: Duration,
    findings: &Findings,
) {
    let lasting = |length: &Duration| *length != Duration::MAX && start + *length >= end;
    if start >= end {
        let label = format!("arrivals stop at {end}");
        let finding = Finding::error("the fault starts after the end");
        let help = format!("start it before {end}, or make `duration` longer");
        findings.push(finding.at(section.span("start"), label).help(help));
    } else if length.as_ref().is_some_and(lasting) {
        let label = format!("it lasts beyond {end}, when arrivals stop");
        let finding = Finding::warning("nobody is left to see the end of this fault");
        let help = "the time to restore cannot be observed; end it earlier or run longer";
        findings.push(finding.at(section.span("duration"), label).help(help));
    }
}
