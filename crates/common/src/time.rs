//! The current time, in the format of files.

use std::time::SystemTime;

use aws_smithy_types::date_time::{DateTime, Format};

/// Now, in milliseconds since 1970.
pub fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

/// Now, as RFC 3339 has it, to the second.
pub fn now() -> String {
    let seconds = DateTime::from(SystemTime::now()).secs();
    (DateTime::from_secs(seconds).fmt(Format::DateTime)).unwrap_or_default()
}
