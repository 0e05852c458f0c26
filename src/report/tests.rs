//! Tests of the report as a whole, on made-up results.

use super::fixture::{Shape, environment};
use super::*;
use std::fs;

/// `ROUTELAB_PREVIEW=DIR cargo test preview -- --ignored` writes a made-up report to look at.
#[test]
#[ignore = "for looking at charts"]
fn preview() {
    let target = std::env::var_os("ROUTELAB_PREVIEW").map(PathBuf::from);
    let target = target.unwrap_or_else(|| "target/preview".into());
    for (name, shape) in [("realistic", Shape::realistic()), ("small", Shape::small())] {
        let results = shape.results();
        write(&results, &environment(), &target.join(name)).unwrap();
        println!("{}", table::render(&results, false));
    }
}
