//! The model in real time: one fleet, a clock, and a thread that is there when something happens.
//!
//! Why a thread of its own: the runtime's timer counts in milliseconds and rounds up, by which an
//! answer of 20 ms would take 21. A condition variable wakes within the kernel's timer slack, some
//! 50 microseconds. It also wakes when an attempt begins whose first event comes before the one
//! that the thread waits for.
//!
//! What comes late is told late, but the model never learns of it: an event is carried out at its
//! own instant, so that a slot that fell free at 1.000 s is taken at 1.000 s although the thread
//! woke at 1.0001 s. Service times are therefore exactly the simulator's.

use super::board::{Board, Stage};
use super::ledger::Ledger;
use super::tally::Tally;
use crate::live::clock::Clock;
use crate::request::{AccountIndex, AttemptId, Request};
use crate::time::{Duration, Timestamp};
use crate::upstream::{Fleet, QuotaLeft, UpstreamEvent};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

/// All accounts, in real time.
pub(super) struct World {
    clock: Clock,
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    fleet: Fleet,
    ledger: Ledger,
    /// By attempt.
    places: Vec<Place>,
    vacant: Vec<AttemptId>,
    tally: Tally,
    /// What the thread waits for.
    planned: Timestamp,
    stopping: bool,
}

/// Of one attempt number; it is used again and again.
#[derive(Default)]
struct Place {
    /// Tells its users apart.
    uses: u64,
    user: Option<(AccountIndex, Arc<Board>)>,
}

/// Longest sleep of the thread: what the machine can count, by far.
const LONGEST_SLEEP: std::time::Duration = std::time::Duration::from_secs(3_600);

impl World {
    /// A world of so many accounts. Streams are reported to go on every `chunk` of real time.
    pub(super) fn new(
        clock: Clock,
        mut fleet: Fleet,
        ledger: Ledger,
        accounts: usize,
        chunk: std::time::Duration,
    ) -> Self {
        let chunk = Duration::from_secs_f64(chunk.as_secs_f64() * clock.pace());
        fleet.report_progress(chunk);
        let state = State {
            fleet,
            ledger,
            places: vec![],
            vacant: vec![],
            tally: Tally::new(accounts),
            planned: Timestamp::NEVER,
            stopping: false,
        };
        Self {
            clock,
            state: Mutex::new(state),
            wake: Condvar::new(),
        }
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// If the machine gives no thread.
    pub(super) fn start(self: &Arc<Self>) -> std::io::Result<JoinHandle<()>> {
        let world = Arc::clone(self);
        let thread = std::thread::Builder::new().name("emulated providers".into());
        thread.spawn(move || world.drive())
    }

    /// Ends the thread. What is in flight stays there.
    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.wake.notify_all();
    }

    /// What has been done so far.
    pub(super) fn tally(&self) -> Tally {
        let state = self.lock();
        Tally {
            strangers: state.ledger.strangers(),
            ..state.tally.clone()
        }
    }

    /// Attempts that have neither ended nor been cancelled.
    pub(super) fn in_flight(&self) -> usize {
        self.lock().fleet.in_flight()
    }

    /// A call that never reaches an account.
    pub(super) fn refused(&self) {
        self.lock().tally.refused += 1;
    }

    /// Begins an attempt at `account`. `number` is that of the request in the workload, whose model
    /// and streaming are nevertheless those of `asked`: an answer must be what was asked for. Where
    /// there is no such request, it is `asked`, under a number of its own.
    pub(super) fn begin(
        self: &Arc<Self>,
        account: AccountIndex,
        number: Option<u64>,
        asked: Request,
    ) -> Attempt {
        let mut state = self.lock();
        let now = self.clock.now();
        state.carry_out(now, &self.clock);
        let known = number.and_then(|number| state.ledger.take(number, account));
        let (mut request, nth) = known.unwrap_or_else(|| {
            let id = state.ledger.stranger();
            let key = id.0;
            (Request { id, key, ..asked }, 0)
        });
        request.features.model = asked.features.model;
        request.features.streaming = asked.features.streaming;
        let (attempt, uses, board) = state.place(account);
        state.fleet.begin(now, attempt, account, nth, &request);
        state.tally.accounts[account.at()].begun += 1;
        let quota = state.fleet.quota_left(now, account);
        // What the door refuses is there at once.
        state.carry_out(now, &self.clock);
        self.look_ahead(&state);
        Attempt {
            world: Arc::clone(self),
            number: request.id.0,
            attempt,
            uses,
            board,
            quota,
            ended: false,
        }
    }

    /// The client of an attempt has left, if it has not ended.
    fn cancel(&self, attempt: AttemptId, uses: u64) {
        let mut state = self.lock();
        let now = self.clock.now();
        state.carry_out(now, &self.clock);
        let place = &mut state.places[attempt.at()];
        if place.uses != uses {
            return;
        }
        let Some((account, _)) = place.user.take() else {
            return;
        };
        state.vacant.push(attempt);
        state.fleet.cancel(now, attempt);
        state.tally.accounts[account.at()].cancelled += 1;
        self.look_ahead(&state);
    }

    /// Wakes the thread if something is now to happen before what it waits for.
    fn look_ahead(&self, state: &State) {
        if state
            .fleet
            .next_event()
            .is_some_and(|at| at < state.planned)
        {
            self.wake.notify_one();
        }
    }

    fn drive(&self) {
        let mut state = self.lock();
        while !state.stopping {
            let now = self.clock.now();
            state.carry_out(now, &self.clock);
            let next = state.fleet.next_event().unwrap_or(Timestamp::NEVER);
            state.planned = next;
            let wait = self.clock.real(next.since(self.clock.now()));
            let slept = self.wake.wait_timeout(state, wait.min(LONGEST_SLEEP));
            state = slept.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Carries out all that is due by `now`, and tells those whom it concerns.
    fn carry_out(&mut self, now: Timestamp, clock: &Clock) {
        while let Some(due) = self.fleet.next_event().filter(|due| *due <= now) {
            let Some(event) = self.fleet.advance(now) else {
                return;
            };
            self.deliver(now, event);
            let late = clock.real(now.since(due)).as_nanos();
            let late = u64::try_from(late).unwrap_or(u64::MAX);
            self.tally.late.record(Duration::from_nanos(late));
        }
    }

    fn deliver(&mut self, now: Timestamp, event: UpstreamEvent) {
        let (attempt, stage) = match event {
            UpstreamEvent::FirstToken { attempt } | UpstreamEvent::Progress { attempt } => {
                (attempt, Stage::Flowing(self.fleet.consumed(now, attempt)))
            }
            UpstreamEvent::Finished { attempt, usage } => (attempt, Stage::Finished(usage)),
            UpstreamEvent::Failed {
                attempt,
                failure,
                usage,
            } => (attempt, Stage::Failed(failure, usage)),
        };
        let Some(place) = self.places.get_mut(attempt.at()) else {
            return;
        };
        let Some((account, board)) = &place.user else {
            return;
        };
        board.post(stage);
        self.tally.accounts[account.at()].count(&event);
        if stage.is_end() {
            place.user = None;
            self.vacant.push(attempt);
        }
    }

    /// A place for an attempt: its number, which use of it this is, and its board.
    fn place(&mut self, account: AccountIndex) -> (AttemptId, u64, Arc<Board>) {
        let attempt = self.vacant.pop().unwrap_or_else(|| {
            let next = self.places.len() as u32;
            self.places.push(Place::default());
            AttemptId(next)
        });
        let board = Arc::new(Board::new());
        let place = &mut self.places[attempt.at()];
        place.uses += 1;
        place.user = Some((account, Arc::clone(&board)));
        (attempt, place.uses, board)
    }
}

/// An attempt as its client's connection holds it; dropped before its end, it is cancelled.
pub(super) struct Attempt {
    world: Arc<World>,
    /// Number of the request.
    pub(super) number: u64,
    attempt: AttemptId,
    uses: u64,
    board: Arc<Board>,
    /// What was left of the account's quota when it had been let in or refused.
    pub(super) quota: QuotaLeft,
    ended: bool,
}

impl Attempt {
    /// What has become of it since the last time; after its end, nothing more.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Stage> {
        let stage = self.board.poll(context);
        if let Poll::Ready(stage) = stage {
            self.ended |= stage.is_end();
        }
        stage
    }

    /// The next that becomes of it.
    pub(super) async fn next(&mut self) -> Stage {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// What becomes of it in the end.
    pub(super) async fn end(&mut self) -> Stage {
        loop {
            let stage = self.next().await;
            if stage.is_end() {
                return stage;
            }
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.ended {
            self.world.cancel(self.attempt, self.uses);
        }
    }
}
