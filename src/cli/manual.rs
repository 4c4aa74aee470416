//! `stackledger man` and `stackledger completions`: the command line described for `man` and for shells.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::output::say;
use super::{Cli, help};
use crate::config::VARIABLES;

/// The name of the program, in manual pages and completions.
const NAME: &str = "stackledger";

#[derive(Debug, clap::Args)]
pub(super) struct ManOptions {
    /// The folder, which is created if it does not exist
    folder: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct CompletionsOptions {
    /// The shell
    shell: Shell,
}

/// Writes a page for the program and one for each command, `stackledger-COMMAND.1`.
pub(super) fn write_man_pages(options: &ManOptions) -> Result<()> {
    let folder = &options.folder;
    let shown = || folder.display().to_string();
    std::fs::create_dir_all(folder).with_context(shown)?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(shown)?;
    let page = folder.join(format!("{NAME}.1"));
    std::fs::write(page, program_page().with_context(shown)?).with_context(shown)
}

/// Returns the page of the program, with the variables and exit codes in sections of their own: the end of `--help`,
/// which has them, is laid out for a terminal.
fn program_page() -> std::io::Result<Vec<u8>> {
    let man = Man::new(Cli::command());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    let mut end = Roff::new();
    end.control("SH", ["ENVIRONMENT"]);
    for variable in VARIABLES {
        end.control("TP", []).text([bold(variable.name)]);
        end.text([roman(help::describe(variable))]);
    }
    end.control("SH", ["EXIT STATUS"]).text([roman(help::EXIT_CODES)]);
    page.extend_from_slice(end.to_roff().as_bytes());
    Ok(page)
}

/// Prints the completions of a shell.
pub(super) fn print_completions(options: &CompletionsOptions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), NAME, &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
