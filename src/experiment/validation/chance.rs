//! Whether the distances from theory, all together, are as large as chance makes them.
//!
//! Two things forbid to compare their root mean square with 1. A standard error that comes from R
//! replications makes of a distance Student's t with R - 1 degrees of freedom, whose root mean
//! square is `sqrt((R - 1) / (R - 3))`. And the numbers of one system come from the same runs and
//! miss together, so that those of all systems scatter more than as many independent ones would.
//!
//! Both are allowed for by signs (R. A. Fisher, "The Design of Experiments", 1935, section 21): if
//! theory is right, a replication misses it to either side alike, all its numbers together. So the
//! world that was seen is one of many equally likely ones, in which the distances of each
//! replication have another sign, and where it stands among them is its verdict. That is exact for
//! replications that scatter symmetrically, and means of long runs nearly do. Resampling whole
//! replications (B. Efron's bootstrap) would need no symmetry, but makes the scatter itself random,
//! which the tails of 40 numbers do not bear well.

use super::cell::{Cell, Rule};
use crate::rng::Rng;

/// Worlds that are drawn: the ends of an interval of 95 % then have 50 worlds beyond each.
pub const WORLDS: usize = 2_000;

/// Fewer replications have too few worlds: of 9, 512.
const FEWEST: usize = 10;

/// Where the distances stand among those of equally likely worlds. Only numbers that chance judges
/// and whose theory is exact take part: the error of a Monte Carlo reference is the same in all
/// replications.
#[derive(Clone, PartialEq, Debug)]
pub struct Chance {
    /// Systems; they are independent of each other.
    pub systems: usize,
    /// Numbers.
    pub numbers: usize,
    /// Root mean square of the distances of one number for each system, in standard errors: of the
    /// mean response time, or, where that is not compared, of the first number.
    pub one_each: Standing,
    /// Root mean square of all distances, in standard errors.
    pub all: Standing,
    /// Share of the distances below two standard errors.
    pub within_two: Standing,
    /// The largest distance, in standard errors.
    pub farthest: Standing,
}

/// A number among those of equally likely worlds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Standing {
    /// The number.
    pub found: f64,
    /// Mean of the worlds.
    pub expected: f64,
    /// 2.5 % of the worlds are below.
    pub low: f64,
    /// 2.5 % of the worlds are above.
    pub high: f64,
    /// Share of the worlds with so large a number or a larger one.
    pub as_large: f64,
}

/// What a [`Standing`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// Below 97.5 % of the worlds: standard errors may be too large.
    TooSmall,
    /// Within 95 % of the worlds.
    Chance,
    /// Above 97.5 % of the worlds: the simulator or the standard errors may be wrong.
    TooLarge,
}

impl Standing {
    /// What it says.
    #[must_use]
    pub fn reading(&self) -> Reading {
        if self.found < self.low {
            Reading::TooSmall
        } else if self.found > self.high {
            Reading::TooLarge
        } else {
            Reading::Chance
        }
    }

    fn of(found: f64, mut worlds: Vec<f64>) -> Self {
        worlds.sort_by(f64::total_cmp);
        let count = worlds.len() as f64;
        let beyond = (count * 0.025) as usize;
        let at = |index: usize| worlds.get(index).copied().unwrap_or(f64::NAN);
        let as_large = worlds.iter().filter(|&&world| world >= found).count();
        Self {
            found,
            expected: worlds.iter().sum::<f64>() / count,
            low: at(beyond),
            high: at(worlds.len() - 1 - beyond),
            as_large: as_large as f64 / count,
        }
    }
}

/// The distances of one system: a row for each number, with one for each replication.
struct System<'a> {
    rows: Vec<&'a [f64]>,
    /// The row that stands for the system.
    chosen: usize,
}

/// Judges all distances together; `None` if there are no numbers, or of fewer than ten
/// replications. The same cells always get the same answer.
#[must_use]
pub fn judge(cells: &[Cell]) -> Option<Chance> {
    let systems: Vec<System> = cells
        .chunk_by(|a, b| (&a.model, &a.parameters, &a.how) == (&b.model, &b.parameters, &b.how))
        .filter_map(system)
        .collect();
    let most = systems.iter().flat_map(|system| &system.rows);
    let replications = most.map(|row| row.len()).max()?;
    let signs = vec![true; replications];
    let found = world(&systems, |_| &signs);
    let mut rng = Rng::from_state(1);
    let mut drawn = vec![vec![true; replications]; systems.len()];
    let worlds: Vec<[f64; 4]> = (0..WORLDS)
        .map(|_| {
            for sign in drawn.iter_mut().flatten() {
                *sign = rng.next_u64() >> 63 == 0;
            }
            world(&systems, |at| &drawn[at])
        })
        .collect();
    let standing = |at: usize| Standing::of(found[at], worlds.iter().map(|w| w[at]).collect());
    Some(Chance {
        systems: systems.len(),
        numbers: systems.iter().map(|system| system.rows.len()).sum(),
        one_each: standing(0),
        all: standing(1),
        within_two: standing(2),
        farthest: standing(3),
    })
}

fn system(cells: &[Cell]) -> Option<System<'_>> {
    let taking_part = |cell: &&Cell| {
        let varies = cell.distances.iter().any(|distance| *distance != 0.0);
        let exact = cell.theory.standard_error == 0.0;
        let finite = cell.distances.iter().all(|distance| distance.is_finite());
        let enough = cell.distances.len() >= FEWEST;
        cell.rule == Rule::Chance && varies && exact && finite && enough
    };
    let cells: Vec<&Cell> = cells.iter().filter(taking_part).collect();
    let mean = cells.iter().position(|cell| cell.metric == "mean");
    let rows: Vec<&[f64]> = cells.iter().map(|cell| &cell.distances[..]).collect();
    (!rows.is_empty()).then_some(System {
        rows,
        chosen: mean.unwrap_or(0),
    })
}

/// The four numbers of [`Chance`] in a world with these signs.
fn world<'a>(systems: &[System], signs: impl Fn(usize) -> &'a [bool]) -> [f64; 4] {
    let (mut chosen, mut all, mut near, mut farthest) = (0.0, 0.0, 0.0, 0.0_f64);
    let mut numbers = 0.0;
    for (at, system) in systems.iter().enumerate() {
        for (row, distances) in system.rows.iter().enumerate() {
            let z = student(distances, signs(at));
            let square = z * z;
            chosen += if row == system.chosen { square } else { 0.0 };
            all += square;
            near += f64::from(u8::from(square < 4.0));
            farthest = farthest.max(z.abs());
            numbers += 1.0;
        }
    }
    let count = systems.len() as f64;
    [
        (chosen / count).sqrt(),
        (all / numbers).sqrt(),
        near / numbers,
        farthest,
    ]
}

/// Student's t of a sample with these signs.
fn student(sample: &[f64], signs: &[bool]) -> f64 {
    let count = sample.len() as f64;
    let signed = |(x, plus): (&f64, &bool)| if *plus { *x } else { -*x };
    let mean = sample.iter().zip(signs).map(signed).sum::<f64>() / count;
    let squares: f64 = sample.iter().map(|x| x * x).sum();
    let variance = (squares - count * mean * mean) / (count - 1.0);
    mean / (variance.max(0.0) / count).sqrt()
}

#[cfg(test)]
mod tests;
