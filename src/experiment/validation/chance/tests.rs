//! Made-up replications of which it is known whether they are chance.

use super::*;
use crate::experiment::validation::fixture::Theory;
use crate::rng::{Purpose, Streams};
use rand_distr::{Distribution as _, StandardNormal};

const REPLICATIONS: usize = 40;

/// Systems of `each` numbers whose distances are normal and share a part `common` of their
/// variance, with a deviation `scale` times what they should have and a mean of `bias` standard
/// errors.
fn cells(seed: u64, systems: u32, each: usize, common: f64, bias: f64) -> Vec<Cell> {
    let mut cells = vec![];
    for system in 0..systems {
        let mut rng = Streams::new(seed, system).stream(Purpose::Policy, 0);
        let mut rows = vec![vec![]; each];
        for _ in 0..REPLICATIONS {
            let shared: f64 = StandardNormal.sample(&mut rng);
            for row in &mut rows {
                let own: f64 = StandardNormal.sample(&mut rng);
                let noise = common.sqrt() * shared + (1.0 - common).sqrt() * own;
                row.push(noise + bias / (REPLICATIONS as f64).sqrt());
            }
        }
        cells.extend(rows.into_iter().map(|row| cell(system, row)));
    }
    cells
}

fn cell(system: u32, distances: Vec<f64>) -> Cell {
    let (simulated, standard_error) = Cell::mean(&distances);
    Cell {
        model: system.to_string(),
        parameters: String::new(),
        how: String::new(),
        metric: String::new(),
        in_table: false,
        theory: Theory::exact(0.0),
        simulated,
        standard_error,
        distances,
        rule: Rule::Chance,
    }
}

fn judged(cells: &[Cell]) -> Chance {
    judge(cells).expect("enough replications")
}

/// The oracle is Student's t: independent numbers have the mean square (R - 1) / (R - 3), and its
/// variance follows from the fourth moment, 3 n² / ((n - 2) (n - 4)) for n = R - 1.
#[test]
fn what_is_expected_is_what_student_found() {
    let chance = judged(&cells(1, 300, 1, 0.0, 0.0));
    let freedom = REPLICATIONS as f64 - 1.0;
    let square = freedom / (freedom - 2.0);
    let fourth = 3.0 * freedom * freedom / ((freedom - 2.0) * (freedom - 4.0));
    let deviation = ((fourth - square * square) / 300.0).sqrt();
    let Standing {
        expected,
        low,
        high,
        ..
    } = chance.one_each;
    assert!((expected - square.sqrt()).abs() < 0.01, "{expected}");
    let wanted = [-1.96, 1.96].map(|errors| (square + errors * deviation).sqrt());
    assert!((low - wanted[0]).abs() < 0.02, "{low} {wanted:?}");
    assert!((high - wanted[1]).abs() < 0.02, "{high} {wanted:?}");
    // One number a system: the same numbers.
    assert_eq!(chance.one_each, chance.all);
    assert_eq!((chance.systems, chance.numbers), (300, 300));
}

/// z of the cells themselves and of the world that was seen are the same.
#[test]
fn the_world_that_was_seen_is_that_of_the_cells() {
    let cells = cells(2, 20, 3, 0.5, 0.0);
    let z: Vec<f64> = cells.iter().filter_map(Cell::errors).collect();
    let squares: f64 = z.iter().map(|z| z * z).sum();
    let chance = judged(&cells);
    assert!((chance.all.found - (squares / z.len() as f64).sqrt()).abs() < 1e-9);
    let farthest = z.iter().fold(0.0, |most: f64, z| most.max(z.abs()));
    assert!((chance.farthest.found - farthest).abs() < 1e-9);
}

/// Numbers that miss together scatter as one number a system does, and not as many do.
#[test]
fn what_misses_together_is_allowed_for() {
    let width = |common: f64| {
        let all = judged(&cells(3, 60, 10, common, 0.0)).all;
        all.high - all.low
    };
    let (apart, together) = (width(0.0), width(0.95));
    assert!(together > 2.5 * apart, "{apart} {together}");
}

/// Of 200 validations that are right, 5 % are called something else; 20 or more of them, or none,
/// would have a probability below 0.2 % (binomial).
#[test]
fn what_is_chance_is_called_chance() {
    let validations = 200;
    let (mut wrong_all, mut wrong_each) = (0, 0);
    for seed in 0..validations {
        let chance = judged(&cells(100 + seed, 15, 3, 0.6, 0.0));
        wrong_all += u32::from(chance.all.reading() != Reading::Chance);
        wrong_each += u32::from(chance.one_each.reading() != Reading::Chance);
    }
    println!("called something else: {wrong_all} and {wrong_each} of {validations}");
    assert!((1..20).contains(&wrong_all), "{wrong_all}");
    assert!((1..20).contains(&wrong_each), "{wrong_each}");
}

#[test]
fn what_is_not_chance_is_seen() {
    // Every number a standard error away, to whatever side.
    let chance = judged(&cells(4, 95, 3, 0.6, 1.0));
    assert_eq!(chance.one_each.reading(), Reading::TooLarge);
    assert_eq!(chance.all.reading(), Reading::TooLarge);
    assert!(chance.all.as_large < 0.025);
    // Replications that make up for each other: their mean hardly misses.
    let mut cells = cells(5, 95, 1, 0.0, 0.0);
    for cell in &mut cells {
        let mean = cell.simulated;
        cell.distances.iter_mut().for_each(|x| *x -= 0.9 * mean);
    }
    assert_eq!(judged(&cells).one_each.reading(), Reading::TooSmall);
}

#[test]
fn what_cannot_be_judged_so_takes_no_part() {
    let mut cells = cells(6, 20, 2, 0.0, 0.0);
    cells[0].theory.standard_error = 0.1;
    cells[1].rule = Rule::Relative(0.1);
    cells[2].distances = vec![0.0; REPLICATIONS];
    cells[4].distances[0] = f64::NAN;
    let chance = judged(&cells);
    assert_eq!((chance.systems, chance.numbers), (19, 36));
    for cell in &mut cells {
        cell.distances.truncate(FEWEST - 1);
    }
    assert_eq!(judge(&cells), None);
    assert_eq!(judge(&[]), None);
}
