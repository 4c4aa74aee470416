//! Pages of lists: `limit` and an opaque `cursor`, answered with `items` and `next`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Cursor, FromParameters, Parameters, Problem};

/// Items of a page if `limit` is not given.
pub const LIMIT_DEFAULT: i64 = 100;
/// The most items of a page.
pub const LIMIT_MAX: i64 = 1000;

/// The parameters of every list.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// The most items of the page.
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
            cursor: parameters.text("cursor")?.map(Cursor::from_text),
        })
    }
}

impl Paging {
    /// Returns the sort key after which the page begins; `None` for the first page.
    ///
    /// # Errors
    ///
    /// 400 if the cursor is not one of this list.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Problem> {
        self.cursor.as_ref().map(Cursor::key).transpose()
    }

    /// Returns how many rows to query: one more than the page shows, to learn whether there is a next page.
    pub fn rows(&self) -> i64 {
        self.limit + 1
    }

    /// Builds the page from up to [`Paging::rows`] rows; `key` returns an item's sort key.
    pub fn page<T, K: Serialize>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> Items<T> {
        let is_more = items.len() as i64 > self.limit;
        items.truncate(self.limit as usize);
        let next = items.last().filter(|_| is_more).map(|last| Cursor::new(&key(last)).to_string());
        Items { items, next }
    }
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Items<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// The cursor of the next page; null on the last.
    pub next: Option<String>,
}
