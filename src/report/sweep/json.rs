//! A sweep as one JSON value for programs: the numbers of `sweep.csv`, by cell.

use super::sample::{mean, values};
use crate::experiment::metric::Metric;
use crate::experiment::sweep::{ArmSample, SweepResults};
use crate::report::json::estimate;
use crate::report::manifest::RESULT_FORMAT;
use serde_json::{Map, Value, json};

/// The sweep as JSON; `null` where a metric does not apply.
#[must_use]
pub fn json(results: &SweepResults) -> Value {
    let cells = results.cells.iter().enumerate().map(|(at, cell)| {
        let paths = results.axes.iter().map(|(path, _)| path.clone());
        let texts = values(results, at).into_iter().map(Value::from);
        json!({
            "parameters": paths.zip(texts).collect::<Map<_, _>>(),
            "strategies": cell.arms.iter().map(arm).collect::<Vec<_>>(),
        })
    });
    json!({
        "result_format": RESULT_FORMAT,
        "scenario": results.scenario,
        "vary": results.axes.iter().map(|axis| &axis.0).collect::<Vec<_>>(),
        "cells": cells.collect::<Vec<_>>(),
    })
}

fn arm(arm: &ArmSample) -> Value {
    let metrics = Metric::ALL.iter().map(|&metric| {
        let value = mean(arm, metric).map_or(Value::Null, estimate);
        (metric.to_string(), value)
    });
    json!({
        "name": arm.name,
        "routing_strategy": arm.strategy.name(),
        "replications": arm.replications.len(),
        "metrics": metrics.collect::<Map<_, _>>(),
    })
}
