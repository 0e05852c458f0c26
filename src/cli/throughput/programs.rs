//! The programs that take part: this one again, under its other names.

use super::Args;
use super::gateway;
use crate::cli::console::say;
use crate::cli::exit::Exit;
use crate::experiment::scenario::Scenario;
use crate::experiment::throughput::{Round, Way};
use crate::time::Duration;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Providers and gateway, running, and what it takes to send them load.
pub(super) struct Programs {
    providers: Program,
    gateway: Program,
    /// Where the gateway listens.
    address: String,
    /// The first account.
    account: String,
    scenario: PathBuf,
    overrides: Vec<String>,
    /// Requests per second of the scenario itself.
    own_rps: f64,
    /// Part of a round that is not measured.
    warmup: Duration,
    dialect: &'static str,
}

/// A program of ours that runs until it is dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Programs {
    /// Starts providers and gateway.
    pub(super) fn start(args: &Args, scenario: &Scenario) -> Result<Self, Exit> {
        let file = args.scenario.display().to_string();
        let overrides = args.overrides.as_arguments();
        let emulate = ["emulate", &file, "--listen", "127.0.0.1:0", "--json"];
        let (providers, told) = program(&emulate, &overrides, "")?;
        let listens = |value: &Value, name: &str| {
            let text = value[name].as_str().map(str::to_owned);
            text.ok_or_else(|| fail(format!("unexpected first line: {value}")))
        };
        let base = format!("http://{}", listens(&told, "address")?);
        let first = &told["accounts"][0];
        let account = listens(first, "base_url")?;
        let dialect = match first["provider"].as_str() {
            Some("google") => "gemini",
            _ => "anthropic",
        };
        let file = gateway::file(scenario, &base);
        let (gateway, told) = program(&["serve", "/dev/stdin", "--json"], &[], &file)?;
        Ok(Self {
            providers,
            gateway,
            address: format!("http://{}", listens(&told, "listening")?),
            account,
            scenario: args.scenario.clone(),
            overrides,
            own_rps: own_rate(scenario)?,
            warmup: scenario.warmup,
            dialect,
        })
    }

    /// Sends load for `length` and a warm-up before, and says what came of it.
    pub(super) fn round(&self, way: Way, rps: f64, length: Duration) -> Result<Round, Exit> {
        let scale = rps / self.own_rps;
        // The generator counts the scenario's time, which its rate is of.
        let length = (self.warmup + length).to_string();
        let (target, dialect) = match way {
            Way::Direct => (&self.account, self.dialect),
            Way::Gateway => (&self.address, "anthropic"),
        };
        let before = self.gateway.cpu_seconds();
        let mut load = Command::new(std::env::current_exe().map_err(fail)?);
        load.arg("load").arg(&self.scenario).args(&self.overrides);
        load.args(["--json", "--target", target, "--dialect", dialect]);
        load.args(["--duration", &length, "--rate-scale", &scale.to_string()]);
        let output = load.stdin(Stdio::null()).output().map_err(fail)?;
        let cpu_s = match (before, self.gateway.cpu_seconds()) {
            (Some(before), Some(after)) if way == Way::Gateway => Some(after - before),
            _ => None,
        };
        let told: Value = serde_json::from_slice(&output.stdout).map_err(|_| {
            let stderr = String::from_utf8_lossy(&output.stderr);
            fail(format!("the load generator failed: {}", stderr.trim()))
        })?;
        Ok(round(&told, cpu_s))
    }

    /// Ends both.
    pub(super) fn stop(self) {
        drop(self.gateway);
        drop(self.providers);
    }
}

fn round(told: &Value, cpu_s: Option<f64>) -> Round {
    let count = |name: &str| told[name].as_u64().unwrap_or(0);
    let rate = |name: &str| told[name].as_f64().unwrap_or(f64::NAN);
    let latency = |name: &str| told["latency_s"][name].as_f64().unwrap_or(f64::NAN);
    let (scheduled, warming_up) = (count("scheduled"), count("warming_up"));
    // The gateway worked for the warm-up, too.
    let measured = scheduled as f64 / (scheduled + warming_up).max(1) as f64;
    Round {
        scheduled,
        succeeded: count("succeeded"),
        dropped: count("dropped"),
        late: count("late"),
        intended_rps: rate("rate_intended_rps"),
        sent_rps: rate("rate_rps"),
        latency_s: ["p50", "p90", "p99", "p999"].map(latency),
        cpu_s: cpu_s.map(|all| all * measured),
    }
}

/// Starts a program of ours that is given `input`, and reads the first line that it prints, which
/// is JSON.
fn program(arguments: &[&str], more: &[String], input: &str) -> Result<(Program, Value), Exit> {
    let mut command = Command::new(std::env::current_exe().map_err(fail)?);
    command.args(arguments).args(more).env(gateway::KEY, "none");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // The gateway's log is formatted and written, and read by nobody.
    command.stderr(if arguments[0] == "serve" {
        Stdio::null()
    } else {
        Stdio::inherit()
    });
    let mut program = Program(command.spawn().map_err(fail)?);
    if let Some(mut stdin) = program.0.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(fail)?;
    }
    let mut line = String::new();
    if let Some(out) = program.0.stdout.take() {
        BufReader::new(out).read_line(&mut line).map_err(fail)?;
    }
    let told = serde_json::from_str(&line);
    let told = told.map_err(|_| fail(format!("`routelab {}` did not start", arguments.join(" "))));
    Ok((program, told?))
}

impl Program {
    /// Processor time that it has taken, in seconds, to the hundredth; `None` where the system does
    /// not tell.
    fn cpu_seconds(&self) -> Option<f64> {
        // proc(5): fields 14 and 15 are the ticks in user and kernel mode. The second field is a
        // name in parentheses, which may hold anything.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |nth: usize| fields.get(nth - 3)?.parse::<u64>().ok();
        Some((ticks(14)? + ticks(15)?) as f64 / TICKS_PER_SECOND)
    }
}

/// `USER_HZ`: what the kernel tells other programs is in hundredths of a second on all of Linux's
/// architectures but Alpha.
const TICKS_PER_SECOND: f64 = 100.0;

/// The mean rate of the scenario's arrivals.
fn own_rate(scenario: &Scenario) -> Result<f64, Exit> {
    let expected = crate::cli::check::expected_requests(&scenario.workload) as f64;
    let rps = expected / scenario.duration.as_secs_f64();
    if rps > 0.0 {
        return Ok(rps);
    }
    Err(fail("the scenario sends no requests"))
}

fn fail(error: impl std::fmt::Display) -> Exit {
    say(&format!("error: {error}"));
    Exit::Failed
}
