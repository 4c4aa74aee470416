//! Cursors: the place where a page of a list ends, opaque to clients.

use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Problem;

/// The sort key of a page's last item, as JSON in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// Creates a cursor that points at a sort key.
    pub fn new(key: &impl Serialize) -> Self {
        Cursor(hex::encode(serde_json::to_vec(key).unwrap_or_default()))
    }

    /// Takes a cursor as a client sent it; [`Cursor::key`] checks it.
    pub(super) fn from_text(text: String) -> Self {
        Cursor(text)
    }

    /// Returns the sort key.
    ///
    /// # Errors
    ///
    /// 400 for the parameter `cursor` if no list of these keys gave out such a cursor.
    pub fn key<K: DeserializeOwned>(&self) -> Result<K, Problem> {
        let wrong = || Problem::bad_request("cursor", "this list gave out no such cursor");
        let json = hex::decode(&self.0).map_err(|_| wrong())?;
        // PostgreSQL's texts contain no NUL, so a cursor with one cannot be ours.
        let has_nul = json.windows(6).any(|text| text == b"\\u0000");
        serde_json::from_slice(&json).ok().filter(|_| !has_nul).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A time in a sort key: whole µs since 1970 in the cursor.
///
/// A cursor comes from a client, who may have changed it. A time before 1970 or beyond the year 9999 is
/// refused when the cursor is read: no row has one, and PostgreSQL's calendar does not contain all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorTime(pub Timestamp);

impl Serialize for CursorTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0.as_microsecond())
    }
}

impl<'de> Deserialize<'de> for CursorTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Timestamp::from_microsecond(i64::deserialize(deserializer)?)
            .ok()
            .filter(|time| *time >= Timestamp::UNIX_EPOCH)
            .map(CursorTime)
            .ok_or_else(|| D::Error::custom("the time is out of range"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back() {
        let time = "2026-11-20T03:05:54.580807Z".parse().map(CursorTime).unwrap();
        let key = (time, 7_i64, "ú".to_owned());
        assert_eq!(Cursor::new(&key).key::<(CursorTime, i64, String)>().unwrap(), key);
        assert_eq!(Cursor::new(&(time, 1)), Cursor::new(&(time.0.as_microsecond(), 1)));
    }

    #[test]
    fn a_cursor_of_others_is_refused() {
        let nul = Cursor::new(&"\0").0;
        for text in ["", "x", "zz", "7", "7b", "ééé", "5b5d", nul.as_str()] {
            let problem = Cursor::from_text(text.to_owned()).key::<String>().unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some("cursor"), "{text}");
        }
    }

    #[test]
    fn a_time_that_no_row_has_is_refused() {
        for micros in [i64::MIN, -210_900_000_000_000_000, -1, 253_500_000_000_000_000, i64::MAX] {
            let problem = Cursor::new(&micros).key::<CursorTime>().unwrap_err();
            assert_eq!((problem.status, problem.parameter.as_deref()), (400, Some("cursor")));
        }
        assert_eq!(Cursor::new(&0).key::<CursorTime>().unwrap().0, Timestamp::UNIX_EPOCH);
    }
}
