//! Wall-clock times in the forms that AWS writes them.
//!
//! Invariant: always UTC. Durations are measured elsewhere, with tokio's clock.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// Now, as the Telemetry API writes it: `2022-10-12T00:00:15.064Z`.
pub(crate) fn timestamp() -> String {
    format(Utc::now())
}

/// The instant `ago` before now, in the same form.
pub(crate) fn timestamp_before(ago: Duration) -> String {
    format(chrono::TimeDelta::from_std(ago).map_or_else(|_| Utc::now(), |ago| Utc::now() - ago))
}

/// Now as `YYYY-MM-DD` and `HH`, the partitions of the archive.
pub(crate) fn partition() -> (String, String) {
    let now = Utc::now();
    (
        now.format("%Y-%m-%d").to_string(),
        now.format("%H").to_string(),
    )
}

/// Now as Firehose puts it into an object's name: `2022-10-12-00-00-15`.
pub(crate) fn object_timestamp() -> String {
    Utc::now().format("%Y-%m-%d-%H-%M-%S").to_string()
}

/// The instant this many seconds from now, as HTTP writes it: `Wed, 12 Oct 2022 00:00:15 GMT`.
pub(crate) fn http_date_after(seconds: u64) -> String {
    let after = chrono::TimeDelta::from_std(Duration::from_secs(seconds)).unwrap_or_default();
    let time = Utc::now() + after;
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A duration in milliseconds with three decimals at most, as in the platform's metrics.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

fn format(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
