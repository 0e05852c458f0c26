//! MSER-5: where the start of a run stops to matter.
//!
//! A simulation starts empty, which no long-running system is. The marginal standard error rule
//! leaves out as many observations as make the standard error of the mean of the rest smallest:
//! leaving out more of the start removes bias, leaving out too much wastes data, and the rule
//! weighs the two (K. P. White, "An effective truncation heuristic for bias reduction in simulation
//! output", 1997). Means of five observations each smooth what would otherwise be chance (White,
//! Cobb and Spratt, 2000), hence the 5. It was the best of the rules compared by Hoad, Robinson and
//! Davies (2008), and has no parameter that could be tuned to a wanted result.

/// Observations in one batch.
pub const BATCH: usize = 5;

/// Observations at the start to leave out; a multiple of five. `None` if the answer would be more
/// than half of them, which says that the series is too short to tell, if there are fewer than ten
/// batches, or if one is not finite.
#[must_use]
pub fn mser5(series: &[f64]) -> Option<usize> {
    let batches: Vec<f64> = series
        .chunks_exact(BATCH)
        .map(|batch| batch.iter().sum::<f64>() / BATCH as f64)
        .collect();
    let usable = batches.len() >= 10 && batches.iter().all(|x| x.is_finite());
    usable.then(|| least_error(&batches)).flatten()
}

/// The number of batches whose removal leaves the smallest squared standard error, in observations.
fn least_error(batches: &[f64]) -> Option<usize> {
    // From the end on, so that one pass knows the sums of all tails; shifted by the last value, so
    // that squares of large equal numbers do not cancel.
    let last = batches[batches.len() - 1];
    let (mut sum, mut squares) = (0.0, 0.0);
    let mut best = (f64::INFINITY, 0);
    for (at, batch) in batches.iter().enumerate().rev() {
        sum += batch - last;
        squares += (batch - last) * (batch - last);
        let n = (batches.len() - at) as f64;
        // A few batches agree by chance.
        if n >= 5.0 {
            let error = (squares - sum * sum / n).max(0.0) / (n * n);
            // Of equal errors the longer series.
            if error <= best.0 {
                best = (error, at);
            }
        }
    }
    (best.1 * 2 <= batches.len()).then_some(best.1 * BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Noise that repeats after seven: no trend, no randomness.
    fn noise(at: usize) -> f64 {
        [0.3, -0.2, 0.1, -0.4, 0.25, 0.05, -0.1][at % 7]
    }

    #[test]
    fn a_step_is_cut_where_it_is() {
        let series: Vec<f64> = (0..500)
            .map(|at| if at < 100 { 5.0 } else { 10.0 } + noise(at))
            .collect();
        assert_eq!(mser5(&series), Some(100));
    }

    #[test]
    fn a_steady_series_is_kept_whole() {
        assert_eq!(mser5(&[3.0; 100]), Some(0));
        let series: Vec<f64> = (0..700).map(|at| 10.0 + noise(at)).collect();
        assert!(mser5(&series).unwrap() <= 35);
    }

    #[test]
    fn a_slow_approach_is_cut_when_it_is_within_the_noise() {
        // 10 (1 - exp(-t / 40)): after 3 to 6 time constants the rest is 0.5 to 0.025.
        let series: Vec<f64> = (0..2_000)
            .map(|at| 10.0 * (1.0 - (-(at as f64) / 40.0).exp()) + noise(at))
            .collect();
        let cut = mser5(&series).unwrap();
        assert!((120..=240).contains(&cut), "{cut}");
    }

    #[test]
    fn a_series_that_never_settles_has_no_answer() {
        let series: Vec<f64> = (0..200).map(f64::from).collect();
        assert_eq!(mser5(&series), None);
        assert_eq!(mser5(&[1.0; 49]), None);
        let mut broken = vec![1.0; 100];
        broken[30] = f64::NAN;
        assert_eq!(mser5(&broken), None);
        assert_eq!(mser5(&[]), None);
    }

    /// The definition, computed afresh for each number of batches left out.
    fn naive(series: &[f64]) -> Vec<f64> {
        let batches: Vec<f64> = series
            .chunks_exact(5)
            .map(|batch| batch.iter().sum::<f64>() / 5.0)
            .collect();
        (0..=batches.len() - 5)
            .map(|out| {
                let rest = &batches[out..];
                let n = rest.len() as f64;
                let mean = rest.iter().sum::<f64>() / n;
                rest.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n * n)
            })
            .collect()
    }

    proptest! {
        #[test]
        fn it_is_the_minimum_of_the_definition(
            series in proptest::collection::vec(-100.0..100.0f64, 50..300),
        ) {
            let errors = naive(&series);
            let least = errors.iter().copied().fold(f64::INFINITY, f64::min);
            match mser5(&series) {
                Some(cut) => prop_assert!(errors[cut / 5] <= least * (1.0 + 1e-9)),
                None => {
                    let at = errors.iter().position(|error| *error <= least * (1.0 + 1e-9));
                    prop_assert!(at.is_some_and(|at| at * 2 * 5 > series.len() - 10));
                }
            }
        }
    }
}
