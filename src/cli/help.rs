//! The end of `--help`: the environment variables and the exit codes.

use crate::config::{Fallback, VARIABLES, Variable};

/// Columns of a terminal that the text is written for; clap breaks its lines again on a narrower one.
const WIDTH: usize = 100;

/// Lists every environment variable with its help and default, and the exit codes.
pub(super) fn after_help() -> String {
    let name_width = VARIABLES.iter().map(|variable| variable.name.len()).max().unwrap_or(0);
    let indent = 2 + name_width + 2;
    let mut text = "Environment:\n".to_owned();
    for variable in VARIABLES {
        let name = variable.name;
        let lines = wrap(&describe(variable), WIDTH - indent);
        let lines = lines.join(&format!("\n{:indent$}", ""));
        text += &format!("  {name:name_width$}  {lines}\n");
    }
    text + "\nExit codes: " + EXIT_CODES
}

/// The exit codes of all commands.
pub(super) const EXIT_CODES: &str =
    "0 success, 1 failure or a negative answer, 2 wrong usage or configuration.";

/// Returns the help of a variable, with its default.
pub(super) fn describe(variable: &Variable) -> String {
    let (Fallback::Default(fallback) | Fallback::NoDefault(fallback)) = variable.fallback;
    format!("{} [default: {fallback}]", variable.help)
}

/// Breaks a text at spaces into lines of at most `width` characters; a longer word has its own line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_long_as_they_may_be() {
        assert_eq!(wrap("a bc def ghij k", 6), ["a bc", "def", "ghij k"]);
        assert_eq!(wrap("a longest b", 4), ["a", "longest", "b"]);
    }

    #[test]
    fn no_line_is_too_long() {
        assert!(after_help().lines().all(|line| line.chars().count() <= WIDTH));
    }
}
