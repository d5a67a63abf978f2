//! The list of the requests that have a response, for the types that have one variant for each.

/// Calls the macro `$callback` with the name and the documentation of each request.
macro_rules! with_requests {
    ($callback:ident) => {
        $callback! {
            /// A bind. Sent to an SMSC.
            Bind,
            /// A message. Sent to an SMSC.
            SubmitSm,
            /// A mobile-originated (MO) message or a delivery receipt (DLR). Sent to an ESME.
            DeliverSm,
            /// A message in either direction.
            DataSm,
            /// A message to several destinations. Sent to an SMSC.
            SubmitMulti,
            /// Asks for the state of a message.
            QuerySm,
            /// Cancels a message.
            CancelSm,
            /// Replaces a message.
            ReplaceSm,
            /// A cell broadcast (SMPP 5.0).
            BroadcastSm,
            /// Asks for the state of a broadcast (SMPP 5.0).
            QueryBroadcastSm,
            /// Cancels a broadcast (SMPP 5.0).
            CancelBroadcastSm,
        }
    };
}

pub(crate) use with_requests;
