//! Markers: the shape that tells strategies apart where colour does not.

use super::canvas::{Canvas, Colour, Point};
use super::palette::WHITE;

/// Shape of a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Marker {
    /// Filled circle.
    Circle,
    /// Circle line.
    Ring,
    /// Filled square.
    Square,
    /// Filled triangle, point up.
    Up,
    /// Filled triangle, point down.
    Down,
    /// Filled square on its corner.
    Diamond,
    /// Upright cross.
    Plus,
    /// Oblique cross.
    Cross,
    /// Six-pointed star.
    Star,
}

const UP: [Point; 3] = [(-1.0, 0.8), (1.0, 0.8), (0.0, -1.0)];
const DOWN: [Point; 3] = [(-1.0, -0.8), (1.0, -0.8), (0.0, 1.0)];
const SQUARE: [Point; 4] = [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)];
const DIAMOND: [Point; 4] = [(-1.1, 0.0), (0.0, -1.1), (1.1, 0.0), (0.0, 1.1)];
const STAR: [[Point; 3]; 2] = [
    [(-1.0, 0.6), (1.0, 0.6), (0.0, -1.2)],
    [(-1.0, -0.6), (1.0, -0.6), (0.0, 1.2)],
];
const PLUS: [[Point; 2]; 2] = [[(-1.0, 0.0), (1.0, 0.0)], [(0.0, -1.0), (0.0, 1.0)]];
const CROSS: [[Point; 2]; 2] = [[(-0.8, -0.8), (0.8, 0.8)], [(-0.8, 0.8), (0.8, -0.8)]];

impl Marker {
    /// Draws it with a radius around a point.
    pub fn draw(self, canvas: &mut Canvas, at: Point, radius: f64, colour: Colour) {
        let place = |&(x, y): &Point| (at.0 + x * radius, at.1 + y * radius);
        let around = |points: &[Point]| points.iter().map(place).collect::<Vec<Point>>();
        match self {
            Self::Circle => canvas.disc(at, radius * 0.9, colour),
            Self::Ring => {
                canvas.disc(at, radius, colour);
                canvas.disc(at, radius * 0.5, WHITE);
            }
            Self::Square => canvas.polygon(&around(&SQUARE), colour, 1.0),
            Self::Up => canvas.polygon(&around(&UP), colour, 1.0),
            Self::Down => canvas.polygon(&around(&DOWN), colour, 1.0),
            Self::Diamond => canvas.polygon(&around(&DIAMOND), colour, 1.0),
            Self::Star => STAR
                .iter()
                .for_each(|half| canvas.polygon(&around(half), colour, 1.0)),
            Self::Plus => {
                PLUS.iter()
                    .for_each(|bar| canvas.line(&around(bar), radius * 0.55, colour));
            }
            Self::Cross => {
                CROSS
                    .iter()
                    .for_each(|bar| canvas.line(&around(bar), radius * 0.55, colour));
            }
        }
    }
}
