//! One attempt from the door to its end, as a small state machine on a timeline.
//!
//! All that will happen to an attempt is drawn at the door and kept as a [`Plan`], relative to the
//! start of service; load, faults and the client only decide when it starts and whether it gets to
//! the end. So its demand cannot depend on them.

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
    pub(super) holds_slot: bool,
    /// Nothing will ever be reported of it.
    pub(super) silent: bool,
    /// It never reached the account.
    pub(super) unsent: bool,
    pub(super) stream: Stream,
    /// When the client was last known to have had a token; meaningless before the first.
    pub(super) progressed: Timestamp,
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
        holds_slot: false,
        silent: false,
        unsent: false,
        stream: Stream::None,
        progressed: Timestamp::ZERO,
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

    /// What happens next to a started attempt, and when; [`Timestamp::NEVER`] if it hangs. Streams
    /// report progress every so often ([`Duration::MAX`]: not at all).
    #[inline]
    pub(super) fn next_step(&self, progress_every: Duration) -> (Timestamp, Step) {
        let work_done = self.started + self.plan.demand.end;
        let frees_slot = self.holds_slot && self.round_trip > Duration::ZERO;
        let stream = match self.stream {
            Stream::None => None,
            Stream::Awaited => {
                let first = self.started + self.plan.demand.first_token + self.round_trip;
                Some((first, Step::FirstToken))
            }
            Stream::Flowing if progress_every == Duration::MAX => None,
            Stream::Flowing => {
                let next = self.progressed + progress_every.max(self.token_gap());
                Some((next, Step::Progress)).filter(|_| next < work_done + self.round_trip)
            }
        };
        match stream {
            Some((at, step)) if !frees_slot || at <= work_done => (at, step),
            _ if frees_slot => (work_done, Step::FreeSlot),
            _ => (work_done + self.round_trip, Step::End),
        }
    }

    /// Time between two tokens of the stream.
    fn token_gap(&self) -> Duration {
        let Demand { first_token, end } = self.plan.demand;
        let gaps = u64::from(self.plan.usage.output.saturating_sub(1)).max(1);
        Duration::from_nanos(end.saturating_sub(first_token).as_nanos() / gaps)
    }

    /// What it has consumed by `now`.
    pub(super) fn usage_by(&self, now: Timestamp) -> Usage {
        match self.phase {
            Phase::Vacant | Phase::Waiting => Usage::default(),
            Phase::Broken => self.plan.usage,
            Phase::Started => {
                let (elapsed, usage) = (now.since(self.started), self.plan.usage);
                Usage {
                    output: self.plan.demand.produced(elapsed, usage.output),
                    ..usage
                }
            }
        }
    }

    /// A fault breaks it off at `now`: what it will report is settled here.
    pub(super) fn break_off(&mut self, now: Timestamp) {
        if self.stream == Stream::Flowing {
            self.plan.usage = self.usage_by(now);
            self.plan.ending = Ending::Breaks;
        } else {
            self.plan.usage = Usage::default();
            self.plan.ending = Ending::Fails(FailureKind::Connection.into());
        }
        self.holds_slot = false;
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
        Attempt {
            phase: Phase::Started,
            started: Timestamp::from_nanos(1_000),
            holds_slot,
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
        }
    }

    fn steps(mut attempt: Attempt) -> Vec<(u64, Step)> {
        let mut steps = Vec::new();
        loop {
            let (time, step) = attempt.next_step(Duration::MAX);
            steps.push((time.as_nanos(), step));
            match step {
                Step::FirstToken => attempt.stream = Stream::Flowing,
                Step::Progress => attempt.progressed = time,
                Step::FreeSlot => attempt.holds_slot = false,
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
        waiting_for_token.break_off(Timestamp::from_nanos(1_120));
        assert_eq!(waiting_for_token.plan.usage, Usage::default());
        let mut flowing = streaming(0, false);
        flowing.stream = Stream::Flowing;
        flowing.break_off(Timestamp::from_nanos(1_120));
        assert!(matches!(flowing.plan.ending, Ending::Breaks));
        let expected = Usage {
            input: 7,
            cached_input: 3,
            output: 3,
        };
        assert_eq!(flowing.plan.usage, expected);
        assert_eq!(flowing.usage_by(Timestamp::NEVER), expected);
    }
}
