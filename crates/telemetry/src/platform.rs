//! The platform events that the lifecycle, the ledger and the ids act on; all others pass through.
//!
//! Invariant: each member is read for itself. One of an unexpected shape costs neither the others nor
//! the event.

use backstop_json::Scanner;

/// A platform event, with just the fields that something here decides on.
///
/// Field names follow the Telemetry API schema reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Platform {
    /// An invocation has started.
    Start {
        /// The invocation's request id; empty where the platform gave none.
        request_id: String,
        /// When the platform says it was, as text; empty where it does not.
        time: String,
    },
    /// The runtime has finished an invocation (never sent on Lambda Managed Instances).
    RuntimeDone {
        /// The invocation's request id; empty where the platform gave none.
        request_id: String,
        /// When the platform says it was, as text; empty where it does not.
        time: String,
    },
    /// The invocation's final report.
    Report {
        /// The invocation's request id; empty where the platform gave none.
        request_id: String,
    },
    /// `SnapStart`: this environment has just been restored from a snapshot.
    RestoreStart,
    /// Lambda itself dropped telemetry before it reached us.
    LogsDropped {
        /// Records that Lambda says it dropped; 1 where it does not say how many.
        records: u64,
        /// Whether it says how many.
        is_known: bool,
    },
    /// Any other platform event, known or not.
    Other,
}

impl Platform {
    pub(crate) fn of(name: &[u8], time: &[u8], record: &[u8]) -> Self {
        match name {
            b"platform.start" => Self::Start {
                request_id: request_id(record),
                time: text(time).unwrap_or_default(),
            },
            b"platform.runtimeDone" => Self::RuntimeDone {
                request_id: request_id(record),
                time: text(time).unwrap_or_default(),
            },
            b"platform.report" => Self::Report {
                request_id: request_id(record),
            },
            b"platform.restoreStart" => Self::RestoreStart,
            b"platform.logsDropped" => {
                let records = member(record, "droppedRecords", count);
                Self::LogsDropped {
                    records: records.unwrap_or(1),
                    is_known: records.is_some(),
                }
            }
            _ => Self::Other,
        }
    }
}

fn request_id(record: &[u8]) -> String {
    member(record, "requestId", text).unwrap_or_default()
}

/// What `read` makes of the first member of this name that it can read.
fn member<T>(record: &[u8], wanted: &str, read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let mut found = None;
    let mut scanner = Scanner::new(record, 0);
    if scanner.peek() == Some(b'{') {
        let members = scanner.members(|name, value| {
            if found.is_none() && text(name).as_deref() == Some(wanted) {
                found = read(&record[value]);
            }
        });
        debug_assert!(members.is_ok(), "the decoder hands on JSON only");
    }
    found
}

/// The text of a JSON string.
fn text(json: &[u8]) -> Option<String> {
    serde_json::from_slice(json).ok()
}

/// A number of records, however it is written: `12`, `"12"`, `12.0`, `1e3`. Part of a record counts as
/// one, and what is too large as the largest.
fn count(json: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(json).ok()?.trim_matches('"').trim();
    // So that neither a sign nor a word such as `inf` is a number.
    if !text.starts_with(|char: char| char.is_ascii_digit()) {
        return None;
    }
    if let Ok(records) = text.parse() {
        return Some(records);
    }
    let records = text.parse::<f64>().ok()?.ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a whole number that is not negative, and the cast saturates"
    )]
    let records = records as u64;
    Some(records)
}
