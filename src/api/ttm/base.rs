//! The server's address, for the `uri` members of answers.

use std::fmt::Write;
use std::net::SocketAddr;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

/// The address the server listens on, as an extension of every request.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Address(pub SocketAddr);

/// The base of TTM's URIs, `http://HOST/ttm/api/v1.0`, with the host that the request names.
#[derive(Clone, Debug)]
pub(super) struct BaseUri(String);

impl<S: Sync> FromRequestParts<S> for BaseUri {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = match host.filter(|host| is_host(host)) {
            Some(host) => host.to_owned(),
            None => parts.extensions.get().map_or_else(String::new, |Address(at)| at.to_string()),
        };
        Ok(BaseUri(format!("http://{host}/ttm/api/v1.0")))
    }
}

impl BaseUri {
    /// Returns the URI of an instance's metrics.
    pub fn instance_metrics(&self, instance_id: &str) -> String {
        format!("{}/instances/{}/metrics", self.0, encode(instance_id))
    }

    /// Returns the URI of a metric.
    pub fn metric(&self, id: uuid::Uuid) -> String {
        format!("{}/metrics/{id}", self.0)
    }
}

/// Returns whether the text is a host with or without a port, and contains nothing that could become another
/// part of a URI.
fn is_host(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !text.is_empty() && text.len() <= 255 && text.bytes().all(is_part)
}

/// Percent-encodes all characters except the ones that RFC 3986 leaves unreserved.
fn encode(segment: &str) -> String {
    segment.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_believed_only_when_it_is_one() {
        for host in ["localhost", "127.0.0.1:5082", "[::1]:80", "ttm.example.com"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "a/b", "a b", "a@b", "a?b", "\"", &"a".repeat(300)] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn ids_are_encoded() {
        assert_eq!(encode("a-1_b.c~d/e é"), "a-1_b.c~d%2Fe%20%C3%A9");
    }
}
