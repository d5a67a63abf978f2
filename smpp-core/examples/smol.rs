//! Drives a session in a future on the reactor of `smol`: binds, submits one message, waits for its delivery receipt, unbinds.
//! `cargo run -p smpp-proto --example smol -- 127.0.0.1:2775 SYSTEM_ID PASSWORD TO TEXT` (plain TCP)

use async_io::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};
use smpp_proto::session::{Config, Event, Instant, Request, Session, State};
use smpp_proto::{Address, Bind, DeliverSmResp, RegisteredDelivery, ShortMessage, SubmitSm};
use std::error::Error;
use std::net::{TcpStream, ToSocketAddrs};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let usage = "usage: smol ADDRESS:PORT SYSTEM_ID PASSWORD TO TEXT";
    let [server, id, password, to, text] = &arguments[..] else { return Err(usage.into()) };
    let (system_id, password) = (id.as_str().try_into()?, password.as_str().try_into()?);
    let (destination, short_message) = (Address::international(to)?, ShortMessage::new(text.as_bytes())?);
    let registered_delivery = RegisteredDelivery::RECEIPT;
    let message = SubmitSm { destination, short_message, registered_delivery, ..SubmitSm::default() };
    async_io::block_on(run(server, &Bind { system_id, password, ..Bind::default() }, &message))
}

async fn run(server: &str, bind: &Bind<'_>, message: &SubmitSm<'_>) -> Result<(), Box<dyn Error>> {
    // For brevity it resolves the host in this thread, and tries one address.
    let address = server.to_socket_addrs()?.next().ok_or("the host has no address")?;
    let mut stream = Async::<TcpStream>::connect(address).await?;
    let start = std::time::Instant::now();
    let now = || Instant::after(start.elapsed());
    let mut session = Session::new(Config::default(), now());
    session.request(now(), bind, "bind")?;
    let (mut input, mut output, mut chunk) = (Vec::new(), Vec::new(), [0; 4096]);
    while session.state() != State::Closed {
        // For brevity it does not read while it writes: a program with much traffic does both at once.
        session.poll_transmit(&mut output);
        stream.write_all(&output).await?;
        session.handle_transmitted(output.drain(..).len());
        let timer = session.poll_timeout().map_or_else(Timer::never, |(at, _)| Timer::after(at - now()));
        let timeout = async { Ok(timer.await).map(|_| None) };
        match async { stream.read(&mut chunk).await.map(Some) }.or(timeout).await {
            Ok(Some(octets @ 1..)) => input.extend_from_slice(&chunk[..octets]),
            Ok(Some(0)) => session.handle_eof(),
            Err(_) => session.handle_disconnect(),
            Ok(None) => {}
        }
        let (mut rest, at) = (&input[..], now());
        while let Some(event) = session.handle_input(at, &mut rest).or_else(|| session.handle_timeout(at)) {
            match event {
                Event::Outcome { tag: "bind", outcome, .. } => {
                    outcome.into_result()?;
                    session.request(at, message, "submit_sm")?;
                }
                Event::Outcome { outcome, .. } => println!("submit_sm: {:?}", outcome.into_result()?),
                Event::Request { request: Request::DeliverSm(deliver_sm, reply), .. } => {
                    println!("receipt: {}", deliver_sm.text().escape_ascii());
                    session.respond(reply, Ok(DeliverSmResp::default()))?;
                    session.unbind(at);
                }
                Event::Closed(reason) => println!("session ended: {reason}"),
                _ => {}
            }
        }
        input.drain(..input.len() - rest.len());
    }
    Ok(())
}
