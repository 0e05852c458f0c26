//! The command line as a script sees it: the built program, its exit codes, stdout, stderr, files.

use crate::support::files;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A run of the program that has ended.
pub(crate) struct Run {
    code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("all output is UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Asserts the exit code, showing all output if it is another.
    pub(crate) fn expect(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{stdout}\nstderr:\n{stderr}"
        );
        assert!(!stderr.contains("panicked"), "{stderr}");
        self
    }
}

/// The program, to be run in `folder`.
pub(crate) fn routelab<'a>(folder: &Path, args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_routelab"));
    command.current_dir(folder).args(args).stdin(Stdio::null());
    command
}

/// Runs the program in `folder` to its end.
pub(crate) fn run<'a>(folder: &Path, args: impl IntoIterator<Item = &'a str>) -> Run {
    Run::from(routelab(folder, args).output().expect("the program starts"))
}

pub(crate) fn empty_folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A shipped scenario.
pub(crate) fn shipped(name: &str) -> String {
    format!("{}/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn wrong_usage_exits_with_2() {
    let folder = empty_folder();
    for args in [
        "",
        "--no-such-option x.toml",
        "--seed",
        "--seed many x.toml",
        "--jobs 0 x.toml",
        "--replications 0 x.toml",
        "--set duration x.toml",
        "--quiet",
        "check",
        "list a b",
        "validate --scale 0",
        "warmup",
        "warmup a.toml b.toml",
        "warmup a.toml --replications 0",
        "warmup a.toml --replications 1001",
        "warmup a.toml --seed -1",
        "warmup a.toml --set duration",
        "warmup a.toml --strategies smart",
        "validate scenarios",
    ] {
        let run = run(folder.path(), args.split_whitespace()).expect(2);
        assert_eq!(run.stdout, "", "{args}");
        assert!(
            run.stderr.contains("routelab") || run.stderr.contains("--help"),
            "{args}"
        );
    }
    assert!(files(folder.path()).is_empty());
}

/// A number below zero is a number out of range, not an option that nobody knows.
#[test]
fn numbers_out_of_range_are_called_that() {
    let folder = empty_folder();
    let mut messages = vec![];
    for args in [
        "validate --scale -1",
        "validate --scale 0",
        "validate --scale much",
        "warmup a.toml --replications -5",
        "warmup a.toml --seed -1",
        "claims --replications -10",
        "claims --seed -1",
        "decide --rounds -1",
        "a.toml --jobs -2",
        "a.toml --seed -7",
        "a.toml --replications -3",
    ] {
        let run = run(folder.path(), args.split(' ')).expect(2);
        messages.push(format!("$ routelab {args}\n{}", run.stderr));
    }
    insta::assert_snapshot!(messages.join("\n"));
    assert!(files(folder.path()).is_empty());
}

#[test]
fn help_shows_every_command_option_and_exit_code() {
    let run = run(empty_folder().path(), ["--help"]).expect(0);
    for word in [
        "SCENARIO",
        "ablate",
        "check",
        "compare",
        "decide",
        "claims",
        "gallery",
        "list",
        "sweep",
        "warmup",
        "--set",
        "--seed",
        "--replications",
        "--strategies",
        "--jobs",
        "--out",
        "--quiet",
        "--json",
        "results",
        "98",
        "99",
        "104",
        "130",
    ] {
        assert!(run.stdout.contains(word), "{word}\n{}", run.stdout);
    }
    for line in run.stdout.lines() {
        assert!(
            line.chars().count() <= 100,
            "too wide for a terminal: {line}"
        );
    }
}

#[test]
fn a_missing_file_says_what_was_meant() {
    let folder = empty_folder();
    let scenarios = folder.path().join("scenarios");
    fs::create_dir(&scenarios).unwrap();
    fs::write(scenarios.join("outage.toml"), "").unwrap();
    for (wanted, help) in [
        ("outage", "scenarios/outage.toml"),
        ("outage.toml", "scenarios/outage.toml"),
        ("scenarios/outgae.toml", "scenarios/outage.toml"),
        ("chekc", "routelab check"),
        ("nothing-like-it", "routelab list"),
        ("scenarios", "routelab list scenarios"),
    ] {
        for command in [&[wanted][..], &["check", wanted]] {
            let run = run(folder.path(), command.iter().copied()).expect(104);
            assert_eq!(run.stdout, "", "{wanted}");
            assert!(run.stderr.contains(wanted), "{}", run.stderr);
            assert!(run.stderr.contains(help), "{wanted}: {}", run.stderr);
        }
    }
    assert!(!folder.path().join("results").exists());
}

#[test]
fn three_typos_give_three_messages_and_nothing_is_written() {
    let folder = empty_folder();
    let sound = fs::read_to_string(shipped("outage")).expect("a shipped scenario");
    let typos = "sede = 7\nwarmpu = \"1s\"\nreplicatoins = 3\n";
    fs::write(folder.path().join("bad.toml"), format!("{typos}{sound}")).unwrap();
    let outage = shipped("outage");
    // A sound one beside it does not run either.
    let run = run(folder.path(), [outage.as_str(), "bad.toml"]).expect(104);
    assert_eq!(run.stdout, "");
    for (typo, meant) in [
        ("sede", "seed"),
        ("warmpu", "warmup"),
        ("replicatoins", "replications"),
    ] {
        assert!(run.stderr.contains(typo), "{typo}\n{}", run.stderr);
        assert!(run.stderr.contains(meant), "{meant}\n{}", run.stderr);
    }
    assert_eq!(run.stderr.matches("bad.toml:").count(), 3, "{}", run.stderr);
    assert_eq!(files(folder.path()).len(), 1);
}

/// A pipe serves as a scenario, and an endless device is given up at the limit, not at the end of
/// memory.
#[test]
#[cfg(unix)]
fn what_is_no_plain_file_is_read_up_to_the_limit() {
    let folder = empty_folder();
    let text = fs::File::open(shipped("steady")).expect("a shipped scenario");
    let mut piped = routelab(folder.path(), ["check", "/dev/stdin"]);
    let output = piped.stdin(text).output().expect("the program runs");
    let checked = Run::from(output).expect(0);
    assert!(checked.stdout.contains("10 accounts"), "{}", checked.stdout);
    let endless = run(folder.path(), ["check", "/dev/zero"]).expect(104);
    assert!(
        endless.stderr.contains("larger than 16 MiB"),
        "{}",
        endless.stderr
    );
}

#[test]
fn list_shows_scenarios_with_their_question() {
    let folder = empty_folder();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file(
        "b.toml",
        "question = \"\"\"Is it\n  fast?\"\"\"\n[workload]\n",
    );
    file("a.toml", "question = \"Is it safe?\"\n");
    file("long-name.toml", "seed = 1\n");
    file("broken.toml", "question = \n");
    file("notes.md", "# no scenario\n");
    let listed = run(folder.path(), ["list", "."]).expect(0);
    let lines: Vec<_> = listed.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "./a.toml          Is it safe?",
            "./b.toml          Is it fast?",
            "./broken.toml     (unreadable: see `routelab check ./broken.toml`)",
            "./long-name.toml  (asks no question)",
        ]
    );
    let missing = run(folder.path(), ["list"]).expect(104);
    assert!(missing.stderr.contains("scenarios"), "{}", missing.stderr);
}

#[test]
fn list_shows_the_shipped_scenarios() {
    let listed = run(Path::new(env!("CARGO_MANIFEST_DIR")), ["list"]).expect(0);
    assert!(listed.stdout.contains("scenarios/outage.toml"));
    for line in listed.stdout.lines() {
        assert!(
            line.ends_with('?'),
            "every scenario asks a question: {line}"
        );
    }
}

#[test]
fn check_sums_up_what_would_run() {
    let folder = empty_folder();
    let outage = shipped("outage");
    let args = ["check", "--replications", "3", &outage, "no-such-file"];
    let checked = run(folder.path(), args).expect(104);
    for word in [
        "outage.toml",
        "account",
        "strateg",
        "3 replications",
        "request",
    ] {
        assert!(checked.stdout.contains(word), "{word}\n{}", checked.stdout);
    }
    assert!(checked.stderr.contains("no-such-file"));
    assert!(files(folder.path()).is_empty());
    run(folder.path(), ["check", &outage]).expect(0);
}

/// A pipe whose reader has left.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = empty_folder();
    fs::write(folder.path().join("a.toml"), "question = \"Why?\"\n").unwrap();
    for args in [&["list", "."][..], &["--help"]] {
        let mut command = routelab(folder.path(), args.iter().copied());
        let output = command.stdout(closed_pipe()).output().unwrap();
        Run::from(output).expect(0);
    }
    let mut command = routelab(folder.path(), ["no-such-file"]);
    let output = command.stdout(closed_pipe()).stderr(closed_pipe());
    Run::from(output.output().unwrap()).expect(104);
}

#[test]
fn results_are_written_although_the_reader_has_left() {
    let folder = empty_folder();
    let outage = shipped("outage");
    let mut command = routelab(folder.path(), ["--replications", "1", &outage]);
    let output = command.stdout(closed_pipe()).output().unwrap();
    Run::from(output).expect(0);
    assert!(folder.path().join("results/outage/summary.csv").exists());
}

#[test]
fn a_full_disk_behind_stdout_is_reported() {
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("SKIPPED: this platform has no /dev/full");
        return;
    };
    let folder = empty_folder();
    fs::write(folder.path().join("a.toml"), "").unwrap();
    let mut command = routelab(folder.path(), ["list", "."]);
    let run = Run::from(command.stdout(full).output().unwrap()).expect(1);
    assert!(run.stderr.contains("stdout"), "{}", run.stderr);
}

#[test]
fn the_main_job_prints_a_table_and_the_path_of_the_results() {
    let folder = empty_folder();
    let outage = shipped("outage");
    let args = ["--replications", "2", "--strategies", "round_robin,naive"];
    let done = run(folder.path(), args.into_iter().chain([outage.as_str()])).expect(0);
    // Not a terminal: no progress, no colours.
    assert_eq!(done.stderr, "");
    assert!(!done.stdout.contains('\x1b'), "{}", done.stdout);
    assert_eq!(done.stdout.lines().last(), Some("results/outage"));
    for strategy in ["round_robin", "naive"] {
        assert!(done.stdout.contains(strategy), "{}", done.stdout);
    }
    let written = files(&folder.path().join("results/outage"));
    for file in ["summary.csv", "manifest.json", "environment.json"] {
        assert!(
            written.contains_key(Path::new(file)),
            "{file}: {:?}",
            written.keys()
        );
    }
}

#[test]
fn json_is_a_line_per_scenario() {
    let folder = empty_folder();
    let (outage, steady) = (shipped("outage"), shipped("steady"));
    let args = [
        "--json",
        "--out",
        "out",
        "--replications",
        "1",
        &outage,
        &steady,
    ];
    let done = run(folder.path(), args).expect(0);
    let lines: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let paths: Vec<_> = lines.iter().map(|line| &line["results_dir"]).collect();
    assert_eq!(paths, ["out/outage", "out/steady"]);
    assert!(folder.path().join("out/steady").is_dir());
}

#[test]
fn scenarios_of_one_name_do_not_overwrite_each_other() {
    let folder = empty_folder();
    let outage = shipped("outage");
    let refused = run(folder.path(), [outage.as_str(), &outage]).expect(2);
    assert!(refused.stderr.contains("--out"), "{}", refused.stderr);
    assert!(files(folder.path()).is_empty());
}

#[test]
fn results_that_cannot_be_written_are_no_surprise_at_the_end() {
    let folder = empty_folder();
    let (outage, steady) = (shipped("outage"), shipped("steady"));
    fs::create_dir(folder.path().join("results")).unwrap();
    fs::write(folder.path().join("results/steady"), "mine").unwrap();
    let refused = run(folder.path(), [outage.as_str(), &steady]).expect(1);
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.starts_with("error: "), "{}", refused.stderr);
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn any_number_of_workers_gives_the_same_bytes() {
    let (one, four) = (empty_folder(), empty_folder());
    let outage = shipped("outage");
    let with = |folder: &TempDir, jobs| {
        let args = ["--replications", "3", "--jobs", jobs, outage.as_str()];
        let done = run(folder.path(), args).expect(0);
        let mut written = files(folder.path());
        let environment = written.remove(Path::new("results/outage/environment.json"));
        assert!(environment.is_some());
        (done.stdout, written)
    };
    let (first, second) = (with(&one, "1"), with(&four, "4"));
    assert_eq!(first.0, second.0);
    let names: Vec<_> = first.1.keys().collect();
    assert_eq!(names, second.1.keys().collect::<Vec<_>>());
    assert!(!names.is_empty());
    for (name, bytes) in &first.1 {
        assert!(*bytes == second.1[name], "{} differs", name.display());
    }
}

#[cfg(target_os = "linux")]
pub(crate) mod interrupted {
    use super::{Command, Path, PathBuf, Run, Stdio, empty_folder, files, fs, routelab, shipped};
    use std::process::Child;

    /// More replications than anybody waits for.
    const ENDLESS: &str = "20000";

    /// Sends the signal of Ctrl-C as soon as `ready` says so of the child's folder in `/proc`.
    pub(crate) fn interrupt_when(mut child: Child, ready: impl Fn(&Path) -> bool) -> Run {
        let proc = PathBuf::from(format!("/proc/{}", child.id()));
        while !ready(&proc) {
            if child.try_wait().expect("a child of ours").is_some() {
                let run = Run::from(child.wait_with_output().unwrap());
                panic!("ended by itself with {:?}: {}", run.code, run.stderr);
            }
            std::thread::yield_now();
        }
        let kill = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(kill.expect("kill starts").success());
        Run::from(child.wait_with_output().unwrap())
    }

    /// Whether the process handles Ctrl-C by now: signal 2 in its mask of caught signals.
    pub(crate) fn handles_it(proc: &Path) -> bool {
        let status = fs::read_to_string(proc.join("status")).unwrap_or_default();
        let mask = status.lines().find_map(|l| l.strip_prefix("SigCgt:"));
        mask.is_some_and(|m| u64::from_str_radix(m.trim(), 16).is_ok_and(|m| m & 2 != 0))
    }

    /// Whether the process has used half a second of processor time: fields 14 and 15 of its
    /// `stat`, counted from after the name, in hundredths of a second.
    fn has_worked(proc: &Path) -> bool {
        let stat = fs::read_to_string(proc.join("stat")).unwrap_or_default();
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = fields.split(' ').skip(11).take(2);
        ticks.filter_map(|t| t.parse::<u64>().ok()).sum::<u64>() >= 50
    }

    fn start(folder: &Path) -> Child {
        let (outage, steady) = (shipped("outage"), shipped("steady"));
        routelab(folder, ["--replications", ENDLESS, &outage, &steady])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    #[test]
    fn what_is_finished_is_kept() {
        let folder = empty_folder();
        let child = start(folder.path());
        let run = interrupt_when(child, |proc| handles_it(proc) && has_worked(proc)).expect(130);
        assert_eq!(run.stdout.lines().last(), Some("results/outage"));
        assert!(
            run.stderr.contains("are kept in results/outage"),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains("not run: steady"), "{}", run.stderr);
        let written = files(folder.path());
        assert!(written.contains_key(Path::new("results/outage/summary.csv")));
        assert!(!folder.path().join("results/steady").exists());
    }

    #[test]
    fn at_once_it_leaves_all_or_nothing() {
        let folder = empty_folder();
        let run = interrupt_when(start(folder.path()), handles_it).expect(130);
        assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
        // It depends on the machine whether a replication was finished; no file is torn.
        for (file, bytes) in files(folder.path()) {
            assert!(
                !file.to_string_lossy().contains("partial"),
                "{}",
                file.display()
            );
            assert!(!bytes.is_empty(), "{}", file.display());
        }
    }
}
