//! Faults that come by chance: time to failure, time to repair, over and over.
//!
//! Every source (the accounts of a provider, or one account) alternates between working and broken:
//! an alternating renewal process (Cox, "Renewal Theory", 1962), whose share of broken time is in
//! the long run `MTTR / (MTTF + MTTR)`. It has been going on for long when the run begins, so the
//! run is a stretch of ordinary time, and an incident may be under way at its start.
//!
//! A source draws from its own stream, keyed by its name: strategies see the same incidents, and
//! one more source moves none of the others. *Overlap* is the probability that an incident of one
//! source is accompanied by one at a given other source. Companions come on top of what the other
//! source has by itself: with `n` sources and overlap `w`, each has `1 + w (n - 1)` times as many,
//! but for those that fall together. Incidents that touch at one source are one incident.

use crate::rng::{Purpose, Rng, Streams};
use crate::time::{Duration, Timestamp};
use crate::upstream::config::{Fault, Incidents, Source, UpstreamConfig};

/// A fault that was drawn.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Position in [`UpstreamConfig::incidents`].
    pub entry: usize,
    /// Row of the report that it is counted in, within that entry.
    pub row: u32,
    /// Whether it is an incident, not what comes after one.
    pub incident: bool,
    /// The fault.
    pub fault: Fault,
}

/// Mean cycles for which the process has been going on when the run begins: the first, which begins
/// with a repair, is forgotten by then.
const LEAD_CYCLES: f64 = 50.0;

/// Most incidents that are drawn at one source: a bound on the loop, never reached by the cycles
/// that scenarios may ask for.
const MOST_DRAWN: usize = 1_000_000;

impl UpstreamConfig {
    /// The faults of one replication that come by chance, entry by entry, and within an entry in
    /// order of their start.
    #[must_use]
    pub fn generated(&self, streams: Streams) -> Vec<Generated> {
        let entries = self.incidents.iter().enumerate();
        entries
            .flat_map(|(at, entry)| entry.faults(at, streams))
            .collect()
    }
}

/// A stretch of time, in seconds since the start of the run; the start may lie before it.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Span {
    from: f64,
    to: f64,
}

impl Incidents {
    fn faults(&self, entry: usize, streams: Streams) -> Vec<Generated> {
        let mut all = Vec::new();
        for (source, spans) in self.sources.iter().zip(self.spans(streams)) {
            for span in merged(spans) {
                all.extend(self.made(entry, source, span));
            }
        }
        all.sort_by_key(|generated| (generated.fault.start, generated.row));
        all
    }

    /// By source, what happens there: its own incidents, and those that accompany others.
    fn spans(&self, streams: Streams) -> Vec<Vec<Span>> {
        let own: Vec<Vec<Span>> = self
            .sources
            .iter()
            .map(|source| self.own(&mut streams.stream(Purpose::Faults, source.key)))
            .collect();
        let mut all = own.clone();
        if self.overlap > 0.0 {
            for (from, spans) in own.iter().enumerate() {
                for to in (0..all.len()).filter(|to| *to != from) {
                    // A stream for each pair: one more source moves no companion of the others.
                    let pair = pair_key(self.sources[from].key, self.sources[to].key);
                    let mut rng = streams.stream(Purpose::Faults, pair);
                    let companions = spans.iter().filter(|_| rng.uniform() < self.overlap);
                    all[to].extend(companions);
                }
            }
        }
        all
    }

    /// The incidents that a source has by itself, those long before the run included.
    fn own(&self, rng: &mut Rng) -> Vec<Span> {
        let mut at = -LEAD_CYCLES * (self.gap.mean() + self.length.mean());
        let mut spans = Vec::new();
        while spans.len() < MOST_DRAWN {
            let from = at + self.gap.quantile(rng.uniform());
            if from >= self.until.as_secs_f64() {
                break;
            }
            let to = from + self.length.sample(rng);
            spans.push(Span { from, to });
            at = to;
        }
        spans
    }

    /// The part of an incident that lies in the run, and the cold start after it.
    fn made(&self, entry: usize, source: &Source, span: Span) -> impl Iterator<Item = Generated> {
        let at = |seconds: f64| Timestamp::ZERO + Duration::from_secs_f64(seconds);
        let (start, end) = (at(span.from), at(span.to));
        let fault = Fault {
            kind: self.kind.clone(),
            accounts: source.accounts.clone(),
            model: self.model,
            start,
            end,
            ramp: self.ramp,
        };
        let cold = self.cold_start;
        let cold = cold.map(|cold| cold.after(source.accounts.clone(), self.model, end));
        let (row, until) = (source.row, self.until);
        let parts = [(Some(fault), true), (cold, false)].into_iter();
        parts.filter_map(move |(fault, incident)| {
            let fault = fault.filter(|fault| fault.start < fault.end && fault.start < until)?;
            Some(Generated {
                entry,
                row,
                incident,
                fault,
            })
        })
    }
}

fn pair_key(from: u64, to: u64) -> u64 {
    from.rotate_left(32).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ to
}

/// In order of their start, those that touch made one; those that are over when the run begins left
/// out.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by(|a, b| a.from.total_cmp(&b.from));
    let mut merged: Vec<Span> = Vec::new();
    for span in spans.into_iter().filter(|span| span.to > 0.0) {
        match merged.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => merged.push(span),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
