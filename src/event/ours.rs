//! The CloudEvents that Stackledger itself creates.

use super::{DecodeError, Event, decode};

/// The beginning of the types that only Stackledger may create, besides `billing.*`.
pub const TYPES: &str = "stackledger.";

/// A CloudEvent of our own, before it is JSON. Nothing in it comes from a clock or from chance: the
/// same values always give the same bytes.
#[derive(Clone, Copy, Debug)]
pub struct OwnEvent<'a> {
    /// The order in which the members are written.
    pub layout: Layout,
    /// With `source`, the event's identity.
    pub id: &'a str,
    /// The part of Stackledger that creates the event.
    pub source: &'a str,
    /// The event's `type`.
    pub kind: &'a str,
    /// When it happened, RFC 3339.
    pub time: &'a str,
    /// The event's `data`: JSON, copied byte for byte. It may come from a client, and so need only be
    /// readable by [`json`](super::json).
    pub data: &'a [u8],
}

/// The order of an event's members. JSON does not care, but the log's hash chain is computed over
/// bytes, so every kind of event keeps the layout that it has always had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As in the specification of CloudEvents: `specversion`, `id`, `source`, `type`, `time`, `data`.
    /// The layout for new kinds; sales orders and horizons have it.
    Specification,
    /// Sorted by name. The calls of TTM's routes have it.
    Sorted,
    /// Sorted by name, with `datacontenttype`. The agent's samples have it.
    SortedWithContentType,
    /// Sorted by name, except that `data` is last. The posts to Lizmon's routes have it.
    SortedDataLast,
}

#[derive(Clone, Copy)]
enum Member {
    SpecVersion,
    Id,
    Source,
    Type,
    Time,
    DataContentType,
    Data,
}

impl Layout {
    const fn members(self) -> &'static [Member] {
        use Member::{Data, DataContentType, Id, Source, SpecVersion, Time, Type};
        match self {
            Layout::Specification => &[SpecVersion, Id, Source, Type, Time, Data],
            Layout::Sorted => &[Data, Id, Source, SpecVersion, Time, Type],
            Layout::SortedWithContentType => {
                &[Data, DataContentType, Id, Source, SpecVersion, Time, Type]
            }
            Layout::SortedDataLast => &[Id, Source, SpecVersion, Time, Type, Data],
        }
    }
}

impl OwnEvent<'_> {
    /// The event in structured JSON, on one line if its data is.
    pub fn to_body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(256 + self.data.len());
        for (index, member) in self.layout.members().iter().enumerate() {
            body.push(if index == 0 { b'{' } else { b',' });
            let (name, text) = match member {
                Member::SpecVersion => ("specversion", "1.0"),
                Member::Id => ("id", self.id),
                Member::Source => ("source", self.source),
                Member::Type => ("type", self.kind),
                Member::Time => ("time", self.time),
                Member::DataContentType => ("datacontenttype", "application/json"),
                Member::Data => {
                    body.extend_from_slice(b"\"data\":");
                    body.extend_from_slice(self.data);
                    continue;
                }
            };
            serde_json::to_writer(&mut body, name).expect("a Vec takes every byte");
            body.push(b':');
            serde_json::to_writer(&mut body, text).expect("a Vec takes every byte");
        }
        body.push(b'}');
        body
    }

    /// The event as it is appended to the log.
    ///
    /// # Errors
    ///
    /// When the data is not JSON, even when it is read leniently.
    pub fn to_event(&self) -> Result<Event, DecodeError> {
        decode(self.to_body(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(layout: Layout) -> String {
        let event = OwnEvent {
            layout,
            id: "1\"",
            source: "s",
            kind: "billing.test",
            time: "2026-11-20T03:05:54Z",
            data: b"[1.10, NaN]",
        };
        assert_eq!(event.to_event().unwrap().kind, "billing.test");
        String::from_utf8(event.to_body()).unwrap()
    }

    #[test]
    fn every_layout_keeps_its_order() {
        assert_eq!(
            body(Layout::Specification),
            r#"{"specversion":"1.0","id":"1\"","source":"s","type":"billing.test","time":"2026-11-20T03:05:54Z","data":[1.10, NaN]}"#
        );
        assert_eq!(
            body(Layout::Sorted),
            r#"{"data":[1.10, NaN],"id":"1\"","source":"s","specversion":"1.0","time":"2026-11-20T03:05:54Z","type":"billing.test"}"#
        );
        assert_eq!(
            body(Layout::SortedWithContentType),
            r#"{"data":[1.10, NaN],"datacontenttype":"application/json","id":"1\"","source":"s","specversion":"1.0","time":"2026-11-20T03:05:54Z","type":"billing.test"}"#
        );
        assert_eq!(
            body(Layout::SortedDataLast),
            r#"{"id":"1\"","source":"s","specversion":"1.0","time":"2026-11-20T03:05:54Z","type":"billing.test","data":[1.10, NaN]}"#
        );
    }
}
