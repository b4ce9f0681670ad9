//! The spool on a real file system: what is kept is found, and nothing that stands in its place can
//! do harm.

mod bounds;
mod emptied;
mod handed_over;
mod hostile;
mod kept;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Cursor;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backstop_delivery::{
    Batch, DropReason, EnvironmentId, Record, RecordId, SharedLedger, Signal, SinkName,
    SystemClock, Wall,
};
use bytes::Bytes;

use super::*;
use crate::buffer::Handover;
use crate::diagnostics::Log;

const NOW: Wall = Wall(Duration::from_secs(1_700_000_000));
const CAP: usize = 1024 * 1024;

fn record(sequence: u64) -> Record {
    let id = RecordId {
        environment: EnvironmentId(7),
        sequence,
    };
    let text = format!(r#""time":"t","type":"function","record":"line {sequence}""#);
    Record::new(id, Bytes::from(text))
}

fn buffer_of(sequences: impl IntoIterator<Item = u64>) -> Buffer {
    let mut buffer = Buffer::new(CAP);
    for sequence in sequences {
        buffer.push(record(sequence), NOW);
    }
    buffer
}

/// A flush in which a sink takes all but these.
fn deliver_all_but(buffer: &mut Buffer, left: &[u64]) {
    let mut batches = buffer.take(NOW);
    for batch in &mut batches {
        batch.retain(|record| left.contains(&record.id().sequence));
    }
    batches.retain(|batch| !batch.is_empty());
    buffer.settle(batches, NOW);
}

fn sequences(contents: &Contents) -> Vec<u64> {
    let records = contents.groups.iter().flat_map(|group| &group.records);
    records.map(|record| record.id().sequence).collect()
}

/// A place for a spool, which is not there yet.
fn place() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("backstop");
    (root, directory)
}

fn recovered(directory: &Path) -> Contents {
    Spool::new(directory.to_owned(), CAP)
        .recover(CAP, NOW)
        .unwrap()
}

/// The next run of an environment: its ledger, and what its buffer holds.
fn inherit(directory: &Path) -> (SharedLedger, Buffer) {
    let (ledger, mut buffer) = (SharedLedger::default(), Buffer::new(CAP));
    handover(directory).inherit(&mut buffer, &ledger, |_| Signal::Log, NOW);
    (ledger, buffer)
}

fn handover(directory: &Path) -> Handover {
    Handover::new(
        Spool::new(directory.to_owned(), CAP),
        LedgerFile::new(directory.to_owned(), true),
        Log::silent(Arc::new(SystemClock)),
    )
}

fn waiting(buffer: &Buffer) -> Vec<u64> {
    buffer
        .waiting()
        .map(|record| record.id().sequence)
        .collect()
}

/// Where the frames of a file end.
fn end(spool: &Spool) -> u64 {
    spool.file.as_ref().map_or(0, |file| file.end)
}

/// The ledger of a run that has received these, and delivered none.
fn counts(received: u64) -> SharedLedger {
    let ledger = SharedLedger::default();
    ledger.lock().receive(received);
    ledger
}
