//! Scores of a target, from what was learned about it. All are in [0, 1], 1 is best.

use crate::routing::config::{AdaptiveWeights, HealthWeights};

/// The parts that scores are made of.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Components {
    /// Windowed success rate.
    pub success: f64,
    /// `reference / (reference + response time)`; 0.5 when unmeasured.
    pub response: f64,
    /// `1 - in_flight / max_in_flight`.
    pub connections: f64,
    /// `1 - min(error streak, limit) / limit`.
    pub stability: f64,
}

/// Response score of a response time in seconds.
#[must_use]
#[inline]
pub fn response(seconds: Option<f64>, reference_seconds: f64) -> f64 {
    seconds.map_or(0.5, |seconds| {
        reference_seconds / (reference_seconds + seconds)
    })
}

/// Free share of the in-flight limit.
#[must_use]
#[inline]
pub fn connections(in_flight: u32, max_in_flight: u32) -> f64 {
    1.0 - (f64::from(in_flight) / f64::from(max_in_flight.max(1))).min(1.0)
}

/// Absence of an error streak.
#[must_use]
#[inline]
pub fn stability(error_streak: u32, limit: u32) -> f64 {
    let limit = limit.max(1);
    1.0 - f64::from(error_streak.min(limit)) / f64::from(limit)
}

impl Components {
    /// The health score.
    #[must_use]
    #[inline]
    pub fn health(&self, weights: &HealthWeights) -> f64 {
        weights.success * self.success
            + weights.response * self.response
            + weights.connections * self.connections
            + weights.stability * self.stability
    }

    /// The part of the `adaptive` score that does not depend on the provider's share.
    #[must_use]
    #[inline]
    pub fn adaptive_base(&self, health: f64, weights: &AdaptiveWeights) -> f64 {
        weights.health * health
            + weights.success * self.success
            + weights.response * self.response
            + weights.load * self.connections
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_users_weights() {
        let parts = Components {
            success: 0.9,
            response: 0.5,
            connections: 0.75,
            stability: 0.6,
        };
        let health = parts.health(&HealthWeights::default());
        assert!((health - (0.36 + 0.15 + 0.15 + 0.06)).abs() < 1e-12);
        let base = parts.adaptive_base(health, &AdaptiveWeights::default());
        assert!((base - (0.25 * health + 0.225 + 0.1 + 0.1125)).abs() < 1e-12);
    }

    #[test]
    fn component_values() {
        assert_eq!(response(None, 5.0), 0.5);
        assert_eq!(response(Some(5.0), 5.0), 0.5);
        assert_eq!(response(Some(0.0), 5.0), 1.0);
        assert_eq!(connections(25, 100), 0.75);
        assert_eq!(connections(200, 100), 0.0);
        assert_eq!(stability(0, 5), 1.0);
        assert_eq!(stability(2, 5), 0.6);
        assert_eq!(stability(9, 5), 0.0);
    }

    proptest! {
        /// Health is in [0, 1], and no part can get worse without the score getting worse.
        #[test]
        fn health_is_bounded_and_monotone(
            parts in prop::array::uniform4(0.0f64..=1.0), part in 0usize..4, better in 0.0f64..=1.0,
        ) {
            let health = |p: [f64; 4]| {
                let [success, response, connections, stability] = p;
                Components { success, response, connections, stability }
                    .health(&HealthWeights::default())
            };
            let mut improved = parts;
            improved[part] = improved[part].max(better);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&health(parts)));
            prop_assert!(health(improved) >= health(parts));
        }
    }
}
