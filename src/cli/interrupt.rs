//! Ctrl-C: the first one asks the run to stop and keep what is finished, the second one ends the
//! process at once. Files are written to a temporary name and renamed, so that even the second
//! leaves no torn file.

use super::console::say;
use super::exit::Exit;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

/// From here on Ctrl-C sets the flag that is returned.
///
/// Where no handler can be set, Ctrl-C ends the process at once, as it does before this call.
pub(super) fn catch() -> &'static AtomicBool {
    if let Err(error) = ctrlc::set_handler(on_interrupt) {
        say(&format!(
            "warning: Ctrl-C will lose what is finished: {error}"
        ));
    }
    &STOP
}

/// Whether Ctrl-C was pressed since [`catch`].
pub(super) fn pressed() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Runs on a thread of its own, not inside the signal handler, so that it may write and exit.
fn on_interrupt() {
    if STOP.swap(true, Ordering::Relaxed) {
        std::process::exit(i32::from(Exit::Interrupted as u8));
    }
    say("\ninterrupted: stopping; what is finished is kept (Ctrl-C again stops at once)");
}
