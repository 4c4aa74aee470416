//! The parameter `at`: the time that an answer uses as now.

use jiff::Timestamp;
use utoipa::IntoParams;

use crate::http::{FromParameters, Parameters, Problem};
use crate::lifecycle;

/// The present time of an answer.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Clock {
    /// The time to use as now; the server's clock if it is not given.
    #[param(value_type = Option<String>, format = DateTime)]
    pub at: Timestamp,
}

impl FromParameters for Clock {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Clock { at: parameters.time("at")?.unwrap_or_else(lifecycle::now) })
    }
}
