//! Asking a running server: where it is, the token it wants, and why it did not answer.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode, Url, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Env;
use crate::api;
use crate::config::{ConfigError, STACKLEDGER_TOKEN, STACKLEDGER_URL};

#[derive(Debug, clap::Args)]
pub(super) struct Server {
    /// The server to ask [default: the one that listens at LISTEN]
    #[arg(long, env = STACKLEDGER_URL.name, hide_env_values = STACKLEDGER_URL.is_secret, display_order = 100)]
    url: Option<String>,
    /// The bearer token it wants [default: the first of TOKENS, where --url is not given]
    #[arg(long, env = STACKLEDGER_TOKEN.name, hide_env_values = STACKLEDGER_TOKEN.is_secret, display_order = 100)]
    token: Option<String>,
}

/// A server that is asked.
pub(super) struct Client {
    http: reqwest::Client,
    /// Without a slash at its end.
    url: String,
    token: Option<String>,
}

/// Why there is no answer, in one line for people.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Failure {
    text: String,
    status: Option<StatusCode>,
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Failure { text: format!("this version cannot read the answer: {error}"), status: None }
    }
}

impl Failure {
    /// Whether the server says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        self.status == Some(StatusCode::NOT_FOUND)
    }
}

/// How long a server may take to take a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How much later than the server gives up an answer may be here.
const WAY_PATIENCE: Duration = Duration::from_secs(90);
/// For how long a server that is not ready yet (503) is asked again.
const RETRY_PATIENCE: Duration = Duration::from_secs(60);

impl Client {
    /// # Errors
    ///
    /// When the URL is not one of a server.
    pub fn new(env: &Env, options: &Server) -> anyhow::Result<Self> {
        let given = options.url.as_deref().filter(|url| !url.is_empty());
        let token = options.token.clone().filter(|token| !token.is_empty());
        // Our own tokens are for our own server, not for whomever --url names.
        let own = env.config.tokens.first().filter(|_| given.is_none());
        let url = match given {
            Some(url) => checked("STACKLEDGER_URL (--url)", url)?,
            None => format!("http://{}", env.config.listen),
        };
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Client { http, url, token: token.or_else(|| Some(own?.expose().to_owned())) })
    }

    /// What the server answers to a GET.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        self.ask(Method::GET, path, query, None).await
    }

    /// What the server answers to a POST, of JSON or of nothing.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        self.ask(Method::POST, path, &[], body).await
    }

    /// All items of a list, page by page.
    pub async fn all<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, Failure> {
        #[derive(Deserialize)]
        struct Page<T> {
            items: Vec<T>,
            next: Option<String>,
        }
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut query = [&[("limit", "1000")], query].concat();
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page: Page<T> = self.get(path, &query).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(all),
            }
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        loop {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
            request = request.query(query).timeout(api::patience(path) + WAY_PATIENCE);
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let response = request.send().await.map_err(|error| self.away(&error))?;
            let status = response.status();
            let retry_after = response.headers().get(header::RETRY_AFTER);
            let retry_after = retry_after.and_then(|it| it.to_str().ok()?.parse().ok());
            let text = response.text().await.map_err(|error| self.away(&error))?;
            if status.is_success() {
                return Ok(serde_json::from_str(&text)?);
            }
            // Such a request has left nothing behind and can be made again.
            match retry_after.map(|seconds: u32| Duration::from_secs(seconds.max(1).into())) {
                Some(wait)
                    if status == StatusCode::SERVICE_UNAVAILABLE
                        && started.elapsed() + wait < RETRY_PATIENCE =>
                {
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(refused(status, &text)),
            }
        }
    }

    fn away(&self, error: &reqwest::Error) -> Failure {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Failure { text: format!("no answer from {}: {cause}", self.url), status: None }
    }
}

/// The problem of an answer, as its server tells it.
fn refused(status: StatusCode, body: &str) -> Failure {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
        parameter: Option<String>,
    }
    let hint = match status {
        StatusCode::UNAUTHORIZED => ": set STACKLEDGER_TOKEN",
        _ => "",
    };
    let text = match serde_json::from_str(body) {
        Ok(Problem { detail, parameter: Some(wrong) }) if status == StatusCode::BAD_REQUEST => {
            format!("{wrong}: {detail} ({status})")
        }
        Ok(Problem { detail, .. }) => format!("{detail}{hint} ({status})"),
        Err(_) => format!("the answer is {status}"),
    };
    Failure { text, status: Some(status) }
}

/// The URL of a server without a slash at its end; `name` is the option's.
pub(super) fn checked(name: &'static str, given: &str) -> Result<String, ConfigError> {
    let is_accepted = |url: &Url| {
        url.scheme() == "http"
            && url.has_host()
            && (url.username(), url.password(), url.query(), url.fragment())
                == ("", None, None, None)
    };
    match Url::parse(given) {
        Ok(url) if is_accepted(&url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        _ => Err(ConfigError::new(
            name,
            crate::secret::ConnectionString::new(given),
            "http://host:port is expected (there is no TLS yet; a token goes into \
             STACKLEDGER_TOKEN)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_that_of_a_server() {
        for (given, used) in [
            ("http://h:8080", "http://h:8080"),
            ("http://h/", "http://h"),
            ("HTTP://h:80/behind/a/proxy/", "http://h/behind/a/proxy"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(checked("--url", given).unwrap(), used);
        }
        for given in ["h:8080", "https://h", "http://", "http://u:geheim@h", "http://h?a=b", "x"] {
            let error = checked("--url", given).unwrap_err().to_string();
            assert!(error.starts_with("--url="), "{error}");
            assert!(error.contains("http://host:port") && !error.contains("geheim"), "{error}");
        }
    }

    #[test]
    fn a_problem_is_told_in_its_server_s_words() {
        let refused =
            |status: u16, body| refused(StatusCode::from_u16(status).unwrap(), body).to_string();
        assert_eq!(
            refused(409, r#"{"detail": "billed by order 1", "parameter": "end"}"#),
            "billed by order 1 (409 Conflict)"
        );
        assert_eq!(
            refused(400, r#"{"detail": "a date is expected", "parameter": "end"}"#),
            "end: a date is expected (400 Bad Request)"
        );
        assert_eq!(
            refused(401, r#"{"detail": "a bearer token is asked for"}"#),
            "a bearer token is asked for: set STACKLEDGER_TOKEN (401 Unauthorized)"
        );
        assert_eq!(refused(502, "<html>"), "the answer is 502 Bad Gateway");
    }
}
