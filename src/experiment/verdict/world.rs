//! What a scenario says about whether means mean anything.
//!
//! Two worlds have none. In an overloaded one with queues without bound, in which nobody gives up,
//! times grow with the length of the run. With service times that vary enough, single requests
//! decide the mean of a replication, which is then nothing like normal; no law here has an infinite
//! variance (Pareto's is cut), but at the size of a run a finite one can be as good as infinite.
//! Where requests give up (a deadline, an attempt timeout) or queues are bounded, both are cut off,
//! and there is a steady state to compare.

use super::Reason;
use crate::experiment::results::StrategyResults;
use crate::experiment::scenario::{Arm, Scenario};
use crate::request::ModelIndex;
use crate::upstream::config::{AccountBehaviour, Capacity, Service};
use crate::workload::config::{Arrivals, RequestClass};

/// What makes the means of a strategy meaningless.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Cautions {
    /// An account that is offered more than it can do, for ever.
    pub overloaded: Option<Reason>,
    /// Single requests decide the mean.
    pub heavy_tail: bool,
}

/// A replication's mean of n times is taken for near enough normal while its relative standard
/// error, were they independent, is at most this.
const ROUGH: f64 = 0.1;

pub(super) fn cautions(scenario: &Scenario, arm: &Arm, results: &StrategyResults) -> Cautions {
    if arm.routing.deadline.is_some() || arm.routing.attempt_timeout.is_some() {
        return Cautions::default();
    }
    Cautions {
        overloaded: overloaded(scenario, results),
        heavy_tail: is_heavy(scenario, results),
    }
}

/// The account with the highest offered load, if that is more than it can do. Known where arrivals
/// have one rate, and nothing breaks.
///
/// Counted are successful attempts of measured requests: what was refused or failed takes next to
/// no time, and a warm-up that was shorter or longer changes nothing, because its requests are not
/// counted and its time is not either. All of them end, however late, because nobody gives up.
fn overloaded(scenario: &Scenario, results: &StrategyResults) -> Option<Reason> {
    let upstream = &scenario.upstream;
    let calm = upstream.faults.is_empty() && upstream.incidents.is_empty();
    if !calm || !is_stationary(&scenario.workload.arrivals) {
        return None;
    }
    let measured = scenario
        .duration
        .saturating_sub(scenario.warmup)
        .as_secs_f64();
    let seconds = measured * results.replications.len() as f64;
    let accounts = upstream.accounts.iter().zip(&results.accounts).enumerate();
    let loads = accounts.filter_map(|(at, (behaviour, totals))| {
        let busy = totals.successes as f64 / seconds * mean_service(scenario, behaviour)?;
        Some((busy / most_work(behaviour)?, at))
    });
    let (utilisation, at) = loads.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (utilisation >= 1.0).then(|| Reason::Overloaded {
        strategy: results.name.clone(),
        account: scenario.account_descriptions[at].id.clone(),
        utilisation,
    })
}

/// Whether arrivals have one mean rate all the time.
fn is_stationary(arrivals: &Arrivals) -> bool {
    match arrivals {
        Arrivals::Clients(clients) => clients.iter().all(|one| rate(&one.arrivals).is_some()),
        one => rate(one).is_some(),
    }
}

/// The mean rate per second of arrivals that have one all the time, and are not several clients'.
fn rate(arrivals: &Arrivals) -> Option<f64> {
    match arrivals {
        Arrivals::Poisson { rate } | Arrivals::Constant { rate } | Arrivals::Gamma { rate, .. } => {
            Some(rate.as_per_second())
        }
        Arrivals::Mmpp(bursts) => Some(bursts.rate.as_per_second()),
        _ => None,
    }
}

/// Work that an account does in a second when its queue grows, in seconds of an attempt that runs
/// alone; only where those that find no room wait without bound. Where all run at once and none
/// slows another down without end, there is no queue that could grow.
fn most_work(behaviour: &AccountBehaviour) -> Option<f64> {
    match &behaviour.capacity {
        Capacity::Slots { servers, queue, .. } => {
            (*queue == u32::MAX).then_some(f64::from(*servers))
        }
        Capacity::Shared {
            speeds,
            limit,
            queue,
            ..
        } => (*queue == u32::MAX || *limit == u32::MAX).then(|| speeds.together(*limit)),
        Capacity::Unlimited | Capacity::LoadDependent { .. } => None,
    }
}

/// Mean time of an answer over the classes that the account serves.
fn mean_service(scenario: &Scenario, behaviour: &AccountBehaviour) -> Option<f64> {
    let classes = scenario.workload.classes.iter().zip(weights(scenario));
    let served = classes.filter_map(|(class, weight)| {
        let law = service(scenario, behaviour, class.model)?;
        Some((weight, moments(law, class).0))
    });
    let (weights, sum) = served.fold((0.0, 0.0), |(weights, sum), (weight, mean)| {
        (weights + weight, sum + weight * mean)
    });
    (weights > 0.0).then(|| sum / weights)
}

/// How often each class is asked for, relative to the others: of clients, by their rates and their
/// own weights.
fn weights(scenario: &Scenario) -> Vec<f64> {
    let classes = &scenario.workload.classes;
    let Arrivals::Clients(clients) = &scenario.workload.arrivals else {
        return classes.iter().map(|class| class.weight).collect();
    };
    let mut weights = vec![0.0; classes.len()];
    for client in clients {
        let sum: f64 = client.classes.iter().map(|(_, weight)| weight).sum();
        let rate = rate(&client.arrivals).unwrap_or(0.0);
        for (class, weight) in &client.classes {
            weights[class.at()] += rate * weight / sum;
        }
    }
    weights
}

fn service<'a>(
    scenario: &'a Scenario,
    behaviour: &AccountBehaviour,
    model: ModelIndex,
) -> Option<&'a Service> {
    let number = behaviour
        .service_of_model
        .get(model.at())
        .copied()
        .flatten()?;
    scenario.upstream.services.get(usize::from(number))
}

/// Mean and variance of the time of an answer.
fn moments(service: &Service, class: &RequestClass) -> (f64, f64) {
    match service {
        Service::Total(law) => (law.mean(), law.variance()),
        Service::Tokens {
            first_token,
            first_token_per_1k_input,
            per_output_token,
        } => {
            let per_input = first_token_per_1k_input.as_secs_f64() / 1e3;
            let (input, output) = (&class.input_tokens, &class.output_tokens);
            let (each, tokens) = (per_output_token.mean(), output.mean());
            // Of a product of two independent numbers.
            let product = (per_output_token.variance() + each * each)
                * (output.variance() + tokens * tokens)
                - (each * tokens).powi(2);
            (
                first_token.mean() + per_input * input.mean() + each * tokens,
                first_token.variance() + per_input * per_input * input.variance() + product,
            )
        }
    }
}

/// Whether some service times vary too much for the number of requests in a replication.
fn is_heavy(scenario: &Scenario, results: &StrategyResults) -> bool {
    let requests = results.replications.iter().map(|r| r.counts.requests);
    let Some(requests) = requests.min() else {
        return false;
    };
    let classes = &scenario.workload.classes;
    let accounts = scenario.upstream.accounts.iter();
    let mut laws = accounts.flat_map(|account| {
        classes
            .iter()
            .filter_map(move |class| Some((service(scenario, account, class.model)?, class)))
    });
    laws.any(|(law, class)| {
        let (mean, variance) = moments(law, class);
        variance > ROUGH * ROUGH * mean * mean * requests as f64
    })
}
