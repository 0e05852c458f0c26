//! `incidents`: the law by which faults come by chance.

use super::kind::Kind;
use super::target::Target;
use super::{Context, Streams, describe};
use crate::distribution::Distribution;
use crate::distribution::Weibull;
use crate::experiment::results::FaultDescription;
use crate::experiment::scenario::accounts::Pool;
use crate::experiment::scenario::decode;
use crate::experiment::scenario::diagnostics::{Finding, Span};
use crate::experiment::scenario::section::Section;
use crate::request::{AccountIndex, Provider};
use crate::time::{Duration, Timestamp};
use crate::upstream::config::{Incidents, Source};

/// Which accounts fail together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Together {
    /// Those of one provider.
    Provider,
    /// Each fails by itself.
    Account,
    /// All that the fault concerns.
    All,
}

impl Together {
    /// All of them.
    const ALL: &'static [Self] = &[Self::Provider, Self::Account, Self::All];

    /// The word for it in scenario files.
    const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Account => "account",
            Self::All => "all",
        }
    }
}

/// Most incidents of an entry that are to be expected in a replication.
const MOST_EXPECTED: f64 = 10_000.0;

/// Most sources that may overlap: every pair is drawn.
const MOST_OVERLAPPING: usize = 200;

/// Fewer incidents than this in a replication are worth a word.
const FEW_EXPECTED: f64 = 0.5;

/// What `incidents` says.
pub(super) struct Rule {
    gap: Weibull,
    length: Distribution,
    together: Together,
    overlap: f64,
    overlap_at: Span,
    at: Span,
}

impl Rule {
    /// Reads the table.
    pub(super) fn read(section: &mut Section, context: &Context) -> Option<Self> {
        let findings = context.findings;
        let node = section.node("incidents")?;
        let mut section = Section::of(node, "`incidents`", findings)?;
        let gap = section.required("mean_gap", "\"91h\"", decode::positive_duration);
        let shape = section.or("shape", 1.0, decode::number(0.2..=20.0));
        let sigma = section.or("sigma", 0.0, decode::number(0.0..=10.0));
        let length = if section.has("mean_duration") {
            section.refuse(
                "median_duration",
                "the durations have either median or mean",
            );
            let mean = section.required("mean_duration", "\"3h\"", decode::positive_duration);
            mean.zip(sigma)
                .map(|(mean, sigma)| mean.as_secs_f64() * libm::exp(-sigma * sigma / 2.0))
        } else {
            section.node("mean_duration");
            let example = "\"76min\"";
            let median = section.required("median_duration", example, decode::positive_duration);
            median.map(Duration::as_secs_f64)
        };
        let word = decode::word("way to fail together", Together::ALL, Together::name);
        let together = section.or("together", Together::Provider, word);
        let overlap = section.or("overlap", 0.0, decode::share);
        let overlap_at = section.span("overlap");
        section.finish();
        Some(Self {
            gap: Weibull::from_mean(gap?.as_secs_f64(), shape?).ok()?,
            length: Distribution::lognormal(length?, sigma?).ok()?,
            together: together?,
            overlap: overlap?,
            overlap_at,
            at: node.span,
        })
    }

    /// The incidents, and a description for each of their rows: one by provider.
    pub(super) fn entry(
        self,
        kind: &Kind,
        target: &Target,
        heading: Span,
        context: &Context,
        streams: &mut Streams,
    ) -> Option<(Incidents, Vec<FaultDescription>)> {
        let (pool, end) = (context.pool?, context.end?);
        let (sources, rows) = self.sources(kind, target, pool, streams);
        if self.overlap > 0.0 && sources.len() == 1 {
            let finding = Finding::error("there is nothing to overlap with");
            let help = "`overlap` is between providers, or between accounts with `together = \
                        \"account\"`; this fault has a single one";
            let label = "all fail together anyway";
            context
                .findings
                .push(finding.at(self.overlap_at, label).help(help));
            return None;
        }
        if self.overlap > 0.0 && sources.len() > MOST_OVERLAPPING {
            let finding = Finding::error("there is too much to overlap");
            let label = format!("{} sources, each with every other", sources.len());
            let help = format!("allowed: {MOST_OVERLAPPING}; let them fail together");
            context
                .findings
                .push(finding.at(self.overlap_at, label).help(help));
            return None;
        }
        self.check_count(sources.len(), end, heading, context)?;
        let name = kind.describe(target, context);
        let described = |provider: &Option<Provider>| {
            let name = match provider {
                Some(provider) if rows.len() > 1 => format!("{name} at {provider}"),
                _ => name.clone(),
            };
            describe(kind.word, name, Vec::new(), true)
        };
        let descriptions = rows.iter().map(described).collect();
        let incidents = Incidents {
            kind: kind.fault.clone(),
            model: target.model,
            ramp: kind.ramp,
            sources,
            gap: self.gap,
            length: self.length,
            overlap: self.overlap,
            cold_start: kind.cold_start,
            until: Timestamp::ZERO + end,
        };
        Some((incidents, descriptions))
    }

    /// The groups of accounts that fail together, and the rows that they are counted in.
    fn sources(
        &self,
        kind: &Kind,
        target: &Target,
        pool: &Pool,
        streams: &mut Streams,
    ) -> (Vec<Source>, Vec<Option<Provider>>) {
        let provider = |account: AccountIndex| pool.accounts[account.at()].provider;
        let mut sources: Vec<(String, Source)> = Vec::new();
        let mut rows: Vec<Option<Provider>> = Vec::new();
        for &account in &target.accounts {
            let (name, row) = match self.together {
                Together::Provider => (provider(account).name(), Some(provider(account))),
                Together::Account => (&*pool.accounts[account.at()].id, Some(provider(account))),
                Together::All => ("", None),
            };
            // An account is named once: looking for it would take the square of their number.
            let known = match self.together {
                Together::Account => None,
                _ => sources.iter_mut().find(|(known, _)| known == name),
            };
            if let Some((_, source)) = known {
                source.accounts.push(account);
                continue;
            }
            let place = rows.iter().position(|known| *known == row);
            let row = place.unwrap_or_else(|| {
                rows.push(row);
                rows.len() - 1
            });
            let source = Source {
                key: key(
                    &format!("{}/{}/{name}", kind.word.name(), self.together.name()),
                    streams,
                ),
                accounts: vec![account],
                row: row as u32,
            };
            sources.push((name.to_owned(), source));
        }
        let sources = sources.into_iter().map(|(_, source)| source).collect();
        (sources, rows)
    }

    /// Checks how many there will be.
    fn check_count(
        &self,
        sources: usize,
        end: Duration,
        heading: Span,
        context: &Context,
    ) -> Option<()> {
        let cycle = self.gap.mean() + self.length.mean();
        let companions = 1.0 + self.overlap * (sources - 1) as f64;
        let expected = end.as_secs_f64() / cycle * sources as f64 * companions;
        if expected > MOST_EXPECTED {
            let label = format!("about {expected:.0} incidents in a replication");
            let finding = Finding::error("there are too many incidents");
            let help = format!("allowed: about {MOST_EXPECTED}; a larger `mean_gap` means fewer");
            context.findings.push(finding.at(self.at, label).help(help));
            return None;
        }
        if expected < FEW_EXPECTED {
            let label = format!("about {expected:.2} incidents in a replication");
            let finding = Finding::warning("most replications see no incident");
            let help = "run longer, or lower `mean_gap`";
            context.findings.push(finding.at(heading, label).help(help));
        }
        Some(())
    }
}

/// The name of a random stream, by FNV-1a: a function of what the source is called and of how many
/// entries before this one have called one the same.
fn key(name: &str, streams: &mut Streams) -> u64 {
    let count = streams.entry(name.to_owned()).or_insert(0);
    let text = format!("{name}/{count}");
    *count += 1;
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    text.bytes().fold(0xCBF2_9CE4_8422_2325, step)
}
