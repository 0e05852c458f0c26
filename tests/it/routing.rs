//! The routing code against oracles: definitions worked out from scratch, and models so plain that
//! they can be checked by eye.

mod confidence;
mod failures;
mod geographic;
mod none_available;
mod request_life;
mod response_cache;
mod router;
mod strategies;
mod weighted;
