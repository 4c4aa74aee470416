//! Parameters of TTM's routes.

use crate::event;
use crate::http::{FromParameters, Parameters, Problem, Segments};

/// Reads an instance's id from a segment of the path like TTM: without double quotes, which some callers
/// send.
///
/// # Errors
///
/// When it is empty, or longer than the log keeps ids: the event would be no instance's.
pub(super) fn instance_id(segment: &str) -> Result<String, Problem> {
    let id = segment.replace('"', "");
    if id.is_empty() {
        return Err(Problem::bad_request("id", "an instance's id is expected"));
    }
    if id.len() > event::TEXT_MAX {
        return Err(Problem::bad_request("id", format!("at most {} bytes", event::TEXT_MAX)));
    }
    Ok(id)
}

/// Reads the instance's id from a path with one variable segment.
///
/// # Errors
///
/// As [`instance_id`].
pub(super) fn only_instance_id(segments: &Segments<1>) -> Result<String, Problem> {
    let Segments([id]) = segments;
    instance_id(id)
}

/// The parameter `_` that clients such as jQuery add so that no cache answers; its value is ignored. No other
/// parameter is accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct CacheBuster;

impl FromParameters for CacheBuster {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        parameters.take("_");
        Ok(CacheBuster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_around_an_id_are_dropped() {
        assert_eq!(instance_id("\"i-1\"").unwrap(), "i-1");
        assert!(instance_id("\"\"").is_err());
    }

    #[test]
    fn an_id_is_as_long_as_the_log_takes_it() {
        assert!(instance_id(&"i".repeat(255)).is_ok());
        assert_eq!(instance_id(&"i".repeat(256)).unwrap_err().status, 400);
    }
}
