//! The log, and that no key is ever written anywhere.

use super::stage::{ACCOUNT_KEY, CLIENT_KEY, Stage, Upstream, asking, bytes_of, live};
use super::stage::{rate_limited, whole_answer};
use routelab::live::json_log::{JsonLog, LogWriter};
use routelab::live::proxy::ProxyConfig;
use serde_json::Value;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged() -> (ProxyConfig, LogWriter, Shared) {
    let out = Shared::default();
    let (log, writer) = JsonLog::start(out.clone(), 100).unwrap();
    let config = ProxyConfig {
        log: Some(Box::new(log)),
        ..ProxyConfig::default()
    };
    (config, writer, out)
}

/// Ends a stage, so that its log is whole.
async fn end(stage: Stage, writer: LogWriter) {
    let Stage {
        shutdown,
        served,
        proxy,
        control,
        ..
    } = stage;
    shutdown.send(()).unwrap();
    served.await.unwrap();
    drop(control);
    // Tasks that are just ending still hold it.
    while Arc::strong_count(&proxy) > 1 {
        tokio::task::yield_now().await;
    }
    drop(proxy);
    tokio::task::spawn_blocking(|| writer.finish())
        .await
        .unwrap();
}

/// A line for each request that routing has seen, by its name, with its attempts.
#[test]
fn each_request_has_its_line() {
    live(async {
        let (config, writer, out) = logged();
        let upstream = Upstream::answering(whole_answer);
        let stage = Stage::with(upstream, config, |_| {}).await;
        for name in ["one", "two"] {
            let mut request = stage.request("/v1/messages", &asking(false));
            let headers = request.headers_mut();
            headers.insert("x-request-id", name.parse().unwrap());
            bytes_of(stage.send(request).await).await;
        }
        end(stage, writer).await;
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2, "{text}");
        for (line, name) in lines.iter().zip(["one", "two"]) {
            assert_eq!(line["request_id"], name);
            assert_eq!(line["client"], "tester");
            assert_eq!(line["model"], "claude");
            assert_eq!(line["outcome"], "success");
            assert_eq!(line["attempts"][0]["account"], "a");
            assert_eq!(line["attempts"][0]["output_tokens"], 5);
        }
    });
}

/// Whatever goes wrong: neither the client's key nor the account's is in an answer, in the log, or
/// in the metrics.
#[test]
fn no_key_is_written_anywhere() {
    live(async {
        let (config, writer, out) = logged();
        let upstream = Upstream::answering(rate_limited);
        let stage = Stage::with(upstream, config, |_| {}).await;
        let mut written = vec![];
        for path in super::BOTH {
            for body in [&asking(false), "{", CLIENT_KEY] {
                // The last quotes nothing of the body, which is no JSON.
                let response = stage.post(path, body).await;
                written.extend(format!("{:?}", response.headers()).into_bytes());
                written.extend(bytes_of(response).await);
            }
            let mut request = stage.request(path, &asking(false));
            let headers = request.headers_mut();
            headers.insert(
                "authorization",
                format!("Bearer {CLIENT_KEY}").parse().unwrap(),
            );
            headers.insert("x-api-key", format!("{CLIENT_KEY}x").parse().unwrap());
            written.extend(bytes_of(stage.send(request).await).await);
        }
        written.extend(bytes_of(stage.get("/metrics").await).await);
        end(stage, writer).await;
        written.extend(out.0.lock().unwrap().clone());
        let written = String::from_utf8_lossy(&written);
        assert!(written.contains("rate_limited"), "{written}");
        for key in [CLIENT_KEY, ACCOUNT_KEY] {
            assert!(!written.contains(key), "{written}");
        }
    });
}

/// A log that nobody reads costs lines, not time: requests go on, and the lines are counted.
#[test]
fn a_log_that_is_stuck_drops_lines_and_says_so() {
    struct Stuck(std::sync::mpsc::Receiver<()>);
    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (free, stuck) = std::sync::mpsc::channel();
    live(async {
        let (log, writer) = JsonLog::start(Stuck(stuck), 1).unwrap();
        let dropped = writer.dropped();
        let config = ProxyConfig {
            log: Some(Box::new(log)),
            ..ProxyConfig::default()
        };
        let upstream = Upstream::answering(whole_answer);
        let stage = Stage::with(upstream, config, |config| {
            config.dropped_log_lines = Some(Arc::clone(&dropped));
        })
        .await;
        for _ in 0..5 {
            let response = stage.post("/v1/messages", &asking(false)).await;
            assert_eq!(response.status(), 200);
        }
        // One is being written, one waits.
        let count = dropped.load(Ordering::Relaxed);
        assert!((3..=4).contains(&count), "{count}");
        let page = bytes_of(stage.get("/metrics").await).await;
        let line = format!("\nroutelab_log_lines_dropped_total {count}\n");
        assert!(std::str::from_utf8(&page).unwrap().contains(&line));
        drop(free);
    });
}
