//! Drives a session with `mio`: binds, submits one message, waits for its delivery receipt, unbinds.
//! `cargo run -p smpp-proto --example mio -- 127.0.0.1:2775 SYSTEM_ID PASSWORD TO TEXT` (plain TCP)

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use smpp_proto::session::{Config, Event, Instant, Request, Session, State};
use smpp_proto::{Address, Bind, DeliverSmResp, RegisteredDelivery, ShortMessage, SubmitSm};
use std::io::{ErrorKind::WouldBlock, Read, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let usage = "usage: mio ADDRESS:PORT SYSTEM_ID PASSWORD TO TEXT";
    let [server, id, password, to, text] = &arguments[..] else { return Err(usage.into()) };
    let (system_id, password) = (id.as_str().try_into()?, password.as_str().try_into()?);
    let (destination, short_message) = (Address::international(to)?, ShortMessage::new(text.as_bytes())?);
    let registered_delivery = RegisteredDelivery::RECEIPT;
    let message = SubmitSm { destination, short_message, registered_delivery, ..SubmitSm::default() };
    let socket = std::net::TcpStream::connect(server)?;
    socket.set_nonblocking(true)?;
    let (mut stream, mut poll, mut seen) =
        (TcpStream::from_std(socket), Poll::new()?, Events::with_capacity(1));
    poll.registry().register(&mut stream, Token(0), Interest::READABLE | Interest::WRITABLE)?;
    let start = std::time::Instant::now();
    let now = || Instant::after(start.elapsed());
    let mut session = Session::new(Config::default(), now());
    session.request(now(), &Bind { system_id, password, ..Bind::default() }, "bind")?;
    let (mut input, mut output, mut chunk) = (Vec::new(), Vec::new(), [0; 4096]);
    while session.state() != State::Closed {
        session.poll_transmit(&mut output);
        // The session needs the octets written to distinguish "never sent" from "sent and unanswered".
        let written = stream.write(&output).inspect(|octets| session.handle_transmitted(*octets));
        output.drain(..*written.as_ref().unwrap_or(&0));
        let read = if session.wants_input() { stream.read(&mut chunk) } else { Err(WouldBlock.into()) };
        input.extend_from_slice(&chunk[..*read.as_ref().unwrap_or(&0)]);
        match (written, read) {
            (Err(error), _) | (_, Err(error)) if error.kind() != WouldBlock => session.handle_disconnect(),
            (_, Ok(0)) => session.handle_eof(),
            (Ok(1..), _) | (_, Ok(_)) => {}
            _ => poll.poll(&mut seen, session.poll_timeout().map(|(at, _)| at - now()))?,
        }
        let (mut rest, at) = (&input[..], now());
        while let Some(event) = session.handle_input(at, &mut rest).or_else(|| session.handle_timeout(at)) {
            match event {
                Event::Outcome { tag: "bind", outcome, .. } => {
                    outcome.into_result()?;
                    session.request(at, &message, "submit_sm")?;
                }
                Event::Outcome { outcome, .. } => println!("submit_sm: {:?}", outcome.into_result()?),
                Event::Request { request: Request::DeliverSm(deliver_sm, reply), .. } => {
                    println!("receipt: {}", deliver_sm.text().escape_ascii());
                    session.respond(reply, Ok(DeliverSmResp::default()))?;
                    session.unbind(at);
                }
                Event::Closed(reason) => println!("session ended: {reason}"),
                other => println!("{other:?}"),
            }
        }
        input.drain(..input.len() - rest.len());
    }
    Ok(())
}
