//! The causes of errors: `source()` returns the error inside, and `Display` has its text.

use alloc::string::ToString;
use core::error::Error;

use crate::account::{
    AckError, DataCodingError, MessageRequestError, OptionsError, RequestNotSentReason, SegmentNotSentReason,
    SegmentOutcome, SendError, SubmitError, TemplateField,
};
use crate::server::{NotBoundReason, ProxyHeaderError, RejectReason};
use crate::session::{
    CloseReason, Config, NotSentReason, Refusal, Refused, RequestError, State, UnansweredReason,
};
use crate::simulator::{DeliverError, DeliveryFailure, OriginateError};
use crate::sms::{SegmentError, TextError, Unencodable};
use crate::{
    CommandId, CommandStatus, DataCoding, DecodeError, DecodeErrorKind, FramingError, InvalidOctets,
};

const FRAMING: FramingError = FramingError { length: 7, limit: 100 };
const UNENCODABLE: Unencodable = Unencodable { character: 'ш', position: 3 };
const TOO_LONG: InvalidOctets = InvalidOctets::TooLong { length: 17, limit: 15 };
const DECODE: DecodeError = DecodeError {
    command: CommandId::SUBMIT_SM_RESP,
    field: "message_id",
    offset: 16,
    kind: DecodeErrorKind::Unterminated,
};

/// Asserts that the cause of the error has this type and value.
fn assert_cause<E: Error + PartialEq + 'static>(error: &dyn Error, cause: &E) {
    let source = error.source().unwrap_or_else(|| panic!("{error:?} has no source"));
    assert_eq!(source.downcast_ref::<E>(), Some(cause), "{error:?}");
}

#[test]
fn an_error_returns_its_cause() {
    let closed = CloseReason::Framing(FRAMING);
    assert_cause(&closed, &FRAMING);
    assert_cause(&Refusal::Closed(closed), &closed);
    assert_cause(&Refusal::Closing(closed), &closed);
    assert_cause(&Refused { tag: (), reason: Refusal::OutputFull }, &Refusal::OutputFull);
    assert_cause(&NotSentReason::Closing(closed), &closed);
    assert_cause(&NotSentReason::Closed(closed), &closed);
    assert_cause(&UnansweredReason::Closed(closed), &closed);
    assert_cause(&UnansweredReason::Unreadable(DECODE), &DECODE);
    assert_cause(&RequestError::NeverSent(NotSentReason::NoBind), &NotSentReason::NoBind);
    assert_cause(&RequestError::Unanswered(UnansweredReason::Timeout), &UnansweredReason::Timeout);

    let not_sent = SegmentNotSentReason::Request(NotSentReason::TooLong);
    assert_cause(&not_sent, &NotSentReason::TooLong);
    assert_cause(&SegmentOutcome::NeverSent(not_sent), &not_sent);
    assert_cause(&SegmentOutcome::Unanswered(UnansweredReason::Timeout), &UnansweredReason::Timeout);
    assert_cause(&SendError::NotAccepted(SubmitError::Full), &SubmitError::Full);
    let text = TextError::Unencodable(UNENCODABLE);
    assert_cause(&text, &UNENCODABLE);
    assert_cause(&SubmitError::Text(text), &text);
    let segments = SegmentError::TooMany { needed: 300 };
    assert_cause(&SubmitError::Segments(segments), &segments);
    let data_coding = DataCodingError::Unencodable { data_coding: DataCoding(3), unencodable: UNENCODABLE };
    assert_cause(&data_coding, &UNENCODABLE);
    assert_cause(&SubmitError::DataCoding(data_coding), &data_coding);
    assert_cause(&SubmitError::Template(TemplateField::Sar), &TemplateField::Sar);
    assert_cause(&AckError::BindEnded(Refusal::Closed(closed)), &Refusal::Closed(closed));
    assert_cause(&OptionsError::BindField { field: "system_id", error: TOO_LONG }, &TOO_LONG);
    let invalid = Config::default().window(0).check().unwrap_err();
    assert_cause(&OptionsError::Session(invalid), &invalid);
    assert_cause(&OptionsError::Invalid(invalid), &invalid);
    let not_sent = RequestNotSentReason::Request(NotSentReason::TooLong);
    assert_cause(&not_sent, &NotSentReason::TooLong);
    assert_cause(&MessageRequestError::NeverSent(not_sent), &not_sent);
    assert_cause(&MessageRequestError::Unanswered(UnansweredReason::Timeout), &UnansweredReason::Timeout);

    assert_cause(&RejectReason::ProxyHeader(ProxyHeaderError::Timeout), &ProxyHeaderError::Timeout);
    assert_cause(&NotBoundReason::Session(closed), &closed);
    assert_cause(&OriginateError::Text(segments), &segments);
    assert_cause(&OriginateError::Encoding(text), &text);
    assert_cause(&OriginateError::Address(TOO_LONG), &TOO_LONG);
    assert_cause(&DeliverError::NotSent(OriginateError::Full), &OriginateError::Full);
    assert_cause(&DeliverError::Failed(DeliveryFailure::Unanswered), &DeliveryFailure::Unanswered);
}

#[test]
fn an_error_without_a_cause_has_no_source() {
    let errors: [&dyn Error; 10] = [
        &CloseReason::Disconnected,
        &Refusal::State(State::Open),
        &NotSentReason::NoBind,
        &UnansweredReason::Timeout,
        &RequestError::Nacked(CommandStatus::RINVCMDID),
        &SegmentOutcome::Nacked(CommandStatus::RINVCMDID),
        &SendError::DriverGone,
        &SubmitError::Full,
        &OptionsError::NoEndpoint,
        &RejectReason::Connections,
    ];
    for error in errors {
        assert!(error.source().is_none(), "{error:?}");
    }
}

#[test]
fn the_chain_of_causes_ends_at_the_first_one_and_each_text_has_the_next() {
    let closed = UnansweredReason::Closed(CloseReason::Framing(FRAMING));
    let error = SegmentOutcome::Unanswered(closed);
    let (mut at, mut causes): (&dyn Error, _) = (&error, 0);
    while let Some(source) = at.source() {
        assert!(at.to_string().contains(&source.to_string()), "{at}: {source}");
        (at, causes) = (source, causes + 1);
    }
    assert_eq!((causes, at.downcast_ref()), (3, Some(&FRAMING)));
}
