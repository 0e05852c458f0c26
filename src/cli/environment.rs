//! Where and when a run takes place: the only facts that differ between two runs of one scenario.
//! They go into `environment.json` and nowhere else.

use crate::report::Environment;
use crate::time::Duration;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Takes the time of a run.
pub(super) struct Stopwatch {
    wall_clock: SystemTime,
    started: Instant,
}

impl Stopwatch {
    /// Starts it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the wall clock of the run, for environment.json"
    )]
    pub(super) fn start() -> Self {
        Self {
            wall_clock: SystemTime::now(),
            started: Instant::now(),
        }
    }

    /// The environment of the run that ends now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the wall clock of the run, for environment.json"
    )]
    pub(super) fn stop(&self) -> Environment {
        let elapsed = self.started.elapsed();
        Environment {
            host: host(),
            os: os(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            git_commit: git_commit(),
            started: rfc3339(self.wall_clock),
            finished: rfc3339(self.wall_clock + elapsed),
            elapsed: Duration::from_secs_f64(elapsed.as_secs_f64()),
        }
    }
}

fn host() -> String {
    first_line("/proc/sys/kernel/hostname")
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

fn os() -> String {
    let release = first_line("/proc/sys/kernel/osrelease").unwrap_or_default();
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{os} {release} {arch}").replace("  ", " ")
}

fn first_line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().next()?.trim().to_owned())
}

/// The commit that the binary was built from, with `-dirty` after it if it was changed; `None`
/// where the binary does not lie in a clone of the repository. A build script would have to rebuild
/// the crate after every commit to know it.
fn git_commit() -> Option<String> {
    let binary = std::env::current_exe().ok()?;
    let output = Command::new("git")
        .arg("-C")
        .arg(binary.parent()?)
        .args([
            "describe",
            "--always",
            "--dirty",
            "--abbrev=40",
            "--exclude=*",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !commit.is_empty()).then_some(commit)
}

/// A point in time as `2026-01-31T12:00:00Z`; before 1970 counts as 1970.
fn rfc3339(time: SystemTime) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since_epoch.as_secs();
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01. Years are counted from
/// March, so that the leap day is the last of its year (H. Hinnant, "chrono-compatible low-level
/// date algorithms").
fn civil_date(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    let since_march_0000 = days + 719_468;
    let era = since_march_0000 / DAYS_PER_ERA;
    let day_of_era = since_march_0000 % DAYS_PER_ERA;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        // Oracle: `date --utc --date=@SECONDS +%FT%TZ`.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            let time = UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            assert_eq!(rfc3339(time), text);
        }
    }

    #[test]
    fn days_follow_one_another_for_400_years() {
        let mut last = civil_date(0);
        for day in 1..=146_097 {
            let next = civil_date(day);
            let (year, month, date) = last;
            let follows = [
                (year, month, date + 1),
                (year, month + 1, 1),
                (year + 1, 1, 1),
            ];
            assert!(follows.contains(&next), "{last:?} {next:?}");
            last = next;
        }
        assert_eq!(last, (2370, 1, 1));
    }
}
