//! What the intake has accepted and how it answered, kept small enough for hundreds of thousands of
//! records.
//!
//! Invariant: a request is in the counts before its client can see the answer. Must not keep bodies
//! unless a test asked for that.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::watch;

use super::decode::{self, Received};
use super::dialect::{Dialect, Entry, EntryOutcome, FURTHEST_BEHIND, Problem};
use crate::server::Answer;
use crate::sync::lock;

/// The intake's memory.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// Whose intake it plays; its own without.
    dialect: Option<Dialect>,
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
    /// A request without it is refused with 401.
    required: Option<(&'static str, String)>,
    lines: Vec<String>,
    statuses: BTreeMap<u16, u64>,
    last_headers: HeaderMap,
    deliveries: Vec<(Option<String>, u16)>,
    /// What tells repetitions of what is stored.
    keys: HashSet<String>,
    /// The time of the newest line of each stream.
    newest: HashMap<String, u128>,
    refusals: Vec<String>,
}

impl Store {
    pub(super) fn speaking(dialect: Dialect) -> Self {
        Self {
            dialect: Some(dialect),
            ..Self::default()
        }
    }

    pub(super) fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    pub(super) fn refusals(&self) -> Vec<String> {
        lock(&self.kept).refusals.clone()
    }

    pub(super) fn keep_lines(&self, keep: bool) {
        lock(&self.kept).keep_lines = keep;
    }

    pub(super) fn refuse_lines_with(&self, rule: Option<(StatusCode, String)>) {
        lock(&self.kept).refused = rule;
    }

    pub(super) fn require_header(&self, rule: Option<(&'static str, String)>) {
        lock(&self.kept).required = rule;
    }

    fn lacks_header(&self, headers: &HeaderMap) -> bool {
        let kept = lock(&self.kept);
        (kept.required.as_ref()).is_some_and(|(name, value)| {
            headers
                .get(*name)
                .is_none_or(|found| found != value.as_str())
        })
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
            required: kept.required.take(),
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
            kept.store(record);
        }
        Ok(count)
    }

    /// Reads, judges and stores a request as the dialect's receiver does.
    fn answer_in(&self, dialect: Dialect, request: &Request<Bytes>) -> Response<Bytes> {
        let mut entries = match dialect.read(request) {
            Ok(entries) => entries,
            Err(refusal) => {
                lock(&self.kept).refusals.push(refusal.reason);
                return *refusal.response;
            }
        };
        let mut kept = lock(&self.kept);
        if let Some((status, text)) = &kept.refused {
            let marked = entries.iter_mut();
            for entry in marked.filter(|entry| entry.received.line.contains(text)) {
                entry.problem = Some(Problem::new(status.as_u16(), "the record is marked"));
            }
        }
        let takes_nothing = entries.iter().filter_map(|entry| entry.problem.as_ref());
        let takes_nothing = takes_nothing
            .map(|problem| problem.status)
            .any(|status| dialect.takes_all_or_nothing(status));
        let fates = entries.into_iter();
        let fates: Vec<EntryOutcome> = fates
            .map(|entry| kept.settle(entry, takes_nothing))
            .collect();
        drop(kept);
        dialect.answer(request, &fates)
    }
}

impl Kept {
    fn store(&mut self, record: Received) {
        if let Some(sequence) = record.sequence {
            *self.sequences.entry(sequence).or_default() += 1;
        }
        if self.keep_lines {
            self.lines.push(record.line);
        }
        *self.records.entry(record.id).or_default() += 1;
    }

    /// What becomes of a record, which is stored unless nothing of its request is.
    fn settle(&mut self, entry: Entry, takes_nothing: bool) -> EntryOutcome {
        let mut problem = entry.problem;
        if let (Some((stream, time)), None) = (&entry.at, &problem) {
            let newest = self.newest.entry(stream.clone()).or_default();
            if *time + FURTHEST_BEHIND.as_nanos() < *newest {
                let reason = format!("entry too far behind in the stream {stream}");
                problem = Some(Problem::new(400, reason));
            } else {
                *newest = (*newest).max(*time);
            }
        }
        if let Some(problem) = problem {
            self.refusals.push(problem.reason.clone());
            return EntryOutcome::Refused(problem);
        }
        if takes_nothing {
            return EntryOutcome::There;
        }
        if let Some(key) = entry.key
            && !self.keys.insert(key)
        {
            return EntryOutcome::There;
        }
        self.store(entry.received);
        EntryOutcome::Stored
    }
}

impl Answer for Store {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        if self.lacks_header(request.headers()) {
            return self.refusal(StatusCode::UNAUTHORIZED);
        }
        if let Some(dialect) = self.dialect {
            return self.answer_in(dialect, &request);
        }
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
        if let Some(dialect) = self.dialect {
            return *dialect.refuse(status.as_u16(), "it was told to").response;
        }
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
