# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A first tour of the results
#
# routelab writes tables and charts. This notebook reads the tables of the committed gallery and
# asks four questions of its own:
#
# 1. what is there,
# 2. which strategy is better, and how sure is that,
# 3. what happens to users around a fault,
# 4. what does a setting cost?
#
# It reads `results/` and nothing else; no number below is typed in. After a run of your own
# (`cargo run -- my.toml`), change `SCENARIO` and run it again.

# %%
import json
import os
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl

SCENARIO = "outage"


def results_folder() -> Path:
    """`results/` of the project, or where ROUTELAB_RESULTS points."""
    named = os.environ.get("ROUTELAB_RESULTS")
    beside = [Path("results"), Path("../results")]
    for folder in [Path(named)] if named else beside:
        if folder.is_dir():
            return folder
    raise FileNotFoundError("no results/: start this in the project, or set ROUTELAB_RESULTS")


def read(path: Path, **types: pl.DataType) -> pl.DataFrame:
    """A CSV file; the type of a column is judged by all of its rows, unless it is given."""
    return pl.read_csv(path, infer_schema_length=None, schema_overrides=types)


RESULTS = results_folder()
pl.Config.set_tbl_rows(40)
pl.Config.set_tbl_hide_dataframe_shape(True)
plt.rcParams.update({"figure.figsize": (10, 4), "axes.spines.top": False,
                     "axes.spines.right": False, "figure.dpi": 110})

# %% [markdown]
# ## What is there
#
# Every folder has a `manifest.json`: what was run, with which seeds, and the SHA-256 of every file.

# %%
manifests = {
    path.parent.name: json.loads(path.read_text())
    for path in sorted(RESULTS.glob("*/manifest.json"))
}
runs = pl.DataFrame(
    [
        {
            "folder": name,
            "question": manifest["question"],
            "strategies": len(manifest["strategies"]),
            "replications": manifest["replications_finished"],
        }
        for name, manifest in manifests.items()
        if "strategies" in manifest
    ]
)
sweeps = [name for name, manifest in manifests.items() if "vary" in manifest]
assert SCENARIO in runs["folder"], f"{SCENARIO} has not been run: {list(runs['folder'])}"
print("sweeps:", ", ".join(sweeps))
with pl.Config(fmt_str_lengths=90, tbl_width_chars=140):
    print(runs)

# %%
folder = RESULTS / SCENARIO
about = manifests[SCENARIO]
print(about["question"])
print("Expected before the run:", about["expectation"])
for file in about["files"]:
    if file["path"].endswith(".csv"):
        print(f"{file['bytes']:>9,} bytes  {file['path']}")

# %% [markdown]
# ## Which strategy is better, and how sure is that?
#
# `summary.csv` has the mean of every metric over the replications, with a 95 % interval.

# %%
summary = read(folder / "summary.csv")
summary.select(
    "strategy",
    (pl.col("success_rate") * 100).round(2).alias("success %"),
    ((pl.col("success_rate_ci95_high") - pl.col("success_rate_ci95_low")) * 50)
    .round(2).alias("±"),
    pl.col("latency_all_p99_s").round(2).alias("P99, s"),
    pl.col("cost_per_1k_successes_usd").round(2).alias("$ per 1,000"),
)

# %% [markdown]
# Two overlapping intervals do not say that two strategies are equal: all strategies saw the same
# requests, so what they have in common cancels in the difference. `comparisons.csv` holds these
# paired differences. An interval that leaves out zero is one that chance does not explain (but of
# twenty comparisons of equals, one does so by accident).

# %%
comparisons = read(folder / "comparisons.csv")
panels = [
    ("success_rate", "difference", 100, "success rate, points"),
    ("latency_all_p99_s", "relative_change", 100, "P99 latency, %"),
    ("cost_per_1k_successes_usd", "relative_change", 100, "cost per success, %"),
]
figure, axes = plt.subplots(1, 3, sharey=True, layout="constrained")
for axis, (metric, column, factor, label) in zip(axes, panels):
    rows = comparisons.filter(pl.col("metric") == metric).reverse()
    middle, low, high = (
        rows[name] * factor for name in (column, f"{column}_ci95_low", f"{column}_ci95_high")
    )
    clear = [not (a <= 0 <= b) for a, b in zip(low, high)]
    colours = ["tab:blue" if is_clear else "silver" for is_clear in clear]
    axis.hlines(rows["strategy"], low, high, color=colours, linewidth=3)
    axis.scatter(middle, rows["strategy"], color=colours, zorder=3)
    axis.axvline(0, color="black", linewidth=1)
    # One arm far off (no breaker, no retries) must not squeeze the others into a point.
    axis.set_xscale("symlog", linthresh=1)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.margins(x=0.1)
    axis.set_xlabel(label)
base = comparisons["baseline"][0]
figure.suptitle(f"{SCENARIO}: difference from {base}; grey: chance may explain it")
plt.show()

# %% [markdown]
# A mean hides the shape. `histograms/*.hgrm` are percentile tables in HdrHistogram's format; the
# cumulative distribution is two of their columns. Failures count at the deadline or later, so that
# failing fast does not look fast: what misses below 100 % at the deadline has failed or is slow.


# %%
def read_hgrm(path: Path) -> pl.DataFrame:
    """The rows of a percentile table: milliseconds, percentile, count up to there."""
    lines = path.read_text().splitlines()[2:]
    rows = [line.split()[:3] for line in lines if line and not line.startswith("#")]
    return pl.DataFrame(
        {
            "seconds": [float(row[0]) / 1000 for row in rows],
            "percentile": [float(row[1]) for row in rows],
            "count": [int(row[2]) for row in rows],
        }
    )


figure, (left, right) = plt.subplots(1, 2, layout="constrained")
for strategy in summary["strategy"]:
    table = read_hgrm(folder / "histograms" / f"{strategy}.latency_all.hgrm")
    # The table must hold as many requests as the summary has counted.
    counted = summary.filter(pl.col("strategy") == strategy)["requests"][0]
    assert table["count"][-1] == counted, (strategy, table["count"][-1], counted)
    left.plot(table["seconds"], table["percentile"] * 100, label=strategy)
    tail = table.filter(pl.col("percentile").is_between(0.5, 0.9995))
    right.plot(1 / (1 - tail["percentile"]), tail["seconds"])
left.set(xscale="log", xlabel="latency of all requests, s", ylabel="requests done, %")
left.legend(fontsize=8, frameon=False)
right.set(xscale="log", yscale="log", xlabel="percentile", ylabel="latency, s")
right.set_xticks([2, 10, 100, 1000], ["50", "90", "99", "99.9"])
figure.suptitle(f"{SCENARIO}: the same distributions, whole and out into the tail")
plt.show()

# %% [markdown]
# ## What happens to users around a fault?
#
# `faults.csv` says when faults were, and how long it took until they were noticed, until users
# noticed nothing any more, and until traffic was back. `inf` means: not within the time watched.

# %%
times = {f"time_to_{what}_median_s": pl.Float64 for what in ("detect", "mitigate", "restore")}
faults = read(folder / "faults.csv", **times)
faults.select(
    "strategy",
    pl.col("time_to_detect_median_s").alias("detect, s"),
    pl.col("time_to_mitigate_median_s").alias("mitigate, s"),
    pl.col("time_to_restore_median_s").alias("restore, s"),
    (pl.col("success_rate_during") * 100).round(2).alias("success % during"),
)

# %%
timeline = read(folder / "timeline.csv")
start, end = faults["start_s"][0], faults["end_s"][0]
around = timeline.filter(
    pl.col("window_start_s").is_between(start - 60, end + 120) & (pl.col("requests") > 0)
)
figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(10, 6), layout="constrained")
for (strategy,), rows in around.group_by("strategy", maintain_order=True):
    top.plot(rows["window_start_s"], rows["success_rate"] * 100, label=strategy)
    bottom.plot(rows["window_start_s"], rows["breaker_not_closed_share"] * 100)
for axis in (top, bottom):
    axis.axvspan(start, end, color="mistyrose", zorder=0)
top.set(ylabel="success rate, %", title=f"{SCENARIO}: {faults['fault'][0]} (shaded)")
bottom.set(ylabel="breakers not closed, %", xlabel="time since start, s")
top.legend(fontsize=8, frameon=False, ncols=2)
plt.show()

# %% [markdown]
# The dip comes before the fault because requests stand at the time of their arrival: those in flight
# when it began are the ones that were lost.
#
# Breakers stay open after the fault is over: that is capacity which works and is not used. How much
# does a setting cost that way? That is what a sweep is for.
#
# ## What does a setting cost?
#
# `sweep.csv` is long: a row per cell, strategy and metric, with the difference from the first cell.

# %%
assert sweeps, "no sweep in results/: cargo run -- sweep scenarios/outage.toml --vary ..."
name = f"{SCENARIO}-sweep" if f"{SCENARIO}-sweep" in sweeps else sweeps[0]
vary = manifests[name]["vary"]
parameter, values = vary[0]["path"], vary[0]["values"]
# Where there are more parameters, the others stay at their first value.
paths = {axis["path"]: pl.String for axis in vary}
others_first = [pl.col(axis["path"]) == axis["values"][0] for axis in vary[1:]]
first_cells = read(RESULTS / name / "sweep.csv", **paths).filter(pl.lit(True), *others_first)
print(f"{name}: {parameter} = {', '.join(values)}")
first_cells.filter(
    pl.col("metric") == "cost_per_1k_successes_usd", pl.col("strategy") == base
).select(
    pl.col(parameter).alias("value"), "metric", "mean",
    "difference", pl.col("difference_ci95_low").alias("low"),
    pl.col("difference_ci95_high").alias("high"),
)

# %%
questions = [
    ("success_rate", 100, "success rate, points"),
    ("latency_all_p50_s", 1, "P50 latency, s"),
    ("breaker_open_s", 1, "time with open breakers, s"),
]
figure, axes = plt.subplots(1, 3, layout="constrained")
for axis, (metric, factor, label) in zip(axes, questions):
    chosen = first_cells.filter(pl.col("metric") == metric)
    for (strategy,), rows in chosen.group_by("strategy", maintain_order=True):
        change, low, high = (
            rows[column] * factor
            for column in ("difference", "difference_ci95_low", "difference_ci95_high")
        )
        axis.errorbar(rows[parameter], change, yerr=[change - low, high - change],
                      marker="o", markersize=3, linewidth=1, capsize=2, label=strategy)
    axis.axhline(0, color="black", linewidth=1)
    axis.set(xlabel=parameter, ylabel=f"change in {label}")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center",
              fontsize=8, frameon=False, ncols=5)
figure.suptitle(f"{name}: change from {values[0]}, with 95 % intervals paired by replication")
plt.show()

# %%
restored = read(RESULTS / name / "faults.csv", **paths, **times)
restored = restored.filter(pl.lit(True), *others_first)
restored.pivot(parameter, index="strategy", values="time_to_restore_median_s",
               aggregate_function="first")

# %% [markdown]
# The table above is the answer of the simulation: seconds until traffic is back after the fault, by
# strategy and value. Next: `cargo run -- sweep` with a parameter of yours, on accounts of yours.
