//! Tasks on several threads, for who needs other parts of runs than metrics.
//!
//! What comes out is in the order of the tasks, so that nothing depends on the threads. A run
//! itself pools as it goes instead, to keep what is finished when it is stopped.

use super::{RunError, lock};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does all tasks on several threads; what they come to, in their order. `progress` is called after
/// each with the number of all, from any thread.
///
/// # Errors
/// The first error that `work` returns; no task is then begun any more.
pub(in crate::experiment) fn each<T: Copy + Sync, R: Send>(
    tasks: &[T],
    jobs: usize,
    progress: &(dyn Fn(u32) + Sync),
    work: impl Fn(T) -> Result<R, RunError> + Sync,
) -> Result<Vec<R>, RunError> {
    let next = AtomicU32::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(vec![]);
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, tasks.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed) as usize;
                    let Some(task) = tasks.get(at) else {
                        return;
                    };
                    match work(*task) {
                        Ok(result) => lock(&done).push((at, result)),
                        Err(error) => {
                            lock(&failed).get_or_insert(error);
                            next.store(tasks.len() as u32, Ordering::Relaxed);
                            return;
                        }
                    }
                    progress(tasks.len() as u32);
                }
            });
        }
    });
    if let Some(error) = lock(&failed).take() {
        return Err(error);
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}
