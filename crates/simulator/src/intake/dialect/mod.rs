//! The intakes of vendors: what each takes, what it refuses, and in which words it answers. One file each.
//!
//! Each file is written from the vendor's documentation or source, not from what Backstop sends. Invariants:
//! a request is judged whole before anything of it is stored; what a real intake refuses silently, after a
//! success, is refused here and named in [`super::FakeIntake::refusals`]. Must not be lenient: a field, a
//! header or an encoding that the vendor does not name is refused.

mod datadog;
mod elastic;
mod loki;
mod newrelic;
mod otlp;
mod splunk;
mod wire;

pub(super) use loki::FURTHEST_BEHIND;

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use serde_json::{Map, Value};

use super::decode::{self, Received};
use crate::server::status_code;

/// Whose intake it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OTLP over HTTP, as the OpenTelemetry Collector answers.
    Otlp,
    /// The bulk API of Elasticsearch and `OpenSearch`, with a data stream behind it.
    Elastic,
    /// Grafana Loki's push API, with Loki's default limits.
    Loki,
    /// Splunk's HTTP Event Collector.
    Splunk,
    /// Datadog's intake of logs.
    Datadog,
    /// New Relic's Log API.
    NewRelic,
}

/// One record of a request.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) received: Received,
    /// What tells a repetition, where the receiver tells any.
    pub(super) key: Option<String>,
    /// Its stream, and its time there, where the order in a stream matters.
    pub(super) at: Option<(String, u128)>,
    /// Why the receiver does not store it.
    pub(super) problem: Option<Problem>,
}

/// Why a record is not stored.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    /// The status of the record, or of its request where records have none.
    /// [`Problem::LATER`] where the request succeeds nevertheless.
    pub(super) status: u16,
    pub(super) code: u16,
    pub(super) reason: String,
}

impl Problem {
    /// The receiver says nothing of it: it validates later.
    pub(super) const LATER: u16 = 0;

    pub(super) fn new(status: u16, reason: impl Into<String>) -> Self {
        Self {
            status,
            code: splunk::INVALID_DATA_FORMAT,
            reason: reason.into(),
        }
    }
}

/// What became of a record.
#[derive(Debug)]
pub(super) enum EntryOutcome {
    Stored,
    /// It was there already.
    There,
    Refused(Problem),
}

/// A request that is refused as a whole, and why.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) response: Box<Response<Bytes>>,
    pub(super) reason: String,
}

impl Dialect {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::Otlp,
        Self::Elastic,
        Self::Loki,
        Self::Splunk,
        Self::Datadog,
        Self::NewRelic,
    ];

    /// Its name, as `BACKSTOP_PRIMARY_FORMAT` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            Self::Elastic => "elastic",
            Self::Loki => "loki",
            Self::Splunk => "splunk",
            Self::Datadog => "datadog",
            Self::NewRelic => "newrelic",
        }
    }

    /// The one token that it knows.
    pub fn token(self) -> &'static str {
        match self {
            // Grafana Cloud's: the tenant and a token, for basic authentication.
            Self::Loki => "tenant:glc_t0ken",
            Self::Elastic => "aWQ6dDBrZW4=",
            _ => "t0ken",
        }
    }

    fn is_path(self, path: &str) -> bool {
        match self {
            Self::Otlp => path == "/v1/logs",
            // With an index before it, or without.
            Self::Elastic => path
                .strip_suffix("/_bulk")
                .is_some_and(|index| index.rfind('/').is_none_or(|at| at == 0)),
            Self::Loki => path == "/loki/api/v1/push",
            Self::Splunk => path == "/services/collector/event",
            Self::Datadog => {
                matches!(
                    path,
                    "/api/v2/logs" | datadog::DISTRIBUTIONS | datadog::METRICS
                )
            }
            Self::NewRelic => path == "/log/v1",
        }
    }

    /// The header that carries the token, and what must be in it.
    fn credentials(self) -> (&'static str, String) {
        let token = self.token();
        let authorization = AUTHORIZATION.as_str();
        match self {
            Self::Otlp => (authorization, format!("Bearer {token}")),
            Self::Elastic => (authorization, format!("ApiKey {token}")),
            Self::Loki => (authorization, format!("Basic {}", STANDARD.encode(token))),
            Self::Splunk => (authorization, format!("Splunk {token}")),
            Self::Datadog => ("dd-api-key", token.to_owned()),
            Self::NewRelic => ("api-key", token.to_owned()),
        }
    }

    /// Reads a request, or refuses it whole.
    pub(super) fn read(self, request: &Request<Bytes>) -> Result<Vec<Entry>, Refusal> {
        let headers = request.headers();
        if !self.is_path(request.uri().path()) {
            return Err(self.refuse(404, "nothing is at this path"));
        }
        if request.method() != Method::POST {
            return Err(self.refuse(405, "only POST is allowed"));
        }
        if !headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING) {
            return Err(self.refuse(411, "the length of the body is not said"));
        }
        let (name, wanted) = self.credentials();
        match headers.get(name) {
            Some(given) if given.as_bytes() == wanted.as_bytes() => {}
            given => return Err(self.forbid(given.is_some())),
        }
        match self {
            Self::Otlp => otlp::read(request),
            Self::Elastic => elastic::read(request),
            Self::Loki => loki::read(request),
            Self::Splunk => splunk::read(request),
            Self::Datadog => datadog::read(request),
            Self::NewRelic => newrelic::read(request),
        }
    }

    /// Whether a record that is refused with this status leaves nothing of its request stored.
    pub(super) fn takes_all_or_nothing(self, status: u16) -> bool {
        let is_partial = matches!(self, Self::Otlp | Self::Elastic | Self::Loki);
        !is_partial && status != Problem::LATER
    }

    /// The answer to a request that was read.
    pub(super) fn answer(
        self,
        request: &Request<Bytes>,
        fates: &[EntryOutcome],
    ) -> Response<Bytes> {
        let refused = fates.iter().find_map(|fate| match fate {
            EntryOutcome::Refused(problem) if problem.status != Problem::LATER => Some(problem),
            _ => None,
        });
        match (self, refused) {
            (Self::Otlp, _) => otlp::answer(request, fates),
            (Self::Elastic, _) => elastic::answer(request, fates),
            (Self::Splunk, _) => splunk::answer(fates),
            (_, Some(problem)) => *self.refuse(problem.status, &problem.reason).response,
            (Self::Loki, None) => reply(204, "text/plain", ""),
            (Self::Datadog, None) => reply(202, JSON, "{}"),
            (Self::NewRelic, None) => {
                let id = "2b3f1c40-0000-0000-0000-0193a7f1c5d2";
                reply(202, JSON, format!("{{\"requestId\":\"{id}\"}}"))
            }
        }
    }

    /// A token that is missing, or another one.
    fn forbid(self, is_given: bool) -> Refusal {
        let reason = if is_given {
            "the token is wrong"
        } else {
            "there is no token in the right header"
        };
        match (self, is_given) {
            (Self::Splunk, _) => splunk::forbid(is_given, reason),
            (Self::Datadog | Self::NewRelic, _) => self.refuse(403, reason),
            _ => self.refuse(401, reason),
        }
    }

    /// A refusal of a whole request in the receiver's own form.
    pub(super) fn refuse(self, status: u16, reason: &str) -> Refusal {
        let text = Value::from(reason);
        let response = match self {
            Self::Otlp => otlp::status(status, reason),
            Self::Elastic => elastic::error(status, reason),
            Self::Loki => reply(status, "text/plain; charset=utf-8", format!("{reason}\n")),
            Self::Splunk => splunk::said(status, splunk::code_of(status), None),
            Self::Datadog => {
                let body = format!("{{\"errors\":[{{\"status\":\"{status}\",\"title\":{text}}}]}}");
                reply(status, JSON, body)
            }
            Self::NewRelic => reply(status, JSON, format!("{{\"error\":{text}}}")),
        };
        Refusal {
            response: Box::new(response),
            reason: format!("{status}: {reason}"),
        }
    }

    /// The body without the compressions that the receiver knows.
    fn plain(self, request: &Request<Bytes>) -> Result<Bytes, Refusal> {
        decode::decompress(request.headers(), request.body())
            // OpenSearch closes the connection; to a client that is no better than this.
            .map_err(|(_, reason)| self.refuse(400, &reason))
    }
}

const JSON: &str = "application/json";

fn reply(status: u16, media_type: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status_code(status);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

fn media_type(headers: &HeaderMap) -> &str {
    decode::media_type(headers)
}

/// An object that has no other members than these.
fn only<'a>(value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let object = value.as_object().ok_or("an object is wanted")?;
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("the field {name:?} is not known")),
        None => Ok(object),
    }
}

/// A member that is a text, where it is there.
fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name:?} is not a text")),
    }
}

fn now() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

/// Why a time is not taken: in milliseconds, with the age that a record may have.
fn wrong_age(milliseconds: u128, oldest: Duration) -> Option<String> {
    const AHEAD: Duration = Duration::from_hours(24);
    let now = now().as_millis();
    if milliseconds + oldest.as_millis() < now {
        return Some(format!("the time {milliseconds} is too old"));
    }
    (milliseconds > now + AHEAD.as_millis()).then(|| format!("{milliseconds} is in the future"))
}
