//! Where requests are sent: a base address, to which the dialect adds its path.

use hyper::Uri;
use std::net::IpAddr;

/// A server: scheme, host, port, and a path that goes before the dialect's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Without a slash at its end.
    base: String,
    host: String,
}

/// A text is no address of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetError(String);

impl std::fmt::Display for TargetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; expected such as `http://127.0.0.1:8080`", self.0)
    }
}

impl std::error::Error for TargetError {}

impl Target {
    /// Reads `http://127.0.0.1:8080`, `https://host/path`.
    ///
    /// # Errors
    /// If it has no scheme, another one than `http` and `https`, no host, or a query.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let wrong = |why: &str| Err(TargetError(why.to_owned()));
        let Ok(uri) = text.parse::<Uri>() else {
            return wrong("not an address");
        };
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return wrong("the address must begin with `http://` or `https://`");
        }
        if uri.query().is_some() {
            return wrong("the address must not have a query");
        }
        match uri.host() {
            None | Some("") => wrong("the host is missing"),
            Some(host) => Ok(Self {
                base: text.trim_end_matches('/').to_owned(),
                host: host.trim_matches(['[', ']']).to_owned(),
            }),
        }
    }

    /// Whether it is this machine, by its address or the name `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// The address with a path of the dialect's; `None` if that makes none.
    pub(super) fn with_path(&self, path: &str) -> Option<Uri> {
        format!("{}{path}", self.base).parse().ok()
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_told_from_others() {
        for (text, loopback) in [
            ("http://127.0.0.1:8080", true),
            ("http://127.8.9.1", true),
            ("http://[::1]:80/", true),
            ("http://LocalHost:1/a/b/", true),
            ("http://127.0.0.1.example.com", false),
            ("https://api.example.com/v2", false),
            ("http://10.0.0.1:80", false),
            ("http://localhost@example.com/", false),
        ] {
            let target = Target::parse(text).expect(text);
            assert_eq!(target.is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn a_base_may_have_a_path() {
        let path = |base| Target::parse(base).unwrap().with_path("/v1/x");
        assert_eq!(path("http://h/").unwrap(), "http://h/v1/x");
        assert_eq!(path("http://h:1/a/").unwrap(), "http://h:1/a/v1/x");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "127.0.0.1:80",
            "ftp://h",
            "http://",
            "http:// h",
            "http://h/?a=1",
            "/a",
        ] {
            assert!(Target::parse(text).is_err(), "{text:?}");
        }
    }
}
