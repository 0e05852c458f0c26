//! Verdicts on made-up replications: every kind of verdict, every guard, every edge.

mod edges;

use super::*;
use crate::experiment::claim::Amount::{Absolute, Relative};
use crate::experiment::claim::{Amount, Comparison, Relation, Threshold};
use crate::experiment::metric::{Metric, Metrics};
use crate::experiment::results::Counts;

const RATE: Metric = Metric::SuccessRate;
const MEAN: Metric = Metric::LatencyMeanAll;

/// One claim, all looks.
const ALONE: Plan = Plan {
    claims: 1,
    replications: 160,
};

/// Noise of size 1 around 0 that repeats after five: every look has mean 0.
fn noise(at: usize) -> f64 {
    [0.0, 1.0, -1.0, 0.5, -0.5][at % 5]
}

/// So many replications, each with these metrics and enough requests for a P99.
fn arm(count: usize, metrics: impl Fn(usize) -> Vec<(Metric, f64)>) -> Vec<ReplicationResults> {
    let one = |at| {
        let mut all = Metrics::default();
        metrics(at)
            .into_iter()
            .for_each(|(metric, value)| all[metric] = value);
        let counts = Counts {
            requests: 10_000,
            successes: 10_000,
            streaming: 10_000,
            streaming_successes: 10_000,
            ..Counts::default()
        };
        ReplicationResults {
            counts,
            metrics: all,
        }
    };
    (0..count).map(one).collect()
}

/// Replications of one metric around a centre.
fn around(count: usize, metric: Metric, centre: f64, spread: f64) -> Vec<ReplicationResults> {
    arm(count, |at| vec![(metric, centre + spread * noise(at))])
}

fn series<'a>(name: &'a str, replications: &'a [ReplicationResults]) -> Series<'a> {
    Series {
        name,
        replications,
        arm: None,
        cautions: Cautions::default(),
    }
}

fn claim(metric: Metric, relation: Relation) -> Claim {
    Claim {
        metric,
        strategy: "a".into(),
        baseline: "b".into(),
        relation,
        up_to: None,
        alpha: Alpha::FIVE_PERCENT,
        expect: None,
    }
}

fn judged(claim: &Claim, a: &[ReplicationResults], b: &[ReplicationResults]) -> Judgement {
    judge(claim, ALONE, &[series("a", a), series("b", b)])
}

fn reduces(share: f64) -> Claim {
    claim(MEAN, Relation::ReducesByAtLeast(Relative(share)))
}

fn increases(amount: Amount) -> Claim {
    claim(RATE, Relation::IncreasesByAtLeast(amount))
}

#[test]
fn the_first_look_that_can_tell_decides() {
    let (a, b) = (around(160, MEAN, 0.7, 0.01), around(160, MEAN, 1.0, 0.0));
    let judgement = judged(&reduces(0.2), &a, &b);
    assert_eq!(judgement.verdict, Verdict::Confirmed(None));
    assert_eq!((judgement.look, judgement.replications), (1, 10));
    assert!((judgement.alpha.value() - 0.01).abs() < 1e-12);
    // Half the gap, a hundred times the noise: at 160 it is still open, and more would decide.
    let a = around(160, MEAN, 0.79, 0.5);
    let judgement = judged(&reduces(0.2), &a, &b);
    assert_eq!((judgement.look, judgement.replications), (5, 160));
    let Verdict::Undecided(Outlook::Replications(needed)) = judgement.verdict else {
        panic!("{judgement:?}");
    };
    assert!(needed > 160);
    // With exactly so many replications the same numbers decide.
    let a = around(needed.next_multiple_of(5), MEAN, 0.79, 0.5);
    let z: Vec<f64> = a.iter().map(|r| 0.8 - r.metrics[MEAN]).collect();
    assert_eq!(decide(&[z], judgement.alpha), Decision::Holds);
}

#[test]
fn several_claims_share_the_allowance() {
    let (a, b) = (around(10, MEAN, 0.7, 0.01), around(10, MEAN, 1.0, 0.0));
    let both = [series("a", &a), series("b", &b)];
    let four = Plan { claims: 4, ..ALONE };
    assert!((judge(&reduces(0.2), four, &both).alpha.value() - 0.0025).abs() < 1e-12);
}

#[test]
fn what_holds_in_place_of_a_refuted_claim() {
    let b = around(10, MEAN, 1.0, 0.01);
    for (mean, instead) in [
        (0.9, Instead::SmallerGain),
        (1.001, Instead::NoChange),
        (1.1, Instead::Regression),
    ] {
        let a = arm(10, |at| vec![(MEAN, mean + 0.01 * noise(at + 2))]);
        let verdict = judged(&reduces(0.2), &a, &b).verdict;
        assert_eq!(verdict, Verdict::Refuted(instead), "{mean}");
    }
    let a = around(10, MEAN, 3.0, 0.01);
    let below = claim(MEAN, Relation::Below(2.5));
    assert_eq!(
        judged(&below, &a, &b).verdict,
        Verdict::Refuted(Instead::NotBelow)
    );
    assert_eq!(judged(&below, &b, &a).verdict, Verdict::Confirmed(None));
    let no_worse = claim(MEAN, Relation::NoWorse(Relative(0.05)));
    assert_eq!(
        judged(&no_worse, &a, &b).verdict,
        Verdict::Refuted(Instead::Worse)
    );
    assert_eq!(judged(&no_worse, &b, &a).verdict, Verdict::Confirmed(None));
    let about = claim(
        MEAN,
        Relation::About {
            amount: Relative(2.0),
            margin: Relative(0.1),
        },
    );
    assert_eq!(judged(&about, &a, &b).verdict, Verdict::Confirmed(None));
    assert_eq!(
        judged(&about, &b, &a).verdict,
        Verdict::Refuted(Instead::Elsewhere)
    );
}

#[test]
fn a_band_is_decided_at_its_lower_end() {
    let b = around(10, MEAN, 1.0, 0.001);
    let mut banded = reduces(0.2);
    banded.up_to = Some(Relative(0.3));
    for (mean, band) in [
        (0.75, Band::Inside),
        (0.5, Band::Above),
        (0.7, Band::UpperEnd),
    ] {
        let a = arm(10, |at| vec![(MEAN, mean + 0.001 * noise(at + 1))]);
        let verdict = judged(&banded, &a, &b).verdict;
        assert_eq!(verdict, Verdict::Confirmed(Some(band)), "{mean}");
    }
}

#[test]
fn what_cannot_be_attained_is_not_refuted() {
    // 0.87 * 1.15 is above 1, 0.86 * 1.15 is not.
    let perfect = around(10, RATE, 1.0, 0.0);
    for (baseline, verdict) in [
        (0.87, Verdict::Unattainable(Instead::SmallerGain)),
        (0.86, Verdict::Confirmed(None)),
    ] {
        let b = around(10, RATE, baseline, 1e-4);
        let judgement = judged(&increases(Relative(0.15)), &perfect, &b);
        assert_eq!(judgement.verdict, verdict);
        let points = judgement.effect.unwrap().difference.mean;
        assert!((points - (1.0 - baseline)).abs() < 1e-9);
    }
    let b = around(10, RATE, 0.86, 1e-4);
    let judgement = judged(&increases(Absolute(0.15)), &perfect, &b);
    assert_eq!(
        judgement.verdict,
        Verdict::Unattainable(Instead::SmallerGain)
    );
    assert_eq!(judgement.holds(), Some(false));
}

#[test]
fn a_baseline_of_zero_has_points_but_no_ratio() {
    // All failed under the baseline, some succeeded under the strategy.
    let (a, b) = (around(10, RATE, 0.5, 0.01), around(10, RATE, 0.0, 0.0));
    let judgement = judged(&increases(Absolute(0.15)), &a, &b);
    assert_eq!(judgement.verdict, Verdict::Confirmed(None));
    let effect = judgement.effect.unwrap();
    assert_eq!(effect.relative, None);
    assert!((effect.difference.mean - 0.5).abs() < 1e-9);
}

#[test]
fn without_a_look_nothing_is_decided() {
    for count in [0, 1, 9] {
        let (a, b) = (around(count, MEAN, 0.1, 0.0), around(count, MEAN, 1.0, 0.0));
        let judgement = judged(&reduces(0.2), &a, &b);
        assert_eq!(judgement.verdict, Verdict::Undecided(Outlook::Unknown));
        assert_eq!((judgement.look, judgement.replications), (0, count));
        assert_eq!(judgement.effect.is_some(), count > 0);
    }
    // An interrupted run: the looks that it reached count, and no others.
    let (a, b) = (around(33, MEAN, 0.8, 0.1), around(33, MEAN, 1.0, 0.1));
    let judgement = judged(&reduces(0.2), &a, &b);
    assert_eq!((judgement.look, judgement.replications), (2, 20));
}

fn reason(judgement: Judgement) -> String {
    match judgement.verdict {
        Verdict::Invalid(reason) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_missing_is_named() {
    let a = around(10, MEAN, 1.0, 0.1);
    let alone = judge(&reduces(0.2), ALONE, &[series("a", &a)]);
    assert!(reason(alone).contains("`b`"));
    let nobody = judge(&reduces(0.2), ALONE, &[]);
    assert!(reason(nobody).contains("`a`"));
    // A value needs no baseline.
    let below = claim(MEAN, Relation::Below(2.0));
    let alone = judge(&below, ALONE, &[series("a", &a)]);
    assert_eq!(alone.verdict, Verdict::Confirmed(None));
}

#[test]
fn a_replication_without_success_leaves_nothing_to_compare() {
    let b = around(10, Metric::LatencyMeanOk, 1.0, 0.1);
    let mut a = b.clone();
    a[3].metrics[Metric::LatencyMeanOk] = f64::NAN;
    a[3].counts.successes = 0;
    let claim = claim(
        Metric::LatencyMeanOk,
        Relation::ReducesByAtLeast(Relative(0.2)),
    );
    let text = reason(judged(&claim, &a, &b));
    assert!(
        text.contains("no request succeeded in replication 3 of `a`"),
        "{text}"
    );
}

#[test]
fn a_quantile_of_too_few_is_refused() {
    let (mut a, b) = (
        around(10, Metric::LatencyP99All, 0.5, 0.01),
        around(10, Metric::LatencyP99All, 1.0, 0.01),
    );
    let claim = claim(
        Metric::LatencyP99All,
        Relation::ReducesByAtLeast(Relative(0.2)),
    );
    assert_eq!(judged(&claim, &a, &b).verdict, Verdict::Confirmed(None));
    a[7].counts.requests = 9_999;
    let text = reason(judged(&claim, &a, &b));
    assert!(text.contains("9999") && text.contains("10000"), "{text}");
}

#[test]
fn survivors_are_not_compared() {
    let of = |rate: f64, latency: f64| {
        arm(10, |at| {
            vec![
                (RATE, rate),
                (Metric::LatencyMeanOk, latency + 0.01 * noise(at)),
            ]
        })
    };
    let fast = claim(
        Metric::LatencyMeanOk,
        Relation::ReducesByAtLeast(Relative(0.2)),
    );
    let b = of(0.99, 1.0);
    let text = reason(judged(&fast, &of(0.9, 0.5), &b));
    assert!(text.contains("-9.00 points"), "{text}");
    // Within 0.1 points they may be.
    let verdict = judged(&fast, &of(0.989_5, 0.5), &b).verdict;
    assert_eq!(verdict, Verdict::Confirmed(None));
}

#[test]
fn cautions_of_the_world_forbid_means_only() {
    let metrics = |latency: f64| {
        arm(10, move |at| {
            let value = latency + 0.01 * noise(at);
            vec![
                (MEAN, value),
                (Metric::Goodput, value),
                (Metric::LatencyP50All, value),
                (RATE, 0.5 * value),
            ]
        })
    };
    let (a, b) = (metrics(0.5), metrics(1.0));
    let judge_with = |claim: &Claim, cautions: &Cautions| {
        let mut both = [series("a", &a), series("b", &b)];
        both[1].cautions = cautions.clone();
        judge(claim, ALONE, &both)
    };
    let median = claim(
        Metric::LatencyP50All,
        Relation::ReducesByAtLeast(Relative(0.2)),
    );
    let heavy = Cautions {
        heavy_tail: true,
        overloaded: None,
    };
    assert!(reason(judge_with(&reduces(0.2), &heavy)).contains("single requests"));
    assert_eq!(
        judge_with(&median, &heavy).verdict,
        Verdict::Confirmed(None)
    );
    let overloaded = Cautions {
        heavy_tail: false,
        overloaded: Some(Reason::Overloaded {
            strategy: "b".into(),
            account: "x".into(),
            utilisation: 1.05,
        }),
    };
    assert!(reason(judge_with(&median, &overloaded)).contains("1.05 times"));
    // What is done in time is the less, the longer queues have grown.
    let goodput = claim(Metric::Goodput, Relation::ReducesByAtLeast(Relative(0.2)));
    assert!(reason(judge_with(&goodput, &overloaded)).contains("grows for ever"));
    let rate = claim(RATE, Relation::ReducesByAtLeast(Relative(0.2)));
    assert_eq!(
        judge_with(&rate, &overloaded).verdict,
        Verdict::Confirmed(None)
    );
}

#[test]
fn a_mean_made_by_few_replications_is_not_trusted() {
    // No sample of so few can deceive a t test at 1 % and the sign test; so at a larger alpha, and
    // with many claims' worth of replications.
    let sample: Vec<f64> = (0..160)
        .map(|at| if at % 5 < 3 { -1.0 } else { 4.0 })
        .collect();
    let alpha = Alpha::new(0.05).unwrap();
    assert_eq!(
        decide(std::slice::from_ref(&sample), alpha),
        Decision::Holds
    );
    assert!(guards::signs_contradict(
        std::slice::from_ref(&sample),
        Decision::Holds,
        alpha
    ));
    assert!(!guards::signs_contradict(
        std::slice::from_ref(&sample),
        Decision::Open,
        alpha
    ));
    let turned: Vec<f64> = sample.iter().map(|z| -z).collect();
    assert!(guards::signs_contradict(&[turned], Decision::Fails, alpha));
    let plain = vec![1.0; 20];
    assert!(!guards::signs_contradict(&[plain], Decision::Holds, alpha));
}

#[test]
fn an_expectation_needs_a_verdict() {
    let (a, b) = (around(10, MEAN, 0.7, 0.01), around(10, MEAN, 1.0, 0.0));
    let with = |expect, a: &[ReplicationResults]| {
        let mut claim = reduces(0.2);
        claim.expect = expect;
        judged(&claim, a, &b).as_expected()
    };
    use Expectation::{Confirmed, Refuted};
    assert!(with(Some(Confirmed), &a) && !with(Some(Refuted), &a) && with(None, &a));
    let open = around(10, MEAN, 0.8, 0.1);
    assert!(!with(Some(Confirmed), &open) && !with(Some(Refuted), &open) && with(None, &open));
}

fn outcome(comparison: Comparison, bound: f64, series: &Series) -> Outcome {
    let threshold = Threshold {
        strategy: None,
        metric: Metric::LatencyP99All,
        comparison,
        bound,
    };
    threshold::check(&threshold, std::slice::from_ref(series))[0]
        .outcome
        .clone()
}

#[test]
fn a_threshold_is_met_only_if_it_is_shown() {
    let p99 = around(10, Metric::LatencyP99All, 2.0, 0.1);
    let all = series("a", &p99);
    for (comparison, bound, expected) in [
        (Comparison::Less, 2.5, Outcome::Passed),
        (Comparison::Less, 2.01, Outcome::Unclear),
        (Comparison::Less, 1.5, Outcome::Failed),
        (Comparison::AtLeast, 1.5, Outcome::Passed),
        (Comparison::Greater, 2.5, Outcome::Failed),
    ] {
        assert_eq!(
            outcome(comparison, bound, &all),
            expected,
            "{comparison} {bound}"
        );
    }
    // One replication shows nothing, nor do too few requests, nor a metric that does not apply.
    assert_eq!(
        outcome(Comparison::Less, 2.5, &series("a", &p99[..1])),
        Outcome::Unclear
    );
    let mut few = p99.clone();
    few[2].counts.requests = 500;
    let refused = outcome(Comparison::Less, 2.5, &series("a", &few));
    assert!(matches!(
        refused,
        Outcome::Invalid(Reason::TooFewSamples { .. })
    ));
    let nothing = around(10, RATE, 1.0, 0.0);
    let refused = outcome(Comparison::Less, 2.5, &series("a", &nothing));
    assert!(matches!(
        refused,
        Outcome::Invalid(Reason::NothingMeasured { .. })
    ));
    // What never varies is as clear as can be.
    let constant = around(10, Metric::LatencyP99All, 2.0, 0.0);
    let constant = series("a", &constant);
    assert_eq!(outcome(Comparison::AtMost, 2.0, &constant), Outcome::Passed);
    assert_eq!(outcome(Comparison::Less, 2.0, &constant), Outcome::Failed);
}

/// A mean that says nothing meets no demand, as it confirms no claim.
#[test]
fn thresholds_have_the_guards_of_claims() {
    let mean = around(10, MEAN, 1.0, 0.01);
    let of = |cautions: Cautions| {
        let series = Series {
            cautions,
            ..series("a", &mean)
        };
        let demand = Threshold {
            strategy: None,
            metric: MEAN,
            comparison: Comparison::Less,
            bound: 2.0,
        };
        threshold::check(&demand, std::slice::from_ref(&series))[0]
            .outcome
            .clone()
    };
    assert_eq!(of(Cautions::default()), Outcome::Passed);
    let heavy_tail = Cautions {
        heavy_tail: true,
        ..Cautions::default()
    };
    assert_eq!(of(heavy_tail), Outcome::Invalid(Reason::HeavyTail));
    let overloaded = Reason::Overloaded {
        strategy: "a".into(),
        account: "x".into(),
        utilisation: 1.05,
    };
    let cautions = Cautions {
        overloaded: Some(overloaded.clone()),
        ..Cautions::default()
    };
    assert_eq!(of(cautions), Outcome::Invalid(overloaded));
}

/// 0.1 + 0.2 is 0.3 as far as numbers have digits, on whichever side of it.
#[test]
fn rounding_meets_no_threshold_and_misses_none() {
    let sum = around(10, Metric::LatencyP99All, 0.1 + 0.2, 0.0);
    let sum = series("a", &sum);
    assert_eq!(outcome(Comparison::AtMost, 0.3, &sum), Outcome::Passed);
    assert_eq!(outcome(Comparison::AtLeast, 0.3, &sum), Outcome::Passed);
    assert_eq!(outcome(Comparison::Greater, 0.3, &sum), Outcome::Failed);
}

#[test]
fn a_threshold_of_nobody_concerns_everybody() {
    let replications = around(10, RATE, 1.0, 0.0);
    let both = [series("a", &replications), series("b", &replications)];
    let mut threshold = Threshold {
        strategy: None,
        metric: RATE,
        comparison: Comparison::AtLeast,
        bound: 0.9,
    };
    assert_eq!(threshold::check(&threshold, &both).len(), 2);
    threshold.strategy = Some("b".into());
    assert_eq!(threshold::check(&threshold, &both)[0].strategy, "b");
}
