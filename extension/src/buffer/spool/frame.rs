//! The spool's file format: a header, then frames that are only ever appended.
//!
//! ```text
//! file    = header frame* end?
//! header  = "BKSPOOL2" generation:u64 crc32:u32                 numbers are little-endian
//! frame   = length:u32 crc32(generation payload):u32 payload
//! end     = 0:u32
//! payload = 'R' count:u32 received:u64 { environment:u64 sequence:u64 length:u32 fragment }*   records
//!         | 'X' { environment:u64 first:u64 last:u64 }*                 removed: these no longer wait
//!         | 'B' group*                                                  batches of records that are in the file
//! group   = flags:u8 created:u64 ranges:u32 { environment first last }*
//!         | 'C' from:u64 records:u64                                    closed: this many records wait
//! ```
//!
//! A fragment ends with the member `original` where the archive is to have what was redacted ([`Record::original`]).
//!
//! A record's sequence has its route in the two highest bits, and so have those of ranges
//! ([`Record::key`]): a mirrored record has the id of its original, and is another record.
//!
//! An emptied file keeps its blocks: its header gets the next generation, and an end mark follows. The
//! checksum of a frame covers the generation, so bytes of an earlier one are never a frame again. Of a closed
//! spool the batches at `from` and after hold. [`super::read`] reads it. Must not know files or paths.

use std::iter::Peekable;

use backstop_archive::ORIGINAL;
use backstop_delivery::{Batch, Record};

use crate::buffer::id_ranges::IdRanges;

pub(super) const MAGIC: &[u8; 8] = b"BKSPOOL2";
/// The file's header.
pub(super) const START_BYTES: usize = 8 + 8 + 4;
/// A frame's header.
pub(super) const HEADER_BYTES: usize = 8;
/// The end mark: a frame without a payload.
pub(super) const END: [u8; 4] = [0; 4];
/// A frame is full at this many bytes of records: what writing one takes in memory.
pub(super) const FRAME_BYTES: usize = 64 * 1024;
/// No frame with records is larger: the largest body of telemetry, escaped, and what surrounds it.
pub(super) const MOST_RECORD_FRAME: u64 = 32 * 1024 * 1024;
/// No file has more frames, and none names more ranges: what reading one takes in time and memory.
pub(super) const MOST_FRAMES: u32 = 65_536;
pub(super) const MOST_RANGES: usize = 131_072;
/// What a record takes beside its text.
pub(super) const RECORD_BYTES: usize = 8 + 8 + 4;
/// No frame has more records: it takes none once it is full.
pub(super) const MOST_FRAME_RECORDS: u64 = (FRAME_BYTES / RECORD_BYTES) as u64 + 1;
pub(super) const RANGE_BYTES: usize = 24;
/// How many records a frame has, and how many the environment had received by then.
pub(super) const COUNT_BYTES: usize = 4;
pub(super) const RECEIVED_BYTES: usize = 8;
/// What a group takes beside its ranges.
pub(super) const GROUP_BYTES: usize = 1 + 8 + 4;

pub(super) const RECORDS: u8 = b'R';
pub(super) const REMOVED: u8 = b'X';
pub(super) const BATCHES: u8 = b'B';
pub(super) const CLOSED: u8 = b'C';

/// The records were sent together, and a retry must keep the batch's id.
pub(super) const IS_BATCH: u8 = 1;
/// A sink may have taken them unheard.
pub(super) const IS_AMBIGUOUS: u8 = 2;

/// The header of a file of this generation.
pub(super) fn start(generation: u64) -> [u8; START_BYTES] {
    let mut start = [0; START_BYTES];
    start[..8].copy_from_slice(MAGIC);
    start[8..16].copy_from_slice(&generation.to_le_bytes());
    let checksum = crc32fast::hash(&start[..16]);
    start[16..].copy_from_slice(&checksum.to_le_bytes());
    start
}

/// What each checksum of a generation begins with.
pub(super) fn hasher(generation: u64) -> crc32fast::Hasher {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&generation.to_le_bytes());
    hasher
}

/// Appends frames of one generation to bytes.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    out: &'a mut Vec<u8>,
    generation: u64,
}

impl<'a> Frames<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, generation: u64) -> Self {
        Self { out, generation }
    }

    /// Records, as many of these as fit into a frame and into `room` bytes, and how many the environment
    /// has `received` by now. Says how many there are.
    pub(super) fn records<'r>(
        &mut self,
        records: &mut Peekable<impl Iterator<Item = &'r Record>>,
        room: u64,
        received: u64,
    ) -> usize {
        let mut count = 0_u32;
        self.frame(RECORDS, |out, start| {
            let fits = |out: &Vec<u8>, record: &Record| {
                let after = out.len() - start + RECORD_BYTES + length_of_text(record);
                out.len() - start < FRAME_BYTES && after as u64 <= room
            };
            out.extend_from_slice(&[0; COUNT_BYTES]);
            out.extend_from_slice(&received.to_le_bytes());
            while let Some(record) = records.next_if(|record| fits(out, record)) {
                let id = record.key();
                out.extend_from_slice(&id.environment.0.to_le_bytes());
                out.extend_from_slice(&id.sequence.to_le_bytes());
                let length = u32::try_from(length_of_text(record)).unwrap_or(u32::MAX);
                out.extend_from_slice(&length.to_le_bytes());
                let [received, added] = record.members();
                out.extend_from_slice(received);
                out.extend_from_slice(added);
                if let Some(original) = record.original() {
                    out.extend_from_slice(ORIGINAL);
                    out.extend_from_slice(original);
                }
                count += 1;
            }
            // Both first, for a write that a kill cuts short: the next run counts as lost what its
            // ledger does not know of.
            let at = start + HEADER_BYTES + 1;
            out[at..at + COUNT_BYTES].copy_from_slice(&count.to_le_bytes());
        });
        count as usize
    }

    /// These no longer wait.
    pub(super) fn removed(&mut self, gone: &IdRanges) {
        self.frame(REMOVED, |out, _| put_ranges(out, gone));
    }

    /// Which batches the records that are in the file make; and those that a sink may have taken, in batches
    /// that are no longer known. Says how many ranges of ids that takes.
    pub(super) fn batches<'b>(
        &mut self,
        batches: impl Iterator<Item = &'b Batch>,
        unsure: &IdRanges,
    ) -> usize {
        let mut count = unsure.count();
        self.frame(BATCHES, |out, _| {
            put_group(out, IS_AMBIGUOUS, 0, unsure);
            for batch in batches {
                let kept = batch.records().iter().filter(|record| record.is_kept());
                let mut ranges = IdRanges::default();
                ranges.extend(kept.map(Record::key));
                count += ranges.count();
                let ambiguous = if batch.is_ambiguous() {
                    IS_AMBIGUOUS
                } else {
                    0
                };
                let created = batch.created().milliseconds();
                put_group(out, IS_BATCH | ambiguous, created, &ranges);
            }
        });
        count
    }

    /// Nothing more will be written, and this many records wait.
    pub(super) fn closed(&mut self, from: u64, records: u64) {
        self.frame(CLOSED, |out, _| {
            out.extend_from_slice(&from.to_le_bytes());
            out.extend_from_slice(&records.to_le_bytes());
        });
    }

    /// `payload` gets where its frame begins.
    fn frame(&mut self, kind: u8, payload: impl FnOnce(&mut Vec<u8>, usize)) {
        let start = self.out.len();
        self.out.extend_from_slice(&[0; HEADER_BYTES]);
        self.out.push(kind);
        payload(self.out, start);
        let body = start + HEADER_BYTES;
        let mut hasher = hasher(self.generation);
        hasher.update(&self.out[body..]);
        let length = length_of(&self.out[body..]);
        self.out[start..start + 4].copy_from_slice(&length);
        self.out[start + 4..body].copy_from_slice(&hasher.finalize().to_le_bytes());
    }
}

/// How long a record's text is in a frame.
pub(super) fn length_of_text(record: &Record) -> usize {
    let original = record.original().map_or(0, |it| ORIGINAL.len() + it.len());
    record.length() + original
}

fn put_group(out: &mut Vec<u8>, flags: u8, created: u64, ranges: &IdRanges) {
    if ranges.is_empty() {
        return;
    }
    out.push(flags);
    out.extend_from_slice(&created.to_le_bytes());
    let count = u32::try_from(ranges.count()).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_le_bytes());
    put_ranges(out, ranges);
}

fn put_ranges(out: &mut Vec<u8>, ranges: &IdRanges) {
    for range in ranges.iter() {
        out.extend_from_slice(&range.environment.0.to_le_bytes());
        out.extend_from_slice(&range.first.to_le_bytes());
        out.extend_from_slice(&range.last.to_le_bytes());
    }
}

fn length_of(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}
