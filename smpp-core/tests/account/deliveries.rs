//! What the SMSC delivers: receipts and messages from phones, until each is taken.

use std::collections::{BTreeMap, BTreeSet};

use smpp_core::account::{DeliveryReceipt, InboundMessage, Options, ReceiptMatch};
use smpp_core::session::Instant;
use smpp_core::sms::{ConcatRef, Text};
use smpp_core::{
    Address, COctets, DataCoding, DeliverSm, EsmClass, MessageState, Pdu, ShortMessage, SubmitSm,
};

use super::log::delivery;
use super::messages::Messages;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Receipt {
        message: usize,
        part: u8,
        state: MessageState,
    },
    /// A receipt of a message of another program.
    Foreign,
    Mo {
        mo: usize,
        part: u8,
    },
}

/// One PDU, to be delivered until it is acknowledged.
pub(crate) struct RoutedEvent {
    pub(crate) what: What,
    /// The id that the message was accepted with which it is about: each copy has another.
    id: Vec<u8>,
    source: String,
    esm_class: EsmClass,
    data_coding: DataCoding,
    octets: Vec<u8>,
    /// When the account first had it, and how often.
    arrived: Option<Instant>,
    arrivals: u32,
    /// How often it was told.
    told: u32,
    taken: bool,
}

struct Mo {
    text: String,
    parts: u8,
    /// How often it was told as a whole, refused, and taken.
    told: u32,
    refused: u32,
    taken: u32,
    /// It was refused when the SMSC had been told that parts of it were safe.
    spoiled: bool,
}

/// What the account has said about a part's receipts.
#[derive(Default)]
struct Told {
    states: Vec<MessageState>,
    taken: Vec<MessageState>,
    last: Option<MessageState>,
}

/// What the application was given, to be answered.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    Receipt { delivery: usize, about: Option<(usize, u8, MessageState)> },
    Mo { mo: usize, complete: bool, delivery: Option<usize> },
}

#[expect(clippy::struct_excessive_bools, reason = "what a scenario is like")]
pub(crate) struct Deliveries {
    options: Options,
    roomy: bool,
    piecewise: bool,
    /// Ids say nothing.
    dull: bool,
    all: Vec<RoutedEvent>,
    /// Those that are to be delivered, and when; and how many are in flight.
    pub(crate) queue: BTreeSet<(Instant, usize)>,
    pub(crate) flying: usize,
    mos: Vec<Mo>,
    told: BTreeMap<(usize, u8), Told>,
    /// Receipts of the account's that were told as unknown.
    unmatched: BTreeSet<usize>,
    pub(crate) closed: bool,
}

fn is_final(state: MessageState) -> bool {
    !matches!(state, MessageState::ENROUTE | MessageState::ACCEPTED)
}

fn word(state: MessageState) -> &'static str {
    match state {
        MessageState::ENROUTE => "ENROUTE",
        MessageState::ACCEPTED => "ACCEPTD",
        MessageState::DELIVERED => "DELIVRD",
        MessageState::EXPIRED => "EXPIRED",
        _ => "UNDELIV",
    }
}

impl RoutedEvent {
    fn new(what: What) -> Self {
        Self {
            what,
            id: Vec::new(),
            source: String::new(),
            esm_class: EsmClass::default(),
            data_coding: DataCoding::default(),
            octets: Vec::new(),
            arrived: None,
            arrivals: 0,
            told: 0,
            taken: false,
        }
    }
}

impl Deliveries {
    pub(crate) fn new(options: &Options, roomy: bool, piecewise: bool, dull: bool) -> Self {
        Self {
            options: options.clone(),
            roomy,
            piecewise,
            dull,
            all: Vec::new(),
            queue: BTreeSet::new(),
            flying: 0,
            mos: Vec::new(),
            told: BTreeMap::new(),
            unmatched: BTreeSet::new(),
            closed: false,
        }
    }

    /// A receipt about an id, as a response writes it and as a receipt does.
    pub(crate) fn receipt(&mut self, due: Instant, (id, receipted): (&str, &str), what: What) {
        let state = match what {
            What::Receipt { state, .. } => state,
            _ => MessageState::DELIVERED,
        };
        let octets = format!("id:{receipted} stat:{} err:000", word(state)).into_bytes();
        let esm_class = EsmClass::DELIVERY_RECEIPT;
        let (id, source) = (id.into(), "1".into());
        self.all.push(RoutedEvent { id, source, esm_class, octets, ..RoutedEvent::new(what) });
        self.queue.insert((due, self.all.len() - 1));
    }

    /// A message from a phone, in as many parts as it takes; each is due at one of these times.
    pub(crate) fn mo(&mut self, text: String, mut due: impl FnMut() -> Instant) {
        let mo = self.mos.len();
        let source = format!("9{mo}");
        let template = SubmitSm::default();
        let reference = ConcatRef::Wide(mo as u16);
        let segments = Text::new(&text).segments(reference).expect("short enough");
        let mut parts = 0;
        for submission in segments.submissions(template) {
            let message = submission.submit_sm();
            let what = What::Mo { mo, part: parts };
            parts += 1;
            self.all.push(RoutedEvent {
                source: source.clone(),
                esm_class: message.esm_class,
                data_coding: message.data_coding,
                octets: message.short_message.as_bytes().to_vec(),
                ..RoutedEvent::new(what)
            });
            self.queue.insert((due(), self.all.len() - 1));
        }
        self.mos.push(Mo { text, parts, told: 0, refused: 0, taken: 0, spoiled: false });
    }

    /// The PDU of a delivery.
    pub(crate) fn with_pdu<R>(&self, index: usize, then: impl FnOnce(&DeliverSm<'_>) -> R) -> R {
        let delivery = &self.all[index];
        let number = index.to_string();
        then(&DeliverSm {
            service_type: COctets::new(number.as_bytes()).expect("short"),
            source: Address::international(&delivery.source).expect("digits"),
            destination: Address::international("6580001").expect("digits"),
            esm_class: delivery.esm_class,
            data_coding: delivery.data_coding,
            short_message: ShortMessage::new(&delivery.octets).expect("short"),
            ..DeliverSm::default()
        })
    }

    /// The account has read it.
    pub(crate) fn arrives(&mut self, now: Instant, index: usize) {
        let delivery = &mut self.all[index];
        delivery.arrived.get_or_insert(now);
        delivery.arrivals += 1;
    }

    /// The application is given a receipt.
    pub(crate) fn tell_receipt(
        &mut self,
        now: Instant,
        receipt: &DeliveryReceipt,
        about: Option<ReceiptMatch>,
        messages: &Messages,
    ) -> Given {
        let Some(Pdu::DeliverSm(pdu)) = receipt.pdu() else { panic!("a receipt is a deliver_sm here") };
        let index = delivery(&pdu).expect("a delivery of the test");
        let delivered = &mut self.all[index];
        delivered.told += 1;
        let (what, arrived) = (delivered.what, delivered.arrived.expect("it arrived"));
        if self.dull {
            return Given::Receipt { delivery: index, about: None };
        }
        let (message, part, state) = match what {
            What::Receipt { message, part, state } => (message, part, state),
            What::Foreign => {
                assert_eq!(about, None, "a receipt of nobody's is about something");
                return Given::Receipt { delivery: index, about: None };
            }
            What::Mo { .. } => panic!("a message is told as a receipt"),
        };
        assert_eq!((receipt.state, receipt.is_final), (state, is_final(state)));
        let known = messages.all[message].parts[usize::from(part)].id.as_ref() == Some(&delivered.id);
        let Some(about) = about else {
            if self.roomy && !self.closed {
                assert!(!known, "{state:?} of message {message} part {part} is known");
                let waits = messages.is_flying(now, arrived, message, part);
                let patient = now - arrived >= self.options.session.response_timeout;
                assert!(patient || !waits || delivered.arrivals > 1, "it is early, and nobody waits");
            }
            self.unmatched.insert(index);
            return Given::Receipt { delivery: index, about: None };
        };
        assert!(known, "it cannot know {state:?} of message {message} part {part}");
        assert_eq!((messages.index(about.message), about.segment), (message, part), "about another");
        let told = self.told.entry((message, part)).or_default();
        if self.roomy {
            assert!(!told.states.contains(&state), "{state:?} of {message} part {part} is told again");
            assert_eq!(told.last, None, "{state:?} of {message} part {part} comes late");
        }
        told.states.push(state);
        told.last = told.last.or(is_final(state).then_some(state));
        let parts = &messages.all[message].parts;
        assert_eq!(usize::from(about.segments), parts.len());
        if self.roomy && self.piecewise {
            let last = |part: usize| self.told.get(&(message, part as u8)).and_then(|told| told.last);
            let accepted = (0..parts.len()).filter(|part| parts[*part].id.is_some());
            let open = accepted.clone().filter(|part| last(*part).is_none()).count();
            assert_eq!(usize::from(about.pending), open, "what is open of message {message}");
            let all = open == 0 && accepted.count() == parts.len();
            let bad = (0..parts.len()).filter_map(last).find(|state| *state != MessageState::DELIVERED);
            assert_eq!(about.message_state, all.then_some(bad.unwrap_or(MessageState::DELIVERED)));
        }
        Given::Receipt { delivery: index, about: Some((message, part, state)) }
    }

    /// The application is given a message.
    pub(crate) fn tell_mo(&mut self, now: Instant, message: &InboundMessage, closing: bool) -> Given {
        let source = message.source().digits.to_string();
        let mo: usize = source.strip_prefix('9').expect("a phone").parse().expect("a number");
        let told = &mut self.mos[mo];
        let complete = message.is_complete();
        let single = message.frame().and_then(|frame| {
            let (pdu, _) = frame.pdu(smpp_core::Tolerance::LENIENT).ok()?;
            let Pdu::DeliverSm(message) = pdu else { return None };
            delivery(&message)
        });
        // A part is told alone where there is no room for the others.
        let whole = complete && (single.is_none() || told.parts == 1);
        if whole {
            assert_eq!(message.text().as_deref(), Some(&told.text[..]), "it came as it was sent");
            told.told += 1;
            if self.roomy && told.parts > 1 && !self.closed {
                assert!(told.told <= 1 + told.refused, "message {mo} is told again");
            }
        } else if self.roomy && !told.spoiled {
            assert!(closing, "there is room for all of message {mo}");
            let held = |delivery: &RoutedEvent| {
                let is_part = matches!(delivery.what, What::Mo { mo: other, .. } if other == mo);
                is_part
                    && delivery
                        .arrived
                        .is_some_and(|arrived| now - arrived >= self.options.segment_ack_timeout)
            };
            assert!(self.all.iter().any(held), "the SMSC has all of message {mo}");
        }
        if let Some(index) = single {
            let delivery = &mut self.all[index];
            delivery.told += 1;
            assert!(delivery.told <= delivery.arrivals, "it is told more often than it came");
        }
        Given::Mo { mo, complete: whole, delivery: single }
    }

    /// The application has answered.
    pub(crate) fn answered(&mut self, now: Instant, given: &Given, ok: bool) {
        match *given {
            Given::Receipt { delivery, about } => {
                self.all[delivery].taken |= ok;
                let Some((message, part, state)) = about else { return };
                let told = self.told.entry((message, part)).or_default();
                if ok {
                    told.taken.push(state);
                } else {
                    told.states.retain(|other| *other != state);
                    told.last = told.last.filter(|last| *last != state);
                }
            }
            Given::Mo { mo, complete, delivery } => {
                if let Some(delivery) = delivery {
                    self.all[delivery].taken |= ok;
                }
                let hold = self.options.segment_ack_timeout;
                let safe = |delivery: &RoutedEvent| {
                    let is_part = matches!(delivery.what, What::Mo { mo: other, .. } if other == mo);
                    is_part && delivery.arrived.is_some_and(|arrived| now - arrived >= hold)
                };
                let spoils = !ok && self.all.iter().any(safe);
                let taken = &mut self.mos[mo];
                taken.taken += u32::from(ok && complete);
                taken.refused += u32::from(!ok);
                taken.spoiled |= (spoils && taken.parts > 1) || !complete;
            }
        }
    }

    /// The SMSC has the account's word that it is safe.
    pub(crate) fn acknowledged(&mut self, now: Instant, index: usize, messages: &Messages) {
        let delivery = &self.all[index];
        let good = match delivery.what {
            _ if delivery.taken || self.dull => true,
            What::Foreign => false,
            What::Receipt { message, part, state } => {
                let known = messages.all[message].parts[usize::from(part)].id.as_ref() == Some(&delivery.id);
                let told = self.told.get(&(message, part));
                known && told.is_some_and(|told| told.taken.contains(&state) || told.last.is_some())
            }
            What::Mo { mo, .. } => {
                let held =
                    delivery.arrived.is_some_and(|arrived| now - arrived >= self.options.segment_ack_timeout);
                self.mos[mo].taken > 0 || (self.mos[mo].parts > 1 && held) || self.mos[mo].spoiled
            }
        };
        assert!(good, "delivery {index}, {:?}, was not taken, and the SMSC forgets it", delivery.what);
    }

    /// Whether everything has been delivered.
    pub(crate) fn is_done(&self) -> bool {
        self.queue.is_empty() && self.flying == 0
    }

    /// Everything was delivered to the application.
    pub(crate) fn check_end(&self, messages: &Messages) {
        for (index, mo) in self.mos.iter().enumerate() {
            assert!(mo.taken > 0 || mo.spoiled, "message {index} from a phone is lost");
            if self.roomy && mo.parts > 1 && !mo.spoiled {
                assert_eq!(mo.taken, 1, "message {index} was taken more than once");
            }
        }
        for (index, delivery) in self.all.iter().enumerate() {
            let What::Receipt { message, part, state } = delivery.what else { continue };
            if self.dull || !self.roomy || self.unmatched.contains(&index) {
                continue;
            }
            let told = self.told.get(&(message, part));
            let good = told.is_some_and(|told| told.taken.contains(&state) || told.last.is_some());
            assert!(good, "{state:?} of {message} part {part} is lost");
            assert!(messages.all[message].receipts);
        }
    }

    /// Whether the last receipt of a part has been told.
    pub(crate) fn has_last(&self, message: usize, part: u8) -> bool {
        self.told.get(&(message, part)).is_some_and(|told| told.last.is_some())
    }
}
