//! `routelab emulate`: a scenario's accounts as servers on this machine, to try a gateway against.

use super::console::{counted, grouped, print, say};
use super::exit::Exit;
use super::load;
use crate::experiment::scenario::{Overrides, Scenario};
use crate::live::clock::Clock;
use crate::live::emulate::{DEFAULT_CHUNK, Emulator, Setup, StartError, Tally, key};
use crate::live::provider::Shape;
use crate::request::FailureKind;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How long what is in flight may take to its end, after Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);

/// Arguments of `emulate`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario file
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// Sets a value, such as `faults=[]`; repeatable
    #[arg(long, value_name = "PATH=VALUE", value_parser = load::assignment)]
    set: Vec<String>,
    /// Root seed of all random numbers [default: the scenario's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Replication to be, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    replication: u32,
    /// Address and port to listen at; port 0 is any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    listen: SocketAddr,
    /// Seconds of the scenario in a second, 0.001 to 1000
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = pace)]
    pace: f64,
    /// Milliseconds between two pieces of a stream, at least, 1 to 1000
    #[arg(long, value_name = "MS", default_value_t = DEFAULT_CHUNK.as_millis() as u64,
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    chunk: u64,
    /// Refuses calls whose key is not `emulated-ACCOUNT`
    #[arg(long)]
    require_keys: bool,
    /// Prints a line of JSON at the start and one at the end instead of tables
    #[arg(long)]
    json: bool,
}

fn pace(text: &str) -> Result<f64, String> {
    let pace: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.001..=1000.0).contains(&pace) {
        return Ok(pace);
    }
    Err("expected a number from 0.001 to 1000".to_owned())
}

/// Emulates until Ctrl-C, then prints what was done.
///
/// # Errors
/// The exit code, after saying why on stderr.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let overrides = Overrides {
        set: args.set.clone(),
        seed: args.seed,
        ..Overrides::default()
    };
    let scenario = load::one(&args.scenario, &overrides, true).ok_or(Exit::Invalid)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| {
        say(&format!("error: cannot start the runtime: {error}"));
        Exit::Failed
    })?;
    runtime.block_on(emulate(args, &scenario))
}

async fn emulate(args: &Args, scenario: &Scenario) -> Result<(), Exit> {
    let setup = Setup {
        accounts: &scenario.accounts,
        models: &scenario.models,
        workload: &scenario.workload,
        upstream: &scenario.upstream,
        seed: scenario.seed,
        replication: args.replication,
        clock: Clock::new(args.pace),
        listen: args.listen,
        require_keys: args.require_keys,
        chunk: Duration::from_millis(args.chunk),
    };
    let emulator = Emulator::start(&setup).await.map_err(|error| {
        say(&format!("error: {}: {error}", scenario.name));
        match error {
            StartError::NoAdapter { .. } => Exit::Invalid,
            StartError::Listen(..) | StartError::Thread(_) => Exit::Failed,
        }
    })?;
    if args.json {
        print(&started_json(scenario, &emulator).to_string())?;
    } else {
        print(started(scenario, &emulator, args.require_keys).trim_end())?;
        say("the scenario begins now; Ctrl-C ends it");
    }
    asked_to_stop().await;
    let tally = tokio::select! {
        tally = emulator.stop(GRACE) => tally,
        () = asked_to_stop() => return Err(Exit::Interrupted),
    };
    if args.json {
        print(&ended_json(scenario, &tally).to_string())
    } else {
        print(ended(scenario, &tally).trim_end())
    }
}

/// Ctrl-C, or the request of a service manager. Where the system tells neither, it goes on until it
/// is killed.
async fn asked_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    interrupt.await;
}

fn started(scenario: &Scenario, emulator: &Emulator, keys: bool) -> String {
    let accounts = scenario.accounts.iter().zip(emulator.base_urls());
    let width = widest(scenario);
    let mut text = String::new();
    for (account, url) in accounts {
        let key = if keys {
            key(&account.id)
        } else {
            String::new()
        };
        let line = format!(
            "{:width$}  {:9}  {url}  {key}",
            account.id, account.provider
        );
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn started_json(scenario: &Scenario, emulator: &Emulator) -> Value {
    let account = |(account, url): (&crate::routing::account::Account, String)| {
        let shape = Shape::of(account.provider);
        json!({
            "id": account.id,
            "provider": account.provider.name(),
            "base_url": url,
            "key_header": shape.map(Shape::key_header),
            "key": key(&account.id),
        })
    };
    let accounts = scenario.accounts.iter().zip(emulator.base_urls());
    json!({
        "scenario": scenario.name,
        "address": emulator.address().to_string(),
        "models": scenario.models,
        "accounts": accounts.map(account).collect::<Vec<_>>(),
    })
}

fn ended(scenario: &Scenario, tally: &Tally) -> String {
    let width = widest(scenario);
    let mut text = format!(
        "{:width$}  {:>10}  {:>10}  {:>10}  {:>10}  failures\n",
        "account", "attempts", "finished", "cancelled", "failed"
    );
    for (account, counts) in scenario.accounts.iter().zip(&tally.accounts) {
        let kinds: Vec<_> = failures(&counts.failed)
            .map(|(kind, count)| format!("{kind} {}", grouped(count)))
            .collect();
        let line = format!(
            "{:width$}  {:>10}  {:>10}  {:>10}  {:>10}  {}",
            account.id,
            grouped(counts.begun),
            grouped(counts.finished),
            grouped(counts.cancelled),
            grouped(counts.failures()),
            kinds.join(", ")
        );
        text += line.trim_end();
        text.push('\n');
    }
    text += &format!(
        "{} not of the workload; {} refused before an account was asked\n",
        counted(tally.strangers, "attempt"),
        counted(tally.refused, "call")
    );
    if let (Some(median), Some(high)) = (tally.late.quantile(0.5), tally.late.quantile(0.99)) {
        text += &format!(
            "passed on after its instant: P50 {} us, P99 {} us\n",
            grouped(median.as_micros()),
            grouped(high.as_micros())
        );
    }
    text
}

fn ended_json(scenario: &Scenario, tally: &Tally) -> Value {
    let counts = scenario.accounts.iter().zip(&tally.accounts);
    let account = |(account, counts): (&crate::routing::account::Account, _)| {
        let counts: &crate::live::emulate::AccountTally = counts;
        let kinds = failures(&counts.failed);
        let failed: serde_json::Map<String, Value> = kinds
            .map(|(kind, count)| (kind.name().to_owned(), json!(count)))
            .collect();
        json!({
            "id": account.id,
            "begun": counts.begun,
            "finished": counts.finished,
            "cancelled": counts.cancelled,
            "failed": failed,
        })
    };
    let late = |q| Some(tally.late.quantile(q)?.as_nanos());
    json!({
        "scenario": scenario.name,
        "accounts": counts.map(account).collect::<Vec<_>>(),
        "strangers": tally.strangers,
        "refused": tally.refused,
        "late_p50_ns": late(0.5),
        "late_p99_ns": late(0.99),
    })
}

/// The kinds that occurred.
fn failures(counts: &[u64]) -> impl Iterator<Item = (FailureKind, u64)> + '_ {
    let kinds = FailureKind::ALL.iter().copied();
    kinds
        .zip(counts.iter().copied())
        .filter(|(_, count)| *count > 0)
}

fn widest(scenario: &Scenario) -> usize {
    let ids = scenario
        .accounts
        .iter()
        .map(|account| account.id.chars().count());
    ids.max().unwrap_or(0).max("account".len())
}
