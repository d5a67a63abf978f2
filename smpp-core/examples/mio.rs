//! A session without an adapter, in a loop over `mio`: binds, sends one text, waits for its receipts, unbinds.
//!
//! `cargo run -p smpp-core --example mio -- 127.0.0.1:2775 SYSTEM_ID PASSWORD DESTINATION TEXT`, without TLS: that
//! would go between the socket and the session.

use std::error::Error;
use std::io::{ErrorKind::WouldBlock, Read, Write};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use smpp_core::session::{Closed, Config, Esme, Event, Instant, Outcome, Request, Session};
use smpp_core::sms::{ConcatRef, Receipt, Text};
use smpp_core::{
    Address, Bind, COctets, DeliverSmResp, Password, Pdu, RegisteredDelivery, ShortMessage, SubmitSm,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, system_id, password, to, text] = &arguments[..] else {
        return Err("expected HOST:PORT SYSTEM_ID PASSWORD DESTINATION TEXT".into());
    };
    let (system_id, password) = (COctets::new(system_id.as_bytes())?, Password::new(password.as_bytes())?);
    let bind = Bind { system_id, password, ..Bind::default() };
    let destination = Address::international(to)?;
    let template =
        SubmitSm { destination, registered_delivery: RegisteredDelivery::RECEIPT, ..SubmitSm::default() };
    let stream = std::net::TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    run(TcpStream::from_std(stream), &bind, (template, text))
}

/// The loop: octets and time into the session, events and octets out of it, until it is over.
fn run(mut stream: TcpStream, bind: &Bind<'_>, job: (SubmitSm<'_>, &str)) -> Result<(), Box<dyn Error>> {
    let (mut poll, mut ready) = (Poll::new()?, Events::with_capacity(4));
    poll.registry().register(&mut stream, Token(0), Interest::READABLE | Interest::WRITABLE)?;
    let start = std::time::Instant::now();
    let now = || Instant::after(start.elapsed());
    let mut session = Session::new(Config::default(), now());
    session.request(now(), bind, "bind")?;
    let (mut input, mut output, mut chunk, mut missing) = (Vec::new(), Vec::new(), [0; 4096], 0);
    loop {
        let mut rest = &input[..];
        while let Some(event) =
            session.handle_input(now(), &mut rest).or_else(|| session.handle_timeout(now()))
        {
            match event {
                Event::Closed(Closed::Unbound) => return Ok(()),
                Event::Closed(why) => return Err(why.into()),
                event => act(&mut session, now(), event, job, &mut missing)?,
            }
        }
        input.drain(..input.len() - rest.len());
        session.poll_transmit(&mut output);
        // Both are tried until neither moves: only from then on does the poll tell that one would.
        let written = if output.is_empty() { Err(WouldBlock.into()) } else { stream.write(&output) };
        let read = if session.wants_input() { stream.read(&mut chunk) } else { Err(WouldBlock.into()) };
        if [&written, &read].iter().all(|tried| tried.as_ref().is_err_and(|error| error.kind() == WouldBlock))
        {
            poll.poll(&mut ready, session.poll_timeout().map(|(at, _)| at - now()))?;
        }
        // How much has left tells "never sent" from "sent and unanswered".
        match written {
            Ok(octets) => {
                output.drain(..octets);
                session.handle_transmitted(octets);
            }
            Err(error) if error.kind() == WouldBlock => {}
            Err(_) => session.handle_eof(),
        }
        match read {
            Ok(octets @ 1..) => input.extend_from_slice(&chunk[..octets]),
            Err(error) if error.kind() == WouldBlock => {}
            _ => session.handle_eof(),
        }
    }
}

/// What the application does about what the session tells. `missing` receipts are waited for.
fn act(
    session: &mut Session<Esme, &'static str>,
    now: Instant,
    event: Event<'_, &'static str>,
    (template, text): (SubmitSm<'_>, &str),
    missing: &mut u32,
) -> Result<(), Box<dyn Error>> {
    match event {
        Event::Outcome { tag: "bind", outcome: Outcome::Accepted(_), .. } => {
            for part in Text::new(text).segments(ConcatRef::Narrow(1))? {
                let short_message = ShortMessage::new(part.as_bytes())?;
                let (esm_class, data_coding) = (part.esm_class(), part.data_coding());
                let message = SubmitSm { esm_class, data_coding, short_message, ..template };
                session.request(now, &message, "submit_sm")?;
                *missing += 1;
            }
        }
        Event::Outcome { outcome: Outcome::Accepted(Pdu::SubmitSmResp(Some(response))), .. } => {
            println!("accepted: {}", response.message_id);
        }
        Event::Outcome { outcome, sequence, .. } => drop(outcome.into_result(sequence)?),
        Event::Request { request: Request::DeliverSm(message, reply), .. } => {
            session.respond(reply, Ok(DeliverSmResp::default()))?;
            if let Ok(receipt) = Receipt::parse(message.text()) {
                println!("receipt:  {} {}", receipt.id.escape_ascii(), receipt.stat.escape_ascii());
                *missing = missing.saturating_sub(receipt.is_final().into());
            }
            if *missing == 0 {
                session.unbind(now);
            }
        }
        Event::Request { request, .. } => session.refuse(request)?,
        _ => {}
    }
    Ok(())
}
