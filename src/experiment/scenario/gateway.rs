//! The file of a gateway: the accounts, models, regions and routing settings of a scenario, and
//! where to listen and whom to serve.
//!
//! The format is described in `docs/gateway-format.md`. The sections that both kinds of file have
//! are read by the same code, with the same diagnostics, so that what was simulated can be put into
//! service by copying it. What describes a simulated upstream (how long an answer takes, what is
//! enforced, what fails) is refused here: the real one behaves as it does, and a key without an
//! effect is one that somebody relies on.

mod server;

pub use server::{ClientEntry, ServerSection};

use super::accounts::{self, KeyWritten, Pool};
use super::decode;
use super::diagnostics::{Diagnostics, Finding, Findings, Source, Span};
use super::document::{self, Table};
use super::models::{self, Models, Services};
use super::regions;
use super::routing;
use super::section::Section;
use crate::record::Strategy;
use crate::request::ModelIndex;
use crate::routing::account::Account;
use crate::routing::config::RoutingConfig;
use crate::time::Duration;
use std::path::Path;

/// Where a key, or a file that is named, comes from. The parser reads nothing by itself.
pub trait Surroundings {
    /// The value of an environment variable; `None` if it is not set.
    fn variable(&self, name: &str) -> Option<String>;

    /// The contents of a file; the path is as written, from the folder of the gateway's file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn file(&self, path: &Path) -> Result<Vec<u8>, String>;
}

/// A gateway as its file describes it. It holds keys, so that nothing of it can be printed.
pub struct GatewayFile {
    /// Names by [`crate::request::RegionIndex`].
    pub regions: Vec<String>,
    /// Round trip between each two regions, row by row.
    pub round_trips: Vec<Duration>,
    /// Names by [`ModelIndex`].
    pub models: Vec<String>,
    /// Whom to ask.
    pub accounts: Vec<ReachedAccount>,
    /// How to choose.
    pub routing: RoutingConfig,
    /// Seed of the routing code's own random choices.
    pub policy_seed: u64,
    /// Who may ask; everyone if empty.
    pub clients: Vec<ClientEntry>,
    /// Where and how to listen.
    pub server: ServerSection,
}

/// An account and how it is reached.
pub struct ReachedAccount {
    /// What routing is told.
    pub account: Account,
    /// Where its requests go.
    pub base_url: String,
    /// Its key.
    pub key: String,
    /// What the provider calls models, where that is not what clients call them.
    pub upstream_names: Vec<(ModelIndex, String)>,
}

/// A gateway, and what is doubtful about it.
pub struct LoadedGateway {
    /// What to run.
    pub gateway: GatewayFile,
    /// What its owner should know.
    pub warnings: Diagnostics,
}

/// Reads the gateway in a text. `source_name` is the name of its file in messages.
///
/// # Errors
/// If it is not a valid gateway, or a key or file that it names cannot be read: everything that was
/// found.
pub fn parse(
    source_name: &str,
    text: &str,
    surroundings: &dyn Surroundings,
) -> Result<LoadedGateway, Diagnostics> {
    let findings = Findings::default();
    let (table, syntax) = document::read(text, &findings);
    if table.entries.is_empty() && syntax.is_empty() {
        let finding = Finding::error(format!("`{source_name}` is empty"));
        let help =
            "start from a copy of gateway.example.toml; docs/gateway-format.md has every key";
        return Err(Diagnostics::single(finding.help(help)));
    }
    let meaning = Findings::default();
    let gateway = gateway(&table, surroundings, &meaning);
    if !syntax.is_empty() {
        meaning.drop_consequences_of(&syntax, text);
    }
    let failed = findings.has_errors() || meaning.has_errors();
    meaning.move_to(&findings);
    let diagnostics = findings.into_diagnostics(vec![Source {
        name: source_name.to_owned(),
        text: text.to_owned(),
    }]);
    match gateway {
        Some(gateway) if !failed => Ok(LoadedGateway {
            gateway,
            warnings: diagnostics,
        }),
        _ => Err(diagnostics),
    }
}

fn gateway(
    table: &Table,
    surroundings: &dyn Surroundings,
    findings: &Findings,
) -> Option<GatewayFile> {
    let mut top = Section::new(table, Span::default(), "the gateway's file", findings);
    let mut services = Services::of_gateway();
    let models = models::read(&mut top, &mut services, findings);
    let regions = regions::read(&mut top, findings);
    gateways_own_region(table, findings);
    let context = accounts::Context {
        models: models.as_ref(),
        regions: regions.names.as_deref(),
        of_gateway: true,
        findings,
    };
    let pool = accounts::read(&mut top, &context, &mut services);
    let policy_seed = top.or("policy_seed", 1, decode::count(0..=u64::MAX));
    let routing = settings(&mut top, findings);
    let secrets = Secrets {
        surroundings,
        findings,
    };
    let clients = server::clients(&mut top, &secrets);
    let server = server::read(&mut top, clients.as_deref(), &secrets);
    top.finish();
    let (pool, models) = (pool?, models?);
    let accounts = reached(pool, &models, &secrets);
    Some(GatewayFile {
        regions: regions.names?,
        round_trips: regions.network.matrix,
        accounts: accounts?,
        models: models.names,
        routing: routing?,
        policy_seed: policy_seed?,
        clients: clients?,
        server: server?,
    })
}

/// Where the gateway is, is a fact of the simulated network.
fn gateways_own_region(table: &Table, findings: &Findings) {
    let regions = table.get("regions").and_then(|node| node.table());
    if let Some(node) = regions.and_then(|regions| regions.get("gateway")) {
        let finding = Finding::error("`gateway` has no meaning here");
        let finding = finding.at(node.span, "the real network takes its time by itself");
        findings.push(finding.help("remove it"));
    }
}

/// `[routing]`, with the strategy that a scenario would have in its `strategies`.
fn settings(top: &mut Section, findings: &Findings) -> Option<RoutingConfig> {
    let base = RoutingConfig::default();
    let Some(node) = top.node("routing") else {
        return Some(base);
    };
    let mut section = Section::of(node, "[routing]", findings)?;
    let strategy = decode::word("strategy", Strategy::ALL, Strategy::name);
    let strategy = section.or("strategy", base.strategy, strategy);
    let routing = routing::read(&mut section, &base, findings);
    section.finish();
    Some(RoutingConfig {
        strategy: strategy?,
        ..routing?
    })
}

fn reached(pool: Pool, models: &Models, secrets: &Secrets) -> Option<Vec<ReachedAccount>> {
    let pairs = pool.accounts.into_iter().zip(pool.reaches);
    let each = pairs.map(|(account, reach)| {
        let named = reach.upstream_names.into_iter();
        let named = named.filter(|(model, name)| models.names[model.at()] != *name);
        Some(ReachedAccount {
            base_url: reach.base_url,
            key: secrets.key(&reach.key)?,
            upstream_names: named.collect(),
            account,
        })
    });
    let each: Vec<Option<ReachedAccount>> = each.collect();
    each.into_iter().collect()
}

/// Reads what stands outside of the file, and says where in it that is asked for.
struct Secrets<'a> {
    surroundings: &'a dyn Surroundings,
    findings: &'a Findings,
}

impl Secrets<'_> {
    /// A key; `None` if there is none to use, which is reported. It never stands in a message.
    fn key(&self, written: &KeyWritten) -> Option<String> {
        let (what, read) = match written.in_file {
            false => {
                let what = format!("the environment variable `{}`", written.name);
                let value = self.surroundings.variable(&written.name);
                (what, value.ok_or_else(|| "it is not set".to_owned()))
            }
            true => {
                let bytes = self.surroundings.file(Path::new(&written.name));
                let text = bytes.and_then(|bytes| {
                    String::from_utf8(bytes).map_err(|_| "it is not text".to_owned())
                });
                (format!("the file `{}`", written.name), text)
            }
        };
        let key = read.map(|text| text.trim().to_owned());
        let why = match key {
            Ok(key) if key.is_empty() => "it is empty".to_owned(),
            Ok(key) if key.chars().all(|c| c.is_ascii_graphic()) => return Some(key),
            Ok(_) => "it holds characters that no key has".to_owned(),
            Err(why) => why,
        };
        let finding = Finding::error(format!("there is no key in {what}"));
        self.findings
            .push(finding.at(written.span, why).needs_the_rest());
        None
    }
}
