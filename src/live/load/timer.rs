//! A sharper sleep for the pacing thread.
//!
//! Linux lets a sleep end up to 50 us late, so that several can share one wake-up (prctl(2),
//! `PR_SET_TIMERSLACK`). For a generator that sends every 125 us that is much. The slack of a
//! thread can also be set through `/proc`, which needs no foreign code. Why not spin for the last
//! stretch instead: at thousands of requests a second that takes a whole processor, and generator
//! and server share two.

use std::fs;

/// Slack asked for, in nanoseconds. 0 would mean the default.
const SLACK: &str = "1000";

/// Makes the calling thread's sleeps as exact as the system lets it. Where it does not, sends are
/// some 50 us later, and the report says so.
pub(super) fn sharpen() {
    // "1234/task/1240"
    let Ok(own) = fs::read_link("/proc/thread-self") else {
        return;
    };
    if let Some(thread) = own.file_name().and_then(|name| name.to_str()) {
        let _ = fs::write(format!("/proc/{thread}/timerslack_ns"), SLACK);
    }
}
