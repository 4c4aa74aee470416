//! A client of a running server: its URL, the bearer token it requires, and how long to wait for it.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode, Url, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::RequestError;
use crate::api;
use crate::cli::environment::Environment;
use crate::config::{ConfigError, STACKLEDGER_TOKEN, STACKLEDGER_URL};
use crate::secret::ConnectionString;

/// The options that name a server.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ServerOptions {
    /// URL of the server to ask [default: the server that listens at LISTEN]
    #[arg(long, env = STACKLEDGER_URL.name, hide_env_values = STACKLEDGER_URL.is_secret, display_order = 100)]
    url: Option<String>,
    /// Bearer token that the server requires [default: the first of TOKENS, if --url is not given]
    #[arg(long, env = STACKLEDGER_TOKEN.name, hide_env_values = STACKLEDGER_TOKEN.is_secret, display_order = 100)]
    token: Option<String>,
}

/// A client of one server.
pub(in crate::cli) struct Client {
    http: reqwest::Client,
    /// Without a slash at its end.
    url: String,
    token: Option<String>,
}

/// How long a connection to the server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much longer we wait for an answer than the server works on it, for the way there and back.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
/// How long requests are repeated that the server answers with 503, because it is not ready yet.
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

impl Client {
    /// Creates a client, without connecting to the server.
    ///
    /// # Errors
    ///
    /// If the URL is not accepted.
    pub fn new(env: &Environment, options: &ServerOptions) -> anyhow::Result<Self> {
        let given = options.url.as_deref().filter(|url| !url.is_empty());
        let token = options.token.clone().filter(|token| !token.is_empty());
        // Our own tokens are sent only to our own server, not to one that --url names.
        let own = env.config.tokens.first().filter(|_| given.is_none());
        let url = match given {
            Some(url) => check_url("STACKLEDGER_URL (--url)", url)?,
            None => format!("http://{}", env.config.listen),
        };
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Client { http, url, token: token.or_else(|| Some(own?.expose().to_owned())) })
    }

    /// Sends a GET, and returns the JSON of the answer.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, RequestError> {
        self.send(Method::GET, path, query, None).await
    }

    /// Sends a POST with a body of JSON or without one, and returns the JSON of the answer.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, RequestError> {
        self.send(Method::POST, path, &[], body).await
    }

    /// Returns all items of a list, requesting page after page.
    pub async fn get_all<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, RequestError> {
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

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<T, RequestError> {
        let no_answer = |error| RequestError::no_answer(&self.url, &error);
        let started = Instant::now();
        loop {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
            request = request.query(query).timeout(api::request_timeout(path) + ANSWER_TIMEOUT);
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let response = request.send().await.map_err(no_answer)?;
            let status = response.status();
            let retry_after = response.headers().get(header::RETRY_AFTER);
            let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
            let text = response.text().await.map_err(no_answer)?;
            if status.is_success() {
                return Ok(serde_json::from_str(&text)?);
            }
            // A request that is answered with 503 has changed nothing, so it can be repeated.
            match retry_after.map(|seconds: u32| Duration::from_secs(seconds.max(1).into())) {
                Some(pause)
                    if status == StatusCode::SERVICE_UNAVAILABLE
                        && started.elapsed() + pause < RETRY_TIMEOUT =>
                {
                    tokio::time::sleep(pause).await;
                }
                _ => return Err(RequestError::refused(status, &text)),
            }
        }
    }
}

/// Returns the URL of a server without a slash at its end. `name` is the option or variable that it
/// comes from.
pub(in crate::cli) fn check_url(name: &'static str, given: &str) -> Result<String, ConfigError> {
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
            ConnectionString::new(given),
            "http://host:port is expected (there is no TLS yet; a token goes into \
             STACKLEDGER_TOKEN)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_accepted_if_it_names_only_a_server() {
        for (given, used) in [
            ("http://h:8080", "http://h:8080"),
            ("http://h/", "http://h"),
            ("HTTP://h:80/behind/a/proxy/", "http://h/behind/a/proxy"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(check_url("--url", given).unwrap(), used);
        }
        for given in ["h:8080", "https://h", "http://", "http://u:geheim@h", "http://h?a=b", "x"] {
            let error = check_url("--url", given).unwrap_err().to_string();
            assert!(error.starts_with("--url="), "{error}");
            assert!(error.contains("http://host:port") && !error.contains("geheim"), "{error}");
        }
    }
}
