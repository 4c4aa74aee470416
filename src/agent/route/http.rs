//! By HTTP: several events in one request.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{StatusCode, header};

use super::Carried;
use crate::agent::buffer::Fate;
use crate::agent::sample::Sample;
use crate::secret::Secret;

/// How long a server may take to take a connection, and to answer.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_PATIENCE: Duration = Duration::from_secs(35);

pub(in crate::agent) struct Poster {
    http: reqwest::Client,
    url: String,
    token: Option<Secret>,
}

/// What an answer says about the events of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Taken,
    /// As it is, none of them will be taken.
    Refused,
    /// One of them is wrong, or there are too many.
    Divide,
    /// Nothing: it is to be asked again.
    Again,
}

impl Poster {
    pub fn new(url: String, token: Option<Secret>) -> Result<Poster> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(ANSWER_PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Poster { http, url, token })
    }

    pub fn name(&self) -> String {
        format!("server {}", self.url)
    }

    /// Posts all in one request, and halves of them where one is wrong, until it stands alone.
    pub async fn carry(&self, samples: &[Sample]) -> Result<Carried> {
        let (status, detail) = self.post(samples).await?;
        let told = || Some(format!("{status}{detail}"));
        let all = |fate, reason| Carried { fates: vec![fate; samples.len()], reason };
        Ok(match answer(status) {
            Answer::Taken => all(Fate::Delivered, None),
            Answer::Again => bail!("{status}{detail}"),
            Answer::Divide if samples.len() > 1 => {
                let (one, other) = samples.split_at(samples.len() / 2);
                let mut carried = Box::pin(self.carry(one)).await?;
                // What the first half came to stands, whatever becomes of the second.
                match Box::pin(self.carry(other)).await {
                    Ok(second) => {
                        carried.fates.extend(second.fates);
                        carried.reason = second.reason.or(carried.reason);
                    }
                    Err(error) => carried.reason = Some(format!("{error:#}")),
                }
                carried
            }
            Answer::Divide | Answer::Refused => all(Fate::Refused, told()),
        })
    }

    /// The status of the answer, and what it gives for a reason.
    async fn post(&self, samples: &[Sample]) -> Result<(StatusCode, String)> {
        let mut request = self
            .http
            .post(format!("{}/v1/events", self.url))
            .header(header::CONTENT_TYPE, "application/cloudevents-batch+json")
            .body(list(samples));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let response = request.send().await.map_err(cause).context("it does not answer")?;
        let status = response.status();
        let body = response.bytes().await.map_err(cause).context("its answer breaks off")?;
        Ok((status, if status.is_success() { String::new() } else { detail(&body) }))
    }
}

fn answer(status: StatusCode) -> Answer {
    match status {
        _ if status.is_success() => Answer::Taken,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Answer::Again,
        StatusCode::BAD_REQUEST
        | StatusCode::CONFLICT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Answer::Divide,
        _ if status.is_client_error() => Answer::Refused,
        _ => Answer::Again,
    }
}

/// The bodies as a JSON list.
fn list(samples: &[Sample]) -> Vec<u8> {
    let mut list = vec![b'['];
    for (place, sample) in samples.iter().enumerate() {
        if place > 0 {
            list.push(b',');
        }
        list.extend_from_slice(&sample.body);
    }
    list.push(b']');
    list
}

/// The reason in a problem's own words, where the answer is one.
fn detail(body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let words = problem["detail"].as_str().unwrap_or_default();
    let words: String = words.chars().filter(|char| !char.is_control()).take(200).collect();
    if words.is_empty() { words } else { format!(": {words}") }
}

/// The last of the causes: the others say that a request failed.
fn cause(error: reqwest::Error) -> anyhow::Error {
    let error = anyhow::Error::from(error.without_url());
    anyhow::anyhow!("{}", error.root_cause())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::machine::Metrics;

    #[test]
    fn an_answer_says_whether_to_ask_again() {
        for (status, expected) in [
            (200, Answer::Taken),
            (201, Answer::Taken),
            (302, Answer::Again),
            (400, Answer::Divide),
            (401, Answer::Refused),
            (404, Answer::Refused),
            (408, Answer::Again),
            (409, Answer::Divide),
            (413, Answer::Divide),
            (422, Answer::Divide),
            (429, Answer::Again),
            (500, Answer::Again),
            (503, Answer::Again),
        ] {
            assert_eq!(answer(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
    }

    #[test]
    fn events_go_as_one_list() {
        let at = "2026-11-20T03:05:54Z".parse().unwrap();
        let sample = Sample::new("h", at, Metrics::new(), 0);
        let listed: Vec<serde_json::Value> =
            serde_json::from_slice(&list(&[sample.clone(), sample.clone()])).unwrap();
        let one: serde_json::Value = serde_json::from_slice(&sample.body).unwrap();
        assert_eq!(listed, [one.clone(), one]);
    }

    #[test]
    fn a_problem_is_told_in_one_short_line() {
        assert_eq!(detail(br#"{"detail": "a token\nis asked for"}"#), ": a tokenis asked for");
        assert_eq!(detail(b"<html>"), "");
        assert_eq!(detail(format!(r#"{{"detail": "{}"}}"#, "x".repeat(999)).as_bytes()).len(), 202);
    }
}
