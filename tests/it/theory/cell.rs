//! Simulated numbers beside the numbers that theory gives.

use std::fmt::Write;

/// A number of the reference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theory {
    pub(super) value: f64,
    /// 0 where it is exact.
    pub(super) standard_error: f64,
}

/// The row of `queueing.csv` for this model, parameters and metric.
pub(super) fn reference(model: &str, parameters: &str, metric: &str) -> Option<Theory> {
    let mut rows = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(include_bytes!("queueing.csv").as_slice());
    rows.records().find_map(|row| {
        let row = row.expect("a table");
        let wanted = row.iter().take(3).eq([model, parameters, metric]);
        wanted.then(|| Theory {
            value: row[3].parse().expect("a number"),
            standard_error: row[4].parse().map_or(0.0, |two: f64| two / 2.0),
        })
    })
}

/// Cells compared so far.
#[derive(Default)]
pub(super) struct Checked {
    cells: usize,
    table: String,
    wrong: Vec<String>,
}

impl Checked {
    /// Compares the mean over replications with the theory.
    pub(super) fn cell(&mut self, name: &str, theory: Theory, values: impl Iterator<Item = f64>) {
        let values: Vec<f64> = values.collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let standard_error = (squares / (count - 1.0) / count).sqrt();
        let z = (mean - theory.value) / standard_error.hypot(theory.standard_error);
        let (error, precision) = (mean / theory.value - 1.0, standard_error / theory.value);
        let line = format!(
            "{name}: {mean:.5} for {:.5}, z {z:+.2}, error {:+.3} %, standard error {:.3} %",
            theory.value,
            error * 100.0,
            precision * 100.0,
        );
        self.cells += 1;
        let _ = writeln!(self.table, "{line}");
        if !(z.abs() < 4.0 && (precision > 0.0025 || error.abs() < 0.01)) {
            self.wrong.push(line);
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.cells += other.cells;
        self.table.push_str(&other.table);
        self.wrong.extend(other.wrong);
    }

    /// Prints all cells (seen with `--nocapture`) and fails if one is wrong.
    pub(super) fn verdict(self) {
        assert!(self.cells > 0, "nothing was compared");
        println!("{}", self.table);
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
    }
}
