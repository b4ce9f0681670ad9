//! The headers of a primary whose token or headers are kept elsewhere: read once, and again when they
//! are said to be wrong.
//!
//! Invariants: one read at a time, whatever the number of batches; a failure keeps nothing, so that the
//! next attempt asks again. Must not: send a batch.

use std::sync::{Mutex, MutexGuard, PoisonError};

use backstop_config::Primary;
use backstop_delivery::{NoSecret, Preparation};
use http::header::HeaderMap;
use tokio::time::Instant;

use super::request;
use crate::codec::Packing;
use crate::secret::{Secrets, store};

pub(super) struct Kept {
    secrets: Secrets,
    primary: Primary,
    content_type: &'static str,
    packing: Packing,
    asking: tokio::sync::Mutex<()>,
    read: Mutex<Option<Read>>,
}

struct Read {
    at: Instant,
    headers: HeaderMap,
}

impl Kept {
    pub(super) fn new(
        secrets: Secrets,
        primary: &Primary,
        content_type: &'static str,
        packing: Packing,
    ) -> Self {
        Self {
            secrets,
            primary: primary.clone(),
            content_type,
            packing,
            asking: tokio::sync::Mutex::default(),
            read: Mutex::default(),
        }
    }

    /// The headers, if they have been read.
    pub(super) fn headers(&self) -> Option<HeaderMap> {
        let read = self.read();
        read.as_ref().map(|read| read.headers.clone())
    }

    /// Reads them; none where that is done.
    pub(super) fn prepare(&self) -> Option<Preparation<'_>> {
        if self.read().is_some() {
            return None;
        }
        Some(Preparation {
            store: store(&self.primary.references.each()),
            getting: Box::pin(self.get()),
        })
    }

    async fn get(&self) -> Result<(), NoSecret> {
        let _one_at_a_time = self.asking.lock().await;
        // Another batch may have been first.
        if self.read().is_some() {
            return Ok(());
        }
        let primary = self.secrets.resolve(&self.primary).await?;
        let headers = request::headers(&primary, self.content_type, self.packing);
        let at = Instant::now();
        *self.read() = Some(Read { at, headers });
        Ok(())
    }

    /// Forgets what a request from `asked` may have been sent with; something newer stays.
    pub(super) fn forget_before(&self, asked: Instant) {
        self.read().take_if(|read| read.at <= asked);
    }

    pub(super) fn forget(&self) {
        *self.read() = None;
    }

    fn read(&self) -> MutexGuard<'_, Option<Read>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
