//! One attempt from the door to its end, as a small state machine on a timeline.
//!
//! All that will happen to an attempt is drawn at the door and kept as a [`Plan`], relative to the
//! start of service; load, faults and the client only decide when it starts, how fast it runs, and
//! whether it gets to the end. So its demand cannot depend on them.
//!
//! The plan says how much work the first token and the end take. When they come in time is known at
//! the start where an attempt runs at a speed of its own, and only once they have come where it
//! shares a station with others; the rest of the timeline follows from the two times either way.

use crate::request::{AccountIndex, Failure, FailureKind, ModelIndex, RegionIndex, Usage};
use crate::time::{Duration, Timestamp};
use crate::upstream::service::Demand;

/// An attempt in flight, or a vacant place in the table.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) account: AccountIndex,
    pub(super) model: ModelIndex,
    /// Where it was sent from.
    pub(super) from: Option<RegionIndex>,
    /// Number in order of beginning: tells attempts apart that had the same id.
    pub(super) begun: u64,
    pub(super) phase: Phase,
    /// Start of service; meaningless before.
    pub(super) started: Timestamp,
    /// When the first token is produced; [`Timestamp::NEVER`] while that is not known.
    pub(super) first_token_at: Timestamp,
    /// When the work is done; [`Timestamp::NEVER`] while that is not known, or if it hangs.
    pub(super) done_at: Timestamp,
    pub(super) holds: Hold,
    /// Nothing will ever be reported of it.
    pub(super) silent: bool,
    /// It never reached the account.
    pub(super) unsent: bool,
    /// The client has given it up, and it goes on for nobody.
    pub(super) abandoned: bool,
    pub(super) stream: Stream,
    /// Output tokens known to the client; kept only where attempts share a station, as is the next.
    pub(super) reported: u32,
    /// The stream is to be reported to go on as soon as there is one more.
    pub(super) awaits_token: bool,
    /// When the stream is next to be reported to go on; meaningless before the first token.
    pub(super) progress_at: Timestamp,
    pub(super) round_trip: Duration,
    pub(super) plan: Plan,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Nobody uses this place.
    Vacant,
    /// It waits for a slot.
    Waiting,
    /// It is worked on, or its answer is on the way.
    Started,
    /// It broke off at a fault that has just started; that has still to be reported.
    Broken,
}

/// What it holds of its account while it is worked on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hold {
    /// Nothing, or nothing any more.
    Nothing,
    /// A slot.
    Slot,
    /// A share of a station.
    Share,
}

/// How far the stream has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stream {
    /// It is not streaming, or no token will ever come.
    None,
    /// The first token has still to be delivered.
    Awaited,
    /// The first token was delivered.
    Flowing,
}

/// What will happen if nothing intervenes.
#[derive(Clone)]
pub(super) struct Plan {
    /// When the first token and the end come, after the start of service. An end that never comes
    /// is a hang.
    pub(super) demand: Demand,
    /// Tokens consumed by the end.
    pub(super) usage: Usage,
    pub(super) ending: Ending,
}

#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// A complete answer.
    Completes,
    /// The stream breaks off; what was produced is charged.
    Breaks,
    /// An error; nothing is charged.
    Fails(Failure),
}

/// The next thing to happen to an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// The first token reaches the client.
    FirstToken,
    /// A stream that flows is reported to go on.
    Progress,
    /// The work is done and the slot is free; the answer is still on the way.
    FreeSlot,
    /// The end reaches the client.
    End,
}

impl Plan {
    /// An error that comes `after` the start.
    pub(super) fn fails(after: Duration, failure: Failure) -> Self {
        Self {
            demand: Demand {
                first_token: after,
                end: after,
            },
            usage: Usage::default(),
            ending: Ending::Fails(failure),
        }
    }

    /// Nothing, ever.
    pub(super) fn hangs() -> Self {
        Self::fails(Duration::MAX, FailureKind::Connection.into())
    }

    /// This answer, broken off at a uniform point of it (`u` in [0, 1)).
    pub(super) fn broken_off(self, u: f64) -> Self {
        let end = self.demand.break_point(u);
        let output = self.demand.produced(end, self.usage.output);
        Self {
            demand: Demand { end, ..self.demand },
            usage: Usage {
                output,
                ..self.usage
            },
            ending: Ending::Breaks,
        }
    }

    /// An answer takes `factor` times as long; an error comes when it comes.
    pub(super) fn slow_down(&mut self, factor: f64) {
        if !matches!(self.ending, Ending::Fails(_)) {
            self.demand = self.demand.scale(factor);
        }
    }

    /// Whether a first token comes before the end.
    pub(super) fn has_first_token(&self) -> bool {
        let produces = !matches!(self.ending, Ending::Fails(_));
        produces && self.demand.first_token <= self.demand.end
    }
}

impl Attempt {
    pub(super) const VACANT: Self = Self {
        account: AccountIndex(0),
        model: ModelIndex(0),
        from: None,
        begun: 0,
        phase: Phase::Vacant,
        started: Timestamp::ZERO,
        first_token_at: Timestamp::NEVER,
        done_at: Timestamp::NEVER,
        holds: Hold::Nothing,
        silent: false,
        unsent: false,
        abandoned: false,
        stream: Stream::None,
        reported: 0,
        awaits_token: false,
        progress_at: Timestamp::NEVER,
        round_trip: Duration::ZERO,
        plan: Plan {
            demand: Demand {
                first_token: Duration::ZERO,
                end: Duration::ZERO,
            },
            usage: Usage {
                input: 0,
                cached_input: 0,
                output: 0,
            },
            ending: Ending::Completes,
        },
    };

    /// Service starts at `now`, at a speed of its own.
    #[inline]
    pub(super) fn start(&mut self, now: Timestamp) {
        self.phase = Phase::Started;
        self.started = now;
        self.first_token_at = now + self.plan.demand.first_token;
        self.done_at = now + self.plan.demand.end;
    }

    /// What happens next to a started attempt, and when; [`Timestamp::NEVER`] if it hangs, or if
    /// that is not known yet.
    #[inline]
    pub(super) fn next_step(&self) -> (Timestamp, Step) {
        let frees_slot = self.holds == Hold::Slot && self.round_trip > Duration::ZERO;
        let stream = match self.stream {
            Stream::None => None,
            Stream::Awaited => Some((self.first_token_at + self.round_trip, Step::FirstToken)),
            Stream::Flowing => {
                let next = (self.progress_at, Step::Progress);
                Some(next).filter(|(at, _)| *at < self.done_at + self.round_trip)
            }
        };
        match stream {
            Some((at, step)) if !frees_slot || at <= self.done_at => (at, step),
            _ if frees_slot => (self.done_at, Step::FreeSlot),
            _ => (self.done_at + self.round_trip, Step::End),
        }
    }

    /// Whether the first token is still to be produced, and a matter of interest.
    pub(super) fn awaits_first_token(&self) -> bool {
        self.stream == Stream::Awaited && self.first_token_at == Timestamp::NEVER
    }

    /// The work up to the next milestone of an attempt that shares a station.
    pub(super) fn next_milestone(&self) -> Duration {
        let demand = self.plan.demand;
        if self.awaits_first_token() {
            demand.first_token
        } else if self.awaits_token {
            demand.work_of(self.reported.saturating_add(1), self.plan.usage.output)
        } else {
            demand.end
        }
    }

    /// A token has reached the client at `now`; that the stream goes on is to be reported every so
    /// often ([`Duration::MAX`]: not at all), or with every token where these come further apart.
    #[inline]
    pub(super) fn progressed(&mut self, now: Timestamp, every: Duration) {
        self.progress_at = if every == Duration::MAX {
            Timestamp::NEVER
        } else {
            now + every.max(self.token_gap())
        };
    }

    /// Time between two tokens of the stream.
    fn token_gap(&self) -> Duration {
        let Demand { first_token, end } = self.plan.demand;
        let gaps = u64::from(self.plan.usage.output.saturating_sub(1)).max(1);
        Duration::from_nanos(end.saturating_sub(first_token).as_nanos() / gaps)
    }

    /// What it has consumed once so much of the work is done.
    pub(super) fn usage_after(&self, work: Duration) -> Usage {
        match self.phase {
            Phase::Vacant | Phase::Waiting => Usage::default(),
            Phase::Broken => self.plan.usage,
            Phase::Started => Usage {
                output: self.plan.demand.produced(work, self.plan.usage.output),
                ..self.plan.usage
            },
        }
    }

    /// The client leaves, and the work goes on: nothing is reported, and the answer never arrives.
    pub(super) fn abandon(&mut self) {
        self.abandoned = true;
        self.silent = false;
        self.stream = Stream::None;
        self.round_trip = Duration::MAX;
    }

    /// A fault breaks it off when it has consumed so much: what it will report is settled here.
    pub(super) fn break_off(&mut self, usage: Usage) {
        if self.stream == Stream::Flowing {
            self.plan.usage = usage;
            self.plan.ending = Ending::Breaks;
        } else {
            self.plan.usage = Usage::default();
            self.plan.ending = Ending::Fails(FailureKind::Connection.into());
        }
        self.holds = Hold::Nothing;
        self.phase = Phase::Broken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(n: u64) -> Duration {
        Duration::from_nanos(n)
    }

    /// Started at 1000, first token after 100, work done after 150.
    fn streaming(round_trip: u64, holds_slot: bool) -> Attempt {
        let mut attempt = Attempt {
            holds: if holds_slot {
                Hold::Slot
            } else {
                Hold::Nothing
            },
            stream: Stream::Awaited,
            round_trip: nanos(round_trip),
            plan: Plan {
                demand: Demand {
                    first_token: nanos(100),
                    end: nanos(150),
                },
                usage: Usage {
                    input: 7,
                    cached_input: 3,
                    output: 6,
                },
                ending: Ending::Completes,
            },
            ..Attempt::VACANT
        };
        attempt.start(Timestamp::from_nanos(1_000));
        attempt
    }

    fn steps(mut attempt: Attempt) -> Vec<(u64, Step)> {
        let mut steps = Vec::new();
        loop {
            let (time, step) = attempt.next_step();
            steps.push((time.as_nanos(), step));
            match step {
                Step::FirstToken => attempt.stream = Stream::Flowing,
                Step::Progress => unreachable!("it is not asked for"),
                Step::FreeSlot => attempt.holds = Hold::Nothing,
                Step::End => return steps,
            }
        }
    }

    #[test]
    fn the_slot_is_free_before_the_answer_has_travelled() {
        use Step::{End, FirstToken, FreeSlot};
        let direct = [(1_100, FirstToken), (1_150, End)];
        assert_eq!(steps(streaming(0, false)), direct);
        assert_eq!(steps(streaming(0, true)), direct);
        assert_eq!(
            steps(streaming(60, false)),
            [(1_160, FirstToken), (1_210, End)]
        );
        let near = [(1_120, FirstToken), (1_150, FreeSlot), (1_170, End)];
        assert_eq!(steps(streaming(20, true)), near);
        let far = [(1_150, FreeSlot), (1_160, FirstToken), (1_210, End)];
        assert_eq!(steps(streaming(60, true)), far);
    }

    #[test]
    fn a_break_charges_a_flowing_stream_only() {
        let mut waiting_for_token = streaming(0, false);
        waiting_for_token.break_off(waiting_for_token.usage_after(nanos(120)));
        assert_eq!(waiting_for_token.plan.usage, Usage::default());
        let mut flowing = streaming(0, false);
        flowing.stream = Stream::Flowing;
        flowing.break_off(flowing.usage_after(nanos(120)));
        assert!(matches!(flowing.plan.ending, Ending::Breaks));
        let expected = Usage {
            input: 7,
            cached_input: 3,
            output: 3,
        };
        assert_eq!(flowing.plan.usage, expected);
        assert_eq!(flowing.usage_after(Duration::MAX), expected);
    }
}
