//! Exit codes: what a script learns without reading a word.

use std::process::ExitCode;

/// Why a command did not do what was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Exit {
    /// It failed while running: a file could not be written, or routelab has a defect.
    Failed = 1,
    /// Wrong usage; the same code that clap gives.
    Usage = 2,
    /// `compare` found a regression.
    Regression = 98,
    /// A threshold was not met, a claim came out otherwise than its `expect` says, or `validate`
    /// found a number out of bounds. All results were written.
    Unexpected = 99,
    /// A scenario or another input is invalid or missing. Nothing was run or written.
    Invalid = 104,
    /// Stopped by Ctrl-C; what was finished is kept.
    Interrupted = 130,
}

/// The codes, for `--help`.
pub(super) const HELP: &str = "\
Exit codes:
    0  fine
    1  failed while running
    2  wrong usage
   98  a regression in `compare`
   99  a threshold was not met, a claim is not what its `expect` says, or a number of `validate` is
       out of bounds; results were written
  104  a scenario or another input is invalid or missing; nothing was run or written
  130  interrupted; the replications, cells of a sweep, or scenarios of `claims` that were finished
       are kept; `warmup`, `decide` and `validate` keep nothing";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_help() {
        for exit in [
            Exit::Failed,
            Exit::Usage,
            Exit::Regression,
            Exit::Unexpected,
            Exit::Invalid,
            Exit::Interrupted,
        ] {
            let code = (exit as u8).to_string();
            assert!(HELP.lines().any(|line| line.trim().starts_with(&code)));
        }
    }
}
