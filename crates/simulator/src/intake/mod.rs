//! The primary: a fake APM that listens on a real socket, speaks TLS, and decodes what it gets.
//!
//! `decode` reads a body, `store` keeps what was accepted; `dialect` are the intakes of vendors, in whose place
//! it can stand.
//! Invariant: a record counts only when its request was answered 2xx, or when the whole body was
//! taken before the connection was reset ([`Fault::ResetAfterBody`]). Must not be lenient: what a
//! real intake would answer with 400 is answered with 400.

mod decode;
mod dialect;
mod store;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use crate::error::SimulationError;
use crate::fault::Fault;
use crate::server::{FaultServer, status_code};
use crate::tls::{Certificates, Tls};
pub use dialect::Dialect;
use store::Store;

/// A fake APM on 127.0.0.1. Dropping it closes the port.
#[derive(Debug)]
pub struct FakeIntake {
    server: FaultServer,
    store: Arc<Store>,
    certificates: Option<Certificates>,
}

impl FakeIntake {
    /// Starts one that speaks TLS with a certificate of its own authority: see
    /// [`FakeIntake::ca_pem_path`].
    pub async fn start() -> Result<Self, SimulationError> {
        Self::start_with(Tls::Usual).await
    }

    /// Starts one that takes, refuses and answers what this vendor's does, over TLS.
    #[expect(clippy::unused_async, reason = "starting needs a runtime, and says so")]
    pub async fn start_speaking(dialect: Dialect) -> Result<Self, SimulationError> {
        Self::of(Store::speaking(dialect), Tls::Usual)
    }

    /// Starts one whose TLS is particular in some way.
    #[expect(clippy::unused_async, reason = "starting needs a runtime, and says so")]
    pub async fn start_with(tls: Tls) -> Result<Self, SimulationError> {
        Self::of(Store::default(), tls)
    }

    fn of(store: Store, tls: Tls) -> Result<Self, SimulationError> {
        let certificates = Certificates::make(tls)?;
        let acceptors = certificates.acceptors();
        let store = Arc::new(store);
        let server = FaultServer::start("the intake", Arc::clone(&store), Some(acceptors))?;
        Ok(Self {
            server,
            store,
            certificates: Some(certificates),
        })
    }

    /// Starts one that speaks plain HTTP.
    #[expect(clippy::unused_async, reason = "starting needs a runtime, and says so")]
    pub async fn start_plaintext() -> Result<Self, SimulationError> {
        let store = Arc::new(Store::default());
        let server = FaultServer::start("the intake", Arc::clone(&store), None)?;
        Ok(Self {
            server,
            store,
            certificates: None,
        })
    }

    /// Where to send records: `https://127.0.0.1:PORT/v1/logs`, `http` when started in plain text. Of a vendor's,
    /// the address without the path, which each format knows.
    pub fn url(&self) -> String {
        match self.dialect() {
            Some(_) => self.server.endpoint(),
            None => format!("{}/v1/logs", self.server.endpoint()),
        }
    }

    /// Whose intake it plays.
    pub fn dialect(&self) -> Option<Dialect> {
        self.store.dialect()
    }

    /// What a vendor's intake has refused and why, whole requests and single records, also where it has said
    /// nothing of it.
    pub fn refusals(&self) -> Vec<String> {
        self.store.refusals()
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The PEM file of the authority, for `SSL_CERT_FILE`; `None` when started in plain text.
    pub fn ca_pem_path(&self) -> Option<&Path> {
        self.certificates.as_ref().map(Certificates::ca_pem_path)
    }

    /// The certificates, for other servers under the same authority; `None` when started in plain text.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// Sets or clears the fault; it holds when this returns.
    pub async fn set_fault(&self, fault: Option<Fault>) -> Result<(), SimulationError> {
        self.server.set_fault(fault).await
    }

    /// From now on the intake is strict: it answers with this status, and takes nothing, where a line of
    /// a request has this text in it. `None` ends that. A vendor's answers for each record, if it ever does.
    pub fn refuse_lines_with(&self, rule: Option<(u16, &str)>) {
        let rule = rule.map(|(status, text)| (status_code(status), text.to_owned()));
        self.store.refuse_lines_with(rule);
    }

    /// From now on a request is refused with 401 whose header has another value than this. `None` ends that.
    pub fn require_header(&self, rule: Option<(&'static str, &str)>) {
        self.store
            .require_header(rule.map(|(name, value)| (name, value.to_owned())));
    }

    /// Whether to keep the accepted lines themselves (off at first: they take memory).
    pub fn keep_lines(&self, keep: bool) {
        self.store.keep_lines(keep);
    }

    /// The accepted lines in their order, when they are kept.
    pub fn lines(&self) -> Vec<String> {
        self.store.lines()
    }

    /// How often each record id was accepted.
    pub fn records(&self) -> HashMap<String, u32> {
        self.store.records()
    }

    /// How many different records were accepted.
    pub fn record_count(&self) -> usize {
        self.store.record_count()
    }

    /// How often each sequence number of [`crate::traffic`] was accepted.
    pub fn sequences(&self) -> HashMap<u64, u32> {
        self.store.sequences()
    }

    /// Waits until at least `count` different records were accepted; `false` when `limit` is over.
    pub async fn wait_for_records(&self, count: usize, limit: Duration) -> bool {
        self.store
            .wait_until(limit, |store| store.record_count() >= count)
            .await
    }

    /// Waits until at least `count` requests have come, answered or not; `false` when `limit` is over.
    pub async fn wait_for_requests(&self, count: u64, limit: Duration) -> bool {
        self.store
            .wait_until(limit, |store| {
                store.requests().values().sum::<u64>() >= count
            })
            .await
    }

    /// Requests by the status they were answered with; 0 stands for those that never were.
    pub fn requests(&self) -> BTreeMap<u16, u64> {
        self.store.requests()
    }

    /// The headers of the last request.
    pub fn last_headers(&self) -> HeaderMap {
        self.store.last_headers()
    }

    /// Each request in its order: its `Idempotency-Key`, and its status as in
    /// [`FakeIntake::requests`].
    pub fn deliveries(&self) -> Vec<(Option<String>, u16)> {
        self.store.deliveries()
    }

    /// Forgets everything received so far; the fault stays.
    pub fn forget(&self) {
        self.store.forget();
    }
}
