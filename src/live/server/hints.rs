//! What a client may say about routing: headers with the words of the scenario file.
//!
//! In headers and not in the body, because the body is the provider's dialect, which client
//! libraries check, while every one of them lets its user add headers. A wrong value is refused
//! with what is allowed: a hint that is silently ignored is a hint that someone relies on.

use crate::live::client::{ClientError, ErrorKind};
use crate::live::proxy::ProxyRequest;
use crate::request::{Provider, RequestPriority, RequestType};
use crate::time::Duration;
use hyper::HeaderMap;

/// The headers, and what each of them says.
pub const HINTS: [(&str, &str); 9] = [
    ("x-routelab-priority", "critical, high, normal or low"),
    (
        "x-routelab-type",
        "chat, completion, embedding, code or analysis",
    ),
    ("x-routelab-region", "the name of a region"),
    (
        "x-routelab-provider",
        "anthropic, google, openai or custom: the provider wished for",
    ),
    (
        "x-routelab-provider-required",
        "true or false: whether that is a condition",
    ),
    (
        "x-routelab-latency-tolerance",
        "a length of time, such as 2s or 800ms",
    ),
    ("x-routelab-cost-sensitivity", "a number above 0, at most 1"),
    (
        "x-routelab-minimum-quality",
        "a tier: a whole number from 1 to 5",
    ),
    (
        "x-routelab-cacheable",
        "true or false: whether the answer may be another's to the same question",
    ),
];

/// What all of them begin with.
const PREFIX: &str = "x-routelab-";

/// Reads the hints among `headers` into `request`. `regions` are those that there are.
pub(super) fn read(
    headers: &HeaderMap,
    regions: &[String],
    request: &mut ProxyRequest,
) -> Result<(), ClientError> {
    for (name, value) in headers {
        let Some(hint) = name.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        let known = HINTS.iter().find(|(known, _)| known == name);
        let Some((_, allowed)) = known else {
            let known: Vec<_> = HINTS.iter().map(|(name, _)| *name).collect();
            let message = format!("unknown header; known are: {}", known.join(", "));
            return Err(wrong(name.as_str(), &message));
        };
        let text = value.to_str().unwrap_or_default().trim();
        if hint == "region" {
            request.region = Some(region(text, regions)?);
        } else if take(hint, text, request).is_none() {
            return Err(wrong(name.as_str(), &format!("must be {allowed}")));
        }
    }
    if request.preferences.provider_required && request.preferences.provider.is_none() {
        let message = "needs x-routelab-provider beside it";
        return Err(wrong("x-routelab-provider-required", message));
    }
    Ok(())
}

/// `None` if the text is not what the hint takes.
fn take(hint: &str, text: &str, request: &mut ProxyRequest) -> Option<()> {
    let wishes = &mut request.preferences;
    match hint {
        "priority" => request.priority = RequestPriority::from_name(text)?,
        "type" => request.request_type = RequestType::from_name(text)?,
        "provider" => wishes.provider = Some(Provider::from_name(text)?),
        "provider-required" => wishes.provider_required = text.parse().ok()?,
        "cacheable" => request.cacheable = text.parse().ok()?,
        "latency-tolerance" => {
            let tolerance = Duration::parse(text).ok()?;
            wishes.latency_tolerance = Some(tolerance).filter(|time| *time > Duration::ZERO);
            wishes.latency_tolerance?;
        }
        "cost-sensitivity" => {
            let number: f64 = text.parse().ok()?;
            wishes.cost_sensitivity = Some(number).filter(|it| *it > 0.0 && *it <= 1.0);
            wishes.cost_sensitivity?;
        }
        "minimum-quality" => {
            let tier = text.parse().ok()?;
            wishes.minimum_quality = (1..=5).contains(&tier).then_some(tier);
            wishes.minimum_quality?;
        }
        _ => return None,
    }
    Some(())
}

fn region(name: &str, regions: &[String]) -> Result<String, ClientError> {
    if let Some(region) = regions.iter().find(|region| *region == name) {
        return Ok(region.clone());
    }
    let message = match regions {
        [] => "has no meaning here: the gateway knows no regions".to_owned(),
        regions => format!("must be one of: {}", regions.join(", ")),
    };
    Err(wrong("x-routelab-region", &message))
}

fn wrong(header: &str, message: &str) -> ClientError {
    let mut error = ClientError::new(ErrorKind::InvalidRequest, format!("`{header}`: {message}"));
    error.field = Some(header.to_owned());
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::chat::Dialect;
    use crate::live::client;

    fn read_one(name: &'static str, value: &str) -> Result<ProxyRequest, ClientError> {
        let body = br#"{"model": "m", "max_tokens": 1,
            "messages": [{"role": "user", "content": "x"}]}"#;
        let mut request = ProxyRequest::new(client::request(Dialect::Anthropic, body).unwrap());
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        read(&headers, &["us".to_owned(), "eu".to_owned()], &mut request)?;
        Ok(request)
    }

    #[test]
    fn each_hint_reaches_routing() {
        let read = |name, value| read_one(name, value).unwrap();
        assert_eq!(
            read("x-routelab-priority", "critical").priority,
            RequestPriority::Critical
        );
        assert_eq!(
            read("x-routelab-type", "code").request_type,
            RequestType::Code
        );
        assert_eq!(
            read("x-routelab-region", "eu").region.as_deref(),
            Some("eu")
        );
        assert!(read("x-routelab-cacheable", "true").cacheable);
        let wishes = |name, value| read_one(name, value).unwrap().preferences;
        assert_eq!(
            wishes("x-routelab-provider", "google").provider,
            Some(Provider::Google)
        );
        assert_eq!(
            wishes("x-routelab-latency-tolerance", "800ms").latency_tolerance,
            Some(Duration::from_millis(800))
        );
        assert_eq!(
            wishes("x-routelab-cost-sensitivity", "0.5").cost_sensitivity,
            Some(0.5)
        );
        assert_eq!(
            wishes("x-routelab-minimum-quality", "4").minimum_quality,
            Some(4)
        );
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_is_allowed() {
        for (name, value, allowed) in [
            ("x-routelab-priority", "urgent", "critical, high"),
            ("x-routelab-type", "", "embedding"),
            ("x-routelab-region", "mars", "us, eu"),
            ("x-routelab-provider", "claude", "anthropic"),
            ("x-routelab-provider-required", "yes", "true or false"),
            (
                "x-routelab-provider-required",
                "true",
                "x-routelab-provider ",
            ),
            ("x-routelab-latency-tolerance", "2", "2s"),
            ("x-routelab-latency-tolerance", "0s", "2s"),
            ("x-routelab-cost-sensitivity", "0", "above 0"),
            ("x-routelab-cost-sensitivity", "NaN", "above 0"),
            ("x-routelab-minimum-quality", "6", "1 to 5"),
            ("x-routelab-cacheable", "1", "true or false"),
            ("x-routelab-colour", "red", "x-routelab-region"),
        ] {
            let error = read_one(name, value).unwrap_err();
            assert!(error.message.contains(allowed), "{error:?}");
            assert_eq!(error.field.as_deref(), Some(name));
        }
    }

    #[test]
    fn every_hint_that_is_told_of_is_read() {
        for (name, _) in HINTS {
            let error = read_one(name, "?").unwrap_err();
            assert!(!error.message.contains("unknown"), "{name}");
        }
    }
}
