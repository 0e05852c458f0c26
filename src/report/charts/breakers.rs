//! When breakers were open: a swim lane per breaker, grouped by strategy, of replication 0 (breaker
//! times do not average over replications into anything that happened). A breaker is named after
//! its account, and after its model where each model at an account has one.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Font};
use super::faults::{fault_height, of_replication_0};
use super::frame::{Panel, TEXT, TOP, WIDTH, fitted, page};
use super::palette::{GREY, GRID, Look, WHITE, looks};
use crate::experiment::results::{BreakerSpan, ScenarioResults, StrategyResults};
use crate::report::directory::File;
use crate::time::Timestamp;

const ROW: f64 = 14.0;
const GROUP_GAP: f64 = 12.0;
const MOST_BREAKERS: usize = 8;
const LEFT: f64 = 300.0;
/// Where models have to be named too.
const FAR_LEFT: f64 = 455.0;

/// The chart.
pub fn file(results: &ScenarioResults) -> File {
    let groups: Vec<Group> = results.strategies.iter().map(Group::of).collect();
    let about = &results.description;
    let faults = of_replication_0(about);
    let top = TOP + 8.0 + fault_height(&faults);
    let rows: f64 = groups.iter().map(Group::height).sum();
    let by_model = groups.iter().any(Group::is_by_model);
    let left = if by_model { FAR_LEFT } else { LEFT };
    let panel = Panel {
        from: (left, top),
        to: (WIDTH - 30.0, top + rows + GROUP_GAP),
        x: Axis::time(results.description.duration),
        y: Axis::linear("", 0.0, 1.0),
    };
    let height = panel.to.1 + 74.0;
    let title = if by_model {
        "Breakers not closed, by strategy, account and model (replication 0)"
    } else {
        "Breakers not closed, by strategy and account (replication 0)"
    };
    page(results, "breakers", title, height, |canvas| {
        panel.shade(canvas, about, &faults);
        panel.name_faults(canvas, &faults);
        panel.grid_x(canvas);
        let mut y = top + GROUP_GAP;
        for (group, look) in groups.iter().zip(looks(results)) {
            group.paint(canvas, results, &panel, look, y);
            y += group.height();
            canvas.line(&[(20.0, y - 6.0), (panel.to.0, y - 6.0)], 0.8, GRID);
        }
        let middle = f64::midpoint(panel.from.0, panel.to.0);
        let below = (middle, panel.to.1 + 36.0);
        canvas.text(&panel.x.label, below, TEXT.anchor(Anchor::Middle));
        key(canvas, (left, panel.to.1 + 58.0));
    })
}

/// Whose a breaker is: account, and model unless it is for all of them.
type Breaker = (usize, Option<usize>);

const fn whose(span: &BreakerSpan) -> Breaker {
    (span.account, span.model)
}

/// The breakers of one strategy.
struct Group<'a> {
    arm: &'a StrategyResults,
    /// Breakers that were open, longest first chosen, then in account order.
    breakers: Vec<Breaker>,
    /// Breakers left out.
    more: usize,
}

impl<'a> Group<'a> {
    fn of(arm: &'a StrategyResults) -> Self {
        let mut breakers: Vec<Breaker> = arm.breaker_spans.iter().map(whose).collect();
        breakers.sort_unstable();
        breakers.dedup();
        let length = |span: &BreakerSpan| span.end.since(span.start).as_nanos();
        let total = |breaker: Breaker| -> u64 {
            let spans = arm.breaker_spans.iter();
            let own = spans.filter(|span| whose(span) == breaker).map(length);
            own.fold(0, u64::saturating_add)
        };
        breakers.sort_by_key(|&breaker| std::cmp::Reverse(total(breaker)));
        let more = breakers.len().saturating_sub(MOST_BREAKERS);
        breakers.truncate(MOST_BREAKERS);
        breakers.sort_unstable();
        Self {
            arm,
            breakers,
            more,
        }
    }

    fn is_by_model(&self) -> bool {
        self.breakers.iter().any(|(_, model)| model.is_some())
    }

    fn rows(&self) -> usize {
        self.breakers.len().max(1) + usize::from(self.more > 0)
    }

    fn height(&self) -> f64 {
        ROW * self.rows() as f64 + GROUP_GAP
    }

    fn paint(
        &self,
        canvas: &mut Canvas,
        results: &ScenarioResults,
        panel: &Panel,
        look: Look,
        top: f64,
    ) {
        let small = Font::new(11.0).anchor(Anchor::End);
        let middle = |row: usize| top + ROW * (row as f64 + 0.5);
        look.marker
            .draw(canvas, (24.0, middle(0)), 4.2, look.colour);
        canvas.text(&fitted(&self.arm.name, 22), (35.0, middle(0)), TEXT.bold());
        for (row, &breaker) in self.breakers.iter().enumerate() {
            let name = name(results, breaker);
            canvas.text(&name, (panel.from.0 - 8.0, middle(row)), small);
            let spans = self.arm.breaker_spans.iter();
            let own = spans.filter(|span| whose(span) == breaker);
            let own: Vec<&BreakerSpan> = own.collect();
            swim(canvas, panel, &own, look, middle(row));
        }
        let note = match (self.breakers.len(), self.more) {
            (0, _) => "none opened".to_owned(),
            (_, 0) => return,
            (_, more) => format!("and {more} more"),
        };
        canvas.text(
            &note,
            (panel.from.0 - 8.0, middle(self.rows() - 1)),
            small.colour(GREY),
        );
    }
}

fn name(results: &ScenarioResults, (account, model): Breaker) -> String {
    let described = results.description.accounts.get(account);
    let id = described.map_or_else(|| account.to_string(), |a| fitted(&a.id, 18));
    match model.and_then(|model| results.description.models.get(model)) {
        Some(model) => format!("{id} {}", fitted(model, 20)),
        None => id,
    }
}

/// The spans of a breaker, in the order of time. Those that meet within a pixel's width are drawn
/// as one: an outage of hours is a thousand of them, on the same few pixels.
fn swim(canvas: &mut Canvas, panel: &Panel, spans: &[&BreakerSpan], look: Look, y: f64) {
    let half = ROW / 2.0 - 2.0;
    let place = |at: Timestamp| panel.at_x(at.as_secs_f64());
    let ends = |span: &BreakerSpan| {
        (
            place(span.start),
            place(span.end).max(place(span.start) + 1.0),
        )
    };
    for (from, to) in joined(spans.iter().map(|span| ends(span))) {
        canvas.rectangle((from, y - half), (to, y + half), look.colour, 1.0);
    }
    for (from, to) in spans
        .iter()
        .filter(|span| span.half_open)
        .map(|span| ends(span))
    {
        let to = to.min(panel.to.0) - 0.8;
        let hollow = (from + 0.8, y - half + 1.2);
        if to > hollow.0 {
            canvas.rectangle(hollow, (to, y + half - 1.2), WHITE, 1.0);
        }
    }
}

/// Intervals in the order of their starts, those that touch made one.
fn joined(intervals: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut joined: Vec<(f64, f64)> = vec![];
    for (from, to) in intervals {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

fn key(canvas: &mut Canvas, (left, y): (f64, f64)) {
    canvas.rectangle((left, y - 4.5), (left + 24.0, y + 4.5), GREY, 1.0);
    canvas.text("open: refuses all", (left + 32.0, y), TEXT);
    let left = left + 180.0;
    canvas.rectangle((left, y - 4.5), (left + 24.0, y + 4.5), GREY, 1.0);
    canvas.rectangle((left + 1.0, y - 3.3), (left + 23.0, y + 3.3), WHITE, 1.0);
    canvas.text("half-open: lets probes through", (left + 32.0, y), TEXT);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn joined_intervals_cover_the_same_and_do_not_touch(
            lengths in proptest::collection::vec((0.0..3.0f64, 0.0..3.0f64), 1..40),
        ) {
            let mut start = 0.0;
            let intervals: Vec<(f64, f64)> = lengths
                .iter()
                .map(|(gap, length)| {
                    start += gap;
                    (start, start + length)
                })
                .collect();
            let joined = joined(intervals.iter().copied());
            let inside = |spans: &[(f64, f64)], x: f64| spans.iter().any(|s| s.0 <= x && x <= s.1);
            for at in 0..1_000 {
                let x = f64::from(at) * 0.11;
                prop_assert_eq!(inside(&joined, x), inside(&intervals, x));
            }
            prop_assert!(joined.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
