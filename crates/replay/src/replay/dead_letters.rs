//! Records that the primary refused for good, in a file with its answer.
//!
//! Each is a line of the archive, with the refusal as the reason: `backstop archive cat FILE` shows them, and
//! `backstop replay --from FILE` sends them again. Invariant: a line is written before a checkpoint says that
//! its record need not be sent again. Must not: make a file where nothing was refused.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use backstop_common::files;
use serde_json::json;

use super::batch::Record;

/// Why a record was refused.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// As an archive has it.
    pub(super) reason: &'static str,
    pub(super) status: Option<u16>,
    pub(super) answer: String,
}

/// The file, once there is something in it.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    path: Option<PathBuf>,
    file: Mutex<Option<File>>,
}

impl DeadLetters {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            file: Mutex::default(),
        }
    }

    /// The file, where something is in it.
    pub(super) fn shown(&self) -> Option<String> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.as_ref().filter(|_| file.is_some())?;
        Some(path.display().to_string())
    }

    pub(super) fn write(&self, refused: &[(&Record, Refusal)]) -> anyhow::Result<()> {
        let Some(path) = self.path.as_ref().filter(|_| !refused.is_empty()) else {
            return Ok(());
        };
        let mut text = Vec::new();
        for (record, refusal) in refused {
            let mut diverted = json!({
                "reason": refusal.reason,
                "sink": "https",
                "answer": refusal.answer,
            });
            if let Some(status) = refusal.status {
                diverted["status"] = status.into();
            }
            let line = record.line.trim_end();
            text.extend_from_slice(line.strip_suffix('}').unwrap_or(line).as_bytes());
            text.extend_from_slice(format!(",\"diverted\":{diverted}}}\n").as_bytes());
        }
        let unwritten = || {
            format!(
                "the dead-letter file {} cannot be written, so nothing more is sent: name \
                 another file for rejected records, then resume the replay",
                path.display()
            )
        };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            files::private_directory(files::parent(path)).with_context(unwritten)?;
            let mut options = OpenOptions::new();
            let options = options.append(true).create(true).mode(0o600);
            *file = Some(options.open(path).with_context(unwritten)?);
        }
        if let Some(file) = file.as_mut() {
            file.write_all(&text).with_context(unwritten)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backstop_archive::ArchivedLine;
    use backstop_delivery::Signal;

    use super::*;
    use crate::replay::batch::{Origin, digest};

    #[test]
    fn a_refused_record_is_a_line_of_an_archive_with_the_answer() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a/rejected.ndjson");
        let letters = DeadLetters::new(Some(path.clone()));
        assert_eq!(letters.shown(), None);
        let line = r#"{"id":"e-1","time":"t","type":"function","record":{"a":{"b":1}},"resource":{"c":{}}}"#;
        let record = Record {
            id: "e-1".to_owned(),
            line: line.to_owned(),
            digest: digest(line),
            signal: Signal::Log,
            origin: Arc::new(Origin::default()),
        };
        let refusal = Refusal {
            reason: "rejected",
            status: Some(400),
            answer: "rejected (status 400)".to_owned(),
        };
        for _ in 0..2 {
            letters
                .write(&[(&record, refusal.clone())])
                .expect("it is written");
        }
        assert_eq!(letters.shown(), Some(path.display().to_string()));
        let text = std::fs::read_to_string(&path).expect("it is there");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        let read = ArchivedLine::parse(lines[1]).expect("it is a line");
        assert_eq!(read.for_primary(), line);
        let diverted = read.diverted.expect("it says why");
        assert_eq!(
            (diverted.reason.as_str(), diverted.status),
            ("rejected", Some(400))
        );
        assert!(lines[0].contains(r#""answer":"rejected (status 400)""#));
    }
}
