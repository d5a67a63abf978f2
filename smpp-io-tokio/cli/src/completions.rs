//! `smpp completions`: a completion script for a shell.

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use clap_complete::{Shell, generate};

/// Prints a completion script for a shell
#[derive(Parser)]
#[command(after_help = "Examples:
  smpp completions bash > ~/.local/share/bash-completion/completions/smpp
  smpp completions zsh > ~/.zfunc/_smpp
  smpp completions fish > ~/.config/fish/completions/smpp.fish")]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    generate(arguments.shell, &mut crate::Arguments::command(), "smpp", &mut io::stdout());
    ExitCode::SUCCESS
}
