//! The grid: every combination of the values of all axes.

use super::axis::Axis;
use crate::experiment::scenario::Overrides;
use std::fmt;

/// Most cells of a grid. More would take days, and no reader takes them in: a coarser grid first,
/// then a finer one where it matters.
pub const MOST_CELLS: usize = 10_000;

/// The axes, at least one, and the cells that they span: the last axis varies fastest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grid {
    axes: Vec<Axis>,
}

/// Why there is no grid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GridError {
    /// Two axes vary this path.
    PathTwice(String),
    /// So many cells are more than [`MOST_CELLS`].
    TooLarge(u128),
}

impl fmt::Display for GridError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PathTwice(path) => {
                write!(f, "`{path}` is varied twice: give all its values at once")
            }
            Self::TooLarge(cells) => write!(
                f,
                "the grid has {cells} cells; allowed: at most {MOST_CELLS}. Begin with fewer \
                 values, then look closer where it matters"
            ),
        }
    }
}

impl std::error::Error for GridError {}

impl Grid {
    /// The grid of these axes.
    ///
    /// # Errors
    /// If two axes vary the same path, or there are more than [`MOST_CELLS`] combinations.
    pub fn new(axes: Vec<Axis>) -> Result<Self, GridError> {
        for (at, axis) in axes.iter().enumerate() {
            if axes[..at].iter().any(|other| other.path == axis.path) {
                return Err(GridError::PathTwice(axis.path.clone()));
            }
        }
        let counts = axes.iter().map(|axis| axis.values.len() as u128);
        let cells = counts.fold(1, u128::saturating_mul);
        if cells > MOST_CELLS as u128 {
            return Err(GridError::TooLarge(cells));
        }
        Ok(Self { axes })
    }

    /// The axes, in the order given.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Number of cells, at least 1.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.axes.iter().map(|axis| axis.values.len()).product()
    }

    /// Which value each axis has in a cell.
    #[must_use]
    pub fn place(&self, cell: usize) -> Vec<usize> {
        let mut rest = cell;
        let mut place: Vec<usize> = self
            .axes
            .iter()
            .rev()
            .map(|axis| {
                let at = rest % axis.values.len();
                rest /= axis.values.len();
                at
            })
            .collect();
        place.reverse();
        place
    }

    /// What a cell changes in the scenario, on top of `base`.
    #[must_use]
    pub fn overrides(&self, cell: usize, base: &Overrides) -> Overrides {
        let place = self.place(cell).into_iter().zip(&self.axes);
        Overrides {
            vary: place.map(|(value, axis)| axis.choice(value)).collect(),
            ..base.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(axes: &[&str]) -> Result<Grid, GridError> {
        let axes = axes.iter().map(|axis| Axis::parse(axis).unwrap());
        Grid::new(axes.collect())
    }

    #[test]
    fn cells_are_all_combinations_the_last_axis_fastest() {
        let grid = grid(&["a=1,2", "b=x,y,z"]).unwrap();
        assert_eq!(grid.cells(), 6);
        let places: Vec<_> = (0..6).map(|cell| grid.place(cell)).collect();
        assert_eq!(places, [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]);
    }

    #[test]
    fn a_grid_that_nobody_can_run_or_read_is_refused() {
        assert_eq!(
            grid(&["a=1", "a=2"]),
            Err(GridError::PathTwice("a".to_owned()))
        );
        let hundred: Vec<String> = (0..100).map(|i| i.to_string()).collect();
        let axis = |name: &str| format!("{name}={}", hundred.join(","));
        let (a, b, c) = (axis("a"), axis("b"), axis("c"));
        assert_eq!(grid(&[&a, &b]).unwrap().cells(), MOST_CELLS);
        assert_eq!(grid(&[&a, &b, &c]), Err(GridError::TooLarge(1_000_000)));
    }
}
