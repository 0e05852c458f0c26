//! Faults and the warm-up as the background of a panel, and a strip that names them.
//!
//! Faults that come by chance have other times in every replication. Charts of replication 0 show
//! its own; charts of all replications together show none, and say so: shaded under pooled curves,
//! the incidents of one replication would seem to explain the dips of all.

use super::canvas::{Anchor, Canvas, Font};
use super::frame::{Panel, WIDTH};
use super::palette::{FAULT, GREY, INK, WARMUP};
use crate::experiment::results::{Description, FaultDescription};
use crate::time::Timestamp;

/// The faults that a chart shows.
pub type Faults<'a> = Vec<&'a FaultDescription>;

/// Those for a chart of replication 0: all.
#[must_use]
pub fn of_replication_0(about: &Description) -> Faults<'_> {
    about.faults.iter().collect()
}

/// Those for a chart of all replications: whose times are the same in all of them.
#[must_use]
pub fn of_all_replications(about: &Description) -> Faults<'_> {
    let faults = about.faults.iter();
    faults.filter(|fault| !fault.by_chance).collect()
}

/// What a chart of all replications says, where it leaves out faults.
#[must_use]
pub fn by_chance_note(about: &Description) -> Option<&'static str> {
    about.faults.iter().any(|fault| fault.by_chance).then_some(
        "All replications together. Incidents come by chance, at other times in each of them: none \
         is marked here.",
    )
}

impl Panel {
    /// Shades faults and the warm-up; time must run left to right.
    pub fn shade(&self, canvas: &mut Canvas, about: &Description, faults: &[&FaultDescription]) {
        let mut band = |start: Timestamp, end: Timestamp, colour| {
            let (from, to) = self.span(start, end);
            canvas.rectangle((from, self.from.1), (to, self.to.1), colour, 1.0);
        };
        band(Timestamp::ZERO, Timestamp::ZERO + about.warmup, WARMUP);
        for (start, end) in faults.iter().flat_map(|fault| &fault.windows) {
            band(*start, *end, FAULT);
        }
    }

    fn span(&self, start: Timestamp, end: Timestamp) -> (f64, f64) {
        let from = self.at_x(start.as_secs_f64());
        let to = self.at_x(end.as_secs_f64());
        // Faults without a length, and very short ones, are still seen.
        (
            from,
            if end > Timestamp::ZERO {
                to.max(from + 1.0)
            } else {
                to
            },
        )
    }

    /// A strip above the panel that names the faults. Faults of one name share a row.
    pub fn name_faults(&self, canvas: &mut Canvas, faults: &[&FaultDescription]) {
        for (row, name) in fault_rows(faults).iter().enumerate() {
            let y = self.from.1 - 11.0 - FAULT_ROW * row as f64;
            let (mut start, mut end) = (f64::INFINITY, self.from.0);
            let named = faults.iter().filter(|f| row_name(faults, f) == *name);
            for window in named.flat_map(|fault| &fault.windows) {
                let (from, to) = self.span(window.0, window.1);
                canvas.rectangle((from, y - 4.0), (to, y + 4.0), FAULT.mix(INK, 0.25), 1.0);
                (start, end) = (start.min(from), end.max(to));
            }
            let font = Font::new(11.0).colour(GREY);
            let mut named = faults.iter().filter(|f| row_name(faults, f) == *name);
            let text = if named.any(|fault| fault.by_chance) {
                &format!("{name} (replication 0)")
            } else {
                *name
            };
            if end + 6.0 + font.width(text) < WIDTH - 10.0 {
                canvas.text(text, (end + 6.0, y), font);
            } else {
                canvas.text(text, (start - 6.0, y), font.anchor(Anchor::End));
            }
        }
    }
}

const FAULT_ROW: f64 = 13.0;
const MOST_FAULT_ROWS: usize = 4;
const OTHER_FAULTS: &str = "other faults";

/// Height that [`Panel::name_faults`] takes above a panel.
#[must_use]
pub fn fault_height(faults: &[&FaultDescription]) -> f64 {
    FAULT_ROW * fault_rows(faults).len() as f64
}

fn fault_rows<'a>(faults: &[&'a FaultDescription]) -> Vec<&'a str> {
    let mut rows: Vec<&str> = Vec::new();
    for fault in faults.iter().filter(|fault| !fault.windows.is_empty()) {
        let name = row_name(faults, fault);
        if !rows.contains(&name) {
            rows.push(name);
        }
    }
    rows
}

/// The name under which a fault is shown: its own, or that of the rest where there are many.
fn row_name<'a>(faults: &[&'a FaultDescription], fault: &FaultDescription) -> &'a str {
    let mut names: Vec<&str> = Vec::new();
    for fault in faults {
        if !names.contains(&fault.name.as_str()) && names.len() <= MOST_FAULT_ROWS {
            names.push(&fault.name);
        }
    }
    let shown = if names.len() > MOST_FAULT_ROWS {
        MOST_FAULT_ROWS - 1
    } else {
        names.len()
    };
    let own = names[..shown].iter().find(|name| **name == fault.name);
    own.copied().unwrap_or(OTHER_FAULTS)
}

#[cfg(test)]
mod tests {
    use super::super::files;
    use crate::report::fixture::Shape;

    /// How often the colour of faults is used, by chart; and whether it says why not.
    fn shaded(by_chance: bool) -> Vec<(String, bool, bool)> {
        let mut results = Shape::realistic().results();
        for fault in &mut results.description.faults {
            fault.by_chance = by_chance;
        }
        let charts = files(&results).into_iter();
        let looked = charts.map(|file| {
            let svg = String::from_utf8(file.content).unwrap();
            let note = svg.contains("Incidents come by chance");
            let marked = svg.contains("outage of provider") || svg.contains("#F3D9D3");
            (file.path, marked, note)
        });
        looked.collect()
    }

    #[test]
    fn incidents_of_one_replication_are_not_shaded_under_curves_of_all() {
        let of = |by_chance, name: &str| {
            let charts = shaded(by_chance);
            let found = charts.iter().find(|(path, ..)| path.contains(name));
            found.map(|(_, marked, note)| (*marked, *note)).unwrap()
        };
        for pooled in ["timeline", "lane_share"] {
            assert_eq!(of(false, pooled), (true, false), "{pooled}");
            assert_eq!(of(true, pooled), (false, true), "{pooled}");
        }
        assert_eq!(of(true, "breakers"), (true, false));
    }
}
