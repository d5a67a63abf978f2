//! The tokio runtime of a subcommand.

use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// Returns a runtime with a thread for each core.
pub(crate) fn multi_threaded() -> Result<Runtime, Failure> {
    built(&mut Builder::new_multi_thread())
}

/// Returns a runtime with so many threads; one thread is the caller's.
pub(crate) fn with_threads(threads: u16) -> Result<Runtime, Failure> {
    match threads {
        1 => built(&mut Builder::new_current_thread()),
        _ => built(Builder::new_multi_thread().worker_threads(threads.into())),
    }
}

/// Runs a future, and drops the runtime. Does not wait for a thread of the runtime that still resolves a host name.
pub(crate) fn run<T>(
    runtime: Runtime,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}

fn built(builder: &mut Builder) -> Result<Runtime, Failure> {
    let runtime = builder.enable_all().build();
    runtime.map_err(|error| Failure::other(format_args!("cannot start the tokio runtime: {error}")))
}
