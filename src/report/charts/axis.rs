//! Axes: from numbers to pixels, and where the ticks stand.

use crate::report::number::derived;
use crate::time::Duration;

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// Ticks and their texts.
    pub ticks: Vec<(f64, String)>,
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Axis {
    /// Equal steps are equal lengths. Ends are moved out to ticks.
    #[must_use]
    pub fn linear(label: &str, low: f64, high: f64) -> Self {
        let step = nice_step((high - low) / 5.0);
        let (first, last) = (
            libm::floor(low / step + 1e-9),
            libm::ceil(high / step - 1e-9),
        );
        let last = last.max(first + 1.0);
        let count = (last - first).clamp(1.0, 20.0) as u32;
        let at = |i: u32| (first + f64::from(i)) * step;
        Self {
            label: label.to_owned(),
            ticks: (0..=count).map(|i| (at(i), derived(at(i)))).collect(),
            low: first * step,
            high: last * step,
            logarithmic: false,
        }
    }

    /// Equal factors are equal lengths; both ends above zero.
    #[must_use]
    pub fn log(label: &str, low: f64, high: f64) -> Self {
        let low = low.max(1e-6);
        let high = high.max(low * 1.5);
        let decades = libm::log10(high / low);
        let factors: &[f64] = match decades {
            d if d < 1.2 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
            d if d < 3.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let first = libm::floor(libm::log10(low)) as i32;
        let last = libm::ceil(libm::log10(high)) as i32;
        let values = (first..=last).flat_map(|decade| {
            let power = libm::pow(10.0, f64::from(decade));
            factors.iter().map(move |factor| factor * power)
        });
        let shown = values.filter(|value| (low..=high).contains(value));
        Self {
            label: label.to_owned(),
            ticks: shown.map(|value| (value, derived(value))).collect(),
            low,
            high,
            logarithmic: true,
        }
    }

    /// Percentiles on the scale of 1/(1 - p), `high` being the largest such factor shown: every
    /// further nine takes the same length.
    #[must_use]
    pub fn percentiles(high: f64) -> Self {
        let marks = [
            (1.0, "0"),
            (2.0, "50"),
            (4.0, "75"),
            (10.0, "90"),
            (100.0, "99"),
            (1e3, "99.9"),
            (1e4, "99.99"),
            (1e5, "99.999"),
            (1e6, "99.9999"),
        ];
        let high = high.max(10.0);
        let shown = marks.iter().filter(|(at, _)| *at <= high);
        Self {
            label: "percentile".to_owned(),
            ticks: shown.map(|(at, text)| (*at, (*text).to_owned())).collect(),
            low: 1.0,
            high,
            logarithmic: true,
        }
    }

    /// Time since the start, in a unit that suits its length; values are seconds.
    #[must_use]
    pub fn time(length: Duration) -> Self {
        let length = length.as_secs_f64().max(1e-3);
        let (unit, name) = match length {
            l if l <= 3_600.0 => (1.0, "s"),
            l if l <= 36_000.0 => (60.0, "min"),
            _ => (3_600.0, "h"),
        };
        let steps = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0];
        let span = length / unit;
        let few = steps
            .into_iter()
            .find(|step| (1.0..=10.0).contains(&(span / step)));
        let step = few.unwrap_or_else(|| nice_step(span / 8.0));
        let count = (span / step + 1e-9) as u32;
        let at = |i: u32| f64::from(i) * step;
        Self {
            label: format!("time since start, {name}"),
            ticks: (0..=count.min(20))
                .map(|i| (at(i) * unit, derived(at(i))))
                .collect(),
            low: 0.0,
            high: length,
            logarithmic: false,
        }
    }

    /// Ticks at these values and nowhere else, in rising order, with a margin on both sides. Where
    /// the values are positive and span a factor of eight, equal factors are equal lengths.
    #[must_use]
    pub fn of_values(label: &str, ticks: Vec<(f64, String)>) -> Self {
        const MARGIN: f64 = 0.06;
        let (low, high) = extent(ticks.iter().map(|tick| tick.0)).unwrap_or((0.0, 1.0));
        let logarithmic = low > 0.0 && high >= 8.0 * low;
        let (low, high) = if logarithmic {
            let beyond = libm::pow(high / low, MARGIN);
            (low / beyond, high * beyond)
        } else if high > low {
            let beyond = (high - low) * MARGIN;
            (low - beyond, high + beyond)
        } else {
            (low - 1.0, low + 1.0)
        };
        Self {
            label: label.to_owned(),
            ticks,
            low,
            high,
            logarithmic,
        }
    }

    /// The same with other texts at the ticks, such as shares in per cent.
    #[must_use]
    pub fn with_texts(mut self, text: impl Fn(f64) -> String) -> Self {
        for (value, shown) in &mut self.ticks {
            *shown = text(*value);
        }
        self
    }

    /// Where a value lies between the ends, 0 to 1; clamped to them.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            libm::log(value.max(self.low) / self.low) / libm::log(self.high / self.low)
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }

    /// Whether a value lies between the ends.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The next larger of 1, 2, 5 times a power of ten.
fn nice_step(raw: f64) -> f64 {
    if !raw.is_finite() || raw <= 0.0 {
        return 1.0;
    }
    let power = libm::pow(10.0, libm::floor(libm::log10(raw)));
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|f| f * power >= raw * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// Smallest and largest of the finite numbers; `None` if there are none.
#[must_use]
pub fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.into_iter().filter(|value| value.is_finite());
    finite.fold(None, |extent, value| {
        let (low, high) = extent.unwrap_or((value, value));
        Some((f64::min(low, value), f64::max(high, value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            texts(&Axis::linear("", 0.0, 0.93)),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"]
        );
        assert_eq!(
            texts(&Axis::log("", 0.3, 12.0)),
            ["0.5", "1", "2", "5", "10"]
        );
        assert_eq!(
            texts(&Axis::percentiles(1e3)),
            ["0", "50", "75", "90", "99", "99.9"]
        );
        assert_eq!(texts(&Axis::time(Duration::from_secs(600))).len(), 11);
    }

    proptest! {
        #[test]
        fn every_axis_has_a_few_ticks_within_it(a in -1e9..1e9f64, b in 0.0..1e9f64) {
            let positive = a.abs() + 1e-6;
            let length = Duration::from_secs_f64(b);
            for axis in [
                Axis::linear("", a, a + b),
                Axis::log("", positive, positive + b),
                Axis::time(length),
            ] {
                prop_assert!(axis.ticks.len() <= 22, "{axis:?}");
                for (value, _) in &axis.ticks {
                    prop_assert!((0.0..=1.0).contains(&axis.place(*value)), "{axis:?}");
                }
            }
        }
    }
}
