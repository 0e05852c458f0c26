//! How long the way to an account and back takes.
//!
//! One round trip per attempt, added whole after the work: the upstream sees attempts in the order
//! in which they were sent, and a slot is held for the work only, not while the answer travels. The
//! leg between a client and a gateway elsewhere is left out, because it is the same whichever
//! account is chosen.

use super::config::RoundTrips;
use crate::request::RegionIndex;
use crate::time::Duration;

impl RoundTrips {
    /// The round trip between the gateway (or, where it has no place of its own, the user) and an
    /// account; zero if either place is not known.
    #[inline]
    pub(super) fn to_account(
        &self,
        user: Option<RegionIndex>,
        account: Option<RegionIndex>,
    ) -> Duration {
        let (Some(from), Some(to)) = (self.gateway.or(user), account) else {
            return Duration::ZERO;
        };
        if to.at() >= self.regions {
            return Duration::ZERO;
        }
        let cell = self.matrix.get(from.at() * self.regions + to.at());
        cell.copied().unwrap_or(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trips(gateway: Option<u16>) -> RoundTrips {
        RoundTrips {
            matrix: [1, 80, 90, 2].map(Duration::from_millis).to_vec(),
            regions: 2,
            gateway: gateway.map(RegionIndex),
        }
    }

    #[test]
    fn reads_the_row_of_the_sender_and_the_column_of_the_account() {
        let between = |gateway, user: u16, account: u16| {
            trips(gateway)
                .to_account(Some(RegionIndex(user)), Some(RegionIndex(account)))
                .as_micros()
                / 1_000
        };
        assert_eq!(between(None, 0, 1), 80);
        assert_eq!(between(None, 1, 0), 90);
        assert_eq!(between(None, 1, 1), 2);
        assert_eq!(between(Some(0), 1, 1), 80);
        assert_eq!(between(None, 0, 2), 0);
        assert_eq!(between(None, 2, 0), 0);
    }

    #[test]
    fn an_unknown_place_costs_nothing() {
        let here = Some(RegionIndex(1));
        assert_eq!(trips(None).to_account(None, here), Duration::ZERO);
        assert_eq!(trips(None).to_account(here, None), Duration::ZERO);
        assert_eq!(trips(Some(0)).to_account(None, here).as_micros(), 80_000);
        assert_eq!(RoundTrips::default().to_account(here, here), Duration::ZERO);
    }
}
