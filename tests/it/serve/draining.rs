//! Shutting down, and whether the server says that it is there.

use super::stage::{Stage, Upstream, account, asking, bytes_of, live, whole_answer};
use routelab::live::proxy::ProxyConfig;
use routelab::live::server::Drained;
use routelab::routing::account::Availability;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

#[test]
fn alive_and_ready_are_two_things() {
    live(async {
        let stage = Stage::new(Upstream::answering(whole_answer)).await;
        assert_eq!(stage.get("/health").await.status(), 200);
        assert_eq!(stage.get("/ready").await.status(), 200);
        let mut disabled = account("a", stage.upstream.addr);
        disabled.availability = Availability::Disabled;
        stage.proxy.set_accounts(&[disabled]).unwrap();
        assert_eq!(stage.get("/health").await.status(), 200);
        let unready = stage.get("/ready").await;
        assert_eq!(unready.status(), 503);
        assert_eq!(bytes_of(unready).await, "no account is enabled\n");
    });
}

/// Between the order and the end of accepting, a load balancer can see it.
#[test]
fn a_draining_server_says_so_first() {
    live(async {
        let upstream = Upstream::answering(whole_answer);
        let stage = Stage::with(upstream, ProxyConfig::default(), |config| {
            config.limits.ready_delay = Duration::from_secs(3_600);
        })
        .await;
        stage.shutdown.send(()).unwrap();
        let addr = stage.addr;
        let unready = loop {
            let told = {
                let request = b"GET /ready HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n";
                let mut stream = TcpStream::connect(addr).await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut stream, request)
                    .await
                    .unwrap();
                let mut told = String::new();
                tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut told)
                    .await
                    .unwrap();
                told
            };
            if !told.starts_with("HTTP/1.1 200") {
                break told;
            }
        };
        assert!(unready.starts_with("HTTP/1.1 503"), "{unready}");
        assert!(unready.contains("draining"), "{unready}");
    });
}

/// Accepting ends at once, what is under way is answered, and only then does the server end.
#[test]
fn requests_under_way_are_answered_before_the_end() {
    live(async {
        let gate = Arc::new(Semaphore::new(0));
        let stage = Stage::new(Upstream::held(Arc::clone(&gate), whole_answer)).await;
        let request = stage.request("/v1/messages", &asking(false));
        let Stage {
            shutdown,
            served,
            addr,
            ref upstream,
            ..
        } = stage;
        let client = super::stage::http2_client();
        let under_way = tokio::spawn(client.request(request));
        while upstream.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        shutdown.send(()).unwrap();
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!served.is_finished(), "it waits");
        gate.add_permits(1);
        let response = under_way.await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        assert!(!bytes_of(response).await.is_empty());
        drop(client);
        assert_eq!(served.await.unwrap(), Drained { cut: 0 });
    });
}

/// What does not end in its time is cut, and its account is free again.
#[test]
fn a_drain_ends() {
    live(async {
        let upstream = Upstream::answering(super::stage::endless_answer);
        let stage = Stage::with(upstream, ProxyConfig::default(), |config| {
            config.limits.drain_timeout = Duration::ZERO;
        })
        .await;
        let response = stage.post("/v1/messages", &asking(true)).await;
        assert_eq!(response.status(), 200);
        stage.shutdown.send(()).unwrap();
        let drained = stage.served.await.unwrap();
        assert_eq!(drained, Drained { cut: 1 });
        assert_eq!(stage.proxy.in_flight(), 0);
        drop(response);
    });
}
