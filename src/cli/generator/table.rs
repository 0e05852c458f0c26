//! What became of the requests, for people and for programs.

use crate::cli::console::grouped;
use crate::live::load::{Lengths, LoadConfig, LoadReport};
use crate::time::Duration;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// A report, and of what.
pub(super) struct Shown<'a> {
    /// Its name.
    pub scenario: &'a str,
    /// What was asked for.
    pub config: &'a LoadConfig,
    /// What came of it.
    pub report: &'a LoadReport,
}

/// Shares shown of each distribution.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

impl Shown<'_> {
    /// The table, lines ended by newlines.
    pub fn table(&self) -> String {
        let mut text = self.heading();
        self.counts(&mut text);
        self.lengths(&mut text);
        self.notes(&mut text);
        text
    }

    fn heading(&self) -> String {
        let config = self.config;
        format!(
            "{} to {} ({}), seed {}, replication {}\n\n",
            self.scenario, config.target, config.dialect, config.seed, config.replication
        )
    }

    fn counts(&self, text: &mut String) {
        let report = self.report;
        let mut line = |label: &str, count: u64, of: u64, beside: &str| {
            let share = match of {
                0 => "       -".to_owned(),
                of => format!("{:6.2} %", count as f64 / of as f64 * 100.0),
            };
            let line = format!("{label:<34}{:>12}  {share}  {beside}", grouped(count));
            let _ = writeln!(text, "{}", line.trim_end());
        };
        let all = report.scheduled;
        line("requests", all, all, "");
        line("sent", report.sent, all, "");
        line("succeeded", report.succeeded, all, "");
        line("failed", report.failures(), all, "");
        for (outcome, count) in &report.failed {
            let told = outcome.to_string();
            let (label, beside) = match told.chars().count() {
                0..=31 => (format!("  {told}"), ""),
                _ => ("  as told at the right".to_owned(), told.as_str()),
            };
            line(&label, *count, all, beside);
        }
        let bound = format!("(with {} under way)", self.config.most_in_flight);
        line("dropped, never sent", report.dropped, all, &bound);
        let late_after = seconds(self.config.late_after.as_secs_f64());
        let beyond = format!("(by more than {late_after})");
        line("sent late", report.late, report.sent, &beyond);
        let rate = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{rate:.2}"));
        let _ = writeln!(
            text,
            "{:<34}{:>12}  of {} intended, requests per second",
            "rate",
            rate(report.actual.rate()),
            rate(report.intended.rate()),
        );
        let most = grouped(report.most_in_flight as u64);
        let _ = writeln!(text, "{:<34}{most:>12}\n", "most under way at a time");
    }

    fn lengths(&self, text: &mut String) {
        let report = self.report;
        let columns = ["mean", "P50", "P90", "P99", "P99.9", "max"];
        let _ = write!(text, "{:<20}", "");
        for column in columns {
            let _ = write!(text, "{column:>11}");
        }
        text.push('\n');
        for (label, lengths) in [
            ("latency", &report.latency),
            ("first token", &report.first_token),
            ("until a failure", &report.failed_latency),
            ("send lateness", &report.lateness),
        ] {
            let _ = write!(text, "{label:<20}");
            for value in values(lengths) {
                let shown = value.map_or("-".to_owned(), seconds);
                let _ = write!(text, "{shown:>11}");
            }
            text.push('\n');
        }
    }

    fn notes(&self, text: &mut String) {
        let report = self.report;
        text.push_str(
            "\nLatency counts from the instant at which a request was to be sent. Failures are \
             not in it.\n",
        );
        if report.warming_up > 0 {
            let _ = writeln!(
                text,
                "{} requests of the warm-up are sent, and in no figure.",
                grouped(report.warming_up)
            );
        }
        let pace = self.config.clock.pace();
        if pace != 1.0 {
            let _ = writeln!(
                text,
                "Times and rates are the scenario's, {pace} seconds to a real one; send lateness \
                 is real."
            );
        }
        if report.stopped {
            text.push_str("Stopped before its end.\n");
        }
    }

    /// The same as one value.
    pub fn json(&self) -> Value {
        let (config, report) = (self.config, self.report);
        let failed = report.failed.iter();
        let failed: Map<String, Value> = failed
            .map(|(outcome, count)| (outcome.to_string(), json!(count)))
            .collect();
        json!({
            "scenario": self.scenario,
            "target": config.target.to_string(),
            "dialect": config.dialect.name(),
            "seed": config.seed,
            "replication": config.replication,
            "pace": config.clock.pace(),
            "warming_up": report.warming_up,
            "scheduled": report.scheduled,
            "sent": report.sent,
            "late": report.late,
            "late_after_s": config.late_after.as_secs_f64(),
            "dropped": report.dropped,
            "succeeded": report.succeeded,
            "failed": failed,
            "rate_intended_rps": report.intended.rate(),
            "rate_rps": report.actual.rate(),
            "most_in_flight": report.most_in_flight,
            "input_tokens": report.input_tokens,
            "output_tokens": report.output_tokens,
            "latency_s": distribution(&report.latency),
            "first_token_s": distribution(&report.first_token),
            "failed_latency_s": distribution(&report.failed_latency),
            "lateness_s": distribution(&report.lateness),
            "stopped": report.stopped,
        })
    }
}

/// Mean, quantiles and maximum in seconds.
fn values(lengths: &Lengths) -> Vec<Option<f64>> {
    let quantiles = QUANTILES
        .iter()
        .map(|(_, q)| lengths.quantile(*q).map(Duration::as_secs_f64));
    let histogram = &lengths.histogram;
    let max = (histogram.count() > 0).then(|| histogram.max().as_secs_f64());
    std::iter::once(lengths.mean())
        .chain(quantiles)
        .chain([max])
        .collect()
}

fn distribution(lengths: &Lengths) -> Value {
    let names = QUANTILES.iter().map(|(name, _)| *name);
    let names = std::iter::once("mean").chain(names).chain(["max"]);
    let named = names.zip(values(lengths));
    let mut value: Map<String, Value> = named
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    value.insert("count".to_owned(), json!(lengths.histogram.count()));
    Value::Object(value)
}

/// A length of time in its own unit: `85.1 us`, `12.3 ms`, `4.56 s`.
fn seconds(length: f64) -> String {
    let (value, unit) = match length {
        _ if length < 1e-3 => (length * 1e6, "us"),
        _ if length < 1.0 => (length * 1e3, "ms"),
        _ => (length, "s"),
    };
    let digits = match value {
        _ if value < 10.0 => 2,
        _ if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_their_unit() {
        for (length, text) in [
            (0.0, "0.00 us"),
            (85.12e-6, "85.1 us"),
            (1e-3, "1.00 ms"),
            (0.1234, "123 ms"),
            (45.678, "45.7 s"),
        ] {
            assert_eq!(seconds(length), text);
        }
    }
}
