//! The format of a report: XML or JSON, as the client requests.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::xml;
use crate::http::{FromParameters, Parameters, Problem};
use crate::lifecycle;

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Audrey's document; the default.
    Xml,
    /// All details.
    Json,
}

/// The parameters of a report.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportParameters {
    /// Takes the place of the clock.
    #[param(value_type = Option<String>, format = DateTime)]
    pub at: Timestamp,
    /// Unless given, the header `Accept` decides; without either, it is `xml`.
    #[param(value_type = Option<Format>, inline)]
    format: Option<Format>,
}

impl ReportParameters {
    /// Returns the format of the answer to a request with these headers.
    pub fn format(&self, headers: &HeaderMap) -> Format {
        self.format.unwrap_or_else(|| Format::accepted(headers))
    }
}

impl FromParameters for ReportParameters {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        let expected =
            format!("one of {} is expected", Format::ALL.map(|(word, _)| word).join(", "));
        Ok(ReportParameters {
            at: parameters.time("at")?.unwrap_or_else(lifecycle::now),
            format: parameters.read("format", &expected, Format::parse)?,
        })
    }
}

impl Format {
    /// All formats, each with its word in the parameter.
    const ALL: [(&str, Format); 2] = [("xml", Format::Xml), ("json", Format::Json)];

    fn parse(text: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|(word, _)| *word == text).map(|(_, format)| format)
    }

    /// Returns the format that the header `Accept` prefers: JSON if it is named, and no kind of XML has
    /// the same quality or a higher one.
    fn accepted(headers: &HeaderMap) -> Format {
        let (mut json, mut xml) = (0.0, 0.0);
        let values = headers.get_all(header::ACCEPT).iter();
        for range in values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','))
        {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            let best: &mut f64 = match name.as_str() {
                "application/json" | "application/problem+json" => &mut json,
                "application/xml" | "text/xml" | "text/html" => &mut xml,
                _ => continue,
            };
            *best = best.max(quality.unwrap_or(1.0));
        }
        if json > xml { Format::Json } else { Format::Xml }
    }

    /// Returns the format of a problem, even if the parameters are wrong.
    fn of(uri: &Uri, headers: &HeaderMap) -> Format {
        let mut parameters = Parameters::parse(uri.query().unwrap_or_default()).ok();
        let word = parameters.as_mut().and_then(|parameters| parameters.take("format"));
        word.as_deref().and_then(Format::parse).unwrap_or_else(|| Format::accepted(headers))
    }
}

impl PartialSchema for Format {
    fn schema() -> RefOr<Schema> {
        let words = Format::ALL.map(|(word, _)| word);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
    }
}

impl ToSchema for Format {}

/// Turns problems at the paths of reports into XML, unless the client requests JSON. `Vary` shows caches
/// that the answer depends on the header `Accept`.
pub(in crate::api) async fn with_xml(request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/reports/") {
        return next.run(request).await;
    }
    let is_xml = Format::of(request.uri(), request.headers()) == Format::Xml;
    let mut response = next.run(request).await;
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    let Some(problem) = response.extensions().get::<Problem>().filter(|_| is_xml) else {
        return response;
    };
    let body = xml::problem(problem);
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, xml::MEDIA_TYPE);
    (parts, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_clients_that_name_it() {
        for (accept, format) in [
            ("application/json", Format::Json),
            ("Application/JSON; charset=utf-8", Format::Json),
            ("application/json, text/plain, */*", Format::Json),
            ("application/xml;q=0.5, application/json;q=0.9", Format::Json),
            ("*/*", Format::Xml),
            ("", Format::Xml),
            ("application/json;q=0", Format::Xml),
            ("application/json, application/xml", Format::Xml),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Xml),
        ] {
            let headers = [(header::ACCEPT, HeaderValue::from_static(accept))];
            assert_eq!(Format::accepted(&HeaderMap::from_iter(headers)), format, "{accept}");
        }
        assert_eq!(Format::accepted(&HeaderMap::new()), Format::Xml);
    }

    #[test]
    fn the_parameter_comes_before_the_header() {
        let json =
            HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))]);
        let of = |path: &'static str| Format::of(&Uri::from_static(path), &json);
        assert_eq!(of("/reports/deployment/d?format=xml"), Format::Xml);
        assert_eq!(of("/reports/deployment/d?format=yaml"), Format::Json);
    }
}
