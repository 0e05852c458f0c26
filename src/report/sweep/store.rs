//! Finished cells on the disk, so that no cell is run twice.
//!
//! A cell is kept under a hash of all that its numbers depend on: the resolved scenario, the trace
//! that it reads, the format of results, and the program itself. A version number would not do for
//! the last: a program that is being worked on changes without it, and a sweep half from before a
//! change and half from after would be worse than none. Files are written aside and renamed, so
//! that a killed sweep leaves whole cells; one that cannot be read, or was made for something else,
//! counts as not there.
//!
//! Numbers are kept as the shortest text that reads back as the same number.

use crate::experiment::metric::{Metric, Metrics};
use crate::experiment::sweep::{ArmSample, CellResults, FaultSample};
use crate::record::Strategy;
use crate::report::WriteError;
use crate::report::manifest::{RESULT_FORMAT, sha256};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of cells. It may be removed at any time; its cells are then run again.
pub struct Store {
    folder: PathBuf,
    program: String,
}

impl Store {
    /// The store in a folder, which is made when it is needed. `program` stands for the program
    /// that makes the cells: whatever changes with it.
    #[must_use]
    pub fn new(folder: &Path, program: &[u8]) -> Self {
        Self {
            folder: folder.to_owned(),
            program: sha256(program),
        }
    }

    /// What a cell is kept under: a hash of its resolved scenario, its input files (path and
    /// SHA-256) and the program.
    #[must_use]
    pub fn key(&self, resolved_toml: &str, inputs: &[(String, String)]) -> String {
        let all = json!([RESULT_FORMAT, self.program, inputs, resolved_toml]);
        sha256(all.to_string().as_bytes())
    }

    /// The cell of this key, if it is there and whole.
    #[must_use]
    pub fn load(&self, key: &str) -> Option<CellResults> {
        let text = fs::read(self.path(key)).ok()?;
        let value: Value = serde_json::from_slice(&text).ok()?;
        if value["key"].as_str() != Some(key) {
            return None;
        }
        cell(&value)
    }

    /// Keeps a cell, whole or not at all.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn save(&self, key: &str, cell: &CellResults) -> Result<(), WriteError> {
        fs::create_dir_all(&self.folder)
            .map_err(|error| WriteError::io("create", &self.folder, error))?;
        let aside = format!(".{key}.{}.partial", std::process::id());
        let (aside, path) = (self.folder.join(aside), self.path(key));
        let written = fs::write(&aside, format!("{}\n", text(key, cell)))
            .map_err(|error| WriteError::io("write", &aside, error))
            .and_then(|()| {
                let renamed = fs::rename(&aside, &path);
                renamed.map_err(|error| WriteError::io("move into place", &path, error))
            });
        if written.is_err() {
            // What is left of the attempt is of no use; the error that matters is the first one.
            let _ = fs::remove_file(&aside);
        }
        written
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }
}

fn text(key: &str, cell: &CellResults) -> Value {
    let fault = |fault: &FaultSample| {
        json!({
            "name": fault.name,
            "detect": texts(&fault.detect),
            "mitigate": texts(&fault.mitigate),
            "restore": texts(&fault.restore),
        })
    };
    let arm = |arm: &ArmSample| {
        let metrics = |metrics: &Metrics| {
            let values: Vec<f64> = Metric::ALL.iter().map(|&metric| metrics[metric]).collect();
            texts(&values)
        };
        json!({
            "name": arm.name,
            "strategy": arm.strategy.name(),
            "replications": arm.replications.iter().map(metrics).collect::<Vec<_>>(),
            "faults": arm.faults.iter().map(fault).collect::<Vec<_>>(),
        })
    };
    json!({
        "key": key,
        "seed": cell.seed,
        "baseline": cell.baseline,
        "metrics": Metric::ALL.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "arms": cell.arms.iter().map(arm).collect::<Vec<_>>(),
    })
}

/// Numbers as texts: JSON has no infinity, and its readers may round.
fn texts(numbers: &[f64]) -> Vec<String> {
    numbers.iter().map(f64::to_string).collect()
}

fn cell(value: &Value) -> Option<CellResults> {
    let arms = value["arms"].as_array()?.iter().map(arm);
    Some(CellResults {
        seed: value["seed"].as_u64()?,
        baseline: usize::try_from(value["baseline"].as_u64()?).ok()?,
        arms: arms.collect::<Option<_>>()?,
    })
}

fn arm(value: &Value) -> Option<ArmSample> {
    let replications = value["replications"].as_array()?.iter().map(metrics);
    let faults = value["faults"].as_array()?.iter().map(fault);
    Some(ArmSample {
        name: value["name"].as_str()?.to_owned(),
        strategy: Strategy::from_name(value["strategy"].as_str()?)?,
        replications: replications.collect::<Option<_>>()?,
        faults: faults.collect::<Option<_>>()?,
    })
}

fn metrics(value: &Value) -> Option<Metrics> {
    let values = numbers(value)?;
    let mut metrics = Metrics::default();
    if values.len() != Metric::COUNT {
        return None;
    }
    for (&metric, value) in Metric::ALL.iter().zip(values) {
        metrics[metric] = value;
    }
    Some(metrics)
}

fn fault(value: &Value) -> Option<FaultSample> {
    Some(FaultSample {
        name: value["name"].as_str()?.to_owned(),
        detect: numbers(&value["detect"])?,
        mitigate: numbers(&value["mitigate"])?,
        restore: numbers(&value["restore"])?,
    })
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    let texts = value.as_array()?.iter();
    texts.map(|text| text.as_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::Shape;

    fn store(folder: &Path, program: &str) -> Store {
        Store::new(folder, program.as_bytes())
    }

    fn bits(cell: &CellResults) -> String {
        format!("{cell:?}")
    }

    #[test]
    fn a_cell_comes_back_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder.path().join("cells"), "a");
        let key = store.key("seed = 1", &[]);
        assert_eq!(store.load(&key), None);
        for shape in [Shape::small(), Shape::realistic()] {
            let mut cell = CellResults::of(&shape.results());
            cell.arms[0].faults.push(FaultSample {
                name: "outage \"x\"".to_owned(),
                detect: vec![0.1 + 0.2, 1e-300, f64::INFINITY],
                mitigate: vec![],
                restore: vec![1.0 / 3.0],
            });
            store.save(&key, &cell).unwrap();
            assert_eq!(bits(&store.load(&key).unwrap()), bits(&cell));
        }
        assert_eq!(
            fs::read_dir(folder.path().join("cells")).unwrap().count(),
            1
        );
    }

    #[test]
    fn whatever_numbers_depend_on_changes_the_key() {
        let folder = Path::new("cells");
        let input = |hash: &str| vec![("trace.csv".to_owned(), hash.to_owned())];
        let keys = [
            store(folder, "a").key("seed = 1", &[]),
            store(folder, "a").key("seed = 2", &[]),
            store(folder, "b").key("seed = 1", &[]),
            store(folder, "a").key("seed = 1", &input("12")),
            store(folder, "a").key("seed = 1", &input("34")),
        ];
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(keys[0], store(folder, "a").key("seed = 1", &[]));
    }

    #[test]
    fn a_broken_cell_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), "a");
        let (key, other) = (store.key("seed = 1", &[]), store.key("seed = 2", &[]));
        store
            .save(&key, &CellResults::of(&Shape::small().results()))
            .unwrap();
        let whole = fs::read_to_string(store.path(&key)).unwrap();
        for text in [
            "",
            "{}",
            &whole[..whole.len() / 2],
            &whole.replacen("\"1", "\"x", 1),
        ] {
            fs::write(store.path(&key), text).unwrap();
            assert_eq!(store.load(&key), None);
        }
        // The right cell in the wrong place.
        fs::write(store.path(&other), whole).unwrap();
        assert_eq!(store.load(&other), None);
    }
}
