//! No page: the program was built without the feature `web`.

use smpp_io_tokio::Listener;
use smpp_io_tokio::testing::{TestSmsc, TestSmscBuilder};

use super::Arguments;
use super::events::EventPrinter;
use crate::failure::Failure;

/// No page.
pub(super) struct Web;

impl Web {
    pub(super) async fn listen(_: &Arguments, _: &[Listener]) -> Result<Self, Failure> {
        Ok(Self)
    }

    pub(super) fn observe(&mut self, builder: TestSmscBuilder) -> TestSmscBuilder {
        builder
    }

    pub(super) fn print(&self, _: &EventPrinter) {}

    pub(super) async fn serve(self, _: &TestSmsc) {
        std::future::pending().await
    }
}
