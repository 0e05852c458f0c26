//! Memory follows from the scenario's shape, not from how many requests it has.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A steady load with failures, retries and tokens, for so long.
fn scenario(duration: &str) -> String {
    format!(
        r#"
        question = "Is anything kept of each request?"
        expectation = "No."
        duration = "{duration}"
        replications = 2
        strategies = ["smart"]
        [models.m]
        service = {{ first_token = {{ kind = "exponential", mean = "20ms" }},
                     per_output_token = "1ms" }}
        prices = {{ input = "$1/Mtok", output = "$5/Mtok" }}
        [[accounts]]
        id = "a-{{n}}"
        count = 4
        provider = "custom"
        models = ["m"]
        capacity = {{ slots = 50 }}
        failures = [{{ kind = "internal_error", rate = 0.01 }}]
        [workload]
        arrivals = "poisson"
        rate = "500rps"
        [[workload.classes]]
        name = "all"
        model = "m"
        streaming_share = 0.5
        input_tokens = {{ kind = "exponential", mean = 100 }}
        output_tokens = {{ kind = "exponential", mean = 50 }}
        "#
    )
}

/// Peak of the memory in use, in kB, as last seen before the end of a run.
fn peak(folder: &Path, duration: &str) -> u64 {
    fs::write(folder.join("memory.toml"), scenario(duration)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_routelab"))
        .current_dir(folder)
        .args(["--quiet", "--jobs", "1", "memory.toml"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("a child of ours").is_none() {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        peak = kilobytes.map_or(peak, |kb| kb.parse().expect("a number"));
        std::thread::yield_now();
    }
    assert!(child.wait().expect("a child of ours").success());
    peak
}

/// 1.9 million requests more: three bytes kept of each would be 5.7 MB. Allowed is what rare
/// latencies take that open another octave of a histogram.
#[test]
fn nothing_is_kept_of_a_request() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let few = peak(folder.path(), "100s");
    let many = peak(folder.path(), "2000s");
    println!("{few} kB, {many} kB");
    assert!(few > 1_000, "{few} kB: the peak was not seen");
    assert!(
        many < few + 4_000,
        "{few} kB for 100,000 requests, {many} kB for 2,000,000"
    );
}
