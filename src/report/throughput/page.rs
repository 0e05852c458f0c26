//! The verdict in words, and `README.md`.

use super::table::{heading, lines, millis};
use crate::experiment::throughput::{FEWEST_ROUNDS, LATE, RateVerdict, Round, Throughput, Way};
use crate::report::Environment;
use crate::report::directory::File;
use crate::report::number::{derived, human};
use std::fmt::Write;

/// What is to be said: the verdict, the highest rates, and what the figures are.
pub(super) fn sentences(results: &Throughput) -> Vec<String> {
    let mut said = vec![verdict(results)];
    said.extend(results.highest.iter().map(|found| highest(*found)));
    if let (Some((_, gateway, _)), Some((_, direct, _))) =
        (results.highest.first(), results.highest.get(1))
        && *gateway >= *direct
    {
        said.push(
            "The provider alone holds no higher rate: the limit is that of generator, provider and \
             machine, not of the gateway."
                .to_owned(),
        );
    }
    if results.late() > LATE {
        said.push(format!(
            "The machine was not quiet: {:.1} % of the requests were sent more than a millisecond \
             late. Their lateness is in the latencies, on both ways, so that tails are partly the \
             machine's.",
            results.late() * 100.0
        ));
    }
    said
}

fn verdict(results: &Throughput) -> String {
    let claimed = derived(results.config.claimed_rps);
    let cell = results
        .cells
        .iter()
        .find(|cell| cell.rps == results.config.claimed_rps);
    let rounds = cell.map_or(&[][..], |cell| &cell.gateway);
    let clean = cell.map_or(0, |cell| cell.clean(Way::Gateway, results.objective));
    let of = rounds.len();
    match results.verdict() {
        RateVerdict::Confirmed => {
            let added = cell.and_then(|cell| Some((cell.added(0)?, cell.added(2)?)));
            let added = added.map_or_else(String::new, |(p50, p99)| {
                format!(
                    "; the gateway adds {} ms at the P50 and {} ms at the P99",
                    millis(p50.median),
                    millis(p99.median)
                )
            });
            format!("CONFIRMED: {claimed} requests a second are held in all {of} rounds{added}.")
        }
        RateVerdict::Refuted => format!(
            "REFUTED: {claimed} requests a second are held in none of {of} rounds, while the \
             provider alone holds them."
        ),
        RateVerdict::Undecided if of < FEWEST_ROUNDS => {
            format!(
                "UNDECIDED: {of} rounds are too few for a verdict, which takes {FEWEST_ROUNDS}."
            )
        }
        RateVerdict::Undecided => format!(
            "UNDECIDED: {claimed} requests a second are held in {clean} of {of} rounds{}.",
            why(rounds)
        ),
    }
}

/// What went wrong in those that are not clean.
fn why(rounds: &[Round]) -> String {
    let sum = |count: fn(&Round) -> u64| rounds.iter().map(count).sum::<u64>();
    let failed = sum(|round| round.scheduled - round.succeeded - round.dropped);
    format!(
        " ({failed} requests failed, {} were not sent)",
        sum(|round| round.dropped)
    )
}

fn highest((way, clean, above): (Way, f64, Option<f64>)) -> String {
    let subject = match way {
        Way::Direct => "The provider alone",
        Way::Gateway => "The gateway",
    };
    let mut text = format!("{subject} holds {} requests a second", derived(clean));
    match above {
        Some(above) => {
            let _ = write!(text, ", and not {}", derived(above));
        }
        None => text += ", and more was not tried",
    }
    text + "."
}

/// `README.md`.
pub(super) fn file(results: &Throughput, environment: &Environment) -> File {
    let mut text = String::from("# What the gateway adds, and how many requests it takes\n\n");
    for sentence in sentences(results) {
        let _ = write!(text, "{sentence}\n\n");
    }
    text += "![Latency and what is added to it, over the rate](charts/throughput.svg)\n\n";
    let heading = heading();
    let _ = writeln!(text, "| {} |", heading.join(" | "));
    let _ = writeln!(text, "|{}", "---:|".repeat(heading.len()));
    for line in lines(results) {
        let _ = writeln!(text, "| {} |", line.join(" | "));
    }
    text += &method(results, environment);
    File {
        path: "README.md".to_owned(),
        content: text.into_bytes(),
    }
}

fn method(results: &Throughput, environment: &Environment) -> String {
    let config = &results.config;
    format!(
        "\nLatencies are in milliseconds, from the intended start of a request to the end of its \
         answer: medians over rounds, and in brackets their order-statistic intervals of 95 %. \
         *clean* counts rounds through the gateway (and to the provider) in which every request \
         was sent and answered, at no less than 99 % of the rate, 99 of 100 within {}. *CPU* is \
         the gateway's processor time for a request.\n\nHow: {} rounds of {} at each rate; rounds \
         to the provider and through the gateway alternate, and what is added is taken pair by \
         pair. Emulated providers, the gateway with its log (strategy `{}`) and the load generator \
         are three programs on one machine ({} processors, {}, {}), and take its time from each \
         other. Requests are not streamed; HTTP/1.1 on both sides. Highest rates are those at \
         which two rounds in a row were clean. These files differ from run to run; `routelab \
         throughput` writes them anew.\n",
        human(results.objective),
        config.rounds,
        human(config.round),
        results.strategy,
        environment.cpus,
        environment.os,
        environment.started,
    )
}
