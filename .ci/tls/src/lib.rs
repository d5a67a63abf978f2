//! What the tests share: two servers that accept every bind, and the account that connects to them.

use smpp_std::smpp_proto::CommandStatus;
use smpp_std::smpp_proto::account::{Credentials, Options};
use smpp_std::smpp_proto::provider::Provider;
use smpp_std::smpp_proto::session::Smsc;

/// Accepts every bind.
pub struct AcceptAll;

impl smpp_std::Service for AcceptAll {
    fn bind(&self, _: &smpp_std::BindRequest) -> Result<smpp_std::Admission, CommandStatus> {
        Ok(smpp_std::Admission::default())
    }

    fn request(&self, _: &smpp_std::BoundSession, _: smpp_std::Inbound<smpp_std::HandleRoute<Smsc>>) {}
}

impl smpp_tokio::Service for AcceptAll {
    async fn bind(&self, _: &smpp_tokio::BindRequest) -> Result<smpp_tokio::Admission, CommandStatus> {
        Ok(smpp_tokio::Admission::default())
    }

    async fn request(&self, _: &smpp_tokio::BoundSession, _: smpp_tokio::Inbound<Smsc>) {}
}

/// Returns the options of an account.
pub fn options() -> Options {
    Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED)
}
