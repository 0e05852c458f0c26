//! Drawing primitives, in pixels, and the page that they go to.
//!
//! Charts are laid out by our own code: the chart builders of plotting libraries measure text with
//! system fonts, which would make the bytes depend on the machine. What is drawn is written by
//! `svg.rs`.

mod svg;

use super::palette::{INK, WHITE};
use svg::Svg;

/// Red, green and blue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// This colour with a share of another, 0 to 1.
    #[must_use]
    pub fn mix(self, other: Self, share: f64) -> Self {
        let mix = |a: u8, b: u8| (f64::from(a) * (1.0 - share) + f64::from(b) * share + 0.5) as u8;
        Self(
            mix(self.0, other.0),
            mix(self.1, other.1),
            mix(self.2, other.2),
        )
    }
}

/// A point in pixels, from the upper left corner.
pub type Point = (f64, f64);

/// How a text looks.
#[derive(Clone, Copy)]
pub struct Font {
    /// Height in pixels.
    pub size: f64,
    /// Colour.
    pub colour: Colour,
    /// Bold instead of normal.
    pub bold: bool,
    /// Which part of the text stands at the point.
    pub anchor: Anchor,
}

/// Which part of a text stands at its point; vertically it is always the middle.
#[derive(Clone, Copy)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
    /// Its middle, and it reads upwards.
    Upwards,
}

impl Font {
    /// Plain text of a size.
    #[must_use]
    pub const fn new(size: f64) -> Self {
        Self {
            size,
            colour: INK,
            bold: false,
            anchor: Anchor::Start,
        }
    }

    /// In this colour.
    #[must_use]
    pub const fn colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// Bold.
    #[must_use]
    pub const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// With this part at its point.
    #[must_use]
    pub const fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    /// Width of a text, estimated on the wide side for common sans-serif fonts.
    #[must_use]
    pub fn width(self, text: &str) -> f64 {
        text.chars().count() as f64 * self.size * if self.bold { 0.62 } else { 0.56 }
    }
}

/// A drawing surface.
pub struct Canvas {
    svg: Svg,
}

/// Draws an SVG document of a size in pixels; `title` is for those who do not see it.
#[must_use]
pub fn draw(size: (f64, f64), title: &str, paint: impl FnOnce(&mut Canvas)) -> Vec<u8> {
    let mut canvas = Canvas {
        svg: Svg::new(size, title),
    };
    canvas.rectangle((0.0, 0.0), size, WHITE, 1.0);
    paint(&mut canvas);
    canvas.svg.finish().into_bytes()
}

impl Canvas {
    /// A line through points.
    pub fn line(&mut self, points: &[Point], width: f64, colour: Colour) {
        self.svg.line(points, width, colour, None);
    }

    /// A line through points in dashes and gaps of a length.
    pub fn dashed(&mut self, points: &[Point], width: f64, colour: Colour, dash: f64) {
        self.svg.line(points, width, colour, Some(dash));
    }

    /// A filled shape whose edges do not cross.
    pub fn polygon(&mut self, points: &[Point], colour: Colour, alpha: f64) {
        self.svg.fill(points, colour, alpha);
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&mut self, from: Point, to: Point, colour: Colour, alpha: f64) {
        let corners = [from, (to.0, from.1), to, (from.0, to.1)];
        self.svg.fill(&corners, colour, alpha);
    }

    /// A filled circle.
    pub fn disc(&mut self, centre: Point, radius: f64, colour: Colour) {
        self.svg.disc(centre, radius, colour);
    }

    /// A text at a point.
    pub fn text(&mut self, text: &str, at: Point, font: Font) {
        self.svg.text(text, at, font);
    }
}
