//! Sending by HTTP: several events in one request.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{StatusCode, header};

use super::outcome::BatchOutcome;
use crate::agent::buffer::Fate;
use crate::agent::sample::Sample;
use crate::secret::Secret;

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(35);

/// Posts to a server.
pub(in crate::agent) struct Poster {
    http: reqwest::Client,
    url: String,
    token: Option<Secret>,
}

/// The meaning of an answer for the events of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// All of them were accepted.
    Accepted,
    /// None of them will ever be accepted.
    Refused,
    /// One of them is wrong, or there are too many: try halves.
    Divide,
    /// The request must be repeated.
    Retry,
}

impl Poster {
    pub fn new(url: String, token: Option<Secret>) -> Result<Poster> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Poster { http, url, token })
    }

    pub fn name(&self) -> String {
        format!("server {}", self.url)
    }

    /// Posts all events in one request. If one is wrong, posts halves of them until the wrong one is alone.
    pub async fn carry(&self, samples: &[Sample]) -> Result<BatchOutcome> {
        let (status, detail) = self.post(samples).await?;
        let reason = || Some(format!("{status}{detail}"));
        let all = |fate, reason| BatchOutcome { fates: vec![fate; samples.len()], reason };
        Ok(match classify(status) {
            Answer::Accepted => all(Fate::Delivered, None),
            Answer::Retry => bail!("{status}{detail}"),
            Answer::Divide if samples.len() > 1 => {
                let (one, other) = samples.split_at(samples.len() / 2);
                let mut outcome = Box::pin(self.carry(one)).await?;
                // The outcome of the first half is final, even if the second half fails.
                match Box::pin(self.carry(other)).await {
                    Ok(second) => {
                        outcome.fates.extend(second.fates);
                        outcome.reason = second.reason.or(outcome.reason);
                    }
                    Err(error) => outcome.reason = Some(format!("{error:#}")),
                }
                outcome
            }
            Answer::Divide | Answer::Refused => all(Fate::Refused, reason()),
        })
    }

    /// Posts events and returns the status and the reason given in the answer.
    async fn post(&self, samples: &[Sample]) -> Result<(StatusCode, String)> {
        let mut request = self
            .http
            .post(format!("{}/v1/events", self.url))
            .header(header::CONTENT_TYPE, "application/cloudevents-batch+json")
            .body(to_json_list(samples));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let response = request.send().await.map_err(root_cause).context("does not answer")?;
        let status = response.status();
        let body =
            response.bytes().await.map_err(root_cause).context("the answer is incomplete")?;
        Ok((status, if status.is_success() { String::new() } else { problem_detail(&body) }))
    }
}

fn classify(status: StatusCode) -> Answer {
    match status {
        _ if status.is_success() => Answer::Accepted,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Answer::Retry,
        StatusCode::BAD_REQUEST
        | StatusCode::CONFLICT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Answer::Divide,
        _ if status.is_client_error() => Answer::Refused,
        _ => Answer::Retry,
    }
}

/// Joins the bodies to a JSON list.
fn to_json_list(samples: &[Sample]) -> Vec<u8> {
    let mut list = vec![b'['];
    for (index, sample) in samples.iter().enumerate() {
        if index > 0 {
            list.push(b',');
        }
        list.extend_from_slice(&sample.body);
    }
    list.push(b']');
    list
}

/// Returns the `detail` of a problem, prefixed by a colon; empty if the answer is not a problem.
fn problem_detail(body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or_default();
    let detail: String = detail.chars().filter(|char| !char.is_control()).take(200).collect();
    if detail.is_empty() { detail } else { format!(": {detail}") }
}

/// Returns the root cause; the errors above it only state that a request failed.
fn root_cause(error: reqwest::Error) -> anyhow::Error {
    let error = anyhow::Error::from(error.without_url());
    anyhow::anyhow!("{}", error.root_cause())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::machine::Metrics;

    #[test]
    fn a_status_decides_the_fate_of_the_events() {
        for (status, expected) in [
            (200, Answer::Accepted),
            (201, Answer::Accepted),
            (302, Answer::Retry),
            (400, Answer::Divide),
            (401, Answer::Refused),
            (404, Answer::Refused),
            (408, Answer::Retry),
            (409, Answer::Divide),
            (413, Answer::Divide),
            (422, Answer::Divide),
            (429, Answer::Retry),
            (500, Answer::Retry),
            (503, Answer::Retry),
        ] {
            assert_eq!(classify(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
    }

    #[test]
    fn events_go_as_one_list() {
        let at = "2026-11-20T03:05:54Z".parse().unwrap();
        let sample = Sample::new("h", at, Metrics::new(), 0);
        let listed: Vec<serde_json::Value> =
            serde_json::from_slice(&to_json_list(&[sample.clone(), sample.clone()])).unwrap();
        let one: serde_json::Value = serde_json::from_slice(&sample.body).unwrap();
        assert_eq!(listed, [one.clone(), one]);
    }

    #[test]
    fn a_problem_is_one_short_line() {
        assert_eq!(
            problem_detail(br#"{"detail": "a token\nis asked for"}"#),
            ": a tokenis asked for"
        );
        assert_eq!(problem_detail(b"<html>"), "");
        assert_eq!(
            problem_detail(format!(r#"{{"detail": "{}"}}"#, "x".repeat(999)).as_bytes()).len(),
            202
        );
    }
}
