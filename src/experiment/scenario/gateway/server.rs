//! `[server]` and `[[clients]]`: where to listen, what to take from clients, and who they are.

use super::Secrets;
use crate::experiment::scenario::accounts;
use crate::experiment::scenario::decode::{self, Decoded, Problem, Title};
use crate::experiment::scenario::diagnostics::Finding;
use crate::experiment::scenario::document::Node;
use crate::experiment::scenario::section::{Section, all_named_apart};
use crate::time::Duration;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

/// Most clients.
const MOST_CLIENTS: usize = 10_000;

/// Where and how to listen. `None` is the server's own default.
pub struct ServerSection {
    /// The address.
    pub listen: SocketAddr,
    /// Certificates and key, as PEM.
    pub tls: Option<(Vec<u8>, Vec<u8>)>,
    /// Most bytes of a body.
    pub max_body_bytes: Option<u64>,
    /// Most bytes of a head.
    pub max_header_bytes: Option<u64>,
    /// Most headers.
    pub max_headers: Option<u64>,
    /// Most requests under way.
    pub max_requests: Option<u64>,
    /// Most connections.
    pub max_connections: Option<u64>,
    /// Longest for a head.
    pub header_timeout: Option<Duration>,
    /// Longest for a body.
    pub body_timeout: Option<Duration>,
    /// From the order to shut down until nothing is accepted any more.
    pub ready_delay: Option<Duration>,
    /// From then until what is under way is cut.
    pub drain_timeout: Option<Duration>,
}

/// Who may ask.
pub struct ClientEntry {
    /// Name in logs and metrics.
    pub name: String,
    /// Its key.
    pub key: String,
}

/// Reads `[[clients]]`. `None` if one is bad.
pub(super) fn clients(top: &mut Section, secrets: &Secrets) -> Option<Vec<ClientEntry>> {
    if top.node("clients").is_none() {
        return Some(vec![]);
    }
    let items = top.few("clients", (MOST_CLIENTS, "clients"), "")?;
    let read: Vec<_> = items.iter().map(|item| client(item, secrets)).collect();
    let clients: Vec<ClientEntry> = read.into_iter().collect::<Option<_>>()?;
    let same = |one: &ClientEntry, other: &ClientEntry| one.name == other.name;
    let all = (items, &clients[..]);
    let mut good = all_named_apart("clients", all, same, |it| &it.name, secrets.findings);
    for (at, one) in clients.iter().enumerate() {
        let before = clients[..at].iter().position(|other| other.key == one.key);
        if let Some(before) = before {
            let title = format!("`{}` has the key of `{}`", one.name, clients[before].name);
            let finding = Finding::error(title).at(items[at].span, "the same key here");
            secrets
                .findings
                .push(finding.also(items[before].span, "as here"));
            good = false;
        }
    }
    good.then_some(clients)
}

fn client(node: &Node, secrets: &Secrets) -> Option<ClientEntry> {
    let mut section = Section::of(node, "a client", secrets.findings)?;
    let name = section.required("name", "\"backend\"", decode::name);
    let key = accounts::key(&mut section, secrets.findings).optional();
    section.finish();
    let Some(written) = key? else {
        let finding = Finding::error("missing the key of a client").at(node.span, "needs a key");
        let help = "add `key_env = \"BACKEND_KEY\"` or `key_file = \"backend.key\"`";
        secrets.findings.push(finding.help(help));
        return None;
    };
    Some(ClientEntry {
        name: name?,
        key: secrets.key(&written)?,
    })
}

/// Reads `[server]`; without it, defaults on a loopback address.
pub(super) fn read(
    top: &mut Section,
    clients: Option<&[ClientEntry]>,
    secrets: &Secrets,
) -> Option<ServerSection> {
    let empty = crate::experiment::scenario::document::Table::default();
    let node = top.node("server");
    let mut section = match node {
        Some(node) => Section::of(node, "[server]", secrets.findings)?,
        None => Section::new(&empty, top.heading(), "[server]", secrets.findings),
    };
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    let listen = section.or("listen", own, address);
    let tls = tls(&mut section, secrets);
    let mut count = |key, least| section.optional(key, decode::count(least..=1 << 40));
    let max_body_bytes = count("max_body_bytes", 1);
    let max_header_bytes = count("max_header_bytes", 8 << 10);
    let max_headers = count("max_headers", 1);
    let max_requests = count("max_requests", 1);
    let max_connections = count("max_connections", 1);
    let mut time = |key| section.optional(key, decode::positive_duration);
    let (header_timeout, body_timeout) = (time("header_timeout"), time("body_timeout"));
    let ready_delay = section.optional("ready_delay", decode::duration);
    let drain_timeout = section.optional("drain_timeout", decode::duration);
    open_to_all(&section, listen, clients, secrets);
    section.finish();
    Some(ServerSection {
        listen: listen?,
        tls: tls?,
        max_body_bytes: max_body_bytes?,
        max_header_bytes: max_header_bytes?,
        max_headers: max_headers?,
        max_requests: max_requests?,
        max_connections: max_connections?,
        header_timeout: header_timeout?,
        body_timeout: body_timeout?,
        ready_delay: ready_delay?,
        drain_timeout: drain_timeout?,
    })
}

/// Without keys, only who is on the machine may ask: the accounts behind cost money.
fn open_to_all(
    section: &Section,
    listen: Option<SocketAddr>,
    clients: Option<&[ClientEntry]>,
    secrets: &Secrets,
) {
    if clients.is_some_and(<[_]>::is_empty) && listen.is_some_and(|at| !at.ip().is_loopback()) {
        let finding = Finding::error("everyone who reaches this address could spend your money");
        let finding = finding.at(section.span("listen"), "and there are no clients");
        let help = "add [[clients]] with a `name` and a `key_env`, or listen on 127.0.0.1";
        secrets.findings.push(finding.help(help));
    }
}

fn address(node: &Node) -> Decoded<SocketAddr> {
    let Some(text) = node.text() else {
        return Err(decode::wrong_type(node, "a string"));
    };
    text.parse().map_err(|_| Problem {
        title: Title::OfKey("is not an address"),
        label: "expected an IP address and a port".into(),
        help: Some("such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\"".into()),
        span: None,
    })
}

type Pem = (Vec<u8>, Vec<u8>);

/// `tls`: `Some(None)` if absent, `None` if bad.
fn tls(section: &mut Section, secrets: &Secrets) -> Option<Option<Pem>> {
    let Some(node) = section.node("tls") else {
        return Some(None);
    };
    let mut part = Section::of(node, "`tls`", secrets.findings)?;
    let certificate = part.required("certificate", "\"server.pem\"", decode::name);
    let key = part.required("key", "\"server.key\"", decode::name);
    let spans = (part.span("certificate"), part.span("key"));
    part.finish();
    let (certificate, key) = (certificate?, key?);
    let read = |path: &str, at| {
        let bytes = secrets.surroundings.file(Path::new(path));
        bytes
            .map_err(|why| {
                let finding = Finding::error(format!("cannot read `{path}`"));
                secrets.findings.push(finding.at(at, why));
            })
            .ok()
    };
    let (certificate, key) = (read(&certificate, spans.0), read(&key, spans.1));
    Some(Some((certificate?, key?)))
}
