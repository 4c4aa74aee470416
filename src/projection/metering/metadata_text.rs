//! A text of `resource_metadata`, and the host that it names.

use crate::billing::Metadata;

/// A text of metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MetadataText {
    /// The JSON as it was sent.
    pub body: String,
    /// The host that it names ([`Metadata::host`]).
    pub host: String,
}

impl MetadataText {
    /// Finds the host of a text.
    pub fn new(body: String) -> Self {
        // Parsing takes longer than a search for a text that both keys contain, unless it is escaped.
        let host = if body.contains("host") || body.contains('\\') {
            Metadata::read(&body).host().to_owned()
        } else {
            String::new()
        };
        MetadataText { body, host }
    }
}
