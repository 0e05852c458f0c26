//! `[workload]`: the arrival process, or several clients, and the classes of requests.

mod arrivals;
mod classes;
mod clients;

use super::diagnostics::Findings;
use super::models::Models;
use super::section::Section;
use super::trace_file::{self, TraceFile};
use crate::workload::config::{Arrivals, RequestClass};

/// What entries are read against.
pub(super) struct Context<'a> {
    /// Models; `None` if unreliable.
    pub(super) models: Option<&'a Models>,
    /// Names of regions; `None` if unreliable.
    pub(super) regions: Option<&'a [String]>,
    /// Directory that the path of a trace in the file starts from.
    pub(super) base_dir: &'a std::path::Path,
    /// How the scenario is called in messages.
    pub(super) source_name: &'a str,
    /// Where findings go.
    pub(super) findings: &'a Findings,
}

/// What `[workload]` says.
pub(super) struct Workload {
    /// Arrivals; `None` if bad.
    pub(super) arrivals: Option<Arrivals>,
    /// The trace that was read.
    pub(super) trace: Option<TraceFile>,
    /// Whether arrivals come from a trace, read or not.
    pub(super) traced: bool,
    /// Classes; `None` if one is bad.
    pub(super) classes: Option<Vec<RequestClass>>,
}

/// What a trace states of each request, so that classes must not.
#[derive(Clone, Copy, Default)]
struct Recorded {
    tokens: bool,
    cached_input: bool,
}

/// Reads `[workload]`. `None` if there is none to speak of.
pub(super) fn read(top: &mut Section, context: &Context) -> Option<Workload> {
    let node = top.required_node("workload", "[workload]")?;
    let mut section = Section::of(node, "[workload]", context.findings)?;
    let workload = if section.has("clients") {
        of_clients(&mut section, context)
    } else {
        of_one(&mut section, context)
    };
    section.finish();
    Some(workload)
}

fn of_one<'a>(section: &mut Section<'a>, context: &Context<'a>) -> Workload {
    let kind = arrivals::kind(section);
    let traced = kind == Some("trace");
    let recorded = Recorded {
        tokens: traced,
        cached_input: traced && trace_file::states_cached_input(section),
    };
    let (mut trace, mut classes) = (None, None);
    let arrivals = match kind {
        Some("trace") => {
            // First, since rows may name them.
            let named = classes.insert(classes::read(section, context, recorded));
            trace = trace_file::read(section, context, named.as_deref());
            trace
                .as_ref()
                .map(|file| Arrivals::Trace(file.trace.clone()))
        }
        Some(kind) => arrivals::read(kind, section, context.findings),
        None => None,
    };
    arrivals::others(section, kind);
    let classes = classes.unwrap_or_else(|| classes::read(section, context, recorded));
    section.node("clients");
    Workload {
        arrivals,
        trace,
        traced,
        classes,
    }
}

fn of_clients<'a>(section: &mut Section<'a>, context: &Context<'a>) -> Workload {
    arrivals::refuse_all(section, "each client has its own");
    let classes = classes::read(section, context, Recorded::default());
    let clients = clients::read(section, classes.as_deref(), context.findings);
    Workload {
        arrivals: clients.map(Arrivals::Clients),
        trace: None,
        traced: false,
        classes,
    }
}
