//! What kind of number a metric is: its unit, what it is taken over, how far out in the tail it
//! lies. Claims need it to read an amount, and to know how many samples the number rests on.

use super::Metric;

/// The unit of a metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Part of a whole, 0 to 1; written in per cent.
    Share,
    /// Seconds.
    Seconds,
    /// Per second.
    PerSecond,
    /// US dollars.
    Dollars,
    /// A number without a unit.
    Plain,
}

/// What a metric is taken over, in one replication.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Population {
    /// All measured requests.
    Requests,
    /// The successful ones.
    Successes,
    /// The streaming ones.
    Streaming,
    /// The successful streaming ones.
    StreamingSuccesses,
}

impl Metric {
    /// Its unit.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::SuccessRate
            | Self::RejectedRate
            | Self::CacheHitRate
            | Self::CoalescedRate
            | Self::WaitedRate
            | Self::LeastBadShare
            | Self::WastedCostShare => Unit::Share,
            Self::Goodput => Unit::PerSecond,
            Self::CostPer1kSuccesses => Unit::Dollars,
            Self::AttemptsPerRequest
            | Self::RetryAmplification
            | Self::FairnessJain
            | Self::StarvedAccounts
            | Self::BreakerOpenings
            | Self::BrierScore
            | Self::CalibrationError => Unit::Plain,
            _ => Unit::Seconds,
        }
    }

    /// What it is taken over.
    #[must_use]
    pub fn population(self) -> Population {
        let name = self.name();
        match (name.starts_with("first_token"), name.contains("_ok_")) {
            (true, true) => Population::StreamingSuccesses,
            (true, false) => Population::Streaming,
            (false, true) => Population::Successes,
            (false, false) => Population::Requests,
        }
    }

    /// Share of the numbers beyond it, if it is a quantile: 0.01 for a P99.
    #[must_use]
    pub fn tail(self) -> Option<f64> {
        self.name().split('_').find_map(|part| match part {
            "p50" => Some(0.5),
            "p90" => Some(0.1),
            "p95" => Some(0.05),
            "p99" => Some(0.01),
            "p999" => Some(0.001),
            _ => None,
        })
    }

    /// Whether it is a time that requests take, or wait for their first token.
    #[must_use]
    pub fn is_latency(self) -> bool {
        let name = self.name();
        name.starts_with("latency_") || name.starts_with("first_token_")
    }

    /// Whether it says how long queues are. Where they grow for ever, such a number is one of the
    /// length of the run: besides times, what is done in time, who finds nobody free, and what is
    /// asked again while an answer is under way.
    #[must_use]
    pub fn depends_on_queues(self) -> bool {
        self.is_latency()
            || matches!(
                self,
                Self::Goodput
                    | Self::RejectedRate
                    | Self::WaitedRate
                    | Self::LeastBadShare
                    | Self::CacheHitRate
                    | Self::CoalescedRate
                    | Self::BrierScore
                    | Self::CalibrationError
            )
    }

    /// Whether it is over successes only, so that a strategy can win by failing the slow ones.
    #[must_use]
    pub fn leaves_failures_out(self) -> bool {
        matches!(
            self.population(),
            Population::Successes | Population::StreamingSuccesses
        )
    }

    /// The same time over successes alone, if it is one over all requests.
    #[must_use]
    pub fn over_successes(self) -> Option<Self> {
        let over_all = self.is_latency() && !self.leaves_failures_out();
        Self::from_name(&self.name().replace("_all_", "_ok_")).filter(|_| over_all)
    }

    /// The metric of this name, or of this short name: `mean`, `p50`, `p90`, `p95`, `p99` and
    /// `p999` are latency over all requests, which is what users feel.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::from_name(name).or_else(|| {
            let short = Self::SHORT.iter().find(|(short, _)| *short == name)?;
            Some(short.1)
        })
    }

    /// The short names.
    pub const SHORT: [(&'static str, Self); 6] = [
        ("mean", Self::LatencyMeanAll),
        ("p50", Self::LatencyP50All),
        ("p90", Self::LatencyP90All),
        ("p95", Self::LatencyP95All),
        ("p99", Self::LatencyP99All),
        ("p999", Self::LatencyP999All),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_that_the_names_end_with() {
        for metric in Metric::ALL {
            let name = metric.name();
            let by_name = match name.rsplit('_').next().unwrap() {
                "s" => Unit::Seconds,
                "rps" => Unit::PerSecond,
                "usd" => Unit::Dollars,
                "rate" | "share" => Unit::Share,
                _ => Unit::Plain,
            };
            assert_eq!(metric.unit(), by_name, "{name}");
        }
    }

    #[test]
    fn what_names_say() {
        assert_eq!(Metric::LatencyP999Ok.tail(), Some(0.001));
        assert_eq!(Metric::LatencyMeanAll.tail(), None);
        assert_eq!(Metric::SuccessRate.tail(), None);
        let first_token = Metric::FirstTokenP99Ok;
        assert_eq!(first_token.population(), Population::StreamingSuccesses);
        assert!(first_token.leaves_failures_out() && first_token.is_latency());
        assert_eq!(Metric::LatencyP50All.population(), Population::Requests);
        assert_eq!(
            Metric::CostPer1kSuccesses.population(),
            Population::Requests
        );
        assert!(!Metric::SuccessRate.leaves_failures_out());
        assert!(Metric::Goodput.depends_on_queues() && first_token.depends_on_queues());
        assert!(!Metric::SuccessRate.depends_on_queues());
        let over_successes = Metric::LatencyMeanAll.over_successes();
        assert_eq!(over_successes, Some(Metric::LatencyMeanOk));
        let none = [Metric::LatencyMeanOk, Metric::SuccessRate];
        assert!(none.iter().all(|metric| metric.over_successes().is_none()));
        assert!(!Metric::CostPer1kSuccesses.depends_on_queues());
        assert_eq!(Metric::named("p99"), Some(Metric::LatencyP99All));
        assert_eq!(Metric::named("success_rate"), Some(Metric::SuccessRate));
        assert_eq!(Metric::named("p98"), None);
    }
}
