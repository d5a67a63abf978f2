//! A node in a process of its own, and what it logs.

use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use super::harness::LIMIT;

/// A node. It is killed when it is dropped.
pub(crate) struct NodeProcess {
    process: Child,
    /// Its sender is dropped when the process has ended.
    log: watch::Receiver<String>,
}

impl NodeProcess {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (sender, log) = watch::channel(String::new());
        let is_shown = std::env::var_os("LOG").is_some();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if is_shown {
                    eprintln!("{line}");
                }
                sender.send_modify(|log| {
                    log.push_str(&line);
                    log.push('\n');
                });
            }
        });
        Self { process, log }
    }

    /// Returns what it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// Waits until it has logged the text so many times, or has ended.
    pub(crate) async fn wait_for_log(&self, text: &str, times: usize) {
        let mut log = self.log.clone();
        let waited = timeout(LIMIT, log.wait_for(|log| log.matches(text).count() >= times)).await;
        assert!(waited.is_ok(), "not logged {times} times: {text}; the log: {}", self.log());
    }

    pub(crate) async fn signal(&self, name: &str) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args([name, &id]).status().await.unwrap().success());
    }

    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Waits until it has ended by itself, in time, and its log is complete.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        let status = timeout(LIMIT, self.process.wait()).await.expect("it ends").unwrap();
        // It fails once the sender is dropped.
        let _ = self.log.wait_for(|_| false).await;
        assert!(!self.log().contains("has taken too long"), "{}", self.log());
        status
    }
}
