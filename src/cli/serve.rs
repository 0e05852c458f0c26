//! `routelab serve`: the gateway in a file, until it is told to stop.
//!
//! stdout has one line, where it listens; stderr has what people read, and the log, a line of JSON
//! a request. SIGHUP reads the file again: its accounts and clients are taken over at once, the
//! rest at the next start. SIGTERM and Ctrl-C drain; the second of them ends at once.

use super::console::{print, say, stderr_has_colour};
use super::exit::Exit;
use crate::experiment::gateway_file::{GatewaySetup, load};
use crate::experiment::scenario::Diagnostics;
use crate::live::json_log::JsonLog;
use crate::live::proxy::IntelligentProxy;
use crate::live::server::{Server, ServerControl};
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Lines of the log that wait to be written.
const LOG_QUEUE: usize = 8_192;

/// Arguments of `serve`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The gateway's file, such as gateway.example.toml
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Address to listen on [default: the file's]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Reads the file and says whether it is sound, and serves nothing
    #[arg(long)]
    check: bool,
    /// Prints the address as JSON
    #[arg(long)]
    json: bool,
}

/// Serves until told to stop.
///
/// # Errors
/// [`Exit::Invalid`] if the file cannot be used, [`Exit::Failed`] if the server cannot start.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let mut setup = load(&args.file).map_err(|findings| {
        show(&findings);
        Exit::Invalid
    })?;
    show(&setup.warnings);
    if let Some(listen) = args.listen {
        if setup.server.clients.is_empty() && !listen.ip().is_loopback() {
            return Err(fail(
                "there are no [[clients]]: listen on a loopback address",
            ));
        }
        setup.server.listen = listen;
    }
    if args.check {
        return print(&format!("{}: sound", args.file.display()));
    }
    let (log, writer) = JsonLog::start(std::io::stderr(), LOG_QUEUE).map_err(fail)?;
    setup.proxy.log = Some(Box::new(log));
    setup.server.dropped_log_lines = Some(writer.dropped());
    let runtime = tokio::runtime::Runtime::new().map_err(fail)?;
    let served = runtime.block_on(serve(args, setup));
    // The last holder of the log goes with it.
    drop(runtime);
    writer.finish();
    served
}

async fn serve(args: &Args, setup: GatewaySetup) -> Result<(), Exit> {
    let on = |kind| signal(kind).map_err(fail);
    let stops = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
    let hang_ups = on(SignalKind::hangup())?;
    let proxy = IntelligentProxy::with_config(setup.proxy).map_err(fail)?;
    proxy.set_accounts(&setup.accounts).map_err(|error| {
        fail(error);
        Exit::Invalid
    })?;
    let server = Server::bind(setup.server, Arc::new(proxy));
    let server = server.await.map_err(fail)?;
    announce(args, server.addr())?;
    let reloads = tokio::spawn(reload(args.file.clone(), server.control(), hang_ups));
    let drained = server.serve(stop(stops)).await;
    reloads.abort();
    // It holds the proxy until it is gone.
    let _ = reloads.await;
    if drained.cut > 0 {
        say(&format!(
            "warning: {} cut, because the time to drain was over",
            super::console::counted(drained.cut as u64, "connection")
        ));
    }
    Ok(())
}

fn announce(args: &Args, addr: SocketAddr) -> Result<(), Exit> {
    if args.json {
        return print(&json!({"listening": addr.to_string()}).to_string());
    }
    print(&format!("listening on {addr}"))
}

/// Ready at the first signal; the second ends the process.
async fn stop((mut interrupts, mut terminations): (Signal, Signal)) {
    either(&mut interrupts, &mut terminations).await;
    say("draining; once more ends at once");
    tokio::spawn(async move {
        either(&mut interrupts, &mut terminations).await;
        std::process::exit(i32::from(Exit::Interrupted as u8));
    });
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

/// Takes over the file's accounts and clients whenever it is told to. A file that is wrong changes
/// nothing.
async fn reload(file: PathBuf, control: ServerControl, mut hang_ups: Signal) {
    while hang_ups.recv().await.is_some() {
        match read_again(&file, &control) {
            Ok(accounts) => say(&format!(
                "reloaded {}: {}",
                file.display(),
                super::console::counted(accounts as u64, "account")
            )),
            Err(()) => say(&format!("not reloaded: {} is wrong", file.display())),
        }
    }
}

fn read_again(file: &Path, control: &ServerControl) -> Result<usize, ()> {
    let setup = load(file).map_err(|findings| show(&findings))?;
    show(&setup.warnings);
    let taken = control.reload(&setup.accounts, &setup.server.clients);
    taken.map_err(|error| say(&format!("error: {error}")))?;
    Ok(setup.accounts.len())
}

fn fail(error: impl std::fmt::Display) -> Exit {
    say(&format!("error: {error}"));
    Exit::Failed
}

fn show(findings: &Diagnostics) {
    if !findings.is_empty() {
        say(findings.render(stderr_has_colour()).trim_end());
    }
}
