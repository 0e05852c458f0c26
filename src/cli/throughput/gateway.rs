//! From a scenario to the file of a gateway in front of its emulated accounts: the same models,
//! accounts and routing, without what is the upstream's own.

use crate::experiment::scenario::Scenario;
use toml::{Table, Value};

/// The variable that holds the key of all accounts.
pub(super) const KEY: &str = "ROUTELAB_EMULATED_KEY";

/// Keys of accounts and templates that describe a simulated upstream.
const UPSTREAMS: [&str; 3] = ["capacity", "quota", "failures"];

/// Sections that a gateway has, too.
const SHARED: [&str; 6] = [
    "models",
    "regions",
    "templates",
    "accounts",
    "routing",
    "policy_seed",
];

/// The file, for providers whose paths begin at `base`. The scenario's first strategy routes.
pub(super) fn file(scenario: &Scenario, base: &str) -> String {
    // It was read from TOML, and written by us.
    let resolved: Table = scenario.resolved_toml.parse().unwrap_or_default();
    let mut file = Table::new();
    for name in SHARED {
        if let Some(section) = resolved.get(name) {
            file.insert(name.to_owned(), section.clone());
        }
    }
    each(&mut file, "models", |model| without(model, &["service"]));
    if let Some(regions) = file.get_mut("regions").and_then(Value::as_table_mut) {
        without(regions, &["gateway"]);
    }
    each(&mut file, "templates", without_upstream);
    if let Some(Value::Array(accounts)) = file.get_mut("accounts") {
        for account in accounts.iter_mut().filter_map(Value::as_table_mut) {
            without_upstream(account);
            let id = account
                .get("id")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let url = format!("{base}/{id}");
            account.insert("base_url".to_owned(), Value::String(url));
            account.insert("key_env".to_owned(), Value::String(KEY.to_owned()));
        }
    }
    let routing = file.entry("routing").or_insert(Value::Table(Table::new()));
    if let Some(routing) = routing.as_table_mut() {
        strategy(&resolved, routing);
    }
    let mut server = Table::new();
    server.insert("listen".to_owned(), Value::String("127.0.0.1:0".to_owned()));
    file.insert("server".to_owned(), Value::Table(server));
    file.to_string()
}

fn each(file: &mut Table, name: &str, change: impl Fn(&mut Table)) {
    let section = file.get_mut(name).and_then(Value::as_table_mut);
    let members = section.into_iter().flat_map(|section| section.iter_mut());
    members
        .filter_map(|(_, value)| value.as_table_mut())
        .for_each(change);
}

fn without(table: &mut Table, keys: &[&str]) {
    for key in keys {
        table.remove(*key);
    }
}

fn without_upstream(account: &mut Table) {
    without(account, &UPSTREAMS);
    let models = account.get_mut("models").and_then(Value::as_table_mut);
    let models = models.into_iter().flat_map(|models| models.iter_mut());
    for model in models.filter_map(|(_, value)| value.as_table_mut()) {
        without(model, &["service", "failures"]);
    }
}

/// The first strategy of the scenario, with what it sets otherwise than `[routing]`.
fn strategy(resolved: &Table, routing: &mut Table) {
    let first = resolved.get("strategies").and_then(|list| list.get(0));
    match first {
        Some(Value::String(name)) => {
            routing.insert("strategy".to_owned(), Value::String(name.clone()));
        }
        Some(Value::Table(own)) => {
            let settings = own.iter().filter(|(key, _)| *key != "name");
            routing.extend(settings.map(|(key, value)| (key.clone(), value.clone())));
            if let (None, Some(name)) = (own.get("strategy"), own.get("name")) {
                routing.insert("strategy".to_owned(), name.clone());
            }
        }
        _ => (),
    }
}
