//! From the file of a gateway to what the live server takes.
//!
//! The one place of this layer that knows `live`: the file is read and checked where scenarios are
//! ([`scenario::gateway`]), and only its result is put into the live types here.

use super::scenario::gateway::{
    ClientEntry, GatewayFile, ReachedAccount, ServerSection, Surroundings, parse,
};
use super::scenario::{self, Diagnostics};
use crate::live::proxy::{ProxyAccount, ProxyConfig, ProxyModel, Secret};
use crate::live::server::{ClientKey, ServerConfig, ServerLimits, TlsFiles};
use crate::time::Duration;
use std::path::{Path, PathBuf};

/// A gateway, ready to be started.
pub struct GatewaySetup {
    /// Settings of the proxy.
    pub proxy: ProxyConfig,
    /// Its accounts.
    pub accounts: Vec<ProxyAccount>,
    /// Settings of the server, its clients among them.
    pub server: ServerConfig,
    /// What its owner should know.
    pub warnings: Diagnostics,
}

/// Reads the gateway in a file, with the keys that it names.
///
/// # Errors
/// If it cannot be read, or is not a valid gateway: everything that was found.
pub fn load(path: &Path) -> Result<GatewaySetup, Diagnostics> {
    let text = scenario::text_of_file(path)?;
    let machine = Machine {
        folder: path.parent().unwrap_or(Path::new("")).to_owned(),
    };
    let loaded = parse(&path.display().to_string(), &text, &machine)?;
    let mut setup = setup(loaded.gateway);
    setup.warnings = loaded.warnings;
    Ok(setup)
}

/// The machine that we run on.
struct Machine {
    folder: PathBuf,
}

impl Surroundings for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        std::fs::read(self.folder.join(path)).map_err(|error| scenario::reason(&error))
    }
}

fn setup(file: GatewayFile) -> GatewaySetup {
    let models = file.models;
    let regions = &file.regions;
    let accounts = file.accounts.into_iter();
    let accounts = accounts.map(|reached| proxy_account(reached, &models, regions));
    GatewaySetup {
        accounts: accounts.collect(),
        server: server(file.server, file.clients),
        proxy: ProxyConfig {
            routing: file.routing,
            round_trips: file.round_trips,
            seed: file.policy_seed,
            regions: file.regions,
            ..ProxyConfig::default()
        },
        warnings: Diagnostics::default(),
    }
}

/// The account as the proxy takes it.
pub(super) fn proxy_account(
    reached: ReachedAccount,
    models: &[String],
    regions: &[String],
) -> ProxyAccount {
    let account = reached.account;
    let upstream_name = |model| {
        let mut names = reached.upstream_names.iter();
        let found = names.find(|(known, _)| *known == model);
        found.map(|(_, name)| name.clone())
    };
    let models = account.models.iter().map(|served| ProxyModel {
        name: models[served.model.at()].clone(),
        upstream_name: upstream_name(served.model),
        prices: served.prices,
        quality: served.quality,
        context_window: served.context_window,
    });
    ProxyAccount {
        models: models.collect(),
        id: account.id,
        provider: account.provider,
        base_url: reached.base_url,
        api_key: Secret::new(reached.key),
        region: account.region.map(|region| regions[region.at()].clone()),
        weight: account.weight,
        max_in_flight: account.max_in_flight,
        limits: account.limits,
        organisation: account.organisation,
        availability: account.availability,
    }
}

fn server(section: ServerSection, clients: Vec<ClientEntry>) -> ServerConfig {
    let usual = ServerLimits::default();
    let count = |stated: Option<u64>, usual| stated.map_or(usual, |it| it as usize);
    let time = |stated: Option<Duration>, usual| {
        let real = |time: Duration| std::time::Duration::from_nanos(time.as_nanos());
        stated.map_or(usual, real)
    };
    let clients = clients.into_iter().map(|client| ClientKey {
        name: client.name,
        key: Secret::new(client.key),
    });
    ServerConfig {
        listen: section.listen,
        tls: section
            .tls
            .map(|(certificates, key)| TlsFiles { certificates, key }),
        clients: clients.collect(),
        limits: ServerLimits {
            max_body_bytes: count(section.max_body_bytes, usual.max_body_bytes),
            max_header_bytes: count(section.max_header_bytes, usual.max_header_bytes),
            max_headers: count(section.max_headers, usual.max_headers),
            max_requests: count(section.max_requests, usual.max_requests),
            max_connections: count(section.max_connections, usual.max_connections),
            header_timeout: time(section.header_timeout, usual.header_timeout),
            body_timeout: time(section.body_timeout, usual.body_timeout),
            ready_delay: time(section.ready_delay, usual.ready_delay),
            drain_timeout: time(section.drain_timeout, usual.drain_timeout),
        },
        dropped_log_lines: None,
    }
}
