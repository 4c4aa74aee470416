//! Requests for answers, and their cells in the tables of the demo.

use anyhow::Result;
use serde_json::Value;

use crate::cli::client::Client;

/// Maximum number of rows in a table: a newcomer reads no more.
pub(super) const ROWS_MAX: usize = 8;
/// Requests that run at the same time.
pub(super) const REQUESTS_MAX: usize = 8;

/// Sends a GET. The answer is null if the thing does not exist yet: its messages are on their way.
pub(super) async fn get(client: &Client, path: &str, query: &[(&str, &str)]) -> Result<Value> {
    match client.get(path, query).await {
        Err(error) if error.is_not_found() => Ok(Value::Null),
        answer => Ok(answer?),
    }
}

/// Converts a JSON value to a cell of a table, shortened to 48 characters.
pub(super) fn to_cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().take(48).collect(),
        other => other.to_string(),
    }
}
