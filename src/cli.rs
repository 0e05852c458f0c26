//! The command line: one file per subcommand.
//!
//! `routelab SCENARIO...` is the main job and needs no subcommand, so that `cargo run --
//! scenarios/outage.toml` works as it stands. stdout is data (tables, JSON, paths), stderr is for
//! people (progress, warnings, errors), so that every command can stand in a pipe. This is the one
//! layer that may read the wall clock and the surroundings; nothing that it reads reaches a result.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod ablate;
mod check;
mod claims;
mod compare;
mod console;
mod decide;
#[cfg(feature = "live")]
mod emulate;
mod environment;
mod exit;
mod gallery;
#[cfg(feature = "live")]
mod generator;
mod interrupt;
mod list;
#[cfg(feature = "live")]
mod live;
mod load;
mod manner;
mod progress;
mod run;
#[cfg(feature = "live")]
mod serve;
mod sweep;
#[cfg(feature = "live")]
mod throughput;
mod validate;
mod warmup;

use clap::{CommandFactory, Parser, Subcommand};
use exit::Exit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// Compares routing strategies of LLM gateways: runs the real routing code of every strategy of a
/// scenario in virtual time, prints one table, and writes CSV files and charts.
#[derive(Parser, Debug)]
#[command(
    name = "routelab",
    version,
    verbatim_doc_comment,
    after_help = exit::HELP,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true,
    override_usage = "routelab [OPTIONS] SCENARIO...\n       routelab COMMAND [ARGUMENTS]"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::Args,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Reads scenarios and shows what is wrong with them, or what they would run
    Check(check::Args),
    /// Shows the scenarios in a folder, with the question that each asks
    List(list::Args),
    /// Writes the results of all scenarios in a folder, with a page to browse them by
    Gallery(gallery::Args),
    /// Judges the claims that are made for the product on every scenario
    Claims(claims::Args),
    /// Runs a scenario at every point of a grid of parameter values
    Sweep(sweep::Args),
    /// Tells whether a change made routing worse: two results of the same scenarios
    Compare(compare::Args),
    /// Divides a gain among strategy, breaker, retries and cache
    Ablate(ablate::Args),
    /// Finds how long a stationary scenario has to warm up: MSER-5 on pilots
    Warmup(warmup::Args),
    /// Measures how long a routing decision takes on this machine
    Decide(decide::Args),
    /// Serves the gateway in a file over HTTP, routed by the code that the simulator runs
    #[cfg(feature = "live")]
    Serve(serve::Args),
    /// Compares the simulator with queueing theory and with a published experiment
    Validate(validate::Args),
    /// Emulates a scenario's accounts as providers over HTTP, in real time
    #[cfg(feature = "live")]
    Emulate(emulate::Args),
    /// Measures what the gateway adds to a request, and how many it takes in a second
    #[cfg(feature = "live")]
    Throughput(throughput::Args),
    /// Lays a scenario's simulation beside a measurement over sockets, request by request
    #[cfg(feature = "live")]
    Live(live::Args),
    /// Sends a scenario's workload to a server in real time, and tells how it was answered
    #[cfg(feature = "live")]
    Load(generator::Args),
}

/// Runs the command line of this process. The exit codes are those that `--help` shows.
#[must_use]
pub fn main() -> ExitCode {
    // Wrong usage exits here, with 2.
    let cli = Cli::parse();
    // A panic is a defect of routelab: its message is already on stderr, and a documented exit code
    // is of more use to a script than 101.
    let outcome = catch_unwind(AssertUnwindSafe(|| execute(&cli)));
    match outcome.unwrap_or(Err(Exit::Failed)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.into(),
    }
}

/// Names of all subcommands.
fn command_names() -> Vec<String> {
    let commands = Cli::command();
    let names = commands.get_subcommands();
    names.map(|one| one.get_name().to_owned()).collect()
}

fn execute(cli: &Cli) -> Result<(), Exit> {
    match &cli.command {
        None => run::execute(&cli.run),
        Some(Command::Check(args)) => check::execute(args),
        Some(Command::List(args)) => list::execute(args),
        Some(Command::Gallery(args)) => gallery::execute(args),
        Some(Command::Claims(args)) => claims::execute(args),
        Some(Command::Sweep(args)) => sweep::execute(args),
        Some(Command::Compare(args)) => compare::execute(args),
        Some(Command::Ablate(args)) => ablate::execute(args),
        Some(Command::Warmup(args)) => warmup::execute(args),
        Some(Command::Decide(args)) => decide::execute(args),
        #[cfg(feature = "live")]
        Some(Command::Serve(args)) => serve::execute(args),
        Some(Command::Validate(args)) => validate::execute(args),
        #[cfg(feature = "live")]
        Some(Command::Emulate(args)) => emulate::execute(args),
        #[cfg(feature = "live")]
        Some(Command::Throughput(args)) => throughput::execute(args),
        #[cfg(feature = "live")]
        Some(Command::Live(args)) => live::execute(args),
        #[cfg(feature = "live")]
        Some(Command::Load(args)) => generator::execute(args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_scenario_needs_no_subcommand_and_may_follow_options() {
        let cli = Cli::try_parse_from(["routelab", "--seed", "7", "a.toml", "b.toml"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.run.scenarios.len(), 2);
        let cli = Cli::try_parse_from(["routelab", "check", "a.toml"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Check(_))));
        let cli = Cli::try_parse_from(["routelab", "./check"]).unwrap();
        assert!(cli.command.is_none());
    }
}
