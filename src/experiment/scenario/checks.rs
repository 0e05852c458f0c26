//! What can only be judged once the sections are known: does it fit together, is it worth running?

use super::Arm;
use super::accounts::Pool;
use super::decode::counted;
use super::diagnostics::{Finding, Findings, Span};
use super::faults::Faults;
use super::models::Models;
use super::workload::Workload;
use crate::request::ModelIndex;
use crate::routing::account::Availability;
use crate::time::{Duration, Timestamp};
use crate::upstream::config::{AccountBehaviour, CalmFailure, FaultKind, Link, Trouble};
use crate::workload::config::{Arrivals, RequestClass};

/// Requests that a 99th percentile needs: a hundred beyond it.
const ENOUGH_FOR_P99: f64 = 10_000.0;

/// Simulated requests in all that take minutes.
const MANY: f64 = 1e9;

/// Simulated requests in all that take days.
const TOO_MANY: f64 = 1e12;

/// How much there is to simulate.
pub(super) struct Size {
    /// When arrivals stop.
    pub(super) duration: Duration,
    /// Part of it that is not measured.
    pub(super) warmup: Duration,
    /// Replications.
    pub(super) replications: u32,
    /// Strategies.
    pub(super) arms: usize,
    /// Where the arrivals stand.
    pub(super) at: Span,
}

/// Checks the number of requests.
pub(super) fn size(workload: &Workload, size: &Size, findings: &Findings) {
    let Some(arrivals) = &workload.arrivals else {
        return;
    };
    if let Arrivals::Piecewise(segments) = arrivals
        && let Some(late) = segments
            .iter()
            .find(|segment| segment.start >= Timestamp::ZERO + size.duration)
    {
        let start = late.start.since(Timestamp::ZERO);
        let label = format!(
            "one starts at {start}, but arrivals stop at {}",
            size.duration
        );
        let finding = Finding::warning("segments that never begin").at(size.at, label);
        findings.push(finding.help("start it earlier, or make `duration` longer"));
    }
    let until = |end| arrivals.expected_before(Timestamp::ZERO + end);
    let traced = || workload.trace.as_ref().map(|file| file.requests() as f64);
    let Some(requests) = until(size.duration).or_else(traced) else {
        return;
    };
    let all = requests * f64::from(size.replications) * size.arms as f64;
    if all > MANY {
        let title = "this is a very large simulation";
        let finding = if all > TOO_MANY {
            Finding::error(title)
        } else {
            Finding::warning(title)
        };
        let label = format!("about {all:.1e} requests over all strategies and replications");
        let help = "lower the rate or `duration`, or run fewer `replications` or `strategies`";
        findings.push(finding.at(size.at, label).help(help));
    }
    let measured = requests - until(size.warmup).unwrap_or(0.0);
    if measured < ENOUGH_FOR_P99 {
        let finding = Finding::warning("too few requests for a reliable P99");
        let measured = counted(measured.round() as usize, "measured request");
        let label = format!("about {measured} in a replication");
        let help = format!("a P99 needs {ENOUGH_FOR_P99} of them: raise the rate or `duration`");
        findings.push(finding.at(size.at, label).help(help));
    }
}

/// Checks that somebody serves what each class asks for.
pub(super) fn served(
    workload: &Workload,
    spans: &[Span],
    models: &Models,
    pool: &Pool,
    findings: &Findings,
) {
    let classes = workload.classes.as_deref().unwrap_or_default();
    for (class, &span) in classes.iter().zip(spans) {
        let model = &models.names[class.model.at()];
        let Some(window) = largest_window(pool, class.model) else {
            findings.push(
                Finding::error(format!("no account serves the model `{model}`"))
                    .at(span, format!("class `{}` asks for it", class.name))
                    .help("add it to the `models` of an account or of a template"),
            );
            continue;
        };
        never_served(class, span, model, pool, findings);
        let mut output = class.output_tokens.mean();
        if let Some(limit) = class.max_output_tokens {
            output = output.min(f64::from(limit));
        }
        let tokens = class.input_tokens.mean() + output;
        if tokens > f64::from(window) {
            let title = format!("requests of class `{}` do not fit any account", class.name);
            findings.push(
                Finding::warning(title)
                    .at(span, format!("{tokens:.0} tokens in the mean"))
                    .help(format!(
                        "the largest context window for `{model}` is {window}"
                    )),
            );
        }
    }
}

/// Warns of a class that everybody who serves its model would refuse, while nothing changes.
fn never_served(class: &RequestClass, span: Span, model: &str, pool: &Pool, findings: &Findings) {
    let serving = || {
        let accounts = pool.accounts.iter();
        accounts.filter(|account| account.models.iter().any(|m| m.model == class.model))
    };
    let name = &class.name;
    if serving().all(|account| account.availability != Availability::Enabled) {
        let title = format!("every account that serves `{model}` is out of service");
        let finding = Finding::warning(title).at(span, format!("class `{name}` asks for it"));
        findings.push(finding.help("set `availability = \"enabled\"` for one of them"));
    }
    let wishes = &class.preferences;
    let required = wishes.provider.filter(|_| wishes.provider_required);
    let best = serving().flat_map(|account| &account.models);
    let best = best.filter(|served| served.model == class.model);
    let best = best.map(|served| served.quality).max().unwrap_or(0);
    let refused = if let Some(provider) = required
        && serving().all(|account| account.provider != provider)
    {
        format!("they require {provider}, which does not serve `{model}`")
    } else if let Some(least) = wishes.minimum_quality
        && least > best
    {
        format!("they require a quality of {least}; the best of `{model}` is {best}")
    } else {
        return;
    };
    let title = format!("`smart` would refuse all requests of class `{name}`");
    let finding = Finding::warning(title).at(span, refused);
    findings.push(finding.help("change the `preferences` of the class, or the accounts"));
}

/// Checks that somebody serves what the rows of a trace ask for, and that they fit.
pub(super) fn recorded(workload: &Workload, models: &Models, pool: &Pool, findings: &Findings) {
    let (Some(file), Some(classes)) = (&workload.trace, &workload.classes) else {
        return;
    };
    let stated = file.trace.models();
    for model in stated
        .iter()
        .filter(|model| largest_window(pool, **model).is_none())
    {
        let title = format!("no account serves the model `{}`", models.names[model.at()]);
        let finding = Finding::error(title).at(file.at, "rows of the trace ask for it");
        findings.push(finding.help("add it to the `models` of an account or of a template"));
    }
    let asked = classes.iter().map(|class| class.model).chain(stated);
    let Some(window) = asked.filter_map(|model| largest_window(pool, model)).max() else {
        return;
    };
    let inputs = file.trace.rows().iter().map(|row| row.input_tokens);
    let too_long = inputs.filter(|input| *input > window);
    if let (Some(longest), count) = (too_long.clone().max(), too_long.count()) {
        let rows = counted(count, "row");
        let verb = if count == 1 { "does" } else { "do" };
        let title = format!("{rows} of the trace {verb} not fit any account");
        let label = format!("up to {longest} input tokens");
        let help = format!("the largest context window of the models asked for is {window}");
        findings.push(Finding::warning(title).at(file.at, label).help(help));
    }
}

/// Checks that every request ends: where an upstream may never answer, somebody must stop waiting.
pub(super) fn ends(
    arms: &[Arm],
    pool: &Pool,
    faults: &Faults,
    links: &[Link],
    at: Span,
    findings: &Findings,
) {
    let hangs = |failure: &CalmFailure| failure.trouble == Trouble::Hangs && failure.rate > 0.0;
    let hanging = |account: &AccountBehaviour| account.failures.iter().any(hangs);
    let cause = if pool.behaviours.iter().any(hanging) {
        "an account can hang"
    } else if faults.any(|kind| matches!(kind, FaultKind::Blackhole)) {
        "a blackhole swallows requests"
    } else if faults.any(|kind| matches!(kind, FaultKind::Partition { .. })) {
        "a partition silences requests"
    } else if links
        .iter()
        .any(|link| link.loss > 0.0 && link.lost_after.is_none())
    {
        "the network swallows requests"
    } else {
        return;
    };
    let waits =
        |arm: &&Arm| arm.routing.deadline.is_none() && arm.routing.attempt_timeout.is_none();
    if let Some(arm) = arms.iter().find(waits) {
        findings.push(
            Finding::error("requests without an answer would never end")
                .at(
                    at,
                    format!("strategy `{}` waits for ever, but {cause}", arm.name),
                )
                .help("set `deadline` or `attempt_timeout` in [routing]"),
        );
    }
}

fn largest_window(pool: &Pool, model: ModelIndex) -> Option<u32> {
    let served = pool.accounts.iter().flat_map(|account| &account.models);
    let windows = served.filter(|served| served.model == model);
    windows.map(|served| served.context_window).max()
}
