//! What is asked for: a JSON object, strictly. What is unknown or wrong is 400 and named.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::time::{MOMENT, moment};
use crate::billing::Terms;
use crate::http::Problem;

/// The longest text, in bytes.
const TEXT_MAX: usize = 1024;

/// The fields of a body that are not taken yet.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

const DAY: &str = "a date is expected, as 2026-11-20, from 2000 on and before 2100";

impl Fields {
    /// Reads the body.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Fields(fields)),
            Ok(_) => Err(Problem::malformed("a JSON object is expected")),
            Err(error) => Err(Problem::malformed(format!("not JSON: {error}"))),
        }
    }

    /// Takes a text; `null` is as if it was not given.
    fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() > TEXT_MAX => {
                Err(Problem::bad_request(name, format!("at most {TEXT_MAX} bytes")))
            }
            Some(Value::String(text)) if text.contains('\0') => {
                Err(Problem::bad_request(name, "the value holds a NUL"))
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

    /// Takes `true` or `false`; absent, it is false.
    pub fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(Problem::bad_request(name, "true or false is expected")),
        }
    }

    /// Takes a date: the moment at which it begins.
    pub fn day(&mut self, name: &str, terms: &Terms) -> Result<Option<Timestamp>, Problem> {
        let day = |text: &str| terms.zone.midnight(date(text)?);
        self.moment_by(name, DAY, day)
    }

    /// Takes a date, or a date and time.
    pub fn moment(&mut self, name: &str, terms: &Terms) -> Result<Option<Timestamp>, Problem> {
        self.moment_by(name, MOMENT, |text| moment(text, terms))
    }

    /// Takes the time that stands for that of asking.
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

    /// As Distil has it: an empty text is as if it was not given.
    pub fn lenient(mut self, name: &str) -> Self {
        if self.0.get(name).is_some_and(|value| value == "") {
            self.0.remove(name);
        }
        self
    }

    /// Ends the reading.
    pub fn finish(self) -> Result<(), Problem> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::bad_request(name, "there is no such field here")),
        }
    }
}

/// That a field without a default was not given.
pub(super) fn missing(name: &str) -> Problem {
    Problem::bad_request(name, "it is missing")
}

/// `YYYY-MM-DD`; month and day may be without their zeros, as Distil takes them.
fn date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let mut number = |digits: std::ops::RangeInclusive<usize>| {
        let part = parts.next()?;
        let is_plain = digits.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<i16>().ok().filter(|_| is_plain)
    };
    let (year, month, day) = (number(4..=4)?, number(1..=2)?, number(1..=2)?);
    let is_ours = (2000..2100).contains(&year) && parts.next().is_none();
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    date.ok().filter(|_| is_ours)
}

/// Which order is wanted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderAsked {
    /// The tenant's id.
    tenant: String,
    /// The first day that it is not for; today unless given.
    #[schema(value_type = Option<String>, format = Date)]
    end: Option<String>,
    /// Whether it shall not wait until the last samples are in.
    force: Option<bool>,
    /// Takes the clock's place; not later than that.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<String>,
}

/// Which draft is wanted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DraftAsked {
    /// The tenant's id.
    tenant: String,
    /// Until when, not included: a date, or a date and time; now unless given.
    end: Option<String>,
    /// Takes the clock's place.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<String>,
}

/// Which issued order is wanted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DateAsked {
    /// The tenant's id.
    tenant: String,
    /// A day whose beginning it covers.
    #[schema(value_type = String, format = Date)]
    date: String,
}

/// Which issued orders are wanted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RangeAsked {
    /// The tenant's id.
    tenant: String,
    /// A date, or a date and time.
    start: String,
    /// Likewise, not included; now unless given.
    end: Option<String>,
    /// Takes the clock's place.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<String>,
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
