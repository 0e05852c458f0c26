//! The proxy over real sockets: every way in which an upstream can misbehave gives the client a
//! well-formed error, the core the right kind of failure, and nothing left in flight.

mod upstream;

use routelab::live::chat::Dialect;
use routelab::live::client;
use routelab::live::proxy::{
    BreakerChange, ExchangeLimits, HttpConfig, IntelligentProxy, Log, ProxyAccount, ProxyBody,
    ProxyConfig, ProxyError, ProxyRequest, ProxyResponse, Secret, Trace,
};
use routelab::record::{CacheUse, Outcome, RequestRecord};
use routelab::request::{FailureKind, Provider};
use routelab::routing::config::{CacheConfig, RoutingConfig};
use routelab::time::Duration;
use routelab::units::{Price, Prices};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use upstream::{Script, Step, Upstream, reply, stream_head};

const ANTHROPIC_STREAM: &str = "event: message_start\n\
data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\
\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\
\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n\
event: content_block_start\n\
data: {\"type\":\"content_block_start\",\"index\":0,\
\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
event: content_block_delta\n\
data: {\"type\":\"content_block_delta\",\"index\":0,\
\"delta\":{\"type\":\"text_delta\",\"text\":\"Gr\u{fc}\u{df}e\"}}\n\n";

const ANTHROPIC_STREAM_REST: &str = "event: content_block_stop\n\
data: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
event: message_delta\n\
data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\
\"stop_sequence\":null},\"usage\":{\"output_tokens\":15}}\n\n\
event: message_stop\n\
data: {\"type\":\"message_stop\"}\n\n";

/// Tells the test of every request's end.
struct Ends(mpsc::UnboundedSender<RequestRecord>);

impl Log for Ends {
    fn request_ended(&mut self, trace: &Trace) {
        assert_eq!(trace.attempts.len(), usize::from(trace.record.attempts));
        let _ = self.0.send(*trace.record);
    }

    fn breaker_changed(&mut self, _: &BreakerChange) {}
}

struct World {
    proxy: IntelligentProxy,
    ends: mpsc::UnboundedReceiver<RequestRecord>,
}

impl World {
    fn new(routing: RoutingConfig, limits: ExchangeLimits) -> Self {
        let (send, ends) = mpsc::unbounded_channel();
        let config = ProxyConfig {
            routing,
            limits,
            http: HttpConfig {
                connect_timeout: std::time::Duration::from_millis(500),
                ..HttpConfig::default()
            },
            log: Some(Box::new(Ends(send))),
            ..ProxyConfig::default()
        };
        let proxy = IntelligentProxy::with_config(config).expect("right settings");
        Self { proxy, ends }
    }

    /// A world that tries once.
    fn once(change: impl FnOnce(&mut RoutingConfig)) -> Self {
        let mut routing = RoutingConfig::default();
        routing.retry.max_attempts = 1;
        change(&mut routing);
        let limits = ExchangeLimits {
            most_answer_bytes: 100_000,
            ..ExchangeLimits::default()
        };
        Self::new(routing, limits)
    }

    async fn ended(&mut self) -> RequestRecord {
        self.ends.recv().await.expect("the proxy lives")
    }

    /// The only end that there was, with nothing left in flight.
    async fn only_end(&mut self) -> RequestRecord {
        let end = self.ended().await;
        assert!(self.ends.try_recv().is_err(), "a request has ended twice");
        assert_eq!(self.proxy.in_flight(), 0);
        for (account, metrics) in self.proxy.get_all_metrics().await {
            assert_eq!(metrics.learned.in_flight, 0, "{account}");
        }
        end
    }

    async fn failures(&self, kind: FailureKind) -> u64 {
        let metrics = self.proxy.get_all_metrics().await;
        metrics
            .iter()
            .map(|(_, metrics)| metrics.failed_attempts[kind.at()])
            .sum()
    }
}

fn prices() -> Prices {
    let price = |text| Price::parse(text).expect("a price");
    Prices {
        input: price("$3/Mtok"),
        output: price("$15/Mtok"),
        cached_input: price("$0.3/Mtok"),
    }
}

fn account(id: &str, provider: Provider, url: &str) -> ProxyAccount {
    ProxyAccount::new(id, provider, url, Secret::new(format!("key-of-{id}"))).serving("m", prices())
}

fn request(dialect: Dialect, stream: bool) -> ProxyRequest {
    let mut body = json!({
        "model": "m",
        "max_tokens": 100,
        "stream": stream,
        "messages": [{"role": "user", "content": "Hello"}],
    });
    if dialect == Dialect::OpenAi && stream {
        body["stream_options"] = json!({"include_usage": true});
    }
    let chat = client::request(dialect, body.to_string().as_bytes()).expect("a right request");
    ProxyRequest::new(chat)
}

fn repeatable(dialect: Dialect, stream: bool) -> ProxyRequest {
    let mut request = request(dialect, stream);
    request.chat.temperature = Some(0.0);
    request
}

fn whole(response: &ProxyResponse) -> Value {
    match &response.body {
        ProxyBody::Whole { bytes, .. } => serde_json::from_slice(bytes).expect("JSON"),
        ProxyBody::Stream(_) => panic!("streamed"),
    }
}

async fn read(response: ProxyResponse) -> String {
    let ProxyBody::Stream(mut stream) = response.body else {
        panic!("not streamed")
    };
    let mut all = vec![];
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece);
    }
    String::from_utf8(all).expect("UTF-8")
}

fn anthropic_answer() -> String {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": "Hi there"}],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 1000, "output_tokens": 200},
    })
    .to_string()
}

fn gemini_answer() -> String {
    json!({
        "candidates": [{
            "content": {"parts": [{"text": "Hi there"}], "role": "model"},
            "finishReason": "STOP", "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": 1000, "candidatesTokenCount": 200, "totalTokenCount": 1200,
        },
        "modelVersion": "m", "responseId": "r1",
    })
    .to_string()
}

fn json_reply(body: &str) -> Script {
    vec![Step::Write(reply(
        200,
        "content-type: application/json\r\n",
        body,
    ))]
}

#[tokio::test]
async fn either_provider_answers_either_dialect() {
    for dialect in [Dialect::Anthropic, Dialect::OpenAi] {
        for (provider, answer) in [
            (Provider::Anthropic, anthropic_answer()),
            (Provider::Google, gemini_answer()),
        ] {
            let mut upstream = Upstream::start([json_reply(&answer)]).await;
            let mut world = World::once(|_| {});
            let accounts = [account("a", provider, &upstream.url())];
            let mut request = request(dialect, false);
            request.request_id = Some("client-7".parse().expect("a header"));
            let response = world.proxy.proxy_request(request, &accounts).await;
            let body = whole(&response.expect("an answer"));
            let text = match dialect {
                Dialect::Anthropic => &body["content"][0]["text"],
                Dialect::OpenAi => &body["choices"][0]["message"]["content"],
            };
            assert_eq!(text, "Hi there", "{body}");
            let (head, _) = upstream.request().await;
            assert!(head.contains("key-of-a\r\n"), "{head}");
            assert!(head.contains("x-request-id: client-7\r\n"), "{head}");
            let end = world.only_end().await;
            assert_eq!(end.outcome, Outcome::Success);
            assert_eq!((end.input_tokens, end.output_tokens), (1000, 200));
            // 1,000 tokens at $3 and 200 at $15 a million.
            assert_eq!(end.cost.0, 6_000_000);
        }
    }
}

#[tokio::test]
async fn a_stream_of_the_clients_own_dialect_goes_through_byte_by_byte() {
    let all = format!("{ANTHROPIC_STREAM}{ANTHROPIC_STREAM_REST}");
    let script = vec![
        Step::Write(stream_head()),
        Step::Dribble(all.clone().into_bytes()),
        Step::Close,
    ];
    let upstream = Upstream::start([script]).await;
    let mut world = World::once(|_| {});
    let accounts = [account("a", Provider::Anthropic, &upstream.url())];
    let request = request(Dialect::Anthropic, true);
    let response = world.proxy.proxy_request(request, &accounts).await;
    assert_eq!(read(response.expect("an answer")).await, all);
    let end = world.only_end().await;
    assert_eq!(end.outcome, Outcome::Success);
    assert_eq!((end.input_tokens, end.output_tokens), (25, 15));
    let first = end.first_token.expect("it was streamed");
    assert!(end.arrived <= first && first <= end.ended);
}

#[tokio::test]
async fn a_stream_is_translated_as_it_comes() {
    let script = vec![
        Step::Write(stream_head()),
        Step::Dribble(format!("{ANTHROPIC_STREAM}{ANTHROPIC_STREAM_REST}").into_bytes()),
        Step::Close,
    ];
    let upstream = Upstream::start([script]).await;
    let mut world = World::once(|_| {});
    let accounts = [account("a", Provider::Anthropic, &upstream.url())];
    let request = request(Dialect::OpenAi, true);
    let response = world.proxy.proxy_request(request, &accounts).await;
    let text = read(response.expect("an answer")).await;
    assert!(text.contains("Grüße"), "{text}");
    assert!(text.contains("\"completion_tokens\":15"), "{text}");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(world.only_end().await.outcome, Outcome::Success);
}

/// The first pieces reach the client while the rest has not been written: nothing is buffered.
#[tokio::test]
async fn the_first_piece_comes_before_the_last_is_written() {
    let script = vec![
        Step::Write(stream_head()),
        Step::Write(ANTHROPIC_STREAM.as_bytes().to_vec()),
        Step::Hang,
    ];
    let mut upstream = Upstream::start([script]).await;
    let mut world = World::once(|_| {});
    let accounts = [account("a", Provider::Anthropic, &upstream.url())];
    let request = request(Dialect::Anthropic, true);
    let response = world.proxy.proxy_request(request, &accounts).await;
    let ProxyBody::Stream(mut stream) = response.expect("an answer").body else {
        panic!("not streamed")
    };
    let piece = stream.next().await.expect("a piece");
    assert_eq!(piece, ANTHROPIC_STREAM.as_bytes());
    // The client leaves: the upstream is left too, and nothing stays in flight.
    drop(stream);
    upstream.left().await;
    let end = world.only_end().await;
    assert_eq!(end.outcome, Outcome::Failed(FailureKind::Cancelled));
    // The input is charged, as soon as the provider has told it.
    assert_eq!(end.input_tokens, 25);
}

#[tokio::test]
async fn who_leaves_before_the_answer_cancels_it() {
    let mut upstream = Upstream::start([vec![Step::Hang]]).await;
    let mut world = World::once(|_| {});
    let accounts = [account("a", Provider::Anthropic, &upstream.url())];
    let leaves = request(Dialect::Anthropic, false);
    tokio::select! {
        biased;
        answer = world.proxy.proxy_request(leaves, &accounts) => panic!("{answer:?}"),
        _ = upstream.request() => {}
    }
    upstream.left().await;
    let end = world.only_end().await;
    assert_eq!(end.outcome, Outcome::Failed(FailureKind::Cancelled));
}

/// What an upstream did, how, whether a stream was asked for, and which
/// failure that is.
type Misbehaviour = (&'static str, Script, bool, FailureKind);

const JSON: &str = "content-type: application/json\r\n";
const OVERLOADED: &str = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#;

/// Answers that break below HTTP, or within its framing.
fn broken_transport() -> Vec<Misbehaviour> {
    let failure = FailureKind::Connection;
    let cut = &anthropic_answer()[..40];
    let announced = Step::Write(
        format!("HTTP/1.1 200 OK\r\n{JSON}content-length: 5000\r\n\r\n{cut}").into_bytes(),
    );
    let endless = Step::Flood(b"x-more: and more\r\n".repeat(100));
    let status = Step::Write(b"HTTP/1.1 200 OK\r\n".to_vec());
    let mail = Step::Write(b"220 mail ready\r\n".to_vec());
    vec![
        ("reset at once", vec![Step::Reset], false, failure),
        ("closed without a word", vec![Step::Close], false, failure),
        (
            "reset within the body",
            vec![announced.clone(), Step::Reset],
            false,
            failure,
        ),
        (
            "closed within the body",
            vec![announced, Step::Close],
            false,
            failure,
        ),
        ("no HTTP", vec![mail, Step::Close], false, failure),
        ("endless headers", vec![status, endless], false, failure),
    ]
}

/// Answers that HTTP carries, and that are none.
fn no_answers() -> Vec<Misbehaviour> {
    let failure = FailureKind::BadGateway;
    let no_text = {
        let mut reply = reply(200, JSON, "text");
        reply.truncate(reply.len() - 4);
        reply.extend(b"\"\xff\xfe\"");
        reply
    };
    let too_long = json_reply(&"x".repeat(100_001));
    let cut = json_reply(&anthropic_answer()[..40]);
    let no_stream = json_reply(&anthropic_answer());
    vec![
        ("JSON cut short", cut, false, failure),
        ("no JSON", json_reply("<html>502</html>"), false, failure),
        ("empty", json_reply(""), false, failure),
        ("too long", too_long, false, failure),
        ("invalid UTF-8", vec![Step::Write(no_text)], false, failure),
        ("a stream that is JSON", no_stream, true, failure),
    ]
}

/// Errors that say so, whole or not.
fn told_errors() -> Vec<Misbehaviour> {
    let overloaded = Step::Write(reply(529, JSON, OVERLOADED));
    let cut = format!("HTTP/1.1 503 x\r\n{JSON}content-length: 99\r\n\r\n{{");
    vec![
        (
            "overloaded",
            vec![overloaded],
            false,
            FailureKind::Overloaded,
        ),
        (
            "an error without its end",
            vec![Step::Write(cut.into()), Step::Reset],
            false,
            FailureKind::Unavailable,
        ),
    ]
}

/// Streams that do not end as streams do.
fn broken_streams() -> Vec<Misbehaviour> {
    let stream = |what, text: &str, then, failure| {
        let text = text.as_bytes().to_vec();
        let script = vec![Step::Write(stream_head()), Step::Write(text), then];
        (what, script, true, failure)
    };
    let broken = FailureKind::BrokenStream;
    let error = format!("event: error\ndata: {OVERLOADED}\n\n");
    let cut = &ANTHROPIC_STREAM[..ANTHROPIC_STREAM.len() - 20];
    let late = format!("{ANTHROPIC_STREAM}{error}");
    let endless = Step::Flood(vec![b'x'; 4096]);
    vec![
        stream("ends at once", "", Step::Close, broken),
        stream("ends early", ANTHROPIC_STREAM, Step::Close, broken),
        stream("is reset", ANTHROPIC_STREAM, Step::Reset, broken),
        stream("is cut within an event", cut, Step::Close, broken),
        stream(
            "is an error before any content",
            &error,
            Step::Close,
            FailureKind::Overloaded,
        ),
        stream("is an error within the answer", &late, Step::Close, broken),
        stream("has an event without end", "", endless, broken),
    ]
}

/// What an upstream can do, and what kind of failure it is.
fn misbehaviours() -> Vec<Misbehaviour> {
    [
        broken_transport(),
        no_answers(),
        told_errors(),
        broken_streams(),
    ]
    .concat()
}

/// What the client got instead of an answer.
async fn told(answer: Result<ProxyResponse, ProxyError>, dialect: Dialect) -> Value {
    match answer {
        Err(error) => {
            assert!(error.error.status(dialect) >= 400);
            serde_json::from_slice(&error.error.body(dialect, "id")).expect("JSON")
        }
        Ok(response) => {
            let text = read(response).await;
            let last = text.rsplit("\n\n").find(|event| !event.trim().is_empty());
            let last = last.expect("an event");
            let data = last.lines().find_map(|line| line.strip_prefix("data: "));
            serde_json::from_str(data.expect("data")).unwrap_or_else(|e| panic!("{e}: {text}"))
        }
    }
}

#[tokio::test]
async fn every_misbehaviour_is_its_kind_of_failure() {
    for dialect in [Dialect::Anthropic, Dialect::OpenAi] {
        for (what, script, stream, kind) in misbehaviours() {
            let upstream = Upstream::start([script]).await;
            let mut world = World::once(|_| {});
            let accounts = [account("a", Provider::Anthropic, &upstream.url())];
            let answer = world
                .proxy
                .proxy_request(request(dialect, stream), &accounts)
                .await;
            let told = told(answer, dialect).await;
            assert!(told["error"]["message"].is_string(), "{what}: {told}");
            let end = world.only_end().await;
            assert_eq!(end.outcome, Outcome::Failed(kind), "{what}");
            assert_eq!(world.failures(kind).await, 1, "{what}");
            assert_eq!(upstream.scripts_left(), 0, "{what}");
        }
    }
}

#[tokio::test]
async fn where_nobody_listens_there_is_no_connection() {
    // Bound and given back: nobody listens there.
    let free = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        listener.expect("a free port").local_addr().expect("one")
    };
    // It waits for the end of a request that never comes, and never answers a handshake.
    let plain = Upstream::start([]).await;
    for url in [
        format!("http://{free}"),
        "http://no-such-host.invalid".to_owned(),
        // No TLS is spoken there.
        format!("https://{}", plain.address),
    ] {
        let mut world = World::once(|_| {});
        let accounts = [account("a", Provider::Anthropic, &url)];
        let answer = world
            .proxy
            .proxy_request(request(Dialect::Anthropic, false), &accounts)
            .await;
        assert_eq!(told(answer, Dialect::Anthropic).await["type"], "error");
        let end = world.only_end().await;
        assert_eq!(
            end.outcome,
            Outcome::Failed(FailureKind::Connection),
            "{url}"
        );
    }
}

#[tokio::test]
async fn timeouts_are_the_cores() {
    use FailureKind as K;
    let short = Some(Duration::from_millis(30));
    let begun = vec![
        Step::Write(stream_head()),
        Step::Write(ANTHROPIC_STREAM.as_bytes().to_vec()),
        Step::Hang,
    ];
    type Change = fn(&mut RoutingConfig, Option<Duration>);
    let cases: [(Change, Script, bool, FailureKind); 5] = [
        (
            |c, t| c.deadline = t,
            vec![Step::Hang],
            false,
            K::DeadlineExceeded,
        ),
        (
            |c, t| c.attempt_timeout = t,
            vec![Step::Hang],
            false,
            K::AttemptTimeout,
        ),
        (
            |c, t| c.first_token_timeout = t,
            vec![Step::Hang],
            true,
            K::FirstTokenTimeout,
        ),
        (
            |c, t| c.idle_timeout = t,
            begun.clone(),
            true,
            K::IdleTimeout,
        ),
        (|c, t| c.deadline = t, begun, true, K::DeadlineExceeded),
    ];
    for (change, script, stream, kind) in cases {
        let mut upstream = Upstream::start([script]).await;
        let mut world = World::once(|config| change(config, short));
        let accounts = [account("a", Provider::Anthropic, &upstream.url())];
        let answer = world
            .proxy
            .proxy_request(request(Dialect::Anthropic, stream), &accounts)
            .await;
        assert_eq!(told(answer, Dialect::Anthropic).await["type"], "error");
        assert_eq!(world.only_end().await.outcome, Outcome::Failed(kind));
        // The connection is not left behind.
        upstream.left().await;
    }
}

#[tokio::test]
async fn a_failure_before_the_first_token_is_nobodys_but_the_upstreams() {
    let broken = vec![
        Step::Write(stream_head()),
        // Up to the first event, which is no content yet.
        Step::Write(ANTHROPIC_STREAM.as_bytes()[..150].to_vec()),
        Step::Reset,
    ];
    let all = format!("{ANTHROPIC_STREAM}{ANTHROPIC_STREAM_REST}");
    let right = vec![
        Step::Write(stream_head()),
        Step::Write(all.clone().into_bytes()),
        Step::Close,
    ];
    // Whichever is asked first fails, the other answers.
    let upstream = Upstream::start([broken, right]).await;
    let mut world = World::new(RoutingConfig::default(), ExchangeLimits::default());
    let accounts = ["a", "b"].map(|id| account(id, Provider::Anthropic, &upstream.url()));
    let answer = world
        .proxy
        .proxy_request(request(Dialect::Anthropic, true), &accounts)
        .await;
    assert_eq!(read(answer.expect("an answer")).await, all);
    let end = world.only_end().await;
    assert_eq!((end.outcome, end.attempts), (Outcome::Success, 2));
    assert_eq!(world.failures(FailureKind::BrokenStream).await, 1);
}

/// A client that does not read holds back the upstream, and counts as gone after a while; the
/// account has done nothing wrong.
#[tokio::test]
async fn a_client_that_does_not_read_holds_back_the_upstream() {
    let delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\
                 \"delta\":{\"type\":\"text_delta\",\"text\":\"more\"}}\n\n";
    let script = vec![
        Step::Write(stream_head()),
        Step::Write(ANTHROPIC_STREAM.as_bytes().to_vec()),
        Step::Flood(delta.repeat(50).into_bytes()),
    ];
    let mut upstream = Upstream::start([script]).await;
    let mut routing = RoutingConfig::default();
    routing.retry.max_attempts = 1;
    let limits = ExchangeLimits {
        client_stall: std::time::Duration::from_millis(50),
        ..ExchangeLimits::default()
    };
    let mut world = World::new(routing, limits);
    let accounts = [account("a", Provider::Anthropic, &upstream.url())];
    let answer = world
        .proxy
        .proxy_request(request(Dialect::Anthropic, true), &accounts)
        .await;
    let kept = answer.expect("an answer");
    let taken = upstream.left().await;
    // Socket buffers, and a queue of 16 pieces of at most some hundred kB.
    assert!(taken < 32 << 20, "{taken} bytes were read ahead");
    let end = world.only_end().await;
    assert_eq!(end.outcome, Outcome::Failed(FailureKind::Cancelled));
    drop(kept);
}

#[tokio::test]
async fn equal_requests_share_an_answer() {
    let mut upstream = Upstream::start([json_reply(&anthropic_answer())]).await;
    let routing = RoutingConfig {
        cache: Some(CacheConfig::default()),
        ..RoutingConfig::default()
    };
    let mut world = World::new(routing, ExchangeLimits::default());
    let accounts = [account("a", Provider::Anthropic, &upstream.url())];
    world.proxy.set_accounts(&accounts).expect("right");
    // Two at once, and one afterwards in the other dialect, as a stream.
    let (first, second) = tokio::join!(
        world.proxy.handle(repeatable(Dialect::Anthropic, false)),
        world.proxy.handle(repeatable(Dialect::OpenAi, false)),
    );
    assert_eq!(
        whole(&first.expect("one"))["content"][0]["text"],
        "Hi there"
    );
    let second = whole(&second.expect("one"));
    assert_eq!(second["choices"][0]["message"]["content"], "Hi there");
    let third = world.proxy.handle(repeatable(Dialect::OpenAi, true)).await;
    let third = read(third.expect("one")).await;
    assert!(
        third.contains("Hi there") && third.ends_with("data: [DONE]\n\n"),
        "{third}"
    );
    let mut uses = vec![];
    for _ in 0..3 {
        uses.push(world.ended().await.cache);
    }
    uses.sort();
    assert_eq!(uses, [CacheUse::Hit, CacheUse::Miss, CacheUse::Coalesced]);
    upstream.request().await;
    assert!(upstream.seen.try_recv().is_err(), "it was asked again");
}

#[tokio::test]
async fn the_pool_is_the_last_list_of_accounts() {
    let answers = || (0..9).map(|_| json_reply(&anthropic_answer()));
    let (first, second) = (
        Upstream::start(answers()).await,
        Upstream::start(answers()).await,
    );
    let mut world = World::once(|_| {});
    let list = [
        account("a", Provider::Anthropic, &first.url()),
        account("b", Provider::Anthropic, &second.url()),
    ];
    world.proxy.set_accounts(&list).expect("right");
    // A wrong list changes nothing.
    let twice = [list[0].clone(), list[0].clone()];
    assert!(world.proxy.set_accounts(&twice).is_err());
    let custom = [account("c", Provider::Custom, &first.url())];
    let error = world.proxy.set_accounts(&custom).expect_err("no adapter");
    assert!(error.to_string().contains("no adapter"), "{error}");
    for _ in 0..4 {
        let request = request(Dialect::Anthropic, false);
        world.proxy.handle(request).await.expect("an answer");
        world.ended().await;
    }
    // Without `a`, `b` gets all; what was learned of `a` is still there.
    let before = first.scripts_left();
    for _ in 0..4 {
        let request = request(Dialect::Anthropic, false);
        let answer = world.proxy.proxy_request(request, &list[1..]).await;
        answer.expect("an answer");
        world.ended().await;
    }
    assert_eq!(first.scripts_left(), before);
    assert_eq!(world.proxy.get_all_metrics().await.len(), 2);
    let stats = world.proxy.get_stats().await;
    assert_eq!((stats.total_requests, stats.successful_requests), (8, 8));
}

#[tokio::test]
async fn who_asks_for_what_nobody_serves_is_told_what_there_is() {
    let world = World::once(|_| {});
    let accounts = [account("a", Provider::Google, "http://127.0.0.1:9")];
    world.proxy.set_accounts(&accounts).expect("right");
    let mut unknown = request(Dialect::Anthropic, false);
    unknown.chat.model = "n".to_owned();
    let error = world.proxy.handle(unknown).await.expect_err("unknown");
    assert_eq!(error.error.status(Dialect::Anthropic), 404);
    assert!(error.to_string().contains("served are: m"), "{error}");
    // What only Anthropic understands, Google is not sent.
    let body = json!({
        "model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
        "tools": [{"name": "t", "input_schema": {"type": "object"}}],
    });
    let chat = client::request(Dialect::Anthropic, body.to_string().as_bytes());
    let tools = ProxyRequest::new(chat.expect("a right request"));
    let error = world.proxy.handle(tools).await.expect_err("nobody");
    assert_eq!(error.error.status(Dialect::Anthropic), 404);
}
