//! The configuration that applies, as text for people.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::error::ConfigError;
use super::file::DEFAULTS;
use super::variable::{Fallback, Variable};
use super::variables::{Config, VARIABLES};
use crate::secret::ConnectionString;

/// The sections of which the file's are added to, or replace, built-in ones as a whole.
const LISTS: [&str; 2] = ["usage", "rate"];

/// Returns the variables and the file that apply, without passwords: variables as comments, then the file's sections
/// with the defaults of the keys that it does not have.
///
/// # Errors
///
/// The first setting that is wrong.
pub fn show(vars: Vec<(String, String)>) -> Result<String, ConfigError> {
    let config = Config::from_vars(vars.clone())?;
    let given: BTreeMap<String, String> =
        vars.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let mut text = String::new();
    for variable in VARIABLES {
        text.push_str(&format!("# {}\n", show_variable(variable, &given)));
    }
    let file = match given.get("STACKLEDGER_CONFIG") {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| ConfigError::new("STACKLEDGER_CONFIG", path, error.to_string()))?,
        None => String::new(),
    };
    let parse = |text: &str| {
        let wrong = |error: toml::de::Error| {
            ConfigError::new("STACKLEDGER_CONFIG", "…", error.message().to_owned())
        };
        text.parse::<Table>().map_err(wrong)
    };
    let (mut shown, given) = (parse(DEFAULTS)?, parse(&file)?);
    merge(&mut shown, given);
    let sources = Value::try_from(&config.file.sources)
        .map_err(|error| ConfigError::new("STACKLEDGER_CONFIG", "…", error.to_string()))?;
    shown.insert("source".to_owned(), sources);
    if let Some(Value::Table(export)) = shown.get_mut("export")
        && let Some(Value::String(url)) = export.get_mut("url")
    {
        *url = ConnectionString::new(url.as_str()).to_string();
    }
    text.push_str(&format!("\n{shown}"));
    for list in LISTS {
        if !shown.contains_key(list) {
            text.push_str(&format!("# [[{list}]]: the built-in ones, if there are any\n"));
        }
    }
    Ok(text)
}

/// Shows a variable as `NAME=value`, or what applies without it.
fn show_variable(variable: &Variable, given: &BTreeMap<String, String>) -> String {
    let name = variable.name;
    match (given.get(name), variable.fallback) {
        (Some(_), _) if variable.is_secret && !name.ends_with("_URL") => format!("{name}=***"),
        (Some(value), _) if variable.is_secret => {
            let mask = |url: &str| ConnectionString::new(url).to_string();
            let urls: Vec<String> = value
                .split(',')
                .map(|urls| urls.split(';').map(mask).collect::<Vec<_>>().join(";"))
                .collect();
            format!("{name}={}", urls.join(","))
        }
        (Some(value), _) => format!("{name}={value}"),
        (None, Fallback::Default(value)) => format!("{name}={value} (the default)"),
        (None, Fallback::NoDefault(text)) => format!("{name} is not set: {text}"),
    }
}

/// Puts the keys of a file over those of the defaults.
fn merge(shown: &mut Table, given: Table) {
    for (key, value) in given {
        match (shown.get_mut(&key), value) {
            (Some(Value::Table(shown)), Value::Table(given)) => merge(shown, given),
            (_, value) => drop(shown.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::File;

    fn shown(vars: &[(&str, &str)]) -> String {
        show(vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()).unwrap()
    }

    #[test]
    fn without_anything_given_it_is_the_defaults() {
        let shown = shown(&[]);
        assert_eq!(shown.parse::<File>().unwrap(), File::default());
        assert!(shown.contains("# LISTEN=127.0.0.1:8080 (the default)\n"), "{shown}");
        assert!(shown.contains("# TOKENS is not set: "), "{shown}");
    }

    #[test]
    fn a_file_is_put_over_the_defaults() {
        let path =
            std::env::temp_dir().join(format!("stackledger-shown-{}.toml", std::process::id()));
        let text = "[export]\nurl = 'mysql://u:geheim@h/d'\n[retention.perf]\nraw = '9d'\n[[source]]\nexchange = 'heat'\n\
                    [[source.queue]]\nname = 'q'\nkeys = ['a.*']\n";
        std::fs::write(&path, text).unwrap();
        let vars = [
            ("STACKLEDGER_CONFIG", path.to_str().unwrap()),
            ("TOKENS", "geheim"),
            ("AMQP_URL", "amqp://u:geheim@a,amqp://u:geheim@b;amqp://u:geheim@c"),
        ];
        let shown = shown(&vars);
        std::fs::remove_file(&path).unwrap();
        assert!(!shown.contains("geheim"), "{shown}");
        assert!(
            shown.contains("# AMQP_URL=amqp://u:***@a,amqp://u:***@b;amqp://u:***@c\n"),
            "{shown}"
        );
        let file: File = shown.parse().unwrap();
        let expected: File = text.parse().unwrap();
        assert_eq!((&file.sources, &file.retention), (&expected.sources, &expected.retention));
        assert_eq!(file.reports, expected.reports);
    }
}
