//! What each receiver's statuses mean, where that is not what they mean everywhere: data, with the source of
//! each row. `docs/backends.md` prints it.
//!
//! What no row speaks of is judged as the chain judges every answer ([`backstop_delivery::Answer::verdict`]).

/// What follows from a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    Delivered,
    /// The body of the answer says it: of each record, or of all.
    Body,
    /// Sent again inside the budget, then diverted.
    Retry,
    /// Diverted without a retry.
    Divert,
    /// Diverted without a retry, and the breaker opens: the address, the account or the form is wrong.
    Stop,
    /// Halved until it fits.
    Split,
    /// Halved, to find the records that are meant.
    Isolate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// From this status.
    pub from: u16,
    /// To this one.
    pub to: u16,
    pub ruling: Ruling,
    pub because: &'static str,
    /// Where it is said.
    pub source: &'static str,
}

const fn row(
    (from, to): (u16, u16),
    ruling: Ruling,
    because: &'static str,
    source: &'static str,
) -> Row {
    Row {
        from,
        to,
        ruling,
        because,
        source,
    }
}

/// Of `ndjson` and `json`, which many receivers take.
pub(super) const LINES: &[Row] = &[
    row(
        (200, 299),
        Ruling::Body,
        "delivered; but not if the body is a page of HTML, or counts refused records as Axiom does (`failed`): such \
         a batch is archived as a whole, and not sent again. Where an array is sent (`json`), the answer may be one with a \
         `status` for each record, as Honeycomb's batch API gives it \
         ([source](https://docs.honeycomb.io/api/events/create-events)): 2xx is delivered, 400 and 413 are dead \
         letters, 401, 403 and 404 concern the dataset, everything else is sent again",
        "https://axiom.co/docs/restapi/endpoints/ingestIntoDataset",
    ),
    row(
        (402, 402),
        Ruling::Stop,
        "the quota is used up",
        "https://betterstack.com/docs/logs/ingesting-data/http/logs/",
    ),
];

const OTLP_SOURCE: &str = "https://opentelemetry.io/docs/specs/otlp/#failures-1";
pub(super) const OTLP: &[Row] = &[
    row(
        (200, 299),
        Ruling::Body,
        "`partial_success` counts what was refused; such a batch is archived as a whole, and not sent again",
        "https://opentelemetry.io/docs/specs/otlp/#partial-success-1",
    ),
    row((400, 400), Ruling::Isolate, "bad data", OTLP_SOURCE),
    row((413, 413), Ruling::Split, "a receiver's limit", OTLP_SOURCE),
    row((429, 429), Ruling::Retry, "retryable", OTLP_SOURCE),
    row((502, 504), Ruling::Retry, "retryable", OTLP_SOURCE),
    row(
        (500, 599),
        Ruling::Divert,
        "every other status must not be retried",
        OTLP_SOURCE,
    ),
    row(
        (300, 499),
        Ruling::Stop,
        "every other status must not be retried",
        OTLP_SOURCE,
    ),
];

const ELASTIC_SOURCE: &str =
    "https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk";
pub(super) const ELASTIC: &[Row] = &[
    row(
        (200, 299),
        Ruling::Body,
        "each document has a status: 2xx and 409 (it is there already) are delivered, 400 is a dead letter, 401, \
         403 and 404 concern the index, everything else is sent again",
        ELASTIC_SOURCE,
    ),
    row(
        (400, 400),
        Ruling::Body,
        "the request cannot be read, and nothing of it was stored: it is halved to find the records that are meant. With \
         `no handler found` the address is wrong: the batch is diverted without a retry, and the breaker opens",
        ELASTIC_SOURCE,
    ),
    row(
        (406, 406),
        Ruling::Stop,
        "the media type is not accepted: there is no bulk API at this address",
        ELASTIC_SOURCE,
    ),
];

const LOKI_SOURCE: &str =
    "https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs";
pub(super) const LOKI: &[Row] = &[
    row((200, 204), Ruling::Delivered, "taken", LOKI_SOURCE),
    row(
        (260, 260),
        Ruling::Stop,
        "ingestion is blocked for the tenant; nothing was stored",
        "https://grafana.com/docs/loki/latest/configure/#limits_config",
    ),
    row(
        (205, 299),
        Ruling::Stop,
        "Loki sends no other success",
        LOKI_SOURCE,
    ),
    row(
        (400, 400),
        Ruling::Isolate,
        "a line is too old, too long or out of order; Loki stored the others, and drops repeats of them",
        LOKI_SOURCE,
    ),
    row(
        (422, 422),
        Ruling::Isolate,
        "the request holds no stream",
        LOKI_SOURCE,
    ),
];

const SPLUNK_SOURCE: &str =
    "https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector";
pub(super) const SPLUNK: &[Row] = &[
    row(
        (200, 299),
        Ruling::Body,
        "code 0: well-formed, not yet indexed",
        SPLUNK_SOURCE,
    ),
    row(
        (400, 499),
        Ruling::Body,
        "codes 5, 6, 12, 13 and 15 are about the event at `invalid-event-number`, a dead letter; all others about \
         the token, the channel or the index",
        SPLUNK_SOURCE,
    ),
    row(
        (500, 599),
        Ruling::Retry,
        "codes 8, 9 and 18 to 20: busy, or queues are full",
        SPLUNK_SOURCE,
    ),
];

const DATADOG_SOURCE: &str = "https://docs.datadoghq.com/api/latest/logs/#send-logs";
pub(super) const DATADOG: &[Row] = &[
    row((202, 202), Ruling::Delivered, "taken", DATADOG_SOURCE),
    row((200, 299), Ruling::Delivered, "taken", DATADOG_SOURCE),
    row(
        (400, 400),
        Ruling::Isolate,
        "it cannot be read",
        DATADOG_SOURCE,
    ),
    row(
        (401, 403),
        Ruling::Stop,
        "the API key is wrong, or of another site",
        DATADOG_SOURCE,
    ),
    row(
        (408, 408),
        Ruling::Retry,
        "it took too long",
        DATADOG_SOURCE,
    ),
    row(
        (413, 413),
        Ruling::Split,
        "larger than 5 MB",
        DATADOG_SOURCE,
    ),
    row((429, 429), Ruling::Retry, "throttled", DATADOG_SOURCE),
    row((500, 599), Ruling::Retry, "unavailable", DATADOG_SOURCE),
];

const NEW_RELIC_SOURCE: &str =
    "https://docs.newrelic.com/docs/logs/log-api/introduction-log-api/#response-validation";
pub(super) const NEW_RELIC: &[Row] = &[
    row(
        (200, 299),
        Ruling::Delivered,
        "taken; New Relic reports wrong records as `NrIntegrationError` events",
        NEW_RELIC_SOURCE,
    ),
    row(
        (400, 400),
        Ruling::Isolate,
        "it cannot be read",
        NEW_RELIC_SOURCE,
    ),
    row(
        (403, 403),
        Ruling::Stop,
        "the key is wrong, or of another region",
        NEW_RELIC_SOURCE,
    ),
    row(
        (408, 408),
        Ruling::Retry,
        "it took too long",
        NEW_RELIC_SOURCE,
    ),
    row(
        (413, 413),
        Ruling::Split,
        "larger than 1 MB",
        NEW_RELIC_SOURCE,
    ),
    row(
        (429, 429),
        Ruling::Retry,
        "throttled, for the rest of the minute",
        NEW_RELIC_SOURCE,
    ),
    row((500, 599), Ruling::Retry, "unavailable", NEW_RELIC_SOURCE),
];
