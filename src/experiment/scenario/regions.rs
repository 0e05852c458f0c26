//! `[regions]`: names, and the time to and fro between them.

use super::decode;
use super::diagnostics::{Finding, Findings, Span};
use super::document::{Node, Value};
use super::section::Section;
use crate::request::RegionIndex;
use crate::time::Duration;
use crate::upstream::config::RoundTrips;

/// Most regions of a scenario.
const MOST_REGIONS: usize = 256;

/// What `[regions]` says.
#[derive(Debug, Default)]
pub(super) struct Regions {
    /// Names by [`RegionIndex`]; `None` if they cannot be relied upon.
    pub(super) names: Option<Vec<String>>,
    /// Round trips.
    pub(super) network: RoundTrips,
}

/// Reads `[regions]`; without it there are none.
pub(super) fn read(top: &mut Section, findings: &Findings) -> Regions {
    let Some(node) = top.node("regions") else {
        return Regions {
            names: Some(Vec::new()),
            network: RoundTrips::default(),
        };
    };
    let Some(mut section) = Section::of(node, "[regions]", findings) else {
        return Regions::default();
    };
    let names = names(&mut section, findings);
    let list = names.clone().unwrap_or_default();
    let gateway = match section.node("gateway") {
        Some(node) if names.is_some() => {
            let found = decode::reference("region", &list)(node);
            found
                .map_err(|problem| findings.push(problem.finding("gateway", node)))
                .ok()
        }
        _ => None,
    };
    let matrix = matrix(&mut section, names.as_deref(), findings);
    section.finish();
    let regions = list.len();
    Regions {
        names,
        network: RoundTrips {
            matrix: matrix.unwrap_or_else(|| vec![Duration::ZERO; regions * regions]),
            regions,
            gateway: gateway.map(|at| RegionIndex(at as u16)),
            links: Vec::new(),
        },
    }
}

fn names(section: &mut Section, findings: &Findings) -> Option<Vec<String>> {
    section.required_node("names", "[\"us-east\", \"eu-west\"]")?;
    let items = section.few("names", (MOST_REGIONS, "regions"), "")?;
    let mut names: Vec<String> = Vec::new();
    let mut good = true;
    for node in items {
        match decode::name(node) {
            Ok(name) if names.contains(&name) => {
                let title = format!("region `{name}` is named twice");
                findings.push(Finding::error(title).at(node.span, "named before"));
                good = false;
            }
            Ok(name) => names.push(name),
            Err(problem) => {
                findings.push(problem.finding("names", node));
                good = false;
            }
        }
    }
    good.then_some(names)
}

/// The matrix row by row. `None` if it is absent or bad, which is reported.
fn matrix(
    section: &mut Section,
    names: Option<&[String]>,
    findings: &Findings,
) -> Option<Vec<Duration>> {
    let Some(node) = section.node("round_trips") else {
        if names.is_some_and(|names| names.len() > 1) {
            let rows = "[[\"2ms\", \"80ms\"], [\"80ms\", \"2ms\"]]";
            section.missing("round_trips", rows);
        }
        return None;
    };
    let rows = section.list("round_trips")?;
    let names = names?;
    let help = || {
        let order = names.join(", ");
        format!("a row for each region, in each row a time to each region: {order}")
    };
    if rows.len() != names.len() {
        let label = format!("found {} of {} rows", rows.len(), names.len());
        let title = "the round trips do not fit the regions";
        findings.push(Finding::error(title).at(node.span, label).help(help()));
        return None;
    }
    let mut cells: Vec<(Duration, Span)> = Vec::new();
    let mut good = true;
    for (row, name) in rows.iter().zip(names) {
        let Value::Array(items) = &row.value else {
            findings.push(decode::wrong_type(row, "an array").finding("round_trips", row));
            return None;
        };
        if items.len() != names.len() {
            let label = format!("found {} of {} times", items.len(), names.len());
            let title = format!("the round trips from `{name}` do not fit the regions");
            findings.push(Finding::error(title).at(row.span, label).help(help()));
            good = false;
            continue;
        }
        for item in items {
            match decode::duration(item) {
                Ok(time) => cells.push((time, item.span)),
                Err(problem) => {
                    findings.push(problem.finding("round_trips", item));
                    good = false;
                }
            }
        }
    }
    (good && symmetric(&cells, names, findings)).then(|| cells.iter().map(|c| c.0).collect())
}

/// A round trip is there and back again, so both ways are the same time.
fn symmetric(cells: &[(Duration, Span)], names: &[String], findings: &Findings) -> bool {
    let mut good = true;
    for from in 0..names.len() {
        for to in from + 1..names.len() {
            let (there, back) = (
                cells[from * names.len() + to],
                cells[to * names.len() + from],
            );
            if there.0 != back.0 {
                let title = format!("two round trips for `{}` and `{}`", names[from], names[to]);
                findings.push(
                    Finding::error(title)
                        .at(back.1, format!("{} here", back.0))
                        .also(there.1, format!("{} here", there.0))
                        .help("a round trip goes there and back: the matrix must be symmetric"),
                );
                good = false;
            }
        }
    }
    good
}

/// The index of a region by name; `None` if it is unknown to be one.
pub(super) fn lookup(
    names: Option<&[String]>,
) -> impl Fn(&Node) -> decode::Decoded<Option<RegionIndex>> {
    move |node| match names {
        Some(names) => {
            decode::reference("region", names)(node).map(|at| Some(RegionIndex(at as u16)))
        }
        None => Ok(None),
    }
}
