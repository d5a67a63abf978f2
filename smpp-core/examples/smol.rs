//! A session without an adapter, in a future of `smol`: binds, sends one text, waits for its receipts, unbinds.
//!
//! `cargo run -p smpp-core --example smol -- 127.0.0.1:2775 SYSTEM_ID PASSWORD DESTINATION TEXT`, without TLS: that
//! would go between the socket and the session.

use std::error::Error;
use std::future::pending;

use smol::Timer;
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;
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
    smol::block_on(async {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        run(stream, &bind, (template, text)).await
    })
}

/// The loop: octets and time into the session, events and octets out of it, until it is over.
async fn run(stream: TcpStream, bind: &Bind<'_>, job: (SubmitSm<'_>, &str)) -> Result<(), Box<dyn Error>> {
    let (mut reader, mut writer) = (stream.clone(), stream);
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
        // Whichever comes first: octets read, octets written, or the deadline. What is dropped has done nothing.
        let (listening, speaking) = (session.wants_input(), !output.is_empty());
        let due = session.poll_timeout().map(|(at, _)| at - now());
        let read =
            async { if listening { (Some(reader.read(&mut chunk).await), None) } else { pending().await } };
        let write =
            async { if speaking { (None, Some(writer.write(&output).await)) } else { pending().await } };
        let sleep = async {
            due.map_or_else(Timer::never, Timer::after).await;
            (None, None)
        };
        match read.or(write).or(sleep).await {
            (Some(Ok(octets @ 1..)), _) => input.extend_from_slice(&chunk[..octets]),
            // How much has left tells "never sent" from "sent and unanswered".
            (_, Some(Ok(octets))) => {
                output.drain(..octets);
                session.handle_transmitted(octets);
            }
            (None, None) => {}
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
