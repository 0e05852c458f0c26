//! What clients cannot do to the server.

use super::stage::{CLIENT_KEY, Stage, Upstream, asking, assert_error, bytes_of, endless_answer};
use super::stage::{live, whole_answer};
use http_body_util::BodyExt;
use routelab::live::proxy::ProxyConfig;
use routelab::live::server::ServerLimits;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

async fn limited(limits: ServerLimits) -> Stage {
    let upstream = Upstream::answering(whole_answer);
    Stage::with(upstream, ProxyConfig::default(), |config| {
        config.limits = limits;
    })
    .await
}

fn head(more: &str) -> String {
    format!("POST /v1/messages HTTP/1.1\r\nhost: g\r\nx-api-key: {CLIENT_KEY}\r\n{more}\r\n")
}

/// A body that is too long is refused by what it states, before any of it is read, and where it
/// states nothing, once it is.
#[test]
fn a_long_body_is_refused() {
    live(async {
        let limits = ServerLimits {
            max_body_bytes: 200,
            ..ServerLimits::default()
        };
        let stage = limited(limits).await;
        let stated = stage.raw(head("content-length: 201\r\n").as_bytes()).await;
        assert!(stated.starts_with("HTTP/1.1 413"), "{stated}");
        assert!(stated.contains("request_too_large"), "{stated}");
        let chunk = format!("c9\r\n{}\r\n", "x".repeat(201));
        let chunked = head("transfer-encoding: chunked\r\n") + &chunk;
        let told = stage.raw(chunked.as_bytes()).await;
        assert!(told.starts_with("HTTP/1.1 413"), "{told}");
        let response = stage.post("/v1/messages", &asking(false)).await;
        assert_eq!(response.status(), 200);
        for path in super::BOTH {
            let response = stage.post(path, &" ".repeat(201)).await;
            assert_eq!(response.status(), 413);
            assert_error(path, response).await;
        }
    });
}

#[test]
fn heads_that_are_too_large_are_refused() {
    live(async {
        let limits = ServerLimits {
            max_header_bytes: 8 << 10,
            max_headers: 20,
            ..ServerLimits::default()
        };
        let stage = limited(limits).await;
        let many: String = (0..21).map(|n| format!("x-{n}: 1\r\n")).collect();
        let large = format!("x-large: {}\r\n", "x".repeat(9 << 10));
        for more in [many, large] {
            let told = stage.raw(head(&more).as_bytes()).await;
            assert!(told.starts_with("HTTP/1.1 431"), "{told}");
        }
    });
}

/// Two readings of where a request ends are how one request is smuggled inside another.
#[test]
fn conflicting_lengths_are_refused() {
    live(async {
        let stage = limited(ServerLimits::default()).await;
        for lengths in [
            "content-length: 5\r\ncontent-length: 6\r\n",
            "content-length: 5, 6\r\n",
            "content-length: +5\r\n",
            "content-length: 0x5\r\n",
            "transfer-encoding: gzip\r\n",
            "transfer-encoding: chunked, identity\r\n",
        ] {
            let told = stage.raw((head(lengths) + "{}   ").as_bytes()).await;
            assert!(told.starts_with("HTTP/1.1 400"), "{lengths}: {told}");
        }
        // Both: the chunks count, and the connection is not used again.
        let both = head("content-length: 3\r\ntransfer-encoding: chunked\r\n");
        let both = both + "0\r\n\r\nGET /health HTTP/1.1\r\n\r\n";
        let told = stage.raw(both.as_bytes()).await;
        assert!(told.starts_with("HTTP/1.1 400"), "{told}");
        assert_eq!(told.matches("HTTP/1.1").count(), 1, "{told}");
        assert!(told.contains("connection: close"), "{told}");
        assert!(stage.upstream.seen().is_empty());
    });
}

#[test]
fn a_client_that_is_slow_with_its_body_is_told() {
    live(async {
        let limits = ServerLimits {
            body_timeout: Duration::ZERO,
            ..ServerLimits::default()
        };
        let stage = limited(limits).await;
        let begun = head("content-length: 10\r\n") + "{";
        let told = stage.raw(begun.as_bytes()).await;
        assert!(told.starts_with("HTTP/1.1 408"), "{told}");
        assert!(told.contains("timeout_error"), "{told}");
    });
}

/// Whoever does not say what he wants is not kept: not in silence, not in the middle of a head, not
/// in the middle of the preface of HTTP/2.
#[test]
fn a_client_that_is_slow_with_its_head_is_closed() {
    live(async {
        let limits = ServerLimits {
            header_timeout: Duration::from_millis(1),
            ..ServerLimits::default()
        };
        let stage = limited(limits).await;
        for begun in [
            "",
            "P",
            "PRI * HTTP/2.0\r\n",
            "POST /v1/messages HTTP/1.1\r\nhost",
        ] {
            let told = stage.raw(begun.as_bytes()).await;
            assert!(!told.contains("HTTP/1.1 200"), "{told}");
        }
    });
}

#[test]
fn one_request_too_many_is_told_to_come_back() {
    live(async {
        let gate = Arc::new(Semaphore::new(0));
        let upstream = Upstream::held(Arc::clone(&gate), whole_answer);
        let stage = Stage::with(upstream, ProxyConfig::default(), |config| {
            config.limits.max_requests = 1;
        })
        .await;
        let body = asking(false);
        let first = async {
            let response = stage.post("/v1/messages", &body).await;
            assert_eq!(response.status(), 200);
            bytes_of(response).await
        };
        let second = async {
            stage.seen(1).await;
            for path in super::BOTH {
                let response = stage.post(path, &body).await;
                assert_eq!(response.status(), 503);
                assert_eq!(response.headers()["retry-after"], "1");
                assert_error(path, response).await;
            }
            assert_eq!(
                stage.get("/health").await.status(),
                200,
                "others are served"
            );
            gate.add_permits(2);
        };
        tokio::join!(first, second);
        // The first is not over until the server has seen that all of it was sent.
        while stage.post("/v1/messages", &body).await.status() != 200 {}
        stage.is_empty().await;
    });
}

/// A client that leaves in the middle of its stream, or before its answer, frees all that it held.
#[test]
fn a_client_that_leaves_is_let_go() {
    live(async {
        let upstream = Upstream::answering(endless_answer);
        let stage = Stage::with(upstream, ProxyConfig::default(), |config| {
            config.limits.max_requests = 1;
        })
        .await;
        for _ in 0..3 {
            let response = stage.post("/v1/messages", &asking(true)).await;
            assert_eq!(response.status(), 200);
            let mut body = response.into_body();
            let piece = body.frame().await.expect("a piece").expect("sound");
            assert!(piece.into_data().expect("data").starts_with(b"event: "));
            assert_eq!(stage.proxy.in_flight(), 1);
            drop(body);
            stage.is_empty().await;
        }
    });
}

#[test]
fn a_client_that_leaves_before_its_answer_is_let_go() {
    live(async {
        let gate = Arc::new(Semaphore::new(0));
        let stage = Stage::new(Upstream::held(gate, whole_answer)).await;
        let body = asking(false);
        let length = format!("content-length: {}\r\n", body.len());
        let mut stream = TcpStream::connect(stage.addr).await.unwrap();
        let request = head(&length) + &body;
        stream.write_all(request.as_bytes()).await.unwrap();
        stage.seen(1).await;
        assert_eq!(stage.proxy.in_flight(), 1);
        drop(stream);
        stage.is_empty().await;
    });
}

/// The client is asked to go on before its body is read, and not if it is not wanted.
#[test]
fn a_body_is_only_asked_for_if_it_is_wanted() {
    live(async {
        let stage = limited(ServerLimits::default()).await;
        let unknown = head("expect: 100-continue\r\ncontent-length: 10\r\n");
        let told = stage
            .raw(unknown.replace(CLIENT_KEY, "nobody").as_bytes())
            .await;
        assert!(told.starts_with("HTTP/1.1 401"), "{told}");
        let mut stream = TcpStream::connect(stage.addr).await.unwrap();
        let wanted = head("expect: 100-continue\r\ncontent-length: 10\r\n");
        stream.write_all(wanted.as_bytes()).await.unwrap();
        let mut told = [0; 12];
        stream.read_exact(&mut told).await.unwrap();
        assert_eq!(&told, b"HTTP/1.1 100");
    });
}
