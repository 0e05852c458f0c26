//! Users who wait for an answer, think, and ask again.
//!
//! An open process keeps asking however slow the answers are; users of an interactive tool do not,
//! and a pool of workers cannot. Which of the two it is decides what overload looks like
//! (Schroeder, Wierman, Harchol-Balter: "Open versus closed: a cautionary tale", NSDI 2006), so
//! both are here. With exponential times it is the machine repair model, whose closed form is the
//! oracle of the tests.
//!
//! Every user has a stream of its own. How long one thinks before its n-th request, and what that
//! request asks for, are functions of (user, n), and not of the time or the order of ends: two
//! strategies meet the same users, though they meet them at other times.

use crate::distribution::Distribution;
use crate::rng::Rng;
use crate::time::{Duration, Timestamp};
use crate::workload::config::Users;

/// The users of one closed loop.
#[derive(Clone, Debug)]
pub struct ClosedLoop {
    think_time: Distribution,
    users: Box<[Rng]>,
}

impl ClosedLoop {
    /// Users who have just come, in a place each of its own: another number of them changes none.
    pub fn new(config: &Users, mut rng: Rng) -> Self {
        Self {
            think_time: config.think_time.clone(),
            users: (0..config.count).map(|_| rng.split()).collect(),
        }
    }

    /// How many users there are.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// When a user asks for the first time: somewhere within a think time, uniformly. Were it a
    /// whole one, users whose think time is constant would begin, and go on, in step.
    pub fn first(&mut self, user: usize) -> Option<Timestamp> {
        let part = self.users.get_mut(user)?.uniform();
        let thinking = self.think(user)?;
        Some(Timestamp::ZERO + thinking.scale(part))
    }

    /// When a user asks again whose request has ended now.
    #[inline]
    pub fn next(&mut self, user: usize, now: Timestamp) -> Option<Timestamp> {
        Some(now + self.think(user)?)
    }

    /// What the attributes of the user's next request are drawn by.
    #[inline]
    pub fn key(&mut self, user: usize) -> Option<u64> {
        self.users.get_mut(user).map(Rng::next_u64)
    }

    #[inline]
    fn think(&mut self, user: usize) -> Option<Duration> {
        let mut thoughts = self.users.get_mut(user)?.split();
        Some(self.think_time.sample_duration(&mut thoughts))
    }
}
