//! Each provider's share of recent dispatches, for the `adaptive` strategy.
//!
//! All shares decay with one time constant, so the decay cancels in them. The counters therefore
//! grow forward instead of decaying (Cormode et al., "Forward decay", ICDE 2009): a dispatch at t
//! adds `exp((t - origin) / tau)`, and nothing has to be touched as time passes.

use crate::exp::exp;
use crate::request::Provider;
use crate::time::{Duration, Timestamp};

/// Beyond this exponent the counters are scaled down, long before they overflow.
const RESCALE_AT: f64 = 64.0;

/// Decayed shares of the providers.
#[derive(Clone, Debug)]
pub struct ProviderShares {
    counters: [f64; Provider::ALL.len()],
    origin: Timestamp,
    tau_nanos: f64,
}

impl ProviderShares {
    /// No dispatches yet: every share is 0.
    #[must_use]
    pub fn new(tau: Duration) -> Self {
        Self {
            counters: [0.0; Provider::ALL.len()],
            origin: Timestamp::ZERO,
            tau_nanos: tau.as_nanos().max(1) as f64,
        }
    }

    /// Notes a dispatch.
    #[inline]
    pub fn dispatched(&mut self, now: Timestamp, provider: Provider) {
        let mut exponent = now.since(self.origin).as_nanos() as f64 / self.tau_nanos;
        if exponent > RESCALE_AT {
            let scale = exp(-exponent);
            self.counters
                .iter_mut()
                .for_each(|counter| *counter *= scale);
            (self.origin, exponent) = (now, 0.0);
        }
        self.counters[provider.at()] += exp(exponent);
    }

    /// Share in [0, 1] by provider.
    #[must_use]
    #[inline]
    pub fn shares(&self) -> [f64; Provider::ALL.len()] {
        let total = self.counters.iter().sum::<f64>();
        let per_total = if total > 0.0 { 1.0 / total } else { 0.0 };
        self.counters.map(|counter| counter * per_total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition: every past dispatch, decayed to now.
    #[test]
    fn shares_agree_with_the_definition() {
        let tau = Duration::from_secs(60);
        let mut shares = ProviderShares::new(tau);
        let mut log: Vec<(f64, Provider)> = vec![];
        for i in 0..5_000u32 {
            let secs = f64::from(i) * 1.7;
            let provider = Provider::ALL[(i * i % 7 % 3) as usize];
            shares.dispatched(Timestamp::ZERO + Duration::from_secs_f64(secs), provider);
            log.push((secs, provider));
            let decayed = |p: Option<Provider>| -> f64 {
                log.iter()
                    .filter(|(_, q)| p.is_none_or(|p| p == *q))
                    .map(|(t, _)| ((t - secs) / 60.0).exp())
                    .sum()
            };
            if i % 97 == 0 {
                for p in Provider::ALL {
                    let expected = decayed(Some(*p)) / decayed(None);
                    assert!((shares.shares()[p.at()] - expected).abs() < 1e-9);
                }
            }
        }
    }
}
