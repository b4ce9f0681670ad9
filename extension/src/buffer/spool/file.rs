//! The spool's open file: where its frames end, and how it is emptied without giving its blocks back.
//!
//! Invariants: what stands before `end` is whole frames of one generation, and after it is an end mark or
//! nothing, however a write failed. Must not know the buffer.

use std::io;
use std::os::unix::fs::FileExt as _;

use super::directory::LockedFile;
use super::frame::{END, Frames, MOST_FRAMES, MOST_RANGES, START_BYTES, start};

/// An emptied file keeps up to this: a healthy primary leaves no more than a flush's worth. What is more
/// is the function's again.
const KEPT_BYTES: u64 = 2 * 1024 * 1024;
/// What the bytes of a write may keep in memory until the next one.
const KEPT_SCRATCH: usize = 128 * 1024;

/// What a write consists of.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Written {
    pub(super) frames: u32,
    pub(super) ranges: usize,
    pub(super) records: usize,
}

/// The file, open for appending.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) held: LockedFile,
    /// Where the next frame goes; 0 where there is no header yet.
    pub(super) end: u64,
    /// How long the file is.
    length: u64,
    generation: u64,
    pub(super) frames: u32,
    pub(super) ranges: usize,
    scratch: Vec<u8>,
}

impl LogFile {
    /// A file whose content is of no use.
    pub(super) fn new(held: LockedFile) -> io::Result<Self> {
        held.file.set_len(0)?;
        Ok(Self::at(held, 0, 0, 0, 1))
    }

    /// A file with frames up to `end`. What is after them must not hide what is written later.
    pub(super) fn at(
        held: LockedFile,
        end: u64,
        frames: u32,
        ranges: usize,
        generation: u64,
    ) -> Self {
        Self {
            held,
            end,
            length: end,
            generation,
            frames,
            ranges,
            scratch: Vec::new(),
        }
    }

    /// Appends what `write` makes; nothing where that is nothing.
    pub(super) fn append(
        &mut self,
        write: impl FnOnce(&mut Frames<'_>) -> Written,
        most_bytes: u64,
    ) -> io::Result<Written> {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        if self.end == 0 {
            bytes.extend_from_slice(&start(self.generation));
        }
        let written = write(&mut Frames::new(&mut bytes, self.generation));
        let frames = self.frames.saturating_add(written.frames);
        let ranges = self.ranges + written.ranges;
        let done = if written.frames == 0 {
            Ok(())
        } else if frames > MOST_FRAMES || ranges > MOST_RANGES {
            Err(full("the spool has too many parts"))
        } else {
            self.put(&mut bytes, most_bytes)
        };
        if bytes.capacity() <= KEPT_SCRATCH {
            self.scratch = bytes;
        }
        if done.is_ok() {
            (self.frames, self.ranges) = (frames, ranges);
        }
        done.map(|()| written)
    }

    fn put(&mut self, bytes: &mut Vec<u8>, most_bytes: u64) -> io::Result<()> {
        let end = self.end + bytes.len() as u64;
        bytes.extend_from_slice(&END);
        let length = self.end + bytes.len() as u64;
        if length > most_bytes {
            return Err(full("BACKSTOP_SPOOL_MAX_BYTES is reached"));
        }
        if let Err(error) = self.held.file.write_all_at(bytes, self.end) {
            // Half a frame would hide all that follows it.
            self.held.file.set_len(self.end)?;
            self.length = self.end;
            return Err(error);
        }
        self.end = end;
        self.length = self.length.max(length);
        Ok(())
    }

    /// Nothing in it is needed any more: neither now nor after a kill is any of it found again.
    pub(super) fn empty(&mut self) -> io::Result<()> {
        if self.end == 0 {
            return Ok(());
        }
        if self.length > KEPT_BYTES {
            self.held.file.set_len(0)?;
            (self.end, self.length) = (0, 0);
            (self.frames, self.ranges) = (0, 0);
            return Ok(());
        }
        let generation = self.generation.wrapping_add(1);
        let mut bytes = start(generation).to_vec();
        bytes.extend_from_slice(&END);
        self.held.file.write_all_at(&bytes, 0)?;
        (self.generation, self.end) = (generation, START_BYTES as u64);
        (self.frames, self.ranges) = (0, 0);
        Ok(())
    }
}

pub(super) fn full(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, what)
}
