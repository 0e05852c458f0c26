//! What became of "recovery from a fault in less than 60 s", in words.

use super::Claims;
use super::words::name;
use crate::experiment::campaign::{LIMIT_S, Reopening, Times, recoveries};
use crate::experiment::claim::SYSTEM;
use crate::time::Duration;

/// How recovery went under the system itself, of all faults of all scenarios; nothing where there
/// was none to recover from.
pub(super) fn conclusions(all: &Claims) -> Vec<String> {
    let faults: Vec<_> = all
        .campaigns
        .iter()
        .flat_map(|campaign| {
            let each = recoveries(&campaign.results).into_iter();
            each.filter(|one| one.strategy == SYSTEM)
                .map(|one| (name(campaign).to_owned(), one))
        })
        .collect();
    let mut lines = vec![];
    for (at, what) in [(1, "mitigated"), (2, "restored")] {
        let judged: Vec<(&str, Times)> = faults
            .iter()
            .filter_map(|(scenario, one)| Some((scenario.as_str(), one.times[at]?)))
            .collect();
        let of = |holds: Option<bool>, what: &str| {
            let names = judged.iter().filter(|(_, times)| times.holds() == holds);
            let mut names: Vec<&str> = names.map(|(name, _)| *name).collect();
            let count = names.len();
            names.dedup();
            (count > 0).then(|| format!("{what} in {count} ({})", names.join(", ")))
        };
        let parts = [
            of(Some(true), "below 60 s"),
            of(Some(false), "at 60 s or more"),
            of(None, "too near to tell, or seen too rarely,"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            continue;
        }
        lines.push(format!(
            "recovery, faults {what}: the median time is {} of {} that could be observed.",
            parts.join("; "),
            judged.len()
        ));
    }
    lines.extend(open_times(all));
    lines
}

/// What the open times of the breakers make impossible: a sentence for each setting with which a
/// fault was watched.
fn open_times(all: &Claims) -> Vec<String> {
    let mut settings: Vec<(Reopening, Vec<&str>)> = vec![];
    for campaign in all.campaigns {
        let watched = recoveries(&campaign.results)
            .iter()
            .any(|one| one.strategy == SYSTEM);
        let Some(breaker) = campaign.reopening.filter(|_| watched) else {
            continue;
        };
        match settings.iter_mut().find(|(known, _)| *known == breaker) {
            Some((_, names)) => names.push(name(campaign)),
            None => settings.push((breaker, vec![name(campaign)])),
        }
    }
    let several = settings.len() > 1;
    let each = settings.iter().map(|(breaker, names)| {
        let names = names.join(", ");
        let scenarios = if several {
            format!(" ({names})")
        } else {
            String::new()
        };
        open_time(breaker, &scenarios)
    });
    each.collect()
}

fn open_time(breaker: &Reopening, scenarios: &str) -> String {
    // Divided, not multiplied by 1e-9, which is no number of binary digits: 60, not
    // 60.00000000000001.
    let seconds = |time: Duration| time.as_nanos() as f64 / 1e9;
    let [first, longest] = [breaker.first, breaker.longest].map(seconds);
    let grown = if longest > first {
        format!(" (up to {longest} s where it opens again and again)")
    } else {
        String::new()
    };
    let probes = match breaker.probes {
        1 => "a successful probe follows".to_owned(),
        count => format!("{count} successful probes follow"),
    };
    let mut text = format!(
        "With an open time of {first} s{scenarios} nothing can be restored sooner than the breaker \
         looks again: one that opened, or failed its probe, just before the end of a fault refuses \
         for {first} s more{grown}, and {probes}. "
    );
    text += &if longest < LIMIT_S {
        format!(
            "Of {LIMIT_S} s that leaves {} s for the probes.",
            LIMIT_S - longest
        )
    } else {
        format!(
            "\"Restored in less than {LIMIT_S} s\" cannot be guaranteed with these settings, \
             whatever the strategy; mitigated in less than {LIMIT_S} s can, because it needs no \
             probe."
        )
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_time_is_that_of_the_scenario() {
        let of = |first, longest, probes| {
            let [first, longest] = [first, longest].map(Duration::from_secs);
            let breaker = Reopening {
                first,
                longest,
                probes,
            };
            open_time(&breaker, " (outage)")
        };
        for (text, parts) in [
            (of(60, 60, 3), ["60 s more, and 3 successful", "cannot be"]),
            (of(10, 10, 1), ["of 10 s (outage)", "leaves 50 s"]),
            (of(10, 300, 1), ["(up to 300 s", "cannot be guaranteed"]),
        ] {
            for part in parts {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }
}
