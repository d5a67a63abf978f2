//! The metrics of an account.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use smpp_common::metrics::{AccountPublisher, AccountValues, MIN_INTERVAL};
use tokio::time::timeout;

use crate::account::Account;

/// Publishes the metrics of an account at the given interval, and once more when the account has ended. Then the future
/// completes. Spawn it as a task.
///
/// `name` is the value of the label `account`. The interval is 1 ms at least. The future does not keep the account alive.
/// It uses the recorder that is installed when `publish_account` is called.
///
/// ```no_run
/// use std::time::Duration;
///
/// # fn example(account: smpp_tokio::account::Account) {
/// tokio::spawn(smpp_tokio::metrics::publish_account(&account, "8x8", Duration::from_secs(10)));
/// # }
/// ```
///
/// # Cancel safety
///
/// A future that is dropped early subtracts what it has added to the gauges.
pub fn publish_account(
    account: &Account,
    name: impl Into<String>,
    interval: Duration,
) -> impl Future<Output = ()> + Send + 'static {
    let shared = Arc::clone(account.shared());
    let mut publisher = AccountPublisher::new(name.into(), account.links().len());
    async move {
        loop {
            let mut end = pin!(shared.ended.notified());
            end.as_mut().enable();
            let (current, ended) = {
                let inner = shared.lock();
                (AccountValues::of(&inner.account), inner.router.is_over())
            };
            publisher.publish(current);
            if ended {
                return;
            }
            // Waits for the end of the account or of the interval.
            let _ = timeout(interval.max(MIN_INTERVAL), end).await;
        }
    }
}
