//! How something is run and shown, whatever it is.

/// Options of every command that runs scenarios.
#[derive(clap::Args, Debug)]
pub(super) struct RunningArgs {
    /// Worker threads; no result depends on them [default: processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..),
          allow_negative_numbers = true)]
    jobs: Option<u32>,
    /// Shows no progress
    #[arg(long, short)]
    pub(super) quiet: bool,
}

impl RunningArgs {
    /// Worker threads: those asked for, or as many as this machine runs at a time.
    pub(super) fn jobs(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(processors, |jobs| jobs as usize)
    }
}
