//! SVG as text: short, because charts are committed by the hundred.
//!
//! Our own writer instead of a plotting library's: what one draws as three hundred lines (dashes)
//! is one attribute here; shapes of one look that follow each other share an element; and a path
//! goes from point to point in whole tenths of a pixel, which halves its digits. The same charts
//! take a fifth of the bytes. Only paths, circles and texts are written, and only presentation
//! attributes: no style sheet that a viewer might drop.

use super::{Anchor, Colour, Font, Point};
use std::fmt::Write as _;

/// Units of the document in a pixel.
const SCALE: f64 = 10.0;

/// Size of texts that do not say theirs, in pixels.
const PLAIN: f64 = 12.0;

/// Middle of small letters above the base line, as a share of the font size: half the height of an
/// `x`, which is 0.52 in Arial and Helvetica and 0.55 in `DejaVu`.
const MIDDLE: f64 = 0.265;

/// A document in the making.
pub(super) struct Svg {
    text: String,
    /// Attributes and outlines of the path that may still grow.
    look: String,
    outlines: String,
}

impl Svg {
    /// An empty document; `title` is for those who do not see it.
    pub(super) fn new((width, height): Point, title: &str) -> Self {
        let (wide, high) = whole((width, height));
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {wide} {high}\" role=\"img\" aria-label=\"{}\" fill=\"none\" \
             stroke-linejoin=\"round\" font-family=\"sans-serif\" font-size=\"{}\">\n",
            escaped(title),
            PLAIN * SCALE,
        );
        Self {
            text,
            look: String::new(),
            outlines: String::new(),
        }
    }

    /// A line through points, in dashes of a length if there is one.
    pub(super) fn line(&mut self, points: &[Point], width: f64, colour: Colour, dash: Option<f64>) {
        let mut look = format!(
            "stroke=\"{}\" stroke-width=\"{}\"",
            hex(colour),
            libm::round(width * SCALE)
        );
        if let Some(dash) = dash {
            let _ = write!(look, " stroke-dasharray=\"{}\"", libm::round(dash * SCALE));
        }
        self.outline(look, &outline(points.iter().copied()));
    }

    /// A filled shape.
    pub(super) fn fill(&mut self, points: &[Point], colour: Colour, alpha: f64) {
        let mut look = format!("fill=\"{}\"", hex(colour));
        // Shapes of one path that overlap are one area, if all turn the same way.
        let mut drawn = if turn(points) < 0.0 {
            outline(points.iter().rev().copied())
        } else {
            outline(points.iter().copied())
        };
        drawn.push('z');
        if alpha < 1.0 {
            // Where they overlap, each shines through: one path would not.
            self.close();
            let _ = write!(look, " fill-opacity=\"{alpha}\"");
            self.outline(look, &drawn);
            self.close();
        } else {
            self.outline(look, &drawn);
        }
    }

    /// A filled circle.
    pub(super) fn disc(&mut self, centre: Point, radius: f64, colour: Colour) {
        self.close();
        let ((x, y), radius) = (whole(centre), libm::round(radius * SCALE));
        let colour = hex(colour);
        let _ = writeln!(
            self.text,
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{colour}\"/>"
        );
    }

    /// A text at a point.
    pub(super) fn text(&mut self, text: &str, at: Point, font: Font) {
        self.close();
        let (x, y) = whole((at.0, at.1 + MIDDLE * font.size));
        let mut look = format!("fill=\"{}\"", hex(font.colour));
        if (font.size - PLAIN).abs() > 0.01 {
            let _ = write!(look, " font-size=\"{}\"", libm::round(font.size * SCALE));
        }
        if font.bold {
            look += " font-weight=\"bold\"";
        }
        match font.anchor {
            Anchor::Start => (),
            Anchor::Middle => look += " text-anchor=\"middle\"",
            Anchor::End => look += " text-anchor=\"end\"",
            Anchor::Upwards => {
                let (x, y) = whole(at);
                let _ = write!(
                    look,
                    " text-anchor=\"middle\" transform=\"rotate(-90 {x} {y})\""
                );
            }
        }
        let text = escaped(text);
        let _ = writeln!(self.text, "<text x=\"{x}\" y=\"{y}\" {look}>{text}</text>");
    }

    /// The whole document.
    pub(super) fn finish(mut self) -> String {
        self.close();
        self.text + "</svg>\n"
    }

    fn outline(&mut self, look: String, outline: &str) {
        if self.look != look {
            self.close();
            self.look = look;
        }
        self.outlines += outline;
    }

    /// Writes the path that was growing.
    fn close(&mut self) {
        if !self.outlines.is_empty() {
            let (look, outlines) = (&self.look, &self.outlines);
            let _ = writeln!(self.text, "<path {look} d=\"{outlines}\"/>");
        }
        self.look.clear();
        self.outlines.clear();
    }
}

/// A path through points: the first by its place, each further by its distance from the last.
fn outline(points: impl Iterator<Item = Point>) -> String {
    let mut path = String::new();
    let (mut last, mut command) = (None, ' ');
    for (x, y) in points.map(whole) {
        let Some((from_x, from_y)) = last.replace((x, y)) else {
            let _ = write!(path, "M{x} {y}");
            continue;
        };
        let next = match (x - from_x, y - from_y) {
            (0, 0) => continue,
            (right, 0) => ('h', vec![right]),
            (0, down) => ('v', vec![down]),
            (right, down) => ('l', vec![right, down]),
        };
        let mut apart = command != next.0;
        if apart {
            path.push(next.0);
            command = next.0;
        }
        for distance in next.1 {
            if !apart && distance >= 0 {
                path.push(' ');
            }
            apart = false;
            let _ = write!(path, "{distance}");
        }
    }
    path
}

/// Which way a shape turns: twice its signed area.
fn turn(points: &[Point]) -> f64 {
    let next = points.iter().cycle().skip(1);
    let pairs = points.iter().zip(next);
    pairs.map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum()
}

fn whole((x, y): Point) -> (i32, i32) {
    let scale = |pixels: f64| libm::round(pixels * SCALE) as i32;
    (scale(x), scale(y))
}

fn hex(Colour(red, green, blue): Colour) -> String {
    let short = [red, green, blue].iter().all(|part| part % 17 == 0);
    if short {
        format!("#{:X}{:X}{:X}", red / 17, green / 17, blue / 17)
    } else {
        format!("#{red:02X}{green:02X}{blue:02X}")
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INK: Colour = Colour(0x22, 0x22, 0x22);
    const RED: Colour = Colour(0xD6, 0x60, 0x4D);

    fn drawn(paint: impl FnOnce(&mut Svg)) -> Vec<String> {
        let mut svg = Svg::new((10.0, 10.0), "t");
        paint(&mut svg);
        let text = svg.finish();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[1..lines.len() - 1].to_vec()
    }

    /// Reads a path back: the points of each of its lines, in tenths of a pixel.
    fn read(path: &str) -> Vec<Vec<(i32, i32)>> {
        let mut lines: Vec<Vec<(i32, i32)>> = vec![];
        let mut rest = path;
        while let Some(command) = rest.chars().next() {
            let end = rest[1..].find(|c: char| c.is_ascii_alphabetic());
            let end = end.map_or(rest.len(), |end| end + 1);
            let numbers = rest[1..end].replace('-', " -");
            let numbers: Vec<i32> = numbers
                .split_whitespace()
                .map(|n| n.parse().unwrap())
                .collect();
            let last = lines.last().and_then(|line| line.last()).copied();
            let (mut x, mut y) = last.unwrap_or_default();
            for pair in numbers.chunks(if "hv".contains(command) { 1 } else { 2 }) {
                match (command, pair) {
                    ('M', &[to_x, to_y]) => {
                        (x, y) = (to_x, to_y);
                        lines.push(vec![]);
                    }
                    ('l', &[right, down]) => (x, y) = (x + right, y + down),
                    ('h', &[right]) => x += right,
                    ('v', &[down]) => y += down,
                    _ => panic!("{path}"),
                }
                lines.last_mut().unwrap().push((x, y));
            }
            rest = &rest[end..];
        }
        lines
    }

    proptest! {
        #[test]
        fn a_path_leads_through_its_points(
            points in proptest::collection::vec((-50..900i32, -50..900i32), 1..30),
        ) {
            let pixels = points.iter().map(|&(x, y)| (f64::from(x) / 10.0, f64::from(y) / 10.0));
            let mut expected = points.clone();
            expected.dedup();
            prop_assert_eq!(read(&outline(pixels)), [expected]);
        }
    }

    #[test]
    fn what_looks_alike_and_follows_each_other_shares_an_element() {
        let line = |svg: &mut Svg, y: f64, colour| {
            svg.line(&[(0.0, y), (5.0, y)], 1.0, colour, None);
        };
        let lines = drawn(|svg| {
            line(svg, 1.0, INK);
            line(svg, 2.0, INK);
            line(svg, 3.0, RED);
            svg.line(&[(0.0, 4.0), (5.0, 4.5)], 1.0, RED, Some(2.0));
        });
        assert_eq!(
            lines,
            [
                "<path stroke=\"#222\" stroke-width=\"10\" d=\"M0 10h50M0 20h50\"/>",
                "<path stroke=\"#D6604D\" stroke-width=\"10\" d=\"M0 30h50\"/>",
                "<path stroke=\"#D6604D\" stroke-width=\"10\" stroke-dasharray=\"20\" \
                 d=\"M0 40l50 5\"/>",
            ]
        );
    }

    /// Under the rule for filling a path, overlapping shapes that turn opposite ways leave a hole.
    #[test]
    fn shapes_turn_one_way_unless_they_shine_through() {
        let (one, other) = (
            [(0.0, 0.0), (2.0, 0.0), (0.0, 2.0)],
            [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)],
        );
        let both = |alpha: f64| {
            drawn(|svg| {
                svg.fill(&one, INK, alpha);
                svg.fill(&other, INK, alpha);
            })
        };
        let [path] = &both(1.0)[..] else {
            panic!("one path")
        };
        let outlines = path.split("d=\"").nth(1).unwrap();
        let outlines = outlines.trim_end_matches("\"/>").replace('z', "");
        for points in read(&outlines) {
            let points = points.iter().map(|&(x, y)| (f64::from(x), f64::from(y)));
            assert!(turn(&points.collect::<Vec<_>>()) > 0.0);
        }
        assert_eq!(both(0.5).len(), 2);
    }
}
