//! `/metrics`, by a strict reader of the text format, and laid beside what was done.

use super::stage::{Stage, Upstream, account, asking, bytes_of, client_key, live, whole_answer};
use routelab::live::proxy::ProxyConfig;
use routelab::routing::config::{CacheConfig, RoutingConfig};
use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

/// A page: samples by name and labels, kinds by family.
#[derive(Default)]
struct Page {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<(String, Labels), f64>,
}

fn is_name(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    text.starts_with(first) && text.chars().all(|c| first(c) || c.is_ascii_digit())
}

/// Reads `name="value",...}` up to the closing brace; returns what follows.
fn labels(mut text: &str) -> (Labels, &str) {
    let mut labels = Labels::new();
    loop {
        let (name, rest) = text.split_once("=\"").expect("a label");
        assert!(is_name(name), "{name}");
        let mut value = String::new();
        let mut rest = rest.chars();
        loop {
            match rest.next().expect("a closing quote") {
                '"' => break,
                '\\' => value.push(match rest.next() {
                    Some('n') => '\n',
                    Some(escaped @ ('\\' | '"')) => escaped,
                    other => panic!("no escape: {other:?}"),
                }),
                '\n' => panic!("a line feed in a label"),
                other => value.push(other),
            }
        }
        assert!(
            labels.insert(name.to_owned(), value).is_none(),
            "{name} twice"
        );
        match rest.next() {
            Some(',') => text = rest.as_str(),
            Some('}') => return (labels, rest.as_str()),
            other => panic!("{other:?} after a label"),
        }
    }
}

impl Page {
    fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'));
        let mut page = Self::default();
        let mut family = String::new();
        let mut helped = BTreeSet::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let name = help.split(' ').next().unwrap();
                assert!(helped.insert(name.to_owned()), "{name} twice");
                family = name.to_owned();
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, family, "TYPE follows HELP");
                assert!(["counter", "gauge", "histogram"].contains(&kind));
                page.kinds.insert(name.to_owned(), kind.to_owned());
            } else {
                page.sample(line, &family);
            }
        }
        page.histograms_are_sound();
        page
    }

    fn sample(&mut self, line: &str, family: &str) {
        let end = line.find(['{', ' ']).expect("a name and a value");
        let (name, rest) = line.split_at(end);
        assert!(is_name(name), "{name}");
        let kind = self.kinds[family].as_str();
        let suffix = name
            .strip_prefix(family)
            .expect("samples stand in their family");
        match kind {
            "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
            _ => assert_eq!(suffix, "", "{line}"),
        }
        assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest),
            None => (Labels::new(), rest),
        };
        let value: f64 = value.strip_prefix(' ').expect("a space").parse().unwrap();
        assert!(
            value.is_finite() && (value >= 0.0 || kind == "gauge"),
            "{line}"
        );
        let before = self.samples.insert((name.to_owned(), labels), value);
        assert!(before.is_none(), "twice: {line}");
    }

    fn histograms_are_sound(&self) {
        let mut last: BTreeMap<(String, Labels), Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), value) in &self.samples {
            if let Some(family) = name.strip_suffix("_bucket") {
                let mut labels = labels.clone();
                let bound = labels.remove("le").expect("a bound").parse().unwrap();
                let steps = last.entry((family.to_owned(), labels)).or_default();
                steps.push((bound, *value));
            }
        }
        for ((family, labels), mut steps) in last {
            steps.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(steps.is_sorted_by_key(|step| step.1), "{family}: {steps:?}");
            let (bound, all) = steps[steps.len() - 1];
            assert_eq!(bound, f64::INFINITY, "{family}");
            assert_eq!(all, self.samples[&(format!("{family}_count"), labels)]);
        }
    }

    /// The sum of a family over all samples that have these labels.
    fn sum(&self, name: &str, wanted: &[(&str, &str)]) -> f64 {
        let has = |labels: &Labels| {
            wanted
                .iter()
                .all(|(label, value)| labels.get(*label).is_some_and(|it| it == value))
        };
        let samples = self.samples.iter();
        let fit = samples.filter(|((of, labels), _)| of == name && has(labels));
        fit.map(|(_, value)| value).sum()
    }
}

async fn page(stage: &Stage) -> Page {
    let response = stage.get("/metrics").await;
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    Page::read(std::str::from_utf8(&bytes_of(response).await).unwrap())
}

/// Two answers, a hit of the cache, and a refusal: each is counted once in every family that
/// counts it.
#[test]
fn what_was_done_is_counted_once() {
    live(async {
        let config = ProxyConfig {
            routing: RoutingConfig {
                cache: Some(CacheConfig::default()),
                ..RoutingConfig::default()
            },
            ..ProxyConfig::default()
        };
        let upstream = Upstream::answering(whole_answer);
        let stage = Stage::with(upstream, config, |_| {}).await;
        Page::read(std::str::from_utf8(&bytes_of(stage.get("/metrics").await).await).unwrap());
        for _ in 0..2 {
            let mut request = stage.request("/v1/messages", &asking(false));
            let hint = "true".parse().unwrap();
            request.headers_mut().insert("x-routelab-cacheable", hint);
            assert_eq!(stage.send(request).await.status(), 200);
        }
        let plain = stage.post("/v1/chat/completions", &asking(false)).await;
        assert_eq!(plain.status(), 200);
        assert_eq!(stage.post("/v1/messages", "{}").await.status(), 400);
        stage.is_empty().await;
        let page = page(&stage).await;
        for (name, labels, count) in [
            ("routelab_requests_total", &[][..], 3.0),
            ("routelab_requests_total", &[("outcome", "success")], 3.0),
            ("routelab_strategy_requests_total", &[], 3.0),
            (
                "routelab_provider_requests_total",
                &[("provider", "anthropic")],
                2.0,
            ),
            ("routelab_account_attempts_total", &[("account", "a")], 2.0),
            (
                "routelab_account_tokens_total",
                &[("direction", "input")],
                20.0,
            ),
            ("routelab_account_breaker_state", &[("account", "a")], 1.0),
            (
                "routelab_account_breaker_state",
                &[("state", "closed")],
                1.0,
            ),
            ("routelab_cache_requests_total", &[("result", "hit")], 1.0),
            ("routelab_cache_requests_total", &[("result", "miss")], 1.0),
            ("routelab_request_duration_seconds_count", &[], 3.0),
            ("routelab_retries_total", &[], 0.0),
            ("routelab_requests_in_flight", &[], 0.0),
            (
                "routelab_http_responses_total",
                &[("client", "tester")],
                4.0,
            ),
            ("routelab_http_responses_total", &[("code", "400")], 1.0),
        ] {
            assert_eq!(page.sum(name, labels), count, "{name} {labels:?}");
        }
    });
}

/// A name may be anything that fits on a line.
#[test]
fn strange_names_are_escaped() {
    live(async {
        let name = "a\"b\\c{},=é";
        let upstream = Upstream::answering(whole_answer);
        let stage = Stage::with(upstream, ProxyConfig::default(), |config| {
            config.clients.push(client_key(name, "other"));
        })
        .await;
        stage
            .proxy
            .set_accounts(&[account(name, stage.upstream.addr)])
            .unwrap();
        let mut request = stage.request("/v1/messages", &asking(false));
        request
            .headers_mut()
            .insert("x-api-key", "other".parse().unwrap());
        assert_eq!(stage.send(request).await.status(), 200);
        let page = page(&stage).await;
        let attempts = "routelab_account_attempts_total";
        assert_eq!(page.sum(attempts, &[("account", name)]), 1.0);
        let answers = "routelab_http_responses_total";
        assert_eq!(page.sum(answers, &[("client", name)]), 1.0);
    });
}
