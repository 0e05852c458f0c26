//! A length of time as somebody would write it.

use crate::time::Duration;

/// Steps in milliseconds, rising.
const STEPS: [u64; 26] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, // ms
    1_000, 2_000, 5_000, 10_000, 20_000, 30_000, // s
    60_000, 120_000, 300_000, 600_000, 1_200_000, 1_800_000, // min
    3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000, // h
];

/// The next multiple of a round step that is not below `length`. The step is at most a quarter of
/// the length, so that not much more is left out than has to be; but never below a millisecond.
pub(super) fn readable(length: Duration) -> Duration {
    let millis = length.as_nanos().div_ceil(1_000_000);
    let steps = STEPS.into_iter().rev();
    let step = steps.into_iter().find(|step| step * 4 <= millis);
    let step = step.unwrap_or(STEPS[0]);
    Duration::from_millis(millis.div_ceil(step).saturating_mul(step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_become_round() {
        for (millis, text) in [
            (0, "0s"),
            (1, "1ms"),
            (47, "50ms"),
            (983, "1s"),
            (47_311, "50s"),
            (61_000, "70s"),
            (130_000, "150s"),
            (290_123, "5min"),
            (3_700_000, "70min"),
            (90_000_000, "30h"),
        ] {
            let shown = readable(Duration::from_millis(millis)).to_string();
            assert_eq!(shown, text, "{millis} ms");
        }
        assert_eq!(readable(Duration::from_nanos(1)), Duration::from_millis(1));
    }

    proptest! {
        #[test]
        fn never_shorter_and_never_much_longer(nanos in 4_000_000..u64::MAX / 2) {
            let (length, rounded) = (nanos, readable(Duration::from_nanos(nanos)).as_nanos());
            prop_assert!(rounded >= length);
            prop_assert!(rounded as f64 <= length as f64 * 1.25 + 1e6);
        }
    }
}
