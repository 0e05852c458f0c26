//! When breakers were open: a swim lane per account, grouped by strategy, of replication 0 (breaker
//! times do not average over replications into anything that happened).

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Font};
use super::faults::fault_height;
use super::frame::{Panel, TEXT, TOP, WIDTH, fitted, page};
use super::palette::{GREY, GRID, Look, WHITE, looks};
use crate::experiment::results::{BreakerSpan, ScenarioResults, StrategyResults};
use crate::report::directory::File;
use crate::time::Timestamp;

const ROW: f64 = 14.0;
const GROUP_GAP: f64 = 12.0;
const MOST_ACCOUNTS: usize = 8;
const LEFT: f64 = 300.0;

/// The chart.
pub fn file(results: &ScenarioResults) -> File {
    let groups: Vec<Group> = results.strategies.iter().map(Group::of).collect();
    let top = TOP + 8.0 + fault_height(results);
    let rows: f64 = groups.iter().map(Group::height).sum();
    let panel = Panel {
        from: (LEFT, top),
        to: (WIDTH - 30.0, top + rows + GROUP_GAP),
        x: Axis::time(results.description.duration),
        y: Axis::linear("", 0.0, 1.0),
    };
    let height = panel.to.1 + 74.0;
    let title = "Breakers not closed, by strategy and account (replication 0)";
    page(results, "breakers", title, height, |canvas| {
        panel.shade(canvas, results);
        panel.name_faults(canvas, &results.description.faults);
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
        key(canvas, panel.to.1 + 58.0);
    })
}

/// The breakers of one strategy.
struct Group<'a> {
    arm: &'a StrategyResults,
    /// Accounts whose breaker was open, longest first chosen, then in account order.
    accounts: Vec<usize>,
    /// Accounts left out.
    more: usize,
}

impl<'a> Group<'a> {
    fn of(arm: &'a StrategyResults) -> Self {
        let mut accounts: Vec<usize> = arm.breaker_spans.iter().map(|span| span.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let length = |span: &BreakerSpan| span.end.since(span.start).as_nanos();
        let total = |account: usize| -> u64 {
            let spans = arm.breaker_spans.iter();
            let own = spans.filter(|span| span.account == account).map(length);
            own.fold(0, u64::saturating_add)
        };
        accounts.sort_by_key(|&account| std::cmp::Reverse(total(account)));
        let more = accounts.len().saturating_sub(MOST_ACCOUNTS);
        accounts.truncate(MOST_ACCOUNTS);
        accounts.sort_unstable();
        Self {
            arm,
            accounts,
            more,
        }
    }

    fn rows(&self) -> usize {
        self.accounts.len().max(1) + usize::from(self.more > 0)
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
        for (row, &account) in self.accounts.iter().enumerate() {
            let described = results.description.accounts.get(account);
            let name = described.map_or_else(|| account.to_string(), |a| fitted(&a.id, 18));
            canvas.text(&name, (LEFT - 8.0, middle(row)), small);
            let own = self
                .arm
                .breaker_spans
                .iter()
                .filter(|s| s.account == account);
            own.for_each(|span| swim(canvas, panel, span, look, middle(row)));
        }
        let note = match (self.accounts.len(), self.more) {
            (0, _) => "none opened".to_owned(),
            (_, 0) => return,
            (_, more) => format!("and {more} more"),
        };
        canvas.text(
            &note,
            (LEFT - 8.0, middle(self.rows() - 1)),
            small.colour(GREY),
        );
    }
}

fn swim(canvas: &mut Canvas, panel: &Panel, span: &BreakerSpan, look: Look, y: f64) {
    let place = |at: Timestamp| panel.at_x(at.as_secs_f64());
    let (from, to) = (place(span.start), place(span.end));
    let to = to.max(from + 1.0);
    let half = ROW / 2.0 - 2.0;
    canvas.rectangle((from, y - half), (to, y + half), look.colour, 1.0);
    if span.half_open {
        let to = to.min(panel.to.0) - 0.8;
        let hollow = (from + 0.8, y - half + 1.2);
        if to > hollow.0 {
            canvas.rectangle(hollow, (to, y + half - 1.2), WHITE, 1.0);
        }
    }
}

fn key(canvas: &mut Canvas, y: f64) {
    canvas.rectangle((LEFT, y - 4.5), (LEFT + 24.0, y + 4.5), GREY, 1.0);
    canvas.text("open: refuses all", (LEFT + 32.0, y), TEXT);
    let left = LEFT + 180.0;
    canvas.rectangle((left, y - 4.5), (left + 24.0, y + 4.5), GREY, 1.0);
    canvas.rectangle((left + 1.0, y - 3.3), (left + 23.0, y + 3.3), WHITE, 1.0);
    canvas.text("half-open: lets probes through", (left + 32.0, y), TEXT);
}
