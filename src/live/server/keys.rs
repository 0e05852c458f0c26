//! Who may ask: clients by name, known by their keys.
//!
//! Only digests are kept, and every one is compared with the digest of what a client sends, to the
//! end, without a branch that depends on it: how long it takes to be refused says nothing about how
//! near a guess came. (A digest also makes all comparisons equally long.)

use crate::live::proxy::Secret;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// A client and its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientKey {
    /// Its name, unique; for logs and metrics.
    pub name: String,
    /// Its key, unique.
    pub key: Secret,
}

/// Why a client cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyError {
    /// Its name.
    pub client: String,
    /// What is wrong.
    pub message: &'static str,
}

/// The known keys.
pub(super) struct Keys(Vec<(Arc<str>, [u8; 32])>);

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client `{}`: {}", self.client, self.message)
    }
}

impl std::error::Error for KeyError {}

impl Keys {
    pub(super) fn new(clients: &[ClientKey]) -> Result<Self, KeyError> {
        let (mut names, mut digests) = (BTreeSet::new(), BTreeSet::new());
        let mut keys = vec![];
        for client in clients {
            let digest: [u8; 32] = Sha256::digest(client.key.expose()).into();
            let message = if client.key.expose().is_empty() {
                "its key is empty"
            } else if !names.insert(&client.name) {
                "there is another client of this name"
            } else if !digests.insert(digest) {
                "another client has the same key"
            } else {
                keys.push((client.name.as_str().into(), digest));
                continue;
            };
            return Err(KeyError {
                client: client.name.clone(),
                message,
            });
        }
        Ok(Self(keys))
    }

    /// Whether everyone may ask.
    pub(super) const fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose key a request brings, in `x-api-key` or as a bearer token; `None` if nobody's.
    pub(super) fn client(&self, headers: &HeaderMap) -> Option<Arc<str>> {
        let given = Sha256::digest(key_in(headers).unwrap_or_default());
        let mut found = 0;
        for (at, (_, known)) in self.0.iter().enumerate() {
            let pairs = known.iter().zip(&given);
            let differing = pairs.fold(0, |sum, (one, other)| sum | (one ^ other));
            // All ones where nothing differs, else zero: only 0 - 1 has bits above the lowest 8.
            let mask = ((usize::from(differing).wrapping_sub(1) >> 8) & 1).wrapping_neg();
            found |= mask & (at + 1);
        }
        let (name, _) = self.0.get(found.checked_sub(1)?)?;
        Some(Arc::clone(name))
    }
}

fn key_in(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes());
    }
    let (scheme, key) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str, key: &str) -> ClientKey {
        ClientKey {
            name: name.to_owned(),
            key: Secret::new(key),
        }
    }

    fn asked(header: &'static str, value: &str) -> Option<String> {
        let keys = Keys::new(&[client("a", "one"), client("b", "two"), client("c", "3")]);
        let mut headers = HeaderMap::new();
        headers.insert(header, value.parse().unwrap());
        let client = keys.unwrap().client(&headers);
        client.map(|name| name.to_string())
    }

    #[test]
    fn a_client_is_known_by_its_whole_key_and_no_other() {
        for (header, value, name) in [
            ("x-api-key", "one", Some("a")),
            ("x-api-key", "3", Some("c")),
            ("authorization", "Bearer two", Some("b")),
            ("authorization", "bearer  two", Some("b")),
            ("authorization", "two", None),
            ("authorization", "Basic two", None),
            ("authorization", "Bearer ", None),
            ("x-api-key", "", None),
            ("x-api-key", "on", None),
            ("x-api-key", "one2", None),
            ("x-other", "one", None),
        ] {
            assert_eq!(asked(header, value).as_deref(), name, "{header}: {value}");
        }
    }

    #[test]
    fn names_and_keys_are_unique() {
        for (clients, message) in [
            ([client("a", "x"), client("a", "y")], "of this name"),
            ([client("a", "x"), client("b", "x")], "the same key"),
            ([client("a", "x"), client("b", "")], "is empty"),
        ] {
            let error = Keys::new(&clients).err().expect("refused");
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
