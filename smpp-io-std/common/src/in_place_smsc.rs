//! An SMSC that does as little as an SMSC can, so that the other side is what a benchmark measures: it accepts every bind
//! and every message, responds where it reads, and sends the delivery receipt right behind the response, in the same write.
//! It keeps no session: no window, no timers, no checks.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use smpp_proto::{
    BindResp, COctets, CommandStatus, DeliverSm, EsmClass, Pdu, RegisteredDelivery, SequenceNumber,
    ShortMessage, SubmitSm, SubmitSmResp, Tolerance, frame,
};

/// The octets that one read takes at most.
const READ: usize = 256 * 1024;

/// How long the client must be quiet before the receipts that are held back are sent.
const QUIET: Duration = Duration::from_millis(100);

/// How many receipts that are held back are sent in one write.
const BATCH: usize = 256;

/// The SMSC. Its connections share the message ids: numbers of ten digits that count up.
#[derive(Debug, Default)]
pub struct InPlaceSmsc {
    last_id: AtomicU64,
    held_back: usize,
    batch: usize,
}

impl InPlaceSmsc {
    /// Returns an SMSC that sends a receipt when so many later messages have arrived on its connection, or when the client is
    /// quiet for 100 ms. Default 0: at once.
    #[must_use]
    pub fn holding_back(receipts: usize) -> Self {
        Self { held_back: receipts, ..Self::default() }
    }

    /// Returns an SMSC that responds to messages only when so many have arrived on a connection since the last time, in one
    /// write: what the client does for each then depends on no timing. A client that awaits fewer waits without end. Every
    /// other request gets its response at once. Default 0: it responds to what each read returns.
    #[must_use]
    pub fn in_batches_of(messages: usize) -> Self {
        Self { batch: messages, ..Self::default() }
    }

    /// Listens on a free port of 127.0.0.1, and serves each connection in a thread of its own, without end. Returns the
    /// address.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if it cannot listen.
    pub fn start(self) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        thread::spawn(move || self.listen(&listener));
        Ok(address)
    }

    /// Serves each connection in a thread of its own, until accepting one fails.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub fn listen(self, listener: &TcpListener) -> io::Result<()> {
        let smsc = Arc::new(self);
        loop {
            let (mut stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            if smsc.held_back > 0 {
                stream.set_read_timeout(Some(QUIET))?;
            }
            let smsc = Arc::clone(&smsc);
            // A connection that fails has ended: that is all there is to know.
            thread::spawn(move || drop(smsc.serve(&mut stream)));
        }
    }

    /// Serves one connection until the client unbinds or disconnects. Returns the number of messages. After the buffers
    /// have grown to their size it allocates nothing.
    ///
    /// # Errors
    ///
    /// Returns the error of the transport, or [`io::ErrorKind::InvalidData`] if the client sends what is not SMPP.
    pub fn serve(&self, stream: &mut (impl Read + Write)) -> io::Result<u64> {
        let mut input = vec![0; READ];
        let mut filled = 0;
        let mut connection = Connection::new(self);
        while !connection.ended {
            match stream.read(input.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => connection.is_quiet = true,
                Err(error) => return Err(error),
            }
            let mut rest = input.get(..filled).unwrap_or_default();
            while let Some((pdu, later)) = frame::split(rest, READ).map_err(invalid)? {
                connection.handle(pdu)?;
                rest = later;
            }
            let left = rest.len();
            input.copy_within(filled - left..filled, 0);
            filled = left;
            // One batch for each read: the responses to the last one are read before the next one.
            if connection.is_quiet {
                connection.release();
            }
            if connection.is_write_due() {
                stream.write_all(&connection.output)?;
                connection.output.clear();
            }
        }
        Ok(connection.messages)
    }
}

/// One connection.
struct Connection<'s> {
    smsc: &'s InPlaceSmsc,
    output: Vec<u8>,
    messages: u64,
    /// The messages whose responses are in `output`.
    unwritten: usize,
    /// Whether `output` holds the response to another request.
    is_urgent: bool,
    last_sequence: SequenceNumber,
    /// The ids whose receipts are held back.
    held_back: VecDeque<u64>,
    /// The last message that requested a receipt: its addresses are those of the receipts that are held back.
    last: Vec<u8>,
    /// The client was quiet, and not all receipts that are held back are sent since.
    is_quiet: bool,
    ended: bool,
}

impl<'s> Connection<'s> {
    fn new(smsc: &'s InPlaceSmsc) -> Self {
        Self {
            smsc,
            output: Vec::with_capacity(READ),
            messages: 0,
            unwritten: 0,
            is_urgent: false,
            last_sequence: SequenceNumber::LAST,
            held_back: VecDeque::new(),
            last: Vec::new(),
            is_quiet: false,
            ended: false,
        }
    }

    /// Returns whether the output is to be written now, all of it.
    fn is_write_due(&mut self) -> bool {
        let is_due = self.is_urgent || self.unwritten >= self.smsc.batch;
        if is_due {
            (self.unwritten, self.is_urgent) = (0, false);
        }
        is_due
    }

    /// Responds to one PDU.
    fn handle(&mut self, frame: frame::Frame<&[u8]>) -> io::Result<()> {
        let header = frame.header();
        let (pdu, _) = frame.pdu(Tolerance::LENIENT).map_err(invalid)?;
        let response = match pdu {
            Pdu::Bind(bind) => Pdu::BindResp(bind.mode, Some(BindResp::default())),
            Pdu::SubmitSm(message) => {
                self.submit(&message, frame.octets(), header.sequence);
                return Ok(());
            }
            Pdu::EnquireLink => Pdu::EnquireLinkResp,
            Pdu::Unbind => {
                self.ended = true;
                Pdu::UnbindResp
            }
            // Responses to receipts.
            _ => return Ok(()),
        };
        response.encode(CommandStatus::ROK, header.sequence, &mut self.output);
        self.is_urgent = true;
        Ok(())
    }

    fn submit(&mut self, message: &SubmitSm<'_>, octets: &[u8], sequence: SequenceNumber) {
        self.messages += 1;
        self.unwritten += 1;
        let id = self.smsc.last_id.fetch_add(1, Ordering::Relaxed);
        let digits = digits(id);
        let message_id = COctets::new(&digits).unwrap_or_default();
        let response = Pdu::SubmitSmResp(Some(SubmitSmResp { message_id, ..SubmitSmResp::default() }));
        response.encode(CommandStatus::ROK, sequence, &mut self.output);
        if message.registered_delivery == RegisteredDelivery::default() {
            return;
        }
        if self.smsc.held_back == 0 {
            return self.receipt(id, message);
        }
        self.held_back.push_back(id);
        self.last.clear();
        self.last.extend_from_slice(octets);
        if self.held_back.len() > self.smsc.held_back
            && let Some(id) = self.held_back.pop_front()
        {
            self.receipt(id, message);
        }
    }

    /// Sends receipts that are held back, a batch at most.
    fn release(&mut self) {
        let last = std::mem::take(&mut self.last);
        if let Some(Ok((Pdu::SubmitSm(message), _))) =
            frame::Frame::new(&last[..]).map(|last| last.into_pdu(Tolerance::LENIENT))
        {
            let batch = BATCH.min(self.held_back.len());
            for _ in 0..batch {
                if let Some(id) = self.held_back.pop_front() {
                    self.receipt(id, &message);
                }
            }
        }
        self.last = last;
        self.is_quiet = !self.held_back.is_empty();
    }

    /// Sends the receipt of a message: SMPP 3.4 appendix B.
    fn receipt(&mut self, id: u64, message: &SubmitSm<'_>) {
        let mut text =
            *b"id:0000000000 sub:001 dlvrd:001 submit date:2601311200 done date:2601311200 stat:DELIVRD \
            err:000 text:";
        for (octet, digit) in text.iter_mut().skip("id:".len()).zip(digits(id)) {
            *octet = digit;
        }
        let receipt = Pdu::DeliverSm(DeliverSm {
            source: message.destination,
            destination: message.source,
            esm_class: EsmClass::DELIVERY_RECEIPT,
            short_message: ShortMessage::new(&text).unwrap_or_default(),
            ..DeliverSm::default()
        });
        self.last_sequence = self.last_sequence.next();
        receipt.encode(CommandStatus::ROK, self.last_sequence, &mut self.output);
    }
}

/// Returns the ten digits of a number.
fn digits(mut number: u64) -> [u8; 10] {
    let mut digits = [b'0'; 10];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use smpp_proto::sms::{Detection, Receipt};
    use smpp_proto::{Address, Bind, Frame};

    use super::*;

    /// Sends the messages, and returns what the SMSC sends until so many PDUs have arrived.
    fn exchange(smsc: InPlaceSmsc, messages: u32, pdus: usize) -> Vec<Frame<Vec<u8>>> {
        let address = smsc.start().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let mut output = Vec::new();
        Pdu::Bind(Bind::default()).encode(CommandStatus::ROK, SequenceNumber(1), &mut output);
        for sequence in 2..messages + 2 {
            let message = SubmitSm {
                destination: Address::international("6591234567").unwrap(),
                registered_delivery: RegisteredDelivery::RECEIPT,
                ..SubmitSm::default()
            };
            Pdu::SubmitSm(message).encode(CommandStatus::ROK, SequenceNumber(sequence), &mut output);
        }
        stream.write_all(&output).unwrap();
        let mut received = Vec::new();
        let mut frames = Vec::new();
        while frames.len() < pdus {
            let mut octets = [0; 4096];
            let read = stream.read(&mut octets).unwrap();
            assert!(read > 0, "{} PDUs", frames.len());
            received.extend_from_slice(&octets[..read]);
            while let Some((frame, rest)) = frame::split(&received, READ).unwrap() {
                frames.push(Frame::new(frame.octets().to_vec()).unwrap());
                received = rest.to_vec();
            }
        }
        frames
    }

    /// Returns what each PDU is: the sequence number of a response, or the id in a receipt.
    fn summary(frames: &[Frame<Vec<u8>>]) -> Vec<String> {
        let one = |frame: &Frame<Vec<u8>>| match frame.pdu(Tolerance::LENIENT).unwrap().0 {
            Pdu::DeliverSm(message) => {
                assert_eq!(message.source.digits.as_bytes(), b"6591234567");
                let receipt = Receipt::of(&message, Detection::ByEsmClass).unwrap().unwrap();
                format!("receipt {}", receipt.id.escape_ascii())
            }
            _ => frame.header().sequence.0.to_string(),
        };
        frames.iter().map(one).collect()
    }

    #[test]
    fn a_receipt_follows_its_response() {
        let frames = exchange(InPlaceSmsc::default(), 2, 5);
        assert_eq!(summary(&frames), ["1", "2", "receipt 0000000000", "3", "receipt 0000000001"]);
    }

    #[test]
    fn receipts_are_held_back_until_the_client_is_quiet() {
        let frames = exchange(InPlaceSmsc::holding_back(2), 3, 7);
        assert_eq!(
            summary(&frames),
            ["1", "2", "3", "4", "receipt 0000000000", "receipt 0000000001", "receipt 0000000002"]
        );
    }

    /// A client that sends one message after the other, as the SMSC has read the one before, gets no response before the batch
    /// is complete, and then all of them in one read.
    #[test]
    fn a_batch_of_messages_gets_its_responses_in_one_write() {
        let address = InPlaceSmsc::in_batches_of(3).start().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let mut octets = [0; 4096];
        for sequence in 1..=6 {
            let mut output = Vec::new();
            Pdu::SubmitSm(SubmitSm::default()).encode(
                CommandStatus::ROK,
                SequenceNumber(2 * sequence),
                &mut output,
            );
            stream.write_all(&output).unwrap();
            // The response to this request says that the SMSC has read the message. It takes the responses before it along.
            if sequence % 3 == 0 {
                let read = stream.read(&mut octets).unwrap();
                let mut rest = &octets[..read];
                let mut sequences = Vec::new();
                while let Some((frame, later)) = frame::split(rest, READ).unwrap() {
                    sequences.push(frame.header().sequence.0 / 2);
                    rest = later;
                }
                assert_eq!(sequences, [sequence - 2, sequence - 1, sequence]);
            }
        }
    }
}
