//! All accounts' far ends behind one state machine.
//!
//! A fleet keeps two things in step: the table of attempts, each a small state machine (`attempt`),
//! and one queue of what happens to them when. Attempts come in through `door`; faults that start
//! reach those in flight through `strike`. Where attempts share a station, `sharing` takes the
//! place of the queue until their work is done; what clients give up and accounts go on with is in
//! `abandoned`. What is reported is what reaches the client: every answer, an error too, takes one
//! round trip.

mod abandoned;
mod attempt;
mod door;
mod sharing;
mod strike;

use super::capacity::{Admission, Links, Shares, Station};
use super::config::{Abandoned, AccountBehaviour, Fault, RoundTrips, Service, UpstreamConfig};
use super::event_queue::EventQueue;
use super::failures::CalmFailures;
use super::fault::Faults;
use super::quota::{Buckets, QuotaLeft};
use crate::request::{AccountIndex, AttemptId, Failure, FailureKind, RegionIndex, Request, Usage};
use crate::rng::Streams;
use crate::time::{Duration, Timestamp};
use attempt::{Attempt, Ending, Hold, Phase, Plan, Step, Stream};
use door::Reception;
use sharing::Agenda;
use std::collections::VecDeque;

/// All accounts' far ends.
///
/// Times given must not go back, and [`Fleet::advance`] must have returned `None` at a time before
/// anything is begun later.
pub struct Fleet {
    streams: Streams,
    accounts: Vec<FarEnd>,
    services: Vec<Service>,
    /// Position in `services` by account, then model: row by row.
    service_of: Vec<Option<u16>>,
    models: usize,
    quotas: Vec<Buckets>,
    network: RoundTrips,
    faults: Faults,
    /// By [`AttemptId`].
    attempts: Vec<Attempt>,
    links: Links,
    shares: Shares,
    queue: EventQueue,
    /// When stations that attempts share come to their next milestone.
    agenda: Agenda,
    /// The next boundary of a fault or entry of the agenda. Most fleets never come to the one or
    /// the other, so the two are one comparison with the queue.
    rare_at: Timestamp,
    /// Places in `attempts` for abandoned ones; some may be in use by others since.
    spare: Vec<AttemptId>,
    /// Attempts broken off by a fault and not yet reported, as (id, number in order of beginning);
    /// the front is always one that has not been cancelled since.
    broken: VecDeque<(AttemptId, u64)>,
    broken_at: Timestamp,
    begun: u64,
    in_flight: usize,
    progress_every: Duration,
}

/// What a far end reports. Every attempt has exactly one `Finished` or `Failed`, unless it hangs or
/// is cancelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpstreamEvent {
    /// The first token of a stream arrived; only for streaming requests.
    FirstToken {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// More of a stream arrived, where [`Fleet::report_progress`] asks for that.
    Progress {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// A complete answer arrived.
    Finished {
        /// Which attempt; its id is free again.
        attempt: AttemptId,
        /// Tokens consumed.
        usage: Usage,
    },
    /// It failed.
    Failed {
        /// Which attempt; its id is free again.
        attempt: AttemptId,
        /// How.
        failure: Failure,
        /// Tokens consumed: none for an error, what was produced for a broken stream.
        usage: Usage,
    },
}

/// What one account's far end has of its own.
struct FarEnd {
    region: Option<RegionIndex>,
    quota: Option<usize>,
    station: Station,
    abandoned: Abandoned,
    failures: CalmFailures,
}

/// Room prepared for this many attempts in flight; more are made room for as they come.
const EXPECTED_IN_FLIGHT: usize = 1_024;

impl Fleet {
    /// Every account idle, every bucket full, no fault started.
    #[must_use]
    pub fn new(config: &UpstreamConfig, streams: Streams) -> Self {
        let rows = config.accounts.iter().map(|a| a.service_of_model.len());
        let models = rows.max().unwrap_or(0);
        let mut fleet = Self {
            streams,
            accounts: config.accounts.iter().map(FarEnd::new).collect(),
            services: config.services.clone(),
            service_of: service_table(&config.accounts, models),
            models,
            quotas: config.quotas.iter().map(Buckets::new).collect(),
            network: config.network.clone(),
            faults: Faults::new(all_faults(config, streams), config.accounts.len()),
            attempts: Vec::with_capacity(EXPECTED_IN_FLIGHT),
            links: Links::default(),
            shares: Shares::default(),
            queue: EventQueue::with_capacity(EXPECTED_IN_FLIGHT),
            agenda: Agenda::default(),
            rare_at: Timestamp::NEVER,
            spare: Vec::new(),
            broken: VecDeque::new(),
            broken_at: Timestamp::ZERO,
            begun: 0,
            in_flight: 0,
            progress_every: Duration::MAX,
        };
        fleet.look_ahead();
        fleet
    }

    /// Reports from now on that streams go on: each every so often, or with every token where these
    /// come further apart. A client that times out on pauses needs that, at half its limit.
    pub fn report_progress(&mut self, every: Duration) {
        self.progress_every = every.max(Duration::from_nanos(1));
    }

    /// Begins an attempt to have `request` answered by account `to`, where it was sent `nth` times
    /// before. `attempt` must be small and not in flight; one that is counts as cancelled.
    pub fn begin(
        &mut self,
        now: Timestamp,
        attempt: AttemptId,
        to: AccountIndex,
        nth: u32,
        request: &Request,
    ) {
        let place = attempt.at();
        if place >= self.attempts.len() {
            self.attempts.resize(place + 1, Attempt::VACANT);
        } else if self.attempts[place].phase != Phase::Vacant {
            self.clear(now, attempt);
        }
        let (reception, delay) = if self.network.links.is_empty() {
            let reception = self.receive(now, place, to, nth, request);
            (reception, Duration::ZERO)
        } else {
            self.travel(now, place, to, nth, request)
        };
        self.begun += 1;
        self.in_flight += 1;
        let far_end = self.accounts.get_mut(to.at());
        let region = far_end.as_ref().and_then(|far_end| far_end.region);
        let admission = match far_end {
            Some(far_end) if reception == Reception::Accepted => {
                far_end.station.admit(attempt, &mut self.links)
            }
            _ => Admission::Runs,
        };
        let user = request.features.user_region;
        let round_trip = match reception {
            Reception::Unsent => Duration::ZERO,
            _ => self.network.to_account(user, region) + delay,
        };
        let state = &mut self.attempts[place];
        state.account = to;
        state.model = request.features.model;
        state.from = self.network.sender(user);
        state.begun = self.begun;
        state.phase = Phase::Waiting;
        state.holds = Hold::Nothing;
        state.silent = reception == Reception::Lost;
        state.unsent = reception == Reception::Unsent;
        state.stream = stream_of(request, &state.plan);
        state.round_trip = round_trip;
        let holds = match admission {
            Admission::Runs => Hold::Nothing,
            Admission::RunsInSlot => Hold::Slot,
            Admission::Waits => return,
            Admission::Shares => return self.share(now, attempt),
            Admission::RunsSlower(factor) => {
                state.plan.slow_down(factor);
                Hold::Slot
            }
        };
        self.start(now, attempt, holds);
    }

    /// The client gives up at `now` (timeout, cancellation): its place is free at once, and the
    /// next in line starts, unless the account goes on for nobody ([`Abandoned::Continues`]). The
    /// id is free either way. Returns the tokens consumed by now; nothing if the attempt is not in
    /// flight.
    pub fn cancel(&mut self, now: Timestamp, attempt: AttemptId) -> Usage {
        let Some(state) = self.attempts.get(attempt.at()) else {
            return Usage::default();
        };
        if state.phase == Phase::Vacant || state.abandoned {
            return Usage::default();
        }
        let usage = self.usage_by(now, attempt);
        if self.goes_on(now, attempt) {
            let place = self.spare_place();
            self.relocate(attempt, place);
            self.abandon(place);
        } else {
            self.withdraw(attempt);
            self.free_place(now, attempt);
        }
        self.retire(now, attempt, usage);
        self.drop_cancelled_broken();
        usage
    }

    /// Takes an attempt out of the line, or what is to happen to it out of the queue.
    fn withdraw(&mut self, attempt: AttemptId) {
        let state = &self.attempts[attempt.at()];
        match state.phase {
            Phase::Vacant | Phase::Broken => (),
            Phase::Started => self.queue.cancel(attempt),
            Phase::Waiting => {
                let station = &mut self.accounts[state.account.at()].station;
                station.withdraw(attempt, &mut self.links);
            }
        }
    }

    /// What an attempt has consumed by `now`.
    fn usage_by(&self, now: Timestamp, attempt: AttemptId) -> Usage {
        let state = &self.attempts[attempt.at()];
        state.usage_after(match state.holds {
            Hold::Share => self.attained(now, attempt),
            Hold::Nothing | Hold::Slot => now.since(state.started),
        })
    }

    /// Tokens that an attempt in flight has consumed by `now`, on which [`Fleet::advance`] has
    /// returned `None`; nothing while it waits, or if there is no such attempt. For drivers that
    /// show a stream as it grows.
    #[must_use]
    pub fn consumed(&self, now: Timestamp, attempt: AttemptId) -> Usage {
        match self.attempts.get(attempt.at()) {
            Some(state) if state.phase != Phase::Vacant => self.usage_by(now, attempt),
            _ => Usage::default(),
        }
    }

    /// What is left of an account's quota at `now`; no limits if it has none.
    #[must_use]
    pub fn quota_left(&self, now: Timestamp, account: AccountIndex) -> QuotaLeft {
        let far_end = self.accounts.get(account.at());
        let quota = far_end.and_then(|far_end| self.quotas.get(far_end.quota?));
        quota.map_or(QuotaLeft::default(), |quota| quota.left(now))
    }

    /// Time of the next event (a fault's start, step or end, or work in flight); `None` if there is
    /// none. Reads only, in constant time.
    #[must_use]
    #[inline]
    pub fn next_event(&self) -> Option<Timestamp> {
        let next = self.next_time();
        (next != Timestamp::NEVER).then_some(next)
    }

    #[inline]
    fn next_time(&self) -> Timestamp {
        if self.broken.is_empty() {
            self.queue.first_time().min(self.rare_at)
        } else {
            self.broken_at
        }
    }

    /// Carries out the next event if it is due by `now`; `None` when nothing more is. Faults come
    /// before work in flight at one instant; what yields no event is worked off on the way.
    #[inline]
    pub fn advance(&mut self, now: Timestamp) -> Option<UpstreamEvent> {
        loop {
            let due = self.next_time();
            if due > now || due == Timestamp::NEVER {
                return None;
            }
            if self.rare_at == due || !self.broken.is_empty() {
                if let Some(event) = self.rare(due) {
                    return Some(event);
                }
            } else if let Some(event) = self.work(due) {
                return Some(event);
            }
        }
    }

    /// Carries out what faults do at `due`, then what comes next at stations that are shared.
    #[inline(never)]
    fn rare(&mut self, due: Timestamp) -> Option<UpstreamEvent> {
        while self.faults.next_boundary() == due {
            self.pass_boundary(due);
            self.look_ahead();
        }
        let Some((attempt, _)) = self.broken.pop_front() else {
            let shared = self.agenda.first_time() == due;
            return if shared { self.milestone(due) } else { None };
        };
        let event = self.end(due, attempt);
        self.drop_cancelled_broken();
        Some(event)
    }

    /// Brings [`Self::rare_at`] up to date.
    fn look_ahead(&mut self) {
        self.rare_at = self.agenda.first_time().min(self.faults.next_boundary());
    }

    /// Attempts begun that have neither ended nor been cancelled; those that an account goes on
    /// with for nobody do not count.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Service starts, or a door's answer sets out.
    #[inline]
    fn start(&mut self, now: Timestamp, attempt: AttemptId, holds: Hold) {
        let state = &mut self.attempts[attempt.at()];
        state.holds = holds;
        state.start(now);
        self.schedule(attempt);
    }

    #[inline]
    fn schedule(&mut self, attempt: AttemptId) {
        let state = &self.attempts[attempt.at()];
        let (time, _) = state.next_step();
        if !state.silent && time != Timestamp::NEVER {
            self.queue.schedule(attempt, time);
        }
    }

    /// Carries out the first event of the queue, which is due at `due`.
    #[inline]
    fn work(&mut self, due: Timestamp) -> Option<UpstreamEvent> {
        let attempt = self.queue.first_attempt()?;
        let state = &mut self.attempts[attempt.at()];
        match state.next_step().1 {
            Step::FirstToken => {
                state.stream = Stream::Flowing;
                self.go_on(due, attempt);
                Some(UpstreamEvent::FirstToken { attempt })
            }
            Step::Progress => {
                if state.holds == Hold::Share && !self.has_progressed(due, attempt) {
                    return None;
                }
                self.go_on(due, attempt);
                Some(UpstreamEvent::Progress { attempt })
            }
            Step::FreeSlot => {
                self.queue.pop();
                self.free_place(due, attempt);
                if self.attempts[attempt.at()].abandoned {
                    self.forget(attempt);
                } else {
                    self.schedule(attempt);
                }
                None
            }
            Step::End => {
                self.queue.pop();
                self.free_place(due, attempt);
                Some(self.end(due, attempt))
            }
        }
    }

    /// A stream has had a token at `due`, by the first event of the queue: what comes next takes
    /// its place there.
    #[inline]
    fn go_on(&mut self, due: Timestamp, attempt: AttemptId) {
        let state = &mut self.attempts[attempt.at()];
        state.progressed(due, self.progress_every);
        match state.next_step().0 {
            Timestamp::NEVER => drop(self.queue.pop()),
            next => self.queue.put_off_first(next),
        }
    }

    /// The end reaches the client.
    #[inline]
    fn end(&mut self, now: Timestamp, attempt: AttemptId) -> UpstreamEvent {
        let Plan { usage, ending, .. } = self.attempts[attempt.at()].plan;
        let (failure, usage) = match ending {
            Ending::Completes => {
                self.retire(now, attempt, usage);
                return UpstreamEvent::Finished { attempt, usage };
            }
            Ending::Breaks => (FailureKind::BrokenStream.into(), usage),
            Ending::Fails(failure) => (failure, Usage::default()),
        };
        self.retire(now, attempt, usage);
        UpstreamEvent::Failed {
            attempt,
            failure,
            usage,
        }
    }

    /// The attempt is over: its output counts against the quota, its id is free.
    #[inline]
    fn retire(&mut self, now: Timestamp, attempt: AttemptId, usage: Usage) {
        let state = &mut self.attempts[attempt.at()];
        state.phase = Phase::Vacant;
        self.in_flight -= 1;
        if usage.output > 0
            && let Some(quota) = self.accounts[state.account.at()].quota
            && let Some(quota) = self.quotas.get_mut(quota)
        {
            quota.charge_output(now, usage.output);
        }
    }

    /// Gives back what an attempt holds, if it holds something, to the next in line.
    #[inline(always)]
    fn free_place(&mut self, now: Timestamp, attempt: AttemptId) {
        let state = &mut self.attempts[attempt.at()];
        let account = state.account;
        match std::mem::replace(&mut state.holds, Hold::Nothing) {
            Hold::Nothing => (),
            Hold::Slot => self.hand_over(now, account),
            Hold::Share => {
                self.leave_share(now, attempt);
                self.call_sharing(now, account);
            }
        }
    }

    fn hand_over(&mut self, now: Timestamp, account: AccountIndex) {
        self.accounts[account.at()].station.leave();
        self.call_waiting(now, account);
    }

    /// Starts attempts that wait for slots while some are free.
    fn call_waiting(&mut self, now: Timestamp, account: AccountIndex) {
        while let Some(far_end) = self.accounts.get_mut(account.at())
            && let Some(next) = far_end.station.call_next(&mut self.links)
        {
            self.start(now, next, Hold::Slot);
        }
    }
}

impl FarEnd {
    fn new(behaviour: &AccountBehaviour) -> Self {
        Self {
            region: behaviour.region,
            quota: behaviour.quota,
            station: Station::new(&behaviour.capacity),
            abandoned: behaviour.abandoned,
            failures: CalmFailures::new(&behaviour.failures),
        }
    }
}

/// The faults of a replication: those of the schedule, then those that come by chance.
fn all_faults(config: &UpstreamConfig, streams: Streams) -> impl Iterator<Item = Fault> {
    let generated = config.generated(streams).into_iter();
    let scheduled = config.faults.iter().cloned();
    scheduled.chain(generated.map(|generated| generated.fault))
}

fn service_table(accounts: &[AccountBehaviour], models: usize) -> Vec<Option<u16>> {
    let row = |account: &AccountBehaviour| {
        let mut row = account.service_of_model.clone();
        row.resize(models, None);
        row
    };
    accounts.iter().flat_map(row).collect()
}

fn stream_of(request: &Request, plan: &Plan) -> Stream {
    if request.features.streaming && plan.has_first_token() {
        Stream::Awaited
    } else {
        Stream::None
    }
}
