//! The envelope of oslo.messaging.

use serde_json::Value;

/// Returns the message in format 2.0: as a string inside an envelope.
pub(super) fn envelope(message: &str) -> String {
    // The message is ASCII already, so that only quotes and backslashes need escaping.
    format!(r#"{{"oslo.version": "2.0", "oslo.message": {}}}"#, Value::from(message))
}
