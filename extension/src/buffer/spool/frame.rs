//! The spool's file format: a magic number, then frames that are only ever appended.
//!
//! ```text
//! file    = "BKSPOOL1" frame*
//! frame   = length:u32 crc32(payload):u32 payload          numbers are little-endian
//! payload = 'R' flags:u8 created:u64 { environment:u64 sequence:u64 length:u32 fragment }*
//!         | 'X' { environment:u64 first:u64 last:u64 }*    struck off: these no longer wait
//!         | 'C' from:u64 records:u64                       closed: all that waits, so many, stands at `from` and after
//! ```
//!
//! Reading trusts nothing: a frame that is cut off or does not match its checksum ends the file, and
//! each fragment goes through the decoder as if Lambda had sent it. Must not know files or paths.

use std::collections::HashSet;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::iter::Peekable;
use std::time::Duration;

use backstop_delivery::{Batch, EnvironmentId, Record, RecordId, Wall};
use bytes::Bytes;

use crate::buffer::runs::{Run, Runs};

pub(super) const MAGIC: &[u8; 8] = b"BKSPOOL1";
/// A frame is full at this many bytes of records: what writing one takes in memory.
pub(super) const FRAME_BYTES: usize = 64 * 1024;
/// No frame we write is larger: the largest body of telemetry, escaped, and what surrounds it.
const MOST_FRAME_BYTES: u64 = 32 * 1024 * 1024;
const HEADER_BYTES: usize = 8;

const RECORDS: u8 = b'R';
const STRUCK: u8 = b'X';
const CLOSED: u8 = b'C';

/// The records of this frame were sent together, and a retry must keep the batch's id.
const IS_BATCH: u8 = 1;
/// A sink may have taken them unheard.
const IS_AMBIGUOUS: u8 = 2;

/// A frame of records that were not sent together: as many of these as fit.
pub(super) fn records<'a>(records: &mut Peekable<impl Iterator<Item = &'a Record>>) -> Vec<u8> {
    frame(|out| {
        out.extend([RECORDS, 0]);
        out.extend(0u64.to_le_bytes());
        while let Some(record) = records.next_if(|_| out.len() < FRAME_BYTES) {
            put_record(out, record);
        }
    })
}

/// A frame of records that were sent together.
pub(super) fn batch(batch: &Batch) -> Vec<u8> {
    frame(|out| {
        let ambiguous = if batch.is_ambiguous() {
            IS_AMBIGUOUS
        } else {
            0
        };
        out.extend([RECORDS, IS_BATCH | ambiguous]);
        let created = u64::try_from(batch.created().0.as_millis()).unwrap_or(u64::MAX);
        out.extend(created.to_le_bytes());
        for record in batch.records() {
            put_record(out, record);
        }
    })
}

/// These no longer wait.
pub(super) fn struck(gone: &Runs) -> Vec<u8> {
    frame(|out| {
        out.push(STRUCK);
        for run in gone.iter() {
            out.extend(run.environment.0.to_le_bytes());
            out.extend(run.first.to_le_bytes());
            out.extend(run.last.to_le_bytes());
        }
    })
}

/// Nothing was under way when this was written, and nothing follows.
pub(super) fn closed(from: u64, records: u64) -> Vec<u8> {
    frame(|out| {
        out.push(CLOSED);
        out.extend(from.to_le_bytes());
        out.extend(records.to_le_bytes());
    })
}

fn put_record(out: &mut Vec<u8>, record: &Record) {
    let id = record.id();
    out.extend(id.environment.0.to_le_bytes());
    out.extend(id.sequence.to_le_bytes());
    out.extend(length_of(record.fragment()));
    out.extend_from_slice(record.fragment());
}

fn frame(payload: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![0; HEADER_BYTES];
    payload(&mut out);
    let (length, checksum) = (
        length_of(&out[HEADER_BYTES..]),
        crc32fast::hash(&out[HEADER_BYTES..]),
    );
    out[..4].copy_from_slice(&length);
    out[4..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    out
}

fn length_of(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// What a spool held.
#[derive(Debug, Default)]
pub struct Contents {
    /// What still waited, in order; no id twice.
    pub groups: Vec<Group>,
    /// Where it was closed in order, how many records it was left with. Otherwise any of them may
    /// have been delivered meanwhile.
    pub left: Option<u64>,
    /// Bytes at the end that are no frame: a torn tail, or worse.
    pub torn: u64,
    /// Bytes in whole frames that no run of ours wrote.
    pub foreign: u64,
}

/// Records that stood in one frame.
#[derive(Debug)]
pub struct Group {
    /// The records, never none.
    pub records: Vec<Record>,
    /// When the batch was formed that they were sent as.
    pub batch: Option<Wall>,
    /// Whether a sink may have taken them unheard.
    pub is_ambiguous: bool,
}

impl Contents {
    /// The number of records.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.records.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

/// Reads a spool of `length` bytes, and at most `most_bytes` of records; `received` stands in for
/// a time that a record lacks.
pub fn read(
    file: &mut (impl Read + Seek),
    length: u64,
    most_bytes: usize,
    received: &str,
) -> io::Result<Contents> {
    let mut survey = Survey::default();
    let valid = each_frame(file, length, |_, payload| survey.frame(payload))?;
    survey.struck.sort();
    let mut contents = Contents {
        left: survey.closed.map(|(_, left)| left),
        torn: length - valid,
        ..Contents::default()
    };
    let mut seen = HashSet::new();
    let mut bytes = 0;
    each_frame(file, valid, |at, payload| {
        if at < survey.closed.map_or(0, |(from, _)| from) {
            return;
        }
        let Some(mut group) = parse_records(payload, received) else {
            if payload.first() == Some(&RECORDS) {
                contents.foreign += payload.len() as u64;
            }
            return;
        };
        group.records.retain(|record| {
            let keep = !survey.struck.contains(record.id()) && seen.insert(record.id());
            if keep {
                bytes += record.cost();
            }
            keep && bytes <= most_bytes
        });
        if !group.records.is_empty() {
            contents.groups.push(group);
        }
    })?;
    Ok(contents)
}

/// What the first pass learns.
#[derive(Default)]
struct Survey {
    /// What no longer waits. An id that was struck off never comes back.
    struck: Runs,
    /// Of a spool that was closed: where that begins which it still held, and how many records it is.
    closed: Option<(u64, u64)>,
}

impl Survey {
    fn frame(&mut self, payload: &[u8]) {
        self.closed = None;
        match payload.split_first() {
            Some((&STRUCK, runs)) => self
                .struck
                .extend(runs.chunks_exact(24).filter_map(parse_run)),
            Some((&CLOSED, mut rest)) => self.closed = take_u64(&mut rest).zip(take_u64(&mut rest)),
            _ => {}
        }
    }
}

/// Calls for each whole frame with where it stands. Says how many bytes they take, with the magic number.
fn each_frame(
    file: &mut (impl Read + Seek),
    length: u64,
    mut call: impl FnMut(u64, &[u8]),
) -> io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file.take(length));
    let mut magic = [0; MAGIC.len()];
    if !fill(&mut reader, &mut magic)? || &magic != MAGIC {
        return Ok(0);
    }
    let mut valid = MAGIC.len() as u64;
    let mut payload = Vec::new();
    loop {
        let mut header = [0; HEADER_BYTES];
        if !fill(&mut reader, &mut header)? {
            break;
        }
        let [l0, l1, l2, l3, c0, c1, c2, c3] = header;
        let size = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
        if size > MOST_FRAME_BYTES.min(length - valid) {
            break;
        }
        payload.clear();
        reader.by_ref().take(size).read_to_end(&mut payload)?;
        let checksum = u32::from_le_bytes([c0, c1, c2, c3]);
        if payload.len() as u64 != size || crc32fast::hash(&payload) != checksum {
            break;
        }
        call(valid, &payload);
        valid += HEADER_BYTES as u64 + size;
    }
    Ok(valid)
}

/// Fills `buffer`; false where the file ends before.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn parse_run(bytes: &[u8]) -> Option<Run> {
    let mut rest = bytes;
    Some(Run {
        environment: EnvironmentId(take_u64(&mut rest)?),
        first: take_u64(&mut rest)?,
        last: take_u64(&mut rest)?,
    })
}

/// The records of a frame; `None` of another kind of frame, or where anything in it is not as we write it.
fn parse_records(payload: &[u8], received: &str) -> Option<Group> {
    let (&RECORDS, mut rest) = payload.split_first()? else {
        return None;
    };
    let [flags] = take(&mut rest, 1)?.try_into().ok()?;
    let created = take_u64(&mut rest)?;
    let mut ids = Vec::new();
    // As the body of a telemetry request, so that the decoder can judge it.
    let mut body = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        ids.push(RecordId {
            environment: EnvironmentId(take_u64(&mut rest)?),
            sequence: take_u64(&mut rest)?,
        });
        let length = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?);
        let fragment = take(&mut rest, usize::try_from(length).ok()?)?;
        body.extend_from_slice(if body.is_empty() { b"[{" } else { b",{" });
        body.extend_from_slice(fragment);
        body.push(b'}');
    }
    body.push(b']');
    let events = backstop_telemetry::decode(&Bytes::from(body), received);
    if ids.is_empty() || events.len() != ids.len() {
        return None;
    }
    let records = ids.into_iter().zip(events);
    let records = records.map(|(id, event)| {
        let mut record = Record::new(id, event.fragment);
        record.set_kept();
        record
    });
    Some(Group {
        records: records.collect(),
        batch: (flags & IS_BATCH != 0).then(|| Wall(Duration::from_millis(created))),
        is_ambiguous: flags & IS_AMBIGUOUS != 0,
    })
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(take(rest, 8)?.try_into().ok()?))
}
