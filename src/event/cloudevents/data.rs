//! The data of a CloudEvent in base64, which a sender writes for bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;

use super::super::header::Fields;
use super::super::{json, span};

/// Returns the event with its `data_base64` as `data`, if the bytes are JSON: every reader of data then finds it
/// in one place. `None` if there is nothing to open, or the bytes are anything else; the event is then one without
/// data that can be read.
pub(in crate::event) fn open(text: &str, fields: &Fields<'_>) -> Option<String> {
    let is_null = fields.data.raw().is_some_and(|raw| raw.get() == "null");
    if fields.data.is_present() && !is_null {
        return None;
    }
    let encoded = fields.data_base64.raw()?;
    let bytes = STANDARD.decode(&*fields.data_base64.text()?).ok()?;
    let data = as_json(&bytes, fields.datacontenttype.text().as_deref())?;
    let data = json::to_strict(data);
    let edits = match fields.data.raw() {
        Some(null) => vec![(span::of(text, null), &*data)],
        None => {
            let value = span::of(text, encoded);
            // Between the name and the value is only a colon. A name with escapes stays as it is.
            let before = text[..value.start].trim_ascii_end().strip_suffix(':')?.trim_ascii_end();
            let name = before.strip_suffix(NAME)?.len()..before.len();
            vec![(name, r#""data""#), (value, &*data)]
        }
    };
    String::from_utf8(span::replace(text.as_bytes(), &edits)).ok()
}

/// The name of the member, in its quotes.
const NAME: &str = r#""data_base64""#;

/// Returns the bytes without space around them if they are JSON: any value if the content type is JSON's, as it
/// is without one; an object under any type.
pub(super) fn as_json<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Option<&'a [u8]> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
    let may_be = bytes.starts_with(b"{") || content_type.is_none_or(is_json_type);
    (may_be && json::parse::<IgnoredAny>(bytes).is_ok()).then_some(bytes)
}

/// Whether a media type is JSON, e.g. `application/json; charset=utf-8` or `application/geo+json`.
fn is_json_type(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let subtype = media_type.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    subtype == "json" || subtype.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Option<String> {
        open(text, &serde_json::from_str(text).unwrap())
    }

    #[test]
    fn json_in_base64_is_data() {
        // {"a": 1} in base64
        let encoded = "eyJhIjogMX0=";
        for (before, after) in [
            (
                format!(r#"{{"id": "1", "data_base64": "{encoded}"}}"#),
                r#"{"id": "1", "data": {"a": 1}}"#,
            ),
            (
                format!(r#"{{"data_base64" : "{encoded}", "id": "1"}}"#),
                r#"{"data" : {"a": 1}, "id": "1"}"#,
            ),
            (
                format!(r#"{{"data_base64": "{encoded}", "data": null}}"#),
                r#"{"data_base64": "eyJhIjogMX0=", "data": {"a": 1}}"#,
            ),
            (
                format!(
                    r#"{{"datacontenttype": "application/octet-stream", "data_base64": "{encoded}"}}"#
                ),
                r#"{"datacontenttype": "application/octet-stream", "data": {"a": 1}}"#,
            ),
            (r#"{"data_base64": "W05hTl0="}"#.to_owned(), r#"{"data": ["?"]}"#),
        ] {
            assert_eq!(opened(&before).as_deref(), Some(after), "{before}");
        }
    }

    #[test]
    fn anything_else_stays_as_it_is() {
        for text in [
            r#"{"data_base64": "eyJhIjogMX0=", "data": {}}"#,
            r#"{"data": {"data_base64": "eyJhIjogMX0="}}"#,
            r#"{"data_base64": "no base64"}"#,
            r#"{"data_base64": "AAEC"}"#,
            r#"{"data_base64": 5}"#,
            r#"{"data_base64": null}"#,
            r#"{"data_base64": ""}"#,
            r#"{"data\u005fbase64": "eyJhIjogMX0="}"#,
            // 5
            r#"{"data_base64": "NQ==", "datacontenttype": "text/plain"}"#,
            "{}",
        ] {
            assert_eq!(opened(text), None, "{text}");
        }
        assert_eq!(opened(r#"{"data_base64": "NQ=="}"#).as_deref(), Some(r#"{"data": 5}"#));
        let json =
            r#"{"data_base64": "NQ==", "datacontenttype": "Application/X+JSON; charset=utf-8"}"#;
        assert!(opened(json).unwrap().starts_with(r#"{"data": 5,"#));
    }
}
