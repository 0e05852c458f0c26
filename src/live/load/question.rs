//! A request of the workload in bytes.
//!
//! A prompt has four bytes for each estimated token, which is how the proxy estimates
//! ([`crate::live::chat::ChatRequest::estimated_tokens`]), so that routing sees the numbers that it
//! sees in simulation. It begins with a tag, by which requests of one cache key are equal and all
//! others differ; the rest is cut from one text that all requests share, without a copy.

use super::exchange::Body;
use super::{LoadConfig, LoadDialect, LoadError};
use crate::request::{Request, RequestFeatures, UserPreferences};
use bytes::{Buf, Bytes};
use http_body_util::Full;
use hyper::Uri;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use std::fmt::Write;

/// Bytes of prompt for each token.
const BYTES_PER_TOKEN: usize = 4;

/// Length of a tag, 16 hexadecimal digits. The prompt of a request that may be answered from a
/// cache is never shorter.
const TAG: usize = 16;

/// Length of the shared text: of more tokens than most context windows hold.
const SHARED: usize = 1 << 22;

/// What the shared text repeats. Without a character that JSON escapes.
const SENTENCE: &[u8] = b" the quick brown fox jumps over the lazy dog, and nobody asks why;";

/// Most tokens of an answer where the request states no limit, but the dialect demands one: more
/// than answers have, so that nothing is cut, and routing expects the same as without a limit.
const UNLIMITED: u32 = 64_000;

/// The last field, up to the prompt.
const MESSAGE: &str = r#""messages":[{"role":"user","content":""#;

/// Makes requests.
pub(super) struct Questions {
    dialect: LoadDialect,
    models: Vec<Model>,
    regions: Vec<HeaderValue>,
    /// Headers that all requests have.
    common: HeaderMap,
    shared: Bytes,
}

/// What requests for one model have in common.
struct Model {
    /// Its name in JSON.
    name: String,
    whole: Uri,
    streamed: Uri,
}

impl Questions {
    /// A maker of requests.
    ///
    /// # Errors
    /// If a name or the key cannot stand in HTTP.
    pub fn new(config: &LoadConfig) -> Result<Self, LoadError> {
        let models = config.models.iter();
        let regions = config.regions.iter();
        let region = |name: &String| {
            let unspeakable = |_| LoadError::Unspeakable("region", name.clone());
            HeaderValue::from_str(name).map_err(unspeakable)
        };
        let text = SENTENCE.iter().copied().cycle().take(SHARED);
        Ok(Self {
            dialect: config.dialect,
            models: models
                .map(|name| Model::new(config, name))
                .collect::<Result<_, _>>()?,
            regions: regions.map(region).collect::<Result<_, _>>()?,
            common: common_headers(config)?,
            shared: text.collect(),
        })
    }

    /// The request as it is sent; `None` for a model without a name, which no scenario makes.
    pub fn ask(&self, request: &Request) -> Option<hyper::Request<Body>> {
        let features = &request.features;
        let model = self.models.get(features.model.at())?;
        let uri = if features.streaming {
            &model.streamed
        } else {
            &model.whole
        };
        let mut asked = hyper::Request::new(self.body(model, request));
        *asked.method_mut() = hyper::Method::POST;
        *asked.uri_mut() = uri.clone();
        *asked.headers_mut() = self.headers(request);
        Some(asked)
    }

    fn headers(&self, request: &Request) -> HeaderMap {
        let features = &request.features;
        let mut headers = self.common.clone();
        let mut set = |name: &'static str, value: HeaderValue| {
            headers.insert(HeaderName::from_static(name), value);
        };
        set("x-request-id", request.id.0.into());
        let priority = HeaderValue::from_static(features.priority.name());
        set("x-routelab-priority", priority);
        let kind = HeaderValue::from_static(features.request_type.name());
        set("x-routelab-type", kind);
        let region = features.user_region;
        if let Some(region) = region.and_then(|region| self.regions.get(region.at())) {
            set("x-routelab-region", region.clone());
        }
        wishes(&features.preferences, set);
        headers
    }

    fn body(&self, model: &Model, request: &Request) -> Body {
        let features = &request.features;
        let mut head = String::with_capacity(256);
        let tail = match self.dialect {
            LoadDialect::Anthropic => anthropic(&mut head, model, features),
            LoadDialect::OpenAi => openai(&mut head, model, features),
            LoadDialect::Gemini => gemini(&mut head, features),
        };
        let length = features.estimated_tokens.max(1) as usize * BYTES_PER_TOKEN;
        let (tag, length) = match features.cache_key {
            Some(key) => (key.get(), length.max(TAG)),
            None => (request.id.0, length),
        };
        let _ = write!(head, "{tag:016x}");
        head.truncate(head.len() - TAG.saturating_sub(length));
        let text = self.text(length.saturating_sub(TAG));
        let tail = Bytes::from_static(tail.as_bytes());
        Full::new(Bytes::from(head).chain(text).chain(tail))
    }

    fn text(&self, length: usize) -> Bytes {
        if length <= self.shared.len() {
            return self.shared.slice(..length);
        }
        SENTENCE.iter().copied().cycle().take(length).collect()
    }
}

impl Model {
    fn new(config: &LoadConfig, name: &str) -> Result<Self, LoadError> {
        let (whole, streamed) = match config.dialect {
            LoadDialect::Anthropic => ("/v1/messages".to_owned(), "/v1/messages".to_owned()),
            LoadDialect::OpenAi => {
                let path = "/v1/chat/completions".to_owned();
                (path.clone(), path)
            }
            LoadDialect::Gemini => (
                format!("/v1beta/models/{name}:generateContent"),
                format!("/v1beta/models/{name}:streamGenerateContent?alt=sse"),
            ),
        };
        let uri = |path: &str| {
            let unspeakable = || LoadError::Unspeakable("model", name.to_owned());
            config.target.with_path(path).ok_or_else(unspeakable)
        };
        Ok(Self {
            name: serde_json::Value::from(name).to_string(),
            whole: uri(&whole)?,
            streamed: uri(&streamed)?,
        })
    }
}

/// Requests that may be answered from a cache are not sampled; by that the proxy knows them.
const fn temperature(features: &RequestFeatures) -> &'static str {
    if features.cache_key.is_some() {
        "0"
    } else {
        "1"
    }
}

fn anthropic(head: &mut String, model: &Model, features: &RequestFeatures) -> &'static str {
    let name = &model.name;
    let limit = features.max_output_tokens.unwrap_or(UNLIMITED);
    let temperature = temperature(features);
    let stream = features.streaming;
    let _ = write!(
        head,
        r#"{{"model":{name},"max_tokens":{limit},"temperature":{temperature},"stream":{stream},"#
    );
    head.push_str(MESSAGE);
    r#""}]}"#
}

fn openai(head: &mut String, model: &Model, features: &RequestFeatures) -> &'static str {
    let _ = write!(head, r#"{{"model":{},"#, model.name);
    if let Some(limit) = features.max_output_tokens {
        let _ = write!(head, r#""max_completion_tokens":{limit},"#);
    }
    if features.streaming {
        head.push_str(r#""stream":true,"stream_options":{"include_usage":true},"#);
    }
    let temperature = temperature(features);
    let _ = write!(head, r#""temperature":{temperature},"#);
    head.push_str(MESSAGE);
    r#""}]}"#
}

fn gemini(head: &mut String, features: &RequestFeatures) -> &'static str {
    let temperature = temperature(features);
    let _ = write!(
        head,
        r#"{{"generationConfig":{{"temperature":{temperature}"#
    );
    if let Some(limit) = features.max_output_tokens {
        let _ = write!(head, r#","maxOutputTokens":{limit}"#);
    }
    head.push_str(r#"},"contents":[{"role":"user","parts":[{"text":""#);
    r#""}]}]}"#
}

fn common_headers(config: &LoadConfig) -> Result<HeaderMap, LoadError> {
    let key = config.key.expose();
    let (name, key) = match config.dialect {
        LoadDialect::Anthropic => (HeaderName::from_static("x-api-key"), key.to_owned()),
        LoadDialect::OpenAi => (AUTHORIZATION, format!("Bearer {key}")),
        LoadDialect::Gemini => (HeaderName::from_static("x-goog-api-key"), key.to_owned()),
    };
    let unspeakable = |_| LoadError::Unspeakable("key", String::new());
    let mut key = HeaderValue::from_str(&key).map_err(unspeakable)?;
    key.set_sensitive(true);
    let agent = concat!("routelab-load/", env!("CARGO_PKG_VERSION"));
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::from_iter([
        (name, key),
        (CONTENT_TYPE, json),
        (USER_AGENT, HeaderValue::from_static(agent)),
    ]);
    if config.dialect == LoadDialect::Anthropic {
        let version = HeaderValue::from_static("2023-06-01");
        headers.insert(HeaderName::from_static("anthropic-version"), version);
    }
    Ok(headers)
}

/// The user's wishes, in the words of a scenario file.
fn wishes(preferences: &UserPreferences, mut set: impl FnMut(&'static str, HeaderValue)) {
    let mut say = |name, text: String| {
        if let Ok(value) = HeaderValue::try_from(text) {
            set(name, value);
        }
    };
    let UserPreferences {
        provider,
        provider_required,
        latency_tolerance,
        cost_sensitivity,
        minimum_quality,
    } = preferences;
    if let Some(provider) = provider {
        say("x-routelab-provider", provider.name().to_owned());
        if *provider_required {
            say("x-routelab-provider-required", "true".to_owned());
        }
    }
    if let Some(length) = latency_tolerance {
        say("x-routelab-latency-tolerance", length.to_string());
    }
    if let Some(sensitivity) = cost_sensitivity {
        say("x-routelab-cost-sensitivity", sensitivity.to_string());
    }
    if let Some(least) = minimum_quality {
        say("x-routelab-minimum-quality", least.to_string());
    }
}
