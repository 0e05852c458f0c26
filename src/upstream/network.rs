//! How long the way to an account and back takes.
//!
//! One round trip per attempt, added whole after the work: the upstream sees attempts in the order
//! in which they were sent, and a slot is held for the work only, not while the answer travels. The
//! leg between a client and a gateway elsewhere is left out, because it is the same whichever
//! account is chosen.
//!
//! A way may be disturbed. Single lost packets are *delay*: TCP sends them again, after 200 ms and
//! more, or 1 s for the packet that opens the connection (RFC 6298), and the client sees a slow
//! answer. What a client sees as *loss* is a connection that cannot be opened or is dropped by a
//! box on the way: nothing comes back, and its own stack gives up after seconds (connect timeouts
//! of HTTP clients are mostly 5 to 10 s) with a connection error, or never, until a timeout of the
//! gateway. So an attempt is lost as a whole, before it reaches the account: it takes no quota and
//! no slot.

use super::config::{Link, RoundTrips};
use crate::request::RegionIndex;
use crate::rng::Rng;
use crate::time::Duration;

/// What becomes of an attempt on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Passage {
    /// It arrives, and its round trip takes so much longer.
    Delayed(Duration),
    /// It does not arrive. The client's side gives up after this long; `None` = never.
    Lost(Option<Duration>),
}

impl Passage {
    /// An undisturbed way.
    pub(super) const CLEAR: Self = Self::Delayed(Duration::ZERO);
}

impl Link {
    fn fits(&self, from: Option<RegionIndex>, to: Option<RegionIndex>) -> bool {
        self.between.is_none_or(|[one, other]| {
            let way = (from, to);
            way == (Some(one), Some(other)) || way == (Some(other), Some(one))
        })
    }

    /// Draws what becomes of an attempt: whether it is lost, always, then what follows from that.
    fn passage(&self, rng: &mut Rng) -> Passage {
        let lost = rng.uniform() < self.loss;
        if lost {
            let after = self.lost_after.as_ref();
            return Passage::Lost(after.map(|after| after.sample_duration(rng)));
        }
        let delay = self.delay.as_ref();
        Passage::Delayed(delay.map_or(Duration::ZERO, |delay| delay.sample_duration(rng)))
    }
}

impl RoundTrips {
    /// Where attempts for a user are sent from: the gateway's place, or beside the user.
    #[inline]
    pub(super) fn sender(&self, user: Option<RegionIndex>) -> Option<RegionIndex> {
        self.gateway.or(user)
    }

    /// What becomes of an attempt on its way to an account.
    #[cold]
    pub(super) fn passage(
        &self,
        user: Option<RegionIndex>,
        account: Option<RegionIndex>,
        rng: &mut Rng,
    ) -> Passage {
        let from = self.sender(user);
        let link = self.links.iter().find(|link| link.fits(from, account));
        link.map_or(Passage::CLEAR, |link| link.passage(rng))
    }

    /// The round trip between the gateway (or, where it has no place of its own, the user) and an
    /// account; zero if either place is not known.
    #[inline]
    pub(super) fn to_account(
        &self,
        user: Option<RegionIndex>,
        account: Option<RegionIndex>,
    ) -> Duration {
        let (Some(from), Some(to)) = (self.sender(user), account) else {
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
    use crate::distribution::Distribution;
    use crate::rng::Streams;

    fn trips(gateway: Option<u16>) -> RoundTrips {
        RoundTrips {
            matrix: [1, 80, 90, 2].map(Duration::from_millis).to_vec(),
            regions: 2,
            gateway: gateway.map(RegionIndex),
            links: Vec::new(),
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

    fn link(between: Option<[u16; 2]>, loss: f64) -> Link {
        let seconds = |value| Some(Distribution::constant(value).unwrap());
        Link {
            between: between.map(|pair| pair.map(RegionIndex)),
            loss,
            lost_after: seconds(10.0),
            delay: seconds(0.25),
        }
    }

    #[test]
    fn the_first_link_that_fits_counts_in_both_directions() {
        let mut trips = trips(None);
        trips.links = vec![link(Some([1, 0]), 1.0), link(None, 0.0)];
        let between = |user: Option<u16>, account: Option<u16>| {
            let mut rng = Rng::from_state(1);
            trips.passage(user.map(RegionIndex), account.map(RegionIndex), &mut rng)
        };
        let lost = Passage::Lost(Some(Duration::from_secs(10)));
        let late = Passage::Delayed(Duration::from_millis(250));
        assert_eq!(between(Some(0), Some(1)), lost);
        assert_eq!(between(Some(1), Some(0)), lost);
        assert_eq!(between(Some(1), Some(1)), late);
        assert_eq!(between(None, Some(1)), late);
        trips.links.pop();
        let mut rng = Rng::from_state(1);
        assert_eq!(trips.passage(None, None, &mut rng), Passage::CLEAR);
    }

    #[test]
    fn attempts_are_lost_at_the_stated_rate() {
        const N: u32 = 100_000;
        let mut trips = trips(None);
        trips.links = vec![link(None, 0.03)];
        let lost = |request| {
            let mut rng = Streams::new(9, 0).passage(request, 2, 0);
            matches!(trips.passage(None, None, &mut rng), Passage::Lost(_))
        };
        let lost = (0..u64::from(N)).filter(|request| lost(*request)).count();
        // 4.5 standard deviations of a binomial count.
        let spread = (f64::from(N) * 0.03 * 0.97).sqrt();
        assert!(
            (lost as f64 - f64::from(N) * 0.03).abs() < 4.5 * spread,
            "{lost}"
        );
    }
}
