//! The reader of the spool, a file that the function itself could have written.
//!
//! Input: a spool as it is; and then payloads, each after its length in two bytes, that are put into
//! frames with the right checksums.

use std::collections::HashSet;
use std::io::Cursor;

use backstop_delivery::{Record, Route};
use backstop_extension::spool::{Contents, read};
use serde_json::value::RawValue;

const MAGIC: &[u8; 8] = b"BKSPOOL2";
const GENERATION: [u8; 8] = 1_u64.to_le_bytes();
/// Records that are decoded together.
const CHUNK: usize = 512;
/// What a record costs beside its text.
const OVERHEAD: usize = 72;
const MOST_BYTES: usize = 64 * 1024;
/// What one frame can have: 64 KiB, 20 bytes each, and one that makes it full.
const MOST_FRAME_RECORDS: u64 = 3277;

/// Whatever the file holds: no more is read than the bound, no more is done for it than that and the
/// file's length allow, each record is one line of JSON, and no id comes twice on one route. Under `mirror`
/// a record and its copy for the archive have the same id; a record that has become archive-only is not
/// one to deliver as well.
///
/// # Panics
///
/// Where that does not hold.
pub fn spool(input: &[u8]) {
    check(input);
    check(&framed(input));
}

fn check(file: &[u8]) {
    let length = file.len() as u64;
    let contents = read(
        &mut Cursor::new(file),
        length,
        MOST_BYTES,
        "2026-01-01T00:00:00Z",
    );
    let contents = contents.expect("memory can always be read");
    assert!(contents.torn + contents.foreign <= length, "{contents:?}");
    let records = records(&contents);
    let bytes: usize = records.iter().map(|record| record.cost()).sum();
    assert!(bytes <= MOST_BYTES, "{bytes} bytes of records");
    let work = contents.work;
    let frames = length / 9;
    assert!(u64::from(work.frames) <= frames, "{work:?}");
    assert!(work.ranges as u64 <= length / 24, "{work:?}");
    assert!(
        work.decoded <= file.len() / 20 && work.decoded <= 2 * MOST_BYTES / OVERHEAD + 2 * CHUNK,
        "{work:?}"
    );
    assert!(contents.left.unwrap_or(0) <= length / 20, "{contents:?}");
    assert!(contents.torn_records <= MOST_FRAME_RECORDS, "{contents:?}");
    for original in records.iter().filter_map(|record| record.original()) {
        let text = str::from_utf8(original).expect("it is text");
        assert!(!text.contains(['\n', '\r']), "{text:?}");
        let _: serde_json::Value = serde_json::from_str(text).expect("strict readers take it");
    }
    let keys: HashSet<_> = records.iter().map(|record| record.key()).collect();
    assert_eq!(keys.len(), records.len(), "an id comes twice on one route");
    for record in records {
        assert!(
            record.route() != Route::Deliver || !keys.contains(&record.clone().archived().key()),
            "a record to deliver is archive-only as well"
        );
        let members = record.members().concat();
        assert!(!members.contains(&b'\n'), "a record is one line");
        let object = [b"{", &members[..], b"}"].concat();
        // As text: a number may be beyond what this machine can count.
        serde_json::from_slice::<Box<RawValue>>(&object).expect("a record is JSON");
    }
}

fn records(contents: &Contents) -> Vec<&Record> {
    contents
        .groups
        .iter()
        .flat_map(|group| &group.records)
        .collect()
}

fn framed(mut input: &[u8]) -> Vec<u8> {
    let mut file = [MAGIC.as_slice(), &GENERATION].concat();
    file.extend(crc32fast::hash(&file).to_le_bytes());
    while let Some((length, rest)) = input.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        let size = u32::try_from(payload.len()).expect("it was two bytes");
        file.extend(size.to_le_bytes());
        let checksum = crc32fast::hash(&[GENERATION.as_slice(), payload].concat());
        file.extend(checksum.to_le_bytes());
        file.extend(payload);
        input = rest;
    }
    file
}
