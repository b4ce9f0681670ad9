//! How a primary wants a batch, and what its answers mean: one file each.
//!
//! Invariants: the same records always make the same bytes; a format acts on nothing, it writes and
//! reads. What the delivery core does about an answer is not known here.

mod acknowledgment;
mod advice;
mod answers;
mod assemble;
mod by_status;
mod datadog;
mod elastic;
mod json;
mod log;
mod loki;
mod ndjson;
mod newrelic;
mod otlp;
mod plain;
mod points;
mod repeats;
mod reply;
mod resource;
mod signal;
mod splunk;
mod text;

use std::fmt;
use std::time::Duration;

use backstop_config::{Compression, Endpoint, Format as Name, FormatOptions, Primary};
use backstop_delivery::{Answer, Failure, Signal, Wall};
use http::header::{HeaderName, HeaderValue};

use crate::codec::{Item, Output, Packing};
pub use advice::advice;
pub use answers::{Row, Ruling};
pub(crate) use assemble::Written;
pub use log::{has_prefix, names_invocation, trace};
pub(crate) use reply::Reply;
pub use signal::Classifier;

/// What a body depends on beside its records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// The time by which a record's age is judged.
    pub(crate) now: Wall,
    /// The records are read from an archive.
    pub(crate) is_replay: bool,
}

/// One of the formats that `BACKSTOP_PRIMARY_FORMAT` chooses from.
pub(crate) trait Format: fmt::Debug + Send + Sync {
    /// The media type of a body.
    fn content_type(&self) -> &'static str;

    /// How a body is made smaller, where the user wants `compression`.
    fn packing(&self, compression: Compression) -> Packing {
        compression.into()
    }

    /// The address with what the format needs in its query.
    fn address(&self, url: &str) -> String {
        url.to_owned()
    }

    /// Headers of the format's own; some depend on the batch, by its idempotency key. The user's come first.
    fn headers(&self, _key: &str) -> Vec<(HeaderName, HeaderValue)> {
        Vec::new()
    }

    /// Writes as many of these records as one body may hold.
    fn write(&self, items: &[Item<'_>], context: Context, out: &mut Output) -> Written;

    /// What statuses mean to this receiver.
    fn answers(&self) -> &'static [Row] {
        &[]
    }

    /// The bytes of an answer that may be worth reading.
    fn most_answer_bytes(&self) -> usize {
        0
    }

    /// Whether an answer of which the body breaks off proves nothing. `is_json` is what its head says of it.
    fn needs_whole_answer(&self, _is_json: bool) -> bool {
        true
    }

    /// What an answer means of which the table says that its body tells.
    fn read(&self, reply: &Reply<'_>) -> Answer {
        reply.by_default()
    }
}

/// The format of a signal at the primary, which goes to this endpoint.
pub(crate) fn of(primary: &Primary, endpoint: &Endpoint, signal: Signal) -> Box<dyn Format> {
    match endpoint.format {
        Name::Ndjson => Box::new(ndjson::Ndjson),
        Name::Json => Box::new(json::Json),
        Name::Otlp => Box::new(otlp::Otlp::new(primary, &endpoint.url, signal)),
        Name::Elastic => Box::new(elastic::Elastic::new(primary)),
        Name::Loki => Box::new(loki::Loki::new(primary)),
        Name::Splunk => Box::new(splunk::Splunk::new(primary)),
        Name::Datadog if signal == Signal::Metric => Box::new(datadog::Distributions::new(primary)),
        Name::Datadog => Box::new(datadog::Datadog::new(primary)),
        Name::NewRelic => Box::new(newrelic::NewRelic::new(primary)),
    }
}

/// What the statuses of each format's receivers mean, where that is not what they mean everywhere.
pub fn tables() -> Vec<(Name, &'static [Row])> {
    vec![
        // Those of `json`, too.
        (Name::Ndjson, answers::LINES),
        (Name::Otlp, answers::OTLP),
        (Name::Elastic, answers::ELASTIC),
        (Name::Loki, answers::LOKI),
        (Name::Splunk, answers::SPLUNK),
        (Name::Datadog, answers::DATADOG),
        (Name::NewRelic, answers::NEW_RELIC),
    ]
}

/// The age that records may have: the user's, or the receiver's own.
fn age(options: &FormatOptions, default: Duration) -> Option<Duration> {
    match options.max_age_hours {
        Some(0) => None,
        Some(hours) => Some(Duration::from_secs(hours.saturating_mul(3600))),
        None => Some(default),
    }
}

/// What an answer means, by the format's table. No receiver answers a success with a page: a portal or a proxy
/// before it does.
pub(crate) fn judge(format: &dyn Format, reply: &Reply<'_>) -> Answer {
    let is_unread = format.most_answer_bytes() == 0;
    if (200..=299).contains(&reply.status) && is_page(reply, is_unread) {
        return Answer::None(Failure::Unproven);
    }
    let mut rows = format.answers().iter();
    match rows.find(|row| (row.from..=row.to).contains(&reply.status)) {
        Some(row) if row.ruling == Ruling::Body => format.read(reply),
        Some(row) => reply.ruled(row.ruling),
        None => reply.by_default(),
    }
}

/// Whether an answer is a page of HTML. Some frameworks call every answer HTML, and some portals call theirs nothing, or
/// JSON: where the body is read, it decides.
fn is_page(reply: &Reply<'_>, is_unread: bool) -> bool {
    let body = reply
        .body
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(reply.body);
    let body = body.trim_ascii_start();
    let begins = |start: &str| {
        let body = body.get(..start.len()).unwrap_or_default();
        body.eq_ignore_ascii_case(start.as_bytes())
    };
    let is_called_html = reply.is_of("text/html") || reply.is_of("application/xhtml");
    let is_called_so = is_called_html && (is_unread || begins("<"));
    is_called_so || begins("<!doctype html") || begins("<html")
}

#[cfg(test)]
mod tests;
