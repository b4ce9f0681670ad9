//! Reads a spool, and trusts nothing in it.
//!
//! Invariants: a frame that is cut off or does not match its checksum ends the file. No frame is held in
//! memory: records are read one by one, and no more of them than the bound leaves room for. Each
//! fragment goes through the decoder as if Lambda had sent it. Frames and ranges are bounded in number,
//! so that the work is proportional to the file's length and to what is kept, whatever the file says.

use std::collections::HashSet;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use backstop_delivery::{EnvironmentId, Record, RecordId, Route, Wall};
use backstop_telemetry::is_json;
use bytes::{BufMut as _, Bytes, BytesMut};

use super::frame::{COUNT_BYTES, HEADER_BYTES, RECEIVED_BYTES, RECORD_BYTES, RECORDS, START_BYTES};
use super::index::FrameIndex;
use crate::buffer::id_ranges::IdRanges;
use crate::transform::member;

/// Records are decoded when this many bytes or records of one frame are together.
const CHUNK_BYTES: usize = 64 * 1024;
const CHUNK_RECORDS: usize = 512;
/// What is larger is only decoded if it is JSON, as all that we write is: the decoder makes up to six bytes
/// of one where it is not.
const MOST_UNSEEN: usize = 2 * CHUNK_BYTES;
/// What a record costs beside its text, before it is one.
const LEAST_COST: usize = 72;

/// What a spool held.
#[derive(Debug, Default)]
pub struct Contents {
    /// What still waited, in order; no id twice on one route.
    pub groups: Vec<Group>,
    /// Where it was closed in order, how many records it was left with. Otherwise any of them may
    /// have been delivered meanwhile.
    pub left: Option<u64>,
    /// Bytes at the end that are not frames: a torn tail, or worse.
    pub torn: u64,
    /// Records that a torn frame says it had.
    pub torn_records: u64,
    /// How many the environment had received when it was written, by the same words.
    pub torn_received: u64,
    /// Bytes in whole frames that this extension did not write.
    pub foreign: u64,
    /// The bound was reached: more records may be in the file.
    pub is_cut_short: bool,
    /// What reading it took.
    pub work: Work,
    /// Where its frames end.
    pub(super) end: u64,
    pub(super) generation: u64,
}

/// What was read, beside the bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    pub frames: u32,
    /// Runs of ids.
    pub ranges: usize,
    /// Records that went through the decoder.
    pub decoded: usize,
}

/// Records that share a fate.
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
    let mut contents = Contents::default();
    let mut index = FrameIndex::default();
    index.read(file, length, &mut contents)?;
    index.removed.sort();
    // No file has more records than this, whatever it says.
    let most = length / RECORD_BYTES as u64;
    contents.left = index.closed.map(|(_, left)| left.min(most));
    let mut records = Records {
        removed: &index.removed,
        most_bytes,
        received,
        seen: HashSet::new(),
        bytes: 0,
        wasted: 0,
        last_member: None,
        found: Vec::new(),
        contents: &mut contents,
    };
    records.read(file)?;
    let found = records.newest();
    contents.groups = index.groups(found);
    Ok(contents)
}

/// The second pass: records that still wait, until the bound is reached.
struct Records<'a> {
    removed: &'a IdRanges,
    most_bytes: usize,
    received: &'a str,
    seen: HashSet<RecordId>,
    bytes: usize,
    wasted: usize,
    last_member: Option<Arc<[u8]>>,
    found: Vec<Record>,
    contents: &'a mut Contents,
}

/// Records of one frame on their way to the decoder.
#[derive(Default)]
struct Chunk {
    ids: Vec<RecordId>,
    /// As the body of a telemetry request, so that the decoder can judge it.
    body: BytesMut,
}

impl Records<'_> {
    fn read(&mut self, file: &mut (impl Read + Seek)) -> io::Result<()> {
        let mut at = START_BYTES as u64;
        file.seek(SeekFrom::Start(at))?;
        let mut reader = BufReader::with_capacity(CHUNK_BYTES, file);
        while at < self.contents.end && !self.contents.is_cut_short {
            let mut header = [0; HEADER_BYTES + 1];
            if !fill(&mut reader, &mut header)? {
                break;
            }
            let size = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
            at += HEADER_BYTES as u64 + u64::from(size);
            // The file may be another by now; then this is the end of it.
            let Some(mut left) = (size as usize).checked_sub(1) else {
                break;
            };
            if header[HEADER_BYTES] == RECORDS && !self.frame(&mut reader, &mut left)? {
                self.contents.foreign += left as u64 + 1;
            }
            reader.seek_relative(i64::try_from(left).unwrap_or(i64::MAX))?;
        }
        Ok(())
    }

    /// Reads the records of a frame of which `left` bytes are left. False where it is not as we write it.
    fn frame(
        &mut self,
        reader: &mut BufReader<impl Read + Seek>,
        left: &mut usize,
    ) -> io::Result<bool> {
        let mut chunk = Chunk::default();
        // What they say is only of use where the frame is torn.
        let mut counts = [0; COUNT_BYTES + RECEIVED_BYTES];
        if *left <= counts.len() || !fill(reader, &mut counts)? {
            return Ok(false);
        }
        *left -= counts.len();
        let mut is_ours = true;
        while *left > 0 {
            let mut header = [0; RECORD_BYTES];
            if *left < RECORD_BYTES || !fill(reader, &mut header)? {
                is_ours = false;
                break;
            }
            *left -= RECORD_BYTES;
            let (id, length) = parse_record(header);
            if length > *left || Record::of_key(id, Bytes::new()).is_none() {
                is_ours = false;
                break;
            }
            *left -= length;
            if self.removed.contains(id) || self.seen.contains(&id) {
                reader.seek_relative(i64::try_from(length).unwrap_or(i64::MAX))?;
                continue;
            }
            let charged = chunk.body.len() + chunk.ids.len() * LEAST_COST;
            if self.bytes + charged + length + LEAST_COST
                > self.most_bytes.saturating_add(CHUNK_BYTES)
            {
                // Far beyond the bound: not even read.
                self.judge(&mut chunk);
                self.contents.is_cut_short = true;
                return Ok(true);
            }
            chunk
                .body
                .put_slice(if chunk.ids.is_empty() { b"[{" } else { b",{" });
            let text = chunk.body.len();
            chunk.body.resize(text + length, 0);
            if !fill(reader, &mut chunk.body[text..])? {
                is_ours = false;
                chunk.body.truncate(text);
                break;
            }
            chunk.body.put_u8(b'}');
            chunk.ids.push(id);
            if chunk.body.len() >= CHUNK_BYTES || chunk.ids.len() >= CHUNK_RECORDS {
                self.judge(&mut chunk);
                if self.contents.is_cut_short {
                    return Ok(true);
                }
            }
        }
        self.judge(&mut chunk);
        Ok(is_ours)
    }

    /// Decodes what is together. Where that makes fewer or more events than there are ids, none of it is ours.
    fn judge(&mut self, chunk: &mut Chunk) {
        let Chunk { ids, mut body } = std::mem::take(chunk);
        if ids.is_empty() || self.contents.is_cut_short {
            return;
        }
        body.put_u8(b']');
        let cost = body.len() + ids.len() * LEAST_COST;
        let length = body.len() as u64;
        if body.len() > MOST_UNSEEN && !str::from_utf8(&body).is_ok_and(is_json) {
            self.contents.foreign += length;
            self.waste(cost);
            return;
        }
        let body = body.freeze();
        let events: Vec<_> = backstop_telemetry::decode(&body, self.received).collect();
        self.contents.work.decoded += ids.len();
        if events.len() != ids.len() {
            self.contents.foreign += length;
            self.waste(cost);
            return;
        }
        for (id, event) in ids.into_iter().zip(events) {
            let added = self.member(event.request_id.as_deref());
            let Some(record) = Record::of_key(id, event.fragment) else {
                continue;
            };
            // The function may have written it: one line, and JSON that strict readers take.
            let is_one_line = |it: &Bytes| memchr::memchr2(b'\n', b'\r', it).is_none();
            let is_sound = |it: &Bytes| serde_json::from_slice::<serde_json::Value>(it).is_ok();
            let original = event.original.filter(|it| is_one_line(it) && is_sound(it));
            let mut record = record.with_member(added).with_original(original);
            if self.seen.contains(&id) {
                self.waste(record.cost());
                continue;
            }
            if self.bytes + record.cost() > self.most_bytes {
                self.contents.is_cut_short = true;
                return;
            }
            self.bytes += record.cost();
            self.seen.insert(id);
            record.set_kept();
            self.found.push(record);
        }
    }

    /// What was found, without what another copy says to have another route since.
    fn newest(self) -> Vec<Record> {
        let (mut found, seen) = (self.found, self.seen);
        if !found.iter().any(|record| record.route() == Route::Archived) {
            return found;
        }
        found.retain(|record| {
            let is_delivered = record.route() == Route::Deliver;
            !(is_delivered && seen.contains(&record.clone().archived().key()))
        });
        found
    }

    /// What is added to a record, in memory once for all that follow each other.
    fn member(&mut self, request_id: Option<&[u8]>) -> Option<Arc<[u8]>> {
        let made = member(request_id?)?;
        Some(Arc::clone(match &self.last_member {
            Some(last) if *last == made => last,
            _ => self.last_member.insert(made),
        }))
    }

    /// What was decoded and is of no use is bounded like what is kept.
    fn waste(&mut self, bytes: usize) {
        self.wasted = self.wasted.saturating_add(bytes);
        self.contents.is_cut_short |= self.wasted > self.most_bytes;
    }
}

/// Fills `buffer`; false where the file ends before.
pub(super) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn parse_record(header: [u8; RECORD_BYTES]) -> (RecordId, usize) {
    let (numbers, _) = header.as_chunks::<8>();
    let [.., l0, l1, l2, l3] = header;
    let id = RecordId {
        environment: EnvironmentId(u64::from_le_bytes(numbers[0])),
        sequence: u64::from_le_bytes(numbers[1]),
    };
    (id, u32::from_le_bytes([l0, l1, l2, l3]) as usize)
}
