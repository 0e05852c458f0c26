//! The proxy as a server, over real sockets on loopback, with upstreams of the tests' own.
//!
//! Nothing here sleeps: whoever waits, waits for what is to happen, and a limit of a minute only
//! ends a test that would hang.

mod draining;
mod limits;
mod log;
mod metrics;
mod reload;
mod stage;

use hyper::StatusCode;
use serde_json::Value;
use stage::{Stage, Upstream, asking, bytes_of, live, whole_answer};

const BOTH: [&str; 2] = ["/v1/messages", "/v1/chat/completions"];

#[test]
fn either_dialect_is_answered_whole() {
    live(async {
        let stage = Stage::new(Upstream::answering(whole_answer)).await;
        for path in BOTH {
            let response = stage.post(path, &asking(false)).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()["content-type"], "application/json");
            let body: Value = serde_json::from_slice(&bytes_of(response).await).unwrap();
            let text = match path {
                "/v1/messages" => &body["content"][0]["text"],
                _ => &body["choices"][0]["message"]["content"],
            };
            assert_eq!(text, "Hello", "{body}");
        }
        stage.is_empty().await;
    });
}

#[test]
fn either_dialect_is_streamed_and_ends_well() {
    live(async {
        let stage = Stage::new(Upstream::answering(stage::streamed_answer)).await;
        for (path, end) in BOTH.into_iter().zip(["message_stop", "[DONE]"]) {
            let response = stage.post(path, &asking(true)).await;
            assert_eq!(response.status(), StatusCode::OK);
            let kind = response.headers()["content-type"].to_str().unwrap();
            assert!(kind.starts_with("text/event-stream"), "{kind}");
            let text = String::from_utf8(bytes_of(response).await.to_vec()).unwrap();
            assert!(text.contains("Hel") && text.contains(end), "{text}");
        }
        stage.is_empty().await;
    });
}

/// What belongs to the client's connection, and its key, stay here; its name for the request goes
/// on, and comes back.
#[test]
fn the_upstream_sees_what_is_its_business() {
    live(async {
        let stage = Stage::new(Upstream::answering(whole_answer)).await;
        let raw = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: gateway\r\nx-api-key: {}\r\n\
             x-request-id: mine-7\r\nanthropic-beta: b1\r\nconnection: close, x-hop\r\n\
             x-hop: 1\r\nproxy-authorization: Basic hop\r\nte: trailers\r\nupgrade: h9\r\n\
             cookie: c=1\r\ncontent-length: {}\r\n\r\n{}",
            stage::CLIENT_KEY,
            asking(false).len(),
            asking(false)
        );
        let told = stage.raw(raw.as_bytes()).await;
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
        assert!(told.contains("x-request-id: mine-7"), "{told}");
        let seen = stage.upstream.seen();
        let headers = &seen[0].0;
        assert_eq!(headers["x-api-key"], stage::ACCOUNT_KEY);
        assert_eq!(headers["x-request-id"], "mine-7");
        assert_eq!(headers["anthropic-beta"], "b1");
        for own in [
            "x-hop",
            "proxy-authorization",
            "te",
            "upgrade",
            "cookie",
            "connection",
        ] {
            assert!(!headers.contains_key(own), "{own} was passed on");
        }
        assert!(!format!("{seen:?}").contains(stage::CLIENT_KEY));
    });
}

#[test]
fn a_request_without_a_name_is_given_one() {
    live(async {
        let stage = Stage::new(Upstream::answering(whole_answer)).await;
        let mut names = vec![];
        for _ in 0..2 {
            let response = stage.post("/v1/messages", &asking(false)).await;
            let name = response.headers()["x-request-id"].clone();
            assert_eq!(name, response.headers()["request-id"]);
            names.push(name);
        }
        assert_ne!(names[0], names[1]);
        assert_eq!(stage.upstream.seen()[1].0["x-request-id"], names[1]);
    });
}

#[test]
fn http2_without_tls_is_understood() {
    live(async {
        let stage = Stage::new(Upstream::answering(stage::streamed_answer)).await;
        let client = stage::http2_client();
        let request = stage.request("/v1/messages", &asking(true));
        let response = client.request(request).await.unwrap();
        assert_eq!(response.version(), hyper::Version::HTTP_2);
        let text = bytes_of(response).await;
        assert!(text.ends_with(b"\n\n"));
        stage.is_empty().await;
    });
}

/// Errors that never reach routing: each has its status, and the form of the path's dialect.
#[test]
fn every_refusal_is_well_formed_in_its_dialect() {
    live(async {
        let stage = Stage::new(Upstream::answering(whole_answer)).await;
        let good = asking(false);
        let unknown_model = good.replace("claude", "gpt-9");
        for path in BOTH {
            let wrong = |header: &'static str, value: &'static str| {
                let mut request = stage.request(path, &good);
                request.headers_mut().insert(header, value.parse().unwrap());
                request
            };
            let with_method = |method: &str| {
                let mut request = stage.request(path, "");
                *request.method_mut() = method.parse().unwrap();
                request
            };
            for (request, status) in [
                (wrong("x-api-key", "sk-nobody"), 401),
                (wrong("content-type", "text/plain"), 415),
                (wrong("content-encoding", "gzip"), 415),
                (wrong("x-routelab-priority", "urgent"), 400),
                (wrong("x-routelab-region", "mars"), 400),
                (wrong("x-routelab-colour", "red"), 400),
                (with_method("GET"), 405),
                (with_method("DELETE"), 405),
                (stage.request(path, "{"), 400),
                (stage.request(path, "[]"), 400),
                (stage.request(path, "{}"), 400),
                (stage.request(path, &unknown_model), 404),
            ] {
                let shown = format!("{request:?}");
                let response = stage.send(request).await;
                assert_eq!(response.status(), status, "{shown}");
                let allow = response.headers().get("allow").cloned();
                assert_eq!(allow.is_some_and(|allow| allow == "POST"), status == 405);
                stage::assert_error(path, response).await;
            }
        }
        let missing = stage.get("/v2/messages").await;
        assert_eq!(missing.status(), 404);
        assert!(stage.upstream.seen().is_empty(), "none was sent on");
    });
}

#[test]
fn the_models_are_listed_in_either_dialect() {
    live(async {
        let stage = Stage::new(Upstream::answering(whole_answer)).await;
        for version in [None, Some("2023-06-01")] {
            let mut request = stage.request("/v1/models", "");
            *request.method_mut() = hyper::Method::GET;
            if let Some(version) = version {
                let headers = request.headers_mut();
                headers.insert("anthropic-version", version.parse().unwrap());
            }
            let list = bytes_of(stage.send(request).await).await;
            let list: Value = serde_json::from_slice(&list).unwrap();
            assert_eq!(list["data"][0]["id"], "claude", "{list}");
            assert_eq!(list.get("has_more").is_some(), version.is_some());
        }
    });
}

/// An upstream's error comes through in the client's dialect, with the time to come back.
#[test]
fn an_upstreams_refusal_is_told_with_its_wait() {
    live(async {
        let stage = Stage::new(Upstream::answering(stage::rate_limited)).await;
        for path in BOTH {
            let response = stage.post(path, &asking(false)).await;
            let status = response.status().as_u16();
            // The first runs into the limit; the second finds the account cooling down.
            assert!([429, 503].contains(&status), "{status}");
            let wait = response.headers()["retry-after"].to_str().unwrap();
            assert!((1..=7).contains(&wait.parse::<u32>().unwrap()), "{wait}");
            stage::assert_error(path, response).await;
        }
        stage.is_empty().await;
    });
}
