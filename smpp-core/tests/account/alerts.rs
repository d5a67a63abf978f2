//! A model of the alert_notification PDUs that the SMSC sends: the account reports each once, with the bind that it came on.

use std::collections::BTreeMap;

use smpp_proto::account::BindId;
use smpp_proto::session::State;
use smpp_proto::{Address, AlertNotification, Frame, Pdu, Tolerance};

use super::log::ConnectionId;
use super::simulation::AccountSimulation;

/// The test's number of an alert_notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Alert(usize);

#[derive(Default)]
pub(crate) struct Alerts {
    /// The connection that each was sent on.
    sent: Vec<ConnectionId>,
    /// Those that the account has read and not reported, and where they arrived.
    arrived: BTreeMap<Alert, ConnectionId>,
    /// The last that the account has read on each connection: none overtakes another.
    last: BTreeMap<ConnectionId, Alert>,
}

impl Alert {
    /// Calls `then` with the PDU.
    pub(crate) fn with_pdu<R>(self, then: impl FnOnce(&AlertNotification<'_>) -> R) -> R {
        let source = self.0.to_string();
        then(&AlertNotification {
            source: Address::international(&source).expect("digits").into(),
            esme: Address::international("6580001").expect("digits").into(),
            ..AlertNotification::default()
        })
    }

    /// Returns the test's number of the PDU.
    pub(crate) fn of_pdu(pdu: &AlertNotification<'_>) -> Self {
        Self(pdu.source.digits.to_string().parse().expect("a number"))
    }
}

impl Alerts {
    /// Returns the number of the next one.
    pub(crate) const fn next(&self) -> Alert {
        Alert(self.sent.len())
    }

    pub(crate) fn record_sent(&mut self, connection: ConnectionId) {
        self.sent.push(connection);
    }

    /// Records that the account has read one.
    pub(crate) fn record_arrival(&mut self, alert: Alert, connection: ConnectionId) {
        assert_eq!(self.sent[alert.0], connection, "{alert:?} arrives on another connection");
        let before = self.last.insert(connection, alert);
        assert!(before < Some(alert), "{alert:?} arrives after {before:?}");
        self.arrived.insert(alert, connection);
    }
}

impl AccountSimulation {
    /// Checks that the account has reported all that it has read, but for those that its session has refused: it unbinds.
    pub(crate) fn check_alerts(&mut self) {
        let lost = std::mem::take(&mut self.smsc.alerts.arrived);
        if lost.is_empty() {
            return;
        }
        let bound = self.connections_if(State::is_bound);
        for (alert, connection) in lost {
            assert!(!bound.contains(&connection), "{alert:?} on {connection} is not reported");
            self.context.count(|| "alert_notification while it unbinds".into());
        }
    }

    /// Checks an alert_notification that the account reports.
    pub(crate) fn record_alert(&mut self, bind: BindId, frame: &Frame<Vec<u8>>) {
        let Ok((Pdu::AlertNotification(pdu), _)) = frame.pdu(Tolerance::LENIENT) else {
            panic!("not an alert_notification: {frame:?}")
        };
        let alert = Alert::of_pdu(&pdu);
        self.context.count(|| "event notification".into());
        let arrived = self.smsc.alerts.arrived.remove(&alert);
        assert_eq!(arrived, self.connection_of(bind), "where {alert:?} arrived");
        assert!(arrived.is_some(), "{alert:?} has not arrived, or is reported again");
        alert.with_pdu(|sent| assert_eq!(&pdu, sent, "the octets of {alert:?} are unchanged"));
    }
}
