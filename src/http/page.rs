//! Pages of lists: `limit` and an opaque `cursor`, answered with `items` and `next`.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{FromParameters, Parameters, Problem};

/// Items of a page where `limit` is not given.
pub const LIMIT_DEFAULT: i64 = 100;
/// Items of a page at most.
pub const LIMIT_MAX: i64 = 1000;

/// Where a page ends, opaque to clients: the sort key of its last item, as JSON in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor that points at a sort key.
    pub fn new(key: &impl Serialize) -> Self {
        let json = serde_json::to_vec(key).unwrap_or_default();
        Cursor(hex::encode(json))
    }

    /// The sort key.
    ///
    /// # Errors
    ///
    /// When it is not one that this list gave out.
    pub fn key<K: DeserializeOwned>(&self) -> Result<K, Problem> {
        let wrong = || Problem::bad_request("cursor", "this list gave out no such cursor");
        let bytes = hex::decode(&self.0).map_err(|_| wrong())?;
        // A text of ours holds no NUL, as PostgreSQL's do not; a made-up one might.
        let key = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        if String::from_utf8_lossy(&bytes).contains("\\u0000") { Err(wrong()) } else { Ok(key) }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The time in a cursor, in µs, which is a client's text after all.
///
/// # Errors
///
/// When no time of ours is so early or so late.
pub fn time_of(micros: i64) -> Result<Timestamp, Problem> {
    Timestamp::from_microsecond(micros)
        .ok()
        // PostgreSQL's calendar does not begin as early as ours.
        .filter(|time| *time >= Timestamp::UNIX_EPOCH)
        .ok_or_else(|| Problem::bad_request("cursor", "this list gave out no such cursor"))
}

/// The parameters of every list.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Items at most.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, default = 100)]
    pub limit: i64,
    /// `next` of the page before.
    #[param(value_type = Option<String>)]
    pub cursor: Option<Cursor>,
}

impl FromParameters for Paging {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Paging {
            limit: parameters.integer("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT),
            cursor: parameters.text("cursor")?.map(Cursor),
        })
    }
}

impl Paging {
    /// The sort key after which the page begins; none on the first.
    ///
    /// # Errors
    ///
    /// When the cursor is not one of this list.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Problem> {
        self.cursor.as_ref().map(Cursor::key).transpose()
    }

    /// How many rows to ask for: one more than is shown, to know whether there is a next page.
    pub fn rows(&self) -> i64 {
        self.limit + 1
    }

    /// The page that [`Paging::rows`] rows make; `key` is an item's sort key.
    pub fn page<T, K: Serialize>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> Items<T> {
        let is_more = items.len() as i64 > self.limit;
        items.truncate(self.limit as usize);
        let next = items.last().filter(|_| is_more).map(|last| Cursor::new(&key(last)).0);
        Items { items, next }
    }
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Items<T> {
    /// What it shows.
    pub items: Vec<T>,
    /// The cursor of the next page; null on the last.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back() {
        let key = (7_i64, "ú".to_owned());
        assert_eq!(Cursor::new(&key).key::<(i64, String)>().unwrap(), key);
    }

    #[test]
    fn a_cursor_of_others_is_refused() {
        let nul = Cursor::new(&"\0").0;
        for text in ["", "x", "zz", "7", "7b", "ééé", "5b5d", nul.as_str()] {
            let problem = Cursor(text.to_owned()).key::<String>().unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some("cursor"), "{text}");
        }
    }
}
