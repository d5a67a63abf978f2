//! No page: the program was built without the feature `web`.

use std::future::{Ready, pending, ready};

use smpp_tokio::Listener;
use smpp_tokio::testing::{TestSmsc, TestSmscBuilder};

use super::Arguments;
use super::events::EventPrinter;
use crate::failure::Failure;

/// No page.
pub(super) struct Web;

impl Web {
    pub(super) fn listen(_: &Arguments, _: &[Listener]) -> Ready<Result<Self, Failure>> {
        ready(Ok(Self))
    }

    pub(super) fn observe(&mut self, builder: TestSmscBuilder) -> TestSmscBuilder {
        let Self = self;
        builder
    }

    pub(super) fn print(&self, _: &EventPrinter) {
        let Self = self;
    }

    pub(super) async fn serve(self, _: &TestSmsc) {
        pending::<()>().await;
    }
}
