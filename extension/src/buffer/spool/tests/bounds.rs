//! A forged spool: what reading it takes is bounded before it is taken. Time and memory go with what is
//! counted here.

use super::frame::{END, MOST_FRAMES, MOST_RANGES, hasher, start};
use super::*;

const MOST: usize = 256 * 1024;
/// Records that are decoded together.
const CHUNK: usize = 512;

fn forged(payloads: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut file = start(1).to_vec();
    for payload in payloads {
        let mut hasher = hasher(1);
        hasher.update(&payload);
        file.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
        file.extend(hasher.finalize().to_le_bytes());
        file.extend(payload);
    }
    file.extend(END);
    file
}

fn records(texts: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Vec<u8> {
    let mut payload = [b"R".as_slice(), &[0; 12]].concat();
    for (sequence, text) in texts {
        payload.extend(7_u64.to_le_bytes());
        payload.extend(sequence.to_le_bytes());
        payload.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        payload.extend(text);
    }
    payload
}

fn ranges(first: u64, count: usize) -> Vec<u8> {
    let mut payload = vec![b'X'];
    for range in 0..count as u64 {
        for number in [7, first + 2 * range, first + 2 * range] {
            payload.extend(number.to_le_bytes());
        }
    }
    payload
}

fn found(file: &[u8]) -> Contents {
    let contents = read(&mut Cursor::new(file), file.len() as u64, MOST, "t").unwrap();
    let records = contents.groups.iter().flat_map(|group| &group.records);
    let bytes: usize = records.map(Record::cost).sum();
    assert!(bytes <= MOST, "{bytes} bytes of records");
    contents
}

#[test]
fn tiny_records_are_decoded_only_as_far_as_the_bound() {
    // 4 MiB of them: 150,000 and more. Of the last the decoder makes other records than there are ids.
    for (text, is_found) in [
        (b"".as_slice(), true),
        (b"\"type\":1", true),
        (b"\x01", false),
    ] {
        let count = 4 * 1024 * 1024 / (20 + text.len() as u64);
        let whole = forged([records((1..count).map(|number| (number, text.to_vec())))]);
        let contents = found(&whole);
        assert!(contents.is_cut_short);
        let most = MOST / (72 + text.len()) + CHUNK;
        assert!(contents.work.decoded <= most, "{:?}", contents.work);
        assert_eq!(contents.len() > 500, is_found, "{}", contents.len());
    }
}

#[test]
fn a_record_beyond_the_bound_is_not_read() {
    let whole = forged([
        records([(
            1,
            b"\"time\":\"t\",\"type\":\"function\",\"record\":1".to_vec(),
        )]),
        records([(2, vec![1; 8 * 1024 * 1024])]),
    ]);
    let contents = found(&whole);
    assert_eq!((sequences(&contents), contents.work.decoded), (vec![1], 1));
    assert!(contents.is_cut_short);
}

/// The decoder would keep their text, at six bytes for one.
#[test]
fn a_large_record_that_nobody_wrote_so_is_not_decoded() {
    let event = |text: &[u8]| {
        let start = br#""time":"t","type":"function","record":""#.as_slice();
        [start, text, b"\""].concat()
    };
    let size = 200 * 1024;
    for (text, is_taken) in [
        (event(&vec![b'a'; size]), true),
        (event("ä".repeat(size / 2).as_bytes()), true),
        (event(&vec![1; size]), false),
        (event(&vec![0xff; size]), false),
        (vec![b'"'; size], false),
    ] {
        let whole = forged([
            records([(1, text.clone())]),
            records([(2, event(b"after"))]),
        ]);
        let contents = found(&whole);
        let expected: &[u64] = if is_taken { &[1, 2] } else { &[2] };
        assert_eq!(sequences(&contents), expected, "{:?}…", &text[..50]);
        assert_eq!(contents.work.decoded, expected.len());
        assert_eq!(contents.foreign > size as u64, !is_taken);
    }
}

#[test]
fn one_id_again_and_again_is_decoded_once_for_each_chunk_at_most() {
    let text = br#""time":"t","type":"function","record":1"#;
    let whole = forged([records((0..100_000).map(|_| (7, text.to_vec())))]);
    let contents = found(&whole);
    assert_eq!(sequences(&contents), [7]);
    assert!(contents.work.decoded <= CHUNK, "{:?}", contents.work);
}

/// A count that no write could have made is not believed: it would be reported as that many lost records.
#[test]
fn a_torn_frame_counts_no_more_records_than_a_frame_has() {
    for (size, says, counted) in [
        (60_000, 40, 40),
        (60_000, u32::MAX, 3000),
        (65_600, u32::MAX, 3277),
        (8 * 1024 * 1024, 1_000_000, 3277),
        (u32::MAX, u32::MAX, 0),
    ] {
        let frame = [size, 0].map(u32::to_le_bytes).concat();
        let payload = [b"R".as_slice(), &says.to_le_bytes(), b"cut off here, it is"].concat();
        let file = [start(1).as_slice(), &frame, &payload].concat();
        let contents = found(&file);
        assert_eq!(contents.torn_records, counted, "{says} of {size} bytes");
    }
}

/// Its first bytes may be the last ones of what was read at once: what it says of itself was not seen.
#[test]
fn a_torn_frame_says_what_it_had_wherever_it_begins() {
    const READ_AT_ONCE: usize = 64 * 1024;
    let says = [b"R".as_slice(), &5_u32.to_le_bytes(), &9_u64.to_le_bytes()].concat();
    let frame = [60_000, 0].map(u32::to_le_bytes).concat();
    let torn = [frame, says, b"cut off".to_vec()].concat();
    let around = |size| {
        let text = format!(
            r#""time":"t","type":"function","record":"{}""#,
            "x".repeat(size)
        );
        forged([records([(1, text.into_bytes())])])
    };
    let least = around(0).len() - END.len();
    for before in READ_AT_ONCE - torn.len()..=READ_AT_ONCE {
        let mut file = around(before - least);
        file.truncate(before);
        file.extend(&torn);
        let contents = found(&file);
        let said = (contents.torn_records, contents.torn_received);
        assert_eq!(said, (5, 9), "at {before}");
        assert_eq!(sequences(&contents), [1], "at {before}");
    }
}

#[test]
fn frames_beyond_their_number_end_the_file() {
    let payload = records([(1, b"\"record\":1".to_vec())]);
    let more = 1000;
    let whole = forged(vec![payload.clone(); MOST_FRAMES as usize + more]);
    let contents = found(&whole);
    assert_eq!(contents.work.frames, MOST_FRAMES);
    assert_eq!(sequences(&contents), [1]);
    let left = more * (8 + payload.len()) + END.len();
    assert_eq!(contents.end, (whole.len() - left) as u64);
}

#[test]
fn runs_beyond_their_number_end_the_file() {
    for kind in *b"XB" {
        let whole = forged((0..300).map(|index| {
            let mut payload = ranges(index * 10_000, 1000);
            if kind == b'B' {
                let group = [[0; 9].as_slice(), &1000_u32.to_le_bytes()].concat();
                payload.splice(..1, [[b'B'].as_slice(), &group].concat());
            }
            payload
        }));
        let contents = found(&whole);
        assert_eq!(
            contents.work.frames as usize,
            MOST_RANGES / 1000,
            "{:?}",
            contents.work
        );
        assert!(contents.work.ranges <= MOST_RANGES + 1000);
    }
}

/// What this extension writes is within these bounds, however long an outage lasts.
#[test]
fn a_long_outage_stays_within_what_the_next_run_reads() {
    let (_root, directory) = place();
    let mut spool = Spool::new(directory.clone(), 64 * 1024 * 1024);
    let mut buffer = Buffer::new(10_000);
    for sequence in 1..=40_000 {
        buffer.push(record(sequence), NOW);
        buffer.shed();
        spool.write_removals(&mut buffer).unwrap();
        spool.keep(&mut buffer).unwrap();
    }
    let (expected, frames) = (
        waiting(&buffer),
        spool.file.as_ref().map_or(0, |file| file.frames),
    );
    assert!(frames <= MOST_FRAMES / 4 + 2, "{frames}");
    drop(spool);
    let contents = recovered(&directory);
    assert_eq!(sequences(&contents), expected);
    assert_eq!((contents.torn, contents.foreign), (0, 0));
}
