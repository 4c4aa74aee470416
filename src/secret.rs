//! Texts that must not appear in logs or error messages: connection strings, whose passwords are
//! masked, and secrets, which are never shown.

use serde::Deserialize;

/// A connection string: a URL or a list of `key=value` pairs. It is displayed without its password.
#[derive(Clone, Deserialize, PartialEq, Eq)]
pub struct ConnectionString(String);

impl ConnectionString {
    /// Wraps the text, which may be malformed.
    pub fn new(text: impl Into<String>) -> Self {
        ConnectionString(text.into())
    }

    /// The whole text, for the code that connects.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ConnectionString {
    /// Writes the text with each password replaced by `***`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&mask_passwords(&self.0))
    }
}

impl std::fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// A secret that is shared with other programs, such as a bearer token or a signing key. No part of
/// it is ever displayed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text, for the code that sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Replaces the password in `scheme://user:password@host` and in `password=…` by `***`. Malformed
/// texts are masked as well: they are the ones that end up in error messages.
fn mask_passwords(text: &str) -> String {
    let is_scheme =
        |scheme: &str| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (&text[..scheme.len() + 3], rest),
        _ => ("", text),
    };
    let rest = match rest.rsplit_once('@') {
        Some((user_info, host)) => match user_info.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    let (mut masked, mut rest) = (scheme.to_owned(), rest.as_str());
    // Any key that begins with `pass` counts, such as `passwd`: no driver accepts it, but its value
    // may well be a password.
    while let Some(at) = rest.to_ascii_lowercase().find("pass") {
        let key = at + rest[at..].find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len() - at);
        let Some(value) = rest[key..].trim_start().strip_prefix('=') else {
            masked.push_str(&rest[..key]);
            rest = &rest[key..];
            continue;
        };
        masked.push_str(&rest[..key]);
        masked.push_str("=***");
        rest = skip_value(value, !scheme.is_empty());
    }
    masked + rest
}

/// Returns the text after the value of a parameter, in a URL or in a list of `key=value` pairs.
fn skip_value(value: &str, is_url: bool) -> &str {
    if is_url {
        return &value[value.find('&').unwrap_or(value.len())..];
    }
    let value = value.trim_start();
    let (value, is_quoted) =
        value.strip_prefix('\'').map_or((value, false), |quoted| (quoted, true));
    let mut chars = value.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => drop(chars.next()),
            '\'' if is_quoted => return &value[at + 1..],
            _ if char.is_whitespace() && !is_quoted => return &value[at..],
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (given, shown) in [
            ("amqp://u:p@ss@h:1/v", "amqp://u:***@h:1/v"),
            ("kombu+amqp://u:p@h:1/v", "kombu+amqp://u:***@h:1/v"),
            ("postgresql://u@h/d", "postgresql://u@h/d"),
            ("host=h password=x user=u", "host=h password=*** user=u"),
            ("postgresql://h/d?password=x&user=u", "postgresql://h/d?password=***&user=u"),
            ("postgresql://u:p q@h/d", "postgresql://u:***@h/d"),
            ("u:p@h/d", "u:***@h/d"),
            ("host=h password = x user=u", "host=h password=*** user=u"),
            ("password='x y\\' z' user=u", "password=*** user=u"),
            ("password=x\\ y user=u", "password=*** user=u"),
            ("password='x y", "password=***"),
            ("password=a://b:c@d user=u", "password=*** user=u"),
            ("PASSWD=x&y pass", "PASSWD=*** pass"),
        ] {
            assert_eq!(ConnectionString::new(given).to_string(), shown);
        }
    }

    #[test]
    fn no_part_of_a_secret_is_shown() {
        assert_eq!(format!("{:?}", Secret::new("s3cr3t")), "***");
        assert_eq!(Secret::new("s3cr3t").expose(), "s3cr3t");
    }
}
