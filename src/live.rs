//! Real time: what stands between the routing core and the wire.
//!
//! The core decides; this layer only speaks. A client's request is read in the client's dialect
//! ([`client`]), becomes one unified [`chat::ChatRequest`], is written in the provider's shape
//! ([`provider`]), and the answer goes the same way back. All of it is sans-I/O: bytes in, bytes
//! out, no socket and no clock. So every form of answer and error can be tested against the
//! published shapes, byte by byte and cut at any place.
//!
//! Why one unified form and not a translator for each pair: with two dialects and two providers
//! there are four pairs, and a third of either makes six. What the unified form cannot say (tools,
//! thinking, citations) is not lost where both sides speak the same dialect: there the client's own
//! body goes upstream, and the provider's own bytes go back.

pub mod chat;
pub mod client;
pub mod clock;
pub mod emulate;
pub mod json_log;
pub mod load;
pub mod provider;
pub mod proxy;
pub mod retry_after;
pub mod server;
pub mod sse;
