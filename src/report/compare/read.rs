//! Reading results back from the disk.
//!
//! Strictly: a result that is torn, edited or of another format is refused with the reason. Whoever
//! compares numbers wants to hear of that before they act upon one. The manifest states the SHA-256
//! of every file, so that nothing has to be guessed.

use crate::experiment::compare::{RunSample, StrategySample};
use crate::experiment::metric::{Metric, Metrics};
use crate::report::manifest::{NAME, RESULT_FORMAT, sha256};
use serde_json::Value;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Name of the file that metrics are read from.
const REPLICATIONS: &str = "replications.csv";

/// What a folder holds.
#[derive(Debug)]
pub enum Found {
    /// The results of one scenario.
    One(Box<RunSample>),
    /// A folder for each of several scenarios, by name.
    Many(Vec<RunSample>),
}

/// Why results cannot be read, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadError {
    what: String,
    help: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  help: {}", self.what, self.help)
    }
}

impl std::error::Error for ReadError {}

fn error(what: String, help: &str) -> ReadError {
    ReadError {
        what,
        help: help.to_owned(),
    }
}

const AGAIN: &str = "run the scenario again, or check the file out again";

/// Reads the results of a scenario, or of every scenario with a folder in this one.
///
/// # Errors
/// All that keeps them from being read.
pub fn folder(path: &Path) -> Result<Found, Vec<ReadError>> {
    let shown = path.display();
    if !path.exists() {
        let help = "`routelab SCENARIO... --out DIR` writes results";
        return Err(vec![error(format!("no such folder: {shown}"), help)]);
    }
    if !path.is_dir() {
        let help = "name the folder that holds its manifest.json";
        return Err(vec![error(format!("{shown} is not a folder"), help)]);
    }
    if path.join(NAME).exists() {
        return match one(path) {
            Ok(Some(run)) => Ok(Found::One(Box::new(run))),
            Ok(None) => Err(vec![error(
                format!("{shown} does not hold the replications of a scenario"),
                "compare takes what `routelab SCENARIO` wrote, not sweeps or other reports",
            )]),
            Err(error) => Err(vec![error]),
        };
    }
    many(path)
}

fn many(path: &Path) -> Result<Found, Vec<ReadError>> {
    let (mut runs, mut errors): (Vec<RunSample>, Vec<ReadError>) = (vec![], vec![]);
    for inner in folders(path).map_err(|error| vec![error])? {
        match one(&inner) {
            Ok(Some(run)) if runs.iter().any(|other| other.scenario == run.scenario) => {
                errors.push(error(
                    format!("{} has two results of {}", path.display(), run.scenario),
                    "name the folders of this scenario one by one",
                ));
            }
            Ok(run) => runs.extend(run),
            Err(error) => errors.push(error),
        }
    }
    if runs.is_empty() && errors.is_empty() {
        errors.push(error(
            format!("{} holds no results: there is no {NAME}", path.display()),
            "name a folder that `routelab SCENARIO` wrote, or one with such folders in it",
        ));
    }
    if errors.is_empty() {
        Ok(Found::Many(runs))
    } else {
        Err(errors)
    }
}

/// The folders in a folder that say what they hold, by name.
fn folders(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let entries = fs::read_dir(path).map_err(|reason| cannot_read(path, &reason))?;
    let hidden = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with('.')
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|inner| !hidden(inner) && inner.join(NAME).exists())
        .collect();
    found.sort();
    Ok(found)
}

fn cannot_read(path: &Path, reason: &std::io::Error) -> ReadError {
    let (what, help) = match reason.kind() {
        ErrorKind::NotFound => (format!("{} is missing", path.display()), AGAIN),
        _ => (
            format!("cannot read {}: {reason}", path.display()),
            "check who may read there",
        ),
    };
    error(what, help)
}

/// The results in a folder with a manifest; `None` if they are no scenario's.
fn one(folder: &Path) -> Result<Option<RunSample>, ReadError> {
    let path = folder.join(NAME);
    let text = fs::read(&path).map_err(|reason| cannot_read(&path, &reason))?;
    let manifest = Manifest::read(&path, &text)?;
    if manifest.json.get("replications_finished").is_none() {
        return Ok(None);
    }
    let path = folder.join(REPLICATIONS);
    let table = fs::read(&path).map_err(|reason| cannot_read(&path, &reason))?;
    manifest.check(&path, &table)?;
    let names = manifest.texts("strategies")?;
    let finished = manifest.number("replications_finished")?;
    let seed = manifest.number("seed")?;
    let rows = Rows {
        path: &path,
        names: &names,
        finished,
        seed,
    };
    let inputs = manifest.json["inputs"].as_array().cloned();
    let hash = |input: &Value| input["sha256"].as_str().unwrap_or_default().to_owned();
    Ok(Some(RunSample {
        scenario: manifest.text("scenario")?,
        seed,
        version: manifest.text("routelab_version")?,
        resolved_toml: manifest.text("resolved_scenario")?,
        inputs: inputs.unwrap_or_default().iter().map(hash).collect(),
        asked: manifest.number("replications_asked")?,
        interrupted: manifest.json["interrupted"] == true,
        strategies: rows.read(&table)?,
    }))
}

/// A manifest of ours, of a format that is understood.
struct Manifest<'a> {
    path: &'a Path,
    json: Value,
}

impl<'a> Manifest<'a> {
    fn read(path: &'a Path, text: &[u8]) -> Result<Self, ReadError> {
        let shown = path.display();
        let json: Value = serde_json::from_slice(text).map_err(|reason| {
            let what = format!("{shown} is torn or no JSON: {reason}");
            error(what, AGAIN)
        })?;
        match json.get("result_format").and_then(Value::as_u64) {
            Some(format) if format == u64::from(RESULT_FORMAT) => Ok(Self { path, json }),
            Some(format) => Err(error(
                format!(
                    "{shown} is in result format {format}; this routelab reads format \
                     {RESULT_FORMAT}"
                ),
                "write both results with routelabs of one result format",
            )),
            None => Err(error(
                format!("{shown} was not written by routelab: it states no result_format"),
                "name a folder that `routelab SCENARIO` wrote",
            )),
        }
    }

    fn broken(&self, key: &str) -> ReadError {
        let what = format!("{} states no proper `{key}`", self.path.display());
        error(what, AGAIN)
    }

    fn text(&self, key: &str) -> Result<String, ReadError> {
        let text = self.json.get(key).and_then(Value::as_str);
        text.map(str::to_owned).ok_or_else(|| self.broken(key))
    }

    fn number(&self, key: &str) -> Result<u64, ReadError> {
        let number = self.json.get(key).and_then(Value::as_u64);
        number.ok_or_else(|| self.broken(key))
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, ReadError> {
        let list = self.json.get(key).and_then(Value::as_array);
        let texts = list.and_then(|list| {
            let texts = list.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<String>>>()
        });
        texts.ok_or_else(|| self.broken(key))
    }

    /// Whether a file is the one that was written.
    fn check(&self, path: &Path, content: &[u8]) -> Result<(), ReadError> {
        let files = self.json.get("files").and_then(Value::as_array);
        let stated = files.and_then(|files| {
            let mut files = files.iter();
            files.find(|file| file["path"] == REPLICATIONS)
        });
        let stated = stated.ok_or_else(|| self.broken("files"))?;
        if stated["sha256"] == sha256(content) {
            return Ok(());
        }
        let bytes = stated["bytes"].as_u64().unwrap_or_default();
        let what = match content.len() as u64 {
            length if length < bytes => format!("torn: {length} of {bytes} bytes are there"),
            length if length > bytes => format!("changed: {length} bytes instead of {bytes}"),
            _ => "changed: it is not what was written".to_owned(),
        };
        Err(error(format!("{} is {what}", path.display()), AGAIN))
    }
}

/// What `replications.csv` must hold.
struct Rows<'a> {
    path: &'a Path,
    names: &'a [String],
    finished: u64,
    seed: u64,
}

impl Rows<'_> {
    fn read(&self, table: &[u8]) -> Result<Vec<StrategySample>, ReadError> {
        let fail = |row: usize, what: &str| {
            let what = format!("{}, line {}: {what}", self.path.display(), row + 2);
            error(what, AGAIN)
        };
        let mut reader = csv::Reader::from_reader(table);
        let header = reader
            .headers()
            .map_err(|e| fail(0, &e.to_string()))?
            .clone();
        let column = |name: &str| header.iter().position(|column| column == name);
        let needed = |name: &str| {
            let what = || {
                error(
                    format!("{} has no column `{name}`", self.path.display()),
                    AGAIN,
                )
            };
            column(name).ok_or_else(what)
        };
        let (strategy, replication, seed) =
            (needed("strategy")?, needed("replication")?, needed("seed")?);
        // A metric that an older routelab did not know is one that does not apply.
        let metrics = Metric::ALL.iter().map(|&m| Some((m, column(m.name())?)));
        let metrics: Vec<(Metric, usize)> = metrics.flatten().collect();
        let mut samples: Vec<StrategySample> = vec![];
        for (at, row) in reader.records().enumerate() {
            let row = row.map_err(|reason| fail(at, &reason.to_string()))?;
            let name = &row[strategy];
            if samples.last().is_none_or(|sample| sample.name != *name) {
                samples.push(StrategySample {
                    name: name.to_owned(),
                    replications: vec![],
                });
            }
            let sample = samples.last_mut().ok_or_else(|| fail(at, "no strategy"))?;
            if row[replication] != sample.replications.len().to_string() {
                return Err(fail(at, "the replications are not numbered from 0"));
            }
            if row[seed] != self.seed.to_string() {
                return Err(fail(at, "another seed than the manifest's"));
            }
            let mut values = Metrics::default();
            for &(metric, column) in &metrics {
                values[metric] = number(&row[column])
                    .ok_or_else(|| fail(at, &format!("`{metric}` is not a number")))?;
            }
            sample.replications.push(values);
        }
        self.complete(&samples)?;
        Ok(samples)
    }

    /// Whether every strategy has all its replications.
    fn complete(&self, samples: &[StrategySample]) -> Result<(), ReadError> {
        let fits = samples.iter().map(|sample| &sample.name).eq(self.names)
            && samples
                .iter()
                .all(|sample| sample.replications.len() as u64 == self.finished);
        if fits && self.finished > 0 {
            return Ok(());
        }
        let what = format!(
            "{} does not hold {} replications of each strategy, as its manifest says",
            self.path.display(),
            self.finished
        );
        Err(error(what, AGAIN))
    }
}

/// A number, or NaN for an empty cell: the metric does not apply.
fn number(cell: &str) -> Option<f64> {
    if cell.is_empty() {
        return Some(f64::NAN);
    }
    cell.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::directory::{self, File};
    use crate::report::fixture::Shape;
    use crate::report::summary;
    use crate::report::{csv, manifest};

    fn written(at: &Path) -> crate::experiment::results::ScenarioResults {
        let results = Shape::realistic().results();
        let files = csv::files(&results);
        let manifest = manifest::manifest(&results, &files);
        let files: Vec<File> = files.into_iter().chain([manifest]).collect();
        directory::replace(at, &files).unwrap();
        results
    }

    fn broken(at: &Path) -> String {
        let errors = folder(at).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors[0].to_string()
    }

    #[test]
    fn what_was_written_is_read_back_at_six_digits() {
        let root = tempfile::tempdir().unwrap();
        let results = written(&root.path().join("a"));
        let Found::One(run) = folder(&root.path().join("a")).unwrap() else {
            panic!("one scenario");
        };
        assert_eq!(run.resolved_toml, results.description.resolved_toml);
        assert_eq!(run.strategies.len(), results.strategies.len());
        for (read, arm) in run.strategies.iter().zip(&results.strategies) {
            assert_eq!(read.name, arm.name);
            for &metric in Metric::ALL {
                let (read, wrote) = (read.values(metric, 99), summary::sample(arm, metric));
                assert_eq!(read.len(), wrote.len());
                for (read, wrote) in read.iter().zip(wrote) {
                    let off = (read - wrote).abs();
                    assert!(off <= 5e-6 * wrote.abs() || wrote.is_nan(), "{metric}");
                }
            }
        }
        let Found::Many(runs) = folder(root.path()).unwrap() else {
            panic!("a folder of folders");
        };
        // NaN is not equal to itself.
        assert_eq!(format!("{runs:?}"), format!("{:?}", [*run]));
    }

    #[test]
    fn what_is_not_whole_is_refused_with_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let at = root.path().join("a");
        let (table, manifest) = (at.join(REPLICATIONS), at.join(NAME));
        assert!(broken(&at).contains("no such folder"));
        assert!(broken(root.path()).contains("holds no results"));
        written(&at);
        assert!(broken(&manifest).contains("is not a folder"));
        let (whole, said) = (
            fs::read(&table).unwrap(),
            fs::read_to_string(&manifest).unwrap(),
        );

        fs::write(&table, &whole[..whole.len() / 2]).unwrap();
        assert!(broken(&at).contains("is torn: "), "{}", broken(&at));
        let mut other = whole.clone();
        *other.last_mut().unwrap() = b'9';
        fs::write(&table, &other).unwrap();
        assert!(broken(&at).contains("is changed"), "{}", broken(&at));
        fs::remove_file(&table).unwrap();
        assert!(broken(&at).contains("replications.csv is missing"));
        fs::write(&table, &whole).unwrap();

        for (from, to, message) in [
            (
                "\"result_format\": 1",
                "\"result_format\": 9",
                "result format 9",
            ),
            (
                "\"result_format\"",
                "\"other\"",
                "was not written by routelab",
            ),
            (
                "\"replications_finished\"",
                "\"other\"",
                "does not hold the replications",
            ),
            ("\"seed\"", "\"other\"", "no proper `seed`"),
            ("\"seed\": ", "\"seed\": 9", "another seed"),
            (
                "\"replications_finished\": ",
                "\"replications_finished\": 9",
                "as its manifest says",
            ),
        ] {
            fs::write(&manifest, said.replacen(from, to, 1)).unwrap();
            assert!(broken(&at).contains(message), "{message}: {}", broken(&at));
        }
        fs::write(&manifest, &said[..said.len() / 2]).unwrap();
        assert!(broken(&at).contains("torn or no JSON"));
        assert!(broken(root.path()).contains("torn or no JSON"));
    }

    #[test]
    fn a_table_that_makes_no_sense_is_refused() {
        let rows = |text: &str| {
            let names = ["a".to_owned()];
            let rows = Rows {
                path: Path::new("x.csv"),
                names: &names,
                finished: 2,
                seed: 1,
            };
            rows.read(text.as_bytes())
                .map_err(|error| error.to_string())
        };
        let good = "strategy,replication,seed,success_rate\na,0,1,0.5\na,1,1,\n";
        let read = rows(good).unwrap();
        assert_eq!(read[0].values(Metric::SuccessRate, 1), [0.5]);
        assert!(read[0].values(Metric::SuccessRate, 2)[1].is_nan());
        assert!(read[0].values(Metric::Goodput, 1)[0].is_nan());
        for (from, to, message) in [
            ("seed,", "sed,", "no column `seed`"),
            (
                "a,1,1",
                "a,2,1",
                "line 3: the replications are not numbered",
            ),
            (
                "a,1,1",
                "b,1,1",
                "line 3: the replications are not numbered",
            ),
            ("a,1,1,\n", "", "does not hold 2 replications"),
            ("0.5", "x", "line 2: `success_rate` is not a number"),
            ("0.5", "inf", "line 2: `success_rate` is not a number"),
            ("0.5", "0.5,7", "line 2"),
        ] {
            let message_is = rows(&good.replacen(from, to, 1)).unwrap_err();
            assert!(message_is.contains(message), "{message_is}");
        }
        assert!(rows("").unwrap_err().contains("no column"));
    }
}
