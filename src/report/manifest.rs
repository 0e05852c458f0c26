//! `manifest.json`: what was run, how to run it again, and the SHA-256 of every file that must come
//! out the same; and `environment.json`: where and when, the one file that differs between runs.

use super::directory::File;
use super::{Environment, summary};
use crate::experiment::results::ScenarioResults;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Name of the manifest.
pub const NAME: &str = "manifest.json";

/// Version of names and meaning of result files and columns. Rises when a reader of an older one
/// would go wrong; a new file or a new last column does not raise it.
pub const RESULT_FORMAT: u32 = 1;

/// The manifest of `files`.
#[must_use]
pub fn manifest(results: &ScenarioResults, files: &[File]) -> File {
    let about = &results.description;
    let inputs = about
        .inputs
        .iter()
        .map(|(path, hash)| json!({ "path": path, "sha256": hash }));
    pretty(
        NAME,
        &json!({
            "result_format": RESULT_FORMAT,
            "routelab_version": env!("CARGO_PKG_VERSION"),
            "scenario": about.name,
            "question": about.question,
            "expectation": about.expectation,
            "seed": about.seed,
            "policy_seed": about.policy_seed,
            "replications_asked": about.replications,
            "replications_finished": summary::replications(results),
            "interrupted": results.interrupted,
            "strategies": results.strategies.iter().map(|s| &s.name).collect::<Vec<_>>(),
            "baseline": summary::baseline(results).map(|s| &s.name),
            "inputs": inputs.collect::<Vec<_>>(),
            "files": listed(files),
            "resolved_scenario": about.resolved_toml,
        }),
    )
}

/// The manifest of another report, such as a sweep; `about` says what was run.
#[must_use]
pub fn report(files: &[File], mut about: Value) -> File {
    about["result_format"] = RESULT_FORMAT.into();
    about["routelab_version"] = env!("CARGO_PKG_VERSION").into();
    about["files"] = listed(files);
    pretty(NAME, &about)
}

fn listed(files: &[File]) -> Value {
    let listed = files.iter().map(|file| {
        json!({
            "path": file.path,
            "bytes": file.content.len(),
            "sha256": sha256(&file.content),
        })
    });
    listed.collect()
}

/// Whether a file of that name was written by [`manifest`], of any version.
#[must_use]
pub fn is_ours(text: &[u8]) -> bool {
    serde_json::from_slice::<Value>(text)
        .is_ok_and(|manifest| manifest.get("result_format").is_some_and(Value::is_u64))
}

/// The environment of a run.
#[must_use]
pub fn environment(environment: &Environment) -> File {
    environment_and(environment, &[])
}

/// The environment of a run that has more to say of the machine.
#[must_use]
pub fn environment_and(environment: &Environment, more: &[(&str, Value)]) -> File {
    let mut facts = json!({
        "host": environment.host,
        "os": environment.os,
        "cpus": environment.cpus,
        "git_commit": environment.git_commit,
        "started": environment.started,
        "finished": environment.finished,
        "elapsed_s": environment.elapsed.as_secs_f64(),
    });
    for (name, value) in more {
        facts[*name] = value.clone();
    }
    pretty("environment.json", &facts)
}

fn pretty(path: &str, value: &Value) -> File {
    File {
        path: path.to_owned(),
        content: format!("{value:#}\n").into_bytes(),
    }
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standard() {
        // FIPS 180-4 example: "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), expected);
    }

    #[test]
    fn manifests_of_others_are_not_ours() {
        assert!(is_ours(br#"{"result_format": 7, "more": []}"#));
        for other in ["", "{", "[]", r#"{"name": "app"}"#] {
            assert!(!is_ours(other.as_bytes()), "{other}");
        }
    }
}
