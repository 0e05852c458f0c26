//! `[routing]`, and the overrides of it in a strategy's table.
//!
//! There is no second list of defaults here: what is not written keeps the value of the settings
//! that it is applied to, in the end those of [`RoutingConfig::default`].

mod breaker;

use super::decode::{self, Decoded};
use super::diagnostics::{Finding, Findings};
use super::document::{Node, Value};
use super::section::Section;
use crate::record::Strategy;
use crate::request::RequestPriority;
use crate::routing::config::{
    AdaptiveWeights, CacheConfig, ConfidenceConfig, CoolDownConfig, HealthScope, HealthWeights,
    MetricsConfig, RetryConfig, RoutingConfig, SmartConfig, WhenNoneAvailable,
};

/// Reads the routing keys of a section on top of `base`. `None` if one is bad.
pub(super) fn read(
    section: &mut Section,
    base: &RoutingConfig,
    findings: &Findings,
) -> Option<RoutingConfig> {
    let deadline = section.or("deadline", base.deadline, decode::duration_or_none);
    let attempt = section.or(
        "attempt_timeout",
        base.attempt_timeout,
        decode::duration_or_none,
    );
    let first_token = section.or(
        "first_token_timeout",
        base.first_token_timeout,
        decode::duration_or_none,
    );
    let idle = section.or("idle_timeout", base.idle_timeout, decode::duration_or_none);
    let max_attempts = section.or("max_attempts", base.retry.max_attempts, |node| {
        decode::count(1..=100)(node).map(|attempts| attempts as u8)
    });
    let scope = section.or(
        "health_scope",
        base.health_scope,
        decode::word("scope", &HealthScope::ALL, HealthScope::name),
    );
    let breaker = breaker::read(section, base.breaker, findings);
    let mut part = Parts { section, findings };
    let retry = part.read("retry", base.retry, retry);
    let cool_down = part.read("cool_down", base.cool_down, cool_down);
    let metrics = part.read("metrics", base.metrics, metrics);
    let health = part.read("health", base.health, health);
    let adaptive = part.read("adaptive", base.adaptive, adaptive);
    let smart = smart(section, base.smart, findings);
    let dynamic_weights = section.or("dynamic_weights", base.dynamic_weights, decode::boolean);
    let spill = section.or(
        "geographic_spill_above",
        base.geographic_spill_above,
        decode::share,
    );
    let quota_aware = section.or("quota_aware", base.quota_aware, quota_aware);
    let cache = breaker::switch(section, "cache", base.cache, findings, cache);
    let when = section.or("when_none_available", base.when_none_available, when_none);
    let max_waiting = section.or("max_waiting", base.max_waiting, decode::count_u32(1));
    Some(RoutingConfig {
        strategy: base.strategy,
        health_scope: scope?,
        deadline: deadline?,
        attempt_timeout: attempt?,
        first_token_timeout: first_token?,
        idle_timeout: idle?,
        breaker: breaker?,
        retry: RetryConfig {
            max_attempts: max_attempts?,
            ..retry?
        },
        cool_down: cool_down?,
        metrics: metrics?,
        health: health?,
        adaptive: adaptive?,
        dynamic_weights: dynamic_weights?,
        geographic_spill_above: spill?,
        quota_aware: quota_aware?,
        smart: smart?,
        cache: cache?,
        when_none_available: when?,
        max_waiting: max_waiting?,
    })
}

fn when_none(node: &Node) -> Decoded<WhenNoneAvailable> {
    decode::word("reaction", WhenNoneAvailable::ALL, WhenNoneAvailable::name)(node)
}

fn quota_aware(node: &Node) -> Decoded<Option<bool>> {
    match (&node.value, node.text()) {
        (Value::Boolean(value), _) => Ok(Some(*value)),
        (_, Some("smart_only")) => Ok(None),
        _ => Err(decode::wrong_type(node, "true, false or \"smart_only\"")),
    }
}

/// Reads sub-tables of one section.
struct Parts<'s, 'a, 'f> {
    section: &'s mut Section<'a>,
    findings: &'f Findings,
}

impl Parts<'_, '_, '_> {
    fn read<T>(
        &mut self,
        key: &'static str,
        base: T,
        read: impl FnOnce(&mut Section, T, &Findings) -> Option<T>,
    ) -> Option<T> {
        let Some(node) = self.section.node(key) else {
            return Some(base);
        };
        let mut part = Section::of(node, format!("`{key}`"), self.findings)?;
        let read = read(&mut part, base, self.findings);
        part.finish();
        read
    }
}

fn cache(part: &mut Section, base: CacheConfig, _: &Findings) -> Option<CacheConfig> {
    let max_entries = part.or("max_entries", base.max_entries, |node| {
        decode::count(1..=10_000_000)(node).map(|entries| entries as u32)
    });
    let tokens = |node: &Node| decode::count(1..=1_000_000_000_000)(node).map(Some);
    let tokens = decode::or_word("none", None, tokens);
    let tokens = part.or("max_output_tokens", base.max_output_tokens, tokens);
    let ttl = part.or("ttl", base.ttl, decode::positive_duration);
    Some(CacheConfig {
        max_entries: max_entries?,
        max_output_tokens: tokens?,
        ttl: ttl?,
    })
}

fn retry(part: &mut Section, base: RetryConfig, findings: &Findings) -> Option<RetryConfig> {
    let backoff_base = part.or("backoff_base", base.backoff_base, decode::duration);
    let backoff_cap = part.or("backoff_cap", base.backoff_cap, decode::duration);
    let budget = || decode::number(0.0..=1e6);
    let per_request = part.or("budget_per_request", base.budget_per_request, budget());
    let per_second = part.or("budget_per_second", base.budget_per_second, budget());
    let window = part.or(
        "budget_window",
        base.budget_window,
        decode::positive_duration,
    );
    let help = "write it in [routing], or in the table of a strategy";
    part.misplaced("max_attempts", "it stands beside `retry`, not in it", help);
    let retry = RetryConfig {
        max_attempts: base.max_attempts,
        backoff_base: backoff_base?,
        backoff_cap: backoff_cap?,
        budget_per_request: per_request?,
        budget_per_second: per_second?,
        budget_window: window?,
    };
    let ends = (retry.backoff_base, retry.backoff_cap);
    in_order(part, ("backoff_base", "backoff_cap"), ends, findings).then_some(retry)
}

fn cool_down(
    part: &mut Section,
    base: CoolDownConfig,
    findings: &Findings,
) -> Option<CoolDownConfig> {
    let first = part.or("base", base.base, decode::positive_duration);
    let cap = part.or("cap", base.cap, decode::positive_duration);
    let fault = part.or(
        "account_fault",
        base.account_fault,
        decode::positive_duration,
    );
    let cool_down = CoolDownConfig {
        base: first?,
        cap: cap?,
        account_fault: fault?,
    };
    let ends = (cool_down.base, cool_down.cap);
    in_order(part, ("base", "cap"), ends, findings).then_some(cool_down)
}

/// Whether a first delay is no longer than the longest one.
fn in_order(
    part: &Section,
    (low, high): (&str, &str),
    (base, cap): (crate::time::Duration, crate::time::Duration),
    findings: &Findings,
) -> bool {
    if base > cap {
        let title = format!("`{low}` is longer than `{high}`");
        let at = if part.has(low) { low } else { high };
        let label = format!("`{low}` is {base}, `{high}` is {cap}");
        findings.push(Finding::error(title).at(part.span(at), label));
    }
    base <= cap
}

fn metrics(part: &mut Section, base: MetricsConfig, _: &Findings) -> Option<MetricsConfig> {
    let mut time = |key, default| part.or(key, default, decode::positive_duration);
    let latency_tau = time("latency_tau", base.latency_tau);
    let forget_after = time("forget_after", base.forget_after);
    let success_window = time("success_window", base.success_window);
    let response_reference = time("response_reference", base.response_reference);
    let diversity_tau = time("diversity_tau", base.diversity_tau);
    let streak_limit = part.or("streak_limit", base.streak_limit, decode::count_u32(1));
    let tokens = part.or(
        "default_output_tokens",
        base.default_output_tokens,
        decode::count_u32(1),
    );
    Some(MetricsConfig {
        latency_tau: latency_tau?,
        forget_after: forget_after?,
        success_window: success_window?,
        response_reference: response_reference?,
        diversity_tau: diversity_tau?,
        streak_limit: streak_limit?,
        default_output_tokens: tokens?,
    })
}

fn health(part: &mut Section, base: HealthWeights, findings: &Findings) -> Option<HealthWeights> {
    let success = part.or("success", base.success, decode::share);
    let response = part.or("response", base.response, decode::share);
    let connections = part.or("connections", base.connections, decode::share);
    let stability = part.or("stability", base.stability, decode::share);
    let weights = HealthWeights {
        success: success?,
        response: response?,
        connections: connections?,
        stability: stability?,
    };
    let sum = weights.success + weights.response + weights.connections + weights.stability;
    adds_up(part, sum, "health", findings).then_some(weights)
}

fn adaptive(
    part: &mut Section,
    base: AdaptiveWeights,
    findings: &Findings,
) -> Option<AdaptiveWeights> {
    let health = part.or("health", base.health, decode::share);
    let success = part.or("success", base.success, decode::share);
    let response = part.or("response", base.response, decode::share);
    let load = part.or("load", base.load, decode::share);
    let diversity = part.or("diversity", base.diversity, decode::share);
    let weights = AdaptiveWeights {
        health: health?,
        success: success?,
        response: response?,
        load: load?,
        diversity: diversity?,
    };
    let AdaptiveWeights {
        health,
        success,
        response,
        load,
        diversity,
    } = weights;
    let sum = health + success + response + load + diversity;
    adds_up(part, sum, "adaptive", findings).then_some(weights)
}

fn adds_up(part: &Section, sum: f64, what: &str, findings: &Findings) -> bool {
    let good = (sum - 1.0).abs() < 1e-9;
    if !good {
        let rounded = (sum * 1e6).round() / 1e6;
        findings.push(
            Finding::error(format!("the {what} weights do not add up to 1"))
                .at(part.heading(), format!("they add up to {rounded}"))
                .help("weights that are not written keep their default, and count"),
        );
    }
    good
}

fn smart(section: &mut Section, base: SmartConfig, findings: &Findings) -> Option<SmartConfig> {
    let Some(node) = section.node("smart") else {
        return Some(base);
    };
    let mut part = Section::of(node, "`smart`", findings)?;
    let mut by_priority = [Some(Strategy::RoundRobin); RequestPriority::ALL.len()];
    for priority in RequestPriority::ALL {
        let default = base.by_priority[priority.at()];
        by_priority[priority.at()] = part.or(priority.name(), default, delegate);
    }
    let while_unmeasured = part.or("while_unmeasured", base.while_unmeasured, delegate);
    let mut parts = Parts {
        section: &mut part,
        findings,
    };
    let confidence = parts.read("confidence", base.confidence, confidence);
    part.finish();
    let [critical, high, normal, low] = by_priority;
    Some(SmartConfig {
        by_priority: [critical?, high?, normal?, low?],
        while_unmeasured: while_unmeasured?,
        confidence: confidence?,
    })
}

/// A strategy that `smart` can hand over to.
fn delegate(node: &Node) -> Decoded<Strategy> {
    if node.text() == Some(Strategy::Smart.name()) {
        return Err(decode::Problem {
            title: decode::Title::Whole("`smart` cannot hand over to itself".into()),
            label: "must be another strategy".into(),
            help: Some(format!("allowed: {}", plain_names().join(", "))),
            span: None,
        });
    }
    decode::word("strategy", &Strategy::ALL[..PLAIN], Strategy::name)(node)
}

/// Number of strategies before `smart` in [`Strategy::ALL`].
const PLAIN: usize = Strategy::Smart.at();

fn plain_names() -> Vec<&'static str> {
    Strategy::ALL[..PLAIN].iter().map(|s| s.name()).collect()
}

fn confidence(
    part: &mut Section,
    base: ConfidenceConfig,
    _: &Findings,
) -> Option<ConfidenceConfig> {
    let mut share = |key, default| part.or(key, default, decode::share);
    let start = share("base", base.base);
    let capability = share("capability", base.capability);
    let preference = share("preference", base.preference);
    let health = share("health", base.health);
    let doubt = share("doubt", base.doubt);
    let busy_above = share("busy_above", base.busy_above);
    Some(ConfidenceConfig {
        base: start?,
        capability: capability?,
        preference: preference?,
        health: health?,
        doubt: doubt?,
        busy_above: busy_above?,
    })
}
