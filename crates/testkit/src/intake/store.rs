//! What the intake has accepted and how it answered, kept small enough for hundreds of thousands of
//! records.
//!
//! Invariant: a request is in the counts before its client can see the answer. Must not keep bodies
//! unless it was told to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::watch;

use super::decode::{self, Received};
use crate::server::Answer;
use crate::sync::lock;

/// The intake's memory.
#[derive(Debug, Default)]
pub(super) struct Store {
    kept: Mutex<Kept>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Kept {
    records: HashMap<String, u32>,
    sequences: HashMap<u64, u32>,
    keep_lines: bool,
    /// A line with this text is refused with this status, and its request with it.
    refused: Option<(StatusCode, String)>,
    lines: Vec<String>,
    statuses: BTreeMap<u16, u64>,
    last_headers: HeaderMap,
    deliveries: Vec<(Option<String>, u16)>,
}

impl Store {
    pub(super) fn keep_lines(&self, keep: bool) {
        lock(&self.kept).keep_lines = keep;
    }

    pub(super) fn refuse_lines_with(&self, rule: Option<(StatusCode, String)>) {
        lock(&self.kept).refused = rule;
    }

    pub(super) fn lines(&self) -> Vec<String> {
        lock(&self.kept).lines.clone()
    }

    pub(super) fn records(&self) -> HashMap<String, u32> {
        lock(&self.kept).records.clone()
    }

    pub(super) fn record_count(&self) -> usize {
        lock(&self.kept).records.len()
    }

    pub(super) fn sequences(&self) -> HashMap<u64, u32> {
        lock(&self.kept).sequences.clone()
    }

    pub(super) fn requests(&self) -> BTreeMap<u16, u64> {
        lock(&self.kept).statuses.clone()
    }

    pub(super) fn last_headers(&self) -> HeaderMap {
        lock(&self.kept).last_headers.clone()
    }

    pub(super) fn deliveries(&self) -> Vec<(Option<String>, u16)> {
        lock(&self.kept).deliveries.clone()
    }

    pub(super) fn forget(&self) {
        let mut kept = lock(&self.kept);
        *kept = Kept {
            keep_lines: kept.keep_lines,
            refused: kept.refused.take(),
            ..Kept::default()
        };
    }

    /// Waits for a condition on the store, for `limit` at most.
    pub(super) async fn wait_until(
        &self,
        limit: Duration,
        condition: impl Fn(&Self) -> bool,
    ) -> bool {
        let mut changes = self.changed.subscribe();
        let reached = changes.wait_for(|()| condition(self));
        tokio::time::timeout(limit, reached)
            .await
            .is_ok_and(|reached| reached.is_ok())
    }

    /// Takes the records and says how many; or the status that they are refused with.
    fn accept(&self, records: Vec<Received>) -> Result<usize, StatusCode> {
        let count = records.len();
        let mut kept = lock(&self.kept);
        if let Some((status, text)) = &kept.refused
            && records.iter().any(|record| record.line.contains(text))
        {
            return Err(*status);
        }
        for record in records {
            if let Some(sequence) = record.sequence {
                *kept.sequences.entry(sequence).or_default() += 1;
            }
            if kept.keep_lines {
                kept.lines.push(record.line);
            }
            *kept.records.entry(record.id).or_default() += 1;
        }
        Ok(count)
    }
}

impl Answer for Store {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        if request.method() != Method::POST {
            return self.refusal(StatusCode::METHOD_NOT_ALLOWED);
        }
        match decode::records(request.headers(), request.body()) {
            Ok(records) => match self.accept(records) {
                Ok(accepted) => Response::new(json!({ "accepted": accepted }).to_string().into()),
                Err(status) => self.refusal(status),
            },
            Err((status, reason)) => respond(status, &reason),
        }
    }

    fn refusal(&self, status: StatusCode) -> Response<Bytes> {
        respond(status, status.canonical_reason().unwrap_or("refused"))
    }

    fn observe(&self, request: &Parts, status: Option<StatusCode>) {
        let status = status.map_or(0, |status| status.as_u16());
        let key = request
            .headers
            .get("idempotency-key")
            .and_then(|key| key.to_str().ok());
        let mut kept = lock(&self.kept);
        *kept.statuses.entry(status).or_default() += 1;
        kept.last_headers.clone_from(&request.headers);
        kept.deliveries.push((key.map(ToOwned::to_owned), status));
        drop(kept);
        self.changed.send_replace(());
    }
}

fn respond(status: StatusCode, reason: &str) -> Response<Bytes> {
    let mut response = Response::new(json!({ "error": reason }).to_string().into());
    *response.status_mut() = status;
    response
}
