//! The current time, in the format of files.

use std::time::SystemTime;

use aws_smithy_types::date_time::{DateTime, Format};

/// Now, as RFC 3339 has it, to the second.
pub fn now() -> String {
    let seconds = DateTime::from(SystemTime::now()).secs();
    (DateTime::from_secs(seconds).fmt(Format::DateTime)).unwrap_or_default()
}
