//! `smpp completions`: a completion script for a shell.

use std::io::{self, Write};
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
    let mut script = Vec::new();
    generate(arguments.shell, &mut crate::Arguments::command(), "smpp", &mut script);
    match io::stdout().write_all(&script) {
        // Who reads it, such as `head`, has enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("error: standard output: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
