//! `[[workload.clients]]`: several clients side by side.

use super::arrivals;
use crate::experiment::scenario::decode;
use crate::experiment::scenario::diagnostics::{Finding, Findings, Span};
use crate::experiment::scenario::document::{Node, Value};
use crate::experiment::scenario::section::{Section, all_named_apart};
use crate::request::ClassIndex;
use crate::workload::config::{Arrivals, Client, RequestClass};

/// Most clients.
const MOST_CLIENTS: usize = 1_000;

/// Most users of all closed loops together.
const MOST_USERS: u64 = 1_000_000;

/// Reads `[[workload.clients]]`. `None` if one is bad, or the classes are.
pub(super) fn read(
    section: &mut Section,
    classes: Option<&[RequestClass]>,
    findings: &Findings,
) -> Option<Vec<Client>> {
    let instead = ", or none and one `arrivals`";
    let items = section.few("clients", (MOST_CLIENTS, "clients"), instead)?;
    let read: Vec<_> = items
        .iter()
        .map(|item| client(item, classes, findings))
        .collect();
    let clients: Vec<Client> = read.into_iter().collect::<Option<_>>()?;
    let all = (items, &clients[..]);
    let same = |one: &Client, other: &Client| one.name == other.name;
    let mut good = all_named_apart("clients", all, same, |client| &client.name, findings);
    let users: u64 = clients.iter().map(users).sum();
    if users > MOST_USERS {
        let label = format!("{users} users in all");
        let finding = Finding::error("too many users");
        let help = format!("allowed: up to {MOST_USERS} over all clients");
        findings.push(finding.at(section.span("clients"), label).help(help));
        good = false;
    }
    idle(section, &clients, classes?, findings);
    good.then_some(clients)
}

fn users(client: &Client) -> u64 {
    match &client.arrivals {
        Arrivals::ClosedLoop(users) => u64::from(users.count),
        _ => 0,
    }
}

/// Warns of classes that no client asks for.
fn idle(section: &mut Section, clients: &[Client], classes: &[RequestClass], findings: &Findings) {
    let spans: Vec<Span> = section
        .list("classes")
        .unwrap_or_default()
        .iter()
        .map(|item| item.span)
        .collect();
    for ((index, class), span) in (0..).map(ClassIndex).zip(classes).zip(spans) {
        let asks = |(asked, weight): &(ClassIndex, f64)| *asked == index && *weight > 0.0;
        if !clients.iter().any(|client| client.classes.iter().any(asks)) {
            let title = format!("no client asks for the class `{}`", class.name);
            let finding = Finding::warning(title).at(span, "never asked for");
            findings.push(finding.help("name it in the `classes` of a client, or remove it"));
        }
    }
}

fn client(node: &Node, classes: Option<&[RequestClass]>, findings: &Findings) -> Option<Client> {
    let mut section = Section::of(node, "a client", findings)?;
    let name = section.required("name", "\"batch-jobs\"", decode::name);
    let kind = arrivals::kind(&mut section);
    let process = match kind {
        Some("trace") => {
            let finding = Finding::error("a trace cannot be one of several clients");
            let finding = finding.at(section.span("arrivals"), "a trace stands alone");
            findings.push(finding.help("replay it with arrivals = \"trace\" in [workload]"));
            None
        }
        Some(kind) => arrivals::read(kind, &mut section, findings),
        None => None,
    };
    match kind {
        Some("trace") | None => arrivals::others(&mut section, None),
        Some(kind) => arrivals::own(&mut section, kind),
    }
    let chosen = chosen(&mut section, classes, findings);
    section.finish();
    Some(Client {
        name: name?,
        arrivals: process?,
        classes: chosen?,
    })
}

type Chosen = Option<Vec<(ClassIndex, f64)>>;

/// Reads what a client asks for: names of classes, which keep their weights, or a table of weights.
fn chosen(section: &mut Section, classes: Option<&[RequestClass]>, findings: &Findings) -> Chosen {
    let node = section.node("classes");
    let classes = classes?;
    let Some(node) = node else {
        let all = (0..).map(ClassIndex).zip(classes);
        return Some(all.map(|(index, class)| (index, class.weight)).collect());
    };
    let names: Vec<String> = classes.iter().map(|class| class.name.clone()).collect();
    let lookup = |node: &Node| {
        let found = decode::reference("class of requests", &names)(node);
        let report = |problem: decode::Problem| findings.push(problem.finding("classes", node));
        found.map_err(report).ok()
    };
    let read: Vec<Option<(usize, f64)>> = match &node.value {
        Value::Array(items) => {
            let own = |at: usize| (at, classes[at].weight);
            items.iter().map(|item| lookup(item).map(own)).collect()
        }
        Value::Table(table) => table
            .entries
            .iter()
            .map(|entry| {
                let key = Node {
                    span: entry.span,
                    value: Value::Text(entry.key.clone()),
                };
                let weight = decode::weight(&entry.node);
                let report = |problem: decode::Problem| {
                    findings.push(problem.finding("classes", &entry.node));
                };
                lookup(&key).zip(weight.map_err(report).ok())
            })
            .collect(),
        _ => {
            let expected = "an array of names of classes, or a table of weights";
            findings.push(decode::wrong_type(node, expected).finding("classes", node));
            return None;
        }
    };
    let read: Vec<(usize, f64)> = read.into_iter().collect::<Option<_>>()?;
    if read.iter().all(|(_, weight)| *weight == 0.0) {
        let finding = Finding::error("a client that asks for nothing");
        let help = "name at least one class with a weight above 0";
        findings.push(finding.at(node.span, "no class with a weight").help(help));
        return None;
    }
    let twice = |at: &usize| read[..*at].iter().any(|(other, _)| *other == read[*at].0);
    if let Some(at) = (1..read.len()).find(twice) {
        let finding = Finding::error(format!("the class `{}` is named twice", names[read[at].0]));
        findings.push(
            finding
                .at(node.span, "")
                .help("for a larger share write `{ name = 2 }`"),
        );
        return None;
    }
    let indexed = read.into_iter();
    Some(
        indexed
            .map(|(at, weight)| (ClassIndex(at as u16), weight))
            .collect(),
    )
}
