//! What is known of each account, and of each breaker where an account has several.

use super::exposition::Exposition;
use super::steps::Steps;
use crate::request::{AccountIndex, FailureKind, ModelIndex};
use crate::routing::account::Availability;
use crate::routing::breaker::BreakerState;
use crate::routing::gateway::Gateway;
use crate::routing::metrics::AccountMetrics;
use crate::time::Timestamp;

/// What is read of the core.
pub(super) struct Seen {
    accounts: Vec<Account>,
    /// Breakers that are not the only one of their account: account, model, state.
    targets: Vec<(String, ModelIndex, BreakerState)>,
}

struct Account {
    id: String,
    provider: &'static str,
    enabled: bool,
    known: AccountMetrics,
    /// Seconds until it is not left alone any more.
    cooling: f64,
    latency: Steps,
    first_token: Steps,
}

impl Seen {
    pub(super) fn new(gateway: &Gateway, now: Timestamp) -> Self {
        let pool = gateway.balancer().pool();
        let statistics = gateway.statistics().accounts();
        let all = gateway.get_all_metrics(now).into_iter();
        let each = all.zip(pool.account_indices());
        let account = |((id, known), index): ((String, AccountMetrics), AccountIndex)| {
            let described = pool.account(index);
            let counted = &statistics[index.at()];
            let until = known.learned.cooling_until;
            Account {
                id,
                provider: described.provider.name(),
                enabled: described.availability == Availability::Enabled,
                cooling: until.map_or(0.0, |until| until.since(now).as_secs_f64()),
                known,
                latency: Steps::rounded(&counted.latency),
                first_token: Steps::rounded(&counted.first_token),
            }
        };
        let targets = gateway.get_target_metrics(now).into_iter();
        let targets = targets.filter_map(|(id, model, known)| Some((id, model?, known.breaker)));
        Self {
            accounts: each.map(account).collect(),
            targets: targets.collect(),
        }
    }
}

impl Account {
    fn labels(&self) -> [(&str, &str); 2] {
        [("account", &self.id), ("provider", self.provider)]
    }
}

/// Writes all families.
pub(super) fn write(out: &mut Exposition, seen: &Seen, models: &[String]) {
    attempts(out, &seen.accounts);
    tokens(out, &seen.accounts);
    gauges(out, &seen.accounts);
    breakers(out, seen, models);
    let help = "Time of successful attempts.";
    let mut family = out.histogram("routelab_account_attempt_duration_seconds", help);
    for account in &seen.accounts {
        family.steps(&account.labels(), &account.latency);
    }
    let help = "Time to first token of successful streamed attempts.";
    let mut family = out.histogram("routelab_account_first_token_seconds", help);
    for account in &seen.accounts {
        family.steps(&account.labels(), &account.first_token);
    }
}

fn attempts(out: &mut Exposition, accounts: &[Account]) {
    let help = "Attempts that have ended, by result: success, or the kind of failure.";
    let mut family = out.counter("routelab_account_attempts_total", help);
    for account in accounts {
        let [id, provider] = account.labels();
        let mut sample = |result, count| family.sample(&[id, provider, ("result", result)], count);
        sample("success", account.known.successful_attempts);
        for (kind, count) in FailureKind::ALL.iter().zip(account.known.failed_attempts) {
            if count > 0 {
                sample(kind.name(), count);
            }
        }
    }
}

fn tokens(out: &mut Exposition, accounts: &[Account]) {
    let mut family = out.counter("routelab_account_tokens_total", "Tokens charged.");
    for account in accounts {
        let [id, provider] = account.labels();
        for (direction, count) in [
            ("input", account.known.input_tokens),
            ("output", account.known.output_tokens),
        ] {
            family.sample(&[id, provider, ("direction", direction)], count);
        }
    }
    let help = "Money charged, in USD.";
    let mut family = out.counter("routelab_account_cost_usd_total", help);
    for account in accounts {
        family.sample(&account.labels(), account.known.cost.as_usd_f64());
    }
}

type Read = fn(&Account) -> f64;

fn gauges(out: &mut Exposition, accounts: &[Account]) {
    let families: [(&str, &str, Read); 6] = [
        (
            "routelab_account_enabled",
            "Whether it takes new attempts: 1, or 0 if it drains or is disabled.",
            |account| f64::from(u8::from(account.enabled)),
        ),
        (
            "routelab_account_in_flight",
            "Attempts in flight.",
            |account| f64::from(account.known.learned.in_flight),
        ),
        (
            "routelab_account_max_in_flight",
            "Most attempts in flight.",
            |account| f64::from(account.known.learned.max_in_flight),
        ),
        (
            "routelab_account_success_ratio",
            "Success rate over the window, as routing sees it.",
            |account| account.known.learned.success_rate,
        ),
        (
            "routelab_account_health_score",
            "The health score, 0 to 1.",
            |account| account.known.calculate_health_score(),
        ),
        (
            "routelab_account_cool_down_seconds",
            "How long it is left alone yet after a rate limit or an account fault.",
            |account| account.cooling,
        ),
    ];
    for (name, help, read) in families {
        let mut family = out.gauge(name, help);
        for account in accounts {
            family.sample(&account.labels(), read(account));
        }
    }
}

fn breakers(out: &mut Exposition, seen: &Seen, models: &[String]) {
    let help = "State of the breaker: 1 for the present one. Of several the most willing.";
    let mut family = out.gauge("routelab_account_breaker_state", help);
    for account in &seen.accounts {
        let [id, provider] = account.labels();
        for state in BreakerState::ALL {
            let is = u8::from(account.known.learned.breaker == *state);
            family.sample(&[id, provider, ("state", state.name())], is);
        }
    }
    if seen.targets.is_empty() {
        return;
    }
    let help = "State of the breaker of a model at an account: 1 for the present one.";
    let mut family = out.gauge("routelab_target_breaker_state", help);
    for (account, model, present) in &seen.targets {
        let model = models.get(model.at()).map_or("", String::as_str);
        for state in BreakerState::ALL {
            let labels = [
                ("account", account.as_str()),
                ("model", model),
                ("state", state.name()),
            ];
            family.sample(&labels, u8::from(present == state));
        }
    }
}
