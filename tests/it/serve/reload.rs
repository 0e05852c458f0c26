//! New accounts and clients while it serves, and the command with its file and its signals.

use super::stage::{CLIENT_KEY, Stage, Upstream, account, asking, client_key, live, whole_answer};
use crate::cli::{empty_folder, routelab};
use routelab::live::server::ReloadError;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Accounts come and go under load; every request is answered.
#[test]
fn no_request_is_lost_while_accounts_change() {
    live(async {
        let stage = Stage::new(Upstream::answering(whole_answer)).await;
        let clients = [client_key("tester", CLIENT_KEY)];
        let asking = asking(false);
        let ask = async {
            for _ in 0..200 {
                let response = stage.post("/v1/messages", &asking).await;
                assert_eq!(response.status(), 200);
            }
        };
        let change = async {
            for round in 0..100 {
                let name = if round % 2 == 0 { "a" } else { "b" };
                let accounts = [account(name, stage.upstream.addr)];
                stage.control.reload(&accounts, &clients).unwrap();
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(ask, change);
        stage.is_empty().await;
        assert_eq!(stage.proxy.get_stats().await.successful_requests, 200);
    });
}

#[test]
fn what_cannot_be_used_changes_nothing() {
    live(async {
        let stage = Stage::new(Upstream::answering(whole_answer)).await;
        let good = account("a", stage.upstream.addr);
        let mut bad = account("b", stage.upstream.addr);
        bad.base_url = "nowhere".to_owned();
        let stranger = [client_key("stranger", "other")];
        let refused = stage.control.reload(&[good.clone(), bad], &stranger);
        assert!(
            matches!(refused, Err(ReloadError::Account(_))),
            "{refused:?}"
        );
        let twice = [client_key("x", "same"), client_key("y", "same")];
        let refused = stage
            .control
            .reload(&[account("c", stage.upstream.addr)], &twice);
        assert!(matches!(refused, Err(ReloadError::Key(_))), "{refused:?}");
        let response = stage.post("/v1/messages", &asking(false)).await;
        assert_eq!(response.status(), 200, "the client is still known");
        assert_eq!(stage.proxy.get_all_metrics().await.len(), 1);
        stage.control.reload(&[good], &stranger).unwrap();
        let response = stage.post("/v1/messages", &asking(false)).await;
        assert_eq!(response.status(), 401, "and now no more");
    });
}

const FILE: &str = r#"
[server]
listen = "127.0.0.1:0"

[[clients]]
name = "tester"
key_file = "client.key"

[models.claude]

[[accounts]]
id = "a"
provider = "anthropic"
base_url = "http://127.0.0.1:1"
key_env = "ROUTELAB_TEST_KEY"
models = ["claude"]
"#;

fn serving<'a>(folder: &Path, args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = routelab(folder, ["serve", "gateway.toml"].into_iter().chain(args));
    command
        .env("ROUTELAB_TEST_KEY", "sk-account-secret")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// SIGHUP takes over a good file and refuses a bad one; SIGTERM ends it well. Nothing that it
/// writes holds a key.
#[test]
fn the_command_serves_reloads_and_ends() {
    let folder = empty_folder();
    let file = folder.path().join("gateway.toml");
    fs::write(folder.path().join("client.key"), "sk-client-secret\n").unwrap();
    fs::write(&file, FILE).unwrap();
    let mut child = serving(folder.path(), ["--json"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    let listening = out.next().unwrap().unwrap();
    assert!(
        listening.starts_with("{\"listening\":\"127.0.0.1:"),
        "{listening}"
    );
    let id = child.id().to_string();
    let send = |signal: &str| {
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    };
    let mut all = String::new();
    let mut until = |word: &str| {
        for line in told.by_ref() {
            let line = line.unwrap();
            all += &line;
            if line.contains(word) {
                return;
            }
        }
        panic!("it ended before it said {word:?}: {all}");
    };
    send("-HUP");
    until("reloaded gateway.toml: 1 account");
    fs::write(&file, FILE.replace("anthropic", "anthropics")).unwrap();
    send("-HUP");
    until("did you mean");
    until("not reloaded");
    send("-TERM");
    until("draining");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!all.contains("secret"), "{all}");
}

/// A wrong file: where, what is allowed, and the exit code of a wrong scenario.
#[test]
fn a_wrong_file_is_shown_and_not_served() {
    let folder = empty_folder();
    fs::write(folder.path().join("client.key"), "sk-client-secret\n").unwrap();
    for (from, to, told) in [
        (
            "listen = \"127.0.0.1:0\"",
            "listen = \"here\"",
            "is not an address",
        ),
        ("listen = ", "lisen = ", "did you mean `listen`?"),
        ("\"anthropic\"", "\"openai\"", "known: anthropic, google"),
        ("ROUTELAB_TEST_KEY", "ROUTELAB_NO_KEY", "it is not set"),
        ("client.key", "no.key", "there is no key in the file"),
        (
            "key_env = ",
            "key_file = \"client.key\"\nkey_env = ",
            "both `key_env`",
        ),
        (
            "key_env = \"ROUTELAB_TEST_KEY\"",
            "",
            "missing the key of account `a`",
        ),
        ("http://127", "ftp://127", "begins with neither"),
        (
            "[models.claude]",
            "[models.claude]\nservice = { }",
            "a simulated upstream",
        ),
        (
            "id = \"a\"",
            "id = \"a\"\nquota = \"none\"",
            "a simulated upstream",
        ),
        (
            "[server]",
            "[routing]\nstrategy = \"best\"\n[server]",
            "unknown strategy `best`",
        ),
        (
            "[server]",
            "[workload]\nrate = 1\n[server]",
            "unknown key `workload`",
        ),
    ] {
        assert!(FILE.contains(from), "{from}");
        let text = FILE.replacen(from, to, 1);
        fs::write(folder.path().join("gateway.toml"), text).unwrap();
        let run = serving(folder.path(), ["--check"]).output().unwrap();
        let shown = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(104), "{to}: {shown}");
        assert!(shown.contains(told), "{to}: {shown}");
        assert!(shown.contains("gateway.toml:"), "{to}: {shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}

/// Without clients, an address that others reach is refused: the accounts cost money.
#[test]
fn a_gateway_for_everyone_stays_at_home() {
    let folder = empty_folder();
    let (before, rest) = FILE.split_once("[[clients]]").unwrap();
    let (_, after) = rest.split_once("key_file = \"client.key\"").unwrap();
    let home = format!("{before}{after}");
    for (text, code) in [
        (home.clone(), 0),
        (home.replace("127.0.0.1:0", "0.0.0.0:0"), 104),
    ] {
        fs::write(folder.path().join("gateway.toml"), text).unwrap();
        let run = serving(folder.path(), ["--check"]).output().unwrap();
        let shown = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(code), "{shown}");
    }
}

/// The file that comes with routelab is sound, once its keys are there.
#[test]
fn the_example_is_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = routelab(root, ["serve", "gateway.example.toml", "--check"])
        .env("ROUTELAB_BACKEND_KEY", "x")
        .env("ANTHROPIC_API_KEY", "x")
        .env("GEMINI_API_KEY", "x")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{shown}");
    assert_eq!(shown, "", "without a warning");
}
