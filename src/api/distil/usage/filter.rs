//! The parameters of `/get_usage`.

use utoipa::IntoParams;

use crate::api::distil::time::{MOMENT_EXPECTED, parse_moment};
use crate::billing::{Settings, Span};
use crate::http::{FromParameters, Parameters, Problem};

/// The tenant and the time of the usage.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api::distil) struct Filter {
    /// The tenant's id.
    #[param(required = true)]
    tenant: Option<String>,
    /// The start of the span: `2026-11-20T03:05:54` (UTC), RFC 3339, or a day, which begins at midnight in
    /// the billing time zone.
    #[param(required = true)]
    start: Option<String>,
    /// The end of the span, not included, written likewise.
    #[param(required = true)]
    end: Option<String>,
}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Filter {
            tenant: parameters.text("tenant")?,
            start: parameters.text("start")?,
            end: parameters.text("end")?,
        })
    }
}

impl Filter {
    /// Reads the tenant and the span.
    pub fn read(self, settings: &Settings) -> Result<(String, Span), Problem> {
        let given = |name: &str, value: Option<String>| {
            value.ok_or_else(|| Problem::bad_request(name, "the parameter is missing"))
        };
        let time = |name: &str, value: Option<String>| {
            let text = given(name, value)?;
            parse_moment(&text, &settings.terms)
                .ok_or_else(|| Problem::bad_request(name, MOMENT_EXPECTED))
        };
        let tenant = given("tenant", self.tenant)?;
        let (start, end) = (time("start", self.start)?, time("end", self.end)?);
        let span = Span::new(start, end)
            .ok_or_else(|| Problem::bad_request("end", "it does not lie after start"))?;
        Ok((tenant, span))
    }
}
