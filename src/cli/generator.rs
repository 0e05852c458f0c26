//! `routelab load`: sends a scenario's workload to a server, in real time, and tells what became of
//! it. The file is not called `load.rs`, because that is where scenarios are loaded.

mod table;

use super::console::{print, say};
use super::exit::Exit;
use super::interrupt;
use super::load;
use crate::experiment::scenario::{Overrides, Scenario};
use crate::live::clock::Clock;
use crate::live::load::{self as generator, LoadConfig, LoadDialect, LoadReport, Target};
use crate::live::proxy::Secret;
use crate::time::Duration;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use table::Shown;
use tokio::runtime::Runtime;

/// Where the client's key stands: not among the arguments, which every user of the machine can
/// read.
const KEY: &str = "ROUTELAB_CLIENT_KEY";

/// Key where none is set, for servers that want none.
const NO_KEY: &str = "routelab";

/// Real time between the making of the clock and the first instant of the workload, so that the
/// first requests do not wait for the runtime.
const LEAD: std::time::Duration = std::time::Duration::from_millis(50);

/// Arguments of `load`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario file; its workload is sent
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// Server to send it to, such as `http://127.0.0.1:8080`
    #[arg(long, value_name = "URL", value_parser = Target::parse)]
    target: Target,
    /// What to speak: `anthropic`, `openai`, or, to a provider itself, `gemini`
    #[arg(long, value_name = "NAME", default_value = "anthropic", value_parser = dialect)]
    dialect: LoadDialect,
    /// Speaks HTTP/2 over one connection instead of HTTP/1.1 over many
    #[arg(long)]
    http2: bool,
    /// Seconds of the scenario for each real second
    #[arg(long, value_name = "N", default_value = "1", value_parser = factor)]
    pace: f64,
    /// Multiplies the rate of arrivals; each request stays as it is
    #[arg(long, value_name = "N", default_value = "1", value_parser = factor)]
    rate_scale: f64,
    /// Stops sending after so much of the scenario's time [default: the scenario's]
    #[arg(long, value_name = "TIME", value_parser = Duration::parse)]
    duration: Option<Duration>,
    /// Stops sending after so many requests
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Gives a request up so long after its intended start, in the scenario's time [default: the
    /// scenario's deadline and 2 real seconds, or 10 minutes]
    #[arg(long, value_name = "TIME", value_parser = Duration::parse)]
    timeout: Option<Duration>,
    /// Drops a request that falls due while so many are under way
    #[arg(long, value_name = "N", default_value_t = generator::MOST_IN_FLIGHT as u32,
          value_parser = clap::value_parser!(u32).range(1..))]
    in_flight: u32,
    /// Replication whose requests are sent, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    replication: u32,
    /// Sets a value, such as `workload.rate=80rps`; repeatable
    #[arg(long, value_name = "PATH=VALUE", value_parser = load::assignment)]
    set: Vec<String>,
    /// Root seed of arrivals and requests [default: the scenario's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Yes, load may be put on a server that is not this machine
    #[arg(long)]
    yes: bool,
    /// Prints a line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

fn dialect(name: &str) -> Result<LoadDialect, String> {
    LoadDialect::from_name(name).ok_or_else(|| {
        let known = LoadDialect::ALL.iter().map(|dialect| dialect.name());
        format!("known are {}", known.collect::<Vec<_>>().join(", "))
    })
}

pub(super) fn factor(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let allowed = number.filter(|number| (1e-6..=1e6).contains(number));
    allowed.ok_or_else(|| "a number from 0.000001 to 1000000 is expected".to_owned())
}

/// Sends the workload and prints what became of it.
///
/// # Errors
/// The exit code, after saying why on stderr.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let overrides = Overrides {
        set: args.set.clone(),
        seed: args.seed,
        ..Overrides::default()
    };
    allowed(args)?;
    let scenario = load::one(&args.scenario, &overrides, true).ok_or(Exit::Invalid)?;
    let stop = interrupt::catch();
    let runtime = Runtime::new().map_err(|error| {
        say(&format!("error: the machine gives no threads: {error}"));
        Exit::Failed
    })?;
    let config = config(args, &scenario);
    let report = sent(&config, &runtime, stop)?;
    // Connections that still wait for a foreign server are not waited for.
    runtime.shutdown_background();
    let shown = Shown {
        scenario: &scenario.name,
        config: &config,
        report: &report,
    };
    if args.json {
        print(&shown.json().to_string())?;
    } else {
        print(shown.table().trim_end())?;
    }
    judged(&report)
}

fn allowed(args: &Args) -> Result<(), Exit> {
    if args.target.is_loopback() {
        return Ok(());
    }
    let target = &args.target;
    if args.yes {
        say(&format!(
            "warning: {target} is not this machine: its owner should know, and answers may cost \
             money"
        ));
        return Ok(());
    }
    say(&format!(
        "error: {target} is not this machine\n  help: load on other people's servers can harm them \
         and cost money; if it is meant, and allowed, add --yes"
    ));
    Err(Exit::Usage)
}

fn config(args: &Args, scenario: &Scenario) -> LoadConfig {
    let clock = Clock::starting_in(args.pace, LEAD);
    let key = std::env::var(KEY).unwrap_or_else(|_| NO_KEY.to_owned());
    let timeout = || LoadConfig::timeout_for(scenario.deadline, clock);
    LoadConfig {
        target: args.target.clone(),
        dialect: args.dialect,
        http2: args.http2,
        key: Secret::new(key),
        workload: scenario.workload.clone(),
        seed: scenario.seed,
        replication: args.replication,
        models: scenario.models.clone(),
        regions: scenario.regions.clone(),
        clock,
        rate_scale: args.rate_scale,
        duration: args.duration,
        requests: args.requests,
        warmup: scenario.warmup,
        timeout: args.timeout.unwrap_or_else(timeout),
        most_in_flight: args.in_flight as usize,
        late_after: generator::LATE_AFTER,
    }
}

fn sent(config: &LoadConfig, runtime: &Runtime, stop: &AtomicBool) -> Result<LoadReport, Exit> {
    generator::run(config, runtime.handle(), stop, &mut |_| {}).map_err(|error| {
        say(&format!("error: {error}"));
        Exit::Invalid
    })
}

/// The exit code, with what to think of the numbers.
fn judged(report: &LoadReport) -> Result<(), Exit> {
    // A hundredth of the requests is what a P99 consists of.
    if report.dropped > 0 || report.late > report.sent / 100 {
        say(
            "warning: the generator did not keep up (requests dropped, or more than 1 % sent \
             late): the figures say more about this machine than about the server",
        );
    }
    if report.stopped {
        return Err(Exit::Interrupted);
    }
    if report.scheduled > 0 && report.succeeded == 0 {
        say("error: no request was answered");
        return Err(Exit::Failed);
    }
    Ok(())
}
