//! Audrey's documents. Names, order and optional parts are Audrey's; `schema/report.rng` describes them in
//! RELAX NG. Times are whole seconds in UTC.

use std::borrow::Cow;
use std::io;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::event::deployment::Target;
use crate::http::Problem;
use crate::projection::deployment::{Attempt, Deployment, Deployments, Service, Status};

/// The media type of the documents.
pub(super) const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/xml");

/// A document being written. Writing to memory does not fail.
type Xml = Writer<Vec<u8>>;

/// Writes the report of a deployment.
pub(super) fn deployment(deployment: &Deployment) -> Response {
    document(|xml| {
        let attributes = [
            ("uuid", clean(&deployment.deployment_id)),
            ("status", status(deployment.status()).into()),
        ];
        element(xml, "deployment", &attributes, |xml| {
            time(xml, "registered", Some(deployment.registered_at()))?;
            time(xml, "completed", deployment.completed_at())?;
            list(xml, "instances", &deployment.instances, |xml, attempt| {
                empty(xml, "instance", &instance_attributes(attempt))
            })
        })
    })
}

/// Writes the report of an instance.
pub(super) fn instance(deployments: &Deployments<'_>, attempt: &Attempt) -> Response {
    document(|xml| {
        element(xml, "instance", &instance_attributes(attempt), |xml| {
            time(xml, "registered", Some(attempt.registered_at))?;
            time(xml, "first-contacted", attempt.contacted.map(|(first, _)| first))?;
            time(xml, "last-contacted", attempt.contacted.map(|(_, last)| last))?;
            time(xml, "completed", attempt.completed_at())?;
            list(xml, "services", &attempt.services, |xml, service| {
                service_element(xml, deployments, attempt, service, None)
            })?;
            // As in Audrey, only beside services.
            let has_services = !attempt.services.is_empty();
            let pending: Vec<&str> = attempt.pending().filter(|_| has_services).collect();
            list(xml, "pending-return-parameters", &pending, |xml, name| {
                empty(xml, "return-parameter", &[("name", clean(name))])
            })
        })
    })
}

/// Writes the report of one service of an instance.
pub(super) fn service(
    deployments: &Deployments<'_>,
    attempt: &Attempt,
    service: &Service,
) -> Response {
    document(|xml| service_element(xml, deployments, attempt, service, Some(&attempt.instance_id)))
}

/// Writes a problem.
pub(super) fn problem(problem: &Problem) -> Vec<u8> {
    let bytes = write(|xml| {
        element(xml, "error", &[("status", problem.status.to_string().into())], |xml| {
            text(xml, "title", &problem.title)?;
            text(xml, "detail", &problem.detail)?;
            problem.parameter.as_deref().map_or(Ok(()), |name| text(xml, "parameter", name))
        })
    });
    bytes.unwrap_or_default()
}

fn document(content: impl FnOnce(&mut Xml) -> io::Result<()>) -> Response {
    match write(content) {
        Ok(bytes) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], bytes).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "a report could not be written");
            Problem::internal().into_response()
        }
    }
}

fn write(content: impl FnOnce(&mut Xml) -> io::Result<()>) -> io::Result<Vec<u8>> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", None, None)))?;
    content(&mut xml)?;
    let mut bytes = xml.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

fn instance_attributes(attempt: &Attempt) -> [(&'static str, Cow<'_, str>); 3] {
    [
        ("uuid", clean(&attempt.instance_id)),
        ("assembly", clean(attempt.assembly.as_deref().unwrap_or_default())),
        ("status", status(attempt.status()).into()),
    ]
}

/// Writes a service. `instance_id` names its instance, if the service is the whole document.
fn service_element(
    xml: &mut Xml,
    deployments: &Deployments<'_>,
    attempt: &Attempt,
    service: &Service,
    instance_id: Option<&str>,
) -> io::Result<()> {
    let mut attributes =
        vec![("name", clean(&service.name)), ("status", status(Some(service.status())).into())];
    attributes.extend(instance_id.map(|id| ("instance", clean(id))));
    let unresolved = deployments.unresolved_parameters_of(attempt, service);
    let is_empty = service.runs.is_empty() && unresolved.is_empty();
    if is_empty {
        return empty(xml, "service", &attributes);
    }
    element(xml, "service", &attributes, |xml| {
        time(xml, "configuration-started", service.started_at())?;
        time(xml, "configuration-ended", service.ended_at())?;
        if let Some(code) = service.code() {
            text(xml, "completion-status", code)?;
        }
        list(xml, "unresolved-service-parameters", &unresolved, |xml, waiting| {
            let name = [("name", clean(waiting.parameter))];
            element(xml, "service-parameter", &name, |xml| {
                empty(xml, "source-assembly", &[("uuid", clean(waiting.from))])?;
                match waiting.target {
                    Target::Parameter(name) => {
                        empty(xml, "return-param-name", &[("name", clean(name))])
                    }
                    Target::Service(name) => empty(xml, "service-name", &[("name", clean(name))]),
                }
            })
        })
    })
}

/// Returns Audrey's word for a status; it is empty if there are no services.
fn status(status: Option<Status>) -> &'static str {
    status.map_or("", Status::as_str)
}

fn element(
    xml: &mut Xml,
    name: &str,
    attributes: &[(&'static str, Cow<'_, str>)],
    content: impl FnOnce(&mut Xml) -> io::Result<()>,
) -> io::Result<()> {
    let attributes = attributes.iter().map(|(name, value)| (*name, value.as_ref()));
    xml.create_element(name).with_attributes(attributes).write_inner_content(content)?;
    Ok(())
}

fn empty(xml: &mut Xml, name: &str, attributes: &[(&'static str, Cow<'_, str>)]) -> io::Result<()> {
    let attributes = attributes.iter().map(|(name, value)| (*name, value.as_ref()));
    xml.create_element(name).with_attributes(attributes).write_empty()?;
    Ok(())
}

/// Writes an element around others, if there are any.
fn list<T>(
    xml: &mut Xml,
    name: &str,
    items: &[T],
    item: impl Fn(&mut Xml, &T) -> io::Result<()>,
) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    element(xml, name, &[], |xml| items.iter().try_for_each(|one| item(xml, one)))
}

fn text(xml: &mut Xml, name: &str, value: &str) -> io::Result<()> {
    xml.create_element(name).write_text_content(BytesText::new(&clean(value)))?;
    Ok(())
}

/// Writes a time, if it is known.
fn time(xml: &mut Xml, name: &str, at: Option<Timestamp>) -> io::Result<()> {
    let Some(at) = at else { return Ok(()) };
    text(xml, name, &at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Replaces by U+FFFD the characters that XML 1.0 cannot contain, not even escaped.
fn clean(text: &str) -> Cow<'_, str> {
    let is_forbidden = |c: char| matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    if text.contains(is_forbidden) {
        text.replace(is_forbidden, "\u{fffd}").into()
    } else {
        text.into()
    }
}
