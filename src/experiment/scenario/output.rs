//! `[output]`: what to write beyond the ordinary.

use super::decode;
use super::diagnostics::{Finding, Findings};
use super::section::Section;
use crate::experiment::scenario::OutputOptions;
use crate::time::Duration;

/// Windows of the timeline, at most, unless its length is stated.
const MOST_WINDOWS: u64 = 600;

/// Windows of the timeline, at most, in any case: all strategies keep them in memory.
const MOST_WINDOWS_STATED: u64 = 100_000;

/// Reads `[output]`. `None` if a key is bad.
pub(super) fn read(
    top: &mut Section,
    duration: Option<Duration>,
    findings: &Findings,
) -> Option<OutputOptions> {
    let default = duration.map(timeline_window);
    let Some(node) = top.node("output") else {
        return Some(OutputOptions {
            timeline_window: default?,
            requests: false,
        });
    };
    let mut section = Section::of(node, "[output]", findings)?;
    let window = section.optional("timeline_window", decode::positive_duration);
    let requests = section.or("requests", false, decode::boolean);
    if let (Some(Some(window)), Some(duration)) = (window, duration) {
        let windows = duration.as_nanos().div_ceil(window.as_nanos());
        if windows > MOST_WINDOWS_STATED {
            let finding = Finding::error("the timeline window is too short");
            let label = format!("{windows} windows in {duration}");
            let help = format!("allowed: at most {MOST_WINDOWS_STATED} windows");
            findings.push(
                finding
                    .at(section.span("timeline_window"), label)
                    .help(help),
            );
        }
    }
    section.finish();
    Some(OutputOptions {
        timeline_window: window?.or(default)?,
        requests: requests?,
    })
}

/// The shortest round length of which at most [`MOST_WINDOWS`] cover the run.
fn timeline_window(duration: Duration) -> Duration {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let minutes = [1, 2, 5, 10, 15, 30].map(|minutes| minutes * MINUTE);
    let hours = [1, 2, 6, 12].map(|hours| hours * HOUR);
    let days = (1..).map(|days| days * DAY);
    [1, 2, 5, 10, 15, 30]
        .into_iter()
        .chain(minutes)
        .chain(hours)
        .chain(days)
        .map(Duration::from_secs)
        .find(|window| duration.as_nanos().div_ceil(window.as_nanos()) <= MOST_WINDOWS)
        .unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_window_is_the_shortest_round_one() {
        let window = |text| timeline_window(Duration::parse(text).unwrap()).to_string();
        assert_eq!(window("1s"), "1s");
        assert_eq!(window("10min"), "1s");
        assert_eq!(window("601s"), "2s");
        assert_eq!(window("1h"), "10s");
        assert_eq!(window("7d"), "30min");
        assert_eq!(window("36500d"), "1464h");
    }
}
