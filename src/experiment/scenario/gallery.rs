//! `[gallery]`: what the gallery shows of the scenario. No number depends on it.

use super::decode::{self, Decoded, Problem, Title};
use super::diagnostics::Findings;
use super::document::{Node, Value};
use super::section::Section;
use crate::experiment::gallery::{Chart, Gallery};
use crate::experiment::sweep::{Axis, Grid};

/// Reads `[gallery]`. `None` if a key is bad.
pub(super) fn read(top: &mut Section, findings: &Findings) -> Option<Gallery> {
    let Some(node) = top.node("gallery") else {
        return Some(Gallery::default());
    };
    let mut section = Section::of(node, "[gallery]", findings)?;
    let charts = section.optional("charts", two_charts);
    let sweep = section.or("sweep", Vec::new(), axes);
    section.finish();
    Some(Gallery {
        charts: charts?,
        sweep: sweep?,
    })
}

fn two_charts(node: &Node) -> Decoded<[Chart; 2]> {
    let charts = each(node, decode::word("chart", Chart::ALL, Chart::name))?;
    <[Chart; 2]>::try_from(charts).map_err(|charts: Vec<Chart>| {
        let label = format!("found {}", charts.len());
        let help = "exactly two, such as [\"timeline\", \"breakers\"]";
        problem("does not name two charts", label, help)
    })
}

fn axes(node: &Node) -> Decoded<Vec<Axis>> {
    const HELP: &str = "such as [\"routing.breaker.open_time=10s,30s,60s\"]";
    let axes = each(node, |node| {
        let text = node.text();
        let text = text.ok_or_else(|| decode::wrong_type(node, "a string PATH=A,B,..."))?;
        Axis::parse(text)
            .map_err(|error| problem("is no parameter with values", error.to_string(), HELP))
    })?;
    let grid = Grid::new(axes.clone());
    grid.map_err(|error| problem("cannot be swept", error.to_string(), HELP))?;
    Ok(axes)
}

fn problem(title: &'static str, label: String, help: &str) -> Problem {
    Problem {
        title: Title::OfKey(title),
        label,
        help: Some(help.to_owned()),
        span: None,
    }
}

/// The items of an array, or what is wrong with the first bad one, where it stands.
fn each<T>(node: &Node, item: impl Fn(&Node) -> Decoded<T>) -> Decoded<Vec<T>> {
    let Value::Array(items) = &node.value else {
        return Err(decode::wrong_type(node, "an array"));
    };
    let placed = |at: &Node| {
        item(at).map_err(|problem| Problem {
            span: Some(at.span),
            ..problem
        })
    };
    items.iter().map(placed).collect()
}
