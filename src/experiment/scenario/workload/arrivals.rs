//! The arrival process of a workload, or of one of its clients.

use crate::distribution::Distribution;
use crate::experiment::scenario::decode;
use crate::experiment::scenario::diagnostics::{Finding, Findings};
use crate::experiment::scenario::distribution::{self, Measure};
use crate::experiment::scenario::document::Node;
use crate::experiment::scenario::section::Section;
use crate::experiment::scenario::trace_file;
use crate::time::{Duration, Timestamp};
use crate::units::Rate;
use crate::workload::config::{Arrivals, Bursts, Cycle, GammaGaps, RateSegment, Users};

/// Arrival processes, a trace last: clients cannot have it.
pub(super) const KINDS: [&str; 8] = [
    "poisson",
    "constant",
    "piecewise",
    "gamma",
    "mmpp",
    "diurnal",
    "closed_loop",
    "trace",
];

/// Keys of all processes but a trace, with those that have them.
const KEYS: [(&str, &[&str]); 10] = [
    ("rate", &["poisson", "constant", "gamma", "mmpp", "diurnal"]),
    ("segments", &["piecewise"]),
    ("cv", &["gamma"]),
    ("burst_factor", &["mmpp"]),
    ("calm_time", &["mmpp"]),
    ("burst_time", &["mmpp"]),
    ("amplitude", &["diurnal"]),
    ("period", &["diurnal"]),
    ("peak", &["diurnal"]),
    ("users", &["closed_loop"]),
];

/// Most users of a closed loop.
const MOST_USERS: u64 = 1_000_000;

/// The word for the process; `None` if bad.
pub(super) fn kind(section: &mut Section) -> Option<&'static str> {
    let kind = decode::word("arrival process", &KINDS, |kind| kind);
    section.required("arrivals", "\"poisson\"", kind)
}

/// Reads the keys of a process that is no trace. `None` if one is bad.
pub(super) fn read(kind: &str, section: &mut Section, findings: &Findings) -> Option<Arrivals> {
    match kind {
        "constant" => rate(section).map(|rate| Arrivals::Constant { rate }),
        "piecewise" => segments(section, findings).map(Arrivals::Piecewise),
        "gamma" => gamma(section),
        "mmpp" => bursts(section).map(Arrivals::Mmpp),
        "diurnal" => cycle(section).map(Arrivals::Diurnal),
        "closed_loop" => users(section, findings).map(Arrivals::ClosedLoop),
        _ => rate(section).map(|rate| Arrivals::Poisson { rate }),
    }
}

/// Keys of the other processes; of all, where the kind is bad.
pub(super) fn others(section: &mut Section, kind: Option<&str>) {
    let Some(kind) = kind else {
        let keys = KEYS.iter().map(|(key, _)| *key).chain(["think_time"]);
        for key in keys.chain(trace_file::KEYS) {
            section.node(key);
        }
        return;
    };
    if kind != "trace" {
        for key in trace_file::KEYS {
            section.refuse(key, "only with arrivals = \"trace\"");
        }
    }
    own(section, kind);
}

/// Refuses keys of processes other than `kind` and a trace.
pub(super) fn own(section: &mut Section, kind: &str) {
    for (key, kinds) in KEYS {
        if kinds.contains(&kind) {
            continue;
        }
        match (key, kind) {
            ("rate", "trace") => {
                section.refuse(key, "the trace has its own rate; see `rate_scale`");
            }
            ("rate", "piecewise") => section.refuse(key, "the rates stand in `segments`"),
            ("rate", _) => section.refuse(key, "it follows from `users` and `think_time`"),
            _ => section.refuse(key, &format!("only with arrivals = \"{}\"", kinds[0])),
        }
    }
    if kind != "closed_loop" {
        section.refuse("think_time", "only with arrivals = \"closed_loop\"");
    }
}

/// Refuses every key of arrivals.
pub(super) fn refuse_all(section: &mut Section, why: &str) {
    let keys = KEYS.iter().map(|(key, _)| *key);
    for key in ["arrivals", "think_time"].into_iter().chain(keys) {
        section.refuse(key, why);
    }
    for key in trace_file::KEYS {
        section.refuse(key, why);
    }
}

fn gamma(section: &mut Section) -> Option<Arrivals> {
    let rate = rate(section);
    let gaps = section.required("cv", "3", |node| {
        let cv = decode::number(0.01..=100.0)(node)?;
        GammaGaps::new(cv).map_err(|why| decode::Problem {
            title: decode::Title::OfKey("is out of range"),
            label: why.0.into(),
            help: None,
            span: None,
        })
    });
    let (rate, gaps) = rate.zip(gaps)?;
    Some(Arrivals::Gamma { rate, gaps })
}

fn bursts(section: &mut Section) -> Option<Bursts> {
    let rate = rate(section);
    let factor = section.required("burst_factor", "10", decode::number(1.0..=1e6));
    let calm_time = section.required("calm_time", "\"10min\"", stay);
    let burst_time = section.required("burst_time", "\"30s\"", stay);
    Some(Bursts {
        rate: rate?,
        factor: factor?,
        calm_time: calm_time?,
        burst_time: burst_time?,
    })
}

/// A mean time in a state; not so short that a run would only change states.
fn stay(node: &Node) -> decode::Decoded<Duration> {
    let stay = decode::duration(node)?;
    if stay >= Duration::from_millis(1) {
        return Ok(stay);
    }
    Err(decode::Problem {
        title: decode::Title::OfKey("is out of range"),
        label: "shorter than 1ms".into(),
        help: Some("for clumps of a few requests use arrivals = \"gamma\"".into()),
        span: None,
    })
}

fn cycle(section: &mut Section) -> Option<Cycle> {
    let rate = rate(section);
    let amplitude = section.required("amplitude", "0.6", decode::share);
    let day = Duration::from_secs(86_400);
    let period = section.or("period", day, decode::positive_duration);
    let peak = section.optional("peak", decode::duration);
    let period = period?;
    Some(Cycle {
        rate: rate?,
        amplitude: amplitude?,
        period,
        peak: Timestamp::ZERO + peak?.unwrap_or(period.scale(0.5)),
    })
}

fn users(section: &mut Section, findings: &Findings) -> Option<Users> {
    let count = section.required("users", "50", decode::count(1..=MOST_USERS));
    let node = section.required_node("think_time", "{ kind = \"exponential\", mean = \"20s\" }");
    let think_time = node.and_then(|node| {
        let time = distribution::read("think_time", node, Measure::Time, findings)?;
        if Distribution::mean(&time) > 0.0 {
            return Some(time);
        }
        let finding = Finding::error("`think_time` is out of range");
        let label = "a user who is refused would ask again at the same instant, for ever";
        let help = "a time above 0 in the mean, such as \"1ms\" for programs that do not think";
        findings.push(finding.at(node.span, label).help(help));
        None
    });
    Some(Users {
        count: count? as u32,
        think_time: think_time?,
    })
}

fn rate(section: &mut Section) -> Option<Rate> {
    section.required("rate", "\"40rps\"", decode::positive_rate)
}

/// Reads the segments: the first starts at 0, and their starts rise.
fn segments(section: &mut Section, findings: &Findings) -> Option<Vec<RateSegment>> {
    section.required_node("segments", "[{ start = \"0s\", rate = \"40rps\" }]")?;
    let items = section.list("segments")?;
    let read: Vec<_> = items.iter().map(|item| segment(item, findings)).collect();
    let segments: Vec<RateSegment> = read.into_iter().collect::<Option<_>>()?;
    let span = section.span("segments");
    let wrong = |at: usize, label: &str| {
        let span = items.get(at).map_or(span, |item| item.span);
        let finding = Finding::error("the segments are not in order");
        let help = "the first starts at \"0s\", and each of the others later than the one before";
        findings.push(finding.at(span, label).help(help));
    };
    if segments.first().map(|first| first.start) != Some(Timestamp::ZERO) {
        wrong(0, "the first segment must start at \"0s\"");
        return None;
    }
    if let Some(at) = (1..segments.len()).find(|&at| segments[at].start <= segments[at - 1].start) {
        wrong(at, "does not start after the one before");
        return None;
    }
    let zero = |s: &RateSegment| s.from.as_per_second() == 0.0 && s.to.as_per_second() == 0.0;
    if segments.iter().all(zero) {
        findings.push(Finding::error("every rate is 0").at(span, "nobody would ever ask"));
        return None;
    }
    Some(segments)
}

fn segment(node: &Node, findings: &Findings) -> Option<RateSegment> {
    let mut section = Section::of(node, "a segment", findings)?;
    let start = section.required("start", "\"0s\"", decode::duration);
    let (from, to) = if section.has("from") || section.has("to") {
        section.refuse("rate", "a segment has either `rate`, or `from` and `to`");
        let from = section.required("from", "\"20rps\"", decode::rate);
        (from, section.required("to", "\"80rps\"", decode::rate))
    } else {
        let rate = section.required("rate", "\"40rps\"", decode::rate);
        section.node("from");
        section.node("to");
        (rate, rate)
    };
    section.finish();
    Some(RateSegment {
        start: Timestamp::ZERO + start?,
        from: from?,
        to: to?,
    })
}
