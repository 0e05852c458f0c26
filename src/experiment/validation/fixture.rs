//! The reference numbers: a table that others have computed, kept as it came.

/// One number of the table.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The system: `M/M/1`.
    pub model: String,
    /// Its parameters: `load=0.5`.
    pub parameters: String,
    /// What the number is: `mean`, `p99`, ...
    pub metric: String,
    /// The number.
    pub theory: Theory,
}

/// What theory says.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Theory {
    /// The number.
    pub value: f64,
    /// How well it is known; 0 where it is exact.
    pub standard_error: f64,
}

impl Theory {
    /// A number that is known exactly.
    #[must_use]
    pub const fn exact(value: f64) -> Self {
        Self {
            value,
            standard_error: 0.0,
        }
    }
}

/// All rows, in the order of the table. What cannot be read is left out here, and fails the tests
/// by reading it: the table is part of the program.
#[must_use]
pub fn rows() -> Vec<Row> {
    read(include_bytes!("queueing.csv"))
        .filter_map(Result::ok)
        .collect()
}

/// Every line of a table, or which one cannot be read and why.
fn read(table: &[u8]) -> impl Iterator<Item = Result<Row, String>> {
    let reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(table);
    reader.into_records().map(|record| {
        let record = record.map_err(|error| error.to_string())?;
        row(&record).map_err(|what| format!("{what} in {record:?}"))
    })
}

fn row(record: &csv::StringRecord) -> Result<Row, &'static str> {
    let text = |at| record.get(at).map(str::to_owned).ok_or("a missing field");
    let number = |text: String, what| {
        let number = text.parse::<f64>().ok();
        number.filter(|x| x.is_finite()).ok_or(what)
    };
    let two_errors = text(4)?;
    let standard_error = if two_errors.is_empty() {
        0.0
    } else {
        number(two_errors, "no standard error")? / 2.0
    };
    Ok(Row {
        model: text(0)?,
        parameters: text(1)?,
        metric: text(2)?,
        theory: Theory {
            value: number(text(3)?, "no number")?,
            standard_error,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::queueing;

    #[test]
    fn a_line_that_cannot_be_read_is_an_error() {
        let table = include_str!("queueing.csv");
        let broken = |table: &str| read(table.as_bytes()).find_map(Result::err);
        assert_eq!(broken(table), None);
        for (line, what) in [
            ("M/M/1,load=0.5,mean,O.5,,exact", "no number"),
            ("M/M/1,load=0.5,mean,NaN,,exact", "no number"),
            ("M/M/1,load=0.5,mean,2,much,exact", "no standard error"),
            ("M/M/1,load=0.5,mean", "found record with 3 fields"),
        ] {
            let message = broken(&format!("{table}\n{line}\n")).expect(line);
            assert!(message.contains(what), "{message}");
        }
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines = include_str!("queueing.csv").lines();
        let data = lines.filter(|line| !line.starts_with('#')).count() - 1;
        assert_eq!((rows().len(), data), (122, 122));
        let monte_carlo = rows()
            .iter()
            .filter(|row| row.theory.standard_error > 0.0)
            .count();
        assert_eq!(monte_carlo, 16);
    }

    /// Time that a share of responses exceeds, by bisection.
    fn beyond(share: f64, survival: impl Fn(f64) -> f64) -> f64 {
        let (mut low, mut high) = (0.0, 1000.0);
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if survival(middle) > share {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// What a formula of ours gives for a row, where there is one.
    fn formula(row: &Row) -> Option<f64> {
        let parameter = |name: &str| {
            let mut pairs = row.parameters.split(';').filter_map(|p| p.split_once('='));
            let (_, value) = pairs.find(|(key, _)| *key == name)?;
            value.parse::<f64>().ok()
        };
        let load = parameter("load").unwrap_or(f64::NAN);
        let of = |mean: f64, survival: &dyn Fn(f64) -> f64| match row.metric.as_str() {
            "p50" => beyond(0.5, survival),
            "p99" => beyond(0.01, survival),
            _ => mean,
        };
        let exponential = |rate: f64| of(1.0 / rate, &|t| libm::exp(-rate * t));
        let p = parameter("p").unwrap_or(f64::NAN);
        Some(match row.model.as_str() {
            "M/M/1" => exponential(1.0 - load),
            "M/D/1" if row.metric == "mean" => queueing::mean_of_single_server(load, 0.0),
            "M/M/c" => of(queueing::mean_of_servers(4, load), &|t| {
                queueing::survival_of_servers(4, load, t)
            }),
            "round_robin over M/1 queues" => exponential(queueing::response_rate_in_turn(
                parameter("n")? as u32,
                load,
            )),
            "M/G/1 (Pollaczek-Khinchine)" => {
                queueing::mean_of_single_server(load, parameter("service_scv")?)
            }
            "M/G/1 processor sharing (any service law)" => 1.0 / (1.0 - load),
            "Erlang loss M/M/c/c" => {
                queueing::erlang_b(parameter("c")? as u32, parameter("offered")?)
            }
            "breaker, 5 consecutive of i.i.d. failures" => queueing::attempts_to_trip(p, 5),
            "retries, 3 attempts, i.i.d. failures" => queueing::attempts_per_request(p, 3),
            _ => return None,
        })
    }

    #[test]
    fn our_formulas_agree_with_the_table() {
        let rows = rows();
        let computed: Vec<_> = rows
            .iter()
            .filter_map(|row| Some((row, formula(row)?)))
            .collect();
        assert_eq!(computed.len(), 68);
        for (row, value) in computed {
            let error = value / row.theory.value - 1.0;
            assert!(error.abs() < 5e-6, "{row:?}: {value}");
        }
    }
}
