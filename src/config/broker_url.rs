//! The URL of a broker, in every spelling that a cloud's configuration has.

/// The schemes of AMQP 0-9-1: our own; that of oslo.messaging's `transport_url`; that of kombu's transport.
const SCHEMES: [&str; 3] = ["amqp", "rabbit", "pyamqp"];

/// Returns the URL as the client library reads it; `None` if it is not one of a broker without TLS.
///
/// `rabbit://` is AMQP by another name, and oslo.messaging takes `kombu+` off the front. A path that is only a slash
/// is the vhost `/`, as for kombu and pika, where the library reads a vhost without a name.
pub(super) fn normalize(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let scheme = scheme.strip_prefix("kombu+").unwrap_or(&scheme);
    SCHEMES.contains(&scheme).then_some(())?;
    let (location, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let vhost = match location.split_once('/') {
        Some((_, "")) => "%2f",
        _ => "",
    };
    let url = format!("amqp://{location}{vhost}{query}");
    url.parse::<lapin::uri::AMQPUri>().is_ok().then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vhosts are what kombu 5.7.0 and, but for two slashes, pika 1.4.4 read.
    #[test]
    fn every_spelling_of_a_cloud_is_the_same_broker() {
        for (given, vhost) in [
            ("amqp://u:p@h:5672", "/"),
            ("amqp://u:p@h:5672/", "/"),
            ("amqp://u:p@h:5672//", "/"),
            ("amqp://u:p@h:5672/%2F", "/"),
            ("amqp://u:p@h:5672/v", "v"),
            ("amqp://u:p@h:5672/v/w", "v/w"),
            ("rabbit://u:p@h:5672/", "/"),
            ("rabbit://u:p@h:5672//", "/"),
            ("RABBIT://u:p@h:5672/v", "v"),
            ("kombu+amqp://u:p@h:5672/?heartbeat=5", "/"),
            ("kombu+rabbit://u:p@h:5672/v?heartbeat=5", "v"),
            ("kombu+pyamqp://u:p@h/?a=b/c", "/"),
            ("pyamqp://u:p@h?heartbeat=5", "/"),
        ] {
            let url = normalize(given).unwrap_or_else(|| panic!("{given}"));
            let read: lapin::uri::AMQPUri = url.parse().unwrap();
            assert_eq!(read.vhost, vhost, "{given} {url}");
            let authority = &read.authority;
            assert_eq!((&*authority.host, authority.port), ("h", 5672), "{given}");
            let user = &authority.userinfo;
            assert_eq!((&*user.username, &*user.password), ("u", "p"), "{given}");
            assert_eq!(read.query.heartbeat, url.contains("heartbeat=5").then_some(5), "{given}");
        }
    }

    #[test]
    fn anything_else_is_no_broker() {
        for other in
            ["", "h:5672", "http://h", "amqps://h", "kombu+memory://h", "kombu://h", "rabbit:"]
        {
            assert_eq!(normalize(other), None, "{other}");
        }
    }
}
