//! Properties of the page, on made-up results.

use super::{LeftOut, Section, readme};
use crate::experiment::claim::{Amount, Claim, Comparison, Expectation, Relation, Threshold};
use crate::experiment::gallery::Chart;
use crate::experiment::metric::{Metric, Metrics};
use crate::experiment::results::ScenarioResults;
use crate::experiment::sweep::{CellResults, SweepResults};
use crate::experiment::verdict::{Instead, Judgement, Met, Outcome, Outlook, Verdict};
use crate::report::fixture::Shape;
use crate::rng::{Purpose, Rng, Streams};
use crate::stats::alpha::Alpha;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

const CHARTS: [Chart; 2] = [Chart::Timeline, Chart::Comparison];

fn page(results: &ScenarioResults) -> String {
    readme(&[Section::of(results, CHARTS)], &[])
}

/// Ten strategies and ten replications, a few metrics made anew: `level` of (arm, replication).
fn with(metrics: &[Metric], mut level: impl FnMut(usize, usize) -> f64) -> ScenarioResults {
    let mut results = Shape {
        windows: 4,
        per_window: 20,
        ..Shape::realistic()
    }
    .results();
    for (at, arm) in results.strategies.iter_mut().enumerate() {
        for (nth, replication) in arm.replications.iter_mut().enumerate() {
            let value = level(at, nth);
            metrics
                .iter()
                .for_each(|&metric| replication.metrics[metric] = value);
        }
    }
    results
}

const TOLD: [Metric; 3] = [
    Metric::SuccessRate,
    Metric::LatencyP99All,
    Metric::CostPer1kSuccesses,
];

fn stream(seed: u64) -> Rng {
    Streams::new(seed, 0).stream(Purpose::Policy, 0)
}

/// The row of the index.
fn index(page: &str) -> Vec<&str> {
    let row = page.lines().find(|line| line.starts_with("| [outage]"));
    row.unwrap().split(" | ").collect()
}

#[test]
fn a_leader_by_chance_is_not_crowned() {
    for seed in 0..20 {
        let mut noise = stream(seed);
        let results = with(&TOLD, |_, _| 0.5 + 0.1 * noise.uniform());
        let page = page(&results);
        for cell in &index(&page)[2..5] {
            assert!(cell.contains("told apart"), "seed {seed}: {cell}");
        }
        assert!(!page.contains("best: "), "seed {seed}");
    }
}

#[test]
fn a_clear_lead_is() {
    let mut noise = stream(1);
    let lead = |at| if at == 5 { 0.3 } else { 0.0 };
    let results = with(&TOLD, |at, _| 0.5 + lead(at) + 0.01 * noise.uniform());
    let page = page(&results);
    let cells = index(&page);
    assert!(cells[2].starts_with("adaptive, 80."), "{}", cells[2]);
    assert!(page.contains("; best: adaptive. "), "{page}");
    // High latency and cost are no lead: all the others are told apart from it.
    for cell in &cells[3..5] {
        assert!(
            cell.starts_with("not told apart: all but adaptive, "),
            "{cell}"
        );
    }
}

#[test]
fn a_single_best_says_what_it_pays_in_answers() {
    let mut noise = stream(2);
    let mut results = with(&TOLD, |_, _| 0.9 + 0.001 * noise.uniform());
    for replication in &mut results.strategies[8].replications {
        replication.metrics[Metric::CostPer1kSuccesses] -= 0.5;
        replication.metrics[Metric::SuccessRate] -= 0.5;
    }
    let page = page(&results);
    let cell = index(&page)[4];
    assert!(cell.starts_with("naive, $0.40; it answers 40."), "{cell}");
}

/// Every interval that the findings name leaves out zero as it is printed.
#[test]
fn no_empty_effect_is_named() {
    let shifts = proptest::collection::vec(-3.0..3.0f64, 10);
    proptest!(ProptestConfig::with_cases(32), |(shifts in shifts, seed in 0..1_000u64)| {
        let mut noise = stream(seed);
        let shift = |at: usize| shifts[at].signum() * libm::pow(10.0, -1.0 - shifts[at].abs());
        let results = with(&TOLD, |at, _| 0.5 + shift(at) + 1e-4 * noise.uniform());
        let page = page(&results);
        let findings = page.lines().filter(|line| line.contains("than chance: "));
        for interval in findings.flat_map(|line| line.split('[').skip(1)) {
            let (low, rest) = interval.split_once(", ").unwrap();
            let high = rest.split_once(']').unwrap().0;
            let (low, high): (f64, f64) = (low.parse().unwrap(), high.parse().unwrap());
            prop_assert!(low * high > 0.0, "[{low}, {high}]");
        }
    });
}

#[test]
fn without_prices_nothing_is_said_of_cost() {
    let free = [Metric::CostPer1kSuccesses];
    let page = page(&with(&free, |_, _| 0.0));
    assert_eq!(index(&page)[4].trim_end_matches(" |"), "-");
    assert!(!page.contains("Cost per 1,000") && !page.contains("cost, %"));
    assert!(page.contains("Nothing has a price here."));
}

/// What each cell of a table says, row by row.
fn tables(page: &str) -> Vec<Vec<String>> {
    let (mut rows, mut inside) = (vec![], false);
    let dialect = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    for event in Parser::new_ext(page, dialect) {
        match event {
            Event::Start(Tag::TableHead | Tag::TableRow) => rows.push(vec![]),
            Event::Start(Tag::TableCell) => {
                rows.last_mut().unwrap().push(String::new());
                inside = true;
            }
            Event::End(TagEnd::TableCell) => inside = false,
            Event::Text(text) | Event::Code(text) if inside => {
                rows.last_mut().unwrap().last_mut().unwrap().push_str(&text);
            }
            _ => {}
        }
    }
    rows
}

#[test]
fn texts_of_a_scenario_are_shown_as_they_are() {
    let odd = "a | b *c* _d_ `e` <f> [g](h) #i ~~j~~ &amp; k\\";
    let mut results = Shape::small().results();
    results.description.name = odd.to_owned();
    results.description.question = format!("{odd}\n# l\n- m");
    results.strategies[1].name = odd.to_owned();
    let left_out = LeftOut {
        name: odd.to_owned(),
        question: odd.to_owned(),
    };
    let page = readme(&[Section::of(&results, CHARTS)], &[left_out]);
    let rows = tables(&page);
    assert!(
        rows[1][..2] == [odd.to_owned(), format!("{odd} # l - m")],
        "{:?}",
        rows[1]
    );
    assert_eq!(rows[4][0], odd);
    assert!(rows[..2].iter().all(|row| row.len() == 6));
    assert!(rows[2..].iter().all(|row| row.len() == 9));
    let mut headings = vec![];
    let mut parser = Parser::new(&page);
    while let Some(event) = parser.next() {
        if let Event::Start(Tag::Heading { .. }) = event {
            let texts = parser
                .by_ref()
                .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
            let text = texts.filter_map(|event| match event {
                Event::Text(text) => Some(text.to_string()),
                _ => None,
            });
            headings.push(text.collect::<String>());
        }
    }
    assert_eq!(
        headings,
        ["Results of the shipped scenarios", odd, "Not here"]
    );
}

fn judged(verdict: Verdict, expect: Option<Expectation>) -> Judgement {
    let alpha = Alpha::new(0.05).unwrap();
    let claim = Claim {
        metric: Metric::SuccessRate,
        strategy: "*smart* | `x`".to_owned(),
        baseline: "round_robin".to_owned(),
        relation: Relation::IncreasesByAtLeast(Amount::Absolute(0.1)),
        up_to: None,
        alpha,
        expect,
    };
    Judgement {
        claim,
        verdict,
        replications: 10,
        look: 1,
        alpha,
        effect: None,
    }
}

fn met(outcome: Outcome) -> Met {
    Met {
        threshold: Threshold {
            strategy: None,
            metric: Metric::SuccessRate,
            comparison: Comparison::AtLeast,
            bound: 0.995,
        },
        strategy: "smart".to_owned(),
        value: None,
        outcome,
    }
}

/// What the index says of the expectation.
fn said(claims: Vec<Judgement>, thresholds: Vec<Met>) -> String {
    let mut results = Shape::small().results();
    results.verdicts.claims = claims;
    results.verdicts.thresholds = thresholds;
    tables(&page(&results))[1][5].clone()
}

#[test]
fn the_index_counts_what_came_otherwise_than_expected() {
    let yes = |expect| judged(Verdict::Confirmed(None), expect);
    let no = |expect| judged(Verdict::Refuted(Instead::NoChange), expect);
    let open = || judged(Verdict::Undecided(Outlook::Unknown), None);
    let refuted = Some(Expectation::Refuted);
    for (claims, thresholds, said_of_it) in [
        (vec![], vec![], "none stated"),
        (vec![yes(None), no(refuted)], vec![], "all as expected (2)"),
        (
            vec![yes(None)],
            vec![met(Outcome::Passed)],
            "all as expected (2)",
        ),
        (vec![yes(None), no(None)], vec![], "1 of 2 not"),
        (vec![yes(refuted)], vec![], "1 of 1 not"),
        (vec![yes(None)], vec![met(Outcome::Failed)], "1 of 2 not"),
        (vec![yes(None), open()], vec![], "1 of 2 undecided"),
        (vec![], vec![met(Outcome::Unclear)], "1 of 1 undecided"),
        (
            vec![no(None), open(), open()],
            vec![],
            "1 of 3 not, 2 undecided",
        ),
        // What equals come to answers the claim that they differ.
        (vec![judged(Verdict::Identical, None)], vec![], "1 of 1 not"),
    ] {
        assert_eq!(said(claims, thresholds), said_of_it);
    }
}

#[test]
fn verdicts_stand_below_what_a_scenario_shows_as_they_are() {
    let mut results = Shape::small().results();
    assert!(!page(&results).contains("Whether it was expected"));
    results.verdicts.claims = vec![
        judged(Verdict::Confirmed(None), None),
        judged(
            Verdict::Refuted(Instead::NoChange),
            Some(Expectation::Confirmed),
        ),
        judged(Verdict::Undecided(Outlook::Unknown), None),
    ];
    results.verdicts.thresholds = vec![met(Outcome::Failed)];
    let page = page(&results);
    let (_, below) = page.split_once("What it shows:").unwrap();
    let (_, list) = below.split_once("Whether it was expected:\n\n").unwrap();
    let marks: Vec<char> = list
        .lines()
        .map_while(|line| line.strip_prefix("- ")?.chars().next())
        .collect();
    assert_eq!(marks, ['✓', '✗', '?', '✗']);
    assert!(list.contains(r"\*smart\* \| \`x\` increases success_rate by at least 10 points"));
    assert!(list.contains("EXPECTED: confirmed."), "{list}");
}

/// A sweep of the baseline's P99 with these levels, at 10s, 20s, ...
fn swept(levels: &[f64], own: Option<usize>) -> String {
    let mut noise = stream(3);
    let results = Shape::small().results();
    let metrics = |level: f64, noise: &mut Rng| {
        let mut metrics = Metrics::default();
        metrics[Metric::LatencyP99All] = level + 0.01 * noise.uniform();
        metrics
    };
    let cell = |&level: &f64| {
        let mut cell = CellResults::of(&results);
        for arm in &mut cell.arms {
            arm.faults.clear();
            let made = arm.replications.iter();
            arm.replications = made.map(|_| metrics(level, &mut noise)).collect();
        }
        cell
    };
    let values = (1..=levels.len()).map(|nth| format!("{nth}0s"));
    let results = SweepResults {
        scenario: "outage".into(),
        question: "?".into(),
        resolved_toml: String::new(),
        axes: vec![("routing.breaker.open_time".into(), values.collect())],
        own,
        cells: levels.iter().map(cell).collect(),
    };
    super::swept::shown(&results).unwrap()
}

#[test]
fn a_sweep_tells_of_the_own_value_and_of_all_between() {
    // The first and the last hardly differ: what lies between is the news.
    let sawtooth = swept(&[5.0, 2.0, 4.0, 1.0, 6.0, 5.1], Some(3));
    let row = "| P99 of all requests, s | 1.0";
    assert!(sawtooth.contains(row), "{sawtooth}");
    for text in [
        "| 40s, the scenario's own |",
        "| 40s | 50s: +5 [",
        "| up and down, no trend | 1 of 1 |",
        "nothing of round_robin rises or falls",
        "These go up and down",
    ] {
        assert!(sawtooth.contains(text), "{text}\n{sawtooth}");
    }
}

#[test]
fn a_sweep_tells_a_trend_from_a_step_and_from_chance() {
    for (levels, way) in [
        (&[1.0, 2.0, 3.0, 4.0][..], "| rises |"),
        (&[4.0, 3.0, 3.0, 1.0], "| falls |"),
        (&[2.0, 2.0, 2.0, 2.0], "| no value told apart |"),
        (&[2.0, 3.0, 2.0, 2.0], "| up and down, no trend |"),
    ] {
        let shown = swept(levels, None);
        assert!(shown.contains("| 10s, the first |"), "{shown}");
        assert!(shown.contains(way), "{levels:?}\n{shown}");
    }
}
