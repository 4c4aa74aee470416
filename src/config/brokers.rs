//! `AMQP_URL` and `AMQP_MANAGEMENT_URL`: lists of clusters, and of the nodes of each.

use super::broker_url;
use super::error::ConfigError;
use super::variable::RawValue;
use crate::broker::Cluster;
use crate::secret::ConnectionString;

/// The forms of `AMQP_URL`.
const ACCEPTED: &str = "amqp://user:password@host:port/vhost is accepted, or rabbit://, several nodes of a cluster \
                        separated by semicolons, several clusters by commas";

/// Parses the clusters. Nodes are separated as in Celery and kombu, by semicolons, or as in the `transport_url` of
/// oslo.messaging, whose hosts have one scheme and one virtual host: `amqp://u:p@h1:5672,u:p@h2:5672/vhost`.
pub(super) fn parse_clusters(raw: RawValue<'_>) -> Result<Vec<Cluster>, ConfigError> {
    let mut clusters: Vec<Cluster> = Vec::new();
    for text in split_clusters(raw.text) {
        let nodes = split_urls(&text, ';').into_iter().flat_map(|url| split_hosts(&url));
        let nodes = nodes.map(|node| parse_node(raw.name, &node)).collect::<Result<Vec<_>, _>>()?;
        // A URL given twice would be two consumers of each queue in one process, which gains nothing.
        if let Some(cluster) = Cluster::new(nodes)
            && !clusters.contains(&cluster)
        {
            clusters.push(cluster);
        }
    }
    Ok(clusters)
}

fn parse_node(name: &'static str, text: &str) -> Result<ConnectionString, ConfigError> {
    broker_url::normalize(text)
        .map(ConnectionString::new)
        .ok_or_else(|| ConfigError::new(name, ConnectionString::new(text), ACCEPTED))
}

/// Parses the URLs of the clusters' management APIs.
pub(super) fn parse_management_apis(
    raw: RawValue<'_>,
) -> Result<Vec<ConnectionString>, ConfigError> {
    let accepted = "http://user:password@host:port is accepted, one for each cluster of AMQP_URL";
    let parse = |text: &str| {
        let url = ConnectionString::new(text);
        match text.starts_with("http://") && text.parse::<reqwest::Url>().is_ok() {
            true => Ok(url),
            false => Err(ConfigError::new(raw.name, url, accepted)),
        }
    };
    raw.items().map(parse).collect()
}

/// Splits at commas, except those before a further host of oslo's form: one that has a user and no scheme.
fn split_clusters(text: &str) -> Vec<String> {
    let mut clusters: Vec<String> = Vec::new();
    for item in text.split(',').map(str::trim) {
        let is_host = item.contains('@') && !item.contains("://");
        match clusters.last_mut() {
            Some(last) if is_host => {
                last.push(',');
                last.push_str(item);
            }
            _ => clusters.push(item.to_owned()),
        }
    }
    clusters
}

/// Splits at a separator, except in a password that contains it.
fn split_urls(text: &str, separator: char) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for item in text.split(separator).map(str::trim) {
        match urls.last_mut() {
            Some(last) if !last.contains('@') && item.contains('@') && !item.contains("://") => {
                last.push(separator);
                last.push_str(item);
            }
            _ => urls.push(item.to_owned()),
        }
    }
    urls
}

/// Splits a URL of oslo's form into one URL for each host.
fn split_hosts(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else { return vec![url.to_owned()] };
    // The virtual host and the options follow the last host, and contain no user.
    let last = rest.rfind('@').unwrap_or(0);
    let end = rest[last..].find(['/', '?']).map_or(rest.len(), |at| last + at);
    let (hosts, tail) = rest.split_at(end);
    split_urls(hosts, ',').iter().map(|host| format!("{scheme}://{host}{tail}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Vec<String>>, String> {
        let clusters = parse_clusters(RawValue { name: "AMQP_URL", text });
        let exposed = |cluster: &Cluster| {
            cluster.nodes().iter().map(|node| node.expose().to_owned()).collect()
        };
        clusters
            .map(|clusters| clusters.iter().map(exposed).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn clusters_are_separated_by_commas_and_nodes_by_semicolons() {
        for (text, expected) in [
            ("amqp://a", vec![vec!["amqp://a"]]),
            ("amqp://a, amqp://b ,amqp://a", vec![vec!["amqp://a"], vec!["amqp://b"]]),
            ("amqp://a/v; amqp://b/v", vec![vec!["amqp://a/v", "amqp://b/v"]]),
            ("amqp://a;amqp://a,amqp://b", vec![vec!["amqp://a"], vec!["amqp://b"]]),
            ("amqp://a, rabbit://b/ ,rabbit://a", vec![vec!["amqp://a"], vec!["amqp://b/%2f"]]),
            // As oslo.messaging writes it in transport_url.
            (
                "rabbit://u:p@h1:5672,u:p@h2:5672/",
                vec![vec!["amqp://u:p@h1:5672/%2f", "amqp://u:p@h2:5672/%2f"]],
            ),
            (
                "amqp://u:p@h1:5672,u:p@h2:5672/v?heartbeat=5",
                vec![vec!["amqp://u:p@h1:5672/v?heartbeat=5", "amqp://u:p@h2:5672/v?heartbeat=5"]],
            ),
            (
                "amqp://u:p@h1,u:p@h2/%2f,amqp://u:p@h3/%2f",
                vec![vec!["amqp://u:p@h1/%2f", "amqp://u:p@h2/%2f"], vec!["amqp://u:p@h3/%2f"]],
            ),
            // Passwords should be percent-encoded, and need not be where it is clear.
            ("amqp://u:p,w@a/v", vec![vec!["amqp://u:p,w@a/v"]]),
            ("amqp://u:p;w@a/v;amqp://b", vec![vec!["amqp://u:p;w@a/v", "amqp://b"]]),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_wrong_node_is_named_without_its_password() {
        for (text, shown) in [
            ("amqp://a;http://b", "AMQP_URL=http://b: "),
            ("amqp://a;", "AMQP_URL=: "),
            ("amqp://a,nonsense", "AMQP_URL=nonsense: "),
            ("amqp://u:geheim@a,u:geheim@b:port/v", "AMQP_URL=amqp://u:***@b:port/v: "),
            ("u:geheim@a,u:geheim@b", "AMQP_URL=u:***@b: "),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(shown) && error.contains("semicolons"), "{error}");
        }
    }
}
