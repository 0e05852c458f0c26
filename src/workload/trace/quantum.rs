//! The step of the clock that a trace was recorded with, from its times.
//!
//! It is the most frequent distance between times that differ. The least distance would be simpler,
//! but a single stray time would decide it; and clocks jitter: the times of the public Mooncake
//! trace lie 2999, 3000 or 3001 ms apart. At any rate of arrivals the most frequent distance of a
//! regular clock is one step, since the number of steps to the next occupied one is geometric.

use crate::time::Duration;

/// Fewer distances than one in so many of the most frequent length are no sign of a clock.
const ONE_IN: usize = 10;

/// The most frequent of the distances, the least of several; an error if none stands out.
pub fn detect(mut distances: Vec<u64>) -> Result<u64, String> {
    distances.sort_unstable();
    let mut best: Option<&[u64]> = None;
    for run in distances.chunk_by(|a, b| a == b) {
        if best.is_none_or(|best| run.len() > best.len()) {
            best = Some(run);
        }
    }
    let Some(&[step, ..]) = best else {
        return Err("all rows have one time, which shows no quantum; state `quantum`".into());
    };
    let (count, all) = (best.map_or(0, <[u64]>::len), distances.len());
    if count * ONE_IN < all {
        return Err(format!(
            "the times show no quantum: the most frequent distance between them, {}, makes up \
             {count} of {all}; state `quantum`, or do not spread",
            Duration::from_nanos(step)
        ));
    }
    Ok(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_distance_and_of_several_the_least() {
        assert_eq!(detect(vec![3001, 3000, 2999, 3000]), Ok(3000));
        assert_eq!(detect(vec![1, 3000, 3000, 6000]), Ok(3000));
        assert_eq!(detect(vec![7, 5, 7, 5, 9]), Ok(5));
        assert_eq!(detect(vec![4]), Ok(4));
    }

    #[test]
    fn nothing_stands_out() {
        let message = detect(vec![]).unwrap_err();
        assert!(message.contains("one time"), "{message}");
        let message = detect((1..=11).collect()).unwrap_err();
        assert!(message.contains("1ns, makes up 1 of 11"), "{message}");
        assert_eq!(detect((1..=10).collect()), Ok(1));
    }
}
