//! The door: from text to a valid [`Scenario`], or to everything that is wrong with it.

use super::accounts::{self, Pool};
use super::checks::{self, Size};
use super::claims;
use super::decode;
use super::diagnostics::{Diagnostics, Finding, Findings, Source, Span};
use super::document::{self, Table, Value};
use super::effect;
use super::faults::{self, Faults};
use super::gallery;
use super::models::{self, Models, Services};
use super::network;
use super::overrides::{self, Overrides};
use super::regions::{self, Regions};
use super::routing;
use super::section::Section;
use super::strategies;
use super::throughput;
use super::workload::{self, Workload};
use super::{Arm, Loaded, OutputOptions, Scenario, emit, output};
use crate::experiment::claim::{Claim, Threshold};
use crate::experiment::gallery::Gallery;
use crate::experiment::throughput::ThroughputConfig;
use crate::routing::config::RoutingConfig;
use crate::time::{Duration, Timestamp};
use crate::upstream::config::UpstreamConfig;
use crate::workload::config::WorkloadConfig;
use std::path::Path;

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
    let mut regions = regions::read(top, findings);
    network::read(top, &mut regions, findings);
    let context = accounts::Context {
        models: models.as_ref(),
        regions: regions.names.as_deref(),
        of_gateway: false,
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
    let header = Header::read(&mut top);
    let parts = parts(&mut top, source_name, base_dir, findings);
    let duration = duration(&mut top, parts.workload.as_ref());
    let warmup = warmup(&mut top, duration, findings);
    let context = faults::Context {
        pool: parts.pool.as_ref(),
        models: parts.models.as_ref(),
        regions: parts.regions.names.as_deref(),
        gateway: parts.regions.network.gateway,
        end: duration,
        findings,
    };
    let faults = faults::read(&mut top, &context);
    let (arms, deadline) = arms(&mut top, findings);
    let baseline = strategies::baseline(&mut top, arms.as_deref(), findings);
    let claims = claims::read(&mut top, arms.as_deref(), baseline, findings);
    let thresholds = claims::thresholds(&mut top, arms.as_deref(), findings);
    let output = output::read(&mut top, duration, findings);
    let gallery = gallery::read(&mut top, findings);
    let throughput = throughput::read(&mut top, findings);
    let spans = Spans::of(&top, table);
    top.finish();
    let size = (|| {
        Some(Size {
            duration: duration?,
            warmup: warmup?,
            replications: header.replications?,
            arms: arms.as_ref()?.len(),
            at: spans.arrivals,
        })
    })();
    together(&parts, size, &spans.classes, findings);
    if let (Some(arms), Some(pool), Some(faults)) = (&arms, &parts.pool, &faults) {
        let links = &parts.regions.network.links;
        checks::ends(arms, pool, faults, links, spans.deadline, findings);
    }
    if let (Some(arms), Some(pool), Some(workload)) = (&arms, &parts.pool, &parts.workload)
        && !findings.has_errors()
    {
        effect::check(table, arms, workload, pool, findings);
    }
    let read = Good {
        name: stem(source_name),
        resolved_toml: emit::document(table),
        duration: duration?,
        warmup: warmup?,
        deadline,
        faults: faults?,
        arms: arms?,
        baseline: baseline?,
        claims: claims?,
        thresholds: thresholds?,
        output: output?,
        gallery: gallery?,
        throughput: throughput?,
    };
    assemble(read, header, parts)
}

/// What only shows when sections are seen together.
fn together(parts: &Parts, size: Option<Size>, classes: &[Span], findings: &Findings) {
    let Some(workload) = &parts.workload else {
        return;
    };
    if let Some(size) = size {
        checks::size(workload, &size, findings);
    }
    if let (Some(models), Some(pool)) = (&parts.models, &parts.pool) {
        checks::served(workload, classes, models, pool, findings);
        checks::recorded(workload, models, pool, findings);
    }
}

fn assemble(read: Good, header: Header, parts: Parts) -> Option<Scenario> {
    let (pool, workload, regions) = (parts.pool?, parts.workload?, parts.regions.names?);
    let (account_descriptions, lanes) = pool.describe(&regions);
    let trace = workload.trace.iter();
    let inputs = trace.map(|file| (file.path.clone(), file.sha256.clone()));
    Some(Scenario {
        name: read.name,
        question: header.question?,
        expectation: header.expectation?,
        resolved_toml: read.resolved_toml,
        seed: header.seed?,
        policy_seed: header.policy_seed?,
        replications: header.replications?,
        duration: read.duration,
        warmup: read.warmup,
        deadline: read.deadline,
        latency_objective: header.latency_objective?,
        models: parts.models?.names,
        regions,
        accounts: pool.accounts,
        account_descriptions,
        lanes,
        inputs: inputs.collect(),
        workload: WorkloadConfig {
            arrivals: workload.arrivals?,
            classes: workload.classes?,
            end: Timestamp::ZERO + read.duration,
        },
        upstream: UpstreamConfig {
            accounts: pool.behaviours,
            services: parts.services.laws,
            quotas: pool.quotas,
            network: parts.regions.network,
            faults: read.faults.scheduled,
            incidents: read.faults.incidents,
        },
        faults: read.faults.descriptions,
        arms: read.arms,
        baseline: read.baseline,
        claims: read.claims,
        thresholds: read.thresholds,
        output: read.output,
        gallery: read.gallery,
        throughput: read.throughput,
    })
}

/// What was read and is good.
struct Good {
    name: String,
    resolved_toml: String,
    duration: Duration,
    warmup: Duration,
    deadline: Option<Duration>,
    faults: Faults,
    arms: Vec<Arm>,
    baseline: usize,
    claims: Vec<Claim>,
    thresholds: Vec<Threshold>,
    output: OutputOptions,
    gallery: Gallery,
    throughput: Option<ThroughputConfig>,
}

/// What stands at the top, each value apart: `None` if bad.
struct Header {
    question: Option<String>,
    expectation: Option<String>,
    seed: Option<u64>,
    policy_seed: Option<u64>,
    replications: Option<u32>,
    latency_objective: Option<Duration>,
}

impl Header {
    fn read(top: &mut Section) -> Self {
        let seed = || decode::count(0..=u64::MAX);
        let question = top.required("question", "\"Which strategy ...?\"", decode::prose);
        let expectation = top.required("expectation", "\"I expect ...\"", decode::prose);
        let replications = top.or("replications", 10, decode::count(1..=100_000));
        let objective = Duration::from_secs(10);
        Self {
            question,
            expectation,
            seed: top.or("seed", 1, seed()),
            policy_seed: top.or("policy_seed", 1, seed()),
            replications: replications.map(|number| number as u32),
            latency_objective: top.or("latency_objective", objective, decode::positive_duration),
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
        Some(workload) if workload.traced => workload
            .trace
            .as_ref()
            .map(super::trace_file::TraceFile::end),
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

/// The arms, and the deadline that they have in common. Where `[routing]` is bad they are read on
/// top of the defaults, for their own errors.
fn arms(top: &mut Section, findings: &Findings) -> (Option<Vec<Arm>>, Option<Duration>) {
    let routing = base_routing(top, findings);
    let base = routing.clone().unwrap_or_default();
    let arms = strategies::read(top, &base, findings);
    (routing.and(arms), base.deadline)
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
    deadline: Span,
}

impl Spans {
    fn of(top: &Section, table: &Table) -> Self {
        let workload = table.get("workload").and_then(|node| node.table());
        let at = |key: &str| workload.and_then(|table| table.get(key));
        let arrivals = ["rate", "segments", "users"].into_iter().find_map(at);
        let arrivals = arrivals.map(|node| node.span);
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
        let routing = table.get("routing").and_then(|node| node.table());
        let deadline = routing.and_then(|table| table.get("deadline"));
        Self {
            arrivals: arrivals.unwrap_or_else(|| top.span("workload")),
            classes,
            deadline: deadline.map_or_else(|| top.span("strategies"), |node| node.span),
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
