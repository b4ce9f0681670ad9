//! The first pass over a spool: which frames are whole, and all that is in them but records.
//!
//! Invariant: what is kept of it is bounded by [`MOST_RUNS`], whatever the file says.

use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom};
use std::time::Duration;

use backstop_delivery::{EnvironmentId, Record, Wall};

use super::frame::{
    BATCHES, CLOSED, COUNT_BYTES, GROUP_BYTES, HEADER_BYTES, IS_AMBIGUOUS, IS_BATCH, MAGIC,
    MOST_FRAME_RECORDS, MOST_FRAMES, MOST_RANGES, MOST_RECORD_FRAME, RANGE_BYTES, RECEIVED_BYTES,
    RECORD_BYTES, RECORDS, REMOVED, START_BYTES, hasher, start,
};
use super::read::{Contents, Group, Work, fill};
use crate::buffer::id_ranges::{IdRange, IdRanges};

const READ_BYTES: usize = 64 * 1024;
/// What a frame begins with that says how many records it has, where it has any.
const BEGINS: usize = 1 + COUNT_BYTES + RECEIVED_BYTES;
/// No frame without records is larger.
const MOST_CONTROL_FRAME: u64 = (MOST_RANGES * (RANGE_BYTES + GROUP_BYTES)) as u64;

/// What the first pass learns: which frames are whole, and all that is in them but records.
#[derive(Debug, Default)]
pub(super) struct FrameIndex {
    /// What no longer waits. An id that was removed never comes back.
    pub(super) removed: IdRanges,
    /// Of a spool that was closed: where its groups begin, and how many records it is.
    pub(super) closed: Option<(u64, u64)>,
    marks: Vec<Mark>,
    marked_ranges: Vec<MarkedRange>,
}

/// A batch of a spool that was closed.
#[derive(Debug)]
struct Mark {
    at: u64,
    flags: u8,
    created: u64,
}

/// Records of a batch: which one it is, and the place of the first of them in it.
#[derive(Debug)]
struct MarkedRange {
    range: IdRange,
    mark: usize,
    place: u64,
}

impl FrameIndex {
    pub(super) fn read(
        &mut self,
        file: &mut (impl Read + Seek),
        length: u64,
        contents: &mut Contents,
    ) -> io::Result<()> {
        contents.torn = length;
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(READ_BYTES, file.take(length));
        let mut head = [0; START_BYTES];
        if length == 0 || !fill(&mut reader, &mut head)? || &head[..8] != MAGIC {
            return Ok(());
        }
        let mut generation = [0; 8];
        generation.copy_from_slice(&head[8..16]);
        contents.generation = u64::from_le_bytes(generation);
        if head != start(contents.generation) {
            return Ok(());
        }
        let hasher = hasher(contents.generation);
        contents.end = START_BYTES as u64;
        let mut payload = Vec::new();
        loop {
            let at = contents.end;
            contents.torn = length - at;
            let mut header = [0; HEADER_BYTES];
            if contents.torn < HEADER_BYTES as u64 {
                // What is left may be an end mark, or a piece of a frame.
                let mut rest = Vec::new();
                reader.read_to_end(&mut rest)?;
                if rest.iter().all(|byte| *byte == 0) && (rest.len() >= 4 || rest.is_empty()) {
                    contents.torn = 0;
                }
                return Ok(());
            }
            if !fill(&mut reader, &mut header)? {
                return Ok(());
            }
            let [l0, l1, l2, l3, c0, c1, c2, c3] = header;
            let size = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
            if size == 0 {
                contents.torn = 0;
                return Ok(());
            }
            if contents.work.frames == MOST_FRAMES {
                return Ok(());
            }
            let left = contents.torn - HEADER_BYTES as u64;
            // A torn frame over bytes of an earlier generation: what is after it is not torn.
            contents.torn = contents.torn.min(HEADER_BYTES as u64 + size);
            // Read and not peeked at: what the buffer holds may end within it.
            let mut begins = [0; BEGINS];
            let begins = &mut begins
                [..usize::try_from(size.min(left)).map_or(BEGINS, |most| most.min(BEGINS))];
            if !fill(&mut reader, begins)? {
                return Ok(());
            }
            let kind = begins.first().copied();
            (contents.torn_records, contents.torn_received) = torn_records(begins, size);
            let most = match kind {
                Some(RECORDS) => MOST_RECORD_FRAME,
                _ => MOST_CONTROL_FRAME,
            };
            if size > most.min(left) {
                return Ok(());
            }
            let mut hasher = hasher.clone();
            hasher.update(begins);
            payload.clear();
            if kind != Some(RECORDS) {
                payload.extend_from_slice(begins);
            }
            let mut rest = reader.by_ref().take(size - begins.len() as u64);
            while rest.limit() > 0 {
                let bytes = rest.fill_buf()?;
                if bytes.is_empty() {
                    return Ok(());
                }
                hasher.update(bytes);
                if kind != Some(RECORDS) {
                    payload.extend_from_slice(bytes);
                }
                let count = bytes.len();
                rest.consume(count);
            }
            if hasher.finalize() != u32::from_le_bytes([c0, c1, c2, c3])
                || !self.frame(at, &payload, &mut contents.work)
            {
                return Ok(());
            }
            contents.torn_records = 0;
            contents.work.frames += 1;
            contents.end += HEADER_BYTES as u64 + size;
        }
    }

    /// False if the ranges are too many.
    fn frame(&mut self, at: u64, payload: &[u8], work: &mut Work) -> bool {
        self.closed = None;
        match payload.split_first() {
            Some((&REMOVED, ranges)) => {
                work.ranges += ranges.len() / RANGE_BYTES;
                if work.ranges <= MOST_RANGES {
                    self.removed.extend(parse_ranges(ranges));
                }
            }
            Some((&BATCHES, mut groups)) => {
                while let Some(group) = take_group(&mut groups) {
                    work.ranges += group.ranges.len() / RANGE_BYTES;
                    if work.ranges > MOST_RANGES {
                        break;
                    }
                    self.mark(at, &group);
                }
            }
            Some((&CLOSED, mut rest)) => self.closed = take_u64(&mut rest).zip(take_u64(&mut rest)),
            _ => {}
        }
        work.ranges <= MOST_RANGES
    }

    fn mark(&mut self, at: u64, group: &MarkedGroup<'_>) {
        let mut place = 0_u64;
        for range in parse_ranges(group.ranges) {
            let mark = self.marks.len();
            self.marked_ranges.push(MarkedRange { range, mark, place });
            place = place.saturating_add((range.last - range.first).saturating_add(1));
        }
        self.marks.push(Mark {
            at,
            flags: group.flags,
            created: group.created,
        });
    }

    /// Puts records into the batches that they were closed in; the others come last.
    pub(super) fn groups(mut self, records: Vec<Record>) -> Vec<Group> {
        let from = self.closed.map_or(u64::MAX, |(from, _)| from);
        let marks = &self.marks;
        self.marked_ranges
            .retain(|range| marks[range.mark].at >= from);
        self.marked_ranges.sort_by_key(|range| range.range);
        let mut batches: Vec<Vec<(u64, Record)>> = Vec::new();
        batches.resize_with(
            if self.marked_ranges.is_empty() {
                0
            } else {
                marks.len()
            },
            Vec::new,
        );
        let mut others = Vec::new();
        for record in records {
            let id = record.key();
            let before = (self.marked_ranges).partition_point(|mark| mark.range.begins_before(id));
            match before
                .checked_sub(1)
                .map(|index| &self.marked_ranges[index])
            {
                Some(mark) if mark.range.reaches(id) => {
                    let place = mark.place.saturating_add(id.sequence - mark.range.first);
                    batches[mark.mark].push((place, record));
                }
                _ => others.push(record),
            }
        }
        let batches = self.marks.iter().zip(batches).map(|(mark, mut records)| {
            records.sort_by_key(|(place, _)| *place);
            Group {
                records: records.into_iter().map(|(_, record)| record).collect(),
                batch: (mark.flags & IS_BATCH != 0)
                    .then(|| Wall(Duration::from_millis(mark.created))),
                is_ambiguous: mark.flags & IS_AMBIGUOUS != 0,
            }
        });
        let others = Group {
            records: others,
            batch: None,
            is_ambiguous: false,
        };
        let all = batches.chain([others]);
        all.filter(|group| !group.records.is_empty()).collect()
    }
}

/// How many records a frame of `size` bytes that begins so has, and how many the environment had received by
/// then, by its own words. The file may end before the frame does, so that only what such a frame can
/// hold bounds the first.
fn torn_records(bytes: &[u8], size: u64) -> (u64, u64) {
    let most = (size / RECORD_BYTES as u64).min(MOST_FRAME_RECORDS);
    let mut rest = match bytes.split_first() {
        Some((&RECORDS, rest)) if size <= MOST_RECORD_FRAME => rest,
        _ => return (0, 0),
    };
    let count = take(&mut rest, COUNT_BYTES).and_then(|count| count.try_into().ok());
    let count = count.map_or(0, u32::from_le_bytes);
    (most.min(count.into()), take_u64(&mut rest).unwrap_or(0))
}

/// A group as it stands in a frame, with at least one range.
struct MarkedGroup<'a> {
    flags: u8,
    created: u64,
    ranges: &'a [u8],
}

fn take_group<'a>(rest: &mut &'a [u8]) -> Option<MarkedGroup<'a>> {
    let [flags] = take(rest, 1)?.try_into().ok()?;
    let created = take_u64(rest)?;
    let count = u32::from_le_bytes(take(rest, 4)?.try_into().ok()?);
    let ranges = take(rest, (count as usize).checked_mul(RANGE_BYTES)?)?;
    (count > 0).then_some(MarkedGroup {
        flags,
        created,
        ranges,
    })
}

fn parse_ranges(bytes: &[u8]) -> impl Iterator<Item = IdRange> {
    let range = |mut rest: &[u8]| {
        Some(IdRange {
            environment: EnvironmentId(take_u64(&mut rest)?),
            first: take_u64(&mut rest)?,
            last: take_u64(&mut rest)?,
        })
    };
    let ranges = bytes.chunks_exact(RANGE_BYTES).filter_map(range);
    ranges.filter(|range| range.first <= range.last)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(take(rest, 8)?.try_into().ok()?))
}
