//! The section that says whether all distances together are chance. The sentences follow from the
//! numbers, whichever way these fall.

use super::page::grouped;
use super::{farthest, signed};
use crate::experiment::validation::{
    Chance, MOST_ERRORS, PRECISE, Reading, Rule, Standing, Validation, WORLDS,
};
use crate::report::number::derived;
use crate::stats::mean::two_sided_p;
use std::fmt::Write as _;

/// The section.
pub(super) fn section(found: &Validation) -> String {
    let mut text = String::from("\n## Is that chance?\n\n");
    text += &match &found.chance {
        Some(chance) => judged(found, chance),
        None => "Of fewer than ten replications that cannot be said.\n".to_owned(),
    };
    text + &precise(found)
}

/// A line for the terminal, with the break before it; empty if nothing can be said.
pub(super) fn line(found: &Validation) -> String {
    let Some(chance) = &found.chance else {
        return String::new();
    };
    let Standing {
        found,
        expected,
        low,
        high,
        ..
    } = chance.all;
    format!(
        "\nRoot mean square of all z: {found:.2}; expected {expected:.2}, by chance {low:.2} to \
         {high:.2}."
    )
}

/// In how many numbers that are right one is farther away than the bound; 0 where that cannot be
/// said.
pub(super) fn once_in(replications: u32) -> u64 {
    let p = two_sided_p(replications as usize, MOST_ERRORS);
    p.map_or(0, |p| (1.0 / p).round() as u64)
}

fn judged(found: &Validation, chance: &Chance) -> String {
    let replications = f64::from(found.replications);
    let student = ((replications - 1.0) / (replications - 3.0)).sqrt();
    let mut text = format!(
        "A z that is nothing but chance has a mean of 0 and, as its standard error comes from \
         {replications} replications, a root mean square of √({} / {}) = {student:.2}, not 1. \
         Numbers of one system come from the same runs and miss together, so that the root mean \
         square of all scatters more than that of as many independent numbers. What chance makes \
         of it is found from the replications themselves: if theory is right, a replication misses \
         it to either side alike, all numbers of a system together. So {} times, the distances of \
         every replication get a sign by a coin, and in these equally likely worlds everything is \
         computed again. Numbers whose theory is a Monte Carlo estimate or a published experiment \
         take no part.\n\n\
         | | numbers | here | expected | 95 % of worlds | as large in | reads as |\n\
         |---|---:|---:|---:|---:|---:|---|\n",
        replications - 1.0,
        replications - 3.0,
        grouped(WORLDS as u64),
    );
    let rows = [
        (
            "root mean square, one number a system (the mean, or else the first)",
            chance.systems,
            chance.one_each,
        ),
        ("root mean square, all numbers", chance.numbers, chance.all),
        ("share within 2", chance.numbers, chance.within_two),
        ("the farthest", chance.numbers, chance.farthest),
    ];
    for (name, numbers, standing) in rows {
        let _ = writeln!(text, "| {name} | {numbers} | {} |", cells(&standing));
    }
    text + "\n" + &conclusion(chance) + "\n"
}

fn cells(standing: &Standing) -> String {
    let Standing {
        found,
        expected,
        low,
        high,
        as_large,
    } = standing;
    let reading = match standing.reading() {
        Reading::TooSmall => "less than chance makes",
        Reading::Chance => "chance",
        Reading::TooLarge => "more than chance makes",
    };
    format!(
        "{found:.3} | {expected:.3} | {low:.3} to {high:.3} | {:.1} % | {reading}",
        as_large * 100.0
    )
}

/// What follows from the two root mean squares.
fn conclusion(chance: &Chance) -> String {
    let systems = chance.one_each.reading();
    let rare = |standing: &Standing| format!("{:.1} %", standing.as_large * 100.0);
    let (one, all) = (rare(&chance.one_each), rare(&chance.all));
    match (systems, chance.all.reading()) {
        (Reading::Chance, Reading::Chance) => format!(
            "**Nothing but chance is seen**: if theory is right, root mean squares as large as \
             these or larger come about in {one} and {all} of the worlds."
        ),
        (Reading::Chance, Reading::TooLarge) => format!(
            "**More than chance is seen in all numbers together** (as much comes about in {all} of \
             the worlds), though not in one number of each system ({one}). One of 40 validations \
             that are right reads so; if other seeds say the same, a number that is not its \
             system's first is wrong, or its standard error is."
        ),
        (Reading::TooLarge, _) => format!(
            "**This is more than chance**: if theory is right, root mean squares as large as these \
             come about in {one} and {all} of the worlds. One of 40 validations that are right \
             reads so; if other seeds say the same, the simulator is wrong by about as much as the \
             column of errors says, or its standard errors are too small."
        ),
        (_, Reading::TooSmall) | (Reading::TooSmall, _) => format!(
            "**This is less than chance makes**: root mean squares as large as these or larger \
             come about in {one} and {all} of the worlds. One of 40 validations that are right \
             reads so; if other seeds say the same, the standard errors are too large."
        ),
    }
}

/// The farthest number of all, and of those that are known well.
fn precise(found: &Validation) -> String {
    let precise = found.cells.iter().filter(|cell| {
        matches!(cell.rule, Rule::Chance) && cell.relative_standard_error() < PRECISE
    });
    let worst = precise.clone().map(|cell| cell.relative().abs() * 100.0);
    let mut text = format!(
        "\n{} numbers have a standard error below {} %; the farthest of them is {:.2} % from \
         theory.",
        precise.count(),
        derived(PRECISE * 100.0),
        worst.fold(0.0, f64::max),
    );
    if let Some((worst, z)) = farthest(&found.cells).and_then(|cell| Some((cell, cell.errors()?))) {
        let _ = write!(
            text,
            " The farthest of all in standard errors is {} of {} {} ({}), z = {}.",
            worst.metric,
            worst.model,
            worst.parameters,
            worst.how,
            signed(z)
        );
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(found: f64) -> Standing {
        Standing {
            found,
            expected: 1.03,
            low: 0.9,
            high: 1.2,
            as_large: 0.5,
        }
    }

    /// The words follow from the numbers, whichever way these fall.
    #[test]
    fn words_follow_from_the_numbers() {
        let words = |one_each: f64, all: f64| {
            conclusion(&Chance {
                systems: 90,
                numbers: 300,
                one_each: standing(one_each),
                all: standing(all),
                within_two: standing(1.0),
                farthest: standing(1.0),
            })
        };
        assert!(words(1.1, 1.17).contains("Nothing but chance"));
        assert!(words(1.1, 1.3).contains("in all numbers together"));
        for (one_each, all) in [(1.3, 1.3), (1.3, 1.0), (1.3, 0.8)] {
            assert!(words(one_each, all).contains("is more than chance"));
        }
        for (one_each, all) in [(1.0, 0.8), (0.8, 0.8), (0.8, 1.0), (0.8, 1.3)] {
            assert!(words(one_each, all).contains("is less than chance"));
        }
        assert!(cells(&standing(1.3)).ends_with("more than chance makes"));
        assert!(cells(&standing(1.0)).ends_with("| chance"));
    }

    /// By `SciPy`: 1 / (2 * stats.t.cdf(-4, 39)) is 3651.5.
    #[test]
    fn the_bound_has_the_probability_of_student() {
        let once = once_in(40);
        assert!((3_651..=3_652).contains(&once), "{once}");
        assert_eq!(once_in(1), 0);
    }
}
