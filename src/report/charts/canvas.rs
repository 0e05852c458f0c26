//! Drawing primitives over plotters' SVG backend.
//!
//! Charts are laid out by our own code instead of plotters' chart builder: it measures text with
//! system fonts, which would make the bytes depend on the machine. The backend takes whole
//! pixels only, so everything is drawn at ten times the size and scaled by the view box.

use super::palette::{INK, WHITE};
use plotters::backend::SVGBackend;
use plotters::prelude::{
    Color, DrawingBackend, IntoFont, RGBAColor, RGBColor, ShapeStyle, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, FontTransform};

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

    fn with_alpha(self, alpha: f64) -> RGBAColor {
        RGBColor(self.0, self.1, self.2).mix(alpha)
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

/// Backend pixels per pixel.
const SCALE: f64 = 10.0;

/// A drawing surface.
pub struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

/// Draws an SVG document of a size in pixels; `title` is for those who do not see it.
#[must_use]
pub fn draw(size: (f64, f64), title: &str, paint: impl FnOnce(&mut Canvas)) -> Vec<u8> {
    let mut svg = String::new();
    let large = ((size.0 * SCALE) as u32, (size.1 * SCALE) as u32);
    {
        let mut canvas = Canvas {
            backend: SVGBackend::with_string(&mut svg, large),
        };
        canvas.rectangle((0.0, 0.0), size, WHITE, 1.0);
        paint(&mut canvas);
    }
    let drawn = format!("<svg width=\"{}\" height=\"{}\"", large.0, large.1);
    let shown = format!(
        "<svg width=\"{}\" height=\"{}\" role=\"img\" aria-label=\"{}\" stroke-linejoin=\"round\"",
        size.0,
        size.1,
        escaped(title)
    );
    svg.replacen(&drawn, &shown, 1).into_bytes()
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

/// Drawing into memory cannot fail, so the backend's results carry no news.
fn ignore<E>(_: Result<(), E>) {}

impl Canvas<'_> {
    /// A line through points.
    pub fn line(&mut self, points: &[Point], width: f64, colour: Colour) {
        let style = stroke(width, colour);
        ignore(
            self.backend
                .draw_path(points.iter().map(|&p| scaled(p)), &style),
        );
    }

    /// A line through points in dashes and gaps of a length.
    pub fn dashed(&mut self, points: &[Point], width: f64, colour: Colour, dash: f64) {
        let mut on: Vec<Point> = points.iter().take(1).copied().collect();
        let mut left = dash;
        let mut drawing = true;
        for pair in points.windows(2) {
            let ((x, y), (to_x, to_y)) = (pair[0], pair[1]);
            let length = libm::hypot(to_x - x, to_y - y);
            let mut gone = 0.0;
            while length - gone > left {
                gone += left;
                let at = (
                    x + (to_x - x) * gone / length,
                    y + (to_y - y) * gone / length,
                );
                if drawing {
                    on.push(at);
                    self.line(&on, width, colour);
                }
                on = vec![at];
                (drawing, left) = (!drawing, dash);
            }
            left -= length - gone;
            if drawing {
                on.push((to_x, to_y));
            }
        }
        if drawing && on.len() > 1 {
            self.line(&on, width, colour);
        }
    }

    /// A filled shape.
    pub fn polygon(&mut self, points: &[Point], colour: Colour, alpha: f64) {
        let points = points.iter().map(|&p| scaled(p));
        ignore(self.backend.fill_polygon(points, &colour.with_alpha(alpha)));
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&mut self, from: Point, to: Point, colour: Colour, alpha: f64) {
        let colour = colour.with_alpha(alpha);
        ignore(
            self.backend
                .draw_rect(scaled(from), scaled(to), &colour, true),
        );
    }

    /// A filled circle.
    pub fn disc(&mut self, centre: Point, radius: f64, colour: Colour) {
        let radius = (radius * SCALE) as u32;
        let colour = colour.with_alpha(1.0);
        ignore(
            self.backend
                .draw_circle(scaled(centre), radius, &colour, true),
        );
    }

    /// A text at a point.
    pub fn text(&mut self, text: &str, at: Point, font: Font) {
        let colour = font.colour.with_alpha(1.0);
        let (h_pos, transform) = match font.anchor {
            Anchor::Start => (HPos::Left, FontTransform::None),
            Anchor::Middle => (HPos::Center, FontTransform::None),
            Anchor::End => (HPos::Right, FontTransform::None),
            Anchor::Upwards => (HPos::Center, FontTransform::Rotate270),
        };
        // The backend divides sizes by 1.24 on their way out.
        let family = ("sans-serif", font.size * SCALE * 1.24).into_font();
        let weight = if font.bold {
            FontStyle::Bold
        } else {
            FontStyle::Normal
        };
        let style = TextStyle::from(family.style(weight).transform(transform))
            .color(&colour)
            .pos(Pos::new(h_pos, VPos::Center));
        ignore(self.backend.draw_text(text, &style, scaled(at)));
    }
}

fn stroke(width: f64, colour: Colour) -> ShapeStyle {
    ShapeStyle {
        color: colour.with_alpha(1.0),
        filled: false,
        stroke_width: (width * SCALE).max(1.0) as u32,
    }
}

fn scaled((x, y): Point) -> (i32, i32) {
    let scale = |pixels: f64| libm::round(pixels * SCALE) as i32;
    (scale(x), scale(y))
}
