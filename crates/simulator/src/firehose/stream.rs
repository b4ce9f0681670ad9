//! A delivery stream: buffers accepted records and puts them into the bucket as Firehose does.
//!
//! One flush is one gzip object, the records' data one after the other as they were received: a
//! record that does not end its line spoils the next, here as there. Invariant: what was accepted
//! is in the buffer or in the bucket, never in neither.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use uuid::Uuid;

use crate::s3::Storage;
use crate::sync::lock;
use crate::time;

/// What a stream has taken and delivered so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Firehose records, each of which may hold many lines.
    pub records: u64,
    /// Lines in them.
    pub lines: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Objects put into the bucket.
    pub objects: u64,
}

/// The record was refused because a test asked for that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unavailable;

/// A stream and its buffer.
#[derive(Debug)]
pub(super) struct Stream {
    storage: Arc<Storage>,
    name: String,
    prefix: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    buffer: Vec<u8>,
    accepted: Accepted,
    to_fail: usize,
}

impl Stream {
    pub(super) fn new(storage: Arc<Storage>, name: String, prefix: &str) -> Self {
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Self {
            storage,
            name,
            prefix,
            state: Mutex::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn fail_next_records(&self, count: usize) {
        lock(&self.state).to_fail = count;
    }

    pub(super) fn accepted(&self) -> Accepted {
        lock(&self.state).accepted
    }

    /// Takes a record into the buffer and names it.
    pub(super) fn put(&self, data: Vec<u8>) -> Result<String, Unavailable> {
        let mut state = lock(&self.state);
        if state.to_fail > 0 {
            state.to_fail -= 1;
            return Err(Unavailable);
        }
        let lines = data.split(|byte| *byte == b'\n').count() - 1;
        state.accepted.records += 1;
        state.accepted.lines += u64::try_from(lines).unwrap_or(u64::MAX);
        state.accepted.bytes += u64::try_from(data.len()).unwrap_or(u64::MAX);
        state.buffer.extend(data);
        Ok(Uuid::new_v4().to_string())
    }

    /// Puts the buffer into the bucket as one object; an empty one is no object.
    pub(super) fn deliver(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        if state.buffer.is_empty() {
            return Ok(());
        }
        let mut object = GzEncoder::new(Vec::new(), Compression::fast());
        object.write_all(&state.buffer)?;
        self.storage.put(&self.key(), &object.finish()?)?;
        state.buffer.clear();
        state.accepted.objects += 1;
        Ok(())
    }

    fn key(&self) -> String {
        let (day, hour) = time::partition();
        let (prefix, name) = (&self.prefix, &self.name);
        let (timestamp, id) = (time::object_timestamp(), Uuid::new_v4());
        format!("{prefix}v1/stream={name}/dt={day}/hour={hour}/{name}-{timestamp}-{id}.gz")
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // What a last call brought; a bucket that is already gone has no use for it.
        self.deliver().ok();
    }
}
