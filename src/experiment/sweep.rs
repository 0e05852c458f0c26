//! A sweep: one scenario run at every point of a grid of parameter values.
//!
//! A full grid, not one parameter at a time: what a setting is worth depends on the others (a long
//! open time costs more at a high load), and a reader of one-at-a-time results cannot see that. All
//! cells share the scenario's seed, so that they see the same arrivals, requests and demands as far
//! as the varied parameters let them: differences between cells are paired by replication, as those
//! between strategies are (common random numbers; Law, "Simulation Modeling and Analysis", 2015,
//! section 11.2).
//!
//! Nothing here touches the disk: the caller says which cells are wanted, and keeps them.

mod axis;
mod grid;
mod results;

pub use axis::{Axis, AxisError};
pub use grid::{Grid, GridError, MOST_CELLS};
pub use results::{ArmSample, CellResults, FaultSample, SweepResults};

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does `work` for every cell of `cells`, in their order, and gives each its share of `jobs`
/// threads. Where a cell has fewer `runs` than there are threads, several are done at a time.
///
/// # Errors
/// The first error of `work`; no further cell is begun after it.
pub fn each<E: Send>(
    cells: &[usize],
    runs: usize,
    jobs: usize,
    work: impl Fn(usize, usize) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let inside = jobs.min(runs).max(1);
    let beside = (jobs / inside).clamp(1, cells.len().max(1));
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..beside {
            scope.spawn(|| {
                while let Some(&cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = work(cell, inside) {
                        next.store(cells.len(), Ordering::Relaxed);
                        let mut first = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        first.get_or_insert(error);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_done_once_and_threads_are_shared_out() {
        for (runs, jobs, inside) in [(1, 4, 1), (3, 4, 3), (100, 4, 4), (2, 8, 2), (5, 1, 1)] {
            let done = Mutex::new(vec![]);
            let work = |cell, threads| {
                assert_eq!(threads, inside);
                done.lock().unwrap().push(cell);
                Ok::<(), ()>(())
            };
            each(&[7, 3, 5], runs, jobs, work).unwrap();
            let mut done = done.into_inner().unwrap();
            done.sort_unstable();
            assert_eq!(done, [3, 5, 7]);
        }
    }

    #[test]
    fn nothing_is_begun_after_an_error() {
        let begun = Mutex::new(vec![]);
        let work = |cell, _| {
            begun.lock().unwrap().push(cell);
            if cell == 1 { Err("broken") } else { Ok(()) }
        };
        assert_eq!(each(&[0, 1, 2, 3], 1, 1, work), Err("broken"));
        assert_eq!(begun.into_inner().unwrap(), [0, 1]);
    }
}
