//! The platform events that the lifecycle, the ledger and the ids act on; all others pass through.

use serde::Deserialize;

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
        /// Records that Lambda says it dropped.
        records: u64,
    },
    /// Any other platform event, known or not.
    Other,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Fields {
    request_id: String,
    dropped_records: u64,
}

impl Platform {
    pub(crate) fn of(name: &str, time: &str, record: &str) -> Self {
        // A record of an unexpected shape still is the event its type says.
        let fields = || serde_json::from_str::<Fields>(record).unwrap_or_default();
        match name {
            "platform.start" => Self::Start {
                request_id: fields().request_id,
                time: time.trim_matches('"').to_owned(),
            },
            "platform.runtimeDone" => Self::RuntimeDone {
                request_id: fields().request_id,
                time: time.trim_matches('"').to_owned(),
            },
            "platform.report" => Self::Report {
                request_id: fields().request_id,
            },
            "platform.restoreStart" => Self::RestoreStart,
            "platform.logsDropped" => Self::LogsDropped {
                records: fields().dropped_records,
            },
            _ => Self::Other,
        }
    }
}
