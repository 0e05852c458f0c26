//! The door: from text to a valid [`Scenario`], or to everything that is wrong with it.

use super::accounts::{self, Pool};
use super::checks::{self, Size};
use super::decode;
use super::diagnostics::{Diagnostics, Finding, Findings, Source, Span};
use super::document::{self, Table, Value};
use super::faults;
use super::models::{self, Models, Services};
use super::overrides::{self, Overrides};
use super::regions::{self, Regions};
use super::routing;
use super::section::Section;
use super::strategies;
use super::workload::{self, Workload};
use super::{Loaded, Scenario, emit, output};
use crate::routing::config::RoutingConfig;
use crate::time::{Duration, Timestamp};
use crate::upstream::config::UpstreamConfig;
use crate::workload::config::WorkloadConfig;
use std::path::Path;

/// Longest file that is read: longer ones are no scenario.
const LARGEST_FILE: u64 = 16 << 20;

/// Reads the scenario in a file.
///
/// # Errors
/// If it cannot be read, or is not a valid scenario: everything that was found.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Loaded, Diagnostics> {
    let text = text_of(path).map_err(Diagnostics::single)?;
    let base_dir = path.parent().unwrap_or(Path::new(""));
    parse(&path.display().to_string(), &text, base_dir, overrides)
}

fn text_of(path: &Path) -> Result<String, Finding> {
    let name = path.display();
    let refuse = |why: &str| Finding::error(format!("cannot read `{name}`: {why}"));
    let facts = std::fs::metadata(path).map_err(|error| {
        let finding = refuse(&super::trace_file::reason(&error));
        match nearest_file(path) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding.help("give the path of a scenario file, such as scenarios/outage.toml"),
        }
    })?;
    if facts.is_dir() {
        return Err(refuse("this is a directory").help("name the files: `routelab DIR/*.toml`"));
    }
    if facts.len() > LARGEST_FILE {
        let help = "a scenario is a few kilobytes of TOML; a trace goes into `workload.path`";
        return Err(refuse("it is larger than 16 MiB").help(help));
    }
    let bytes = std::fs::read(path).map_err(|e| refuse(&super::trace_file::reason(&e)))?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = good.iter().rposition(|byte| *byte == b'\n');
        let column = good.len() - start.map_or(0, |newline| newline + 1) + 1;
        refuse("it is not UTF-8 text")
            .origin(name.to_string(), line as u64, column as u64)
            .help("save it as UTF-8; a compressed or binary file is no scenario")
    })
}

/// The file beside a missing one whose name is most like it.
fn nearest_file(path: &Path) -> Option<String> {
    let directory = path.parent()?;
    let listed = match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
    };
    let names = std::fs::read_dir(listed).ok()?.take(1_000);
    let mut names: Vec<String> = names
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    let wanted = path.file_name()?.to_str()?;
    let near = decode::nearest(wanted, names.iter().map(String::as_str))?;
    Some(directory.join(near).display().to_string())
}

/// Reads the scenario in a text. `source_name` is the name of its file in messages; `base_dir` is
/// where the path of a trace starts from. No file is opened but that trace.
///
/// # Errors
/// If it is not a valid scenario: everything that was found.
pub fn parse(
    source_name: &str,
    text: &str,
    base_dir: &Path,
    overrides: &Overrides,
) -> Result<Loaded, Diagnostics> {
    let mut sources = vec![Source {
        name: source_name.to_owned(),
        text: text.to_owned(),
    }];
    let findings = Findings::default();
    let (mut table, syntax) = document::read(text, &findings);
    if table.entries.is_empty() && syntax.is_empty() {
        let finding = Finding::error(format!("`{source_name}` is empty"));
        let help = "start from a copy of scenarios/steady.toml; docs/scenario-format.md has \
                    every key";
        return Err(Diagnostics::single(finding.help(help)));
    }
    overrides::apply(overrides, &mut table, &mut sources, &findings);
    let meaning = Findings::default();
    let scenario = scenario(source_name, &table, base_dir, &meaning);
    if !syntax.is_empty() {
        meaning.drop_consequences_of(&syntax, text);
    }
    let failed = findings.has_errors() || meaning.has_errors();
    meaning.move_to(&findings);
    let diagnostics = findings.into_diagnostics(sources);
    match scenario {
        Some(scenario) if !failed => Ok(Loaded {
            scenario,
            warnings: diagnostics,
        }),
        _ => Err(diagnostics),
    }
}

/// The sections that the others refer to.
struct Parts {
    services: Services,
    models: Option<Models>,
    regions: Regions,
    pool: Option<Pool>,
    workload: Option<Workload>,
}

fn parts(top: &mut Section, source_name: &str, base_dir: &Path, findings: &Findings) -> Parts {
    let mut services = Services::default();
    let models = models::read(top, &mut services, findings);
    let regions = regions::read(top, findings);
    let context = accounts::Context {
        models: models.as_ref(),
        regions: regions.names.as_deref(),
        findings,
    };
    let pool = accounts::read(top, &context, &mut services);
    let workload = workload::read(
        top,
        &workload::Context {
            models: models.as_ref(),
            regions: regions.names.as_deref(),
            base_dir,
            source_name,
            findings,
        },
    );
    Parts {
        services,
        models,
        regions,
        pool,
        workload,
    }
}

fn scenario(
    source_name: &str,
    table: &Table,
    base_dir: &Path,
    findings: &Findings,
) -> Option<Scenario> {
    let mut top = Section::new(table, Span::default(), "the scenario", findings);
    let question = top.required("question", "\"Which strategy ...?\"", decode::prose);
    let expectation = top.required("expectation", "\"I expect ...\"", decode::prose);
    let numbers = Numbers::read(&mut top);
    let parts = parts(&mut top, source_name, base_dir, findings);
    let duration = duration(&mut top, parts.workload.as_ref());
    let warmup = warmup(&mut top, duration, findings);
    let context = faults::Context {
        pool: parts.pool.as_ref(),
        models: parts.models.as_ref(),
        regions: parts.regions.names.as_deref(),
        end: duration,
        findings,
    };
    let faults = faults::read(&mut top, &context);
    let routing = base_routing(&mut top, findings);
    let arms = strategies::read(
        &mut top,
        routing.as_ref().unwrap_or(&RoutingConfig::default()),
        findings,
    );
    let baseline = strategies::baseline(&mut top, arms.as_deref(), findings);
    let output = output::read(&mut top, duration, findings);
    let spans = Spans::of(&top, table);
    top.finish();
    routing?;
    let arms = arms?;
    let (duration, warmup, workload) = (duration?, warmup?, parts.workload?);
    let size = Size {
        duration,
        warmup,
        replications: numbers.replications?,
        arms: arms.len(),
        at: spans.arrivals,
    };
    checks::size(&workload, &size, findings);
    let (models, pool) = (parts.models?, parts.pool?);
    checks::served(&workload, &spans.classes, &models, &pool, findings);
    let regions = parts.regions.names?;
    let (account_descriptions, lanes) = pool.describe(&regions);
    let (faults, fault_descriptions) = faults?;
    let trace = workload.trace.iter();
    let inputs = trace.map(|file| (file.path.clone(), file.sha256.clone()));
    Some(Scenario {
        name: stem(source_name),
        question: question?,
        expectation: expectation?,
        resolved_toml: emit::document(table),
        seed: numbers.seed?,
        policy_seed: numbers.policy_seed?,
        replications: numbers.replications?,
        duration,
        warmup,
        latency_objective: numbers.latency_objective?,
        models: models.names,
        regions,
        accounts: pool.accounts,
        account_descriptions,
        lanes,
        inputs: inputs.collect(),
        workload: WorkloadConfig {
            arrivals: workload.arrivals?,
            classes: workload.classes?,
            end: Timestamp::ZERO + duration,
        },
        upstream: UpstreamConfig {
            accounts: pool.behaviours,
            services: parts.services.0,
            quotas: pool.quotas,
            network: parts.regions.network,
            faults,
        },
        faults: fault_descriptions,
        arms,
        baseline: baseline?,
        output: output?,
    })
}

/// Plain numbers at the top.
struct Numbers {
    seed: Option<u64>,
    policy_seed: Option<u64>,
    replications: Option<u32>,
    latency_objective: Option<Duration>,
}

impl Numbers {
    fn read(top: &mut Section) -> Self {
        let seed = || decode::count(0..=u64::MAX);
        let replications = top.or("replications", 10, decode::count(1..=100_000));
        Self {
            seed: top.or("seed", 1, seed()),
            policy_seed: top.or("policy_seed", 1, seed()),
            replications: replications.map(|number| number as u32),
            latency_objective: top.or(
                "latency_objective",
                Duration::from_secs(10),
                decode::positive_duration,
            ),
        }
    }
}

/// When arrivals stop: as stated, or with a trace just after its last row.
fn duration(top: &mut Section, workload: Option<&Workload>) -> Option<Duration> {
    let stated = top.optional("duration", decode::positive_duration)?;
    if stated.is_some() {
        return stated;
    }
    match workload {
        Some(workload) if workload.traced => workload.trace.as_ref().map(|file| file.end()),
        _ => {
            top.missing("duration", "\"10min\"");
            None
        }
    }
}

fn warmup(top: &mut Section, duration: Option<Duration>, findings: &Findings) -> Option<Duration> {
    let warmup = top.or("warmup", Duration::ZERO, decode::duration)?;
    if duration.is_some_and(|duration| warmup >= duration) {
        let finding = Finding::error("nothing is left to measure after the warm-up");
        let label = format!("arrivals stop at {}", duration.unwrap_or_default());
        let help = "`warmup` must be shorter than `duration`";
        let mut finding = finding.at(top.span("warmup"), label).help(help);
        if top.has("duration") {
            finding = finding.also(top.span("duration"), "by this");
        }
        findings.push(finding);
        return None;
    }
    Some(warmup)
}

fn base_routing(top: &mut Section, findings: &Findings) -> Option<RoutingConfig> {
    let base = RoutingConfig::default();
    let Some(node) = top.node("routing") else {
        return Some(base);
    };
    let mut section = Section::of(node, "[routing]", findings)?;
    let routing = routing::read(&mut section, &base, findings);
    let help = "list the strategies to compare in `strategies`";
    section.misplaced("strategy", "it belongs to `strategies`", help);
    section.finish();
    routing
}

/// Places that checks over several sections point to.
struct Spans {
    arrivals: Span,
    classes: Vec<Span>,
}

impl Spans {
    fn of(top: &Section, table: &Table) -> Self {
        let workload = table.get("workload").and_then(|node| node.table());
        let at = |key: &str| workload.and_then(|table| table.get(key));
        let arrivals = at("rate").or_else(|| at("segments")).map(|node| node.span);
        let classes = match at("classes").map(|node| &node.value) {
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| {
                    let model = item.table().and_then(|table| table.get("model"));
                    model.map_or(item.span, |model| model.span)
                })
                .collect(),
            _ => Vec::new(),
        };
        Self {
            arrivals: arrivals.unwrap_or_else(|| top.span("workload")),
            classes,
        }
    }
}

fn stem(source_name: &str) -> String {
    let stem = Path::new(source_name).file_stem();
    stem.map_or_else(
        || "scenario".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}
