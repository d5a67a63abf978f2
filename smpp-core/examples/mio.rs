//! A session in a loop over `mio`, without an adapter: binds, sends a text, waits for its receipts, unbinds.
//!
//! `cargo run -p smpp-core --example mio -- 127.0.0.1:2775 SYSTEM_ID PASSWORD DESTINATION TEXT`, over
//! plain TCP: TLS would wrap the stream, as it does in the adapters.

use std::io::{ErrorKind::WouldBlock, Read, Write};
use std::{collections::BTreeSet, error::Error, process::ExitCode, time};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use smpp_core::session::{CloseReason, Config, Esme, Event, Instant, Outcome, Request, Session};
use smpp_core::sms::{ConcatRef, Receipt, Submission, Text};
use smpp_core::{Address, Bind, COctets, DeliverSmResp, Password, RegisteredDelivery, SubmitSm};

fn main() -> ExitCode {
    let Ok(arguments) = <[String; 5]>::try_from(std::env::args().skip(1).collect::<Vec<_>>()) else {
        eprintln!("usage: mio HOST:PORT SYSTEM_ID PASSWORD DESTINATION TEXT");
        return ExitCode::from(2);
    };
    let Err(error) = run(&arguments) else { return ExitCode::SUCCESS };
    eprintln!("{error}");
    ExitCode::FAILURE
}

/// The loop: octets and time into the session, events and octets out of it, until it is over.
fn run([server, system_id, password, to, text]: &[String; 5]) -> Result<(), Box<dyn Error>> {
    let system_id = COctets::new(system_id.as_bytes()).map_err(|error| format!("SYSTEM_ID: {error}"))?;
    let password = Password::new(password.as_bytes()).map_err(|error| format!("PASSWORD: {error}"))?;
    let destination = Address::international(to).map_err(|error| format!("DESTINATION: {error}"))?;
    let registered_delivery = RegisteredDelivery::RECEIPT;
    let template = SubmitSm { destination, registered_delivery, ..SubmitSm::default() };
    let reference = ConcatRef::Wide(std::process::id() as u16);
    let parts: Vec<_> = Text::new(text).segments(reference)?.submissions(template).collect();
    let stream = std::net::TcpStream::connect(server).map_err(|error| format!("{server}: {error}"))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let (mut stream, mut poll) = (TcpStream::from_std(stream), Poll::new()?);
    poll.registry().register(&mut stream, Token(0), Interest::READABLE)?;
    let start = time::Instant::now();
    let now = || Instant::after(start.elapsed());
    // Room for all the parts, and an end to the wait for receipts.
    let config =
        Config { window: 255, inactivity_timeout: Some(time::Duration::from_secs(60)), ..Config::default() };
    let mut session = Session::new(config, now());
    session.request(now(), &Bind { system_id, password, ..Bind::default() }, "bind_transceiver")?;
    let (mut input, mut output, mut chunk) = (Vec::new(), Vec::new(), [0; 4096]);
    let (mut events, mut ids, mut result) = (Events::with_capacity(1), Default::default(), Ok(()));
    loop {
        let mut rest = &input[..];
        while let Some(event) =
            session.handle_input(now(), &mut rest).or_else(|| session.handle_timeout(now()))
        {
            if let Event::Closed(why) = event {
                println!("session ended: {why}");
                return if why == CloseReason::Unbound { result } else { result.and(Err(why.into())) };
            }
            let acted = act(&mut session, now(), event, &parts, &mut ids);
            result = result.and(acted).inspect_err(|_| session.unbind(now()));
        }
        input.drain(..input.len() - rest.len());
        session.poll_transmit(&mut output);

        let (reads, writes) = (session.wants_input(), !output.is_empty());
        let written = if writes { stream.write(&output) } else { Err(WouldBlock.into()) };
        let read = if reads { stream.read(&mut chunk) } else { Err(WouldBlock.into()) };
        // Only where neither moves is the poll sure to tell when one can. A signal may cut it short.
        if [&written, &read].iter().all(|tried| matches!(tried, Err(error) if error.kind() == WouldBlock)) {
            let interest = if writes { Interest::WRITABLE } else { Interest::READABLE };
            let interest = if reads { interest | Interest::READABLE } else { interest };
            poll.registry().reregister(&mut stream, Token(0), interest)?;
            let _ = poll.poll(&mut events, session.poll_timeout().map(|(at, _)| at - now()));
        }
        match written {
            // How much has left tells "never sent" from "sent and unanswered".
            Ok(octets @ 1..) => session.handle_transmitted(output.drain(..octets).len()),
            Err(error) if error.kind() == WouldBlock => {}
            _ => session.handle_eof(),
        }
        match read {
            Ok(octets @ 1..) => input.extend_from_slice(&chunk[..octets]),
            Err(error) if error.kind() == WouldBlock => {}
            _ => session.handle_eof(),
        }
    }
}

/// What is done about an event. Receipts may come before the message ids that they are for.
fn act(
    session: &mut Session<Esme, &'static str>,
    now: Instant,
    event: Event<'_, &'static str>,
    parts: &[Submission<'_>],
    [accepted, receipted]: &mut [BTreeSet<Vec<u8>>; 2],
) -> Result<(), Box<dyn Error>> {
    match event {
        Event::Outcome { tag: "bind_transceiver", outcome: Outcome::Accepted(_), .. } => {
            for part in parts {
                session.request(now, &part.submit_sm(), "submit_sm")?;
            }
        }
        Event::Outcome { tag, outcome, .. } => {
            let response = outcome.into_result().map_err(|error| format!("{tag} {error}"))?;
            println!("message_id {}", response.message_id().escape_ascii());
            accepted.insert(response.message_id().to_vec());
        }
        Event::Request { request: Request::DeliverSm(sm, reply), .. } if sm.esm_class.is_receipt() => {
            session.respond(reply, Ok(DeliverSmResp::default()))?;
            let receipt = Receipt::parse_with(sm.text(), sm.tlvs)?;
            println!("receipt {} {}", receipt.id.escape_ascii(), receipt.stat.escape_ascii());
            receipted.extend(receipt.is_final().then(|| receipt.id.to_vec()));
        }
        Event::Request { request, .. } => session.refuse(request)?,
        _ => {}
    }
    if session.in_flight() == 0 && accepted.is_subset(receipted) {
        session.unbind(now);
    }
    Ok(())
}
