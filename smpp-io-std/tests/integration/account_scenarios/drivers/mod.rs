//! The drivers, which perform the steps of the application with one of the adapters.

pub(crate) mod blocking;
pub(crate) mod tokio;

use std::time::Duration;

use smpp_proto::CommandStatus;
use smpp_proto::account::{
    AccountCounters, AccountEvent, AckError, BindId, Binds, DeliveryReceipt, ExpectError, Expected, Message,
    MessageId, MessageKey, MessageRequest, MessageRequestError, NoMoreReceipts, Options, OptionsError,
    ReceiptMatch, SendError, SubmitError, Unresolved,
};
use smpp_proto::session::{AcceptedResponse, Response};

/// What an account is started with.
pub(crate) struct Settings {
    pub(crate) options: Options,
    pub(crate) expected: Vec<Expected>,
    pub(crate) events_capacity: usize,
    /// How long to wait for the first bind; `None` if not at all.
    pub(crate) bind_timeout: Option<Duration>,
}

/// Starts an account.
pub(crate) type Start = Box<dyn Fn(Settings) -> Result<Box<dyn App>, String>>;

/// An application with an account. Each call that waits ends when what it waits for has happened.
pub(crate) trait App {
    /// Submits a message. Returns its number in this application, from 0.
    fn submit(&mut self, message: &Message) -> Result<usize, SubmitError>;
    /// As [`submit`](Self::submit), without waiting for room in the queue.
    fn try_submit(&mut self, message: &Message) -> Result<usize, SubmitError>;
    /// Waits until the account can send, and returns how many segments.
    fn ready(&mut self) -> Result<usize, SubmitError>;
    fn cancel(&mut self, number: usize);
    /// Waits for the outcome, and keeps the message for its receipts.
    fn outcome(&mut self, number: usize) -> Result<Accepted, SendError>;
    fn receipt(&mut self, number: usize) -> Result<(DeliveryReceipt, ReceiptMatch), NoMoreReceipts>;
    /// Drops the message: its further receipts arrive through `Arrivals`.
    fn forget(&mut self, number: usize);
    fn arrival(&mut self) -> Option<Arrived>;
    fn drop_arrivals(&mut self);
    fn counters(&self) -> AccountCounters;
    fn event(&mut self) -> Option<AccountEvent>;
    fn expect(&mut self, expected: Expected) -> Result<(), ExpectError>;
    fn set_binds(&mut self, binds: Binds) -> Result<(), OptionsError>;
    fn options(&self) -> Options;
    fn reconfigure(&mut self, options: Options) -> Result<(), OptionsError>;
    fn resume(&mut self);
    /// Begins a request, and does not wait for the response.
    fn request(&mut self, request: MessageRequest);
    /// Waits for the response to the request that was begun.
    fn response(&mut self) -> Result<Response, MessageRequestError>;
    /// Begins the shutdown, and does not wait for its end.
    fn shutdown(&mut self, timeout: Duration);
    /// Waits for the end of the shutdown that was begun.
    fn unresolved(&mut self) -> Vec<Unresolved>;
}

/// What a `Sent` says.
pub(crate) struct Accepted {
    pub(crate) ids: Vec<MessageId>,
    pub(crate) key: Option<MessageKey>,
    pub(crate) bind: Option<BindId>,
    pub(crate) responses: Vec<AcceptedResponse>,
}

/// An arrival in words, with what the scenarios do with it.
pub(crate) struct Arrived {
    pub(crate) description: String,
    pub(crate) bind: Option<BindId>,
    pub(crate) is_acknowledged: bool,
    /// Accepts or refuses it. Dropping it drops the arrival.
    pub(crate) respond: Respond,
}

pub(crate) type Respond = Box<dyn FnOnce(Result<(), CommandStatus>) -> Result<(), AckError>>;

/// Implements what the same words do in both adapters: the connector, and the conversion of arrivals.
macro_rules! same_in_both {
    ($adapter:ident) => {
        fn arrived(arrival: $adapter::account::Arrival) -> $crate::account_scenarios::drivers::Arrived {
            use $adapter::account::Arrival;
            let notice = |description| $crate::account_scenarios::drivers::Arrived {
                description,
                bind: None,
                is_acknowledged: true,
                respond: Box::new(|_| unreachable!("a notice is not acknowledged")),
            };
            match arrival {
                Arrival::Message(message) => $crate::account_scenarios::drivers::Arrived {
                    description: $crate::account_scenarios::describe::message(message.get()),
                    bind: Some(message.get().bind()),
                    is_acknowledged: message.is_acknowledged(),
                    respond: Box::new(move |result| match result {
                        Ok(()) => message.accept(),
                        Err(status) => message.refuse(status),
                    }),
                },
                Arrival::Receipt(receipt) => $crate::account_scenarios::drivers::Arrived {
                    description: $crate::account_scenarios::describe::receipt(
                        &receipt.get().0,
                        receipt.get().1.as_ref(),
                    ),
                    bind: Some(receipt.get().0.bind()),
                    is_acknowledged: receipt.is_acknowledged(),
                    respond: Box::new(move |result| match result {
                        Ok(()) => receipt.accept(),
                        Err(status) => receipt.refuse(status),
                    }),
                },
                Arrival::Notification { frame, .. } => notice(frame.header().command.to_string()),
                Arrival::LateOutcome { key, segment, outcome, .. } => {
                    notice($crate::account_scenarios::describe::late_outcome(key.as_ref(), segment, &outcome))
                }
                other => notice(format!("{other:?}")),
            }
        }

        fn accepted(sent: &$adapter::account::Sent) -> $crate::account_scenarios::drivers::Accepted {
            assert_eq!((sent.binds().len(), sent.binds().last().copied()), (sent.ids().len(), sent.bind()));
            $crate::account_scenarios::drivers::Accepted {
                ids: sent.ids().to_vec(),
                key: sent.key().cloned(),
                bind: sent.bind(),
                responses: sent.responses().cloned().collect(),
            }
        }

        fn connector(
            settings: $crate::account_scenarios::drivers::Settings,
        ) -> $adapter::account::AccountConnector {
            $adapter::account::AccountConnector::with_options(settings.options)
                .expect(settings.expected)
                .events_capacity(settings.events_capacity)
                .bind_timeout(settings.bind_timeout.unwrap_or_default())
        }
    };
}
pub(crate) use same_in_both;

/// Implements the methods of [`App`] that are the same in both adapters: those that do not wait.
macro_rules! same_methods {
    () => {
        fn try_submit(
            &mut self,
            message: &smpp_proto::account::Message,
        ) -> Result<usize, smpp_proto::account::SubmitError> {
            self.tickets.push(Some(self.account.try_submit(message)?));
            self.sent.push(None);
            Ok(self.tickets.len() - 1)
        }

        fn cancel(&mut self, number: usize) {
            self.tickets[number].as_ref().expect("no outcome yet").cancel();
        }

        fn forget(&mut self, number: usize) {
            self.tickets[number] = None;
            self.sent[number] = None;
        }

        fn drop_arrivals(&mut self) {
            self.arrivals = None;
        }

        fn counters(&self) -> smpp_proto::account::AccountCounters {
            self.account.stats().counters
        }

        fn expect(
            &mut self,
            expected: smpp_proto::account::Expected,
        ) -> Result<(), smpp_proto::account::ExpectError> {
            self.account.expect(expected).map(|_| ())
        }

        fn set_binds(
            &mut self,
            binds: smpp_proto::account::Binds,
        ) -> Result<(), smpp_proto::account::OptionsError> {
            self.account.set_binds(binds)
        }

        fn options(&self) -> smpp_proto::account::Options {
            self.account.options()
        }

        fn reconfigure(
            &mut self,
            options: smpp_proto::account::Options,
        ) -> Result<(), smpp_proto::account::OptionsError> {
            self.account.reconfigure(options)
        }

        fn resume(&mut self) {
            self.account.resume();
        }
    };
}
pub(crate) use same_methods;
