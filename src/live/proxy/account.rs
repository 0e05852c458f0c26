//! Accounts as the proxy knows them: what routing is told, and how they are reached.

use crate::live::provider::Shape;
use crate::request::{ModelIndex, Provider, RegionIndex};
use crate::routing::account::{Account, Availability, RateLimits, ServedModel};
use crate::units::Prices;
use hyper::Uri;
use hyper::header::HeaderValue;
use std::fmt;

/// A key. Nothing that prints shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// One account at a provider, as its owner describes it.
#[derive(Clone, PartialEq, Debug)]
pub struct ProxyAccount {
    /// Its name, unique.
    pub id: String,
    /// Whose it is; it must be one that there is an adapter for.
    pub provider: Provider,
    /// Where its requests are sent: `http` or `https`, host, and a path that goes before the
    /// provider's own, such as `https://api.anthropic.com`.
    pub base_url: String,
    /// Its key.
    pub api_key: Secret,
    /// Where it is, by name; `None` when not stated.
    pub region: Option<String>,
    /// Models that it serves.
    pub models: Vec<ProxyModel>,
    /// Share of the traffic wished for, relative to other accounts; at least 1.
    pub weight: u32,
    /// Most attempts in flight at a time; at least 1.
    pub max_in_flight: u32,
    /// Declared rate limits.
    pub limits: RateLimits,
    /// Owner of the quota, where several accounts share one.
    pub organisation: Option<String>,
    /// Whether it takes new attempts.
    pub availability: Availability,
}

/// A model at an account.
#[derive(Clone, PartialEq, Debug)]
pub struct ProxyModel {
    /// What clients call it.
    pub name: String,
    /// What the provider calls it; `None` = the same.
    pub upstream_name: Option<String>,
    /// What it costs there.
    pub prices: Prices,
    /// Quality tier, 1 (least) to 5.
    pub quality: u8,
    /// Most input plus output tokens of one request.
    pub context_window: u32,
}

/// Why an account cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountError {
    /// The account's name.
    pub account: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}

/// How an account is reached.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) shape: Shape,
    /// Scheme, host and port.
    base: Uri,
    /// Goes before the provider's path; no slash at its end.
    prefix: String,
    pub(super) key: HeaderValue,
    /// What the provider calls each model, in rising order of index.
    names: Vec<(ModelIndex, String)>,
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account `{}`: {}", self.account, self.message)
    }
}

impl std::error::Error for AccountError {}

impl Secret {
    /// A key. It is kept until the last of its accounts is gone.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key itself; for headers and comparisons only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl ProxyAccount {
    /// An account with the defaults that a scenario file has: weight 1, 1,000 in flight, no limits.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        provider: Provider,
        base_url: impl Into<String>,
        api_key: Secret,
    ) -> Self {
        Self {
            id: id.into(),
            provider,
            base_url: base_url.into(),
            api_key,
            region: None,
            models: vec![],
            weight: 1,
            max_in_flight: 1_000,
            limits: RateLimits::default(),
            organisation: None,
            availability: Availability::Enabled,
        }
    }

    /// The same, serving one more model, called the same by clients and provider.
    #[must_use]
    pub fn serving(mut self, model: impl Into<String>, prices: Prices) -> Self {
        self.models.push(ProxyModel {
            name: model.into(),
            upstream_name: None,
            prices,
            quality: 3,
            context_window: 200_000,
        });
        self
    }

    /// What routing is told.
    pub(super) fn for_routing(
        &self,
        mut model: impl FnMut(&str) -> ModelIndex,
        region: Option<RegionIndex>,
    ) -> Account {
        let mut models: Vec<ServedModel> = self
            .models
            .iter()
            .map(|served| ServedModel {
                model: model(&served.name),
                prices: served.prices,
                quality: served.quality,
                context_window: served.context_window,
            })
            .collect();
        models.sort_by_key(|served| served.model);
        models.dedup_by_key(|served| served.model);
        Account {
            id: self.id.clone(),
            provider: self.provider,
            region,
            models,
            weight: self.weight.max(1),
            max_in_flight: self.max_in_flight.max(1),
            limits: self.limits,
            organisation: self.organisation.clone(),
            availability: self.availability,
        }
    }
}

impl Endpoint {
    /// How `account` is reached. `model` numbers the names of models.
    pub fn new(
        account: &ProxyAccount,
        mut model: impl FnMut(&str) -> ModelIndex,
    ) -> Result<Self, AccountError> {
        let fail = |message: String| AccountError {
            account: account.id.clone(),
            message,
        };
        let shape = Shape::of(account.provider).ok_or_else(|| {
            fail(format!(
                "there is no adapter for provider `{}`: `anthropic` and `google` have one",
                account.provider
            ))
        })?;
        let (base, prefix) = split(&account.base_url).map_err(fail)?;
        let mut key = HeaderValue::from_str(account.api_key.expose())
            .map_err(|_| fail("its key has characters that no header can carry".to_owned()))?;
        key.set_sensitive(true);
        let mut names: Vec<(ModelIndex, String)> = account
            .models
            .iter()
            .map(|served| {
                let name = served.upstream_name.as_ref().unwrap_or(&served.name);
                (model(&served.name), name.clone())
            })
            .collect();
        names.sort();
        Ok(Self {
            shape,
            base,
            prefix,
            key,
            names,
        })
    }

    /// What the provider calls the model.
    pub fn name_of(&self, model: ModelIndex) -> Option<&str> {
        let at = self.names.partition_point(|(known, _)| *known < model);
        let (known, name) = self.names.get(at)?;
        (*known == model).then_some(name)
    }

    /// The address of a path of the provider's.
    pub fn uri(&self, path: &str) -> Result<Uri, hyper::http::Error> {
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = Some(format!("{}{path}", self.prefix).parse()?);
        Ok(Uri::from_parts(parts)?)
    }
}

/// Splits a base URL into what names the server and what goes before every path.
fn split(url: &str) -> Result<(Uri, String), String> {
    let wrong = |why: &str| {
        format!("its base URL {url:?} {why}; such as \"https://api.anthropic.com\" is allowed")
    };
    let uri: Uri = url.parse().map_err(|_| wrong("is none"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("begins with neither http:// nor https://"));
    }
    if uri.query().is_some() {
        return Err(wrong("has a query"));
    }
    if uri
        .authority()
        .is_some_and(|host| host.as_str().contains('@'))
    {
        return Err(wrong("has a user in it"));
    }
    let prefix = uri.path().trim_end_matches('/').to_owned();
    Ok((uri, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(url: &str) -> ProxyAccount {
        ProxyAccount::new("a", Provider::Anthropic, url, Secret::new("sk-hidden"))
            .serving("claude", Prices::default())
    }

    #[test]
    fn a_base_url_may_have_a_path_of_its_own() {
        for (url, whole) in [
            ("http://127.0.0.1:80", "http://127.0.0.1:80/v1/x?alt=sse"),
            ("https://h/", "https://h/v1/x?alt=sse"),
            ("https://h/a/b/", "https://h/a/b/v1/x?alt=sse"),
        ] {
            let endpoint = Endpoint::new(&account(url), |_| ModelIndex(0)).expect("is right");
            assert_eq!(
                endpoint.uri("/v1/x?alt=sse").expect("one").to_string(),
                whole
            );
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused_with_what_is() {
        for url in [
            "",
            "h",
            "ftp://h",
            "http://h?q",
            "http://u:p@h",
            "http://",
            "/v1",
        ] {
            let error = Endpoint::new(&account(url), |_| ModelIndex(0)).expect_err("wrong");
            assert!(error.message.contains("is allowed"), "{url}: {error:?}");
        }
    }

    #[test]
    fn nothing_that_prints_shows_the_key() {
        let account = account("http://h");
        let endpoint = Endpoint::new(&account, |_| ModelIndex(0)).expect("is right");
        assert!(!format!("{account:?}{endpoint:?}").contains("hidden"));
    }
}
