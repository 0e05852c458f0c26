//! Whether a change of latency over all requests is faster answers, or failures that did not
//! happen.

use super::words::Judged;
use crate::experiment::claim::{Amount, Relation};
use crate::experiment::verdict::Verdict;
use crate::report::table::signed;

/// Where success rates differ, and which confirmed claims owe it to that; empty where they differ
/// nowhere.
pub(super) fn failures(judged: &[Judged]) -> String {
    let differ: Vec<&Judged> = judged
        .iter()
        .filter(|(_, _, answered)| answered.is_some_and(|it| it.success_differs()))
        .collect();
    if differ.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = differ.iter().map(|(name, ..)| *name).collect();
    let mut text = format!(
        " The success rates of the two differ in {} ({}): a failure counts with the deadline, so \
         there the change is also one in failures. \"Answered alone\" leaves failures out; it is \
         information and no verdict, because the two did not answer the same requests.",
        names.len(),
        names.join(", ")
    );
    let owed: Vec<String> = differ.into_iter().filter_map(owed_to_failures).collect();
    if !owed.is_empty() {
        text += &format!(
            " Confirmed by failures that did not happen and not by answers that came so much \
             faster: {}.",
            owed.join(", ")
        );
    }
    text
}

/// A confirmed gain that answers alone do not reach, with what they do.
fn owed_to_failures((name, judged, answered): &Judged) -> Option<String> {
    let Relation::ReducesByAtLeast(Amount::Relative(least)) = judged.claim.relation else {
        return None;
    };
    let change = answered.as_ref()?.latency?.change;
    let owed = matches!(judged.verdict, Verdict::Confirmed(_)) && change > -least;
    owed.then(|| format!("{name} (answered alone {} %)", signed(change * 100.0, 1)))
}
