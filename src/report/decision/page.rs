//! The verdict in words, and `README.md`.

use super::table::short;
use crate::experiment::decision::{
    CLAIMED, DecisionCell, DecisionResults, DecisionVerdict, FEWEST_DECISIONS, FEWEST_ROUNDS,
};
use crate::report::Environment;
use crate::report::directory::File;
use crate::report::number::human;

/// Part of their time that threads may wait before it is called a disturbance.
const CALM: f64 = 0.01;

/// What is to be said: the verdict, its worst case, and what disturbed the measurement.
pub(super) fn sentences(results: &DecisionResults) -> Vec<String> {
    let mut said = vec![verdict(results)];
    said.extend(results.slowest().map(slowest));
    said.push(format!(
        "Every figure includes {} ns for reading the timer (P99 {} ns), measured in the same run \
         and not subtracted.",
        results.timer.p50.as_nanos(),
        results.timer.p99.as_nanos()
    ));
    said.extend(disturbance(results));
    if results.machine.debug {
        let debug = "This was a debug build: an optimised one (--release) is faster.";
        said.push(debug.to_owned());
    }
    said
}

fn verdict(results: &DecisionResults) -> String {
    let count = |wanted| {
        let verdicts = results.cells.iter().map(DecisionCell::verdict);
        verdicts.filter(|verdict| *verdict == wanted).count()
    };
    let all = results.cells.len();
    let claimed = format!("P99 below {}", human(CLAIMED));
    let refuted = count(DecisionVerdict::Refuted);
    match results.verdict() {
        DecisionVerdict::Confirmed => {
            format!("CONFIRMED: {claimed} in all {all} cells of strategy, pool and threads.")
        }
        DecisionVerdict::Refuted => {
            format!("REFUTED: {claimed} does not hold in {refuted} of {all} cells.")
        }
        DecisionVerdict::Undecided => {
            let open = count(DecisionVerdict::Undecided);
            let few = "; at least 6 rounds are needed";
            let rounds = results.cells.first().map_or(0, |cell| cell.rounds.len());
            let why = if rounds < FEWEST_ROUNDS { few } else { "" };
            format!("UNDECIDED: {claimed} is open in {open} of {all} cells{why}.")
        }
    }
}

fn slowest(cell: &DecisionCell) -> String {
    let micros = |seconds: f64| format!("{:.1}", seconds * 1e6);
    let p99 = cell.quantile(0.99);
    let spread = p99.and_then(|p99| p99.interval).map_or(String::new(), |i| {
        format!(" [{}, {}]", micros(i.low), micros(i.high))
    });
    format!(
        "The slowest is {} with {} accounts and {}: P99 {} µs{spread}, P99.9 {} µs, longest {} \
         µs.",
        cell.strategy,
        cell.accounts,
        threads(cell.threads),
        p99.map_or_else(String::new, |p99| micros(p99.median)),
        cell.pooled(0.999)
            .map_or_else(String::new, |p| micros(p.as_secs_f64())),
        micros(cell.longest().as_secs_f64()),
    )
}

/// `1 thread`, `2 threads`.
pub(super) fn threads(count: usize) -> String {
    match count {
        1 => "1 thread".to_owned(),
        count => format!("{count} threads"),
    }
}

/// Whether other programs took part of the processor. Then tails are too long, not too short: a
/// confirmed claim stands, a refuted one is doubtful.
fn disturbance(results: &DecisionResults) -> Option<String> {
    let waited = results.disturbed()?;
    let percent = waited * 100.0;
    Some(if waited < CALM {
        format!(
            "Other load hardly interrupted it: single threads waited {percent:.1} % of their time."
        )
    } else {
        format!(
            "Other load interrupted it: single threads waited {percent:.1} % of their time for a \
             processor, so that long tails are partly not routelab's."
        )
    })
}

/// `README.md`.
pub(super) fn file(results: &DecisionResults, environment: &Environment) -> File {
    let machine = &results.machine;
    let processor = machine.processor.as_deref().unwrap_or("unknown processor");
    let mut text = String::from("# What a routing decision costs\n\n");
    for sentence in sentences(results) {
        text += &format!("{sentence}\n\n");
    }
    text += "![P99 over the size of the pool](charts/decision.svg)\n\n";
    text += &format!(
        "Measured on {processor}, {} processors, {} ({}); load average before it {}. These files \
         differ from run to run and from machine to machine; `routelab decide` writes them \
         anew.\n\n",
        machine.cpus,
        environment.os,
        environment.started,
        machine
            .load
            .map_or_else(|| "unknown".to_owned(), |load| format!("{load:.2}")),
    );
    text += &method(results);
    File {
        path: "README.md".to_owned(),
        content: text.into_bytes(),
    }
}

fn method(results: &DecisionResults) -> String {
    let rounds = results.cells.first().map_or(0, |cell| cell.rounds.len());
    let pools: Vec<String> = {
        let mut pools: Vec<usize> = results.cells.iter().map(|cell| cell.accounts).collect();
        pools.sort_unstable();
        pools.dedup();
        pools.into_iter().map(short).collect()
    };
    format!(
        "How: pools of {} accounts at two providers in three regions, warm, about three attempts \
         in flight at each, default settings of routing. Threads share one balancer behind a mutex \
         and do not pause. A decision is timed from asking for the lock until the choice is made, \
         its dispatch noted and the lock given back; between any two decisions of a thread an \
         attempt ends. {rounds} rounds of at least {FEWEST_DECISIONS} decisions, every cell once \
         in each round; P50 and P99 are medians over rounds, with the order-statistic interval of \
         95 %; P99.9 is that of all rounds together. A cell is confirmed if the whole interval of \
         its P99 lies below {}, refuted if the whole lies above. `decision.csv` has all figures.\n",
        pools.join(", "),
        human(CLAIMED)
    )
}
