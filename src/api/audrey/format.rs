//! XML or JSON, as the client asks for it.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use utoipa::IntoParams;

use super::xml;
use crate::http::{FromParameters, Parameters, Problem};
use crate::lifecycle;

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// As Audrey wrote it; for whoever does not ask.
    Xml,
    /// With all that is known.
    Json,
}

/// What a report depends on.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asking {
    /// Takes the place of the clock.
    #[param(value_type = Option<String>, format = DateTime)]
    pub at: Timestamp,
    /// `xml` or `json`; otherwise the header `Accept` decides, and XML is for who does not say.
    #[param(value_type = Option<String>, pattern = "^(xml|json)$")]
    pub format: Option<Format>,
}

impl FromParameters for Asking {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Asking {
            at: parameters.time("at")?.unwrap_or_else(lifecycle::now),
            format: parameters.read("format", "xml or json is expected", Format::parse)?,
        })
    }
}

impl Format {
    fn parse(text: &str) -> Option<Format> {
        match text {
            "xml" => Some(Format::Xml),
            "json" => Some(Format::Json),
            _ => None,
        }
    }

    /// What the header `Accept` asks for: JSON, where it is named and nothing else that is XML is
    /// wanted as much.
    pub fn accepted(headers: &HeaderMap) -> Format {
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

    fn of(uri: &Uri, headers: &HeaderMap) -> Format {
        let mut given = Parameters::parse(uri.query().unwrap_or_default()).ok();
        let named = given.as_mut().and_then(|given| given.take("format"));
        named.as_deref().and_then(Format::parse).unwrap_or_else(|| Format::accepted(headers))
    }
}

/// Writes whatever problem a report's path is answered with as XML, unless JSON is asked for. Caches
/// are told that the answer depends on what was.
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
    fn json_is_for_who_names_it() {
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
