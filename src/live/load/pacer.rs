//! The thread that sends each request at its instant.
//!
//! Why not the runtime's timer: tokio's counts in milliseconds and rounds up, so that at 8,000
//! requests a second eight would leave at once, and all half a millisecond late on average. This
//! thread does nothing but sleep until the next one is due and hand it to the runtime; where it was
//! late, it hands over all that are due. It builds and reads nothing: that is done where the
//! connections are.

use super::LoadConfig;
use super::exchange::{Ended, Line};
use super::record::{LoadRecord, Outcome};
use super::schedule::Schedule;
use super::tally::LoadReport;
use crate::live::clock::Clock;
use crate::request::{Request, Usage};
use crate::time::{Duration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::park_timeout;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Longest sleep, so that a stop is noticed.
const LONGEST_SLEEP: std::time::Duration = std::time::Duration::from_millis(100);

pub(super) struct Pacer<'a> {
    config: &'a LoadConfig,
    clock: Clock,
    schedule: Schedule,
    follows_ends: bool,
    line: Arc<Line>,
    ended: Receiver<Ended>,
    runtime: &'a Handle,
    /// Requests under way, by place.
    under_way: Vec<Option<UnderWay>>,
    free: Vec<u32>,
    report: LoadReport,
}

struct UnderWay {
    request: Request,
    task: JoinHandle<()>,
}

impl<'a> Pacer<'a> {
    /// A pacer that has sent nothing yet.
    pub fn new(
        config: &'a LoadConfig,
        schedule: Schedule,
        line: Arc<Line>,
        ended: Receiver<Ended>,
        runtime: &'a Handle,
    ) -> Self {
        Self {
            config,
            clock: config.clock,
            follows_ends: schedule.follows_ends(),
            schedule,
            line,
            ended,
            runtime,
            under_way: vec![],
            free: vec![],
            report: LoadReport::new(),
        }
    }

    /// Sends everything, and waits for the last end.
    pub fn run(mut self, stop: &AtomicBool, observe: &mut dyn FnMut(&LoadRecord)) -> LoadReport {
        loop {
            while let Ok(ended) = self.ended.try_recv() {
                self.take(ended, observe);
            }
            if stop.load(Ordering::Relaxed) {
                self.abandon(observe);
                return self.report;
            }
            match self.schedule.next_arrival() {
                Some(at) if at <= self.clock.now() => self.dispatch(observe),
                Some(at) => self.sleep(at, observe),
                None if self.in_flight() == 0 => return self.report,
                None => self.wait(LONGEST_SLEEP, observe),
            }
        }
    }

    fn in_flight(&self) -> usize {
        self.under_way.len() - self.free.len()
    }

    /// Sends the next request, or drops it.
    fn dispatch(&mut self, observe: &mut dyn FnMut(&LoadRecord)) {
        let Some((intended, request)) = self.schedule.take() else {
            return;
        };
        if self.in_flight() >= self.config.most_in_flight.max(1) {
            return self.drop_one(intended, &request, observe);
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.under_way.push(None);
            self.under_way.len() as u32 - 1
        });
        let task = self.runtime.spawn(self.line.send(place, intended, request));
        self.under_way[place as usize] = Some(UnderWay { request, task });
        self.report.most_in_flight = self.report.most_in_flight.max(self.in_flight());
    }

    fn drop_one(
        &mut self,
        intended: Timestamp,
        request: &Request,
        observe: &mut dyn FnMut(&LoadRecord),
    ) {
        let record = LoadRecord {
            id: request.id,
            class: request.class,
            intended,
            sent: None,
            first_token: None,
            ended: self.clock.now(),
            usage: Usage::default(),
            outcome: Outcome::Dropped,
        };
        self.count(&record, observe);
        if self.follows_ends {
            self.schedule.request_ended(record.ended, request);
        }
    }

    /// Sleeps until `at`, or, where ends bring new requests, until an end.
    fn sleep(&mut self, at: Timestamp, observe: &mut dyn FnMut(&LoadRecord)) {
        let left = self.clock.until(at).min(LONGEST_SLEEP);
        if self.follows_ends {
            self.wait(left, observe);
        } else {
            park_timeout(left);
        }
    }

    /// Waits for an end, at most so long.
    fn wait(&mut self, most: std::time::Duration, observe: &mut dyn FnMut(&LoadRecord)) {
        if let Ok(ended) = self.ended.recv_timeout(most) {
            self.take(ended, observe);
        }
    }

    fn take(&mut self, ended: Ended, observe: &mut dyn FnMut(&LoadRecord)) {
        let Ended { place, record } = ended;
        let entry = self.under_way.get_mut(place as usize);
        let Some(UnderWay { request, .. }) = entry.and_then(Option::take) else {
            return;
        };
        self.free.push(place);
        self.count(&record, observe);
        if self.follows_ends {
            self.schedule.request_ended(record.ended, &request);
        }
    }

    fn count(&mut self, record: &LoadRecord, observe: &mut dyn FnMut(&LoadRecord)) {
        observe(record);
        if record.intended < Timestamp::ZERO + self.config.warmup {
            self.report.warming_up += 1;
            return;
        }
        let lateness = record.lateness().map(|length| {
            let real = self.clock.real(length);
            let nanos = u64::try_from(real.as_nanos()).unwrap_or(u64::MAX);
            (Duration::from_nanos(nanos), real > self.config.late_after)
        });
        self.report.add(record, lateness);
    }

    /// Ends all that is under way.
    fn abandon(&mut self, observe: &mut dyn FnMut(&LoadRecord)) {
        self.report.stopped = true;
        for UnderWay { task, .. } in self.under_way.iter().flatten() {
            task.abort();
        }
        while self.in_flight() > 0 {
            self.wait(LONGEST_SLEEP, observe);
        }
    }
}
