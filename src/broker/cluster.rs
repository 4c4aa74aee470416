//! The nodes of a RabbitMQ cluster, of which any will do.

use std::fmt;

use crate::secret::ConnectionString;

/// The nodes of one cluster: at least one. A single broker is a cluster of one node.
#[derive(Clone, PartialEq, Eq)]
pub struct Cluster {
    nodes: Vec<ConnectionString>,
}

impl Cluster {
    /// Creates a cluster of these nodes, without those that are listed twice. `None` if there is no node.
    pub fn new(nodes: impl IntoIterator<Item = ConnectionString>) -> Option<Cluster> {
        let mut unique: Vec<ConnectionString> = Vec::new();
        for node in nodes {
            if !unique.contains(&node) {
                unique.push(node);
            }
        }
        (!unique.is_empty()).then_some(Cluster { nodes: unique })
    }

    /// The URLs of its nodes.
    pub fn nodes(&self) -> &[ConnectionString] {
        &self.nodes
    }

    /// Returns the positions of all nodes in the order in which to try them, beginning with `first` (modulo their
    /// number).
    pub fn positions_from(&self, first: usize) -> impl Iterator<Item = usize> + use<> {
        let count = self.nodes.len();
        (0..count).map(move |offset| (first % count + offset) % count)
    }
}

impl fmt::Display for Cluster {
    /// Writes the URLs without their passwords, separated as in `AMQP_URL`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, node) in self.nodes.iter().enumerate() {
            if nth > 0 {
                f.write_str(";")?;
            }
            write!(f, "{node}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The error that no node of a cluster will do, with the reason of each.
#[derive(Debug, Default)]
pub struct NoNode {
    reasons: Vec<(ConnectionString, String)>,
}

impl NoNode {
    /// Adds the reason of a node.
    pub fn add(&mut self, node: &ConnectionString, reason: impl Into<String>) {
        self.reasons.push((node.clone(), reason.into()));
    }
}

impl fmt::Display for NoNode {
    /// Writes the reason of a single node alone, because its URL is known, and of several ones with their URLs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [(_, reason)] = &self.reasons[..] {
            return f.write_str(reason);
        }
        for (nth, (node, reason)) in self.reasons.iter().enumerate() {
            if nth > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{node}: {reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for NoNode {}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(urls: &[&str]) -> Cluster {
        Cluster::new(urls.iter().map(|url| ConnectionString::new(*url))).unwrap()
    }

    #[test]
    fn every_node_is_tried_once_whichever_is_first() {
        let three = cluster(&["amqp://a", "amqp://b", "amqp://c", "amqp://a"]);
        let tried = |first| three.positions_from(first).collect::<Vec<_>>();
        assert_eq!(tried(0), [0, 1, 2]);
        assert_eq!(tried(2), [2, 0, 1]);
        assert_eq!(tried(usize::MAX), [0, 1, 2]);
        assert_eq!(cluster(&["amqp://a"]).positions_from(7).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn the_reasons_of_several_nodes_have_their_urls() {
        let mut none = NoNode::default();
        none.add(&ConnectionString::new("amqp://u:geheim@a"), "away");
        assert_eq!(none.to_string(), "away");
        none.add(&ConnectionString::new("amqp://u:geheim@b"), "refused");
        assert_eq!(none.to_string(), "amqp://u:***@a: away; amqp://u:***@b: refused");
    }

    #[test]
    fn passwords_are_not_shown() {
        let two = cluster(&["amqp://u:geheim@a/v", "amqp://u:geheim@b/v"]);
        assert_eq!(format!("{two} {two:?}"), "amqp://u:***@a/v;amqp://u:***@b/v ".repeat(2).trim());
        assert!(Cluster::new([]).is_none());
    }
}
