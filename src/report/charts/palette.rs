//! Colours: one for each strategy in every chart of every scenario, so that a reader learns them
//! once; and another family for lanes, so that the two are never confused.
//!
//! The strategies' colours start from the palette of M. Okabe and K. Ito ("Color Universal Design",
//! 2008), told apart under every common form of colour blindness, its yellow left out (too pale on
//! white) and a grey, a dark blue and a violet added. Colour is never alone: each strategy has its
//! own marker, and further arms of one strategy a shade and dashes.

use super::canvas::Colour;
use super::marker::Marker;
use crate::experiment::results::{Description, ScenarioResults};
use crate::record::Strategy;
use crate::request::Provider;

/// Text and axes.
pub const INK: Colour = Colour(0x22, 0x22, 0x22);
/// Lesser text.
pub const GREY: Colour = Colour(0x66, 0x66, 0x66);
/// Grid lines.
pub const GRID: Colour = Colour(0xE3, 0xE3, 0xE3);
/// Background of scheduled faults.
pub const FAULT: Colour = Colour(0xF3, 0xD9, 0xD3);
/// Background of the warm-up.
pub const WARMUP: Colour = Colour(0xEE, 0xEE, 0xEE);
/// Where more is better than the reference.
pub const GAIN: Colour = Colour(0x21, 0x66, 0xAC);
/// Where it is worse.
pub const LOSS: Colour = Colour(0xD6, 0x60, 0x4D);
/// Paper.
pub const WHITE: Colour = Colour(0xFF, 0xFF, 0xFF);

/// How the lines and points of an arm look.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Look {
    /// Colour of its strategy, shaded for further arms of the same strategy.
    pub colour: Colour,
    /// Marker of its strategy.
    pub marker: Marker,
    /// Length of dashes and gaps; `None` = solid.
    pub dash: Option<f64>,
}

const fn of_strategy(strategy: Strategy) -> (Colour, Marker) {
    match strategy {
        Strategy::RoundRobin => (Colour(0x1F, 0x2B, 0x4D), Marker::Circle),
        Strategy::WeightedRoundRobin => (Colour(0xE6, 0x9F, 0x00), Marker::Square),
        Strategy::LeastConnections => (Colour(0x56, 0xB4, 0xE9), Marker::Up),
        Strategy::FastestResponse => (Colour(0x00, 0x9E, 0x73), Marker::Diamond),
        Strategy::HealthBased => (Colour(0xCC, 0x79, 0xA7), Marker::Down),
        Strategy::Adaptive => (Colour(0x00, 0x72, 0xB2), Marker::Ring),
        Strategy::Geographic => (Colour(0x7A, 0x4F, 0xB5), Marker::Plus),
        Strategy::Random => (Colour(0xA8, 0xA8, 0xA8), Marker::Cross),
        Strategy::Smart => (Colour(0xD5, 0x5E, 0x00), Marker::Star),
    }
}

/// The look of every arm, in order.
#[must_use]
pub fn looks(results: &ScenarioResults) -> Vec<Look> {
    looks_of(results.strategies.iter().map(|arm| arm.strategy))
}

/// The look of arms that run these strategies.
pub fn looks_of(strategies: impl Iterator<Item = Strategy>) -> Vec<Look> {
    let mut seen = [0; Strategy::ALL.len()];
    let look = |strategy: Strategy| {
        let nth = seen[strategy.at()];
        seen[strategy.at()] += 1;
        let (base, marker) = of_strategy(strategy);
        Look {
            colour: shade(base, nth),
            marker,
            dash: (nth > 0).then(|| 2.0 + 2.0 * f64::from(nth % 3)),
        }
    };
    strategies.map(look).collect()
}

/// The base colour, then in turn lighter and darker, further away each time.
fn shade(base: Colour, nth: u32) -> Colour {
    let away = (0.25 + 0.06 * f64::from(nth)).min(0.7);
    match nth {
        0 => base,
        nth if nth % 2 == 1 => base.mix(WHITE, away),
        _ => base.mix(INK, away),
    }
}

/// Colours of the lanes: a hue per provider, from dark to light within it.
#[must_use]
pub fn lane_colours(about: &Description) -> Vec<Colour> {
    let provider_of = |lane: usize| {
        let mut accounts = about.accounts.iter();
        let first = accounts.find(|account| account.lane == lane);
        first.map_or(Provider::Custom, |account| account.provider)
    };
    let providers: Vec<Provider> = (0..about.lanes.len()).map(provider_of).collect();
    let colour = |(lane, &provider): (usize, &Provider)| {
        let same = |lanes: &[Provider]| lanes.iter().filter(|&&p| p == provider).count();
        let place = same(&providers[..lane]) as f64 / same(&providers).max(2) as f64;
        of_provider(provider).mix(WHITE, 0.85 * place)
    };
    providers.iter().enumerate().map(colour).collect()
}

/// Dark ends of P. Tol's muted scheme.
const fn of_provider(provider: Provider) -> Colour {
    match provider {
        Provider::Anthropic => Colour(0x88, 0x22, 0x55),
        Provider::Google => Colour(0x33, 0x22, 0x88),
        Provider::OpenAi => Colour(0x11, 0x77, 0x33),
        Provider::Custom => Colour(0x66, 0x5C, 0x1E),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::Shape;

    #[test]
    fn no_two_arms_look_alike() {
        let mut shape = Shape::small();
        shape.arms = [Strategy::Smart, Strategy::Random]
            .map(|s| ("arm", s))
            .repeat(6);
        for shape in [shape, Shape::realistic()] {
            let looks = looks(&shape.results());
            for (at, look) in looks.iter().enumerate() {
                assert!(!looks[..at].contains(look), "{at}");
            }
        }
    }

    #[test]
    fn a_strategy_keeps_its_colour() {
        let realistic = looks(&Shape::realistic().results());
        let small = looks(&Shape::small().results());
        assert_eq!(small.last(), realistic.last());
    }
}
