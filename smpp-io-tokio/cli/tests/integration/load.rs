//! `smpp load` with an SMSC that ends the connection: each message has its outcome.

use std::sync::Mutex;

use serde_json::Value;
use smpp_proto::CommandStatus;
use smpp_proto::session::{Config, Smsc};
use smpp_std::{Admission, BindRequest, BoundSession, HandleRoute, Inbound, Listener, Server, Service};

use crate::common::{smpp, with_timeout};

/// An SMSC that answers nothing, and aborts the session at the twentieth request.
#[derive(Default)]
struct AbortsAtTwenty(Mutex<Vec<Inbound<HandleRoute<Smsc>>>>);

impl Service for AbortsAtTwenty {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    fn request(&self, bound: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        let mut unanswered = self.0.lock().unwrap();
        unanswered.push(request);
        if unanswered.len() == 20 {
            bound.peer().abort();
        }
    }
}

#[test]
fn messages_in_flight_at_the_end_of_the_session_are_unanswered() {
    with_timeout(|| {
        for adapter in [&[][..], &["--blocking"], &["--blocking", "--threads", "20"]] {
            let listener = Listener::bind("127.0.0.1:0", Config::default().window(32)).unwrap();
            let server = Server::builder(AbortsAtTwenty::default()).listen(listener).start().unwrap();
            let url = format!("smpp://shop:s3cret@{}", server.local_addrs()[0]);
            let load = ["load", "--url", &url, "--messages", "100", "--window", "20", "--json"];
            let output = smpp(&[&load, adapter].concat()).output().unwrap();
            let results: Value = serde_json::from_slice(&output.stdout).unwrap();
            let outcomes = ["accepted", "refused", "unanswered", "never_sent"].map(|name| &results[name]);
            assert_eq!(outcomes, [0, 0, 20, 80], "{adapter:?}: {results}");
        }
    });
}
