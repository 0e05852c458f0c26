//! Progress on a terminal: a bar on stderr; nothing at all where stderr is a file or a pipe, so
//! that logs stay readable.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Steps of a bar that shows time.
#[cfg(feature = "live")]
const STEPS: u64 = 1_000;

/// The progress of one scenario. It disappears when dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar for the scenario of this name; hidden if `quiet` or if stderr is no terminal.
    pub(super) fn new(name: &str, quiet: bool) -> Self {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        // A template that does not parse costs the looks, not the run.
        if let Ok(style) =
            ProgressStyle::with_template("{prefix} {bar:40} {pos} of {len} runs, {eta} left")
        {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        Self(bar)
    }

    /// A bar for something that takes its real time; hidden as [`Self::new`]'s.
    #[cfg(feature = "live")]
    pub(super) fn timed(name: &str, quiet: bool) -> Self {
        let progress = Self::new(name, quiet);
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:40} {percent} %, {eta} left")
        {
            progress.0.set_style(style);
        }
        progress.0.set_length(STEPS);
        progress
    }

    /// So much of the whole is done, 0 to 1.
    #[cfg(feature = "live")]
    pub(super) fn at(&self, share: f64) {
        self.0.set_position((share * STEPS as f64) as u64);
    }

    /// One more of `total` cells is finished. It counts calls, because workers may call out of
    /// order.
    pub(super) fn step(&self, total: u32) {
        self.0.set_length(u64::from(total));
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
