//! The metrics of an account.

use std::sync::Arc;
use std::time::Duration;

use smpp_common::metrics::{AccountPublisher, AccountValues, MIN_INTERVAL};

use super::handle::Account;

/// Returns a function that publishes the metrics of an account at the given interval, and once more when the account has ended.
/// Then it returns. Spawn it as a thread.
///
/// `name` is the value of the label `account`. The interval is 1 ms at least. The function does not keep the account alive.
/// It uses the recorder that is installed when `publish_account` is called.
///
/// ```no_run
/// use std::thread;
/// use std::time::Duration;
/// use smpp_std::account::Account;
/// use smpp_std::metrics;
///
/// fn publish(account: &Account) {
///     thread::spawn(metrics::publish_account(account, "8x8", Duration::from_secs(10)));
/// }
/// ```
pub fn publish_account(
    account: &Account,
    name: impl Into<String>,
    interval: Duration,
) -> impl FnOnce() + Send + 'static {
    let shared = Arc::clone(account.shared());
    let mut publisher = AccountPublisher::new(name.into(), account.links().len());
    move || loop {
        let state = shared.lock();
        let (values, has_ended) = (AccountValues::of(&state.account), state.router.is_over());
        drop(state);
        publisher.publish(values);
        if has_ended {
            return;
        }
        // Waits for the end of the account or of the interval.
        let until = shared.now() + interval.max(MIN_INTERVAL);
        let mut state = shared.lock();
        while !state.router.is_over() && shared.now() < until {
            state = shared.wait(&shared.ended, state, Some(until));
        }
    }
}
