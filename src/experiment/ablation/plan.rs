//! Which combinations to run, as overrides of the scenario, so that they go through the very checks
//! of the file and stand in the resolved scenario.

use crate::experiment::scenario::{Arm, Overrides, Scenario};
use crate::record::Strategy;
use crate::request::words;
use crate::routing::config::RoutingConfig;
use std::fmt;
use toml::{Table, Value};

words! {
    /// Something that may be the cause of a gain.
    Factor {
        /// The strategy, instead of round robin.
        Strategy = "strategy",
        /// The circuit breaker.
        Breaker = "breaker",
        /// Second and further attempts.
        Retries = "retries",
        /// The response cache.
        Cache = "cache",
    }
}

impl Factor {
    /// Whether settings have it.
    fn is_on(self, routing: &RoutingConfig) -> bool {
        match self {
            Self::Strategy => routing.strategy != Strategy::RoundRobin,
            Self::Breaker => routing.breaker.is_some(),
            Self::Retries => routing.retry.max_attempts > 1,
            Self::Cache => routing.cache.is_some(),
        }
    }

    /// Takes it out of a strategy's table.
    fn remove(self, table: &mut Table) {
        let (key, value) = match self {
            Self::Strategy => ("strategy", Value::from(Strategy::RoundRobin.name())),
            Self::Breaker => ("breaker", Value::from(false)),
            Self::Retries => ("max_attempts", Value::from(1)),
            Self::Cache => ("cache", Value::from(false)),
        };
        table.insert(key.to_owned(), value);
    }
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The strategy that is looked at, by its name in the scenario.
    pub name: String,
    /// Its factors; bit i of a cell's number says whether the i-th is on.
    pub factors: Vec<Factor>,
    /// The scenario with all cells as its strategies, in the order of their numbers.
    pub overrides: Overrides,
}

/// Why there is nothing to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlanError {
    /// The scenario has no strategy of this name; these it has.
    Unknown(String, Vec<String>),
    /// This strategy is round robin without anything.
    Bare(String),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name, known) => write!(
                f,
                "the scenario has no strategy `{name}`\n  help: it has {}",
                known.join(", ")
            ),
            Self::Bare(name) => write!(
                f,
                "`{name}` is round robin without breaker, retries and cache: there is no gain to \
                 divide\n  help: choose another with --strategy"
            ),
        }
    }
}

impl std::error::Error for PlanError {}

/// All combinations of what a strategy of the scenario has. `wanted` is the strategy that it runs
/// (of several that do, the one with most factors), or its own name in the scenario. `base` is what
/// the scenario was read with.
///
/// # Errors
/// If there is no such strategy, or it has no factor.
pub fn plan(scenario: &Scenario, base: &Overrides, wanted: &str) -> Result<Plan, PlanError> {
    let on = |arm: &Arm| -> Vec<Factor> {
        let all = Factor::ALL.iter().copied();
        all.filter(|factor| factor.is_on(&arm.routing)).collect()
    };
    let arms = scenario.arms.iter();
    let found = match Strategy::from_name(wanted) {
        // The last of equals is the maximum: reversed, the first.
        Some(strategy) => arms
            .rev()
            .filter(|arm| arm.routing.strategy == strategy)
            .max_by_key(|arm| on(arm).len()),
        None => arms.into_iter().find(|arm| arm.name == wanted),
    };
    let arm = found.ok_or_else(|| {
        let known = scenario.arms.iter().map(|arm| arm.name.clone());
        PlanError::Unknown(wanted.to_owned(), known.collect())
    })?;
    let factors = on(arm);
    if factors.is_empty() {
        return Err(PlanError::Bare(arm.name.clone()));
    }
    // The parser wrote this text.
    let document: Table = scenario.resolved_toml.parse().unwrap_or_default();
    let table = table_of(&document, &arm.name);
    Ok(Plan {
        name: arm.name.clone(),
        overrides: overrides(base, &document, &table, &factors),
        factors,
    })
}

/// A strategy's table in the scenario, where it has one; a plain name stands for itself.
fn table_of(document: &Table, name: &str) -> Table {
    let items = document.get("strategies").and_then(Value::as_array);
    let mut tables = items.into_iter().flatten().filter_map(Value::as_table);
    let called = |table: &&Table| {
        let label = table.get("name").or_else(|| table.get("strategy"));
        label.and_then(Value::as_str) == Some(name)
    };
    let plain = || Table::from_iter([("strategy".to_owned(), Value::from(name))]);
    tables.find(called).cloned().unwrap_or_else(plain)
}

/// Name of the cell where all factors are off.
const BARE: &str = "bare";

fn overrides(base: &Overrides, document: &Table, table: &Table, factors: &[Factor]) -> Overrides {
    let cells = (0..1_usize << factors.len()).map(|cell| {
        let mut table = table.clone();
        let mut on = vec![];
        for (bit, factor) in factors.iter().enumerate() {
            if cell >> bit & 1 == 1 {
                on.push(factor.name());
            } else {
                factor.remove(&mut table);
            }
        }
        let name = if on.is_empty() {
            BARE.to_owned()
        } else {
            on.join(".")
        };
        table.insert("name".to_owned(), Value::from(name));
        Value::Table(table)
    });
    let mut set = base.set.clone();
    set.push(format!("strategies={}", Value::Array(cells.collect())));
    set.push(format!("baseline={BARE}"));
    // What speaks of strategies by name has nobody to speak of here.
    for key in ["claims", "thresholds"] {
        match document.get(key) {
            Some(Value::Array(_)) => set.push(format!("{key}=[]")),
            Some(Value::Table(_)) => set.push(format!("{key}={{}}")),
            _ => {}
        }
    }
    Overrides {
        set,
        strategies: None,
        ..base.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::scenario::parse;
    use std::path::Path;

    const WORLD: &str = "question = \"?\"\nexpectation = \"!\"\nduration = \"1min\"\n\
        [models.m]\nservice = { first_token = \"1s\", per_output_token = \"1ms\" }\n\
        [[accounts]]\nid = \"a\"\nprovider = \"custom\"\nmodels = [\"m\"]\n\
        [workload]\narrivals = \"poisson\"\nrate = \"1rps\"\n\
        [[workload.classes]]\nname = \"c\"\nmodel = \"m\"\ninput_tokens = 1\noutput_tokens = 1\n";

    fn read(strategies: &str, overrides: &Overrides) -> Scenario {
        let text = format!("strategies = [{strategies}]\n{WORLD}");
        match parse("s.toml", &text, Path::new("."), overrides) {
            Ok(loaded) => loaded.scenario,
            Err(errors) => panic!("{errors}"),
        }
    }

    fn planned(strategies: &str, wanted: &str) -> Result<Plan, PlanError> {
        let base = Overrides::default();
        plan(&read(strategies, &base), &base, wanted)
    }

    #[test]
    fn cells_are_all_combinations_of_what_a_strategy_has() {
        use Factor::{Breaker, Cache, Retries};
        let strategies = "\"smart\", { name = \"best\", strategy = \"smart\", \
                          breaker = { open_time = \"9s\" }, cache = { ttl = \"5s\" } }";
        let plan = planned(strategies, "smart").unwrap();
        assert_eq!(plan.name, "best");
        assert_eq!(plan.factors, Factor::ALL);
        let cells = read(strategies, &plan.overrides);
        assert_eq!(cells.arms.len(), 16);
        let full = read(strategies, &Overrides::default()).arms[1].clone();
        for (cell, arm) in cells.arms.iter().enumerate() {
            for (bit, factor) in plan.factors.iter().enumerate() {
                let on = cell >> bit & 1 == 1;
                assert_eq!(factor.is_on(&arm.routing), on, "{} {factor}", arm.name);
            }
            if Breaker.is_on(&arm.routing) {
                assert_eq!(arm.routing.breaker, full.routing.breaker);
            }
            if Cache.is_on(&arm.routing) {
                assert_eq!(arm.routing.cache, full.routing.cache);
            }
            if Retries.is_on(&arm.routing) {
                assert_eq!(arm.routing.retry, full.routing.retry);
            }
        }
        assert_eq!(cells.arms[0].name, "bare");
        assert_eq!(cells.arms[15].name, "strategy.breaker.retries.cache");
        assert_eq!(cells.arms[15].routing, full.routing);
        assert_eq!(cells.baseline, 0);
    }

    #[test]
    fn what_a_strategy_does_not_have_is_left_out() {
        use Factor::{Breaker, Retries, Strategy};
        let of = |strategies: &str, wanted: &str| planned(strategies, wanted).unwrap().factors;
        assert_eq!(of("\"smart\"", "smart"), [Strategy, Breaker, Retries]);
        assert_eq!(of("\"round_robin\"", "round_robin"), [Breaker, Retries]);
        let bold = "{ name = \"bold\", strategy = \"random\", breaker = false }";
        assert_eq!(of(bold, "bold"), [Strategy, Retries]);
        assert_eq!(of(bold, "random"), [Strategy, Retries]);
    }

    #[test]
    fn where_there_is_nothing_to_divide_that_is_said() {
        let naive = "{ name = \"naive\", strategy = \"round_robin\", breaker = false, \
                     max_attempts = 1 }";
        let bare = planned(naive, "naive").unwrap_err();
        assert_eq!(bare, PlanError::Bare("naive".to_owned()));
        let known = vec!["naive".to_owned()];
        for wanted in ["smart", "smrt"] {
            let unknown = planned(naive, wanted).unwrap_err();
            assert_eq!(
                unknown,
                PlanError::Unknown(wanted.to_owned(), known.clone())
            );
        }
    }
}
