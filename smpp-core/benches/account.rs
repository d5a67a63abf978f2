//! Counts what a message costs inside an [`Account`]: `cargo bench -p smpp-proto --bench account`.
//!
//! The SMSC is in memory, and patches ready PDUs: so nearly all instructions are those of the account and its session.
//! Instructions are counted with valgrind, as in the benchmark `instructions`; allocations with a counting allocator. The
//! benchmark fails if a count exceeds its limit. Without valgrind it counts only the allocations.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::env;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::Duration;

use smpp_proto::account::{Account, Action, Binds, Credentials, Event, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Instant, Operations};
use smpp_proto::{
    Address, BindMode, BindResp, COctets, CommandStatus, DeliverSm, EsmClass, Frame, Pdu, RegisteredDelivery,
    SequenceNumber, ShortMessage, SubmitSm, SubmitSmResp,
};

/// How many messages are in flight at a time.
const WINDOW: usize = 64;

/// A kind of work, with its limits for a message.
struct Work {
    name: &'static str,
    links: u16,
    instructions: u64,
    allocations: u64,
    octets: u64,
}

const fn work(name: &'static str, links: u16, limits: (u64, u64, u64)) -> Work {
    let (instructions, allocations, octets) = limits;
    Work { name, links, instructions, allocations, octets }
}

/// The limits: instructions of a message, allocations and octets of 100 messages.
const WORKS: [Work; 5] = [
    work("ready", 1, (2_300, 10, 1_000)),
    work("text", 1, (2_670, 10, 1_000)),
    work("receipt", 1, (7_650, 110, 19_000)),
    work("ready", 1_000, (3_700, 10, 1_000)),
    work("receipt", 1_000, (9_220, 110, 19_000)),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    match &arguments[..] {
        [_, name, links, batches] => {
            let mut bench = Bench::new(name, links.parse().unwrap());
            (0..batches.parse::<usize>().unwrap()).for_each(|_| bench.run_batch());
            ExitCode::SUCCESS
        }
        _ => report(),
    }
}

fn report() -> ExitCode {
    let has_valgrind = Command::new("valgrind").arg("--version").output().is_ok();
    if !has_valgrind {
        println!("valgrind is not installed: install it to count instructions");
    }
    println!(
        "{:<8} {:>6} {:>13} {:>18} {:>13}",
        "a message", "links", "instructions", "allocations / 100", "octets / 100"
    );
    let mut passed = true;
    for work in WORKS {
        let instructions = if has_valgrind { count(&work) } else { 0 };
        let mut bench = Bench::new(work.name, work.links);
        (0..20).for_each(|_| bench.run_batch());
        let allocated = allocation_counter::measure(|| (0..100).for_each(|_| bench.run_batch()));
        let messages = 100 * WINDOW as u64;
        let (allocations, octets) =
            (allocated.count_total * 100 / messages, allocated.bytes_total * 100 / messages);
        println!("{:<8} {:>7} {instructions:>13} {allocations:>18} {octets:>13}", work.name, work.links);
        passed &=
            instructions <= work.instructions && allocations <= work.allocations && octets <= work.octets;
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the number of instructions of one message.
fn count(work: &Work) -> u64 {
    let total = |batches: u64| {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(env::current_exe().unwrap())
            .args([work.name, &work.links.to_string(), &batches.to_string()])
            .output()
            .unwrap();
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        let collected = report.lines().find_map(|line| line.split_once("Collected : "));
        collected.unwrap_or_else(|| panic!("{report}")).1.trim().parse::<u64>().unwrap()
    };
    (total(30) - total(10)) / (20 * WINDOW as u64)
}

/// An account, and an SMSC that answers each message and sends its receipt.
struct Bench {
    account: Account,
    now: Instant,
    message: Message,
    has_receipts: bool,
    response: Vec<u8>,
    receipt: Vec<u8>,
    last_id: u64,
    output: Vec<u8>,
    input: Vec<u8>,
    /// The slots with input, in the order of their ids.
    links: Vec<smpp_proto::account::LinkId>,
    done: usize,
}

const ID: &[u8] = b"00000000-0000-0000-0000-000000000000";

impl Bench {
    fn new(name: &str, links: u16) -> Self {
        let now = Instant::ZERO;
        let provider = Provider::EIGHT_BY_EIGHT.operations(Operations::all());
        let options = Options::new(Credentials::new("shop", "s3cret"), &provider);
        let session = options.session.window(WINDOW as u16).rate(None);
        let receipts = options.receipts.remember_completed(Duration::from_millis(10));
        let options = options
            .binds(Binds::transceivers(links))
            .max_binds(links)
            .session(session)
            .receipts(receipts)
            .rate(None)
            .connect_interval(Duration::from_millis(1));
        let has_receipts = name == "receipt";
        let template = SubmitSm {
            source: Address::alphanumeric("8x8").unwrap(),
            destination: Address::international("6591234567").unwrap(),
            registered_delivery: if has_receipts {
                RegisteredDelivery::RECEIPT
            } else {
                RegisteredDelivery::default()
            },
            ..SubmitSm::default()
        };
        let text = "Your verification code is 123456. It expires in ten minutes.";
        let message = match name {
            "ready" => Message::submit_sm(&SubmitSm {
                short_message: ShortMessage::new(text.as_bytes()).unwrap(),
                ..template
            }),
            "text" | "receipt" => Message::text(&template, text),
            _ => panic!("unknown work {name}"),
        };
        let response = SubmitSmResp { message_id: COctets::new(ID).unwrap(), ..SubmitSmResp::default() };
        let dlr = [
            b"id:",
            ID,
            b" sub:001 dlvrd:001 submit date:2611291200 done date:2611291201 stat:DELIVRD err:000 text:"
                .as_slice(),
        ]
        .concat();
        let receipt = DeliverSm {
            source: Address::international("6591234567").unwrap(),
            destination: Address::alphanumeric("8x8").unwrap(),
            esm_class: EsmClass::from_bits_retain(4),
            short_message: ShortMessage::new(&dlr).unwrap(),
            ..DeliverSm::default()
        };
        let mut bench = Self {
            account: Account::new(options, now).unwrap(),
            now,
            message,
            has_receipts,
            response: encode(&Pdu::SubmitSmResp(Some(response))),
            receipt: encode(&Pdu::DeliverSm(receipt)),
            last_id: 0,
            output: Vec::new(),
            input: Vec::new(),
            links: Vec::new(),
            done: 0,
        };
        bench.bind_all(links);
        bench
    }

    fn bind_all(&mut self, links: u16) {
        while self.links.len() < usize::from(links) {
            self.now = self.now + Duration::from_millis(1);
            self.account.handle_timeout(self.now);
            while let Some(action) = self.account.poll_action() {
                match action {
                    Action::Resolve { link } => {
                        self.account.handle_resolved(
                            self.now,
                            link,
                            Ok(&["192.0.2.1:2775".parse().unwrap()]),
                        );
                    }
                    Action::Connect { link, .. } => {
                        assert!(self.account.handle_connected(self.now, link, ()));
                        self.transmit(link);
                        let mut response =
                            encode(&Pdu::BindResp(BindMode::Transceiver, Some(BindResp::default())));
                        response[12..16].copy_from_slice(&sequence(&self.output).to_be_bytes());
                        self.account.handle_input(self.now, link, &mut &response[..]);
                        self.links.push(link);
                    }
                    Action::Close { .. } => panic!("a bind ended"),
                }
            }
            while self.account.poll_event().is_some() {}
        }
    }

    fn transmit(&mut self, link: smpp_proto::account::LinkId) {
        self.output.clear();
        if self.account.poll_transmit(link, &mut self.output) {
            self.account.handle_transmitted(self.now, link, self.output.len());
        }
    }

    /// Sends [`WINDOW`] messages, and receives their responses and receipts. The clock moves 1 ms.
    fn run_batch(&mut self) {
        self.now = self.now + Duration::from_millis(1);
        self.account.handle_timeout(self.now);
        for _ in 0..WINDOW {
            self.account.submit(self.now, black_box(&self.message)).unwrap();
        }
        self.handle_events();
        let first_id = self.last_id;
        for index in 0..self.links.len() {
            let link = self.links[index];
            if !self.account.wants_transmit(link) {
                continue;
            }
            self.transmit(link);
            self.input.clear();
            let mut rest = &self.output[..];
            while let Some(length) = rest.first_chunk().map(|octets| u32::from_be_bytes(*octets) as usize) {
                self.last_id += 1;
                self.response[12..16].copy_from_slice(&sequence(rest).to_be_bytes());
                write_id(&mut self.response, 16, self.last_id);
                self.input.extend_from_slice(&self.response);
                rest = &rest[length..];
            }
            self.account.handle_input(self.now, link, &mut &self.input[..]);
            black_box(self.account.poll_timeout());
            self.handle_events();
        }
        if self.has_receipts {
            let link = self.links[0];
            self.input.clear();
            let id = self.receipt.windows(3).position(|octets| octets == b"id:").unwrap() + 3;
            for number in first_id..self.last_id {
                self.receipt[12..16].copy_from_slice(&(number as u32 + 1).to_be_bytes());
                write_id(&mut self.receipt, id, number + 1);
                self.input.extend_from_slice(&self.receipt);
            }
            self.account.handle_input(self.now, link, &mut &self.input[..]);
            self.handle_events();
            self.transmit(link);
            black_box(self.account.poll_timeout());
        }
        let expected = if self.has_receipts { 2 * WINDOW } else { WINDOW };
        assert_eq!(std::mem::take(&mut self.done), expected);
    }

    fn handle_events(&mut self) {
        while let Some(event) = self.account.poll_event() {
            match event {
                Event::Outcome { outcome, .. } => {
                    self.done += usize::from(black_box(&outcome).ids().count() == 1);
                }
                Event::Receipt { matched, ack, .. } => {
                    self.done += usize::from(matched.is_some());
                    self.account.acknowledge(self.now, ack, Ok(())).unwrap();
                }
                _ => {}
            }
        }
    }
}

/// Encodes a PDU with the first sequence number.
fn encode(pdu: &Pdu<'_>) -> Vec<u8> {
    Frame::encode(pdu, CommandStatus::ROK, SequenceNumber::FIRST).octets().to_vec()
}

fn sequence(pdu: &[u8]) -> u32 {
    u32::from_be_bytes(*pdu[12..].first_chunk().unwrap())
}

/// Writes the last 12 digits of the id.
fn write_id(pdu: &mut [u8], at: usize, mut number: u64) {
    for digit in pdu[at + 24..at + 36].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
