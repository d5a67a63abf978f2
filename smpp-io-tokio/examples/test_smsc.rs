//! A test of a program that sends and receives SMS, with an SMSC in memory: no port, no sleep. In your project it is a
//! `#[tokio::test]`; here it is a `main`.
//!
//! ```sh
//! cargo run -p smpp-tokio --features testing --example test_smsc
//! ```

use std::error::Error;

use smpp_proto::account::{Credentials, Message, Options};
use smpp_proto::provider::Provider;
use smpp_proto::{Address, CommandStatus, SubmitSm};
use smpp_tokio::account::{Account, Arrival, Arrivals};
use smpp_tokio::testing::{Answer, ResponseFault, TestSmsc, When};

/// The program under test: answers each message with its text in capital letters.
async fn shout(account: Account, mut arrivals: Arrivals) {
    while let Some(arrival) = arrivals.recv().await {
        let Arrival::Message(message) = arrival else { continue };
        let (phone, text) = (message.get().source(), message.get().text().unwrap_or_default());
        let phone = Address::international(phone.digits.to_str().unwrap_or_default());
        let answer = SubmitSm { destination: phone.unwrap_or_default(), ..SubmitSm::default() };
        match account.send(&Message::text(&answer, text.to_uppercase())).await {
            Ok(_) => drop(message.accept()),
            // The SMSC sends the message again later.
            Err(_) => drop(message.refuse(CommandStatus::RX_T_APPN)),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let smsc = TestSmsc::in_memory().await?;
    let options = Options::new(Credentials::default(), &Provider::EIGHT_BY_EIGHT);
    let (account, arrivals) = smsc.account_connector(options).connect().await?;
    tokio::spawn(shout(account, arrivals));

    smsc.deliver("+6591234567", "8888", "Grüße, 你好").await?;
    let answer = smsc.next_message().await?;
    assert_eq!((&*answer.destination, answer.text.as_deref()), ("6591234567", Some("GRÜSSE, 你好")));

    // An answer that the SMSC refuses.
    smsc.script(When::next().containing("NO"), Answer::refuse(CommandStatus::RSUBMITFAIL));
    let refused = smsc.deliver("+6591234567", "8888", "no").await.unwrap_err();
    println!("as expected: {refused}");

    // The connection breaks inside the response to an answer: the account connects again.
    smsc.script(When::next(), Answer::accept().fault(ResponseFault::Cut));
    let _ = smsc.deliver("+6591234567", "8888", "cut").await;
    smsc.deliver("+6591234567", "8888", "and again").await?;
    let texts: Vec<_> = smsc.next_messages(2).await?.into_iter().filter_map(|message| message.text).collect();
    assert_eq!(texts, ["CUT", "AND AGAIN"]);

    for entry in smsc.log() {
        println!("{entry}");
    }
    Ok(())
}
