//! An upstream that does what a script says, byte by byte, on real sockets.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// One answer, step by step.
pub type Script = Vec<Step>;

/// What the upstream does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Writes these bytes.
    Write(Vec<u8>),
    /// Writes these bytes, one in a packet.
    Dribble(Vec<u8>),
    /// Writes this again and again, until the other side takes no more.
    Flood(Vec<u8>),
    /// Says no more, but leaves the connection open until the other side closes it.
    Hang,
    /// Closes its own direction, in order.
    Close,
    /// Resets the connection.
    Reset,
}

/// What the upstream has seen.
#[derive(Debug)]
pub enum Seen {
    /// A request: its head, in lower case, and its body.
    Request(String, Vec<u8>),
    /// The other side has closed a connection that was left open or flooded; so many bytes of the
    /// flood were taken.
    Left(u64),
}

/// A listening upstream. It stops with the runtime.
pub struct Upstream {
    pub address: SocketAddr,
    pub seen: mpsc::UnboundedReceiver<Seen>,
    scripts: Arc<Mutex<VecDeque<Script>>>,
}

impl Upstream {
    /// Follows one script after the other, one a request; after the last it closes connections.
    pub async fn start(scripts: impl IntoIterator<Item = Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let scripts = Arc::new(Mutex::new(scripts.into_iter().collect()));
        let (send, seen) = mpsc::unbounded_channel();
        let shared = Arc::clone(&scripts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&shared), send.clone()));
            }
        });
        Self {
            address,
            seen,
            scripts,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next request that has come.
    pub async fn request(&mut self) -> (String, Vec<u8>) {
        loop {
            match self.seen.recv().await.expect("it listens") {
                Seen::Request(head, body) => return (head, body),
                Seen::Left(_) => {}
            }
        }
    }

    /// Waits until the other side has left; bytes that it took of a flood.
    pub async fn left(&mut self) -> u64 {
        loop {
            match self.seen.recv().await.expect("it listens") {
                Seen::Left(taken) => return taken,
                Seen::Request(..) => {}
            }
        }
    }

    pub fn scripts_left(&self) -> usize {
        self.scripts.lock().expect("whole").len()
    }
}

async fn converse(
    mut stream: TcpStream,
    scripts: Arc<Mutex<VecDeque<Script>>>,
    seen: mpsc::UnboundedSender<Seen>,
) {
    stream.set_nodelay(true).expect("a socket");
    while let Some((head, body)) = read_request(&mut stream).await {
        let _ = seen.send(Seen::Request(head, body));
        let next = scripts.lock().expect("whole").pop_front();
        let Some(script) = next else { return };
        for step in script {
            if !follow(step, &mut stream, &seen).await {
                return;
            }
        }
    }
}

/// Whether the connection goes on.
async fn follow(step: Step, stream: &mut TcpStream, seen: &mpsc::UnboundedSender<Seen>) -> bool {
    match step {
        Step::Write(bytes) => stream.write_all(&bytes).await.is_ok(),
        Step::Dribble(bytes) => {
            for byte in bytes {
                if stream.write_all(&[byte]).await.is_err() {
                    return false;
                }
                tokio::task::yield_now().await;
            }
            true
        }
        Step::Flood(bytes) => {
            let mut taken = 0;
            while let Ok(some) = stream.write(&bytes).await {
                taken += some as u64;
            }
            let _ = seen.send(Seen::Left(taken));
            false
        }
        Step::Hang => {
            let mut rest = [0; 1024];
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            let _ = seen.send(Seen::Left(0));
            false
        }
        Step::Close => {
            let _ = stream.shutdown().await;
            let mut rest = [0; 1024];
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            false
        }
        Step::Reset => {
            // Closed with no time to linger, a socket sends a reset.
            let _ = stream.set_zero_linger();
            false
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = vec![];
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().expect("a number"));
    while bytes.len() < head + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some((text, bytes[head..].to_vec()))
}

/// A whole answer with this status, further headers, and body.
pub fn reply(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

/// The head of a streamed answer that ends with the connection.
pub fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".to_vec()
}
