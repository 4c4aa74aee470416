//! The fields of a request's body, a JSON object. A field that is unknown or wrong is refused with 400 and
//! its name.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value};

use super::time::{MOMENT_EXPECTED, parse_moment};
use crate::billing::Terms;
use crate::http::Problem;

/// Bytes of a text, at most.
const TEXT_MAX: usize = 1024;

/// The message for a text that is no date.
const DAY_EXPECTED: &str = "a date is expected, as 2026-11-20, from 2000 on and before 2100";

/// The fields of a body that have not been taken yet.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads the body.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Fields(fields)),
            Ok(_) => Err(Problem::malformed("a JSON object is expected")),
            Err(error) => Err(Problem::malformed(format!("not JSON: {error}"))),
        }
    }

    /// Takes a text. `null` counts as absent.
    fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() > TEXT_MAX => {
                Err(Problem::bad_request(name, format!("at most {TEXT_MAX} bytes")))
            }
            Some(Value::String(text)) if text.contains('\0') => {
                Err(Problem::bad_request(name, "the value contains a NUL"))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Problem::bad_request(name, "a text is expected")),
        }
    }

    /// Takes the tenant's id.
    pub fn tenant(&mut self) -> Result<String, Problem> {
        let tenant = self.text("tenant")?.filter(|tenant| !tenant.is_empty());
        tenant.ok_or_else(|| Problem::bad_request("tenant", "the tenant's id is expected"))
    }

    /// Takes `true` or `false`. An absent one is false.
    pub fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(Problem::bad_request(name, "true or false is expected")),
        }
    }

    /// Takes a date, and returns its midnight in the billing time zone.
    pub fn day(&mut self, name: &str, terms: &Terms) -> Result<Option<Timestamp>, Problem> {
        let day = |text: &str| terms.zone.midnight(read_date(text)?);
        self.moment_by(name, DAY_EXPECTED, day)
    }

    /// Takes a date, or a date and time.
    pub fn moment(&mut self, name: &str, terms: &Terms) -> Result<Option<Timestamp>, Problem> {
        self.moment_by(name, MOMENT_EXPECTED, |text| parse_moment(text, terms))
    }

    /// Takes the time that replaces that of the request, `now`.
    pub fn at(&mut self, terms: &Terms, now: Timestamp) -> Result<Timestamp, Problem> {
        Ok(self.moment("at", terms)?.unwrap_or(now))
    }

    fn moment_by(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<Timestamp>,
    ) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match read(&text) {
            Some(at) => Ok(Some(at)),
            None => Err(Problem::bad_request(name, expected)),
        }
    }

    /// Drops a field whose text is empty, as Distil does.
    pub fn lenient(mut self, name: &str) -> Self {
        if self.0.get(name).is_some_and(|value| value == "") {
            self.0.remove(name);
        }
        self
    }

    /// Refuses the fields that were not taken.
    pub fn finish(self) -> Result<(), Problem> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::bad_request(name, "there is no such field here")),
        }
    }
}

/// Returns the problem of a missing field that has no default.
pub(super) fn missing_field(name: &str) -> Problem {
    Problem::bad_request(name, "it is missing")
}

/// Reads a date, `YYYY-MM-DD`. Month and day may lack their leading zeros, as Distil accepts them.
fn read_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let mut number = |digits: std::ops::RangeInclusive<usize>| {
        let part = parts.next()?;
        let is_plain = digits.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<i16>().ok().filter(|_| is_plain)
    };
    let (year, month, day) = (number(4..=4)?, number(1..=2)?, number(1..=2)?);
    let is_accepted = (2000..2100).contains(&year) && parts.next().is_none();
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    date.ok().filter(|_| is_accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms::default()
    }

    fn wrong<T: std::fmt::Debug>(result: Result<T, Problem>) -> Option<String> {
        let problem = result.unwrap_err();
        assert_eq!(problem.status, 400);
        problem.parameter
    }

    fn fields(text: &str) -> Fields {
        Fields::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn only_an_object_with_known_fields_is_read() {
        for text in ["", "x", "[]", "1", "null", "{\"a\": 1"] {
            assert_eq!(wrong(Fields::read(text.as_bytes())), None, "{text}");
        }
        assert_eq!(wrong(fields(r#"{"tenat": "t"}"#).finish()).as_deref(), Some("tenat"));
        for tenant in ["1", "null", "\"\"", "{}", r#""\u0000""#] {
            let text = format!("{{\"tenant\": {tenant}}}");
            assert_eq!(wrong(fields(&text).tenant()).as_deref(), Some("tenant"), "{text}");
        }
        assert_eq!(wrong(fields("{}").tenant()).as_deref(), Some("tenant"));
        assert_eq!(wrong(fields(r#"{"force": "yes"}"#).flag("force")).as_deref(), Some("force"));
    }

    #[test]
    fn dates_are_midnights() {
        let day = |text: &str| fields(&format!(r#"{{"end": "{text}"}}"#)).day("end", &terms());
        for text in ["2026-11-02", "2026-11-2"] {
            assert_eq!(day(text).unwrap().unwrap().to_string(), "2026-11-02T00:00:00Z");
        }
        for text in
            ["", "2026-02-29", "2026-11-20T00:00:00", "1999-12-31", "2100-01-01", "20-11-02", "x"]
        {
            assert_eq!(wrong(day(text)).as_deref(), Some("end"), "{text}");
        }
        assert_eq!(fields(r#"{"end": null}"#).day("end", &terms()).unwrap(), None);
        assert_eq!(fields(r#"{"end": ""}"#).lenient("end").day("end", &terms()).unwrap(), None);
    }

    #[test]
    fn moments_are_dates_or_times() {
        let moment =
            |text: &str| fields(&format!(r#"{{"end": "{text}"}}"#)).moment("end", &terms());
        for (text, expected) in [
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("2026-11-20T03:05:54", "2026-11-20T03:05:54Z"),
            ("2026-11-20T03:05:54+01:00", "2026-11-20T02:05:54Z"),
        ] {
            assert_eq!(moment(text).unwrap().unwrap().to_string(), expected);
        }
        for text in ["", "soon", "2026-11-20T25:00:00", "1969-12-31T00:00:00Z"] {
            assert_eq!(wrong(moment(text)).as_deref(), Some("end"), "{text}");
        }
    }
}
