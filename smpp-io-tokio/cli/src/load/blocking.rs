//! `smpp load --blocking`.

mod client;
mod raw;
mod server;

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::{Arguments, account};
use crate::failure::Failure;

/// Measures, or serves. Returns whether every message was accepted.
pub(super) fn run(arguments: &Arguments) -> Result<bool, Failure> {
    if arguments.account {
        return account::blocking::submit(arguments, &account::url(arguments)?);
    }
    if let Some(address) = &arguments.serve {
        return match (arguments.raw, arguments.alone) {
            (true, _) => raw::serve(address),
            (false, true) => server::serve_alone(address),
            (false, false) => server::serve(address, arguments.sessions),
        };
    }
    let own = arguments.url.is_none().then(|| ServerProcess::start(arguments)).transpose()?;
    let url = arguments.url.clone().or(own.as_ref().map(|own| own.url.clone())).unwrap_or_default();
    if arguments.raw { raw::submit(arguments, &url) } else { client::submit(arguments, &url) }
}

/// An SMSC in another process, which is killed when this is dropped.
struct ServerProcess {
    process: Child,
    url: String,
}

impl ServerProcess {
    fn start(arguments: &Arguments) -> Result<Self, Failure> {
        let program = env::current_exe().map_err(Failure::local_smsc)?;
        let mut command = Command::new(program);
        command.args(["load", "--blocking", "--serve", "127.0.0.1:0"]).stdout(Stdio::piped());
        command.args(arguments.raw.then_some("--raw")).args(arguments.alone.then_some("--alone"));
        let mut process = command.spawn().map_err(Failure::local_smsc)?;
        let mut line = String::new();
        if let Some(stdout) = &mut process.stdout {
            BufReader::new(stdout).read_line(&mut line).map_err(Failure::local_smsc)?;
        }
        let address = line.trim_end().strip_prefix("listening on ");
        let address = address.ok_or_else(|| Failure::local_smsc("the process does not listen"))?;
        Ok(Self { url: format!("smpp://load:load@{address}"), process })
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It fails only if the process has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
