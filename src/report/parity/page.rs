//! What came of it in words, and `README.md`.

use super::table::{cells, label, shown};
use crate::experiment::parity::{Agreement, ArmParity, LEVELS, Parity, REFERENCES, Row};
use crate::report::Environment;
use crate::report::directory::File;
use crate::report::number::human;
use std::fmt::Write;

/// Part of the median latency that the P99 of the overhead may be before tails are in doubt: the
/// goal of the median itself.
const LARGE: f64 = 0.05;

/// One sentence that says whether the two worlds agree.
#[must_use]
pub fn summary(parity: &Parity) -> String {
    let rows = parity.arms.iter().flat_map(|arm| &arm.rows);
    let judged: Vec<Agreement> = rows.filter_map(Row::agreement).collect();
    let count = |wanted| judged.iter().filter(|it| **it == wanted).count();
    let (all, within) = (judged.len(), count(Agreement::Agrees));
    let (chance, differ) = (count(Agreement::Chance), count(Agreement::Differs));
    let mut text = format!("{within} of {all} values agree within their goal");
    if chance > 0 {
        let _ = write!(
            text,
            ", {chance} more lie within what chance makes of the simulation"
        );
    }
    if differ > 0 {
        let _ = write!(text, ", {differ} differ");
    }
    text + "."
}

/// What is to be said beside the table.
pub(super) fn sentences(parity: &Parity) -> Vec<String> {
    let mut said = vec![summary(parity)];
    said.extend(parity.arms.iter().map(|arm| paired(parity, arm)));
    for arm in &parity.arms {
        said.extend(doubts(arm));
    }
    if parity.interrupted {
        said.push("It was interrupted: strategies are missing.".to_owned());
    }
    said
}

fn paired(parity: &Parity, arm: &ArmParity) -> String {
    let percent = |count: u64| count as f64 * 100.0 / arm.requests.max(1) as f64;
    let mut text = format!(
        "{}: {} requests measured; {:.2} % ended at the same account in both worlds, {:.2} % with \
         the same outcome.",
        arm.name,
        arm.requests,
        percent(arm.same_account),
        percent(arm.same_outcome)
    );
    if let Some(overhead) = arm.overhead {
        let millis = |seconds: f64| seconds * 1e3 / parity.pace;
        let _ = write!(
            text,
            " Overhead, from {} of them: P50 {:.2} ms, P99 {:.2} ms of real time; {:.1} % were \
             sent more than 1 ms late.",
            overhead.requests,
            millis(overhead.p50),
            millis(overhead.p99),
            percent(arm.sending.late)
        );
    }
    text
}

/// Why the measurement may be wrong.
fn doubts(arm: &ArmParity) -> Vec<String> {
    let sending = arm.sending;
    let mut doubts = vec![];
    if sending.dropped > 0 {
        doubts.push(format!(
            "warning: {}: {} requests were not sent at all: the machine is too busy for this pace",
            arm.name, sending.dropped
        ));
    }
    let median = arm.quantiles.get(LEVELS.count() / 2);
    if let (Some(overhead), Some((median, _))) = (arm.overhead, median)
        && overhead.p99 > LARGE * median
    {
        doubts.push(format!(
            "warning: {}: the P99 of the overhead is {:.0} % of the median latency: tails are \
             partly the machine's; a lower --pace, or an idle machine, makes it less",
            arm.name,
            overhead.p99 / median * 100.0
        ));
    }
    if sending.strangers > 0 {
        doubts.push(format!(
            "warning: {}: {} attempts were no request of the workload, and had other draws than in \
             simulation",
            arm.name, sending.strangers
        ));
    }
    if sending.left_over > 0 {
        doubts.push(format!(
            "warning: {}: {} requests and attempts never ended, a defect of routelab; please \
             report it",
            arm.name, sending.left_over
        ));
    }
    doubts
}

/// `README.md`.
pub(super) fn file(parity: &Parity, environment: &Environment) -> File {
    let mut text = format!("# {}: simulated and measured\n\n", parity.scenario);
    for sentence in sentences(parity) {
        let _ = write!(text, "{sentence}\n\n");
    }
    text += "![Differences in units of their goal](charts/parity.svg)\n\n";
    text += &table(parity);
    text += "\n![Distribution of latency in both worlds](charts/latency.svg)\n\n";
    text += &method(parity, environment);
    File {
        path: "README.md".to_owned(),
        content: text.into_bytes(),
    }
}

fn table(parity: &Parity) -> String {
    let mut text = "| strategy | | simulated | by chance | live | less overhead | off by | goal | \
                    |\n|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for arm in &parity.arms {
        for row in shown(arm) {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                arm.name,
                label(parity, row.quantity),
                cells(row).join(" | ")
            );
        }
    }
    text
}

fn method(parity: &Parity, environment: &Environment) -> String {
    let pace = match parity.pace {
        1.0 => "in real time".to_owned(),
        pace => format!("{pace} times as fast as real time"),
    };
    format!(
        "How: replication {} of seed {}, {} {pace}, the first {} not measured. Emulated providers, \
         the proxy behind its server and the load generator ran on one machine ({} processors, {}, \
         {}) and shared it. The providers draw what the simulation draws, request by request. *by \
         chance* are the smallest and largest values of {REFERENCES} simulations that were \
         disturbed as being real disturbs: ties fall otherwise, and answers come later by \
         exponential delays with a mean of up to twice the median overhead. *less overhead* is \
         without the median overhead, which was measured on the requests that were answered at \
         the first attempt by the same account in both worlds. Of the accounts' shares the one \
         that is furthest off is shown; `parity.csv` has all. A failure counts with the deadline. \
         These files differ from run to run; `routelab live` writes them anew.\n",
        parity.replication,
        parity.seed,
        human(parity.duration),
        human(parity.warmup),
        environment.cpus,
        environment.os,
        environment.started,
    )
}
