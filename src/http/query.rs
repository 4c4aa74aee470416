//! Parameters, read strictly: one that is unknown, repeated or malformed is answered with 400 and its name.
//! If a misspelt filter were ignored, the client would get the answer to another question.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::Problem;

/// The longest value of a parameter, in bytes: as long as an id may be.
const TEXT_MAX: usize = 1024;

/// Parameters of a query or a form that are not yet taken.
#[derive(Debug)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    /// Reads a query: as [`Parameters::parse_up_to`], with values of up to 1024 bytes.
    ///
    /// # Errors
    ///
    /// When a parameter cannot be read.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        Self::parse_up_to(text, TEXT_MAX)
    }

    /// Reads `application/x-www-form-urlencoded` with values of up to `text_max` bytes.
    ///
    /// # Errors
    ///
    /// When a parameter is given twice, or its value is not UTF-8, is too long or contains a NUL, which
    /// PostgreSQL's texts cannot contain.
    pub fn parse_up_to(text: &str, text_max: usize) -> Result<Self, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)
                .filter(|name| name.len() <= 64 && !name.contains('\0'))
                .ok_or_else(|| Problem::malformed("the name of a parameter cannot be read"))?;
            let value = decode(value)
                .ok_or_else(|| Problem::bad_request(&name, "the value is not UTF-8"))?;
            if value.contains('\0') {
                return Err(Problem::bad_request(&name, "the value contains a NUL"));
            }
            if value.len() > text_max {
                return Err(Problem::bad_request(
                    &name,
                    format!("the value may have at most {text_max} bytes"),
                ));
            }
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(Problem::bad_request(&name, "the parameter is given more than once"));
            }
            pairs.push((name, value));
        }
        Ok(Parameters { pairs })
    }

    /// Takes a parameter's value, which may be empty.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let index = self.pairs.iter().position(|(known, _)| known == name)?;
        Some(self.pairs.swap_remove(index).1)
    }

    /// Takes a text that is not empty.
    ///
    /// # Errors
    ///
    /// When it is given and empty.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        self.read(name, "a text is expected", |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    /// Takes a text; an empty one counts as not given.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        self.take(name).filter(|text| !text.is_empty())
    }

    /// Takes a whole number within a range.
    ///
    /// # Errors
    ///
    /// When it is anything else.
    pub fn integer(
        &mut self,
        name: &str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<Option<i64>, Problem> {
        let expected =
            format!("a whole number from {} to {} is expected", range.start(), range.end());
        self.read(name, &expected, |text| {
            let is_plain = !text.starts_with('+');
            text.parse().ok().filter(|number| is_plain && range.contains(number))
        })
    }

    /// Takes a duration in seconds, to the µs.
    ///
    /// # Errors
    ///
    /// When it is not a number, is negative, or is more than 10 000 000 000 s.
    pub fn seconds(&mut self, name: &str) -> Result<Option<jiff::SignedDuration>, Problem> {
        self.read(name, "seconds are expected, from 0 to 10000000000", |text| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let seconds: f64 = text.parse().ok().filter(|_| is_plain)?;
            let micros = (0.0..=1e10).contains(&seconds).then(|| (seconds * 1e6).round() as i64)?;
            Some(jiff::SignedDuration::from_micros(micros))
        })
    }

    /// Takes a time.
    ///
    /// # Errors
    ///
    /// When it is not RFC 3339, or outside the years 1 to 9999.
    pub fn time(&mut self, name: &str) -> Result<Option<Timestamp>, Problem> {
        self.read(name, "an RFC 3339 time is expected, like 2026-11-20T03:05:54Z", |text| {
            // A `+` that was not percent-encoded arrives as a space.
            let text = text.replace(' ', "+");
            let time: Timestamp = text.parse().ok().filter(|_| text.len() <= 40)?;
            let time = Timestamp::from_microsecond(time.as_microsecond()).ok()?;
            // PostgreSQL's calendar begins later than that of `Timestamp`.
            (time.as_second() >= -62_135_596_800).then_some(time)
        })
    }

    /// Takes `true` or `false`; false if it is not given.
    ///
    /// # Errors
    ///
    /// When it is anything else.
    pub fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        let flag = self.read(name, "true or false is expected", |text| text.parse().ok())?;
        Ok(flag.unwrap_or(false))
    }

    /// Takes a parameter and converts it with `read`. The error message for a value that `read` refuses is
    /// `expected`.
    ///
    /// # Errors
    ///
    /// When `read` returns `None`.
    pub fn read<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.take(name) else { return Ok(None) };
        match read(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(Problem::bad_request(name, expected)),
        }
    }

    /// Refuses the parameters that were not taken.
    ///
    /// # Errors
    ///
    /// When one is left: the route has no such parameter.
    pub fn finish(self) -> Result<(), Problem> {
        match self.pairs.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::bad_request(name, "there is no such parameter here")),
        }
    }
}

/// The parameters of a route, as a type.
pub trait FromParameters: Sized {
    /// Takes the route's parameters; the caller refuses the rest.
    ///
    /// # Errors
    ///
    /// When a value is not as expected.
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem>;
}

/// The parameters of a route that has none.
#[derive(Clone, Copy, Debug)]
pub struct NoParameters;

impl FromParameters for NoParameters {
    fn from_parameters(_: &mut Parameters) -> Result<Self, Problem> {
        Ok(NoParameters)
    }
}

impl<A: FromParameters, B: FromParameters> FromParameters for (A, B) {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok((A::from_parameters(parameters)?, B::from_parameters(parameters)?))
    }
}

/// Extracts a query, strictly.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Sync, T: FromParameters> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut parameters = Parameters::parse(parts.uri.query().unwrap_or_default())?;
        let taken = T::from_parameters(&mut parameters)?;
        parameters.finish()?;
        Ok(Query(taken))
    }
}

/// Decodes form encoding; `None` if the bytes are not UTF-8. A `%` without two hexadecimal digits after it
/// is kept, as browsers do.
fn decode(text: &str) -> Option<String> {
    // Before the escapes: `%2B` is a plus sign, `+` a space.
    let text = text.replace('+', " ");
    Some(percent_decode_str(&text).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong<T: std::fmt::Debug>(result: Result<T, Problem>) -> Option<String> {
        let problem = result.unwrap_err();
        assert_eq!(problem.status, 400);
        problem.parameter
    }

    fn parsed(text: &str) -> Parameters {
        Parameters::parse(text).unwrap()
    }

    #[test]
    fn texts_are_decoded() {
        let mut parameters = parsed("a=x+y%20z%2b&b=100%&&c=%c5%a0%z&d");
        assert_eq!(parameters.take("a").as_deref(), Some("x y z+"));
        assert_eq!(parameters.take("b").as_deref(), Some("100%"));
        assert_eq!(parameters.take("c").as_deref(), Some("Š%z"));
        assert_eq!(parameters.take("d").as_deref(), Some(""));
        assert_eq!(parameters.take("e"), None);
        assert!(parameters.finish().is_ok());
    }

    #[test]
    fn values_that_postgresql_or_nobody_can_read_are_refused() {
        assert_eq!(wrong(Parameters::parse("a=%00")).as_deref(), Some("a"));
        assert_eq!(wrong(Parameters::parse("a=%ff")).as_deref(), Some("a"));
        assert_eq!(wrong(Parameters::parse("a=1&a=1")).as_deref(), Some("a"));
        assert_eq!(wrong(Parameters::parse("%ff=1")), None);
        let long = format!("a={}", "x".repeat(TEXT_MAX + 1));
        assert_eq!(wrong(Parameters::parse(&long)).as_deref(), Some("a"));
        assert_eq!(wrong(parsed("b=1").finish()).as_deref(), Some("b"));
        assert_eq!(wrong(parsed("b=").text("b")).as_deref(), Some("b"));
    }

    #[test]
    fn numbers_and_times_are_read_strictly() {
        for text in ["", "x", "1.0", "+1", "11", "-1", "99999999999999999999", " 1"] {
            assert_eq!(wrong(parsed(&format!("n={text}")).integer("n", 0..=10)), Some("n".into()));
        }
        for text in ["", "soon", "2026-11-20", "2026-11-20T03:05:54", "-009999-01-01T00:00:00Z"] {
            assert_eq!(wrong(parsed(&format!("t={text}")).time("t")), Some("t".into()), "{text}");
        }
        for text in ["", "nan", "inf", "-1", "1e3", "100000000000"] {
            assert_eq!(wrong(parsed(&format!("s={text}")).seconds("s")), Some("s".into()));
        }
        assert_eq!(
            parsed("t=2026-11-20T05:05:54.5+02:00").time("t").unwrap(),
            Some("2026-11-20T03:05:54.5Z".parse().unwrap())
        );
        assert_eq!(
            parsed("s=1.5").seconds("s").unwrap(),
            Some(jiff::SignedDuration::from_millis(1500))
        );
    }
}
