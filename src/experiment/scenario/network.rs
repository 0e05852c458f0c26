//! `[network]`: loss and delay on the way between gateway and accounts.

use super::decode::{self, Decoded};
use super::diagnostics::{Finding, Findings};
use super::distribution::{self, Measure};
use super::document::{Node, Value};
use super::regions::Regions;
use super::section::{Field, Section};
use crate::distribution::Distribution;
use crate::request::RegionIndex;
use crate::upstream::config::Link;

/// Most links of a scenario: they are looked through at every attempt.
const MOST_LINKS: usize = 100;

/// Time after which the client's side gives a lost attempt up, in seconds, unless stated.
const GIVES_UP_AFTER: f64 = 10.0;

/// Reads `[network]` into the links of the regions' network; none if it is absent.
pub(super) fn read(top: &mut Section, regions: &mut Regions, findings: &Findings) {
    let Some(node) = top.node("network") else {
        return;
    };
    let Some(mut section) = Section::of(node, "[network]", findings) else {
        return;
    };
    let general = Way::read(&mut section, &Way::default(), findings);
    let base = general.clone().unwrap_or_default();
    let items = section.list("links").unwrap_or_default();
    if items.len() > MOST_LINKS {
        let finding = Finding::error(format!("{} links are too many", items.len()));
        let help = format!("allowed: at most {MOST_LINKS}");
        findings.push(finding.at(items[MOST_LINKS].span, "").help(help));
    }
    let mut links: Vec<Link> = Vec::new();
    for item in items.iter().take(MOST_LINKS) {
        if let Some(link) = link(item, &base, regions, findings) {
            if links.iter().any(|known| same(known, &link)) {
                let finding = Finding::error("two links between the same regions");
                findings.push(finding.at(item.span, "again here"));
            }
            links.push(link);
        }
    }
    section.finish();
    links.extend(general.map(|way| way.link(None)));
    // What disturbs nothing is not looked at; before the last, it may shadow what does.
    while links.pop_if(|link| !disturbs(link)).is_some() {}
    regions.network.links = links;
}

fn disturbs(link: &Link) -> bool {
    link.loss > 0.0 || link.delay.is_some()
}

fn same(one: &Link, other: &Link) -> bool {
    let reversed = other.between.map(|[from, to]| [to, from]);
    one.between == other.between || one.between == reversed
}

/// What may happen on a way.
#[derive(Clone, Default)]
struct Way {
    loss: f64,
    /// `Some(None)` is never.
    lost_after: Option<Option<Distribution>>,
    delay: Option<Distribution>,
}

impl Way {
    /// Reads the keys; those left out are as in `base`.
    fn read(section: &mut Section, base: &Self, findings: &Findings) -> Option<Self> {
        let time =
            |key: &'static str, node: &Node| distribution::read(key, node, Measure::Time, findings);
        let loss = section.or("loss", base.loss, decode::share);
        let lost_after = section.node("lost_after").map(|node| match node.text() {
            Some("never") => Some(None),
            _ => time("lost_after", node).map(Some),
        });
        let delay = section.node("delay").map(|node| match node.text() {
            Some("none") => Some(None),
            _ => time("delay", node).map(Some),
        });
        // General values may be there for the links alone.
        if lost_after.is_some() && loss == Some(0.0) && !section.has("links") {
            let finding = Finding::error("`lost_after` has no meaning here");
            let help = "say how many: `loss` is a probability per attempt";
            findings.push(
                finding
                    .at(section.span("lost_after"), "nothing is lost")
                    .help(help),
            );
        }
        Some(Self {
            loss: loss?,
            lost_after: match Field::of(lost_after).optional()? {
                Some(after) => Some(after),
                None => base.lost_after.clone(),
            },
            delay: Field::of(delay).or(base.delay.clone())?,
        })
    }

    fn link(self, between: Option<[RegionIndex; 2]>) -> Link {
        let usual = || Distribution::constant(GIVES_UP_AFTER).ok();
        Link {
            between,
            loss: self.loss,
            lost_after: self.lost_after.unwrap_or_else(usual),
            delay: self.delay,
        }
    }
}

fn link(node: &Node, base: &Way, regions: &Regions, findings: &Findings) -> Option<Link> {
    let mut section = Section::of(node, "a link", findings)?;
    let between = section.required("between", "[\"us-east\", \"eu-west\"]", |node| {
        pair(node, regions)
    });
    if between.is_some()
        && ["loss", "lost_after", "delay"]
            .iter()
            .all(|key| !section.has(key))
    {
        let finding = Finding::warning("the link has no effect").unless_elsewhere();
        let finding = finding.at(node.span, "it is as all others are");
        section.report(finding.help("give it a `loss` or a `delay` of its own, or remove it"));
    }
    let way = Way::read(&mut section, base, findings);
    section.finish();
    let between = between?;
    if let (Some(pair), Some(gateway)) = (between, regions.network.gateway)
        && !pair.contains(&gateway)
    {
        let name = regions.names.as_ref()?.get(gateway.at())?;
        let finding = Finding::error("nothing is sent on this link");
        let help = format!("every attempt is sent from the gateway, in `{name}`");
        let at = section_span(node);
        findings.push(finding.at(at, "the gateway is elsewhere").help(help));
        return None;
    }
    Some(way?.link(Some(between?)))
}

fn section_span(node: &Node) -> super::diagnostics::Span {
    let between = node.table().and_then(|table| table.get("between"));
    between.map_or(node.span, |between| between.span)
}

/// The two ends; `None` if the regions are not reliable.
fn pair(node: &Node, regions: &Regions) -> Decoded<Option<[RegionIndex; 2]>> {
    let Value::Array(items) = &node.value else {
        return Err(decode::wrong_type(node, "an array of two regions"));
    };
    let [one, other] = &items[..] else {
        let label = decode::counted(items.len(), "region");
        return Err(decode::out_of_bounds(label, "two regions, or one twice"));
    };
    let Some(names) = &regions.names else {
        return Ok(None);
    };
    let at = |item: &Node| {
        let found = decode::reference("region", names)(item);
        let found = found.map(|at| RegionIndex(at as u16));
        found.map_err(|problem| decode::Problem {
            span: Some(item.span),
            ..problem
        })
    };
    Ok(Some([at(one)?, at(other)?]))
}
