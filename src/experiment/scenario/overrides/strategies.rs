//! `--strategies`: which arms to keep, and which strategies to add.

use super::add_source;
use crate::experiment::scenario::decode;
use crate::experiment::scenario::diagnostics::{Finding, Findings, Source, Span};
use crate::experiment::scenario::document::{Node, Table, Value};
use crate::record::Strategy;

/// Keeps the arms with these names, and adds strategies that are no arm.
pub(super) fn keep(
    names: &[String],
    document: &mut Table,
    sources: &mut Vec<Source>,
    findings: &Findings,
) {
    let whole = add_source(sources, "--strategies ", &names.join(","));
    let before = match document.get("strategies").map(|node| &node.value) {
        Some(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let mut kept: Vec<Node> = Vec::new();
    let mut start = whole.start;
    for name in names {
        let span = Span {
            start,
            end: start + name.len(),
            ..whole
        };
        start = span.end + 1;
        let arm = before.iter().find(|item| label_of_arm(item) == Some(name));
        if let Some(arm) = arm {
            kept.push(arm.clone());
        } else if Strategy::from_name(name).is_some() {
            let value = Value::Text(name.clone());
            kept.push(Node { span, value });
        } else {
            let plain = Strategy::ALL.iter().map(|strategy| strategy.name());
            let known = before.iter().filter_map(label_of_arm).chain(plain);
            let known: std::collections::BTreeSet<&str> = known.collect();
            let (label, help) = decode::suggest("strategy", name, known.iter().copied());
            let name = decode::shortened(name);
            let finding = Finding::error(format!("unknown strategy `{name}`"));
            findings.push(finding.at(span, label).help(help));
            return;
        }
    }
    let value = Value::Array(kept);
    document.set("strategies", whole, Node { span: whole, value });
    drop_baseline(names, &before, document, findings);
    drop_claims(names, &before, document, findings);
}

fn label_of_arm(item: &Node) -> Option<&str> {
    let Some(table) = item.table() else {
        return item.text();
    };
    let name = table.get("name").or_else(|| table.get("strategy"))?;
    name.text()
}

/// A baseline that is not kept gives way to the default one.
fn drop_baseline(names: &[String], before: &[Node], document: &mut Table, findings: &Findings) {
    let Some(node) = document.get("baseline") else {
        return;
    };
    let Some(name) = node.text().map(str::to_owned) else {
        return;
    };
    let known = before.iter().any(|item| label_of_arm(item) == Some(&name));
    if known && !names.contains(&name) {
        let label = "it is not among those given by --strategies";
        let finding = Finding::warning(format!("the baseline `{name}` is left out"));
        let help = "compared with `round_robin` if it is kept, else with the first strategy";
        findings.push(finding.at(node.span, label).help(help));
        document.entries.retain(|entry| entry.key != "baseline");
    }
}

/// Claims and thresholds about arms that are not kept are not judged. A name that no arm ever had
/// is left to be reported by the reader.
fn drop_claims(names: &[String], before: &[Node], document: &mut Table, findings: &Findings) {
    let left_out = |name: &str| {
        let known = before.iter().any(|item| label_of_arm(item) == Some(name));
        known && !names.iter().any(|kept| kept == name)
    };
    let about = |item: &Node| -> Option<(Span, String)> {
        let Some(claim) = item.table() else {
            let (strategy, _) = item.text()?.split_once(':')?;
            let strategy = strategy.trim();
            return left_out(strategy).then(|| (item.span, strategy.to_owned()));
        };
        let named = ["strategy", "baseline"]
            .into_iter()
            .filter_map(|key| claim.get(key));
        let mut named = named.filter_map(|node| Some((node.span, node.text()?)));
        let (span, name) = named.find(|(_, name)| left_out(name))?;
        Some((span, name.to_owned()))
    };
    for (key, what) in [("claims", "claim"), ("thresholds", "threshold")] {
        let entry = document.entries.iter_mut().find(|entry| entry.key == key);
        let Some(Value::Array(items)) = entry.map(|entry| &mut entry.node.value) else {
            continue;
        };
        items.retain(|item| {
            let Some((span, name)) = about(item) else {
                return true;
            };
            let finding = Finding::warning(format!("a {what} about `{name}` is not judged"));
            let label = "it is not among those given by --strategies";
            findings.push(finding.at(span, label));
            false
        });
    }
}
